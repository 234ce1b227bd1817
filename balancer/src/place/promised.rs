//! Decisions about calls that were decided for others before, or will be.

use super::{Claims, Decision, Placement, Request};
use crate::balancer::Balancer;
use crate::board::{Board, PeerId};
use crate::plan::{Name, Route};
use crate::vitals::Reason;

impl Balancer {
    /// The place that a lease holds for a call to an alias of a peer: for a node that takes no others.
    #[must_use]
    pub fn place_promised(&self, request: &Request<'_>) -> Option<Placement> {
        let board = self.board_now();
        let (asked, mut name) = ((request.alias, request.zone), None);
        let route = self.route(&board, asked, &mut name).ok()?;
        let (position, _) = route.bridge?;
        let decision = Decision {
            claims: Claims::Leases,
            ..self.decision(&board, &route, (name.as_ref(), request))
        };
        let (peer, permit) = match decision.conference() {
            Some(name) => {
                let permit = self.leases.claim_conference(name, decision.now)?;
                (decision.peer_of_lease(&permit)?, permit)
            }
            None => {
                let peer = decision.bridge(position).ok()?;
                (peer, decision.claim_peer(peer)?)
            }
        };
        Some(decision.placement((peer, permit, Reason::Lease)))
    }

    /// The best peer that is not this one.
    pub(crate) fn look_beside(
        &self,
        board: &Board,
        route: &Route<'_>,
        named: (Option<&Name>, &Request<'_>),
        peer: PeerId,
    ) -> Option<PeerId> {
        let other = self.decision(board, route, named).look_in_pools(Some(peer));
        other.ok().map(|peer| peer.id)
    }
}
