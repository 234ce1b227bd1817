//! Calls as operators see them: a few at a time, copied out.

use crate::core::Core;
use crate::output::Attempt;
use crate::sip::b2bua::call::Call;
use crate::sip::b2bua::{caller_leg, peer_leg};
use crate::sip::dialog::Dialog;
use crate::sip::message::NameAddr;
use crate::slots::Key;
use std::time::Instant;

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// The caller has no final answer, and nothing rings.
    Inviting,
    /// A peer rings.
    Ringing,
    /// The 2xx is not yet acknowledged.
    Answered,
    /// Both sides talk.
    Established,
    /// One side hung up.
    Ending,
}

/// One call at one moment.
#[derive(Clone, Debug)]
pub struct CallSeen {
    /// Its key.
    pub key: Key,
    /// How far it is.
    pub state: CallState,
    /// The URI in the caller's From.
    pub from: String,
    /// The URI in the caller's To, or of whom a REFER brought in its place.
    pub to: String,
    /// The Call-ID of the caller leg.
    pub call_id: String,
    /// The Call-ID of the peer leg, once it is answered.
    pub peer_call_id: Option<String>,
    /// The attempt that made the peer leg, or is to make it.
    pub attempt: Attempt,
    /// When the INVITE came.
    pub begun: Instant,
}

impl CallState {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inviting => "inviting",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Established => "established",
            Self::Ending => "ending",
        }
    }
}

impl Core {
    /// The calls in the next `slots_max` slots from `slot` on, and the slot to go on from; `None` at
    /// the end. Calls that begin and end in between may be missed, no other.
    #[must_use]
    pub fn calls_seen(&self, slot: u32, slots_max: u32) -> (Vec<CallSeen>, Option<u32>) {
        let end = slot.saturating_add(slots_max);
        let calls = (slot..end).filter_map(|slot| self.calls.at(slot));
        let seen = calls.map(|(key, call)| call_seen(key, call)).collect();
        let is_last = self.calls.slots() <= end as usize;
        (seen, (!is_last).then_some(end))
    }
}

fn call_seen(key: Key, call: &Call) -> CallSeen {
    let caller = &call.caller.dialog;
    CallSeen {
        key,
        state: state(call.caller.state, call.peer.state),
        from: uri(caller.remote()),
        to: uri(dialled(call)),
        call_id: text(caller.call_id()),
        peer_call_id: call.peer.dialog.as_ref().map(Dialog::call_id).map(text),
        attempt: call.peer.progress.current(key),
        begun: call.begun,
    }
}

/// Whom the caller talks with: who was dialled, unless a REFER brought somebody else.
pub(crate) fn dialled(call: &Call) -> &[u8] {
    let referred = call.peer.dialog.as_ref().filter(|_| call.was_referred);
    referred.map_or_else(|| call.caller.dialog.local(), Dialog::remote)
}

fn state(caller: caller_leg::State, peer: peer_leg::State) -> CallState {
    use caller_leg::State;
    match (caller, peer) {
        (State::Inviting, peer_leg::State::Proceeding) => CallState::Ringing,
        (State::Inviting, _) => CallState::Inviting,
        (State::Answered, _) => CallState::Answered,
        (State::Established, _) => CallState::Established,
        (State::Ending | State::Ended | State::Hung, _) => CallState::Ending,
    }
}

pub(crate) fn uri(value: &[u8]) -> String {
    text(NameAddr::parse(value).map_or(value, |parsed| parsed.uri))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
