//! The one decision: alias, conference, pool, peer, and the session taken there and then.
//!
//! 1. The dial plan names the conference and the pools ([`crate::plan`]).
//! 2. A conference that is there, or being set up, decides the peer.
//! 3. Else the first pool in which a peer can take the call: its best peer ([`crate::choose`]).
//!
//! Nothing is allocated for a call into a known conference or without one, and nothing locked but one
//! shard of the directory, shared, while a name is looked up. A choice takes its session only if the
//! figures that it was made on still hold.

mod promised;

use crate::balancer::Balancer;
use crate::board::{Board, Candidate, Peer, PeerId, Pool};
use crate::choose::{Fitness, Wanted, choose, fitness, next_turn, take_turn};
use crate::conferences::{MayReplace, NoSeat, Opening, Seat};
use crate::grounds::{self, Grounds};
use crate::health::State;
use crate::permit::Permit;
use crate::plan::{Name, Route};
use crate::report::Cause;
use crate::sessions::Seen;
use crate::settings::{Failover, Operator, Role, Target};
use crate::vitals::Reason;
use std::sync::Arc;
use std::time::Instant;

/// A call that wants a peer.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What was dialled: user and host of the Request-URI, or an alias of H.323.
    pub alias: &'a [u8],
    /// Where the call comes from.
    pub zone: &'a str,
    /// Peers that this call was at already; none of them is chosen again.
    pub tried: &'a [PeerId],
    /// Whether the call is offered with sound alone, which may weigh less.
    pub is_audio_only: bool,
    /// The time.
    pub now: Instant,
}

/// A decision for one call.
#[derive(Debug)]
pub struct Placement {
    /// The peer.
    pub peer: PeerId,
    /// Its addresses, the first one first; never empty.
    pub targets: Arc<[Target]>,
    /// The sessions and the seat taken for the call.
    pub permit: Permit,
    /// How long the peer is waited for, and when the next one is tried.
    pub failover: Failover,
    /// Why this peer.
    pub reason: Reason,
    /// What the caller is in the conference.
    pub role: Role,
}

/// Why there is no peer for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// No rule of the dial plan matches (404).
    #[error("no alias matches")]
    AliasUnknown,
    /// The alias is not for this zone (403).
    #[error("the alias does not serve this zone")]
    CallerNotAllowed,
    /// The conference has as many participants as it may (486).
    #[error("the conference is full")]
    ConferenceFull,
    /// Every peer that could be asked was, and failed (504).
    #[error("no peer answered")]
    Exhausted,
    /// No peer of any pool has room, or the conference's own peer has none (480).
    #[error("no capacity in any pool")]
    NoCapacity,
    /// The conference does not run, and this alias may not begin it (480).
    #[error("the conference has not started")]
    NotStarted,
    /// Every peer is Failed, paused or taken out by the operator (504).
    #[error("no peer is in service")]
    PeersDown,
}

/// How often a decision is made anew because others were faster. Each time somebody else got a
/// place, so that this is a bound for the worst, not a number that is seen.
const ROUNDS_MAX: u32 = 1_000;

impl Balancer {
    /// Chooses a peer and takes the call's sessions there.
    ///
    /// # Errors
    /// Why there is none.
    pub fn place(&self, request: &Request<'_>) -> Result<Placement, NoPlace> {
        self.place_on(&self.board_now(), request, Claims::Leases)
    }

    pub(crate) fn place_on(
        &self,
        board: &Board,
        request: &Request<'_>,
        claims: Claims,
    ) -> Result<Placement, NoPlace> {
        let mut name = None;
        let route = self.route(board, (request.alias, request.zone), &mut name)?;
        self.place_along(board, &route, (name.as_ref(), request), claims)
    }

