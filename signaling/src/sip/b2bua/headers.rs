//! What happens to each header on its way from one leg to the other: one table, and what holds for
//! the caller's zone beside it, whichever way a message goes.
//!
//! Names were made canonical when the message was indexed (compact forms, case, a space before the
//! colon), so that no spelling passes by this table. What it does not name passes byte for byte.

use super::side::Side;
use crate::access::{Zone, ZoneId, is_identity};
use crate::settings::Settings;
use crate::sip::message::{HeaderName, Line, Message, Method, Writer};

/// Where a message goes: to which side of a call, and which zone the caller's side is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) zone: Option<ZoneId>,
    pub(crate) to: Side,
}

impl Way {
    /// The rules of the caller's zone, if it is in one.
    pub(crate) fn zone<'a>(&self, settings: &'a Settings) -> Option<&'a Zone> {
        settings.access.zone(self.zone?)
    }
}

/// What passes of one message.
pub(crate) struct Passage<'a> {
    kind: Kind,
    /// The zone that the message comes from, if a caller sent it.
    source: Option<&'a Zone>,
    /// Whether it must not say who sent it.
    hides_identity: bool,
}

/// What is asked of a message's headers, by what it is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// An answer with this status.
    Answer(u16),
    /// The ACK of a 2xx, or a BYE.
    Closing,
    /// A request that is carried across.
    Request,
}

impl<'a> Passage<'a> {
    /// Of a message to one side of a call whose caller is in this zone.
    pub(crate) fn of(message: &Message<'_>, zone: Option<&'a Zone>, to: Side) -> Self {
        let kind = if message.is_response() {
            Kind::Answer(message.status())
        } else {
            Kind::Request
        };
        Self::new(kind, message, zone, to)
    }

    /// Of a message that lends its body to the ACK of a 2xx or to a BYE.
    pub(crate) fn closing(message: &Message<'_>, zone: Option<&'a Zone>, to: Side) -> Self {
        Self::new(Kind::Closing, message, zone, to)
    }

    fn new(kind: Kind, message: &Message<'_>, zone: Option<&'a Zone>, to: Side) -> Self {
        match to {
            Side::Caller => Self {
                kind,
                source: None,
                hides_identity: zone.is_some_and(|zone| zone.hides_identity(message)),
            },
            Side::Peer => Self {
                kind,
                source: zone,
                hides_identity: false,
            },
        }
    }

    /// Whether this line passes.
    pub(crate) fn lets(&self, line: &Line<'_>) -> bool {
        let by_kind = match self.kind {
            Kind::Answer(status) => passes_in_answer(line, status),
            Kind::Closing => describes_body(line),
            Kind::Request => rule(line.name) == Rule::Pass,
        };
        by_kind
            && self.source.is_none_or(|zone| zone.passes(line))
            && !(self.hides_identity && is_identity(line.name))
    }
}

/// What becomes of a header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The line passes byte for byte.
    Pass,
    /// The leg writes its own, or has none.
    Own,
}

/// In an answer from the side that was asked. The Contacts of a redirection are its content, not
/// the leg's address; RSeq counts the reliable provisionals of one INVITE, whoever sees them.
fn passes_in_answer(line: &Line<'_>, status: u16) -> bool {
    rule(line.name) == Rule::Pass
        || (line.name == HeaderName::Contact && (300..400).contains(&status))
        || (line.name == HeaderName::Rseq && (101..200).contains(&status))
        // RFC 4028 §6: a 422 must say what would do.
        || (line.name == HeaderName::MinSe && status == 422)
}

