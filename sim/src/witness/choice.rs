//! Which peer a call goes to: one in service, of the first pool with room, with the most sessions available; and never one
//! that the node knows to have failed.

use super::Witness;
use super::meetings::Seat;
use crate::finding::Fault;
use crate::place::Place;
use crate::scenario::{Order, PeerPlan};
use balancer::{Operator, PeerState};
use std::time::Duration;

impl Witness {
    /// How each peer is, as the node knows it, before anything happens in the step that begins.
    pub(crate) fn foresee(
        &mut self,
        now: Duration,
        peers: Vec<(PeerState, u32)>,
    ) -> Result<(), Fault> {
        for (number, (state, _)) in (0u8..).zip(&peers) {
            let peer = Place::Peer(number);
            if *state != PeerState::Active {
                self.wavered.insert(peer);
            }
            // One that is watched after it failed is no better (docs/balancing.md).
            // Of one that the operator works on, nobody can see whether it failed as well.
            let may_have_failed = *state == PeerState::Maintenance && self.troubled.contains(&peer);
            if matches!(state, PeerState::Failed | PeerState::Checking) || may_have_failed {
                self.failed_last.insert(peer, now);
            }
        }
        self.before = peers;
        self.check_meetings(now)
    }

    /// The operator wants something of a peer.
    pub(crate) fn order(&mut self, order: &Order) {
        let peer = Place::Peer(u8::try_from(order.peer).unwrap_or(u8::MAX));
        self.operators.insert(peer, order.operator);
    }

    /// What the operator wants of a peer.
    pub(super) fn operator(&self, peer: Place) -> Operator {
        self.operators.get(&peer).copied().unwrap_or_default()
    }

    /// Whether a peer was in service when the step began.
    pub(super) fn is_active(&self, peer: Place) -> bool {
        self.before_of(peer)
            .is_some_and(|(state, _)| state == PeerState::Active)
    }

    /// Whether a peer was Failed when the step began.
    pub(super) fn is_failed(&self, peer: Place) -> bool {
        self.before_of(peer)
            .is_some_and(|(state, _)| state == PeerState::Failed)
    }

    fn before_of(&self, peer: Place) -> Option<(PeerState, u32)> {
        let Place::Peer(number) = peer else {
            return None;
        };
        self.before.get(usize::from(number)).copied()
    }

    /// A call is about to be sent to this peer.
    pub(super) fn check_choice(&self, now: Duration, number: u64, to: Place) -> Result<(), String> {
        let (state, _) = self.before_of(to).ok_or("no such peer")?;
        match state {
            PeerState::Active => {}
            PeerState::Draining
                if self.sits_at(now, number, to) || self.maybe_at(now, number).contains(&to) => {}
            PeerState::Checking
            | PeerState::Draining
            | PeerState::Failed
            | PeerState::Maintenance
            | PeerState::Paused => return Err(format!("a new call, and the peer is {state:?}")),
        }
        if self.operator(to) == Operator::Maint {
            return Err("a new call, and the operator works on the peer".into());
        }
        let is_first = (self.calls.get(&number)).is_none_or(|call| call.peer.is_none());
        if !is_first || self.check_company(now, number, to)? {
            return Ok(());
        }
        let seat = self.calls.get(&number).and_then(|call| call.seat);
        if seat.is_some_and(|seat: Seat| !seat.may_begin) {
            return Err("the call may not begin a conference".into());
        }
        self.check_best(to)
    }

    /// Of the peers that were always in service, none would have been a better choice.
    fn check_best(&self, to: Place) -> Result<(), String> {
        let (Some(chosen), Some((_, used))) = (self.plan_of(to), self.before_of(to)) else {
            return Err("no such peer".into());
        };
        if !has_room(chosen, used) {
            return Err(format!("a new call where {used} sessions are in use"));
        }
        for (number, plan) in (0u8..).zip(&self.peers) {
            let other = Place::Peer(number);
            let Some((state, in_use)) = self.before_of(other) else {
                continue;
            };
            let is_well = state == PeerState::Active && !self.wavered.contains(&other);
            if other == to || !is_well || !has_room(plan, in_use) {
                continue;
            }
            if plan.pool < chosen.pool {
                return Err(format!("{other}, of an earlier pool, has room"));
            }
            let available = plan.sessions_max.saturating_sub(in_use);
            if plan.pool == chosen.pool && available > chosen.sessions_max.saturating_sub(used) {
                return Err(format!("{other} has more sessions available, {available}"));
            }
        }
        Ok(())
    }

    fn plan_of(&self, peer: Place) -> Option<&PeerPlan> {
        let Place::Peer(number) = peer else {
            return None;
        };
        self.peers.get(usize::from(number))
    }

    /// Whether this peer could not take a call that shares nothing with another one.
    pub(super) fn is_closed(&self, peer: Place, used: u32) -> bool {
        let has_room = self.plan_of(peer).is_some_and(|plan| has_room(plan, used));
        !has_room || self.troubled.contains(&peer) || self.operator(peer) != Operator::Ready
    }

    /// Whether a call that is refused for want of room may have found its conference's peer full or closed.
    pub(super) fn is_shut_out(&self, now: Duration, number: u64, sessions: &[[u32; 2]]) -> bool {
        let at = self.maybe_at(now, number);
        let is_shut = at.iter().any(|peer| {
            let used = match peer {
                Place::Peer(number) => sessions.get(usize::from(*number)),
                Place::Caller(_) | Place::Node | Place::Stranger => None,
            };
            let is_full = used.is_none_or(|[used, most]| used >= most);
            is_full || self.troubled.contains(peer) || self.operator(*peer) != Operator::Ready
        });
        is_shut || self.may_be_too_early(number)
    }
}

fn has_room(plan: &PeerPlan, used: u32) -> bool {
    used < plan.new_limit.min(plan.sessions_max)
}
