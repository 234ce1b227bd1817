//! Why a call would go where it would: computed when somebody asks, from the same functions that
//! decide, and without taking anything.

use crate::balancer::Balancer;
use crate::board::{Board, Candidate, PeerId, PeerState, Pool};
use crate::choose::{Fitness, Wanted, effective, fitness};
use crate::conferences::ConferenceFigures;
use crate::figures::known;
use crate::place::{NoPlace, Request};
use crate::settings::Strategy;
use std::fmt;
use std::sync::Arc;

/// A decision with its grounds.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What was dialled.
    pub alias: String,
    /// Where the call would come from.
    pub zone: String,
    /// The rule of the dial plan that serves it; none without a dial plan.
    pub rule: Option<String>,
    /// The conference's name.
    pub conference: Option<String>,
    /// The conference as it is, if it runs.
    pub running: Option<ConferenceFigures>,
    /// The pools in the order in which they are asked.
    pub pools: Vec<PoolExplained>,
    /// The peer's name, or why there is none.
    pub decision: Result<String, NoPlace>,
}

/// One pool in an [`Explanation`].
#[derive(Clone, Debug)]
pub struct PoolExplained {
    /// Its name.
    pub name: Arc<str>,
    /// How one of its peers is chosen.
    pub strategy: Strategy,
    /// Its peers.
    pub peers: Vec<PeerExplained>,
}

/// One peer in an [`Explanation`].
#[derive(Clone, Debug)]
pub struct PeerExplained {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: PeerState,
    /// Sessions in use, as far as the choice is concerned.
    pub in_use: u32,
    /// Sessions chosen and not yet confirmed, which `in_use` holds too.
    pub reserved: u32,
    /// Room in all, if it is known.
    pub limit: Option<u32>,
    /// Room for calls that begin a conference, if it is known.
    pub new_limit: Option<u32>,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// Why a peer is chosen or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The call goes there.
    Chosen,
    /// The conference lives there.
    Conference,
    /// It could take the call, but another one is better by the pool's strategy.
    Behind,
    /// It could take the call, but a pool before has a peer that can, or the conference decides.
    NotAsked,
    /// It has no room.
    Full,
    /// It has no address.
    Nowhere,
    /// Its state is against it.
    State,
    /// The call was there already.
    Tried,
    /// It lacks a tag.
    Untagged,
}

impl Verdict {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Conference => "chosen: the conference is here",
            Self::Behind => "another peer is better",
            Self::NotAsked => "not asked",
            Self::Full => "no room",
            Self::Nowhere => "no address",
            Self::State => "not in service",
            Self::Tried => "tried before",
            Self::Untagged => "lacks a tag",
        }
    }
}

impl Balancer {
    /// Where a call would go now, and why. Takes nothing, counts nothing.
    #[must_use]
    pub fn explain(&self, request: &Request<'_>) -> Explanation {
        self.snapshot().explain(request)
    }

    pub(crate) fn explain_on(&self, board: &Board, request: &Request<'_>) -> Explanation {
        let mut explanation = Explanation {
            alias: String::from_utf8_lossy(request.alias).into_owned(),
            zone: request.zone.to_owned(),
            rule: None,
            conference: None,
            running: None,
            pools: Vec::new(),
            decision: Err(NoPlace::AliasUnknown),
        };
        let mut name = None;
        let route = match self.route(board, (request.alias, request.zone), &mut name) {
            Ok(route) => route,
            Err(why) => {
                explanation.decision = Err(why);
                return explanation;
            }
        };
        explanation.rule = route.rule.map(|rule| rule.name.to_string());
        if let Some(peer) = route.bridge.and_then(|(at, _)| board.peers().get(at)) {
            explanation.rule = Some(format!("an alias of {}", peer.settings.name));
        }
        if let Some(name) = name.as_ref().filter(|_| route.has_conference) {
            explanation.conference = Some(name.as_str().to_owned());
            let running = self.directory.find(name.as_str());
            explanation.running = running.map(|running| running.figures());
        }
        let decided = self.look_along(board, &route, (name.as_ref(), request));
        let asking = Asking {
            board,
            request,
            tags: route.tags,
            now: self.millis(request.now),
            chosen: decided.ok(),
            home: explanation.running.as_ref().map(|running| running.peer),
        };
        let pools = route.pools.iter();
        explanation.pools = pools
            .filter_map(|pool| board.pools.get(usize::from(*pool)))
            .map(|pool| asking.pool(pool))
            .collect();
        explanation.decision = decided.map(|peer| asking.name(peer));
        explanation
    }
}

