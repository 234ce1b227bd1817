//! The place of a leg in its call: one that was made by an attempt may take the place of the caller's own or
//! of an earlier peer's ([`super::transfer`]).

use super::call::Call;
use super::side::Side;
use super::{caller_leg, peer_leg};
use crate::core::Core;
use crate::hop::Hop;
use crate::output::{Attempt, Outcome};
use crate::sip::dialog::Dialog;
use crate::slots::Key;

impl Call {
    /// A new leg takes a side's place.
    pub(crate) fn seat(
        &mut self,
        side: Side,
        (dialog, hop): (Dialog, Hop),
        (attempt, is_owned): (Attempt, bool),
    ) {
        match side {
            Side::Caller => {
                self.caller.state = caller_leg::State::Established;
                self.caller.dialog = dialog;
                // No ACK is of the INVITE that began the call any more.
                self.caller.invite_cseq = 0;
                self.caller.reply = hop;
                self.caller.seated = Some((attempt.number, is_owned));
                self.source = hop;
                self.zone = None;
            }
            Side::Peer => {
                self.peer.state = peer_leg::State::Established;
                self.peer.dialog = Some(dialog);
                self.peer.client = None;
                self.peer.hop = Some(hop);
                self.peer.progress.number = attempt.number;
                self.peer.progress.is_open = is_owned;
            }
        }
    }

    /// The attempt that holds a session of a peer for a side.
    pub(crate) fn attempt_of(&self, key: Key, side: Side) -> Option<Attempt> {
        let number = match side {
            Side::Caller => self.caller.seated.filter(|(_, is_owned)| *is_owned)?.0,
            Side::Peer => {
                let progress = &self.peer.progress;
                progress.is_open.then_some(progress.number)?
            }
        };
        Some(Attempt { call: key, number })
    }

    /// The attempt of a side whose owner waits for its end; it is not asked for twice.
    pub(crate) fn take_attempt(&mut self, key: Key, side: Side) -> Option<Attempt> {
        let number = match side {
            Side::Caller => {
                let (number, is_owned) = self.caller.seated.as_mut()?;
                std::mem::take(is_owned).then_some(*number)
            }
            Side::Peer => {
                let progress = &mut self.peer.progress;
                std::mem::take(&mut progress.is_open).then_some(progress.number)
            }
        };
        number.map(|number| Attempt { call: key, number })
    }
}

impl Core {
    /// A leg that took the caller's place is over.
    pub(crate) fn close_seat(&mut self, key: Key) {
        let call = self.calls.get_mut(key);
        if let Some(attempt) = call.and_then(|call| call.take_attempt(key, Side::Caller)) {
            self.context.report(attempt, Outcome::Over);
        }
    }
}
