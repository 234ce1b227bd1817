//! One board for all that one decision asks: what another thread changes meanwhile makes no mix.

use crate::balancer::Balancer;
use crate::board::{Board, PeerId};
use crate::explain::Explanation;
use crate::leases::Leased;
use crate::place::{NoPlace, Request};
use crate::plan::without_scheme;
use arc_swap::Guard;
use std::sync::Arc;
use std::time::Duration;

/// The board as it was at one moment, and whom to ask on it. To be kept for one decision.
#[derive(Debug)]
pub struct Snapshot<'b> {
    balancer: &'b Balancer,
    board: Guard<Arc<Board>>,
}

impl Balancer {
    /// The board as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            balancer: self,
            board: self.board_now(),
        }
    }

    /// [`Snapshot::is_on_peer`], now.
    #[must_use]
    pub fn is_on_peer(&self, alias: &str) -> bool {
        self.snapshot().is_on_peer(alias)
    }

    /// [`Snapshot::write_alias`], now.
    pub fn write_alias(&self, peer: PeerId, number: u32, out: &mut String) -> bool {
        self.snapshot().write_alias(peer, number, out)
    }

    /// [`Snapshot::running`], now.
    ///
    /// # Errors
    /// No call could be sent there.
    pub fn running(&self, request: &Request<'_>) -> Result<Option<(PeerId, u32)>, NoPlace> {
        self.snapshot().running(request)
    }

    /// [`Snapshot::lease`], now.
    ///
    /// # Errors
    /// Why there is no peer.
    pub fn lease(
        &self,
        request: &Request<'_>,
        serial: &str,
        time: Duration,
    ) -> Result<Leased, NoPlace> {
        self.snapshot().lease(request, serial, time)
    }
}

impl Snapshot<'_> {
    /// Which configuration it was made from.
    #[must_use]
    pub fn configuration(&self) -> u64 {
        self.board.configuration
    }

    /// Whether this is, by its form, an alias of a conference on one of the peers.
    #[must_use]
    pub fn is_on_peer(&self, alias: &str) -> bool {
        self.board.plan.bridge(without_scheme(alias)).is_some()
    }

    /// Writes the alias of a conference on a peer; `false` where its conferences have none.
    pub fn write_alias(&self, peer: PeerId, number: u32, out: &mut String) -> bool {
        let peer = self.board.peer(peer);
        let alias = peer.and_then(|peer| peer.settings.alias.as_ref());
        if let Some(alias) = alias {
            alias.write(number, out);
        }
        alias.is_some()
    }

    /// The name of a peer.
    #[must_use]
    pub fn peer_name(&self, peer: PeerId) -> Option<&str> {
        let peer = self.board.peer(peer)?;
        Some(&peer.settings.name)
    }

    /// Where a call would go now, and why. Takes nothing, counts nothing.
    #[must_use]
    pub fn explain(&self, request: &Request<'_>) -> Explanation {
        self.balancer.explain_on(&self.board, request)
    }

    /// Where the conference of an alias is, and its number, for whoever asks without calling; `None`
    /// where it is not running and a call could begin it.
    ///
    /// # Errors
    /// No call could be sent there.
    pub fn running(&self, request: &Request<'_>) -> Result<Option<(PeerId, u32)>, NoPlace> {
        self.balancer.running_on(&self.board, request)
    }

    /// Decides for somebody else, whose call will come later or not at all. What is taken is held
    /// for `time` (TRUNK.md: 30 to 60 s). The same serial again gets the same answer, and nothing
    /// more is taken, as long as a call could be sent there.
    ///
    /// # Errors
    /// Why there is no peer.
    pub fn lease(
        &self,
        request: &Request<'_>,
        serial: &str,
        time: Duration,
    ) -> Result<Leased, NoPlace> {
        self.balancer.lease_on(&self.board, request, (serial, time))
    }
}
