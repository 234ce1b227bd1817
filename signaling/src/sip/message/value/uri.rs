//! URIs: `sip:` and `sips:` in full, `tel:` in part (RFC 3261 §19.1, RFC 3966).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ValueFault;
use super::params::Params;
use super::percent;
use crate::sip::message::scan::{self, ALPHA, Cursor, DIGIT, HOST, IPV6};

/// What kind of URI it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Any other scheme; only its name is read.
    Other,
}

/// A URI in its parts, escapes not undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The scheme by name.
    pub scheme: Scheme,
    /// The scheme as it was sent, without the colon.
    pub scheme_text: &'a [u8],
    /// The user without the password; of a `tel:` URI the number.
    pub user: Option<&'a [u8]>,
    /// The password.
    pub password: Option<&'a [u8]>,
    /// The host, an IPv6 address with its brackets; empty for `tel:` and unknown schemes.
    pub host: &'a [u8],
    /// The port, if there is one.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
    /// What follows the `?`.
    pub headers: &'a [u8],
    /// The whole URI.
    pub text: &'a [u8],
}

impl<'a> Uri<'a> {
    /// Reads a URI without brackets and white space round it.
    ///
    /// # Errors
    /// [`ValueFault::Character`] for white space, brackets, quotes and control characters,
    /// [`ValueFault::Scheme`] without a scheme, and of a `sip:` or `sips:` URI
    /// [`ValueFault::Empty`] for an empty user, [`ValueFault::Host`], [`ValueFault::Port`] and
    /// [`ValueFault::Trailing`]. Parameters are not looked into.
    pub fn parse(text: &'a [u8]) -> Result<Self, ValueFault> {
        if !scan::is_uri_text(text) {
            return Err(ValueFault::Character);
        }
        let mut cursor = Cursor::new(text);
        let scheme_text = cursor.take(SCHEME);
        if !cursor.eat(b':')
            || !scheme_text
                .first()
                .is_some_and(|first| scan::is(*first, ALPHA))
        {
            return Err(ValueFault::Scheme);
        }
        let mut uri = Self {
            scheme: Scheme::from_bytes(scheme_text),
            scheme_text,
            user: None,
            password: None,
            host: &[],
            port: None,
            params: Params::default(),
            headers: &[],
            text,
        };
        match uri.scheme {
            Scheme::Sip | Scheme::Sips => uri.read_sip(cursor)?,
            Scheme::Tel => uri.read_tel(cursor)?,
            Scheme::Other => {}
        }
        Ok(uri)
    }

    /// The first parameter of this name: `None` if there is none, `Some(None)` if it has no value.
    /// Names are compared without regard to case, and with `%HH` read as what it stands for.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<&'a [u8]>> {
        let mut params = self.params.iter();
        params
            .find(|param| percent::eq_ignore_case(param.name, name))
            .map(|param| param.value)
    }

    /// The value of the transport parameter.
    #[must_use]
    pub fn transport(&self) -> Option<&'a [u8]> {
        self.param("transport").flatten()
    }

    /// Whether the parameter `lr` is there (RFC 3261 §19.1.1).
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.param("lr").is_some()
    }

    /// The host, if it is an address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        ip(self.host)
    }

    fn read_sip(&mut self, mut cursor: Cursor<'a>) -> Result<(), ValueFault> {
        // The user may hold `;`, `?` and `/`, so the `@` is looked for first.
        if let Some(at) = scan::find(cursor.rest, b'@') {
            let userinfo = cursor.cut(at);
            cursor.cut(1);
            let colon = scan::find(userinfo, b':').unwrap_or(userinfo.len());
            let (user, password) = userinfo.split_at_checked(colon).unwrap_or_default();
            if user.is_empty() {
                return Err(ValueFault::Empty);
            }
            self.user = Some(user);
            self.password = password.get(1..);
        }
        self.host = take_host(&mut cursor)?;
        if cursor.eat(b':') {
            self.port = Some(scan::port(cursor.take(DIGIT)).ok_or(ValueFault::Port)?);
        }
        let (params, headers) = split_headers(cursor.rest);
        if params.first().is_some_and(|first| *first != b';') {
            return Err(ValueFault::Trailing);
        }
        // Two `@` are read differently by different elements, so they are refused.
        if scan::find(cursor.rest, b'@').is_some() {
            return Err(ValueFault::Character);
        }
        self.params = Params::of_uri(params);
        self.headers = headers;
        Ok(())
    }

    fn read_tel(&mut self, mut cursor: Cursor<'a>) -> Result<(), ValueFault> {
        let end = scan::find(cursor.rest, b';').unwrap_or(cursor.rest.len());
        let number = cursor.cut(end);
        if number.is_empty() {
            return Err(ValueFault::Empty);
        }
        self.user = Some(number);
        self.params = Params::of_uri(cursor.rest);
        Ok(())
    }
}

/// Letters, digits, `+`, `-` and `.`, and what else a token may hold: the first letter decides.
const SCHEME: u8 = scan::TOKEN;

impl Scheme {
    fn from_bytes(text: &[u8]) -> Self {
        if text.eq_ignore_ascii_case(b"sip") {
            Self::Sip
        } else if text.eq_ignore_ascii_case(b"sips") {
            Self::Sips
        } else if text.eq_ignore_ascii_case(b"tel") {
            Self::Tel
        } else {
            Self::Other
        }
    }
}

