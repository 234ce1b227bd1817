//! Who may ask: HTTP Basic credentials (RFC 7617), compared in a time that tells nothing.
//!
//! Passwords are kept as Argon2 hashes, which take a while to try; what was right once is remembered as
//! a keyed digest, so that a VCS pays for it once.

use super::digest::Digest;
use super::trials::Trials;
use crate::config::PolicyAccess;
use anyhow::{Context, anyhow, bail};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::warn;

/// Whoever knows one name and its password.
pub(super) struct Guard {
    who: Who,
    /// Of our digests: another one in each run.
    key: [u8; 32],
    trials: Trials,
}

enum Who {
    Anybody,
    /// A password in a file: its digest is known from the start.
    Digest(Digest),
    Hash {
        user: String,
        hash: String,
        /// The digest of what was right.
        known: Arc<Mutex<Option<Digest>>>,
    },
    Nobody,
}

/// What credentials are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credence {
    Good,
    /// Not tried: there are too many who guess.
    Unknown,
    /// None, or wrong ones.
    Wrong,
}

/// A password is as long as a VCS takes it, and longer.
const PASSWORD_FILE_MAX: u64 = 4_096;
/// Octets of an Authorization that are looked into.
const CREDENTIALS_MAX: usize = 1_024;

impl Guard {
    /// `before`: the one that this one follows. Who was let in by the same password need not prove it
    /// again, and those who guess go on waiting where they waited.
    pub(super) fn new(access: &PolicyAccess, before: Option<&Self>) -> anyhow::Result<Self> {
        let key = match before {
            Some(before) => before.key,
            None => {
                let mut key = [0; 32];
                getrandom::fill(&mut key).context("the system gives no random numbers")?;
                key
            }
        };
        let trials = before.map_or_else(Trials::new, |before| before.trials.clone());
        let who = match access {
            PolicyAccess::Anybody => Who::Anybody,
            PolicyAccess::Nobody => Who::Nobody,
            PolicyAccess::Hash { user, hash } => {
                PasswordHash::new(hash).map_err(|error| {
                    anyhow!("[policy] password_hash is no Argon2 hash: {error}; `baton policy hash` makes one")
                })?;
                let known = before.and_then(|before| before.who.known(user, hash));
                Who::Hash {
                    user: user.clone(),
                    hash: hash.clone(),
                    known: known.unwrap_or_default(),
                }
            }
            PolicyAccess::File { user, file } => {
                let password = read_password(file)?;
                Who::Digest(Digest::of(&key, format!("{user}:{password}").as_bytes()))
            }
        };
        Ok(Self { who, key, trials })
    }

    /// Whether nobody was told a password yet.
    pub(super) fn is_nobody(&self) -> bool {
        matches!(self.who, Who::Nobody)
    }

    /// What an `Authorization` from this source is worth.
    pub(super) async fn judge(&self, from: IpAddr, authorization: Option<&[u8]>) -> Credence {
        let (user, hash, known) = match &self.who {
            // Without a password nothing is decided anyhow.
            Who::Anybody | Who::Nobody => return Credence::Good,
            Who::Digest(wanted) => {
                let given = authorization.and_then(basic);
                let is_good = given.is_some_and(|given| Digest::of(&self.key, &given) == *wanted);
                return credence(is_good);
            }
            Who::Hash { user, hash, known } => (user, hash, known),
        };
        let Some(given) = authorization.and_then(basic) else {
            return Credence::Wrong;
        };
        let said = Digest::of(&self.key, &given);
        // A lock that is held for a copy: poisoned by nobody, and if so, what it holds is whole.
        let is_known = || *known.lock().unwrap_or_else(PoisonError::into_inner) == Some(said);
        if is_known() {
            return Credence::Good;
        }
        // RFC 7617 §2: the first colon ends the name.
        let colon = given.iter().position(|octet| *octet == b':');
        let Some((name, password)) = colon.and_then(|at| given.split_at_checked(at)) else {
            return Credence::Wrong;
        };
        // What is wrong for one hash may be right for the next, and both are asked while a reload goes on.
        let tried = Digest::of(&self.key, &[hash.as_bytes(), b"\n", &given].concat());
        if self.trials.is_wrong(&tried) {
            return Credence::Wrong;
        }
        let is_user = name == user.as_bytes();
        let (hash, password) = (hash.clone(), password.get(1..).unwrap_or_default().to_vec());
        let Some(turn) = self.trials.turn(from).await else {
            return Credence::Unknown;
        };
        // Many may come at once, and one trial is enough for those who say the same.
        if is_known() {
            return Credence::Good;
        }
        if self.trials.is_wrong(&tried) {
            return Credence::Wrong;
        }
        let known = Arc::clone(known);
        let trial = tokio::task::spawn_blocking(move || {
            // A wrong name takes as long as a wrong password.
            let is_right = is_password(&hash, &password) & is_user;
            if is_right {
                *known.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
            }
            // The trial goes on when whoever asked has gone, and so does its turn.
            turn.end(tried, is_right);
            is_right
        });
        credence(trial.await.unwrap_or(false))
    }
}

