//! On which figures a decision was made: noted with the call, so that its record can say so later.
//!
//! Small and without a reference to anything that is counted: a note is made for every call. It holds
//! the first few peers of the pool; names are looked up when somebody asks.

use crate::board::{Board, Candidate, PeerId, Pool};
use crate::choose::{Fitness, Wanted, effective, fitness};
use crate::explain::Verdict;
use crate::settings::{Strategy, UNKNOWN};
use crate::vitals::Reason;
use std::fmt::Write;

/// Why a call is where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grounds {
    reason: Reason,
    strategy: Strategy,
    /// Where the rule and the pool stood, on a board of that generation.
    rule: Option<u16>,
    pool: u16,
    generation: u64,
    peers: [Option<Weighed>; PEERS_MAX],
    /// Peers of the pool that are not noted.
    more: u32,
}

/// One peer at the moment of the decision.
#[derive(Clone, Copy, Debug)]
struct Weighed {
    peer: PeerId,
    used: u32,
    limit: u32,
    verdict: Verdict,
}

/// Peers that a note holds.
const PEERS_MAX: usize = 6;

/// What was decided, and among whom.
pub(crate) struct Decided<'a> {
    pub(crate) reason: Reason,
    pub(crate) peer: PeerId,
    pub(crate) rule: Option<u16>,
    pub(crate) pool: (u16, &'a Pool),
    pub(crate) wanted: &'a Wanted<'a>,
}

impl Grounds {
    /// Notes a decision that was just made: what it took is in the figures.
    pub(crate) fn of(decided: &Decided<'_>, board: &Board) -> Self {
        let (position, pool) = decided.pool;
        let mut grounds = Self {
            reason: decided.reason,
            strategy: effective(pool),
            rule: decided.rule,
            pool: position,
            generation: board.generation(),
            peers: [None; PEERS_MAX],
            more: 0,
        };
        let is_chosen = |candidate: &&Candidate| candidate.id == decided.peer;
        let chosen = pool.candidates.iter().find(is_chosen);
        let was_compared = match decided.reason {
            Reason::Failover | Reason::Figures => true,
            Reason::Conference | Reason::Lease => false,
        };
        let others = pool
            .candidates
            .iter()
            .filter(|one| was_compared && !is_chosen(one));
        let mut noted = chosen.into_iter().chain(others);
        for (place, candidate) in grounds.peers.iter_mut().zip(&mut noted) {
            let verdict = if is_chosen(&candidate) {
                Verdict::Chosen
            } else {
                verdict(candidate, decided.wanted, board)
            };
            let vitals = &candidate.vitals;
            *place = Some(Weighed {
                peer: candidate.id,
                used: vitals.used(vitals.counts.seen()),
                limit: vitals.limit(candidate.sessions_max),
                verdict,
            });
        }
        if was_compared {
            let more = pool.candidates.len().saturating_sub(PEERS_MAX);
            grounds.more = u32::try_from(more).unwrap_or(u32::MAX);
        }
        grounds
    }

    /// In words, with the names of this board.
    pub(crate) fn text(&self, board: &Board) -> String {
        let mut text = self.reason.as_str().to_owned();
        let is_same = board.generation() == self.generation;
        match self.rule {
            Some(rule) => match board.plan.rule_name(rule).filter(|_| is_same) {
                Some(name) => push(&mut text, format_args!(", rule {name}")),
                None => push(&mut text, format_args!(", rule {rule} of an earlier plan")),
            },
            None => push(&mut text, format_args!(", no rule")),
        }
        let pool = board.pools.get(usize::from(self.pool));
        if let Some(pool) = pool.filter(|_| is_same) {
            push(&mut text, format_args!(", pool {}", pool.name));
        }
        push(&mut text, format_args!(", {}: ", self.strategy.as_str()));
        for (position, weighed) in self.peers.iter().flatten().enumerate() {
            let separator = if position > 0 { "; " } else { "" };
            let peer = board.peer(weighed.peer);
            let name = peer.map_or("a peer taken out", |peer| &peer.settings.name);
            push(
                &mut text,
                format_args!("{separator}{name} {}", weighed.used),
            );
            if weighed.limit != UNKNOWN {
                push(&mut text, format_args!(" of {}", weighed.limit));
            }
            push(&mut text, format_args!(" {}", weighed.verdict.as_str()));
        }
        if self.more > 0 {
            push(&mut text, format_args!("; {} more", self.more));
        }
        text
    }
}

/// Why a peer was not the one.
fn verdict(candidate: &Candidate, wanted: &Wanted<'_>, board: &Board) -> Verdict {
    match fitness(candidate, wanted) {
        Fitness::Fits(..) => Verdict::Behind,
        Fitness::Full if board.is_nowhere(candidate) => Verdict::Nowhere,
        Fitness::Full => Verdict::Full,
        Fitness::Tried => Verdict::Tried,
        Fitness::Untagged => Verdict::Untagged,
        Fitness::Unwell => Verdict::State,
    }
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(part);
    debug_assert!(written.is_ok(), "a text takes whatever is written");
}
