//! When peers are to be probed. The probes themselves are sent by others; one worker asks.

use crate::balancer::Balancer;
use crate::board::{Board, Peer, PeerId};
use crate::health::{Event, Health, Rules, State};
use crate::moment::mix;
use crate::settings::{Operator, Target};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A peer that is to be probed now.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The peer.
    pub peer: PeerId,
    /// Its addresses, the first one first; never empty.
    pub targets: Arc<[Target]>,
    /// How long the answer may take before it counts as none.
    pub timeout: Duration,
}

impl Balancer {
    /// When the next probe is due; none where no peer is probed.
    #[must_use]
    pub fn poll_probe_timeout(&self) -> Option<Instant> {
        let board = self.board_now();
        let due = board.peers().iter().filter(|peer| is_probed(&board, peer));
        // Relaxed, here and below: a time to come back at; who probes is agreed on by the exchange.
        let due = due.map(|peer| peer.vitals.probe_due.load(Ordering::Relaxed));
        self.instant(due.min()?)
    }

    /// A peer whose probe is due, until there is none. The next one of the same peer is scheduled.
    pub fn poll_probe(&self, now: Instant) -> Option<Probe> {
        let board = self.board_now();
        let now = self.millis(now);
        for peer in board.peers().iter().filter(|peer| is_probed(&board, peer)) {
            let due = peer.vitals.probe_due.load(Ordering::Relaxed);
            let interval = peer.vitals.health().probe_interval(&board.rules);
            let next = now + self.jittered(interval, peer.id, due);
            let exchange = |due| {
                let word = &peer.vitals.probe_due;
                word.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
            };
            if due <= now && exchange(due).is_ok() {
                return Some(Probe {
                    peer: peer.id,
                    targets: Arc::clone(&peer.targets),
                    timeout: board.probe_timeout,
                });
            }
        }
        None
    }

    /// Whether this peer is probed now: not one that the operator works on.
    #[must_use]
    pub fn probes(&self, peer: PeerId) -> bool {
        let board = self.board_now();
        board.peer(peer).is_some_and(|peer| is_probed(&board, peer))
    }

    /// A peer that fails is probed soon; one that goes on failing later and later.
    pub(crate) fn reschedule(
        &self,
        peer: &Peer,
        event: Event,
        (before, after): (Health, Health),
        now: u64,
        rules: &Rules,
    ) {
        let moved = before.state != after.state;
        let wanted = match (after.state, event) {
            (State::Failed, Event::ProbeBad) => true,
            (State::Failed | State::Checking, _) => moved,
            (State::Active | State::Paused, _) => false,
        };
        if wanted {
            let due = &peer.vitals.probe_due;
            let interval = after.probe_interval(rules);
            let next = now + self.jittered(interval, peer.id, due.load(Ordering::Relaxed));
            due.store(next, Ordering::Relaxed);
        }
    }

    /// Gives every peer without a time for its probe one within the first interval, so that they
    /// are not all probed at once.
    pub(crate) fn spread_probes(&self, now: u64) {
        let board = self.board_now();
        for peer in board.peers() {
            let due = &peer.vitals.probe_due;
            if due.load(Ordering::Relaxed) == 0 {
                let within =
                    mix(self.seed ^ u64::from(peer.id.0)) % board.rules.probe_interval.max(1);
                due.store(now + within.max(1), Ordering::Relaxed);
            }
        }
    }

    /// `interval` with up to 20 % on top or off.
    fn jittered(&self, interval: u64, peer: PeerId, salt: u64) -> u64 {
        let span = interval / 5;
        let lot = mix(self.seed ^ salt.rotate_left(32) ^ u64::from(peer.0));
        (interval - span + lot % (2 * span + 1)).max(1)
    }
}

fn is_probed(board: &Board, peer: &Peer) -> bool {
    board.rules.probe
        && !peer.targets.is_empty()
        && peer.vitals.health().operator != Operator::Maint
}
