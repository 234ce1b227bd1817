//! What we ask of either side inside a dialog: ACK, BYE, CANCEL.

use super::headers;
use crate::context::Context;
use crate::hop::Hop;
use crate::outbox::Span;
use crate::sip::dialog::Dialog;
use crate::sip::message::Message;
use crate::sip::transaction::client::{Clients, Purpose};
use crate::slots::Key;
use std::sync::Arc;
use std::time::Instant;

/// Sends the ACK of a 2xx (§13.2.2.4). The caller's ACK lends its body: with a delayed offer that
/// is the answer.
pub(crate) fn ack(
    context: &mut Context,
    dialog: &Dialog,
    from: Option<&Message<'_>>,
) -> Option<Span> {
    let branch = context.ack_branch();
    let settings = Arc::clone(&context.settings);
    let room = dialog.room() + from.map_or(0, |message| message.bytes().len());
    let transmit = context.send(dialog.hop, None, room, |writer| {
        dialog.write_start(&settings, writer, b"ACK", dialog.cseq_local, &branch);
        if let Some(message) = from {
            writer.pass(message, headers::passes_with_body);
        }
        writer.body(from.map_or(b"", |message| message.body()));
    })?;
    Some(transmit.span)
}

/// Sends BYE in a dialog; `from` is the other side's BYE, if that was the reason.
pub(crate) fn bye(
    context: &mut Context,
    clients: &mut Clients,
    now: Instant,
    (purpose, dialog): (Purpose, &mut Dialog),
    from: Option<&Message<'_>>,
) -> Option<Key> {
    dialog.cseq_local += 1;
    let dialog = &*dialog;
    let settings = Arc::clone(&context.settings);
    let room = dialog.room() + from.map_or(0, |message| message.bytes().len());
    clients.send(
        context,
        now,
        (purpose, dialog.hop),
        room,
        |writer, branch| {
            dialog.write_start(&settings, writer, b"BYE", dialog.cseq_local, branch);
            if let Some(message) = from {
                writer.pass(message, headers::passes_with_body);
            }
            writer.body(from.map_or(b"", |message| message.body()));
        },
    )
}

/// Answers a 2xx of a fork that did not win: ACK, and BYE once (§13.2.2.4). No call remembers it;
/// all that is needed stands in the answer itself.
pub(crate) fn end_stray(
    context: &mut Context,
    clients: &mut Clients,
    now: Instant,
    message: &Message<'_>,
    (hop, with_bye): (Hop, bool),
) {
    let mut dialog = Dialog::of_success(&context.settings, message, hop);
    let acked = ack(context, &dialog, None);
    if with_bye {
        let sent = bye(
            context,
            clients,
            now,
            (Purpose::Forgotten, &mut dialog),
            None,
        );
        debug_assert!(sent.is_none() || acked.is_some(), "a BYE follows an ACK");
    }
}
