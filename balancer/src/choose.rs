//! Which peer of a pool: reads the figures, takes nothing, locks nothing, allocates nothing.
//!
//! What was read of the winner comes out with it, so that the caller can take its session only if
//! the figures still hold, and else choose again.

use crate::board::{Candidate, PeerId, Pool};
use crate::health::{Health, Rules};
use crate::sessions::Seen;
use crate::settings::{Strategy, UNKNOWN};
use std::sync::atomic::Ordering;

/// What a choice is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) now: u64,
    /// Peers that are not to be chosen ...
    pub(crate) tried: &'a [PeerId],
    /// ... and one more.
    pub(crate) not: Option<PeerId>,
    pub(crate) sessions: u32,
    /// Tags that a peer must have.
    pub(crate) tags: u64,
    /// Decides between equals.
    pub(crate) turn: u32,
}

impl Wanted<'_> {
    /// Whether every peer will do that is well and has room.
    fn takes_any(&self) -> bool {
        self.tags == 0 && self.tried.is_empty() && self.not.is_none()
    }
}

/// The best candidate and its counts as they were read.
pub(crate) type Chosen<'a> = (&'a Candidate, Seen);

/// The best peer of a pool that can take the call.
pub(crate) fn choose<'a>(pool: &'a Pool, wanted: &Wanted<'_>) -> Option<Chosen<'a>> {
    let candidates = &*pool.candidates;
    match effective(pool) {
        Strategy::MostAvailable if wanted.takes_any() => most_of_plain(candidates, wanted),
        Strategy::MostAvailable => best(candidates, wanted, most_available),
        Strategy::LeastBusy => best(candidates, wanted, least_busy),
        Strategy::Weighted => best(candidates, wanted, weighted),
        Strategy::RoundRobin => round_robin(candidates, wanted),
        Strategy::Dma => best(candidates, wanted, dma),
    }
}

/// The pool's strategy, or in turn where it compares room and that of some peer is not known.
pub(crate) fn effective(pool: &Pool) -> Strategy {
    let compares_room = match pool.strategy {
        Strategy::MostAvailable | Strategy::LeastBusy | Strategy::Dma => true,
        Strategy::Weighted | Strategy::RoundRobin => false,
    };
    let lacks = |candidate: &Candidate| candidate.vitals.limit(candidate.sessions_max) == UNKNOWN;
    if compares_room && pool.may_lack_figures && pool.candidates.iter().any(lacks) {
        Strategy::RoundRobin
    } else {
        pool.strategy
    }
}

/// Why a candidate cannot take a call, or with which figures it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fitness {
    /// It can.
    Fits(Figures),
    /// It failed for the same call before.
    Tried,
    /// It lacks a tag.
    Untagged,
    /// Its health or the operator is against it.
    Unwell,
    /// It has no room.
    Full,
}

/// A peer's figures as they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    seen: Seen,
    /// Sessions in use, corrected by what the peer reports.
    used: u32,
    /// Room for sessions.
    room: u32,
    /// How far a slow start has got, in parts of 1,024.
    strength: u64,
}

impl Figures {
    /// What a strategy says of them, as far as the slow start goes.
    #[inline(always)]
    fn score(self, candidate: &Candidate, score: impl Fn(&Candidate, u32, u32) -> u64) -> u64 {
        let score = score(candidate, self.used, self.room);
        if self.strength == 1_024 {
            score
        } else {
            score / 1_024 * self.strength
        }
    }
}

#[inline]
pub(crate) fn fitness(candidate: &Candidate, wanted: &Wanted<'_>) -> Fitness {
    let vitals = &candidate.vitals;
    let Some(strength) = vitals.strength(wanted.now, wanted.rules) else {
        return Fitness::Unwell;
    };
    if candidate.tags & wanted.tags != wanted.tags {
        return Fitness::Untagged;
    }
    if wanted.tried.contains(&candidate.id) || wanted.not == Some(candidate.id) {
        return Fitness::Tried;
    }
    let seen = vitals.counts.seen();
    let used = vitals.used(seen);
    let room = vitals.limit(candidate.sessions_max);
    if u64::from(used) + u64::from(wanted.sessions) > u64::from(candidate.new_limit.min(room)) {
        return Fitness::Full;
    }
    Fitness::Fits(Figures {
        seen,
        used,
        room,
        strength,
    })
}

/// The highest score; equals are drawn lots for, so that none of them has a better place than
/// another, wherever it stands in the list.
#[inline(always)]
fn best<'a>(
    candidates: &'a [Candidate],
    wanted: &Wanted<'_>,
    score: impl Fn(&Candidate, u32, u32) -> u64,
) -> Option<Chosen<'a>> {
    let mut best: Option<Chosen<'a>> = None;
    let (mut most, mut highest) = (0, 0);
    for candidate in candidates {
        let Fitness::Fits(figures) = fitness(candidate, wanted) else {
            continue;
        };
        let score = figures.score(candidate, &score);
        if score < most {
            continue;
        }
        let lot = lot_of(wanted.turn, candidate.position);
        if score > most || lot >= highest {
            (most, highest) = (score, lot);
            best = Some((candidate, figures.seen));
        }
    }
    best
}

/// [`best`] by [`most_available`] for a call that takes any peer: what nearly every choice is, with
/// nothing in its loop but what a plain peer needs.
#[inline]
fn most_of_plain<'a>(candidates: &'a [Candidate], wanted: &Wanted<'_>) -> Option<Chosen<'a>> {
    let bound = Health::plain_bound(wanted.now);
    let sessions = u64::from(wanted.sessions);
    let mut best: Option<Chosen<'a>> = None;
    let (mut most, mut highest) = (0, 0);
    for candidate in candidates {
        let vitals = &candidate.vitals;
        let (seen, score) = if vitals.is_plain(bound) {
            let seen = vitals.counts.seen();
            let used = seen.taken();
            if u64::from(used) + sessions > u64::from(candidate.new_limit) {
                continue;
            }
            (
                seen,
                most_available(candidate, used, candidate.sessions_max),
            )
        } else if let Fitness::Fits(figures) = fitness(candidate, wanted) {
            (figures.seen, figures.score(candidate, most_available))
        } else {
            continue;
        };
        if score < most {
            continue;
        }
        let lot = lot_of(wanted.turn, candidate.position);
        if score > most || lot >= highest {
            (most, highest) = (score, lot);
            best = Some((candidate, seen));
        }
    }
    best
}

/// Whoever's turn it is among those that can take the call, so that the share of one that cannot is
/// spread over all others and not given to its neighbour.
fn round_robin<'a>(candidates: &'a [Candidate], wanted: &Wanted<'_>) -> Option<Chosen<'a>> {
    let fitting = || {
        candidates.iter().filter_map(|candidate| {
            if let Fitness::Fits(figures) = fitness(candidate, wanted) {
                Some((candidate, figures.seen))
            } else {
                None
            }
        })
    };
    let turn = (wanted.turn as usize).checked_rem(fitting().count())?;
    // One may have become full in between.
    fitting().nth(turn).or_else(|| fitting().next())
}

/// A number that says nothing but who of some equals wins this time (the finish of MurmurHash3:
/// every bit of turn and position changes half of the bits).
#[inline]
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
