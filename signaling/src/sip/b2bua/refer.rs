//! A REFER that is not carried across (RFC 3515): whom it names, the INVITE to that one, and the NOTIFYs
//! to who sent it. What follows from it is [`super::transfer`]'s.

use super::headers;
use super::offer::split_at_tag;
use super::side::{Side, Stage};
use super::transfer::Transfer;
use super::{extensions, request};
use crate::core::Core;
use crate::hop::Hop;
use crate::output::{ATTEMPTS_MAX, Replaced};
use crate::settings::Settings;
use crate::sip::dialog::contact::{Features, write_contact};
use crate::sip::dialog::{Dialog, target, write_via};
use crate::sip::message::{HeaderName, Message, Method, NameAddr, ReferTo, Scheme, Writer};
use crate::sip::reject::Cause;
use crate::sip::token::Text;
use crate::sip::transaction::client::Purpose;
use crate::slots::Key;
use std::sync::Arc;
use std::time::Instant;

/// Room for what a NOTIFY has beside its dialog's lines.
const ADDED_MAX: usize = 512;

/// What the NOTIFYs of a REFER say beside how it went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notices {
    /// Whether any are wanted (RFC 4488).
    is_wanted: bool,
    /// The number of the REFER, unless it was the first of its call (RFC 3515 §2.4.6).
    id: Option<u32>,
    /// What was said last.
    said: u16,
}

/// Whom a REFER names.
pub(crate) struct Named {
    pub(crate) uri: Vec<u8>,
    pub(crate) lines: Vec<u8>,
    /// The other end of a call of ours, which is called where it is.
    pub(crate) hop: Option<Hop>,
    /// That call, where a peer has it.
    pub(crate) replaced: Option<Replaced>,
}

impl Core {
    /// Takes a REFER on: 202, and the target is called.
    pub(crate) fn accept_refer(
        &mut self,
        now: Instant,
        (from, key): (Side, Key),
        hops: (Hop, Hop),
        message: &Message<'_>,
        index: u64,
    ) -> Result<(), Cause> {
        let call = self.calls.get(key).ok_or(Cause::NoDialog)?;
        let is_confirmed = call.stage(Side::Caller) == Stage::Established
            && call.stage(Side::Peer) == Stage::Established;
        if !is_confirmed || call.transfer.is_some() {
            return Err(Cause::Busy);
        }
        let attempt = call.peer.progress.next(key);
        // Each attempt of a call has a name of its own, and there are no more names than that.
        if attempt.number >= ATTEMPTS_MAX {
            return Err(Cause::Declined);
        }
        let named = self.named_by(key, message)?;
        let is_wanted = !message
            .header(HeaderName::ReferSub)
            .is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(b"false"));
        let server = self
            .servers
            .open(&mut self.context, now, message, hops, index)
            .ok_or(Cause::Overloaded)?;
        let tag = self.leg_token(key, from);
        let call = self.calls.get_mut(key).ok_or(Cause::NoDialog)?;
        let is_first = !std::mem::replace(&mut call.was_referred, true);
        let notices = Notices {
            is_wanted,
            id: (!is_first).then_some(message.cseq()),
            said: 0,
        };
        call.transfer = Some(Box::new(Transfer::new((from, attempt), named, notices)));
        let hop = call.dialog(from).map_or(hops.1, |dialog| dialog.hop);
        let features = Features::Kept(&call.session(from.other()).features);
        let settings = Arc::clone(&self.context.settings);
        self.servers.respond(
            &mut self.context,
            now,
            (server, 202),
            ADDED_MAX,
            |writer, head| {
                writer.status_line(202, b"Accepted");
                head.write(writer, Some(&tag));
                write_contact(&settings, writer, &hop, (&tag, features));
                if !is_wanted {
                    writer.put(b"Refer-Sub: false\r\n");
                }
                writer.body(b"");
            },
        );
        self.notify_referrer(now, key, 100);
        self.seek_target(now, key);
        Ok(())
    }

    fn named_by(&self, key: Key, message: &Message<'_>) -> Result<Named, Cause> {
        let value = message.header(HeaderName::ReferTo).ok_or(Cause::BadRefer)?;
        // RFC 3515 §2.4.2: exactly one.
        if message.headers(HeaderName::ReferTo).count() != 1 {
            return Err(Cause::BadRefer);
        }
        let refer_to = ReferTo::parse(value).map_err(|_| Cause::BadRefer)?;
        if refer_to.method != Method::Invite
            || !matches!(refer_to.uri.scheme, Scheme::Sip | Scheme::Tel)
        {
            return Err(Cause::Declined);
        }
        let mut lines = Vec::new();
        // RFC 3892: who asked for the call.
        if let Some(by) = message.header(HeaderName::ReferredBy) {
            lines.extend_from_slice(b"Referred-By: ");
            lines.extend_from_slice(by);
            lines.extend_from_slice(b"\r\n");
        }
        if refer_to.replaces().is_some() {
            let named = self.replaced_by(key, &refer_to).ok_or(Cause::Declined)?;
            lines.extend_from_slice(&named.lines);
            return Ok(Named { lines, ..named });
        }
        let uri = refer_to.address.uri.split(|octet| *octet == b'?').next();
        Ok(Named {
            uri: uri.unwrap_or(&[]).to_vec(),
            lines,
            hop: None,
            replaced: None,
        })
    }

    /// Tells who referred how it goes (RFC 3515 §2.4.4); a final status is the last word.
    pub(crate) fn notify_referrer(&mut self, now: Instant, key: Key, status: u16) {
        let settings = Arc::clone(&self.context.settings);
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let Some(transfer) = call.transfer.as_deref_mut() else {
            return;
        };
        let side = transfer.referrer;
        let notices = transfer.notices;
        if !notices.is_wanted || transfer.is_alone || notices.said == status {
            return;
        }
        transfer.notices.said = status;
        let features = call.session(side.other()).features.clone();
        let tag = self.leg_token(key, side);
        let Some(dialog) = self
            .calls
            .get_mut(key)
            .and_then(|call| call.dialog_mut(side))
        else {
            return;
        };
        dialog.cseq_local += 1;
        let dialog = &*dialog;
        let to = (Purpose::Notice(key, side), dialog.hop);
        let room = dialog.room() + ADDED_MAX;
        let (context, clients) = (&mut self.context, &mut self.clients);
        clients.send(context, now, to, room, |writer, branch| {
            let start = (&b"NOTIFY"[..], dialog.cseq_local, request::MAX_FORWARDS);
            dialog.write_start(&settings, writer, start, branch);
            let features = Features::Kept(&features);
            write_contact(&settings, writer, &dialog.hop, (&tag, features));
            writer.put(b"Event: refer");
            if let Some(id) = notices.id {
                writer.put(b";id=");
                writer.number(id);
            }
            writer.put(if status < 200 {
                b"\r\nSubscription-State: active;expires=300\r\n"
            } else {
                b"\r\nSubscription-State: terminated;reason=noresource\r\n"
            });
            writer.put(b"Content-Type: message/sipfrag;version=2.0\r\n");
            writer.body(fragment(status));
        });
    }
}

