//! Transport addresses as people write them: `udp:192.0.2.1:5060`, `tls:[2001:db8::1]:5061`.

use super::suggest::{either, nearest};
use signaling::sip::locate::Service;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A transport that Baton listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListenTransport {
    /// Streams (RFC 3261 §18).
    Tcp,
    /// Streams under TLS (RFC 3261 §26.2.1).
    Tls,
    /// Datagrams (RFC 3261 §18).
    Udp,
}

/// The transport on which a peer is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerTransport {
    /// The transport that the caller used.
    Same,
    /// Streams, whatever the caller used.
    Tcp,
    /// Streams under TLS, whatever the caller used.
    Tls,
    /// Datagrams, whatever the caller used.
    Udp,
}

/// What may stand before the address of a listener.
pub(super) const LISTEN: [(&str, ListenTransport); 3] = [
    ("udp", ListenTransport::Udp),
    ("tcp", ListenTransport::Tcp),
    ("tls", ListenTransport::Tls),
];

/// What may stand before the address of a peer.
pub(super) const PEER: [(&str, PeerTransport); 4] = [
    ("udp", PeerTransport::Udp),
    ("tcp", PeerTransport::Tcp),
    ("tls", PeerTransport::Tls),
    ("same", PeerTransport::Same),
];

impl ListenTransport {
    /// What others can be offered over it.
    #[must_use]
    pub fn service(self) -> Service {
        match self {
            Self::Tcp => Service::SipD2t,
            Self::Tls => Service::SipsD2t,
            Self::Udp => Service::SipD2u,
        }
    }
}

impl fmt::Display for ListenTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Udp => "udp",
        })
    }
}

impl fmt::Display for PeerTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Udp => "udp",
        })
    }
}

