//! What happens to each header on its way from one leg to the other: one table.
//!
//! Names were made canonical when the message was indexed (compact forms, case, a space before the
//! colon), so that no spelling passes by this table. What it does not name passes byte for byte.

use crate::sip::message::{HeaderName, Line, Message, Method, Writer};

/// What becomes of a header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The line passes byte for byte.
    Pass,
    /// The leg writes its own, or has none.
    Own,
}

/// In an INVITE from the caller to the peer.
pub(crate) fn passes_in_invite(line: &Line<'_>) -> bool {
    rule(line.name) == Rule::Pass
}

/// In a request inside a dialog, from one leg to the other.
pub(crate) fn passes_in_dialog(line: &Line<'_>) -> bool {
    rule(line.name) == Rule::Pass
}

/// In an answer from the side that was asked. The Contacts of a redirection are its content, not
/// the leg's address; RSeq counts the reliable provisionals of one INVITE, whoever sees them.
pub(crate) fn passes_in_answer(line: &Line<'_>, status: u16) -> bool {
    rule(line.name) == Rule::Pass
        || (line.name == HeaderName::Contact && (300..400).contains(&status))
        || (line.name == HeaderName::Rseq && (101..200).contains(&status))
}

/// In the ACK of a 2xx, or a BYE: only what describes the body and who sent it.
pub(crate) fn passes_with_body(line: &Line<'_>) -> bool {
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

/// Writes what the other side allows, as far as it is carried across (TRUNK.md section 6). A side
/// that does not say is taken to allow all of it.
pub(crate) fn write_allow(writer: &mut Writer<'_>, message: &Message<'_>) {
    if message.header(HeaderName::Allow).is_none() {
        writer.put(ALLOW);
        return;
    }
    writer.put(b"Allow: ");
    // These are answered here, whatever the other side does.
    writer.put(b"INVITE, ACK, CANCEL, BYE, OPTIONS");
    for name in message.values(HeaderName::Allow) {
        let method = Method::from_bytes(name);
        if method != Method::Invite && is_carried(method) {
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
