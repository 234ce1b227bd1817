//! The one decision.

use crate::board::{Board, Peer, Transport};
use crate::choose::most_available;
use crate::sessions::Permit;
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where calls go; shared by all workers.
#[derive(Debug)]
pub struct Balancer {
    board: ArcSwap<Board>,
    /// Counts decisions, so that ties rotate.
    turn: AtomicUsize,
}

/// A decision for one call.
#[derive(Debug)]
pub struct Placement {
    /// How the peer is reached.
    pub transport: Transport,
    /// Where it is.
    pub remote: SocketAddr,
    /// The session taken for the call.
    pub permit: Permit,
}

/// Why there is no peer for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// All are full, or there are none.
    #[error("no peer has a session available")]
    NoCapacity,
}

impl Balancer {
    /// A balancer over this board.
    #[must_use]
    pub fn new(board: Board) -> Self {
        Self {
            board: ArcSwap::from_pointee(board),
            turn: AtomicUsize::new(0),
        }
    }

    /// The board as it is now.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        self.board.load_full()
    }

    /// Chooses a peer and takes one of its sessions.
    ///
    /// # Errors
    /// No peer has a session left.
    pub fn place(&self) -> Result<Placement, NoPlace> {
        let board = self.board.load();
        // Relaxed: any order of turns is fair.
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        loop {
            let peer = most_available(board.peers(), turn).ok_or(NoPlace::NoCapacity)?;
            // Another worker may have taken the last session in between; then somebody else has the
            // most.
            if let Some(permit) = peer.sessions.take() {
                return Ok(placement(peer, permit));
            }
        }
    }
}

fn placement(peer: &Peer, permit: Permit) -> Placement {
    Placement {
        transport: peer.settings.transport,
        remote: peer.settings.remote,
        permit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::PeerSettings;

    fn peer(name: &str, port: u16, sessions_max: u32) -> PeerSettings {
        PeerSettings {
            name: name.into(),
            transport: Transport::Udp,
            remote: SocketAddr::from(([127, 0, 0, 1], port)),
            sessions_max,
        }
    }

    #[test]
    fn the_most_available_wins_and_ties_rotate() {
        let balancer = Balancer::new(Board::new(vec![
            peer("a", 1, 10),
            peer("b", 2, 12),
            peer("c", 3, 10),
        ]));
        let placed: Vec<Placement> = (0..32).map(|_| balancer.place().expect("room")).collect();
        assert_eq!(placed.first().map(|p| p.remote.port()), Some(2));
        assert_eq!(balancer.place().err(), Some(NoPlace::NoCapacity));
        drop(placed);
        assert!(
            balancer
                .board()
                .peers()
                .iter()
                .all(|peer| peer.sessions.in_use() == 0)
        );
    }

    #[test]
    fn equal_peers_differ_by_one_at_most_whatever_the_threads() {
        let balancer = Arc::new(Balancer::new(Board::new(
            (1..=7).map(|n| peer("p", n, 1_000_000)).collect(),
        )));
        #[expect(clippy::disallowed_methods, reason = "the test is about threads")]
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let balancer = Arc::clone(&balancer);
                std::thread::spawn(move || {
                    (0..5_000)
                        .map(|_| balancer.place().expect("room"))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let held: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect();
        let uses: Vec<u32> = balancer
            .board()
            .peers()
            .iter()
            .map(|peer| peer.sessions.in_use())
            .collect();
        let spread = uses.iter().max().expect("peers") - uses.iter().min().expect("peers");
        // Each of four threads may be one decision behind what it read.
        assert!(spread <= 4, "{uses:?}");
        assert_eq!(held.iter().map(Vec::len).sum::<usize>(), 20_000);
    }
}