/// Takes a host name, an IPv4 address or an IPv6 address in brackets.
///
/// The inside of the brackets is not judged beyond its characters: RFC 5118 §4.10 asks to accept
/// what an old grammar made of it. [`Uri::ip`] is `None` for such a one.
pub(super) fn take_host<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], ValueFault> {
    if cursor.rest.first() != Some(&b'[') {
        let host = cursor.take(HOST);
        return if host.is_empty() {
            Err(ValueFault::Host)
        } else {
            Ok(host)
        };
    }
    let end = scan::find(cursor.rest, b']').ok_or(ValueFault::Host)?;
    let host = cursor.cut(end.saturating_add(1));
    let inside = host.get(1..end).unwrap_or_default();
    if scan::all(inside, IPV6) {
        Ok(host)
    } else {
        Err(ValueFault::Host)
    }
}

/// An address, an IPv6 address with or without brackets.
pub(super) fn ip(host: &[u8]) -> Option<IpAddr> {
    let inside = host
        .strip_prefix(b"[")
        .and_then(|rest| rest.strip_suffix(b"]"));
    let text = std::str::from_utf8(inside.unwrap_or(host)).ok()?;
    if inside.is_none()
        && let Ok(address) = text.parse::<Ipv4Addr>()
    {
        return Some(IpAddr::V4(address));
    }
    text.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

fn split_headers(text: &[u8]) -> (&[u8], &[u8]) {
    match scan::find(text, b'?').and_then(|at| text.split_at_checked(at)) {
        Some((params, headers)) => (params, headers.get(1..).unwrap_or_default()),
        None => (text, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sip_uri_comes_apart() {
        let uri = Uri::parse(b"sip:a;x=1:p:w@b.example:5070;LR;transport=Tcp;k=1:2?Subject=z&a=b")
            .unwrap();
        assert_eq!(uri.scheme, Scheme::Sip);
        assert_eq!(uri.user, Some(&b"a;x=1"[..]));
        assert_eq!(uri.password, Some(&b"p:w"[..]));
        assert_eq!(uri.host, b"b.example");
        assert_eq!(uri.port, Some(5070));
        assert_eq!(uri.param("k"), Some(Some(&b"1:2"[..])));
        assert_eq!(uri.transport(), Some(&b"Tcp"[..]));
        assert!(uri.is_loose_router());
        assert_eq!(uri.headers, b"Subject=z&a=b");
        assert_eq!(uri.ip(), None);
    }

    #[test]
    fn an_ipv6_address_keeps_its_brackets() {
        let uri = Uri::parse(b"sips:[2001:db8::10:5070]").unwrap();
        assert_eq!((uri.host, uri.port), (&b"[2001:db8::10:5070]"[..], None));
        assert_eq!(uri.ip(), Some("2001:db8::10:5070".parse().unwrap()));
        let uri = Uri::parse(b"sip:u@[2001:db8::10]:5070").unwrap();
        assert_eq!(uri.port, Some(5070));
        let uri = Uri::parse(b"sip:u@[2001:db8:::192.0.2.1]").unwrap();
        assert_eq!(uri.ip(), None);
        assert_eq!(
            Uri::parse(b"SIP:u@192.0.2.1").unwrap().ip(),
            Some("192.0.2.1".parse().unwrap())
        );
    }

    #[test]
    fn other_schemes_are_read_as_far_as_known() {
        let uri = Uri::parse(b"tel:+1-201-555-0123;phone-context=example.com").unwrap();
        assert_eq!(
            (uri.scheme, uri.user),
            (Scheme::Tel, Some(&b"+1-201-555-0123"[..]))
        );
        assert_eq!(uri.param("phone-context"), Some(Some(&b"example.com"[..])));
        let uri = Uri::parse(b"soap.beep://192.0.2.103:3002").unwrap();
        assert_eq!(
            (uri.scheme, uri.scheme_text),
            (Scheme::Other, &b"soap.beep"[..])
        );
    }

    #[test]
    fn a_malformed_uri_is_refused() {
        for (text, fault) in [
            ("", ValueFault::Scheme),
            ("a@b", ValueFault::Scheme),
            (":a@b", ValueFault::Scheme),
            ("1sip:a@b", ValueFault::Scheme),
            ("sip:", ValueFault::Host),
            ("sip:@b", ValueFault::Empty),
            ("sip:a@", ValueFault::Host),
            ("sip:a@b@c", ValueFault::Trailing),
            ("sip:a@b;x@c", ValueFault::Character),
            ("sip:2001:db8::10", ValueFault::Port),
            ("sip:[2001:db8::10", ValueFault::Host),
            ("sip:[]", ValueFault::Host),
            ("sip:[::1]x", ValueFault::Trailing),
            ("sip:b:", ValueFault::Port),
            ("sip:b:65536", ValueFault::Port),
            ("sip:b:50a", ValueFault::Trailing),
            ("<sip:b>", ValueFault::Character),
            ("sip:b ;lr", ValueFault::Character),
            ("sip:b\r\n ;lr", ValueFault::Character),
            ("sip:b/x", ValueFault::Trailing),
            ("tel:", ValueFault::Empty),
        ] {
            assert_eq!(Uri::parse(text.as_bytes()), Err(fault), "{text}");
        }
    }
}
