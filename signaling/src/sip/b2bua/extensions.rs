//! Option tags (RFC 3261 §19.2): which extensions Baton carries from one leg to the other.
//!
//! Each leg is offered what the other one supports and Baton carries, and nothing else. What a
//! Require names beyond that is refused with 420.

use crate::access::Zone;
use crate::sip::message::{HeaderName, Message, Method, Writer};

/// Extensions that work through Baton: their header fields pass, or are translated.
const CARRIED: &[&[u8]] = &[
    b"100rel",
    b"answermode",
    b"early-session",
    b"histinfo",
    b"norefersub",
    b"precondition",
    b"replaces",
    b"resource-priority",
    b"tdialog",
];

/// The option tags in Require and Proxy-Require that we do not know. We are no proxy: whatever is
/// asked of proxies is not known.
pub(crate) fn unsupported<'a>(message: &Message<'a>) -> impl Iterator<Item = &'a [u8]> {
    message
        .values(HeaderName::Require)
        .filter(|tag| !is_known(tag))
        .chain(message.values(HeaderName::ProxyRequire))
        .filter(|tag| !tag.is_empty())
}

/// Whether a request asks for more than we carry. A zone may say what of Proxy-Require is nothing
/// (FEATURES.md ZON-16).
pub(crate) fn asks_too_much(message: &Message<'_>, zone: Option<&Zone>) -> bool {
    let asks_proxies = |tag: &[u8]| zone.is_none_or(|zone| !zone.ignores(tag));
    let mut proxies = message.values(HeaderName::ProxyRequire);
    let mut required = message.values(HeaderName::Require);
    required.any(|tag| !tag.is_empty() && !is_known(tag))
        || proxies.any(|tag| !tag.is_empty() && asks_proxies(tag))
}

/// Whether a message requires this extension.
pub(crate) fn requires(message: &Message<'_>, tag: &str) -> bool {
    has(message, HeaderName::Require, tag)
}

/// Whether the sender of a message supports this extension.
pub(crate) fn supports(message: &Message<'_>, tag: &str) -> bool {
    has(message, HeaderName::Supported, tag) || requires(message, tag)
}

/// What we support without anybody else.
pub(crate) const OWN: &[u8] = b"Supported: timer\r\n";

/// Writes what one side supports and requires for the other, and what we do ourselves.
pub(crate) fn write(writer: &mut Writer<'_>, message: &Message<'_>) {
    // RFC 4028 §7.1: each leg has a timer of its own.
    let has_session = matches!(message.cseq_method(), Method::Invite | Method::Update);
    let own: &[u8] = if has_session { b"timer" } else { b"" };
    write_list(writer, message, HeaderName::Supported, own);
    write_list(writer, message, HeaderName::Require, b"");
}

fn write_list(writer: &mut Writer<'_>, message: &Message<'_>, name: HeaderName, own: &[u8]) {
    let own = (!own.is_empty()).then_some(own);
    let carried = message.values(name).filter(|tag| is_carried(tag));
    let mut is_first = true;
    for tag in own.into_iter().chain(carried) {
        if is_first {
            writer.put(name.as_str().as_bytes());
            writer.put(b": ");
        } else {
            writer.put(b",");
        }
        writer.put(tag);
        is_first = false;
    }
    if !is_first {
        writer.put(b"\r\n");
    }
}

fn has(message: &Message<'_>, name: HeaderName, tag: &str) -> bool {
    let mut tags = message.values(name);
    tags.any(|value| value.eq_ignore_ascii_case(tag.as_bytes()))
}

/// Whether it is carried, or done on each leg by itself.
fn is_known(tag: &[u8]) -> bool {
    is_carried(tag) || tag.eq_ignore_ascii_case(b"timer")
}

fn is_carried(tag: &[u8]) -> bool {
    CARRIED
        .iter()
        .any(|carried| carried.eq_ignore_ascii_case(tag))
}
