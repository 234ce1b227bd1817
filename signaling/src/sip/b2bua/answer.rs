//! What those who ask are told: the other side's answers carried over, and our own.

use super::attempt::Refused;
use super::headers::{Passage, Way};
use super::session_timer::Agreed;
use super::{extensions, headers};
use crate::context::Context;
use crate::hop::Hop;
use crate::outbox::Span;
use crate::sip::dialog::contact::{Features, write_contact};
use crate::sip::message::{HeaderName, Message};
use crate::sip::reject::Cause;
use crate::sip::token::{Kind, Text};
use crate::sip::transaction::server::Servers;
use crate::slots::Key;
use std::sync::Arc;
use std::time::Instant;

/// Contact, Allow, Warning, Reason and Content-Length, with a long name of ours.
const ADDED_MAX: usize = 768;

/// Where a request of one side is answered: its transaction, and our name in the dialog.
#[derive(Clone, Copy)]
pub(crate) struct Answering {
    pub(crate) server: Key,
    pub(crate) tag: Text,
    pub(crate) hop: Hop,
    pub(crate) way: Way,
    /// Whether it is the INVITE that makes the dialog.
    pub(crate) begins: bool,
    /// What is agreed on the session timer, in a 2xx.
    pub(crate) session: Option<Agreed>,
}

/// Carries an answer over to the one who asked: status, reason, passing headers and body as they
/// are.
pub(crate) fn relay(
    context: &mut Context,
    servers: &mut Servers,
    now: Instant,
    to: Answering,
    message: &Message<'_>,
) -> Option<Span> {
    let status = message.status();
    let settings = Arc::clone(&context.settings);
    let zone = to.way.zone(&settings);
    let passage = Passage::of(message, zone, to.way.to);
    // RFC 3311 §5.1: a reliable provisional may say what is allowed; who is silent then says it in
    // the 2xx.
    let says_allow = status >= 200 || message.header(HeaderName::Allow).is_some();
    servers.respond(
        context,
        now,
        (to.server, status),
        message.bytes().len() + ADDED_MAX,
        |writer, head| {
            writer.status_line(status, message.reason());
            head.write(writer, Some(&to.tag));
            if status < 300 && headers::has_contact(message.cseq_method()) {
                // §12.1.1: what makes a dialog repeats the Record-Route and says where requests go.
                if to.begins {
                    head.write_record_route(writer);
                }
                let features = Features::Of(message);
                write_contact(&settings, writer, &to.hop, (&to.tag, features));
                if says_allow {
                    headers::write_allow(writer, message, zone);
                }
                if let Some(session) = to.session.filter(|_| status >= 200) {
                    session.write(writer);
                }
            }
            // §21.4.6: a 405 must say what is allowed, and the other side's Allow is not what we
            // carry.
            if status == 405 {
                headers::write_allow(writer, message, zone);
            }
            extensions::write(writer, message);
            writer.pass(message, |line| passage.lets(line));
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

/// 200 to an UPDATE that only refreshes the session.
pub(crate) fn accept_refresh(
    context: &mut Context,
    servers: &mut Servers,
    now: Instant,
    (to, features): (Answering, Features<'_>),
) {
    let settings = Arc::clone(&context.settings);
    servers.respond(context, now, (to.server, 200), ADDED_MAX, |writer, head| {
        writer.status_line(200, b"OK");
        head.write(writer, Some(&to.tag));
        write_contact(&settings, writer, &to.hop, (&to.tag, features));
        writer.put(headers::allow(to.way.zone(&settings)));
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
