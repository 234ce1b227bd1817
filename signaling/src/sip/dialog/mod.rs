//! Dialogs (RFC 3261 §12): what one leg must know to send requests and to recognise them.
//!
//! The text of a dialog (Call-ID, both sides' header values, target, route set) is one allocation,
//! made when the dialog is made. Our own tag is not kept: it is a token, and stands in the local
//! value already.

pub(crate) mod contact;
pub(crate) mod target;
mod text;

pub(crate) use text::Parts;

use crate::hop::Hop;
use crate::settings::Settings;
use crate::sip::message::{HeaderName, Message, NameAddr, Scheme, Uri, Writer};
use target::next_hop;

/// The parts of a dialog's text.
#[derive(Clone, Copy)]
enum Part {
    CallId,
    Local,
    Remote,
    RemoteTag,
    Target,
    Routes,
}

/// One leg's dialog.
#[derive(Debug)]
pub(crate) struct Dialog {
    text: Parts<6>,
    /// CSeq of the last request we sent.
    pub(crate) cseq_local: u32,
    /// CSeq of the last request that came, if one came.
    cseq_remote: Option<u32>,
    /// Where requests go.
    pub(crate) hop: Hop,
}

impl Dialog {
    /// The dialog of an INVITE that we got, seen from us (§12.1.1); `tag` is ours.
    ///
    /// A missing or unreadable Contact leaves the From URI as target: the call is served, and its
    /// BYE goes where it came from.
    pub(crate) fn of_invite(
        settings: &Settings,
        message: &Message<'_>,
        tag: &[u8],
        reply: Hop,
    ) -> Self {
        let mut local = message.to().to_vec();
        if message.to_tag().is_none() {
            local.extend_from_slice(b";tag=");
            local.extend_from_slice(tag);
        }
        let routes = joined(message.values(HeaderName::RecordRoute));
        let target = contact_uri(message)
            .or_else(|| uri_of(message.from()))
            .unwrap_or(b"sip:invalid");
        let text = Parts::new([
            message.call_id(),
            &local,
            message.from(),
            message.from_tag().unwrap_or(&[]),
            target,
            &routes,
        ]);
        let hop = next_hop(settings, target, &routes, reply);
        Self {
            text,
            cseq_local: 0,
            cseq_remote: Some(message.cseq()),
            hop,
        }
    }

    /// The dialog of an INVITE that we sent, made by this answer (§12.1.2). `hop` is where the
    /// INVITE went.
    pub(crate) fn of_success(settings: &Settings, message: &Message<'_>, hop: Hop) -> Self {
        let mut routes: Vec<&[u8]> = message.values(HeaderName::RecordRoute).collect();
        routes.reverse();
        let routes = joined(routes.into_iter());
        let target = contact_uri(message)
            .or_else(|| uri_of(message.to()))
            .unwrap_or(b"sip:invalid");
        let text = Parts::new([
            message.call_id(),
            message.from(),
            message.to(),
            message.to_tag().unwrap_or(&[]),
            target,
            &routes,
        ]);
        let hop = next_hop(settings, target, &routes, hop);
        Self {
            text,
            cseq_local: message.cseq(),
            cseq_remote: None,
            hop,
        }
    }

    /// Our side's From or To value.
    pub(crate) fn local(&self) -> &[u8] {
        self.part(Part::Local)
    }

    /// The other side's From or To value.
    pub(crate) fn remote(&self) -> &[u8] {
        self.part(Part::Remote)
    }

    /// Whether a request with our tag is of this dialog: Call-ID and the other side's tag must be
    /// right too (§12.2.2).
    pub(crate) fn matches(&self, message: &Message<'_>) -> bool {
        self.part(Part::CallId) == message.call_id()
            && self
                .part(Part::RemoteTag)
                .eq_ignore_ascii_case(message.from_tag().unwrap_or(&[]))
    }

    pub(crate) fn call_id(&self) -> &[u8] {
        self.part(Part::CallId)
    }

    /// The other side's tag.
    pub(crate) fn remote_tag(&self) -> &[u8] {
        self.part(Part::RemoteTag)
    }

    /// Our tag.
    pub(crate) fn local_tag(&self) -> &[u8] {
        NameAddr::parse(self.part(Part::Local))
            .ok()
            .and_then(|local| local.tag())
            .unwrap_or(&[])
    }

    /// Where the other side is.
    pub(crate) fn target(&self) -> &[u8] {
        self.part(Part::Target)
    }

    /// Whether the other side has this tag.
    pub(crate) fn is_with(&self, tag: Option<&[u8]>) -> bool {
        self.part(Part::RemoteTag)
            .eq_ignore_ascii_case(tag.unwrap_or(&[]))
    }