impl Who {
    /// What was right for this name and this hash.
    fn known(&self, user: &str, hash: &str) -> Option<Arc<Mutex<Option<Digest>>>> {
        match self {
            Self::Hash {
                user: our_user,
                hash: our_hash,
                known,
            } => (our_user == user && our_hash == hash).then(|| Arc::clone(known)),
            Self::Anybody | Self::Digest(_) | Self::Nobody => None,
        }
    }
}

fn is_password(hash: &str, password: &[u8]) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else {
        return false;
    };
    Argon2::default().verify_password(password, &hash).is_ok()
}

/// The first line of a file that others should not read.
fn read_password(file: &std::path::Path) -> anyhow::Result<String> {
    let name = file.display();
    let about = fs::metadata(file).with_context(|| format!("cannot read {name}"))?;
    if about.len() > PASSWORD_FILE_MAX {
        bail!("{name} is larger than {PASSWORD_FILE_MAX} octets, so it holds no password");
    }
    if about.permissions().mode() & 0o077 != 0 {
        warn!(file = %name, "others on this machine may read or write the password; chmod 600 it");
    }
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() {
        bail!("the first line of {name} is the password, and it is empty");
    }
    Ok(password.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const VCS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn run<F: Future>(future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(future)
    }

    async fn judge_from(guard: &Guard, from: IpAddr, given: &str) -> Credence {
        let header = format!("basic  {}", STANDARD.encode(given));
        guard.judge(from, Some(header.as_bytes())).await
    }

    fn judge(guard: &Guard, given: &str) -> Credence {
        run(judge_from(guard, VCS, given))
    }

    fn hashed(password: &str) -> Guard {
        let hash = super::super::hash(password.as_bytes()).unwrap();
        let user = "vcs".to_owned();
        Guard::new(&PolicyAccess::Hash { user, hash }, None).unwrap()
    }

    #[test]
    fn who_guesses_does_not_keep_a_first_login_waiting() {
        const GUESSES: usize = 100;
        let guard = Arc::new(hashed("s3cret"));
        let guesser: IpAddr = "192.0.2.66".parse().unwrap();
        let guessed = Arc::new(AtomicUsize::new(0));
        run(async {
            let mut guesses = tokio::task::JoinSet::new();
            for number in 0..GUESSES {
                let (guard, guessed) = (Arc::clone(&guard), Arc::clone(&guessed));
                guesses.spawn(async move {
                    let credence = judge_from(&guard, guesser, &format!("vcs:{number}")).await;
                    assert_eq!(credence, Credence::Wrong);
                    guessed.fetch_add(1, Ordering::Relaxed);
                });
            }
            // All of them wait.
            tokio::task::yield_now().await;
            assert_eq!(judge_from(&guard, VCS, "vcs:s3cret").await, Credence::Good);
            let before = guessed.load(Ordering::Relaxed);
            assert!(before < GUESSES / 4, "{before} guesses were tried first");
            guesses.abort_all();
        });
    }

    #[test]
    fn who_was_let_in_need_not_prove_it_again_after_a_reload() {
        let guard = hashed("s3cret");
        let Who::Hash { user, hash, .. } = &guard.who else {
            panic!("it has a hash");
        };
        let access = PolicyAccess::Hash {
            user: user.clone(),
            hash: hash.clone(),
        };
        assert_eq!(judge(&guard, "vcs:s3cret"), Credence::Good);
        assert_eq!(judge(&guard, "vcs:other"), Credence::Wrong);
        let again = Guard::new(&access, Some(&guard)).unwrap();
        let Who::Hash { known, .. } = &again.who else {
            panic!("it has a hash");
        };
        assert!(known.lock().unwrap().is_some());
        // With another password what was wrong may be right, and the other way round.
        let user = "vcs".to_owned();
        let hash = super::super::hash(b"other").unwrap();
        let other = Guard::new(&PolicyAccess::Hash { user, hash }, Some(&again)).unwrap();
        // Somebody is still judged by the old one meanwhile.
        assert_eq!(judge(&again, "vcs:other"), Credence::Wrong);
        assert_eq!(judge(&other, "vcs:other"), Credence::Good);
        assert_eq!(judge(&other, "vcs:s3cret"), Credence::Wrong);
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
        for header in [
            None,
            Some(&b"Basic"[..]),
            Some(b"Basic !"),
            Some(b"Digest x"),
        ] {
            assert_eq!(run(guard.judge(VCS, header)), Credence::Wrong);
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
        let guard = Guard::new(&access(&file), None).unwrap();
        assert_eq!(judge(&guard, "vcs:s3cret"), Credence::Good);
        assert_eq!(judge(&guard, "vcs:not this"), Credence::Wrong);
        fs::write(&file, "\nx").unwrap();
        assert!(Guard::new(&access(&file), None).is_err());
        fs::remove_dir_all(&folder).unwrap();
        assert!(Guard::new(&access(&file), None).is_err());
        let hash = "x".to_owned();
        let user = "u".to_owned();
        assert!(Guard::new(&PolicyAccess::Hash { user, hash }, None).is_err());
    }
}