/// In the ACK of a 2xx, or a BYE: only what describes the body and who sent it.
fn describes_body(line: &Line<'_>) -> bool {
    matches!(
        line.name,
        HeaderName::ContentType
            | HeaderName::ContentEncoding
            | HeaderName::ContentDisposition
            | HeaderName::ContentLanguage
            | HeaderName::MimeVersion
            | HeaderName::UserAgent
            | HeaderName::Reason
    )
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "unknown and informative headers pass: that is the rule"
)]
fn rule(name: HeaderName) -> Rule {
    match name {
        // Each leg's own: its dialog, its hops, its body's length.
        HeaderName::CallId
        | HeaderName::Contact
        | HeaderName::ContentLength
        | HeaderName::Cseq
        | HeaderName::From
        | HeaderName::MaxForwards
        | HeaderName::RecordRoute
        | HeaderName::Route
        | HeaderName::Timestamp
        | HeaderName::To
        | HeaderName::Via
        // What we can carry across is less than what the other side may offer: Allow is ours,
        // Supported and Require are cut to what `extensions` knows.
        | HeaderName::Allow
        | HeaderName::MinSe
        | HeaderName::ProxyRequire
        | HeaderName::Rack
        | HeaderName::Replaces
        | HeaderName::Require
        | HeaderName::Rseq
        | HeaderName::SessionExpires
        | HeaderName::Supported
        // They name dialogs of the other leg.
        | HeaderName::InReplyTo
        | HeaderName::Join
        | HeaderName::ReferTo
        | HeaderName::TargetDialog
        // They hold for one hop.
        | HeaderName::FlowTimer
        | HeaderName::Path
        | HeaderName::SecurityClient
        | HeaderName::SecurityServer
        | HeaderName::SecurityVerify
        | HeaderName::ServiceRoute => Rule::Own,
        _ => Rule::Pass,
    }
}

/// What we can carry across, as an Allow line: [`is_carried`], and what is answered here.
pub(crate) const ALLOW: &[u8] = b"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE, \
    NOTIFY, PRACK, REFER, SUBSCRIBE, UPDATE\r\n";

/// What is allowed outside a dialog. Short, for who asked may not be where it says (RELIABILITY.md
/// section 1): the answer to a small REGISTER must not be much larger than it.
pub(crate) const ALLOW_OUTSIDE: &[u8] = b"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n";

/// [`ALLOW`] where UPDATE is kept out (FEATURES.md ZON-16).
const ALLOW_WITHOUT_UPDATE: &[u8] = b"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE, \
    NOTIFY, PRACK, REFER, SUBSCRIBE\r\n";

/// What we can carry across in a call whose caller is in this zone.
pub(crate) fn allow(zone: Option<&Zone>) -> &'static [u8] {
    if strips_update(zone) {
        ALLOW_WITHOUT_UPDATE
    } else {
        ALLOW
    }
}

fn strips_update(zone: Option<&Zone>) -> bool {
    zone.is_some_and(|zone| zone.strips_update)
}

/// Writes what the other side allows, as far as it is carried across (TRUNK.md section 6). A side
/// that does not say is taken to allow all of it.
pub(crate) fn write_allow(writer: &mut Writer<'_>, message: &Message<'_>, zone: Option<&Zone>) {
    if message.header(HeaderName::Allow).is_none() {
        writer.put(allow(zone));
        return;
    }
    writer.put(b"Allow: ");
    // These are answered here, whatever the other side does.
    writer.put(b"INVITE, ACK, CANCEL, BYE, OPTIONS");
    // Each once, however often it is said: the line has a room.
    let mut written = 0_u32;
    for name in message.values(HeaderName::Allow) {
        let method = Method::from_bytes(name);
        let is_stripped = method == Method::Update && strips_update(zone);
        let bit = 1 << method as u32;
        let is_new = method != Method::Invite && written & bit == 0;
        if is_new && is_carried(method) && !is_stripped {
            written |= bit;
            writer.put(b", ");
            writer.put(name);
        }
    }
    writer.put(b"\r\n");
}

/// Whether a request inside a dialog is carried to the other leg.
pub(crate) fn is_carried(method: Method) -> bool {
    match method {
        Method::Info
        | Method::Invite
        | Method::Message
        | Method::Notify
        | Method::Prack
        | Method::Refer
        | Method::Subscribe
        | Method::Update => true,
        Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Options
        | Method::Other
        | Method::Publish
        | Method::Register => false,
    }
}

/// Whether a request of this method, and its 2xx, says where its sender is (RFC 3311 §5.1, RFC 6665
/// §4.1.2.2 and §4.2.2).
pub(crate) fn has_contact(method: Method) -> bool {
    matches!(
        method,
        Method::Invite | Method::Notify | Method::Refer | Method::Subscribe | Method::Update
    )
}