    /// A confirmed dialog goes on counting where its early one was.
    pub(crate) fn continue_from(&mut self, early: &Self) {
        if self.is_with(Some(early.part(Part::RemoteTag))) {
            self.cseq_local = self.cseq_local.max(early.cseq_local);
            self.cseq_remote = early.cseq_remote;
        }
    }

    /// Whether a new request comes in order (§12.2.2); then it is the last one from now on. The
    /// same number again is a second request under one number, which §12.2.1.1 rules out.
    pub(crate) fn takes_cseq(&mut self, cseq: u32) -> bool {
        let is_next = self.cseq_remote.is_none_or(|last| cseq > last);
        if is_next {
            self.cseq_remote = Some(cseq);
        }
        is_next
    }

    /// The other side is where the Contact of this message says from now on (§12.2.1.2, §12.2.2).
    pub(crate) fn retarget(&mut self, settings: &Settings, message: &Message<'_>) {
        let Some(target) = contact_uri(message) else {
            return;
        };
        if target == self.part(Part::Target) {
            return;
        }
        let text = Parts::new([
            self.part(Part::CallId),
            self.part(Part::Local),
            self.part(Part::Remote),
            self.part(Part::RemoteTag),
            target,
            self.part(Part::Routes),
        ]);
        self.text = text;
        self.hop = next_hop(settings, target, self.part(Part::Routes), self.hop);
    }

    /// Octets that [`Dialog::write_start`] may write.
    pub(crate) fn room(&self) -> usize {
        self.text.len() + 768
    }

    /// Writes a request of this dialog up to and including CSeq (§12.2.1.1). The branch is without
    /// its cookie.
    pub(crate) fn write_start(
        &self,
        settings: &Settings,
        writer: &mut Writer<'_>,
        (method, cseq, max_forwards): (&[u8], u32, u32),
        branch: &[u8],
    ) {
        let target = self.part(Part::Target);
        let routes = self.part(Part::Routes);
        let strict = target::strict_first_route(routes);
        writer.request_line(method, strict.map_or(target, |route| route.uri));
        write_via(settings, writer, &self.hop, branch);
        writer.put(b"Max-Forwards: ");
        writer.number(max_forwards);
        writer.put(b"\r\n");
        match strict {
            // §12.2.1.1: a first route without `lr` wants itself in the Request-URI and the target
            // at the end.
            Some(route) => {
                writer.put(b"Route: ");
                if !route.rest.is_empty() {
                    writer.put(route.rest);
                    writer.put(b", ");
                }
                writer.put(b"<");
                writer.put(target);
                writer.put(b">\r\n");
            }
            None if !routes.is_empty() => writer.header(b"Route", routes),
            None => {}
        }
        writer.header(b"From", self.part(Part::Local));
        writer.header(b"To", self.part(Part::Remote));
        writer.header(b"Call-ID", self.part(Part::CallId));
        writer.put(b"CSeq: ");
        writer.number(cseq);
        writer.put(b" ");
        writer.put(method);
        writer.put(b"\r\n");
    }

    fn part(&self, part: Part) -> &[u8] {
        self.text.part(part as usize)
    }
}

/// Our Via on a message to `hop`.
pub(crate) fn write_via(settings: &Settings, writer: &mut Writer<'_>, hop: &Hop, branch: &[u8]) {
    let advertised = settings
        .listener(hop.listener)
        .map_or("invalid", |listener| listener.advertised.as_str());
    writer.put(b"Via: SIP/2.0/");
    writer.put(hop.transport.as_str().as_bytes());
    writer.put(b" ");
    writer.put(advertised.as_bytes());
    writer.put(b";branch=z9hG4bK");
    writer.put(branch);
    writer.put(b";rport\r\n");
}

/// The URI of the first Contact.
pub(crate) fn contact_uri<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    uri_of(message.values(HeaderName::Contact).next()?)
}

/// A URI that can stand in a request line: of our schemes, and without header fields (§19.1.1).
fn uri_of(value: &[u8]) -> Option<&[u8]> {
    let text = NameAddr::parse(value).ok()?.uri;
    let uri = Uri::parse(text).ok()?;
    match uri.scheme {
        Scheme::Sip | Scheme::Sips => text.split(|octet| *octet == b'?').next(),
        Scheme::Tel => Some(text),
        Scheme::Other => None,
    }
}

fn joined<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut text = Vec::new();
    for value in values {
        if !text.is_empty() {
            text.extend_from_slice(b", ");
        }
        text.extend_from_slice(value);
    }
    text
}
