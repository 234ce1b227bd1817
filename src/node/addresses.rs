//! Which addresses of peers failed lately: a peer with several is asked first at one that did not.

use super::Worker;
use balancer::{PeerId, Target};
use signaling::{Attempt, Outcome, Trouble};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long an address that failed comes after the others.
const REST: Duration = Duration::from_secs(30);
/// At most so many are remembered; the oldest is forgotten first.
const FAILED_MAX: usize = 256;

/// The failed addresses of one worker.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    failed: Vec<(PeerId, SocketAddr, Instant)>,
}

impl Addresses {
    /// Where to begin: at the first address that did not fail lately, else at the first.
    pub(super) fn start(&self, now: Instant, peer: PeerId, targets: &[Target]) -> usize {
        if self.failed.is_empty() || targets.len() < 2 {
            return 0;
        }
        let is_well = |target: &Target| !self.has_failed(now, peer, target.remote);
        targets.iter().position(is_well).unwrap_or(0)
    }

    /// This address failed.
    pub(super) fn fails(&mut self, now: Instant, peer: PeerId, address: SocketAddr) {
        self.answers(peer, address);
        self.failed.retain(|(_, _, until)| *until > now);
        if self.failed.len() >= FAILED_MAX {
            self.failed.remove(0);
        }
        self.failed.push((peer, address, now + REST));
    }

    /// This address answers.
    pub(super) fn answers(&mut self, peer: PeerId, address: SocketAddr) {
        if !self.failed.is_empty() {
            let is_it =
                |known: &(PeerId, SocketAddr, Instant)| (known.0, known.1) == (peer, address);
            self.failed.retain(|known| !is_it(known));
        }
    }

    fn has_failed(&self, now: Instant, peer: PeerId, address: SocketAddr) -> bool {
        let mut failed = self.failed.iter();
        failed.any(|(other, at, until)| (*other, *at) == (peer, address) && *until > now)
    }
}

impl Worker {
    /// Notes how an address did. Whether it is the address alone that failed, and the peer has others to
    /// try: then nothing is known of the peer.
    pub(super) fn is_of_address(
        &mut self,
        now: Instant,
        (attempt, peer): (Attempt, PeerId),
        outcome: Outcome,
    ) -> bool {
        let Some((address, has_others)) = self.permits.address(attempt) else {
            return false;
        };
        match outcome {
            // The call goes on, and nothing is known of the address.
            Outcome::Unreachable(Trouble::Local) => {
                if has_others {
                    self.permits.leave_address(attempt);
                }
                has_others
            }
            Outcome::Silent | Outcome::Unreachable(_) => {
                self.addresses.fails(now, peer, address);
                if has_others {
                    self.permits.leave_address(attempt);
                }
                has_others
            }
            Outcome::Accepted | Outcome::Answered { .. } => {
                self.addresses.answers(peer, address);
                self.permits.stay(attempt);
                false
            }
            Outcome::Over => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use balancer::Transport;

    #[test]
    fn an_address_that_failed_comes_later_for_a_time() {
        let now = Instant::now();
        let peer = PeerId::of_number(1);
        let target = |port| Target {
            transport: Transport::Udp,
            remote: SocketAddr::from(([192, 0, 2, 9], port)),
        };
        let targets = [target(1), target(2)];
        let mut addresses = Addresses::default();
        assert_eq!(addresses.start(now, peer, &targets), 0);
        addresses.fails(now, peer, targets[0].remote);
        assert_eq!(addresses.start(now, peer, &targets), 1);
        assert_eq!(addresses.start(now, PeerId::of_number(2), &targets), 0);
        addresses.fails(now, peer, targets[1].remote);
        assert_eq!(addresses.start(now, peer, &targets), 0);
        addresses.answers(peer, targets[1].remote);
        assert_eq!(addresses.start(now, peer, &targets), 1);
        assert_eq!(addresses.start(now + REST, peer, &targets), 0);
    }
}
