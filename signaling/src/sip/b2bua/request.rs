//! What we ask of either side inside a dialog: ACK, BYE, and what one leg asks
//! of the other.

use super::headers::{Passage, Way};
use super::{extensions, headers, session_timer};
use crate::context::Context;
use crate::outbox::Span;
use crate::output::Outcome;
use crate::settings::Settings;
use crate::sip::dialog::Dialog;
use crate::sip::dialog::contact::{Features, write_contact};
use crate::sip::message::{HeaderName, Message, Refresher, Writer};
use crate::sip::token::Text;
use crate::sip::transaction::client::{Clients, Late, Purpose};
use crate::slots::Key;
use std::sync::Arc;
use std::time::Instant;

/// RFC 3261 §8.1.1.6, of a request that begins here.
pub(crate) const MAX_FORWARDS: u32 = 70;
/// What is written beside the dialog's own and the message's lines: Contact and Allow.
const ADDED_MAX: usize = 512;

/// Sends the ACK of a 2xx to the INVITE with this number (§13.2.2.4). The caller's ACK lends its body: with a delayed offer that
/// is the answer.
pub(crate) fn ack(
    context: &mut Context,
    dialog: &Dialog,
    cseq: u32,
    from: Option<Lent<'_>>,
) -> Option<Span> {
    let branch = context.ack_branch();
    let settings = Arc::clone(&context.settings);
    let room = dialog.room() + from.map_or(0, |(message, _)| message.bytes().len());
    let transmit = context.send(dialog.hop, None, room, |writer| {
        let start = (&b"ACK"[..], cseq, MAX_FORWARDS);
        dialog.write_start(&settings, writer, start, &branch);
        write_lent(&settings, writer, from);
    })?;
    Some(transmit.span)
}

/// Sends BYE in a dialog; `from` is the other side's BYE, if that was the reason.
pub(crate) fn bye(
    context: &mut Context,
    clients: &mut Clients,
    now: Instant,
    (purpose, dialog): (Purpose, &mut Dialog),
    from: Option<Lent<'_>>,
) -> Option<Key> {
    dialog.cseq_local += 1;
    let dialog = &*dialog;
    let settings = Arc::clone(&context.settings);
    let room = dialog.room() + from.map_or(0, |(message, _)| message.bytes().len());
    clients.send(
        context,
        now,
        (purpose, dialog.hop),
        room,
        |writer, branch| {
            let start = (&b"BYE"[..], dialog.cseq_local, MAX_FORWARDS);
            dialog.write_start(&settings, writer, start, branch);
            write_lent(&settings, writer, from);
        },
    )
}

/// The message of the other side that lends its body to an ACK or BYE, and where that goes.
pub(crate) type Lent<'a> = (&'a Message<'a>, Way);

/// Writes the lines that describe the body, and the body.
fn write_lent(settings: &Settings, writer: &mut Writer<'_>, lent: Option<Lent<'_>>) {
    let Some((message, way)) = lent else {
        return writer.body(b"");
    };
    let passage = Passage::closing(message, way.zone(settings), way.to);
    writer.pass(message, |line| passage.lets(line));
    writer.body(message.body());
}

/// A request of one leg on its way into the other's dialog.
#[derive(Clone, Copy)]
pub(crate) struct Carried<'a> {
    pub(crate) message: &'a Message<'a>,
    /// Our Contact's user part, for a request that has one.
    pub(crate) contact: Option<Text>,
    /// Lines that were written for the leg that is asked.
    pub(crate) translated: &'a [u8],
    /// Of a PRACK: RSeq, and the number of the INVITE on the leg that is asked.
    pub(crate) rack: Option<(u32, u32)>,
    pub(crate) way: Way,
    /// Of an INVITE or UPDATE: the interval of the leg that is asked, and who refreshes.
    pub(crate) session: Option<(u32, Option<Refresher>)>,
}

/// Carries a request of the other leg into this dialog: the lines that pass and the body as they
/// are.
pub(crate) fn carry(
    context: &mut Context,
    clients: &mut Clients,
    now: Instant,
    (purpose, dialog): (Purpose, &mut Dialog),
    carried: Carried<'_>,
) -> Option<Key> {
    let Carried {
        message,
        contact,
        translated,
        rack,
        way,
        session,
    } = carried;
    dialog.cseq_local += 1;
    let dialog = &*dialog;
    let settings = Arc::clone(&context.settings);
    let zone = way.zone(&settings);
    let passage = Passage::of(message, zone, way.to);
    let room = dialog.room() + message.bytes().len() + translated.len() + ADDED_MAX;
    let hops = message.max_forwards().unwrap_or(MAX_FORWARDS + 1);
    clients.send(
        context,
        now,
        (purpose, dialog.hop),
        room,
        |writer, branch| {
            let start = (message.method_text(), dialog.cseq_local, hops - 1);
            dialog.write_start(&settings, writer, start, branch);
            if let Some(user) = contact {
                let features = Features::Of(message);
                write_contact(&settings, writer, &dialog.hop, (&user, features));
                headers::write_allow(writer, message, zone);
            }
            if let Some((rseq, cseq)) = rack {
                writer.put(b"RAck: ");
                writer.number(rseq);
                writer.put(b" ");
                writer.number(cseq);
                writer.put(b" INVITE\r\n");
            }
            if let Some(wish) = session {
                session_timer::write_wish(writer, settings.session, wish);
            }
            extensions::write(writer, message);
            writer.put(translated);
            let has_event = translated.windows(7).any(|text| text == b"Event: ");
            writer.pass(message, |line| {
                passage.lets(line) && !(has_event && line.name == HeaderName::Event)
            });
            writer.body(message.body());
        },
    )
}

/// Answers a 2xx that nobody waits for: ACK, and BYE once (§13.2.2.4). No call remembers it; all that
/// is needed stands in the answer itself.
pub(crate) fn end_stray(
    context: &mut Context,
    clients: &mut Clients,
    now: Instant,
    message: &Message<'_>,
    late: Late,
) {
    let mut dialog = Dialog::of_success(&context.settings, message, late.hop);
    let acked = ack(context, &dialog, message.cseq(), None);
    dialog.cseq_local = dialog.cseq_local.max(late.cseq);
    let purpose = late.attempt.map_or(Purpose::Forgotten, Purpose::ByeToLate);
    let sent = if late.with_bye {
        bye(context, clients, now, (purpose, &mut dialog), None)
    } else {
        None
    };
    debug_assert!(sent.is_none() || acked.is_some(), "a BYE follows an ACK");
    // What cannot be said to the peer cannot be waited for.
    if let Some(attempt) = late.attempt
        && sent.is_none()
    {
        context.report(attempt, Outcome::Over);
    }
}