/// What the parts of an explanation are made from.
struct Asking<'a> {
    board: &'a Board,
    request: &'a Request<'a>,
    tags: u64,
    now: u64,
    chosen: Option<PeerId>,
    /// Where the conference is.
    home: Option<PeerId>,
}

impl Asking<'_> {
    fn name(&self, peer: PeerId) -> String {
        let peer = self.board.peer(peer);
        peer.map_or_else(String::new, |peer| peer.settings.name.clone())
    }

    fn pool(&self, pool: &Pool) -> PoolExplained {
        let has = |id| {
            pool.candidates
                .iter()
                .any(|candidate| Some(candidate.id) == id)
        };
        let wanted = Wanted {
            rules: &self.board.rules,
            now: self.now,
            tried: self.request.tried,
            not: None,
            sessions: pool.sessions(self.request.is_audio_only),
            tags: self.tags,
            turn: 0,
        };
        let peers = pool.candidates.iter();
        PoolExplained {
            name: Arc::clone(&pool.name),
            strategy: effective(pool),
            peers: peers
                .map(|candidate| self.peer(candidate, &wanted, has(self.chosen)))
                .collect(),
        }
    }

    fn peer(
        &self,
        candidate: &Candidate,
        wanted: &Wanted<'_>,
        is_chosen_from: bool,
    ) -> PeerExplained {
        let vitals = &candidate.vitals;
        let seen = vitals.counts.seen();
        let verdict = match fitness(candidate, wanted) {
            _ if self.chosen == Some(candidate.id) && self.home == self.chosen => {
                Verdict::Conference
            }
            _ if self.chosen == Some(candidate.id) => Verdict::Chosen,
            Fitness::Tried => Verdict::Tried,
            Fitness::Untagged => Verdict::Untagged,
            Fitness::Unwell => Verdict::State,
            Fitness::Full if self.board.is_nowhere(candidate) => Verdict::Nowhere,
            Fitness::Full => Verdict::Full,
            Fitness::Fits(..) if is_chosen_from && self.home != self.chosen => Verdict::Behind,
            Fitness::Fits(..) => Verdict::NotAsked,
        };
        let limit = vitals.limit(candidate.sessions_max);
        PeerExplained {
            name: self.name(candidate.id),
            state: PeerState::of(vitals.health(), self.now),
            in_use: vitals.used(seen),
            reserved: seen.reserved(),
            limit: known(limit),
            new_limit: known(candidate.new_limit.min(limit)),
            verdict,
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "alias       {} from zone {}", self.alias, self.zone)?;
        match &self.rule {
            Some(rule) => writeln!(f, "rule        {rule}")?,
            None if self.pools.is_empty() => writeln!(f, "rule        none matches")?,
            None => writeln!(f, "rule        none: there is no dial plan")?,
        }
        match (&self.conference, &self.running) {
            (None, _) => writeln!(f, "conference  none")?,
            (Some(name), None) => writeln!(f, "conference  {name}, not running")?,
            (Some(name), Some(running)) => {
                let state = if running.is_settled {
                    "running"
                } else {
                    "being set up"
                };
                let (participants, seats) = (running.participants, running.seats);
                writeln!(
                    f,
                    "conference  {name}, {state}: {participants} of {seats} seats answered"
                )?;
            }
        }
        for pool in &self.pools {
            writeln!(f, "pool        {}, {}", pool.name, pool.strategy.as_str())?;
            for peer in &pool.peers {
                let (name, state) = (&peer.name, peer.state.as_str());
                write!(f, "  {name:<20} {state:<12} ")?;
                let (used, reserved) = (peer.in_use, peer.reserved);
                match peer.limit {
                    None => write!(f, "room not known, {used} in use ({reserved} reserved)")?,
                    Some(limit) => {
                        let available = limit.saturating_sub(used);
                        let new_limit = peer.new_limit.unwrap_or(limit);
                        write!(
                            f,
                            "{available:>7} available = {limit} - {used} ({reserved} reserved), new up \
                             to {new_limit}"
                        )?;
                    }
                }
                writeln!(f, ": {}", peer.verdict.as_str())?;
            }
        }
        match &self.decision {
            Ok(peer) => writeln!(f, "decision    {peer}"),
            Err(why) => writeln!(f, "decision    none: {why}"),
        }
    }
}