impl Core {
    /// A NOTIFY of ours has a final answer. RFC 6665 §4.2.2: who knows the subscription no more hears no more of
    /// it; the call is another thing (RFC 5057 §5.1).
    pub(crate) fn notice_answered(&mut self, key: Key, side: Side, message: Option<&Message<'_>>) {
        if message.is_some_and(|message| message.status() == 481)
            && let Some(transfer) = self.transfer_mut(key)
            && transfer.referrer == side
        {
            transfer.notices.is_wanted = false;
        }
    }
}

/// The status line that a NOTIFY brings (RFC 3420).
fn fragment(status: u16) -> &'static [u8] {
    match status {
        100 => b"SIP/2.0 100 Trying\r\n",
        ..=182 => b"SIP/2.0 180 Ringing\r\n",
        183..200 => b"SIP/2.0 183 Session Progress\r\n",
        200..300 => b"SIP/2.0 200 OK\r\n",
        403 => b"SIP/2.0 403 Forbidden\r\n",
        404 => b"SIP/2.0 404 Not Found\r\n",
        408 => b"SIP/2.0 408 Request Timeout\r\n",
        480 => b"SIP/2.0 480 Temporarily Unavailable\r\n",
        486 => b"SIP/2.0 486 Busy Here\r\n",
        488 => b"SIP/2.0 488 Not Acceptable Here\r\n",
        504 => b"SIP/2.0 504 Server Time-out\r\n",
        600.. => b"SIP/2.0 603 Decline\r\n",
        // What else there is says no more than that it did not come to be.
        300..600 => b"SIP/2.0 503 Service Unavailable\r\n",
    }
}

/// Writes the INVITE to the target, without a body: it is to make the offer. It comes from the side that
/// stays.
pub(crate) fn write_invite(
    settings: &Settings,
    writer: &mut Writer<'_>,
    hop: &Hop,
    (branch, tag, call_id): (&Text, &Text, &Text),
    (stays, transfer, features): (&Dialog, &Transfer, Features<'_>),
) {
    writer.put(b"INVITE ");
    // Who is called where a dialog leads is called by the URI that it gave itself.
    if transfer.direct.is_some() {
        writer.put(&transfer.target);
    } else {
        let uri = transfer.search.uri();
        target::write_peer_uri(writer, uri.unwrap_or(&transfer.target), hop);
    }
    writer.put(b" SIP/2.0\r\n");
    write_via(settings, writer, hop, branch);
    writer.put(b"Max-Forwards: ");
    writer.number(request::MAX_FORWARDS);
    let from = stays.remote();
    let from_tag = NameAddr::parse(from).ok().and_then(|from| from.tag());
    let (front, back) = split_at_tag(from, from_tag);
    writer.put(b"\r\nFrom: ");
    writer.put(front);
    writer.put(b";tag=");
    writer.put(tag);
    writer.put(back);
    writer.put(b"\r\nTo: <");
    writer.put(&transfer.target);
    writer.put(b">\r\nCall-ID: ");
    writer.put(call_id);
    writer.put(b"\r\nCSeq: 1 INVITE\r\n");
    write_contact(settings, writer, hop, (tag, features));
    writer.put(headers::ALLOW);
    writer.put(extensions::OWN);
    writer.put(&transfer.lines);
}
