//! From a placement to the core's choice: which address of the peer, and how many attempts.

use super::Worker;
use super::permits::Way;
use super::worker::{refusal, transport};
use balancer::{Failover, PeerId, Placement, Target};
use signaling::{Attempt, Choice, Refusal, Replaced, Statuses, Transport};
use std::sync::Arc;
use std::time::Instant;

impl Worker {
    /// Keeps the permit of a placement; what is left of it is the choice.
    pub(super) fn take(
        &mut self,
        now: Instant,
        attempt: Attempt,
        placement: Placement,
        same: Transport,
    ) -> Choice<'static> {
        // A peer sent the call to this one of its addresses.
        let question = self.core.question(attempt.call);
        let redirect = question.and_then(|question| question.redirect);
        let is_meant = |target: &Target| Some(target.remote) == redirect;
        let meant = placement.targets.iter().position(is_meant);
        let start = meant.unwrap_or_else(|| {
            let addresses = &self.addresses;
            addresses.start(now, placement.peer, &placement.targets)
        });
        let way = Way::new(placement.targets, start);
        let target = way
            .target()
            .expect("a peer without an address is not chosen");
        // Each address is an attempt, and no address takes that of another peer.
        let peers_tried = question.map_or(0, |question| question.tried.len());
        let others = usize::from(attempt.number).saturating_sub(peers_tried) + way.len() - 1;
        let choice = self.choice((placement.peer, placement.failover), target, same, others);
        let permit = placement.permit;
        let choice = Choice {
            awaits_confirmation: permit.is_unsettled(),
            ..choice
        };
        let chosen = (&*self.balancer, placement.peer);
        self.records.chose(attempt, chosen, || permit.conference());
        self.permits.hold(attempt, permit, way);
        choice
    }

    /// The next address of the peer whose last one did not answer. None where a peer sent the call elsewhere, or
    /// probes have found this one dead at all of them.
    pub(super) fn next_address(
        &mut self,
        attempt: Attempt,
        same: Transport,
    ) -> Option<Choice<'static>> {
        let question = self.core.question(attempt.call)?;
        let peers_before = question.tried.len().saturating_sub(1);
        let held = self.permits.leaving(attempt.call)?;
        let (target, tried) = held.way.next().filter(|_| question.redirect.is_none())?;
        let (peer, count) = (held.permit.peer(), held.way.len());
        if self.balancer.is_dead(peer) {
            return None;
        }
        // The last of those that were tried is this peer; before it came so many attempts.
        let before = usize::from(attempt.number).saturating_sub(tried);
        let others = before.saturating_sub(peers_before) + count - 1;
        let board = self.balancer.board();
        let failover = board.peer(peer);
        let failover = failover.map_or_else(Failover::default, |peer| board.failover_of(peer));
        let permit = &held.permit;
        let awaits_confirmation = permit.is_unsettled();
        let chosen = (&*self.balancer, peer);
        self.records.chose(attempt, chosen, || permit.conference());
        Some(Choice {
            awaits_confirmation,
            ..self.choice((peer, failover), target, same, others)
        })
    }

    fn choice(
        &mut self,
        (peer, failover): (PeerId, Failover),
        target: Target,
        same: Transport,
        others: usize,
    ) -> Choice<'static> {
        if target.transport == balancer::Transport::Same {
            self.probing.reached(peer, same);
        }
        let others = u8::try_from(others).unwrap_or(u8::MAX);
        Choice {
            peer: peer.number(),
            request_uri: None,
            transport: transport(target.transport).unwrap_or(same),
            remote: target.remote,
            connect_patience: failover.connect_timeout,
            patience: failover.first_response_timeout,
            attempts_max: failover.tries_max.saturating_add(others),
            next_on: Statuses::of_words(failover.next_on.words()),
            awaits_confirmation: false,
        }
    }

    /// The place beside the call that this one is to take the place of: at its peer, whatever was
    /// dialled.
    pub(super) fn take_place(
        &mut self,
        attempt: Attempt,
        replaced: Replaced,
    ) -> Result<Choice<'static>, Refusal> {
        let permit = self.permits.of(replaced.attempt);
        let permit = permit.ok_or(Refusal::NoPeerInService)?;
        let board = self.balancer.board();
        let peer = board.peer(permit.peer());
        let sessions_max = peer.map_or(u32::MAX, |peer| peer.settings.sessions_max);
        let failover = peer.map_or_else(Failover::default, |peer| board.failover_of(peer));
        let permit = permit.beside(sessions_max).map_err(refusal)?;
        let chosen = (&*self.balancer, permit.peer());
        self.records.chose(attempt, chosen, || permit.conference());
        let peer = permit.peer().number();
        let way = Way::new(Arc::default(), 0);
        self.permits.hold(attempt, permit, way);
        Ok(Choice {
            peer,
            request_uri: None,
            transport: replaced.hop.transport,
            remote: replaced.hop.remote,
            connect_patience: failover.connect_timeout,
            patience: failover.first_response_timeout,
            attempts_max: 1,
            next_on: Statuses::default(),
            awaits_confirmation: false,
        })
    }
}
