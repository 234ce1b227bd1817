//! What we answer to a peer's challenge (RFC 7616 §3.4), and to whom: the realm and the peer that the
//! configuration names, and nobody else (RELIABILITY.md R19, CVE-2021-41158).

use super::digest::{ALGORITHMS, Algorithm, Hex, Request};
use crate::hop::{Hop, Transport};
use crate::sip::message::{Challenge, HeaderName, Message, Writer};
use std::fmt;
use std::net::SocketAddr;

/// Who we are to one peer, in one realm.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    realm: String,
    peer: SocketAddr,
    /// Over which the peer is called; none: over any.
    transport: Option<Transport>,
    user: String,
    /// In the order of [`ALGORITHMS`].
    secrets: [Hex; 2],
}

/// A challenge that may be answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answerable<'a> {
    challenge: Challenge<'a>,
    algorithm: Algorithm,
    has_qop: bool,
    is_of_proxy: bool,
}

impl Account {
    /// Our name and password in a realm of this peer.
    #[must_use]
    pub fn new(
        realm: &str,
        (peer, transport): (SocketAddr, Option<Transport>),
        (user, password): (&str, &str),
    ) -> Self {
        Self {
            realm: realm.to_owned(),
            peer,
            transport,
            user: user.to_owned(),
            secrets: ALGORITHMS.map(|algorithm| {
                algorithm.secret(user.as_bytes(), realm.as_bytes(), password.as_bytes())
            }),
        }
    }

    /// Whether requests to this place may be challenged for this account.
    pub(crate) fn is_at(&self, hop: &Hop) -> bool {
        hop.remote == self.peer
            && self
                .transport
                .is_none_or(|transport| transport == hop.transport)
    }

    /// The best challenge of a 401 or 407 that is for this account, if the request went to its peer.
    pub(crate) fn answerable<'a>(
        &self,
        hop: &Hop,
        refusal: &Message<'a>,
    ) -> Option<Answerable<'a>> {
        let is_peer = self.is_at(hop);
        let (name, is_of_proxy) = match refusal.status() {
            401 => (HeaderName::WwwAuthenticate, false),
            407 => (HeaderName::ProxyAuthenticate, true),
            _ => return None,
        };
        let mut best: Option<Answerable<'a>> = None;
        for value in refusal.headers(name).filter(|_| is_peer) {
            let Ok(challenge) = Challenge::parse(value) else {
                continue;
            };
            let is_ours = challenge.is_digest() && challenge.realm() == self.realm.as_bytes();
            let algorithm = Algorithm::named(challenge.params.get("algorithm"));
            let has_qop = challenge.params.get("qop").is_some();
            let may_qop = !has_qop
                || challenge
                    .qop()
                    .any(|word| word.eq_ignore_ascii_case(b"auth"));
            if let (true, true, Some(algorithm)) = (is_ours, may_qop, algorithm)
                && best.is_none_or(|best| best.algorithm == Algorithm::Md5)
            {
                best = Some(Answerable {
                    challenge,
                    algorithm,
                    has_qop,
                    is_of_proxy,
                });
            }
        }
        best
    }

    /// Writes the Authorization or Proxy-Authorization of a request to this URI.
    pub(crate) fn write(
        &self,
        writer: &mut Writer<'_>,
        answerable: &Answerable<'_>,
        (method, uri): (&[u8], &[u8]),
        cnonce: &[u8],
    ) {
        let Answerable {
            challenge,
            algorithm,
            has_qop,
            is_of_proxy,
        } = *answerable;
        let request = Request {
            method,
            uri,
            nonce: challenge.nonce(),
            nonce_count: b"00000001",
            cnonce,
        };
        let [sha256, md5] = &self.secrets;
        let secret = match algorithm {
            Algorithm::Md5 => md5,
            Algorithm::Sha256 => sha256,
        };
        let response = if has_qop {
            algorithm.response(secret, &request)
        } else {
            algorithm.response_without_qop(secret, &request)
        };
        if is_of_proxy {
            writer.put(b"Proxy-");
        }
        writer.put(b"Authorization: Digest username=\"");
        writer.put(self.user.as_bytes());
        writer.put(b"\",realm=\"");
        writer.put(self.realm.as_bytes());
        writer.put(b"\",nonce=\"");
        writer.put(challenge.nonce());
        writer.put(b"\",uri=\"");
        writer.put(uri);
        writer.put(b"\",response=\"");
        writer.put(response.as_bytes());
        writer.put(b"\",algorithm=");
        writer.put(algorithm.as_str().as_bytes());
        if let Some(opaque) = challenge.params.get("opaque") {
            writer.put(b",opaque=\"");
            writer.put(opaque);
            writer.put(b"\"");
        }
        if has_qop {
            writer.put(b",qop=auth,nc=00000001,cnonce=\"");
            writer.put(cnonce);
            writer.put(b"\"");
        }
        writer.put(b"\r\n");
    }
}

/// Names, and nothing that is secret.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("realm", &self.realm)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
