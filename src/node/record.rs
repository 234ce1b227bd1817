//! Records of calls that are over, for the log of an operator who wants them: what the SIP core knows
//! of a call, and what was decided about it. Nothing is noted while nobody wants records.

use super::Worker;
use balancer::{Balancer, PeerId};
use signaling::slots::Key;
use signaling::{Attempt, Outcome};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// What is noted of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recording {
    /// Nothing.
    #[default]
    Off,
    /// One record for each call.
    Short,
    /// The same, with why its peer was chosen.
    Explained,
}

/// One call that is over.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// What the SIP core knows of it.
    pub call: signaling::CallRecord,
    /// When it was over, where nothing says better.
    pub over: Instant,
    /// What was decided about it.
    pub notes: Notes,
}

/// What was decided about a call.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// What was dialled.
    pub alias: String,
    /// The zone of the caller; empty for none.
    pub zone: String,
    /// The conference that it was for.
    pub conference: Option<Arc<str>>,
    /// The peer that had the call when it was over.
    pub peer: Option<String>,
    /// The peers that were asked, in order; those that a REFER led to stand behind the first ones.
    pub tries: Vec<Try>,
    /// Why the first of them was chosen.
    pub explanation: Option<String>,
}

/// One peer that was asked.
#[derive(Clone, Debug)]
pub struct Try {
    /// The number of the attempt.
    number: u8,
    /// Its name.
    pub peer: String,
    /// The conference that the call would have been for there.
    conference: Option<Arc<str>>,
    /// What came of it.
    pub outcome: Tried,
}

/// What came of asking a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It took the call.
    Accepted,
    /// It refused with this status.
    Answered(u16),
    /// The call ended before it decided.
    Open,
    /// It said nothing in time.
    Silent,
    /// It could not be reached.
    Unreachable,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::Answered(status) => return write!(f, "{status}"),
            Self::Open => "open",
            Self::Silent => "silent",
            Self::Unreachable => "unreachable",
        })
    }
}

/// Notes of the calls that live, and records of those that are over.
#[derive(Default)]
pub(super) struct Records {
    wanted: Recording,
    notes: BTreeMap<Key, Notes>,
    done: VecDeque<CallRecord>,
}

impl Records {
    /// A peer is to be chosen for a call of this alias from this zone; `why` is asked where it is wanted.
    pub(super) fn asked(
        &mut self,
        attempt: Attempt,
        (alias, zone): (&[u8], &str),
        why: impl FnOnce() -> Option<String>,
    ) {
        if self.wanted == Recording::Off || attempt.number > 0 {
            return;
        }
        let is_explained = self.wanted == Recording::Explained;
        let notes = Notes {
            alias: String::from_utf8_lossy(alias).into_owned(),
            zone: zone.to_owned(),
            explanation: is_explained.then(why).flatten(),
            ..Notes::default()
        };
        self.notes.insert(attempt.call, notes);
    }

    /// This peer was chosen.
    pub(super) fn chose(
        &mut self,
        attempt: Attempt,
        (balancer, peer): (&Balancer, PeerId),
        conference: impl FnOnce() -> Option<Arc<str>>,
    ) {
        let Some(notes) = self.notes.get_mut(&attempt.call) else {
            return;
        };
        if let Some(peer) = balancer.board().peer(peer) {
            notes.tries.push(Try {
                number: attempt.number,
                peer: peer.settings.name.clone(),
                conference: conference(),
                outcome: Tried::Open,
            });
        }
    }

    /// What came of it.
    pub(super) fn came_of(&mut self, attempt: Attempt, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Accepted => Tried::Accepted,
            Outcome::Answered { status, .. } => Tried::Answered(status),
            Outcome::Over => return,
            Outcome::Silent => Tried::Silent,
            Outcome::Unreachable(_) => Tried::Unreachable,
        };
        let notes = self.notes.get_mut(&attempt.call);
        let mut tries = notes.into_iter().flat_map(|notes| &mut notes.tries);
        if let Some(tried) = tries.find(|tried| tried.number == attempt.number) {
            tried.outcome = outcome;
        }
    }

    /// A call is over.
    pub(super) fn finish(&mut self, now: Instant, call: signaling::CallRecord) {
        let mut notes = self.notes.remove(&call.key).unwrap_or_default();
        let mut tries = notes.tries.iter();
        let last = tries.rfind(|tried| tried.number == call.attempt.number);
        let accepted = last.filter(|tried| tried.outcome == Tried::Accepted);
        notes.peer = accepted.map(|tried| tried.peer.clone());
        notes.conference = last.and_then(|tried| tried.conference.clone());
        self.done.push_back(CallRecord {
            call,
            over: now,
            notes,
        });
    }
}

impl Worker {
    /// What is noted of calls that begin from now on.
    pub fn record_calls(&mut self, wanted: Recording) {
        self.core.keep_records(wanted != Recording::Off);
        if wanted == Recording::Off {
            self.records = Records::default();
        }
        self.records.wanted = wanted;
    }

    /// A call that is over.
    pub fn poll_record(&mut self) -> Option<CallRecord> {
        self.records.done.pop_front()
    }
}
