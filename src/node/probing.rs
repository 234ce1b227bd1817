//! Probes of peers: which address is asked, and over which transport.
//!
//! One probe of a peer with several addresses is a round: one address after another, until one answers. Only when all
//! were asked and none did is the probe a bad one, however many there are and however rarely they are asked.

use super::Worker;
use super::health;
use super::worker::transport;
use balancer::{Board, PeerId, Target};
use signaling::{Outcome, Probe, Transport, Trouble};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What the worker that probes knows of the peers that it asks.
#[derive(Debug, Default)]
pub(super) struct Probing {
    /// Of peers with several addresses.
    rounds: BTreeMap<PeerId, Round>,
    /// How peers are asked that are reached as their callers came.
    ways: BTreeMap<PeerId, Transport>,
}

/// One probe that goes from address to address.
#[derive(Debug)]
struct Round {
    /// The address that is asked.
    at: SocketAddr,
    /// Those that come after it.
    others: VecDeque<Target>,
    timeout: Duration,
    /// When its answer is overdue.
    until: Instant,
}

impl Probing {
    /// A call reached this peer so.
    pub(super) fn reached(&mut self, peer: PeerId, way: Transport) {
        if self.ways.get(&peer) != Some(&way) {
            self.ways.insert(peer, way);
        }
    }

    /// Forgets peers that are not on the board any more.
    pub(super) fn forget_gone(&mut self, board: &Board) {
        self.rounds.retain(|peer, _| board.peer(*peer).is_some());
        self.ways.retain(|peer, _| board.peer(*peer).is_some());
    }
}

impl Worker {
    /// Probes the peers whose time has come.
    pub(super) fn probe(&mut self, now: Instant) {
        while let Some(probe) = self.balancer.poll_probe(now) {
            let round = self.probing.rounds.get(&probe.peer);
            // An answer that is not overdue is waited for.
            if round.is_some_and(|round| now < round.until) {
                continue;
            }
            self.probing.rounds.remove(&probe.peer);
            let start = self.addresses.start(now, probe.peer, &probe.targets);
            let count = probe.targets.len();
            let in_order = probe.targets.iter().cycle().skip(start).take(count);
            let others = in_order.copied().collect();
            self.ask_next_address(now, probe.peer, (others, probe.timeout));
        }
    }

    /// Asks a peer at the first of these addresses.
    fn ask_next_address(
        &mut self,
        now: Instant,
        peer: PeerId,
        (mut targets, timeout): (VecDeque<Target>, Duration),
    ) {
        let is_round = targets.len() > 1 || self.probing.rounds.contains_key(&peer);
        let Some(target) = targets.pop_front() else {
            return;
        };
        if is_round {
            let round = Round {
                at: target.remote,
                others: targets,
                timeout,
                until: now + timeout,
            };
            self.probing.rounds.insert(peer, round);
        }
        let way = || self.probing.ways.get(&peer).copied();
        let transport = transport(target.transport)
            .or_else(way)
            .unwrap_or_else(|| self.next_way(None, &target.remote));
        if target.transport == balancer::Transport::Same {
            self.probing.reached(peer, transport);
        }
        let probe = Probe {
            peer: peer.number(),
            transport,
            remote: target.remote,
            connect_patience: self.connect_patience(peer),
            patience: timeout,
        };
        self.core.handle_probe(now, probe);
    }

    fn connect_patience(&self, peer: PeerId) -> Duration {
        let board = self.balancer.board();
        let failover = board.peer(peer).map(|peer| board.failover_of(peer));
        failover.unwrap_or_default().connect_timeout
    }

    /// What came of a probe.
    pub(super) fn probed(&mut self, now: Instant, peer: PeerId, outcome: Outcome) {
        if self.has_other_addresses(now, peer, outcome) {
            return;
        }
        for report in health::of_probe(outcome).into_iter().flatten() {
            self.report(now, peer, report);
        }
        // Nobody said which transport it is; the next probe tries another.
        if outcome.is_loss()
            && let Some(way) = self.probing.ways.get(&peer).copied()
            && let Some(known) = self.balancer.board().peer(peer)
            && let Some(target) = known.targets.first()
        {
            let next = self.next_way(Some(way), &target.remote);
            self.probing.reached(peer, next);
        }
    }

    /// Notes how the address that was probed did. Whether there are others, so that nothing is said of the peer: the next
    /// one is asked.
    fn has_other_addresses(&mut self, now: Instant, peer: PeerId, outcome: Outcome) -> bool {
        let Some(round) = self.probing.rounds.get_mut(&peer) else {
            return false;
        };
        match outcome {
            // Nothing was asked.
            Outcome::Unreachable(Trouble::Local) => {
                self.probing.rounds.remove(&peer);
                false
            }
            Outcome::Silent | Outcome::Unreachable(_) => {
                let others = std::mem::take(&mut round.others);
                let (at, timeout) = (round.at, round.timeout);
                self.addresses.fails(now, peer, at);
                let has_others = !others.is_empty();
                if has_others && self.probes && self.balancer.probes(peer) {
                    self.ask_next_address(now, peer, (others, timeout));
                } else {
                    self.probing.rounds.remove(&peer);
                }
                has_others
            }
            Outcome::Accepted | Outcome::Answered { .. } | Outcome::Over => {
                self.addresses.answers(peer, round.at);
                self.probing.rounds.remove(&peer);
                false
            }
        }
    }

    /// The transport to try after this one, of those that we have a listener for.
    fn next_way(&self, last: Option<Transport>, remote: &SocketAddr) -> Transport {
        const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];
        let start = ALL.iter().position(|transport| Some(*transport) == last);
        let from_next = ALL.into_iter().cycle().skip(start.map_or(0, |at| at + 1));
        let reaches = |transport: &Transport| {
            self.core
                .settings()
                .listener_for(*transport, remote)
                .is_some()
        };
        from_next
            .take(ALL.len())
            .find(reaches)
            .unwrap_or(Transport::Udp)
    }
}