/// Reads `transport:address:port`; the error says what is wrong and what to write instead.
pub(super) fn parse<T: Copy>(
    text: &str,
    transports: &[(&'static str, T)],
) -> Result<(T, SocketAddr), String> {
    let words = || transports.iter().map(|(word, _)| *word);
    let example = format!("{}:192.0.2.1:5060", words().next().unwrap_or_default());
    if text.parse::<SocketAddr>().is_ok() || text.parse::<IpAddr>().is_ok() {
        let words = either(words());
        return Err(format!(
            "`{text}` names no transport; put {words} before it: `{example}`"
        ));
    }
    let Some((word, address)) = text.split_once(':') else {
        return Err(format!(
            "`{text}` is no transport address; write it like `{example}`"
        ));
    };
    let Some((_, transport)) = transports.iter().find(|(known, _)| *known == word) else {
        return Err(match nearest(word, words()) {
            Some(near) => format!("unknown transport `{word}`; did you mean `{near}`?"),
            None => format!("unknown transport `{word}`; write {}", either(words())),
        });
    };
    match address.parse() {
        Ok(address) => Ok((*transport, address)),
        Err(_) => Err(refusal(word, address)),
    }
}

/// Checks `host` or `host:port` as it is to stand in Via and Contact (RFC 3261 §18.1.1, §8.1.1.8).
pub(super) fn check_advertise(text: &str) -> Result<(), String> {
    let wrong = |why: &str| {
        Err(format!(
            "`{text}` {why}; write what others reach, such as `192.0.2.1:5060`"
        ))
    };
    if let Ok(IpAddr::V6(_)) = text.parse() {
        return Err(format!(
            "an IPv6 address stands in brackets; write `[{text}]`"
        ));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    if port.is_some_and(|port| !is_port(port)) {
        return wrong("does not end in a port from 1 to 65535");
    }
    let literal = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = match literal {
        Some(inside) => match inside.parse() {
            Ok(address) => Some(IpAddr::V6(address)),
            Err(_) => return wrong("is no IPv6 address"),
        },
        None => host.parse().ok(),
    };
    match address {
        Some(address) if address.is_unspecified() => wrong("is a wildcard"),
        Some(_) => Ok(()),
        None if is_host_name(host) => Ok(()),
        None => wrong("is neither an address nor a host name"),
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port != 0)
}

/// RFC 3261 §25.1 `hostname`: labels of letters, digits and inner hyphens, the last one not
/// beginning with a digit.
pub(super) fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    let top = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253
        && name.split('.').all(is_label)
        && top.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// Why what follows the transport is no address, for the usual slips.
fn refusal(transport: &str, address: &str) -> String {
    let plain = address.trim_start_matches('/');
    if plain.len() < address.len() && plain.parse::<SocketAddr>().is_ok() {
        return format!("no slashes stand before the address; write `{transport}:{plain}`");
    }
    let inside = plain.trim_start_matches('[').trim_end_matches(']');
    match inside.parse::<IpAddr>() {
        Ok(IpAddr::V4(inside)) => {
            format!("`{address}` has no port; write `{transport}:{inside}:5060`")
        }
        Ok(IpAddr::V6(inside)) => format!(
            "`{address}` is not an IPv6 address in brackets with a port; write \
             `{transport}:[{inside}]:5060`"
        ),
        Err(_) => format!(
            "`{address}` is no IP address with a port (no name is looked up here); write it like \
             `{transport}:192.0.2.1:5060` or `{transport}:[2001:db8::1]:5060`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_right() {
        let udp = parse("udp:127.0.0.1:5060", &LISTEN).expect("good");
        assert_eq!(
            udp,
            (
                ListenTransport::Udp,
                "127.0.0.1:5060".parse().expect("good")
            )
        );
        let tcp = parse("tcp:[::1]:0", &LISTEN).expect("good");
        assert_eq!(
            tcp,
            (ListenTransport::Tcp, "[::1]:0".parse().expect("good"))
        );
        let same = parse("same:127.0.0.1:5180", &PEER).expect("good");
        assert_eq!(same.0, PeerTransport::Same);
    }

    #[test]
    fn says_what_to_write_instead() {
        for (text, part) in [
            (
                "127.0.0.1:5060",
                "names no transport; put `udp`, `tcp` or `tls` before it",
            ),
            ("::1", "names no transport"),
            ("5060", "is no transport address"),
            ("", "is no transport address"),
            (
                "sctp:127.0.0.1:5061",
                "unknown transport `sctp`; write `udp`, `tcp` or `tls`",
            ),
            ("UDP:127.0.0.1:5060", "did you mean `udp`?"),
            ("same:127.0.0.1:5060", "unknown transport `same`"),
            ("udp://127.0.0.1:5060", "write `udp:127.0.0.1:5060`"),
            ("udp:127.0.0.1", "has no port; write `udp:127.0.0.1:5060`"),
            ("tcp:::1", "write `tcp:[::1]:5060`"),
            ("tcp:[::1]", "write `tcp:[::1]:5060`"),
            ("udp:bridge.example.com:5060", "no name is looked up here"),
            ("udp:127.0.0.1:99999", "is no IP address with a port"),
        ] {
            let refusal = parse(text, &LISTEN).expect_err(text);
            assert!(refusal.contains(part), "{text}: {refusal}");
        }
    }

    #[test]
    fn advertised_hosts() {
        for good in [
            "192.0.2.1",
            "192.0.2.1:5060",
            "[2001:db8::1]",
            "[2001:db8::1]:5061",
            "baton.example.com",
            "baton.example.com.:5060",
            "node-1",
        ] {
            assert_eq!(check_advertise(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            ":5060",
            "0.0.0.0",
            "[::]:5060",
            "2001:db8::1",
            "[2001:db8::1",
            "a b",
            "-a.example",
            "192.0.2.1:0",
            "192.0.2.1:x",
            "192.0.2.1:+5",
            "192.0.2.300",
            "udp:192.0.2.1:5060",
            "[192.0.2.1]:5060",
            "a..example",
            "é.example",
        ] {
            assert!(check_advertise(bad).is_err(), "{bad}");
        }
    }
}