    /// [`Balancer::place`] on a route that is known.
    pub(crate) fn place_along(
        &self,
        board: &Board,
        route: &Route<'_>,
        named: (Option<&Name>, &Request<'_>),
        claims: Claims,
    ) -> Result<Placement, NoPlace> {
        let decision = Decision {
            claims,
            ..self.decision(board, route, named)
        };
        let decided = match (decision.conference(), route.bridge) {
            (Some(name), _) => decision.join(name)?,
            (None, Some((position, _))) => decision.take_on(position)?,
            (None, None) => decision.choose(None)?,
        };
        Ok(decision.placement(decided))
    }

    /// Where a call would go now; takes nothing and counts nothing.
    ///
    /// # Errors
    /// Why nowhere.
    pub fn look(&self, request: &Request<'_>) -> Result<PeerId, NoPlace> {
        self.look_on(&self.board_now(), request)
    }

    pub(crate) fn look_on(&self, board: &Board, request: &Request<'_>) -> Result<PeerId, NoPlace> {
        let mut name = None;
        let route = self.route(board, (request.alias, request.zone), &mut name)?;
        self.look_along(board, &route, (name.as_ref(), request))
    }

    /// What the dial plan says of an alias; the conference of an alias that was handed out is known by
    /// its number.
    pub(crate) fn route<'b>(
        &self,
        board: &'b Board,
        (alias, zone): (&[u8], &str),
        name: &mut Option<Name>,
    ) -> Result<Route<'b>, NoPlace> {
        let mut route = board.plan.route(alias, zone, name)?;
        if let Some((_, number)) = route.bridge
            && let Some(seating) = self.directory.numbered(number)
        {
            let name = name.insert(Name::empty());
            route.has_conference = name.push(seating.name()).is_some();
            // Its own rule, so that it can move when its peer is lost.
            let rule = seating.rule().and_then(|rule| board.plan.rule_named(rule));
            if let Some(rule) = rule {
                route.leads_by(rule);
            }
        }
        Ok(route)
    }

    /// [`Balancer::look`] on a route that is known.
    pub(crate) fn look_along(
        &self,
        board: &Board,
        route: &Route<'_>,
        named: (Option<&Name>, &Request<'_>),
    ) -> Result<PeerId, NoPlace> {
        let decision = self.decision(board, route, named);
        decision.look().map(|peer| peer.id)
    }

    fn decision<'a>(
        &'a self,
        board: &'a Board,
        route: &'a Route<'a>,
        (name, request): (Option<&'a Name>, &'a Request<'a>),
    ) -> Decision<'a> {
        Decision {
            balancer: self,
            board,
            route,
            name,
            request,
            now: self.millis(request.now),
            claims: Claims::Nothing,
        }
    }
}

/// Whether the call is there, and takes over what a lease holds for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claims {
    Leases,
    Nothing,
}

/// One decision under way.
struct Decision<'a> {
    balancer: &'a Balancer,
    board: &'a Board,
    route: &'a Route<'a>,
    name: Option<&'a Name>,
    request: &'a Request<'a>,
    now: u64,
    claims: Claims,
}

type Decided<'a> = Result<(&'a Peer, Permit, Reason), NoPlace>;

