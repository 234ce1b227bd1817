//! Which peer of a pool: reads the figures, takes nothing, locks nothing, allocates nothing.
//!
//! What was read of the winner comes out with it, so that the caller can take its session only if
//! the figures still hold, and else choose again.

use crate::board::{Candidate, PeerId, Pool};
use crate::health::Rules;
use crate::sessions::Seen;
use crate::settings::{Operator, Strategy};
use std::sync::atomic::Ordering;

/// What a choice is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) now: u64,
    /// Peers that are not to be chosen.
    pub(crate) tried: &'a [PeerId],
    pub(crate) sessions: u32,
    /// Tags that a peer must have.
    pub(crate) tags: u64,
    /// Decides between equals.
    pub(crate) turn: u32,
}

/// The best candidate and its counts as they were read.
pub(crate) type Chosen<'a> = (&'a Candidate, Seen);

/// The best peer of a pool that can take the call.
pub(crate) fn choose<'a>(pool: &'a Pool, rules: &Rules, wanted: &Wanted<'_>) -> Option<Chosen<'a>> {
    let candidates = &*pool.candidates;
    match pool.strategy {
        Strategy::MostAvailable => best(candidates, rules, wanted, most_available),
        Strategy::LeastBusy => best(candidates, rules, wanted, least_busy),
        Strategy::Weighted => best(candidates, rules, wanted, weighted),
        Strategy::RoundRobin => round_robin(candidates, wanted),
        Strategy::Dma => best(candidates, rules, wanted, dma),
    }
}

/// Why a candidate cannot take a call, or what it has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fitness {
    /// It could: its counts, the sessions in use and its room.
    Fits(Seen, u32, u32),
    /// It failed for the same call before.
    Tried,
    /// It lacks a tag.
    Untagged,
    /// Its health or the operator is against it.
    Unwell,
    /// It has no room.
    Full,
}

pub(crate) fn fitness(candidate: &Candidate, wanted: &Wanted<'_>) -> Fitness {
    let health = candidate.vitals.health();
    if health.operator != Operator::Ready || !health.is_well(wanted.now) {
        return Fitness::Unwell;
    }
    if candidate.tags & wanted.tags != wanted.tags {
        return Fitness::Untagged;
    }
    if wanted.tried.contains(&candidate.id) {
        return Fitness::Tried;
    }
    let seen = candidate.vitals.counts.seen();
    let used = candidate.vitals.used(seen);
    let room = candidate.vitals.limit(candidate.sessions_max);
    if used.saturating_add(wanted.sessions) > candidate.new_limit.min(room) {
        return Fitness::Full;
    }
    Fitness::Fits(seen, used, room)
}

/// The highest score; equals are drawn lots for, so that none of them has a better place than
/// another, wherever it stands in the list.
#[inline(always)]
fn best<'a>(
    candidates: &'a [Candidate],
    rules: &Rules,
    wanted: &Wanted<'_>,
    score: impl Fn(&Candidate, u32, u32) -> u64,
) -> Option<Chosen<'a>> {
    let mut best: Option<(u64, u32, Chosen<'a>)> = None;
    for candidate in candidates {
        let Fitness::Fits(seen, used, room) = fitness(candidate, wanted) else {
            continue;
        };
        let strength = candidate.vitals.health().strength(wanted.now, rules);
        let score = match strength {
            1_024 => score(candidate, used, room),
            part => score(candidate, used, room) / 1_024 * part,
        };
        let better = match best {
            None => true,
            Some((most, _, _)) if score != most => score > most,
            Some((_, lot, _)) => lot_of(wanted.turn, candidate.position) > lot,
        };
        if better {
            let lot = lot_of(wanted.turn, candidate.position);
            best = Some((score, lot, (candidate, seen)));
        }
    }
    best.map(|(_, _, chosen)| chosen)
}

/// Whoever's turn it is among those that can take the call, so that the share of one that cannot is
/// spread over all others and not given to its neighbour.
fn round_robin<'a>(candidates: &'a [Candidate], wanted: &Wanted<'_>) -> Option<Chosen<'a>> {
    let fitting = || {
        candidates.iter().filter_map(|candidate| {
            if let Fitness::Fits(seen, ..) = fitness(candidate, wanted) {
                Some((candidate, seen))
            } else {
                None
            }
        })
    };
    let turn = (wanted.turn as usize).checked_rem(fitting().count())?;
    // One may have become full in between.
    fitting().nth(turn).or_else(|| fitting().next())
}

/// A number that says nothing but who wins this time.
fn lot_of(turn: u32, position: u32) -> u32 {
    let mut lot = (turn ^ position.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
    lot ^= lot >> 15;
    lot = lot.wrapping_mul(0xc2b2_ae35);
    lot ^ lot >> 13
}

// Scores have their unit in the upper half, so that a slow start can take parts of it away.

fn most_available(_: &Candidate, used: u32, room: u32) -> u64 {
    u64::from(room.saturating_sub(used)) << 32
}

fn least_busy(_: &Candidate, used: u32, room: u32) -> u64 {
    share(room.saturating_sub(used).into(), room)
}

fn weighted(candidate: &Candidate, used: u32, _: u32) -> u64 {
    // The reciprocal of what is in use for the weight; one more on both sides, since a call comes.
    (u64::from(candidate.weight) << 32) / (u64::from(used) + 1)
}

/// The published formula of the Polycom DMA for video ports: the share of free ports, or the share
/// of what conferences leave of the mixers (two ports each), whichever is less.
fn dma(candidate: &Candidate, used: u32, room: u32) -> u64 {
    let conferences = candidate.vitals.conferences();
    let ports = share(room.saturating_sub(used).into(), room);
    let mixers = u64::from(room).saturating_sub(2 * u64::from(conferences));
    ports.min(share(mixers, room))
}

fn share(part: u64, whole: u32) -> u64 {
    (part << 32).checked_div(whole.into()).unwrap_or(0)
}

/// The number that decides between equals for one call.
pub(crate) fn take_turn(pool: &Pool) -> u32 {
    // Relaxed, here and below: any order of turns is fair.
    pool.turn.0.fetch_add(1, Ordering::Relaxed)
}

/// What [`take_turn`] would say.
pub(crate) fn next_turn(pool: &Pool) -> u32 {
    pool.turn.0.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests;
