//! The end of a call, and what is told of it to an owner that keeps records. Nothing is written down
//! for one that does not.

use crate::access::ZoneId;
use crate::core::Core;
use crate::output::{Attempt, Ending, Output};
use crate::seen;
use crate::sip::b2bua::call::Call;
use crate::sip::b2bua::{caller_leg, peer_leg};
use crate::sip::dialog::Dialog;
use crate::slots::Key;
use std::fmt;
use std::time::Instant;

/// What ended a call, seen from its first moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The caller gave up before an answer.
    Cancelled,
    /// BYE of the caller.
    CallerHungUp,
    /// A session was not refreshed in time.
    Expired,
    /// This node ended it.
    HungUp,
    /// The caller never acknowledged the 2xx.
    NoAck,
    /// BYE of the peer.
    PeerHungUp,
    /// The caller got this status instead of a 2xx.
    Refused(u16),
}

/// One call that is over.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// What it was.
    pub key: Key,
    /// The zone of the caller.
    pub zone: Option<ZoneId>,
    /// The URI in the caller's From.
    pub from: String,
    /// The URI in the caller's To, or of whom a REFER brought in its place.
    pub to: String,
    /// The attempt that made the peer leg, or was the last one.
    pub attempt: Attempt,
    /// The Call-ID of the caller leg.
    pub call_id: String,
    /// The Call-ID of the peer leg, if that was answered.
    pub peer_call_id: Option<String>,
    /// When the INVITE came.
    pub begun: Instant,
    /// When the 2xx went to the caller.
    pub answered: Option<Instant>,
    /// What ended it, and when.
    pub end: Option<(End, Instant)>,
}

impl End {
    pub(crate) fn of_caller(input: caller_leg::Input) -> Option<Self> {
        use caller_leg::Input;
        match input {
            Input::AckTimeout => Some(Self::NoAck),
            Input::Bye => Some(Self::CallerHungUp),
            Input::Cancel => Some(Self::Cancelled),
            Input::Ack
            | Input::ByeDone
            | Input::NoAnswer
            | Input::PeerFailure
            | Input::PeerHangup
            | Input::PeerProvisional
            | Input::PeerSuccess => None,
        }
    }

    pub(crate) fn of_peer(input: peer_leg::Input) -> Option<Self> {
        (input == peer_leg::Input::Bye).then_some(Self::PeerHungUp)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "cancelled",
            Self::CallerHungUp => "caller_hung_up",
            Self::Expired => "session_expired",
            Self::HungUp => "node_hung_up",
            Self::NoAck => "not_acknowledged",
            Self::PeerHungUp => "peer_hung_up",
            Self::Refused(status) => return write!(f, "refused_{status}"),
        })
    }
}

impl CallRecord {
    pub(crate) fn of(key: Key, call: &Call) -> Self {
        let caller = &call.caller.dialog;
        let peer = call.peer.dialog.as_ref();
        Self {
            key,
            zone: call.zone,
            from: seen::uri(caller.remote()),
            to: seen::uri(seen::dialled(call)),
            attempt: call.peer.progress.current(key),
            call_id: seen::text(caller.call_id()),
            peer_call_id: peer.map(Dialog::call_id).map(seen::text),
            begun: call.begun,
            answered: call.caller.answered,
            end: call.end,
        }
    }
}

impl Core {
    /// Whether records are kept of calls that end from now on. The owner takes them whenever it is told
    /// of an end.
    pub fn keep_records(&mut self, wanted: bool) {
        if !wanted {
            self.records = None;
        } else if self.records.is_none() {
            self.records = Some(Vec::new());
        }
    }

    /// A call that is over.
    pub fn poll_record(&mut self) -> Option<CallRecord> {
        self.records.as_mut()?.pop()
    }

    /// A call whose legs are both over is forgotten; its INVITE transactions may linger.
    pub(crate) fn end_if_over(&mut self, key: Key) {
        let Some(call) = self.calls.get(key) else {
            return;
        };
        if call.caller.state != caller_leg::State::Ended
            || call.peer.state != peer_leg::State::Ended
        {
            return;
        }
        self.stop_repeating(key);
        self.stop_waiting_for_peer(key);
        self.release_offer(key);
        if let Some(call) = self.calls.remove(key) {
            debug_assert!(
                !call.peer.progress.is_open,
                "the last attempt ended with its leg"
            );
            self.context.counters.calls_ended.add_one();
            let answered = call.caller.answered.is_some();
            if let Some(records) = &mut self.records {
                records.push(CallRecord::of(key, &call));
            }
            self.context.outputs.push_back(Output::Ended(Ending {
                call: key,
                answered,
            }));
        }
    }
}
