//! Credentials and challenges, Digest in particular (RFC 3261 §22, RFC 7616, RFC 8760).
//!
//! Only the form is read here; nothing is computed and nothing is believed.

use super::ValueFault;
use crate::sip::message::scan::{self, Cursor, LWS, TOKEN, VALUE_STOP};

/// The value of Authorization or Proxy-Authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// The scheme as it was sent.
    pub scheme: &'a [u8],
    /// What follows it.
    pub params: AuthParams<'a>,
}

/// The value of WWW-Authenticate or Proxy-Authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// The scheme as it was sent.
    pub scheme: &'a [u8],
    /// What follows it.
    pub params: AuthParams<'a>,
}

/// `name=value` with commas between; of a scheme other than Digest whatever stands there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuthParams<'a> {
    raw: &'a [u8],
}

impl<'a> Credentials<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// [`ValueFault::Empty`] without a scheme; for Digest [`ValueFault::Param`] for a malformed or
    /// repeated parameter and [`ValueFault::ParamMissing`] without username, realm, nonce, uri or
    /// response.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueFault> {
        let (scheme, params) = scheme_and_params(value)?;
        let credentials = Self { scheme, params };
        if credentials.is_digest() {
            params.check(&["username", "realm", "nonce", "uri", "response"])?;
        }
        Ok(credentials)
    }

    /// Whether the scheme is Digest.
    #[must_use]
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"Digest")
    }

    /// The user, between the quotes, escapes not undone.
    #[must_use]
    pub fn username(&self) -> &'a [u8] {
        self.params.get("username").unwrap_or_default()
    }

    /// The realm.
    #[must_use]
    pub fn realm(&self) -> &'a [u8] {
        self.params.get("realm").unwrap_or_default()
    }

    /// The nonce.
    #[must_use]
    pub fn nonce(&self) -> &'a [u8] {
        self.params.get("nonce").unwrap_or_default()
    }

    /// The URI the response was computed with.
    #[must_use]
    pub fn uri(&self) -> &'a [u8] {
        self.params.get("uri").unwrap_or_default()
    }

    /// The response, in hexadecimal.
    #[must_use]
    pub fn response(&self) -> &'a [u8] {
        self.params.get("response").unwrap_or_default()
    }
}

impl<'a> Challenge<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// As [`Credentials::parse`]; of Digest, realm and nonce are mandatory.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueFault> {
        let (scheme, params) = scheme_and_params(value)?;
        let challenge = Self { scheme, params };
        if challenge.is_digest() {
            params.check(&["realm", "nonce"])?;
        }
        Ok(challenge)
    }

    /// Whether the scheme is Digest.
    #[must_use]
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"Digest")
    }

    /// The realm.
    #[must_use]
    pub fn realm(&self) -> &'a [u8] {
        self.params.get("realm").unwrap_or_default()
    }

    /// The nonce.
    #[must_use]
    pub fn nonce(&self) -> &'a [u8] {
        self.params.get("nonce").unwrap_or_default()
    }

    /// Whether the old nonce was right but too old.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.params
            .get("stale")
            .is_some_and(|stale| stale.eq_ignore_ascii_case(b"true"))
    }

    /// The qualities of protection on offer.
    pub fn qop(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let words = self.params.get("qop").unwrap_or_default();
        words
            .split(|byte| *byte == b',')
            .map(scan::trim)
            .filter(|word| !word.is_empty())
    }
}

impl<'a> AuthParams<'a> {
    /// The value of the first parameter of this name, between its quotes if it has some; escapes
    /// are not undone, see [`unescape`].
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter()
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name.as_bytes()).then_some(value))
    }

    /// All of them as they were sent.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Names and values in order, up to the first malformed one.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut cursor = Cursor::new(self.raw);
        std::iter::from_fn(move || take_param(&mut cursor).ok().flatten())
    }

    fn check(&self, mandatory: &[&str]) -> Result<(), ValueFault> {
        let mut cursor = Cursor::new(self.raw);
        let mut before = 0_usize;
        while let Some((name, _)) = take_param(&mut cursor)? {
            // Two users in one header would be read differently by different elements.
            if self
                .iter()
                .take(before)
                .any(|(earlier, _)| earlier.eq_ignore_ascii_case(name))
            {
                return Err(ValueFault::Param);
            }
            before = before.saturating_add(1);
            if before > PARAMS_MAX {
                return Err(ValueFault::Param);
            }
        }
        if mandatory.iter().all(|name| self.get(name).is_some()) {
            Ok(())
        } else {
            Err(ValueFault::ParamMissing)
        }
    }
}

/// Digest has about a dozen parameters; comparing each with each must not cost an attacker's price.
const PARAMS_MAX: usize = 32;

