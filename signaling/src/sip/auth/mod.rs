//! Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760): who the callers of a zone are.
//!
//! [`digest`] computes, [`nonce`] remembers which counts were used, and this file puts them together:
//! what a request's credentials are worth, and the challenge. Passwords are not kept, only what
//! Digest makes of them, and nothing of it is shown.

pub mod answer;
pub mod digest;
pub mod nonce;

use super::message::{Credentials, HeaderName, Message, Writer, unescape};
use digest::{ALGORITHMS, Algorithm, Hex, Request};
use nonce::{Nonces, Worth};
use std::fmt;
use std::time::Instant;

/// Longest user name that is looked up.
const USER_MAX: usize = 256;

/// A realm and its users.
#[derive(Clone, PartialEq, Eq)]
pub struct Realm {
    name: String,
    /// In the order of their names.
    users: Vec<User>,
    /// For users that are not there, so that they take as long as the others.
    nobody: [Hex; 2],
}

#[derive(Clone, PartialEq, Eq)]
struct User {
    name: Vec<u8>,
    /// In the order of [`ALGORITHMS`].
    secrets: [Hex; 2],
}

/// What a request's credentials are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credence {
    /// None for this realm, or none that we offered.
    Absent,
    /// Right.
    Good,
    /// Right, but for a nonce that is used up.
    Stale,
    /// Wrong.
    Wrong,
}

impl Realm {
    /// A realm of these users and passwords; of one name the first counts.
    #[must_use]
    pub fn new<'a>(name: &str, users: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let secrets = |user: &str, password: &str| {
            ALGORITHMS.map(|algorithm| {
                algorithm.secret(user.as_bytes(), name.as_bytes(), password.as_bytes())
            })
        };
        let mut users: Vec<User> = users
            .into_iter()
            .map(|(user, password)| User {
                name: user.as_bytes().to_vec(),
                secrets: secrets(user, password),
            })
            .collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        users.dedup_by(|later, first| later.name == first.name);
        Self {
            name: name.to_owned(),
            users,
            nobody: secrets("", ""),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether credentials are for this realm: then they are for us, and go no further.
    #[must_use]
    pub fn is_of(&self, value: &[u8]) -> bool {
        Credentials::parse(value).is_ok_and(|credentials| self.is_for_us(&credentials))
    }

    /// What the credentials of a request are worth; right ones are taken, so that they are worth
    /// nothing once more.
    pub fn judge(&self, nonces: &mut Nonces, now: Instant, message: &Message<'_>) -> Credence {
        for value in message.headers(HeaderName::Authorization) {
            let Ok(credentials) = Credentials::parse(value) else {
                continue;
            };
            if self.is_for_us(&credentials)
                && let Some(count) = count(&credentials)
            {
                return self.judge_one(nonces, now, message.method_text(), &credentials, count);
            }
        }
        Credence::Absent
    }

    fn is_for_us(&self, credentials: &Credentials<'_>) -> bool {
        let mut room = [0; USER_MAX];
        credentials.is_digest()
            && unescape(credentials.realm(), &mut room) == Some(self.name.as_bytes())
    }

    fn judge_one(
        &self,
        nonces: &mut Nonces,
        now: Instant,
        method: &[u8],
        credentials: &Credentials<'_>,
        count: u32,
    ) -> Credence {
        let params = &credentials.params;
        let Some(algorithm) = Algorithm::named(params.get("algorithm")) else {
            return Credence::Absent;
        };
        let request = Request {
            method,
            uri: credentials.uri(),
            nonce: credentials.nonce(),
            nonce_count: params.get("nc").unwrap_or_default(),
            cnonce: params.get("cnonce").unwrap_or_default(),
        };
        let mut room = [0; USER_MAX];
        let user = unescape(credentials.username(), &mut room).and_then(|name| {
            let found = self
                .users
                .binary_search_by(|user| user.name.as_slice().cmp(name));
            self.users.get(found.ok()?)
        });
        let [sha256, md5] = user.map_or(&self.nobody, |user| &user.secrets);
        let secret = match algorithm {
            Algorithm::Md5 => md5,
            Algorithm::Sha256 => sha256,
        };
        let is_right = algorithm
            .response(secret, &request)
            .is(credentials.response());
        if user.is_none() || !is_right {
            return Credence::Wrong;
        }
        match nonces.take(now, request.nonce, count) {
            Worth::Good => Credence::Good,
            // Of an earlier run of this node, say: the user is right and may come again.
            Worth::Stale | Worth::Unknown => Credence::Stale,
        }
    }

    /// Writes the challenges, the best algorithm first; with `is_short` that one alone.
    pub(crate) fn write_challenges(
        &self,
        writer: &mut Writer<'_>,
        nonce: &nonce::Text,
        is_stale: bool,
        is_short: bool,
    ) {
        let count = if is_short { 1 } else { ALGORITHMS.len() };
        for algorithm in ALGORITHMS.into_iter().take(count) {
            writer.put(b"WWW-Authenticate: Digest realm=\"");
            // The configuration lets no quote and no backslash into a realm.
            writer.put(self.name.as_bytes());
            writer.put(b"\",qop=\"auth\",nonce=\"");
            writer.put(nonce);
            writer.put(b"\",algorithm=");
            writer.put(algorithm.as_str().as_bytes());
            if is_stale {
                writer.put(b",stale=true");
            }
            writer.put(b"\r\n");
        }
    }
}

/// The nonce count of credentials that answer what we ask: `qop=auth`, eight hexadecimal digits and
/// a nonce of the client's.
fn count(credentials: &Credentials<'_>) -> Option<u32> {
    let params = &credentials.params;
    let digits = params.get("nc")?;
    let is_auth = params.get("qop")?.eq_ignore_ascii_case(b"auth");
    if !is_auth || params.get("cnonce")?.is_empty() || digits.len() != 8 {
        return None;
    }
    digits.iter().try_fold(0_u32, |count, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(count << 4 | digit)
    })
}

/// Names, and nothing that is secret.
impl fmt::Debug for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Realm")
            .field("name", &self.name)
            .field("users", &self.users.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
