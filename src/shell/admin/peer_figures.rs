//! The part of `/metrics` that is about peers and conferences.

use crate::observe::exposition::Page;
use crate::observe::metrics as names;
use crate::shell::view::View;
use balancer::{Operator, PeerFigures, PeerState};
use std::time::Instant;

/// Writes it.
pub(super) fn write(page: &mut Page, view: &View) {
    let peers = view.balancer.figures(Instant::now());
    let mut family = page.family(&names::PEER_UP);
    for peer in &peers {
        family.sample(&[&peer.name], u8::from(is_up(peer.state)));
    }
    let mut family = page.family(&names::PEER_STATE);
    for peer in &peers {
        for state in PeerState::ALL {
            let is = u8::from(peer.state == state);
            family.sample(&[&peer.name, state.as_str()], is);
        }
    }
    let mut family = page.family(&names::PEER_OPERATOR);
    for peer in &peers {
        for operator in [Operator::Drain, Operator::Maint, Operator::Ready] {
            let is = u8::from(peer.operator == operator);
            family.sample(&[&peer.name, operator.as_str()], is);
        }
    }
    sessions(page, &peers);
    let mut family = page.family(&names::PEER_SELECTED);
    for peer in &peers {
        for (reason, count) in &peer.chosen {
            family.sample(&[&peer.name, reason.as_str()], count);
        }
    }
    let mut family = page.family(&names::FAILOVERS);
    for peer in &peers {
        for (cause, count) in &peer.failovers {
            family.sample(&[&peer.name, cause.as_str()], count);
        }
    }
    let conferences = view.balancer.conference_count();
    page.family(&names::CONFERENCES).sample(&[], conferences);
    let leases = view.balancer.lease_count();
    page.family(&names::LEASES).sample(&[], leases);
    let give_ups = view.balancer.pattern_give_ups();
    page.family(&names::PATTERN_GIVE_UPS).sample(&[], give_ups);
}

fn sessions(page: &mut Page, peers: &[PeerFigures]) {
    let mut family = page.family(&names::PEER_SESSIONS);
    for peer in peers {
        family.sample(&[&peer.name], peer.in_use);
    }
    let mut family = page.family(&names::PEER_SESSIONS_ELSEWHERE);
    for peer in peers {
        family.sample(&[&peer.name], peer.elsewhere);
    }
    let mut family = page.family(&names::PEER_SESSIONS_RESERVED);
    for peer in peers {
        family.sample(&[&peer.name], peer.reserved);
    }
    let mut family = page.family(&names::PEER_SESSION_LIMIT);
    for peer in peers {
        if let Some(limit) = peer.limit {
            family.sample(&[&peer.name], limit);
        }
    }
    let mut family = page.family(&names::PEER_LOAD_AGE);
    for peer in peers {
        if let Some((_, age)) = peer.reported {
            family.sample(&[&peer.name], age.as_secs_f64());
        }
    }
    let mut family = page.family(&names::SESSION_DRIFT);
    for peer in peers {
        family.sample(&[&peer.name], peer.drift);
    }
}

/// Whether a peer is in service, drained or not.
fn is_up(state: PeerState) -> bool {
    match state {
        PeerState::Active | PeerState::Draining | PeerState::Paused => true,
        PeerState::Checking | PeerState::Failed | PeerState::Maintenance => false,
    }
}