/// The text of a quoted string without its escapes (RFC 3261 §25.1, quoted-pair), given what
/// stands between the quotes; `None` if it does not fit the buffer.
pub fn unescape<'b>(inside: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut length = 0_usize;
    let mut bytes = inside.iter();
    while let Some(mut byte) = bytes.next() {
        if *byte == b'\\' {
            byte = bytes.next().unwrap_or(byte);
        }
        *buffer.get_mut(length)? = *byte;
        length = length.saturating_add(1);
    }
    buffer.get(..length)
}

fn scheme_and_params(value: &[u8]) -> Result<(&[u8], AuthParams<'_>), ValueFault> {
    let mut cursor = Cursor::new(scan::trim(value));
    let scheme = cursor.take(TOKEN);
    if scheme.is_empty() {
        return Err(ValueFault::Empty);
    }
    if !cursor.rest.is_empty() && cursor.take(LWS).is_empty() {
        return Err(ValueFault::Character);
    }
    Ok((scheme, AuthParams { raw: cursor.rest }))
}

type NameAndValue<'a> = (&'a [u8], &'a [u8]);

fn take_param<'a>(cursor: &mut Cursor<'a>) -> Result<Option<NameAndValue<'a>>, ValueFault> {
    // RFC 3261 §7.3.1: empty elements of a list are no elements.
    loop {
        cursor.lws();
        if !cursor.eat(b',') {
            break;
        }
    }
    if cursor.rest.is_empty() {
        return Ok(None);
    }
    let name = cursor.take(TOKEN);
    cursor.lws();
    if name.is_empty() || !cursor.eat(b'=') {
        return Err(ValueFault::Param);
    }
    cursor.lws();
    let value = if cursor.rest.first() == Some(&b'"') {
        let quoted = cursor.quoted().ok_or(ValueFault::Unclosed)?;
        quoted
            .get(1..quoted.len().saturating_sub(1))
            .unwrap_or_default()
    } else {
        cursor.take_until(VALUE_STOP | LWS)
    };
    cursor.lws();
    if cursor.rest.first().is_some_and(|next| *next != b',') {
        return Err(ValueFault::Param);
    }
    Ok(Some((name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_credentials_are_read() {
        let credentials = Credentials::parse(
            b"Digest username=\"a\\\"b\", realm=\"r,s\",\r\n nonce = \"n\" ,uri=\"sip:b\", response=\"00ff\",\
              qop=auth, nc=00000001",
        )
        .unwrap();
        assert!(credentials.is_digest());
        assert_eq!(credentials.username(), b"a\\\"b");
        assert_eq!(
            unescape(credentials.username(), &mut [0; 8]),
            Some(&b"a\"b"[..])
        );
        assert_eq!(unescape(credentials.username(), &mut [0; 2]), None);
        assert_eq!(
            (credentials.realm(), credentials.nonce()),
            (&b"r,s"[..], &b"n"[..])
        );
        assert_eq!(
            (credentials.uri(), credentials.response()),
            (&b"sip:b"[..], &b"00ff"[..])
        );
        assert_eq!(credentials.params.get("NC"), Some(&b"00000001"[..]));
    }

    #[test]
    fn an_unknown_scheme_is_left_alone() {
        let credentials =
            Credentials::parse(b"NoOneKnowsThisScheme opaque-data=here; what \"").unwrap();
        assert!(!credentials.is_digest());
        assert_eq!(credentials.params.raw(), b"opaque-data=here; what \"");
    }

    #[test]
    fn malformed_digest_is_refused() {
        for text in [
            "",
            "Digest",
            "Digest ",
            "Digest=x",
            "Digest username=\"a\"",
            "Digest username=\"a\",username=\"b\",realm=\"r\",nonce=\"n\",uri=\"u\",response=\"0\"",
            "Digest username=\"a,realm=\"r\",nonce=\"n\",uri=\"u\",response=\"0\"",
            "Digest username=a b,realm=\"r\",nonce=\"n\",uri=\"u\",response=\"0\"",
            "Digest username=\"a\" realm=\"r\",nonce=\"n\",uri=\"u\",response=\"0\"",
        ] {
            assert!(Credentials::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_challenge_is_read() {
        let challenge = Challenge::parse(
            b"digest realm=\"r\", nonce=\"n\", stale=TRUE, qop=\"auth, auth-int\"",
        )
        .unwrap();
        assert!(challenge.is_stale());
        assert_eq!(
            challenge.qop().collect::<Vec<_>>(),
            [&b"auth"[..], b"auth-int"]
        );
        assert_eq!(
            Challenge::parse(b"Digest realm=\"r\""),
            Err(ValueFault::ParamMissing)
        );
    }
}
