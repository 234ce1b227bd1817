//! Checks between parts of the file that are each right by themselves.
//!
//! What could not be read (`None`) is noted already; checks that it might have satisfied are left
//! out, so that one slip makes one mistake.

use super::mistake::Findings;
use super::section::Root;
use super::{
    Listen, ListenTransport, Peer, PeerAt, PeerTransport, Placed, Policy, PolicyListen,
    PolicyScheme, Tls, peer,
};
use balancer::{BridgeAlias, POOL_OF_ALL, PoolSettings};
use signaling::sip::locate::{Destination, Service};
use std::net::SocketAddr;

/// A listener is named by one octet.
const LISTENERS_MAX: usize = 255;

/// There is a listener, and no two are the same.
pub(super) fn listens(
    root: &Root<'_>,
    listens: &[Option<Placed<Listen>>],
    findings: &mut Findings<'_>,
) {
    if listens.is_empty() {
        let message =
            "there is no listener; write `listen = [\"udp:127.0.0.1:5060\"]` under `[sip]`";
        findings.add_absent(root.at("sip"), message);
    }
    if let Some(Some(placed)) = listens.get(LISTENERS_MAX) {
        let message = format!(
            "there are {} listeners; at most {LISTENERS_MAX} fit",
            listens.len()
        );
        findings.add(placed.at, message);
    }
    let mut earlier: Vec<&Listen> = Vec::new();
    for placed in listens.iter().flatten() {
        let listen = &placed.value;
        let same = |other: &&Listen| {
            other.transport == listen.transport && other.address == listen.address
        };
        // Port 0 is a new port each time.
        if listen.address.port() != 0 && earlier.iter().any(same) {
            findings.add(
                placed.at,
                format!("`{listen}` is listened on already; take one of the two out"),
            );
        }
        earlier.push(listen);
    }
}

/// There is a peer, no two are the same, and each can be called from some listener.
pub(super) fn peers(
    root: &Root<'_>,
    peers: &[Option<Placed<Peer>>],
    listens: &[Option<Placed<Listen>>],
    findings: &mut Findings<'_>,
) {
    if peers.is_empty() {
        let message = format!(
            "there is no peer; add `[[peer]]` with `name = \"bridge-1\"`, `at = \"{}\"` and \
             `sessions_max = 100`",
            peer::EXAMPLE
        );
        findings.add_absent(root.at("peer"), message);
    }
    let mut earlier: Vec<&Peer> = Vec::new();
    for placed in peers.iter().flatten() {
        let peer = &placed.value;
        if earlier.iter().any(|other| other.name == peer.name) {
            let message = format!(
                "two peers are called `{}`; give each its own name",
                peer.name
            );
            findings.add(placed.at, message);
        }
        if let Some(other) = earlier.iter().find(|other| is_same_place(other, peer)) {
            let message = format!(
                "peers `{}` and `{}` are both at {}, so its sessions would count twice; take one \
                 of the two out",
                other.name, peer.name, peer.at
            );
            findings.add(placed.at, message);
        }
        earlier.push(peer);
        match &peer.at {
            PeerAt::Address { transport, address } => {
                reachable(placed, (*transport, *address), listens, findings);
            }
            PeerAt::Name(destination) | PeerAt::Set { destination, .. } => {
                spoken(placed, destination, listens, findings);
            }
        }
    }
}

fn is_same_place(one: &Peer, other: &Peer) -> bool {
    match (&one.at, &other.at) {
        (PeerAt::Address { address: one, .. }, PeerAt::Address { address: other, .. }) => {
            one == other
        }
        _ => {
            let names = (one.at.destination(), other.at.destination());
            names.0.is_some() && names.0 == names.1
        }
    }
}

/// No two pools are the same, and each has a peer.
pub(super) fn pools(
    pools: &[Option<Placed<PoolSettings>>],
    peers: &[Option<Placed<Peer>>],
    findings: &mut Findings<'_>,
) {
    let mut earlier: Vec<&str> = Vec::new();
    let members = peers
        .iter()
        .flatten()
        .map(|peer| &peer.value.balancing.pool);
    let is_named = |pool: &String| {
        let mut names = pools.iter().flatten().map(|placed| &placed.value.name);
        pool == POOL_OF_ALL || names.any(|name| name == pool)
    };
    // Who is in a pool that is not there was meant to be in one that is.
    let is_whole = peers.iter().all(Option::is_some) && members.clone().all(is_named);
    for placed in pools.iter().flatten() {
        let name = &placed.value.name;
        if earlier.contains(&name.as_str()) {
            let message = format!("two pools are called `{name}`; give each its own name");
            findings.add(placed.at, message);
        }
        earlier.push(name);
        if is_whole && !members.clone().any(|pool| pool == name) {
            let message =
                format!("no peer is in pool `{name}`; write `pool = \"{name}\"` at a `[[peer]]`");
            findings.add(placed.at, message);
        }
    }
}

