//! Our Contact (RFC 3261 §8.1.1.8), and what it says of the other side of the call: what that can do (RFC
//! 3840), for whoever asks for a roster, a floor or several screens by it (docs/decisions/0021).
//!
//! What names a device or a registration (`+sip.instance`, `reg-id`, GRUUs) is of the other leg and never
//! passes.

use crate::hop::Hop;
use crate::settings::Settings;
use crate::sip::message::{HeaderName, Message, NameAddr, Writer};

/// Octets of features that pass; what is more is left out.
pub(crate) const FEATURES_MAX: usize = 192;

/// Parameters of a Contact that say what can be done with its owner, in small letters: RFC 3840 §10, RFC 4579
/// §5.1, RFC 5768 §4, and what Cisco's systems call a floor control.
const PASSING: &[&[u8]] = &[
    b"+sip.ice",
    b"application",
    b"audio",
    b"automata",
    b"bfcp",
    b"control",
    b"data",
    b"duplex",
    b"isfocus",
    b"language",
    b"text",
    b"video",
];

/// What Cisco's systems tell each other, as `x-cisco-multiple-screen`.
const CISCO: &[u8] = b"x-cisco-";

/// What the other side of the call can do.
#[derive(Clone, Copy)]
pub(crate) enum Features<'a> {
    /// As it was kept: parameters with their semicolons.
    Kept(&'a [u8]),
    /// As the Contact of this message says it.
    Of(&'a Message<'a>),
}

/// Writes our Contact on a message to `hop`; the user part is the leg's token.
pub(crate) fn write_contact(
    settings: &Settings,
    writer: &mut Writer<'_>,
    hop: &Hop,
    (token, features): (&[u8], Features<'_>),
) {
    let advertised = settings
        .listener(hop.listener)
        .map_or("invalid", |listener| listener.advertised.as_str());
    writer.put(b"Contact: <sip:");
    writer.put(token);
    writer.put(b"@");
    writer.put(advertised.as_bytes());
    writer.put(hop.transport.uri_parameter().as_bytes());
    writer.put(b">");
    write_features(writer, features);
    writer.put(b"\r\n");
}

/// Writes features alone.
pub(crate) fn write_features(writer: &mut Writer<'_>, features: Features<'_>) {
    match features {
        Features::Kept(kept) => writer.put(kept),
        Features::Of(message) => each(message, |part| writer.put(part)),
    }
}

/// What a message says of its sender, to be kept.
pub(crate) fn features_of(message: &Message<'_>) -> Box<[u8]> {
    let mut kept = Vec::new();
    each(message, |part| kept.extend_from_slice(part));
    kept.into()
}

/// Shows each part of the features, in order.
fn each(message: &Message<'_>, mut show: impl FnMut(&[u8])) {
    let contact = message.values(HeaderName::Contact).next();
    let Some(contact) = contact.and_then(|value| NameAddr::parse(value).ok()) else {
        return;
    };
    let mut room = FEATURES_MAX;
    for param in contact.params.iter().filter(|param| passes(param.name)) {
        let value = param.value.map_or(0, |value| value.len() + 1);
        let Some(left) = room.checked_sub(1 + param.name.len() + value) else {
            return;
        };
        room = left;
        show(b";");
        show(param.name);
        if let Some(value) = param.value {
            show(b"=");
            show(value);
        }
    }
}

fn passes(name: &[u8]) -> bool {
    let is_cisco = name.get(..CISCO.len());
    is_cisco.is_some_and(|start| start.eq_ignore_ascii_case(CISCO))
        || PASSING.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::{Framing, Index, Limits};

    fn kept(params: &str) -> String {
        let text = format!(
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n\
             From: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: i\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:c@192.0.2.1>{params}\r\nContent-Length: 0\r\n\r\n"
        );
        let mut index = Index::new(Limits::default());
        let message = index.read(text.as_bytes(), Framing::Datagram);
        assert_eq!(message.fault(), None);
        String::from_utf8_lossy(&features_of(&message)).into_owned()
    }

    #[test]
    fn what_can_be_done_passes_and_who_it_is_does_not() {
        let said = ";+sip.instance=\"<urn:uuid:1>\";video;Audio;X-Cisco-Multiple-Screen=3;q=0.5\
                    ;bfcp;language=\"en,fr\";reg-id=1;isfocus;expires=60;+u.sip!devicename.example=\"a\"";
        let passes = ";video;Audio;X-Cisco-Multiple-Screen=3;bfcp;language=\"en,fr\";isfocus";
        assert_eq!(kept(said), passes);
        assert_eq!(kept(""), "");
    }

    #[test]
    fn no_more_passes_than_there_is_room_for() {
        let long = format!(";isfocus;x-cisco-a={};video", "a".repeat(FEATURES_MAX));
        assert_eq!(kept(&long), ";isfocus");
    }
}
