//! One worker's hold on the board: a look at a number instead of a guard for each decision.

use crate::balancer::Balancer;
use crate::board::{Board, PeerId};
use crate::place::{Claims, NoPlace, Placement, Request};
use std::sync::Arc;

/// Decides on the newest board, which it keeps until there is a newer one.
#[derive(Debug)]
pub struct Reader {
    balancer: Arc<Balancer>,
    board: Arc<Board>,
    /// What [`Balancer::boards`] said before the board was fetched.
    boards: u64,
}

impl Reader {
    /// A reader of this balancer's boards.
    #[must_use]
    pub fn new(balancer: Arc<Balancer>) -> Self {
        let boards = balancer.boards();
        let board = balancer.board();
        Self {
            balancer,
            board,
            boards,
        }
    }

    /// [`Balancer::place`].
    ///
    /// # Errors
    /// Why there is no peer.
    pub fn place(&mut self, request: &Request<'_>) -> Result<Placement, NoPlace> {
        self.renew();
        self.balancer.place_on(&self.board, request, Claims::Leases)
    }

    /// [`Balancer::look`].
    ///
    /// # Errors
    /// Why nowhere.
    pub fn look(&mut self, request: &Request<'_>) -> Result<PeerId, NoPlace> {
        self.renew();
        self.balancer.look_on(&self.board, request)
    }

    fn renew(&mut self) {
        // The number first: a board that comes in between is fetched once more, not missed.
        let boards = self.balancer.boards();
        if boards != self.boards {
            self.boards = boards;
            self.board = self.balancer.board();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{PeerSettings, Settings, Target, Transport};
    use std::net::SocketAddr;
    use std::time::Instant;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test tells the time")]
    fn a_new_board_is_seen_at_once() {
        let now = Instant::now();
        let target = Target {
            transport: Transport::Udp,
            remote: SocketAddr::from(([127, 0, 0, 1], 5060)),
        };
        let settings = |name| Settings {
            peers: vec![PeerSettings::new(name, target, 1)],
            ..Settings::default()
        };
        let balancer = Arc::new(Balancer::new(&settings("a"), 1, now).expect("right"));
        let mut reader = Reader::new(Arc::clone(&balancer));
        let request = Request {
            alias: b"x",
            zone: "",
            tried: &[],
            is_audio_only: false,
            now,
        };
        let first = reader.look(&request).expect("room");
        balancer.reload(&settings("b"), now).expect("right");
        let second = reader.place(&request).expect("room");
        assert_ne!(second.peer, first);
        drop(second);
        balancer.set_targets(reader.look(&request).expect("room"), &[]);
        assert!(reader.look(&request).is_err());
    }
}