impl<'a> Decision<'a> {
    /// The conference that the call is for.
    fn conference(&self) -> Option<&'a str> {
        let name = self.name.filter(|_| self.route.has_conference);
        name.map(Name::as_str)
    }

    fn placement(&self, (peer, mut permit, reason): (&Peer, Permit, Reason)) -> Placement {
        peer.vitals.count_chosen(reason);
        self.note(peer, &mut permit, reason);
        let rule = self.route.rule;
        Placement {
            peer: peer.id,
            targets: Arc::clone(&peer.targets),
            permit,
            failover: self.board.failover_of(peer),
            reason,
            role: rule.map_or_else(Role::default, |rule| rule.role),
        }
    }

    /// The best peer of the first pool that has one, with its sessions.
    fn choose(&self, not: Option<PeerId>) -> Decided<'a> {
        for pool in self.route.pools {
            let Some(pool) = self.board.pools.get(usize::from(*pool)) else {
                continue;
            };
            let wanted = self.wanted(not, (pool, take_turn(pool)));
            for _ in 0..ROUNDS_MAX {
                let Some((candidate, seen)) = choose(pool, &wanted) else {
                    break;
                };
                // Somebody else may have taken a session of it since it was read; then another one
                // may be better.
                if candidate.vitals.counts.take_seen(seen, wanted.sessions)
                    && let Some(peer) = self.board.peers().get(candidate.position as usize)
                {
                    let permit = Permit::of(candidate.id, &candidate.vitals, wanted.sessions);
                    if !self.route.has_conference
                        && let Some(lease) = self.claim_peer(peer)
                    {
                        return Ok((peer, lease, Reason::Lease));
                    }
                    let reason = if self.request.tried.is_empty() {
                        Reason::Figures
                    } else {
                        Reason::Failover
                    };
                    return Ok((peer, permit, reason));
                }
            }
        }
        Err(self.why_none(not))
    }

    /// The session that is held at a peer for a call without a conference; of this number, where one was
    /// dialled.
    fn claim_peer(&self, peer: &Peer) -> Option<Permit> {
        let number = self.route.bridge.map(|(_, number)| number);
        match self.claims {
            Claims::Leases if self.has_claim() => {
                let leases = &self.balancer.leases;
                leases.claim_peer((peer.id, number), self.now)
            }
            Claims::Leases | Claims::Nothing => None,
        }
    }

    /// Whether a place may be held for this call. A call that has been somewhere has had its own, and takes
    /// nobody else's.
    fn has_claim(&self) -> bool {
        self.request.tried.is_empty()
    }

    /// The peer of a place that was held in a conference, if the call can go there.
    fn peer_of_lease(&self, permit: &Permit) -> Option<&'a Peer> {
        let peer = self.board.peer(permit.peer())?;
        let is_wanted = !self.request.tried.contains(&peer.id)
            && peer.vitals.health().is_well(self.now)
            && !peer.targets.is_empty();
        is_wanted.then_some(peer)
    }

    /// Whoever dials the alias of a peer must be one who could have dialled that of the conference; of
    /// all others the plan has said so already.
    fn check_zone(&self) -> Result<(), NoPlace> {
        let (Some(_), Some(rule)) = (self.route.bridge, self.route.rule) else {
            return Ok(());
        };
        if rule.serves(self.request.zone) {
            Ok(())
        } else {
            Err(NoPlace::CallerNotAllowed)
        }
    }

    /// A session of the peer whose alias was dialled, for a conference that is not known here: another
    /// member handed it out, or it is over.
    fn take_on(&self, position: usize) -> Decided<'a> {
        let peer = self.bridge(position)?;
        // What is held for it counts as taken already.
        if let Some(lease) = self.claim_peer(peer) {
            return Ok((peer, lease, Reason::Lease));
        }
        // Nobody here decided this: then whoever calls must be one who could have begun a conference.
        self.board.plan.may_begin(self.request.zone)?;
        let sessions = self.sessions(peer);
        let counts = &peer.vitals.counts;
        if !counts.take_if(sessions, |seen| self.has_room(peer, seen)) {
            return Err(NoPlace::NoCapacity);
        }
        let permit = Permit::of(peer.id, &peer.vitals, sessions);
        Ok((peer, permit, Reason::Figures))
    }

    /// The peer whose alias was dialled, if it can take a call.
    fn look_on_bridge(&self, position: usize) -> Result<&'a Peer, NoPlace> {
        let peer = self.bridge(position)?;
        self.board.plan.may_begin(self.request.zone)?;
        if self.has_room(peer, peer.vitals.counts.seen()) {
            Ok(peer)
        } else {
            Err(NoPlace::NoCapacity)
        }
    }

    /// The peer whose alias was dialled, if it is in service.
    fn bridge(&self, position: usize) -> Result<&'a Peer, NoPlace> {
        let peer = self.board.peers().get(position);
        let peer = peer.ok_or(NoPlace::AliasUnknown)?;
        if self.request.tried.contains(&peer.id) {
            return Err(NoPlace::Exhausted);
        }
        let health = peer.vitals.health();
        // Who was sent there by a policy answer comes although it drains.
        let is_wanted = health.operator != Operator::Maint;
        if !is_wanted || !health.is_well(self.now) || peer.targets.is_empty() {
            return Err(NoPlace::PeersDown);
        }
        Ok(peer)
    }

    /// The conference's peer, or a new one where the conference is to be set up.
    fn join(&self, name: &str) -> Decided<'a> {
        let held = match self.claims {
            Claims::Leases if self.has_claim() => {
                self.balancer.leases.claim_conference(name, self.now)
            }
            Claims::Leases | Claims::Nothing => None,
        };
        let mut lost = None;
        if let Some(permit) = held {
            match self.peer_of_lease(&permit) {
                Some(peer) => return Ok((peer, permit, Reason::Lease)),
                None => lost = Some(permit),
            }
        } else if self.has_claim() {
            self.check_zone()?;
        }
        let joined = self.join_or_open(name);
        // The place of a peer that is lost kept its conference from being over until it had moved.
        drop(lost);
        joined
    }

    fn join_or_open(&self, name: &str) -> Decided<'a> {
        let directory = &self.balancer.directory;
        let rule = self.route.rule;
        let seats_max = rule.map_or(u32::MAX, |rule| rule.participants_max);
        for _ in 0..ROUNDS_MAX {
            let Some(seating) = directory.find(name) else {
                if rule.is_some_and(|rule| !rule.may_create) {
                    return Err(NoPlace::NotStarted);
                }
                let (peer, permit, reason) = self.choose(None)?;
                // Somebody else may have opened it since; then that is where it is.
                if let Some(seat) =
                    directory.open(&self.opening(name), (peer.id, &peer.vitals), None)
                {
                    return Ok((peer, permit.with_seat(seat), reason));
                }
                continue;
            };
            // Who must go elsewhere anyhow is not kept out by those who sit here.
            self.count_if_nowhere(seating.peer);
            match self.judge(seating.peer, seating.is_settled()) {
                Judged::Move(may_replace) => {
                    let (peer, permit, reason) = self.choose(Some(seating.peer))?;
                    let instead = Some((&seating, may_replace));
                    if let Some(seat) =
                        directory.open(&self.opening(name), (peer.id, &peer.vitals), instead)
                    {
                        return Ok((peer, permit.with_seat(seat), reason));
                    }
                }
                Judged::No(why) => return Err(why),
                Judged::Yes(peer) => match Seat::take(seating, seats_max) {
                    Ok(seat) => return self.follow(peer, seat),
                    Err(NoSeat::Full) => return Err(NoPlace::ConferenceFull),
                    Err(NoSeat::Over) => {}
                },
            }
        }
        Err(NoPlace::NoCapacity)
    }

    /// A call wants to go to its conference, on a peer whose name leads nowhere.
    fn count_if_nowhere(&self, peer: PeerId) {
        if let Some(peer) = self.board.peer(peer)
            && peer.targets.is_empty()
        {
            peer.vitals.count_failover(Cause::Dns);
        }
    }

    fn opening<'n>(&self, name: &'n str) -> Opening<'n> {
        let rule = self.route.rule.map(|rule| Arc::clone(&rule.name));
        Opening { name, rule }
    }

    /// Sends the call where its conference is, if there is room.
    fn follow(&self, peer: &'a Peer, seat: Seat) -> Decided<'a> {
        let sessions = self.sessions(peer);
        let counts = &peer.vitals.counts;
        if !counts.take_if(sessions, |seen| self.has_room(peer, seen)) {
            return Err(NoPlace::NoCapacity);
        }
        let permit = Permit::of(peer.id, &peer.vitals, sessions);
        Ok((peer, permit.with_seat(seat), Reason::Conference))
    }

    /// Whether a call can follow its conference to this peer, as far as the peer's state goes.
    fn judge(&self, peer: PeerId, settled: bool) -> Judged<'a> {
        let tried = self.request.tried.contains(&peer);
        let Some(peer) = self.board.peer(peer) else {
            return Judged::Move(|_| true);
        };
        let health = peer.vitals.health();
        match health.state {
            // Whoever is in a conference of a dead peer has lost it; the next caller begins anew, also
            // while it has only begun to answer again.
            State::Checking | State::Failed => return Judged::Move(|_| true),
            State::Active | State::Paused => {}
        }
        let is_well = health.is_well(self.now) && !peer.targets.is_empty();
        let serves = match health.operator {
            Operator::Ready => is_well,
            Operator::Drain => is_well && settled,
            Operator::Maint => false,
        };
        match (settled, tried, serves) {
            (_, false, true) => Judged::Yes(peer),
            (false, true, _) | (false, false, false) => {
                Judged::Move(|seating| !seating.is_settled())
            }
            (true, true, _) => Judged::No(NoPlace::Exhausted),
            // People sit there: a second conference of the same name would part them.
            (true, false, false) => Judged::No(NoPlace::NoCapacity),
        }
    }

    fn has_room(&self, peer: &Peer, seen: Seen) -> bool {
        let limit = peer.settings.existing_limit.min(peer.settings.sessions_max);
        let used = peer.vitals.used(seen);
        used.saturating_add(self.sessions(peer)) <= peer.vitals.limit(limit)
    }

    /// What the call takes of this peer.
    fn sessions(&self, peer: &Peer) -> u32 {
        let pool = self.board.pool_of(peer);
        pool.map_or(1, |pool| pool.sessions(self.request.is_audio_only))
    }

    /// Notes with the permit why it is of this peer.
    fn note(&self, peer: &Peer, permit: &mut Permit, reason: Reason) {
        if let Some(pool) = self.board.pool_of(peer) {
            let decided = grounds::Decided {
                reason,
                peer: peer.id,
                rule: self.route.rule.map(|rule| rule.position),
                pool: (peer.pool, pool),
                wanted: &self.wanted(None, (pool, 0)),
            };
            permit.note(Grounds::of(&decided, self.board));
        }
    }

    /// Where the call would go; takes nothing.
    fn look(&self) -> Result<&'a Peer, NoPlace> {
        let name = match (self.conference(), self.route.bridge) {
            (Some(name), _) => name,
            (None, Some((position, _))) => return self.look_on_bridge(position),
            (None, None) => return self.look_in_pools(None),
        };
        self.check_zone()?;
        let rule = self.route.rule;
        let Some(running) = self.balancer.directory.find(name) else {
            return match rule {
                Some(rule) if !rule.may_create => Err(NoPlace::NotStarted),
                Some(_) | None => self.look_in_pools(None),
            };
        };
        match self.judge(running.peer, running.is_settled()) {
            Judged::Move(_) => self.look_in_pools(Some(running.peer)),
            Judged::No(why) => Err(why),
            Judged::Yes(_) if rule.is_some_and(|rule| running.seats() >= rule.participants_max) => {
                Err(NoPlace::ConferenceFull)
            }
            Judged::Yes(peer) if self.has_room(peer, peer.vitals.counts.seen()) => Ok(peer),
            Judged::Yes(_) => Err(NoPlace::NoCapacity),
        }
    }

    fn look_in_pools(&self, not: Option<PeerId>) -> Result<&'a Peer, NoPlace> {
        let pools = self.route.pools.iter();
        pools
            .filter_map(|pool| self.board.pools.get(usize::from(*pool)))
            .find_map(|pool| {
                let wanted = self.wanted(not, (pool, next_turn(pool)));
                let (candidate, _) = choose(pool, &wanted)?;
                self.board.peers().get(candidate.position as usize)
            })
            .ok_or_else(|| self.why_none(not))
    }

    fn wanted(&self, not: Option<PeerId>, (pool, turn): (&Pool, u32)) -> Wanted<'_> {
        Wanted {
            rules: &self.board.rules,
            now: self.now,
            tried: self.request.tried,
            not,
            sessions: pool.sessions(self.request.is_audio_only),
            tags: self.route.tags,
            turn,
        }
    }

    /// Why no candidate would do.
    fn why_none(&self, not: Option<PeerId>) -> NoPlace {
        let pools = self.route.pools.iter();
        let pools = pools.filter_map(|pool| self.board.pools.get(usize::from(*pool)));
        let candidates = pools.flat_map(|pool| {
            let candidates = pool.candidates.iter();
            candidates.map(move |candidate| (pool, candidate))
        });
        let is_full = |(pool, candidate): (&Pool, &Candidate)| {
            match fitness(candidate, &self.wanted(not, (pool, 0))) {
                // It was full when it was asked.
                Fitness::Full | Fitness::Fits(..) => !self.board.is_nowhere(candidate),
                Fitness::Tried | Fitness::Unwell | Fitness::Untagged => false,
            }
        };
        if candidates.clone().any(is_full) {
            NoPlace::NoCapacity
        } else if !self.request.tried.is_empty() {
            NoPlace::Exhausted
        } else if candidates.count() == 0 {
            NoPlace::NoCapacity
        } else {
            NoPlace::PeersDown
        }
    }
}

/// Whether a call can follow its conference.
enum Judged<'a> {
    Yes(&'a Peer),
    No(NoPlace),
    /// The conference must be set up elsewhere, if its seating still may be replaced.
    Move(MayReplace),
}

#[cfg(test)]
mod tests;