/// A name needs a listener of a transport that it may be reached over; the rest is known only when
/// it is looked up.
fn spoken(
    placed: &Placed<Peer>,
    destination: &Destination,
    listens: &[Option<Placed<Listen>>],
    findings: &mut Findings<'_>,
) {
    let wanted = match (destination.service, destination.is_sips) {
        (_, true) => Some(Service::SipsD2t),
        (service, false) => service,
    };
    let Some(wanted) = wanted else { return };
    let speaks = |listen: &Listen| listen.transport.service() == wanted;
    let known = || listens.iter().flatten().map(|listen| &listen.value);
    if listens.is_empty() || listens.iter().any(Option::is_none) || known().any(speaks) {
        return;
    }
    let message = format!(
        "peer `{}` is called over {wanted}, and there is no such listener; add \
         `\"{wanted}:192.0.2.1:{}\"` (with an address of this host) to `listen`",
        placed.value.name,
        wanted.default_port(),
    );
    findings.add(placed.at, message);
}

/// A peer needs a listener of its transport and address family, and must not be Baton itself.
fn reachable(
    placed: &Placed<Peer>,
    (transport, address): (PeerTransport, SocketAddr),
    listens: &[Option<Placed<Listen>>],
    findings: &mut Findings<'_>,
) {
    let peer = &placed.value;
    let known = || listens.iter().flatten().map(|listen| &listen.value);
    let serves = |listen: &Listen| match transport {
        PeerTransport::Same => true,
        PeerTransport::Tcp => listen.transport == ListenTransport::Tcp,
        PeerTransport::Tls => listen.transport == ListenTransport::Tls,
        PeerTransport::Udp => listen.transport == ListenTransport::Udp,
    };
    if known().any(|listen| serves(listen) && listen.address == address) {
        let message = format!(
            "peer `{}` is at {}, where Baton itself listens: every call would come back; write \
             the peer's own address",
            peer.name, address
        );
        findings.add(placed.at, message);
    }
    let family = |v6: bool| if v6 { "IPv6" } else { "IPv4" };
    let fits = |listen: &Listen| serves(listen) && listen.address.is_ipv6() == address.is_ipv6();
    if listens.is_empty() || listens.iter().any(Option::is_none) || known().any(fits) {
        return;
    }
    let (transport, example) = match transport {
        PeerTransport::Same => ("", "udp"),
        PeerTransport::Tcp => ("tcp ", "tcp"),
        PeerTransport::Tls => ("tls ", "tls"),
        PeerTransport::Udp => ("udp ", "udp"),
    };
    let own = if address.is_ipv6() {
        "[2001:db8::1]"
    } else {
        "192.0.2.1"
    };
    let message = format!(
        "peer `{}` is called over {transport}{}, and there is no such listener; add \
         `\"{example}:{own}:5060\"` (with an address of this host) to `listen`",
        peer.name,
        family(address.is_ipv6()),
    );
    findings.add(placed.at, message);
}

/// Where calls are answered by the policy service, each peer has an alias of its own to send them to.
pub(super) fn policy(
    root: &Root<'_>,
    (policy, tls): (&Policy, &Tls),
    peers: &[Option<Placed<Peer>>],
    findings: &mut Findings<'_>,
) {
    bridge_aliases(peers, findings);
    if policy.listen.is_empty() {
        return;
    }
    let is_https = |listen: &PolicyListen| listen.scheme == PolicyScheme::Https;
    if policy.listen.iter().any(is_https) && tls.certificate.is_none() {
        let message = "`https` needs a certificate; write `certificate` and `key` under `[tls]`";
        findings.add(root.at("policy"), message);
    }
    for placed in peers.iter().flatten() {
        let peer = &placed.value;
        let message = match (&peer.at, &peer.balancing.alias) {
            (PeerAt::Set { .. }, None) => hosts_need_aliases(peer),
            (PeerAt::Address { .. } | PeerAt::Name(_), None) => format!(
                "`[policy]` sends calls to an alias on their peer; write `alias = \
                 \"6001{{number}}@bridges.example.com\"` for `{}`",
                peer.name
            ),
            (PeerAt::Address { .. } | PeerAt::Name(_) | PeerAt::Set { .. }, Some(_)) => continue,
        };
        findings.add(placed.at, message);
    }
}

fn hosts_need_aliases(peer: &Peer) -> String {
    format!(
        "each host of `{}` would need an alias of its own for `[policy]`; write a `[[peer]]` for each",
        peer.name
    )
}

/// No conference has the same alias on two peers.
fn bridge_aliases(peers: &[Option<Placed<Peer>>], findings: &mut Findings<'_>) {
    let mut earlier: Vec<(&Peer, &BridgeAlias)> = Vec::new();
    for placed in peers.iter().flatten() {
        let peer = &placed.value;
        let Some(alias) = &peer.balancing.alias else {
            continue;
        };
        if let PeerAt::Set { .. } = peer.at {
            findings.add(placed.at, hosts_need_aliases(peer));
            continue;
        }
        let other = earlier.iter().find(|(_, other)| other.meets(alias));
        match other {
            Some((other, same)) if *same == alias => {
                let message = format!(
                    "peers `{}` and `{}` both have the alias `{alias}`; give each its own prefix",
                    other.name, peer.name
                );
                findings.add(placed.at, message);
            }
            Some((other, same)) => {
                let message = format!(
                    "the alias `{alias}` of `{}` and the alias `{same}` of `{}` can be the same for \
                     two conferences, since one prefix begins with the other; give each its own, such \
                     as prefixes of one length",
                    peer.name, other.name
                );
                findings.add(placed.at, message);
            }
            None => earlier.push((peer, alias)),
        }
    }
}
