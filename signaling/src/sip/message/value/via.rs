//! Via: the way a request came and its response goes back (RFC 3261 §20.42, RFC 3581).

use std::net::IpAddr;

use super::ValueFault;
use super::params::{Param, Params};
use super::uri::{ip, take_host};
use crate::sip::message::scan::{self, Cursor, DIGIT, LWS, TOKEN};

/// One value of Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// The transport as it was sent.
    pub transport: &'a [u8],
    /// The host, an IPv6 address with its brackets.
    pub host: &'a [u8],
    /// The port, if there is one.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
}

/// The first value of a list of Vias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct FirstVia<'a> {
    pub(in super::super) text: &'a [u8],
    pub(in super::super) branch: Option<&'a [u8]>,
}

impl<'a> Via<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// [`ValueFault::Trailing`] if more follows, else as the grammar is broken.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueFault> {
        let mut cursor = Cursor::new(value);
        let via = Self::take(&mut cursor, |_| {})?;
        cursor.lws();
        if cursor.rest.is_empty() {
            Ok(via)
        } else {
            Err(ValueFault::Trailing)
        }
    }

    /// Reads the first value of a list, for what every message is asked for.
    #[inline]
    pub(in super::super) fn parse_first(value: &'a [u8]) -> Result<FirstVia<'a>, ValueFault> {
        let mut cursor = Cursor::new(value);
        let mut branch = None;
        Self::take(&mut cursor, |param| {
            if branch.is_none() && param.is("branch") {
                // The first one counts, even without a value.
                branch = Some(param.value);
            }
        })?;
        let length = value.len().saturating_sub(cursor.rest.len());
        cursor.lws();
        if cursor.rest.first().is_some_and(|next| *next != b',') {
            return Err(ValueFault::Trailing);
        }
        let branch = branch.flatten().filter(|branch| !branch.is_empty());
        Ok(FirstVia {
            text: scan::trim(value.get(..length).unwrap_or_default()),
            branch,
        })
    }

    #[inline]
    fn take(cursor: &mut Cursor<'a>, see: impl FnMut(Param<'a>)) -> Result<Self, ValueFault> {
        cursor.lws();
        if let Some(rest) = cursor.rest.strip_prefix(b"SIP/2.0/") {
            cursor.rest = rest;
        } else {
            take_protocol(cursor)?;
        }
        cursor.lws();
        let transport = cursor.take(TOKEN);
        if transport.is_empty() {
            return Err(ValueFault::Empty);
        }
        if cursor.take(LWS).is_empty() {
            return Err(ValueFault::Character);
        }
        let host = take_host(cursor)?;
        let mut after = *cursor;
        after.lws();
        let mut port = None;
        if after.eat(b':') {
            after.lws();
            port = Some(scan::port(after.take(DIGIT)).ok_or(ValueFault::Port)?);
            *cursor = after;
        }
        let params = Params::take(cursor, see)?;
        Ok(Self {
            transport,
            host,
            port,
            params,
        })
    }

    /// The branch, if there is one with a value.
    #[must_use]
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params
            .get("branch")
            .flatten()
            .filter(|branch| !branch.is_empty())
    }

    /// Where the request really came from (RFC 3261 §18.2.1); with or without brackets
    /// (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        self.params.get("received").flatten().and_then(ip)
    }

    /// The port the request really came from: `Some(None)` is the wish to be told (RFC 3581 §3).
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params
            .get("rport")
            .map(|value| value.and_then(scan::port))
    }

    /// The multicast address, or whatever a peer puts there.
    #[must_use]
    pub fn maddr(&self) -> Option<&'a [u8]> {
        self.params.get("maddr").flatten()
    }

    /// The time to live of a multicast request.
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        let ttl = self.params.get("ttl").flatten()?;
        scan::number(ttl).and_then(|ttl| u8::try_from(ttl).ok())
    }

    /// The host, if it is an address.
    #[must_use]
    pub fn host_ip(&self) -> Option<IpAddr> {
        ip(self.host)
    }
}

/// Takes `SIP/2.0/` in the ways it is seldom written: RFC 3261 §25.1, SLASH, has white space on both
/// sides, and the name has no case.
fn take_protocol(cursor: &mut Cursor<'_>) -> Result<(), ValueFault> {
    let name = cursor.take(TOKEN);
    cursor.lws();
    let has_name = name.eq_ignore_ascii_case(b"SIP") && cursor.eat(b'/');
    cursor.lws();
    let version = cursor.take(TOKEN);
    cursor.lws();
    if has_name && version == b"2.0" && cursor.eat(b'/') {
        Ok(())
    } else {
        Err(ValueFault::Character)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_via_comes_apart() {
        let via = Via::parse(
            b"SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa;rport;received=192.0.2.9;ttl=16",
        )
        .unwrap();
        assert_eq!(
            (via.transport, via.host, via.port),
            (&b"UDP"[..], &b"192.0.2.1"[..], Some(5070))
        );
        assert_eq!(via.branch(), Some(&b"z9hG4bKa"[..]));
        assert_eq!(via.rport(), Some(None));
        assert_eq!(via.received(), Some("192.0.2.9".parse().unwrap()));
        assert_eq!(via.host_ip(), Some("192.0.2.1".parse().unwrap()));
        assert_eq!((via.ttl(), via.maddr()), (Some(16), None));
    }

    #[test]
    fn white_space_may_stand_where_the_grammar_lets_it() {
        let via = Via::parse(b"sip / 2.0 /\r\n TLS   [2001:db8::1] : 5061 ; branch = z ; rport=17")
            .unwrap();
        assert_eq!(
            (via.transport, via.host, via.port),
            (&b"TLS"[..], &b"[2001:db8::1]"[..], Some(5061))
        );
        assert_eq!(
            (via.branch(), via.rport()),
            (Some(&b"z"[..]), Some(Some(17)))
        );
    }

    #[test]
    fn received_may_have_brackets() {
        for text in [
            "SIP/2.0/UDP a;received=2001:db8::9:255",
            "SIP/2.0/UDP a;received=[2001:db8::9:255]",
        ] {
            let via = Via::parse(text.as_bytes()).unwrap();
            assert_eq!(
                via.received(),
                Some("2001:db8::9:255".parse().unwrap()),
                "{text}"
            );
        }
    }

    #[test]
    fn the_first_of_a_list_is_cut_out() {
        let list = b"SIP/2.0/UDP a;x=\",\";branch=1 , SIP/2.0/UDP b;branch=2";
        let first = Via::parse_first(list).unwrap();
        assert_eq!(first.text, b"SIP/2.0/UDP a;x=\",\";branch=1");
        assert_eq!(first.branch, Some(&b"1"[..]));
        let twice = b"SIP/2.0/UDP a;branch;branch=1";
        assert_eq!(Via::parse_first(twice).unwrap().branch, None);
        assert_eq!(Via::parse(twice).unwrap().branch(), None);
        assert_eq!(
            Via::parse(b"SIP/2.0/UDP a, SIP/2.0/UDP b"),
            Err(ValueFault::Trailing)
        );
    }

    #[test]
    fn what_is_no_via_is_refused() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0 a",
            "SIP/3.0/UDP a",
            "HTTP/2.0/UDP a",
            "SIP/2.0/UDPa",
            "SIP/2.0/UDP a:",
            "SIP/2.0/UDP a:x",
            "SIP/2.0/UDP a:99999",
            "SIP/2.0/UDP 2001:db8::1",
            "SIP/2.0/UDP a;;branch=1",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP ;branch=1",
            "SIP//UDP a",
        ] {
            assert!(Via::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
