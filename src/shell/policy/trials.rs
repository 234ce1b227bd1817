//! Whose credentials are tried next. Argon2 takes memory and time, so that only few are tried at one
//! time; who guesses must not keep a VCS waiting that says for the first time who it is.
//!
//! Each source has one trial at one time. Sources that never said anything wrong have a lane of their
//! own; all others share a second one, which rests after each wrong guess.

use super::crowd::network;
use super::digest::Digest;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Shared by all configurations, one after the other.
#[derive(Clone)]
pub(super) struct Trials(Arc<Shared>);

struct Shared {
    /// For sources that never said anything wrong.
    fresh: Arc<Semaphore>,
    /// For those that did.
    guessing: Arc<Semaphore>,
    sources: Mutex<HashMap<IpAddr, Source>>,
    wrong: Mutex<VecDeque<Digest>>,
}

#[derive(Clone)]
struct Source {
    /// One trial at one time.
    turn: Arc<Semaphore>,
    was_wrong: bool,
}

/// The right to try once; it goes with the trial, though whoever asked may be gone.
pub(super) struct Turn {
    trials: Trials,
    source: IpAddr,
    is_guessing: bool,
    lane: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

/// Sources that are remembered. When there are more, those that wait for nothing are forgotten.
const SOURCES_MAX: usize = 4_096;
/// Wrong credentials that are remembered: a VCS that was told a wrong password says it again and again.
const WRONG_MAX: usize = 64;
/// How long the lane of those who guess rests after a wrong guess.
const REST: Duration = Duration::from_millis(100);

impl Trials {
    pub(super) fn new() -> Self {
        let one = || Arc::new(Semaphore::new(1));
        Self(Arc::new(Shared {
            fresh: one(),
            guessing: one(),
            sources: Mutex::default(),
            wrong: Mutex::default(),
        }))
    }

    /// Waits for the turn of a source; none if there is no end of sources that guess.
    pub(super) async fn turn(&self, from: IpAddr) -> Option<Turn> {
        let source = network(from);
        let own = self.source(source)?.turn.acquire_owned().await.ok()?;
        // What came of the trials before says in which lane this one waits.
        let is_guessing = self.source(source)?.was_wrong;
        let lane = if is_guessing {
            &self.0.guessing
        } else {
            &self.0.fresh
        };
        let lane = Arc::clone(lane).acquire_owned().await.ok()?;
        Some(Turn {
            trials: self.clone(),
            source,
            is_guessing,
            lane,
            _own: own,
        })
    }

    /// Whether this was tried, and was wrong.
    pub(super) fn is_wrong(&self, said: &Digest) -> bool {
        let wrong = self.0.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.contains(said)
    }

    fn note_wrong(&self, said: Digest) {
        let mut wrong = self.0.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= WRONG_MAX {
            wrong.pop_front();
        }
        wrong.push_back(said);
    }

    fn source(&self, source: IpAddr) -> Option<Source> {
        let mut sources = self
            .0
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if sources.len() >= SOURCES_MAX && !sources.contains_key(&source) {
            sources.retain(|_, known| Arc::strong_count(&known.turn) > 1);
        }
        if sources.len() >= SOURCES_MAX && !sources.contains_key(&source) {
            return None;
        }
        let known = sources.entry(source).or_insert_with(|| Source {
            turn: Arc::new(Semaphore::new(1)),
            was_wrong: false,
        });
        Some(known.clone())
    }

    fn judged(&self, source: IpAddr, is_right: bool) {
        let mut sources = self
            .0
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sources.get_mut(&source) {
            known.was_wrong = !is_right;
        }
    }
}

impl Turn {
    /// How the trial went. After a wrong one the lane of those who guess is given on later.
    pub(super) fn end(self, said: Digest, is_right: bool) {
        self.trials.judged(self.source, is_right);
        if is_right {
            return;
        }
        self.trials.note_wrong(said);
        if self.is_guessing {
            let lane = self.lane;
            tokio::spawn(async move {
                tokio::time::sleep(REST).await;
                drop(lane);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<F: Future>(future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(future)
    }

    #[test]
    fn sources_take_turns_and_guessers_have_a_lane_of_their_own() {
        run(async {
            let trials = Trials::new();
            let source = |text: &str| text.parse::<IpAddr>().unwrap();
            let (guesser, vcs) = (source("192.0.2.1"), source("192.0.2.2"));
            let digest = |number| Digest::of(&[0; 32], &[number]);
            trials.turn(guesser).await.unwrap().end(digest(1), false);
            assert!(trials.is_wrong(&digest(1)) && !trials.is_wrong(&digest(2)));
            // It guesses again, and its lane is taken; the VCS does not wait for it.
            let guess = trials.turn(guesser).await.unwrap();
            assert!(guess.is_guessing);
            let first = trials.turn(vcs).await.unwrap();
            assert!(!first.is_guessing);
            first.end(digest(3), true);
            guess.end(digest(2), false);
            // Who says the right thing is forgiven.
            trials.turn(guesser).await.unwrap().end(digest(4), true);
            assert!(!trials.turn(guesser).await.unwrap().is_guessing);
            for number in 0..=u8::try_from(WRONG_MAX).unwrap() {
                trials.note_wrong(digest(number));
            }
            assert!(!trials.is_wrong(&digest(0)) && trials.is_wrong(&digest(9)));
        });
    }

    #[test]
    fn sources_that_wait_for_nothing_are_forgotten_first() {
        let trials = Trials::new();
        let source = |number: usize| IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
        let kept: Vec<_> = (0..SOURCES_MAX)
            .map(|number| trials.source(source(number)))
            .collect();
        assert!(kept.iter().all(Option::is_some));
        assert!(
            trials.source(source(SOURCES_MAX)).is_none(),
            "all of them wait"
        );
        assert!(trials.source(source(0)).is_some(), "one that is known");
        drop(kept);
        assert!(trials.source(source(SOURCES_MAX)).is_some());
    }
}
