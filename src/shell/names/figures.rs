//! What the keeper counts: questions, what came of them, and where names lead. Written by it alone.

use crate::shell::counters::Figure;
use signaling::sip::locate::{Answer, Failure, Kind, Location};
use std::collections::BTreeMap;
use std::time::Instant;
use tokio::sync::watch;

/// The figures of all names.
#[derive(Debug)]
pub(in crate::shell) struct Figures {
    questions: [Figure; KINDS.len()],
    answers: [Figure; OUTCOMES.len()],
    seen: watch::Sender<Seen>,
}

/// What is known by now.
#[derive(Clone, Debug, Default)]
pub(in crate::shell) struct Seen {
    /// When the name service last answered.
    pub(in crate::shell) answered: Option<Instant>,
    /// By what the configuration calls a peer or a set: how many addresses, and whether they are of
    /// an answer past its time.
    pub(in crate::shell) peers: BTreeMap<String, (usize, bool)>,
}

const KINDS: [&str; 4] = ["a", "aaaa", "naptr", "srv"];
const OUTCOMES: [&str; 5] = ["absent", "records", "refused", "timeout", "unreachable"];

impl Figures {
    pub(super) fn new() -> Self {
        Self {
            questions: Default::default(),
            answers: Default::default(),
            seen: watch::Sender::new(Seen::default()),
        }
    }

    pub(super) fn asked(&self, kind: Kind) {
        let kind = match kind {
            Kind::A => "a",
            Kind::Aaaa => "aaaa",
            Kind::Naptr => "naptr",
            Kind::Srv => "srv",
        };
        count(&KINDS, &self.questions, kind);
    }

    pub(super) fn answered(&self, answer: &Answer) {
        let outcome = match answer {
            Answer::Absent { .. } => "absent",
            Answer::Records(_) => "records",
            Answer::Failed(Failure::Refused) => "refused",
            Answer::Failed(Failure::Timeout) => "timeout",
            Answer::Failed(Failure::Unreachable) => "unreachable",
        };
        count(&OUTCOMES, &self.answers, outcome);
        match answer {
            Answer::Absent { .. } | Answer::Records(_) => {
                let now = Instant::now();
                self.seen.send_modify(|seen| seen.answered = Some(now));
            }
            Answer::Failed(_) => {}
        }
    }

    pub(super) fn located(&self, peer: &str, location: &Location) {
        let found = (location.targets.len(), location.is_stale);
        let peer = peer.to_owned();
        self.seen.send_modify(|seen| {
            seen.peers.insert(peer, found);
        });
    }

    /// Only these have names from now on.
    pub(super) fn keep(&self, is_kept: impl Fn(&str) -> bool) {
        self.seen
            .send_modify(|seen| seen.peers.retain(|peer, _| is_kept(peer)));
    }

    /// Questions by kind.
    pub(in crate::shell) fn questions(&self) -> impl Iterator<Item = (&'static str, u64)> {
        each(&KINDS, &self.questions)
    }

    /// What came of them.
    pub(in crate::shell) fn answers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        each(&OUTCOMES, &self.answers)
    }

    /// What is known by now.
    pub(in crate::shell) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }
}

fn count(words: &[&str], figures: &[Figure], word: &str) {
    let mut figures = words.iter().zip(figures);
    if let Some((_, figure)) = figures.find(|(known, _)| **known == word) {
        figure.add(1);
    }
}

fn each<'f>(
    words: &'f [&'static str],
    figures: &'f [Figure],
) -> impl Iterator<Item = (&'static str, u64)> + 'f {
    let figures = words.iter().zip(figures);
    figures.map(|(word, figure)| (*word, figure.value()))
}
