//! Where the requests of a dialog go (RFC 3261 §12.2.1.1 and §8.1.2), and what a peer is called in
//! its Request-URI.

use crate::hop::{Hop, Transport};
use crate::settings::Settings;
use crate::sip::message::{NameAddr, Scheme, Uri, Values, Writer};
use crate::sip::transaction::head::write_ip;
use std::net::{IpAddr, SocketAddr};

/// A first route that is a strict router's, and the routes behind it.
#[derive(Clone, Copy)]
pub(crate) struct StrictRoute<'a> {
    pub(crate) uri: &'a [u8],
    pub(crate) rest: &'a [u8],
}

/// The first route, if it lacks `lr`.
pub(crate) fn strict_first_route(routes: &[u8]) -> Option<StrictRoute<'_>> {
    let first = first_route(routes)?;
    let name_addr = NameAddr::parse(first).ok()?;
    let uri = Uri::parse(name_addr.uri).ok()?;
    if uri.is_loose_router() {
        return None;
    }
    let rest = routes.get(first.len()..).unwrap_or(&[]);
    Some(StrictRoute {
        uri: name_addr.uri,
        rest: rest.strip_prefix(b", ").unwrap_or(rest),
    })
}

/// The hop for requests with this target and route set. `known` is how the other side was reached
/// or came.
///
/// Only literal addresses are followed: a name, or an address family without a listener, means the
/// hop that is known to work. A `transport` parameter decides; without one the dialog's own
/// transport stays, because many TCP user agents write Contacts without it (docs/decisions/0004).
pub(crate) fn next_hop(settings: &Settings, target: &[u8], routes: &[u8], known: Hop) -> Hop {
    let uri = first_route(routes)
        .and_then(|route| NameAddr::parse(route).ok())
        .map_or(target, |route| route.uri);
    let Ok(uri) = Uri::parse(uri) else {
        return known;
    };
    let Some(ip) = uri.ip() else { return known };
    // Behind a NAT somebody says where it is on its own side of that. Nobody is reached there from here, and the
    // way that it came by leads to it (RFC 5626 §1 tells of the same).
    if is_private(ip) && !is_private(known.remote.ip()) {
        return known;
    }
    let transport = transport_of(&uri).unwrap_or(known.transport);
    let port = uri.port.unwrap_or_else(|| transport.default_port());
    let remote = SocketAddr::new(ip, port);
    if transport == known.transport && remote.is_ipv4() == known.remote.is_ipv4() {
        // The connection leads to the host at its other end, and to no other.
        let connection = known
            .connection
            .filter(|_| remote.ip() == known.remote.ip());
        return Hop {
            remote,
            connection,
            ..known
        };
    }
    match settings.listener_for(transport, &remote) {
        Some(listener) => Hop {
            transport,
            listener,
            remote,
            connection: None,
            // The dialog is with whom it was, wherever that is.
            identity: known.identity,
        },
        None => known,
    }
}

/// Whether an address means something only in its own network (RFC 1918, RFC 6598, RFC 4193, RFC 3927).
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let is_shared = first == 100 && second & 0xc0 == 64;
            address.is_private() || address.is_link_local() || address.is_loopback() || is_shared
        }
        IpAddr::V6(address) => {
            let is_local = address.is_unique_local() || address.is_unicast_link_local();
            is_local || address.is_loopback()
        }
    }
}

/// Writes the Request-URI for a peer: the user and parameters as dialled, the peer's address as
/// host (docs/decisions/0004). A `tel:` URI stays as it is.
pub(crate) fn write_peer_uri(writer: &mut Writer<'_>, dialled: &[u8], hop: &Hop) {
    let Ok(uri) = Uri::parse(dialled) else {
        writer.put(dialled);
        return;
    };
    if uri.scheme == Scheme::Tel {
        writer.put(dialled);
        return;
    }
    writer.put(b"sip:");
    if let Some(user) = uri.user {
        writer.put(user);
        if let Some(password) = uri.password {
            writer.put(b":");
            writer.put(password);
        }
        writer.put(b"@");
    }
    write_address(writer, &hop.remote);
    for param in uri.params {
        // What the caller wrote to reach us does not hold for the peer.
        let ours = [&b"transport"[..], b"maddr", b"ttl", b"lr"];
        if !ours
            .iter()
            .any(|name| param.name.eq_ignore_ascii_case(name))
        {
            writer.put(b";");
            writer.put(param.name);
            if let Some(value) = param.value {
                writer.put(b"=");
                writer.put(value);
            }
        }
    }
    writer.put(hop.transport.uri_parameter().as_bytes());
}

pub(crate) fn write_address(writer: &mut Writer<'_>, address: &SocketAddr) {
    let v6 = address.is_ipv6();
    writer.put(if v6 { b"[" } else { b"" });
    write_ip(writer, address.ip());
    writer.put(if v6 { b"]:" } else { b":" });
    writer.number(u32::from(address.port()));
}

fn first_route(routes: &[u8]) -> Option<&[u8]> {
    Values::new(routes).next()
}

/// The transport that a URI asks for, if it does.
pub(crate) fn transport_of(uri: &Uri<'_>) -> Option<Transport> {
    // RFC 5630 §3.1.3: `transport=tcp` in a `sips:` URI means TLS over TCP.
    if uri.scheme == Scheme::Sips {
        return Some(Transport::Tls);
    }
    let name = uri.transport()?;
    [Transport::Tcp, Transport::Tls, Transport::Udp]
        .into_iter()
        .find(|transport| name.eq_ignore_ascii_case(transport.as_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_another_network_is_none_to_go_to() {
        for (address, is) in [
            ("10.1.2.3", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("169.254.1.1", true),
            ("172.31.0.1", true),
            ("172.32.0.1", false),
            ("::ffff:192.168.0.1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("192.0.2.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), is, "{address}");
        }
    }

    #[test]
    fn the_target_decides_on_the_transport() {
        for (target, transport) in [
            ("sip:a@192.0.2.9", None),
            ("sip:a@192.0.2.9;transport=TCP", Some(Transport::Tcp)),
            ("sip:a@192.0.2.9;transport=udp", Some(Transport::Udp)),
            ("sip:a@192.0.2.9;transport=tls", Some(Transport::Tls)),
            ("sips:a@192.0.2.9", Some(Transport::Tls)),
            ("sips:a@192.0.2.9:7;transport=tcp", Some(Transport::Tls)),
            ("sip:a@192.0.2.9;transport=sctp", None),
        ] {
            let uri = Uri::parse(target.as_bytes()).unwrap();
            assert_eq!(transport_of(&uri), transport, "{target}");
        }
    }
}
