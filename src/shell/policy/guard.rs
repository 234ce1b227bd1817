//! Who may ask: HTTP Basic credentials (RFC 7617), compared in a time that tells nothing.
//!
//! Passwords are kept as Argon2 hashes, which take a while to try; what was right once is remembered as
//! a keyed digest, so that a VCS pays for it once.

use crate::config::PolicyAccess;
use anyhow::{Context, anyhow, bail};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tracing::warn;

/// Whoever knows one name and its password.
pub(super) struct Guard {
    who: Who,
    /// Of our digests: another one in each run.
    key: [u8; 32],
    /// Argon2 takes memory and time: one trial at one time, whoever guesses.
    trials: Arc<Semaphore>,
}

enum Who {
    Anybody,
    /// A password in a file: its digest is known from the start.
    Digest([u8; 32]),
    Hash {
        user: String,
        hash: String,
        /// The digest of what was right.
        known: Arc<Mutex<Option<[u8; 32]>>>,
    },
    Nobody,
}

/// What credentials are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credence {
    Good,
    /// None, or wrong ones.
    Wrong,
}

/// A password is as long as a VCS takes it, and longer.
const PASSWORD_FILE_MAX: u64 = 4_096;
/// Octets of an Authorization that are looked into.
const CREDENTIALS_MAX: usize = 1_024;

impl Guard {
    pub(super) fn new(access: &PolicyAccess) -> anyhow::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).context("the system gives no random numbers")?;
        let who = match access {
            PolicyAccess::Anybody => Who::Anybody,
            PolicyAccess::Nobody => Who::Nobody,
            PolicyAccess::Hash { user, hash } => {
                PasswordHash::new(hash).map_err(|error| {
                    anyhow!("[policy] password_hash is no Argon2 hash: {error}; `baton policy hash` makes one")
                })?;
                Who::Hash {
                    user: user.clone(),
                    hash: hash.clone(),
                    known: Arc::default(),
                }
            }
            PolicyAccess::File { user, file } => {
                let name = file.display();
                let about = fs::metadata(file).with_context(|| format!("cannot read {name}"))?;
                if about.len() > PASSWORD_FILE_MAX {
                    bail!(
                        "{name} is larger than {PASSWORD_FILE_MAX} octets, so it holds no password"
                    );
                }
                if about.permissions().mode() & 0o077 != 0 {
                    warn!(file = %name, "others on this machine may read or write the password; chmod 600 it");
                }
                let text =
                    fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
                let password = text.lines().next().unwrap_or_default();
                if password.is_empty() {
                    bail!("the first line of {name} is the password, and it is empty");
                }
                Who::Digest(digest(&key, format!("{user}:{password}").as_bytes()))
            }
        };
        Ok(Self {
            who,
            key,
            trials: Arc::new(Semaphore::new(1)),
        })
    }

    /// Whether nobody was told a password yet.
    pub(super) fn is_nobody(&self) -> bool {
        matches!(self.who, Who::Nobody)
    }

    /// What an `Authorization` is worth.
    pub(super) async fn judge(&self, authorization: Option<&[u8]>) -> Credence {
        let (user, hash, known) = match &self.who {
            // Without a password nothing is decided anyhow.
            Who::Anybody | Who::Nobody => return Credence::Good,
            Who::Digest(wanted) => {
                let given = authorization.and_then(basic);
                let is_good =
                    given.is_some_and(|given| is_same(&digest(&self.key, &given), wanted));
                return credence(is_good);
            }
            Who::Hash { user, hash, known } => (user, hash, known),
        };
        let Some(given) = authorization.and_then(basic) else {
            return Credence::Wrong;
        };
        let fresh = digest(&self.key, &given);
        // A lock that is held for a copy: poisoned by nobody, and if so, what it holds is whole.
        let is_known = || {
            let known = *known.lock().unwrap_or_else(PoisonError::into_inner);
            known.is_some_and(|known| is_same(&fresh, &known))
        };
        if is_known() {
            return Credence::Good;
        }
        // RFC 7617 §2: the first colon ends the name.
        let colon = given.iter().position(|octet| *octet == b':');
        let Some((name, password)) = colon.and_then(|at| given.split_at_checked(at)) else {
            return Credence::Wrong;
        };
        if name != user.as_bytes() {
            return Credence::Wrong;
        }
        let (hash, password) = (hash.clone(), password.get(1..).unwrap_or_default().to_vec());
        let Ok(turn) = Arc::clone(&self.trials).acquire_owned().await else {
            return Credence::Wrong;
        };
        // Many may come at once, and one trial is enough for those who say the same.
        if is_known() {
            return Credence::Good;
        }
        let known = Arc::clone(known);
        let tried = tokio::task::spawn_blocking(move || {
            // The trial goes on when whoever asked has gone, and so does its turn.
            let _turn = turn;
            let hash = PasswordHash::new(&hash).ok()?;
            Argon2::default().verify_password(&password, &hash).ok()?;
            *known.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
            Some(())
        });
        credence(tried.await.is_ok_and(|right| right.is_some()))
    }
}

