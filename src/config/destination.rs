//! Names to be looked up, as people write them: `tls:bridge.example.com`, `tcp:bridge:5070`,
//! `sip:example.com`.

use super::suggest::{either, nearest};
use signaling::sip::locate::{Destination, Host, Name, Service};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// What may stand before a name: a transport, or a scheme that leaves it to the name service.
const WORDS: [(&str, Option<Service>, bool); 5] = [
    ("udp", Some(Service::SipD2u), false),
    ("tcp", Some(Service::SipD2t), false),
    ("tls", Some(Service::SipsD2t), false),
    ("sip", None, false),
    ("sips", None, true),
];

/// Reads `WORD:NAME` or `WORD:NAME:PORT`; the error says what is wrong and what to write instead.
///
/// # Errors
/// It is no such text, or it holds an address, which needs no looking up.
pub fn parse(text: &str) -> Result<Destination, String> {
    let words = || WORDS.iter().map(|(word, ..)| *word);
    let Some((word, rest)) = text.split_once(':') else {
        return Err(format!(
            "`{text}` names no transport; put {} before it: `sip:{text}`",
            either(words())
        ));
    };
    let Some((_, service, is_sips)) = WORDS.iter().find(|(known, ..)| *known == word) else {
        return Err(match nearest(word, words()) {
            Some(near) => format!("unknown transport `{word}`; did you mean `{near}`?"),
            None => format!("unknown transport `{word}`; write {}", either(words())),
        });
    };
    if is_address(rest) {
        return Err(format!("`{rest}` is an address, which is not looked up"));
    }
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(read_port(rest, port)?)),
        None => (rest, None),
    };
    let name = Name::new(host).ok_or_else(|| {
        format!("`{host}` is no host name; write it like `{word}:bridge.example.com`")
    })?;
    Ok(Destination {
        host: Host::Name(name),
        port,
        service: *service,
        is_sips: *is_sips,
    })
}

/// Whether a text is meant as a name, so that [`parse`] has the better words for what is wrong.
pub(super) fn is_name(text: &str) -> bool {
    let Some((word, rest)) = text.split_once(':') else {
        return false;
    };
    let host = rest.split(':').next().unwrap_or_default();
    word != "same" && !is_address(rest) && Name::new(host).is_some()
}

/// A destination as it is written in a configuration.
pub(super) struct Written<'a>(pub(super) &'a Destination);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meant = |word: &&(&str, Option<Service>, bool)| {
            word.1 == self.0.service && word.2 == self.0.is_sips
        };
        let word = WORDS.iter().find(meant).map_or("sip", |(word, ..)| word);
        match &self.0.host {
            Host::Address(address) => write!(f, "{word}:{address}")?,
            Host::Name(name) => write!(f, "{word}:{name}")?,
        }
        self.0.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<SocketAddr>().is_ok() || text.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

fn read_port(rest: &str, port: &str) -> Result<u16, String> {
    let digits = !port.is_empty() && port.bytes().all(|octet| octet.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or_else(|| format!("`{rest}` does not end in a port from 1 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_and_without_a_port() {
        let name = |text| Host::Name(Name::new(text).expect("a name"));
        for (text, host, port, service, is_sips) in [
            ("sip:example.com", "example.com", None, None, false),
            ("sips:example.com", "example.com", None, None, true),
            (
                "tls:Bridge.example.com.",
                "bridge.example.com",
                None,
                Some(Service::SipsD2t),
                false,
            ),
            (
                "tcp:bridge:5070",
                "bridge",
                Some(5070),
                Some(Service::SipD2t),
                false,
            ),
            ("udp:a.b:1", "a.b", Some(1), Some(Service::SipD2u), false),
        ] {
            let expected = Destination {
                host: name(host),
                port,
                service,
                is_sips,
            };
            let written = Written(&expected).to_string();
            assert_eq!(parse(&written), Ok(expected.clone()), "{written}");
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn says_what_to_write_instead() {
        for (text, part) in [
            (
                "example.com",
                "put `udp`, `tcp`, `tls`, `sip` or `sips` before it: `sip:example.com`",
            ),
            ("tlss:example.com", "did you mean `tls`?"),
            ("same:example.com", "unknown transport `same`"),
            ("sip:192.0.2.1", "is an address"),
            ("sip:[2001:db8::1]", "is an address"),
            ("sip:[2001:db8::1]:5060", "is an address"),
            (
                "sip:a..b",
                "`a..b` is no host name; write it like `sip:bridge.example.com`",
            ),
            ("sip:", "is no host name"),
            ("udp:a.b:0", "a port from 1 to 65535"),
            ("udp:a.b:", "a port from 1 to 65535"),
            ("udp:a.b:99999", "a port from 1 to 65535"),
        ] {
            let refusal = parse(text).expect_err(text);
            assert!(refusal.contains(part), "{text}: {refusal}");
        }
        assert!(is_name("tls:bridge.example.com:5061") && is_name("tpc:bridge"));
        for other in [
            "udp:192.0.2.1:5060",
            "udp:[::1]:5060",
            "udp:",
            "a",
            "same:a.b:5060",
        ] {
            assert!(!is_name(other), "{other}");
        }
    }
}
