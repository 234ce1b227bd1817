//! Early dialogs that are used before the 2xx (RFC 3262): a reliable provisional makes one, so that
//! its PRACK, and an UPDATE behind it, have a way to the peer.
//!
//! A reliable provisional is repeated by the peer until its PRACK comes, and passes each time: the
//! caller, who acknowledges the first one and drops the rest, sees one reliable server. RSeq is the
//! peer's; RAck is translated, since each leg counts its own CSeq.

use super::extensions;
use super::side::Side;
use crate::core::Core;
use crate::hop::Hop;
use crate::sip::dialog::Dialog;
use crate::sip::message::{HeaderName, Message, Rack};
use crate::sip::reject::Cause;
use crate::slots::Key;

/// Whether this provisional wants a PRACK (RFC 3262 §4).
pub(crate) fn is_reliable(message: &Message<'_>) -> bool {
    (101..200).contains(&message.status())
        && message.to_tag().is_some()
        && message.header(HeaderName::Rseq).is_some()
        && extensions::requires(message, "100rel")
}

impl Core {
    /// Keeps the dialog of the peer's first reliable provisional. Whether the provisional passes:
    /// the caller sees one dialog, so a reliable one of another fork finds no way to its PRACK.
    pub(crate) fn take_provisional(&mut self, key: Key, message: &Message<'_>) -> bool {
        if !is_reliable(message) {
            return true;
        }
        let Some(call) = self.calls.get_mut(key) else {
            return false;
        };
        match (&call.peer.dialog, call.peer.hop) {
            (Some(dialog), _) => dialog.is_with(message.to_tag()),
            (None, Some(hop)) => {
                let dialog = Dialog::of_success(&self.context.settings, message, hop);
                call.peer.dialog = Some(dialog);
                true
            }
            (None, None) => false,
        }
    }

    /// Makes the dialog of the 2xx that won (§13.2.2.4); the numbers of its early dialog go on.
    pub(crate) fn take_success(&mut self, key: Key, message: &Message<'_>, hop: Hop) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let mut dialog = Dialog::of_success(&self.context.settings, message, hop);
        if let Some(early) = call.peer.dialog.take() {
            dialog.continue_from(&early);
        }
        call.peer.dialog = Some(dialog);
    }

    /// The RAck for the other leg: the number of the INVITE there (RFC 3262 §7.2).
    pub(crate) fn translated_rack(
        &self,
        key: Key,
        from: Side,
        message: &Message<'_>,
    ) -> Result<(u32, u32), Cause> {
        let rack = message.header(HeaderName::Rack).map(Rack::parse);
        let Some(Ok(rack)) = rack else {
            return Err(Cause::NoDialog);
        };
        let call = self.calls.get(key).ok_or(Cause::NoDialog)?;
        if from == Side::Caller && rack.cseq == call.caller.invite_cseq {
            return Ok((rack.rseq, call.peer.progress.invite_cseq()));
        }
        // RFC 3262 §3: 481 where no provisional waits for it.
        let mut exchanges = self.exchanges.of(call).map(|(_, exchange)| exchange);
        let invite = exchanges.find_map(|exchange| {
            let reinvite = exchange.reinvite.as_ref()?;
            (exchange.from == from && reinvite.cseq_in == rack.cseq).then_some(reinvite)
        });
        invite
            .map(|invite| (rack.rseq, invite.cseq_out))
            .ok_or(Cause::NoDialog)
    }
}