/// An Argon2 hash of a password, in its text form.
pub(super) fn hash(password: &[u8]) -> anyhow::Result<String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).context("the system gives no random numbers")?;
    let hash = Argon2::default()
        .hash_password_with_salt(password, &salt)
        .map_err(|error| anyhow!("cannot hash: {error}"))?;
    Ok(hash.to_string())
}

fn credence(is_good: bool) -> Credence {
    if is_good {
        Credence::Good
    } else {
        Credence::Wrong
    }
}

/// The `user:password` of Basic credentials.
fn basic(authorization: &[u8]) -> Option<Vec<u8>> {
    if authorization.len() > CREDENTIALS_MAX {
        return None;
    }
    let (scheme, rest) = authorization.split_at_checked(b"Basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    STANDARD.decode(rest.trim_ascii()).ok()
}

fn digest(key: &[u8; 32], text: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(key);
    hash.update(text);
    hash.finalize().into()
}

/// Looks at every octet, whatever the first ones are.
fn is_same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn judge(guard: &Guard, given: &str) -> Credence {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let header = format!("basic  {}", STANDARD.encode(given));
        runtime.block_on(guard.judge(Some(header.as_bytes())))
    }

    fn hashed(password: &str) -> Guard {
        let hash = super::super::hash(password.as_bytes()).unwrap();
        let user = "vcs".to_owned();
        Guard::new(&PolicyAccess::Hash { user, hash }).unwrap()
    }

    #[test]
    fn a_hash_lets_one_password_in() {
        // As long as a VCS takes it, with a colon.
        let guard = hashed("0123456789:0123456789:01234567");
        for _ in 0..2 {
            assert_eq!(
                judge(&guard, "vcs:0123456789:0123456789:01234567"),
                Credence::Good
            );
            for wrong in [
                "vcs:0123456789",
                "vcs:",
                "vcs",
                "",
                "vc:0123456789:0123456789:01234567",
            ] {
                assert_eq!(judge(&guard, wrong), Credence::Wrong, "{wrong}");
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for header in [
            None,
            Some(&b"Basic"[..]),
            Some(b"Basic !"),
            Some(b"Digest x"),
        ] {
            assert_eq!(runtime.block_on(guard.judge(header)), Credence::Wrong);
        }
    }

    #[test]
    fn a_file_holds_a_password() {
        let folder = std::env::temp_dir().join(format!("baton-guard-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("password");
        let access = |file: &PathBuf| PolicyAccess::File {
            user: "vcs".to_owned(),
            file: file.clone(),
        };
        fs::write(&file, "s3cret\nnot this\n").unwrap();
        let guard = Guard::new(&access(&file)).unwrap();
        assert_eq!(judge(&guard, "vcs:s3cret"), Credence::Good);
        assert_eq!(judge(&guard, "vcs:not this"), Credence::Wrong);
        fs::write(&file, "\nx").unwrap();
        assert!(Guard::new(&access(&file)).is_err());
        fs::remove_dir_all(&folder).unwrap();
        assert!(Guard::new(&access(&file)).is_err());
        let hash = "x".to_owned();
        let user = "u".to_owned();
        assert!(Guard::new(&PolicyAccess::Hash { user, hash }).is_err());
    }
}
