//! What the caller is told: the peer's answers carried over, and our own.

use super::attempt::Refused;
use super::session_timer::Agreed;
use super::{extensions, headers};
use crate::access::{ZoneId, is_identity};
use crate::context::Context;
use crate::hop::Hop;
use crate::outbox::Span;
use crate::sip::dialog::write_contact;
use crate::sip::message::Message;
use crate::sip::reject::Cause;
use crate::sip::token::{Kind, Text};
use crate::sip::transaction::server::Servers;
use crate::slots::Key;
use std::sync::Arc;
use std::time::Instant;

/// Contact, Allow, Warning, Reason and Content-Length, with a long name of ours.
const ADDED_MAX: usize = 768;

/// Where a caller is answered: its INVITE's transaction, and our name in the dialog.
#[derive(Clone, Copy)]
pub(crate) struct Answering {
    pub(crate) server: Key,
    pub(crate) tag: Text,
    pub(crate) hop: Hop,
    /// The zone of the caller, if it is the caller that is answered.
    pub(crate) zone: Option<ZoneId>,
    /// What is agreed on the session timer, in a 2xx.
    pub(crate) session: Option<Agreed>,
}

/// Carries a peer's answer over to the caller's INVITE: status, reason, passing headers and body as
/// they are.
pub(crate) fn relay(
    context: &mut Context,
    servers: &mut Servers,
    now: Instant,
    to: Answering,
    message: &Message<'_>,
) -> Option<Span> {
    let status = message.status();
    let settings = Arc::clone(&context.settings);
    let zone = to.zone.and_then(|zone| settings.access.zone(zone));
    let hides = zone.is_some_and(|zone| zone.hides_identity(message));
    servers.respond(
        context,
        now,
        (to.server, status),
        message.bytes().len() + ADDED_MAX,
        |writer, head| {
            writer.status_line(status, message.reason());
            head.write(writer, Some(&to.tag));
            // §12.1.1: what makes a dialog repeats the Record-Route and says where requests go.
            if status < 300 {
                head.write_record_route(writer);
                write_contact(&settings, writer, &to.hop, &to.tag);
                if status >= 200 {
                    headers::write_allow(writer, message);
                    if let Some(session) = to.session {
                        session.write(writer);
                    }
                }
            }
            // §21.4.6: a 405 must say what is allowed, and the peer's Allow is not what we carry.
            if status == 405 {
                headers::write_allow(writer, message);
            }
            extensions::write(writer, message);
            writer.pass(message, |line| {
                headers::passes_in_answer(line, status) && !(hides && is_identity(line.name))
            });
            writer.body(message.body());
        },
    )
}

/// Carries a peer's refusal over that was kept while others were tried.
pub(crate) fn relay_kept(
    context: &mut Context,
    servers: &mut Servers,
    now: Instant,
    to: Answering,
    refused: &Refused,
) {
    let status = refused.status();
    let room = refused.len() + ADDED_MAX;
    servers.respond(context, now, (to.server, status), room, |writer, head| {
        writer.status_line(status, refused.reason());
        head.write(writer, Some(&to.tag));
        writer.put(refused.lines());
        writer.body(refused.body());
    });
}

/// Carries the answer to a request inside a dialog over to the side that asked.
pub(crate) fn relay_in_dialog(
    context: &mut Context,
    servers: &mut Servers,
    now: Instant,
    to: Answering,
    message: &Message<'_>,
) -> Option<Span> {
    let status = message.status();
    let method = message.cseq_method();
    let settings = Arc::clone(&context.settings);
    let zone = to.zone.and_then(|zone| settings.access.zone(zone));
    let hides = zone.is_some_and(|zone| zone.hides_identity(message));
    servers.respond(
        context,
        now,
        (to.server, status),
        message.bytes().len() + ADDED_MAX,
        |writer, head| {
            writer.status_line(status, message.reason());
            head.write(writer, Some(&to.tag));
            if status < 300 && headers::has_contact(method) {
                write_contact(&settings, writer, &to.hop, &to.tag);
                headers::write_allow(writer, message);
                if let Some(session) = to.session.filter(|_| status >= 200) {
                    session.write(writer);
                }
            }
            if status == 405 {
                headers::write_allow(writer, message);
            }
            extensions::write(writer, message);
            writer.pass(message, |line| {
                headers::passes_in_answer(line, status) && !(hides && is_identity(line.name))
            });
            writer.body(message.body());
        },
    )
}

/// 200 to an UPDATE that only refreshes the session.
pub(crate) fn accept_refresh(
    context: &mut Context,
    servers: &mut Servers,
    now: Instant,
    to: Answering,
) {
    let settings = Arc::clone(&context.settings);
    servers.respond(context, now, (to.server, 200), ADDED_MAX, |writer, head| {
        writer.status_line(200, b"OK");
        head.write(writer, Some(&to.tag));
        write_contact(&settings, writer, &to.hop, &to.tag);
        writer.put(headers::ALLOW);
        writer.put(extensions::OWN);
        if let Some(session) = to.session {
            session.write(writer);
        }
        writer.body(b"");
    });
}

/// A short answer of our own to any request that has a transaction.
pub(crate) fn own(
    context: &mut Context,
    servers: &mut Servers,
    now: Instant,
    (server, cause): (Key, Cause),
    tag: &[u8],
) {
    let (status, reason) = cause.status();
    let settings = Arc::clone(&context.settings);
    let listener = servers
        .listener(server)
        .and_then(|listener| settings.listener(listener));
    let agent = listener.map_or("baton", |listener| listener.advertised.as_str());
    context.counters.rejected.add_one();
    let retry_after = cause.retry_after(&settings.overload, context.mint.hash(&[tag]));
    servers.respond(context, now, (server, status), ADDED_MAX, |writer, head| {
        writer.status_line(status, reason.as_bytes());
        head.write(writer, Some(tag));
        if let Some(warning) = cause.warning() {
            writer.put(b"Warning: 399 ");
            writer.put(agent.as_bytes());
            writer.put(b" \"");
            writer.put(warning.as_bytes());
            writer.put(b"\"\r\nReason: SIP;cause=");
            writer.number(u32::from(status));
            writer.put(b";text=\"");
            writer.put(warning.as_bytes());
            writer.put(b"\"\r\n");
        }
        if let Some(seconds) = retry_after {
            writer.put(b"Retry-After: ");
            writer.number(seconds);
            writer.put(b"\r\n");
        }
        writer.body(b"");
    });
}

/// 200 to a BYE or CANCEL.
pub(crate) fn accept(
    context: &mut Context,
    servers: &mut Servers,
    now: Instant,
    server: Key,
    tag: &[u8],
) {
    servers.respond(context, now, (server, 200), 0, |writer, head| {
        writer.status_line(200, b"OK");
        head.write(writer, Some(tag));
        writer.body(b"");
    });
}

/// Our tag and Contact user towards the caller of a call.
pub(crate) fn caller_tag(context: &Context, call: Key) -> Text {
    context.token(Kind::CallerLeg, call)
}
