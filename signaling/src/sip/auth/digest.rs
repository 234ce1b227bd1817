//! The arithmetic of Digest (RFC 7616 §3.4, RFC 8760): hashes of texts, nothing kept.
//!
//! `qop=auth` with MD5 or SHA-256. The session variants and `auth-int` are not offered: nobody in
//! SIP uses them.

use md5::Md5;
use sha2::{Digest, Sha256};
use std::fmt;

/// Which hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RFC 2617, for user agents that know no other.
    Md5,
    /// RFC 8760.
    Sha256,
}

/// Best first: a user agent takes the first one that it knows (RFC 8760 §2.4).
pub const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];

/// Letters of the longest hash.
const LETTERS_MAX: usize = 64;

/// A hash as lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hex {
    letters: [u8; LETTERS_MAX],
    length: usize,
}

/// What a response is computed from, besides the secret (RFC 7616 §3.4.1).
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The request's method.
    pub method: &'a [u8],
    /// The `uri` parameter.
    pub uri: &'a [u8],
    /// The nonce.
    pub nonce: &'a [u8],
    /// The nonce count as it is written: eight hexadecimal digits.
    pub nonce_count: &'a [u8],
    /// The client's own nonce.
    pub cnonce: &'a [u8],
}

impl Algorithm {
    /// The algorithm of this name; none written means MD5.
    #[must_use]
    pub fn named(name: Option<&[u8]>) -> Option<Self> {
        let Some(name) = name else {
            return Some(Self::Md5);
        };
        ALGORITHMS
            .into_iter()
            .find(|algorithm| name.eq_ignore_ascii_case(algorithm.as_str().as_bytes()))
    }

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// `H(user:realm:password)`, which is as good as the password in this realm.
    #[must_use]
    pub fn secret(self, user: &[u8], realm: &[u8], password: &[u8]) -> Hex {
        self.hash(&[user, realm, password])
    }

    /// The response to a challenge with `qop=auth`.
    #[must_use]
    pub fn response(self, secret: &Hex, request: &Request<'_>) -> Hex {
        let what = self.hash(&[request.method, request.uri]);
        self.hash(&[
            secret.as_bytes(),
            request.nonce,
            request.nonce_count,
            request.cnonce,
            b"auth",
            what.as_bytes(),
        ])
    }

    /// The response to a challenge without `qop`, as RFC 2069 has it.
    #[must_use]
    pub fn response_without_qop(self, secret: &Hex, request: &Request<'_>) -> Hex {
        let what = self.hash(&[request.method, request.uri]);
        self.hash(&[secret.as_bytes(), request.nonce, what.as_bytes()])
    }

    /// The hash of some texts with colons between.
    fn hash(self, parts: &[&[u8]]) -> Hex {
        match self {
            Self::Md5 => Hex::of(&joined::<Md5>(parts)),
            Self::Sha256 => Hex::of(&joined::<Sha256>(parts)),
        }
    }
}

fn joined<D: Digest>(parts: &[&[u8]]) -> impl AsRef<[u8]> + use<D> {
    let mut hash = D::new();
    for (position, part) in parts.iter().enumerate() {
        if position > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    hash.finalize()
}

impl Hex {
    fn of(hash: &impl AsRef<[u8]>) -> Self {
        let octets = hash.as_ref();
        let mut letters = [0; LETTERS_MAX];
        for (pair, octet) in letters.chunks_exact_mut(2).zip(octets) {
            if let [high, low] = pair {
                *high = digit(octet >> 4);
                *low = digit(octet & 15);
            }
        }
        let length = 2 * octets.len();
        debug_assert!(length <= LETTERS_MAX, "SHA-256 is the longest");
        Self { letters, length }
    }

    /// The letters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.letters.get(..self.length).unwrap_or(&[])
    }

    /// Whether a text says the same, in a time that does not tell how much of it is right.
    #[must_use]
    pub fn is(&self, text: &[u8]) -> bool {
        let differences = self
            .as_bytes()
            .iter()
            .zip(text)
            .fold(0, |sum, (ours, theirs)| {
                sum | (ours ^ theirs.to_ascii_lowercase())
            });
        self.length == text.len() && differences == 0
    }
}

fn digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
    }
}

/// Shows nothing: what a hash is of may be a secret.
impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hex(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1.
    const REQUEST: Request<'_> = Request {
        method: b"GET",
        uri: b"/dir/index.html",
        nonce: b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        nonce_count: b"00000001",
        cnonce: b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    };

    fn response(algorithm: Algorithm) -> String {
        let secret = algorithm.secret(b"Mufasa", b"http-auth@example.org", b"Circle of Life");
        let hex = algorithm.response(&secret, &REQUEST);
        String::from_utf8(hex.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_example_of_rfc_7616() {
        assert_eq!(response(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            response(Algorithm::Sha256),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn the_example_of_rfc_2617() {
        let secret = Algorithm::Md5.secret(b"Mufasa", b"testrealm@host.com", b"Circle Of Life");
        assert!(secret.is(b"939e7578ed9e3c518a452acee763bce9"));
        let request = Request {
            method: b"GET",
            uri: b"/dir/index.html",
            nonce: b"dcd98b7102dd2f0e8b11d0f600bfb0c093",
            nonce_count: b"00000001",
            cnonce: b"0a4f113b",
        };
        let hex = Algorithm::Md5.response(&secret, &request);
        assert!(hex.is(b"6629fae49393a05397450978507c4ef1"));
        assert!(hex.is(b"6629FAE49393A05397450978507C4EF1"));
        assert!(!hex.is(b"6629fae49393a05397450978507c4ef2"));
        assert!(!hex.is(b"6629fae49393a05397450978507c4ef"));
        assert!(!hex.is(b"6629fae49393a05397450978507c4ef11"));
        assert!(!hex.is(b""));
    }

    /// RFC 2069 §2.4 with erratum 749.
    #[test]
    fn the_example_of_rfc_2069() {
        let secret = Algorithm::Md5.secret(b"Mufasa", b"testrealm@host.com", b"CircleOfLife");
        let request = Request {
            method: b"GET",
            uri: b"/dir/index.html",
            nonce: b"dcd98b7102dd2f0e8b11d0f600bfb0c093",
            nonce_count: b"",
            cnonce: b"",
        };
        let hex = Algorithm::Md5.response_without_qop(&secret, &request);
        assert!(hex.is(b"1949323746fe6a43ef61f9606e7febea"));
    }

    #[test]
    fn algorithms_by_name() {
        assert_eq!(Algorithm::named(None), Some(Algorithm::Md5));
        assert_eq!(Algorithm::named(Some(b"md5")), Some(Algorithm::Md5));
        assert_eq!(Algorithm::named(Some(b"SHA-256")), Some(Algorithm::Sha256));
        assert_eq!(Algorithm::named(Some(b"SHA-256-sess")), None);
        assert_eq!(Algorithm::named(Some(b"")), None);
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Algorithm::Md5.secret(b"a", b"b", b"c");
        assert_eq!(format!("{secret:?}"), "Hex(..)");
    }
}
