//! Asks a message for everything there is, and states what must hold of every message.
//!
//! The tests on vectors, the properties, the corpus replay and the fuzz targets share it: whatever
//! one of them finds, all of them check from then on.
#![allow(dead_code, reason = "each user of this file uses its own part of it")]
#![allow(
    clippy::let_underscore_must_use,
    reason = "of many parsers only that they return counts"
)]
#![allow(clippy::unwrap_used, reason = "a broken promise must fail the test")]

use signaling::sip::message::{
    self as sip, Frame, Framer, Framing, HeaderName, Index, Limits, Message, Writer,
};

/// Reads the bytes in both framings and asks for everything there is.
pub(crate) fn exhaust(bytes: &[u8]) {
    let mut index = Index::new(Limits::default());
    for framing in [Framing::Datagram, Framing::Stream] {
        exhaust_message(&index.read(bytes, framing));
    }
    let limits = Limits {
        headers: 3,
        line_bytes: 40,
        message_bytes: 200,
    };
    exhaust_message(&Index::new(limits).read(bytes, Framing::Datagram));
}

/// Asks a message for everything there is, and checks what must hold of every message.
pub(crate) fn exhaust_message(message: &Message<'_>) {
    if message.fault() == Some(sip::Fault::NotSip) {
        assert!(!message.is_request() && !message.is_response());
    }
    assert!(!(message.is_request() && message.is_response()));
    assert!(message.fault().is_some() || message.is_request() || message.is_response());
    let mut total = message.body().len();
    for line in message.lines() {
        total += line.raw.len();
        assert_eq!(HeaderName::from_bytes(line.name_text), line.name);
        assert!(line.raw.starts_with(line.name_text) && !line.name_text.is_empty());
        exhaust_list(line.value);
    }
    assert!(
        total <= message.bytes().len(),
        "lines and body are parts of the message"
    );
    let mut known = 0;
    for name in HeaderName::ALL {
        let Some(first) = message.header(*name) else {
            continue;
        };
        known += message.headers(*name).count();
        assert_eq!(message.headers(*name).next(), Some(first));
        let lines = message.lines().filter(|line| line.name == *name);
        assert!(message.headers(*name).eq(lines.map(|line| line.value)));
        message
            .values(*name)
            .for_each(|value| assert!(!value.is_empty()));
    }
    assert_eq!(
        known,
        message
            .lines()
            .filter(|line| line.name != HeaderName::Other)
            .count()
    );
    exhaust_value(message.request_uri());
    if message.fault().is_none() {
        exhaust_whole_message(message);
    }
}

/// What must hold of a message without fault.
fn exhaust_whole_message(message: &Message<'_>) {
    assert!(message.branch().is_none_or(|branch| !branch.is_empty()));
    assert_eq!(
        message.branch(),
        sip::Via::parse(message.top_via()).unwrap().branch()
    );
    assert!(
        message
            .values(HeaderName::Via)
            .next()
            .unwrap()
            .starts_with(message.top_via())
    );
    assert!(!message.call_id().is_empty());
    assert_eq!(
        message.from_tag(),
        sip::NameAddr::parse(message.from()).unwrap().tag()
    );
    assert_eq!(
        message.to_tag(),
        sip::NameAddr::parse(message.to()).unwrap().tag()
    );
    assert_eq!(
        message.cseq(),
        sip::Cseq::parse(message.header(HeaderName::Cseq).unwrap())
            .unwrap()
            .number
    );
    assert!(message.cseq() < 1 << 31);
    assert!(message.max_forwards().is_none_or(|hops| hops <= 255));
    assert!(
        message
            .content_length()
            .is_none_or(|length| length == message.body().len())
    );
    if message.is_request() {
        assert_eq!(message.method_text(), message.cseq_method_text());
        assert!(sip::Uri::parse(message.request_uri()).is_ok());
    } else {
        assert!((100..700).contains(&message.status()));
    }
    // Nothing of it can break the lines of a message it is written into.
    for line in message.lines() {
        let after = |end: &[u8]| matches!(end, [b'\r', b'\n', b' ' | b'\t', ..] | [b'\r', b'\n']);
        for (at, byte) in line.raw.iter().enumerate() {
            match byte {
                b'\r' => assert!(after(line.raw.get(at..).unwrap()), "a CR that ends no line"),
                b'\n' => assert_eq!(line.raw.get(at.wrapping_sub(1)), Some(&b'\r')),
                _ => {}
            }
        }
    }
}

/// Rewrites a message without fault, and reads the result: nothing may have changed but what was
/// changed.
pub(crate) fn rewrite(bytes: &[u8]) {
    let mut first = Index::new(Limits::default());
    let message = first.read(bytes, Framing::Datagram);
    if message.fault().is_some() {
        return;
    }
    let mut buffer = vec![0; bytes.len() + 1_000];
    let mut writer = Writer::new(&mut buffer);
    if message.is_request() {
        writer.request_line(message.method_text(), message.request_uri());
    } else {
        writer.status_line(message.status(), message.reason());
    }
    writer.header(b"Via", b"SIP/2.0/UDP new;branch=z9hG4bKnew");
    writer.pass(&message, |line| line.name != HeaderName::ContentLength);
    writer.body(message.body());
    let length = writer.finish().unwrap();
    let mut second = Index::new(Limits {
        headers: 254,
        ..Limits::default()
    });
    let again = second.read(buffer.get(..length).unwrap(), Framing::Stream);
    if length <= usize::from(u16::MAX) {
        assert_eq!(again.fault(), None);
        assert_eq!(again.body(), message.body());
        assert_eq!(again.request_uri(), message.request_uri());
        assert_eq!(
            (again.status(), again.reason()),
            (message.status(), message.reason())
        );
        assert_eq!(
            (again.method_text(), again.call_id()),
            (message.method_text(), message.call_id())
        );
        assert_eq!((again.from(), again.to()), (message.from(), message.to()));
        assert_eq!(again.branch(), Some(&b"z9hG4bKnew"[..]));
        let kept = || {
            message
                .lines()
                .filter(|line| line.name != HeaderName::ContentLength)
        };
        let count = kept().count();
        assert!(
            again
                .lines()
                .skip(1)
                .take(count)
                .map(|line| line.raw)
                .eq(kept().map(|line| line.raw))
        );
    }
    // What does not fit is said, and nothing panics.
    for short in [0, 1, length / 2, length - 1] {
        let mut writer = Writer::new(buffer.get_mut(..short).unwrap());
        writer.status_line(200, b"OK");
        writer.pass(&message, |_| true);
        writer.body(message.body());
        let _ = writer.finish();
    }
}

/// One frame as it can be kept.
#[derive(Debug, PartialEq, Eq)]
enum Kept {
    Message(Vec<u8>),
    Ping,
    Pong,
    Fault(Vec<u8>, sip::Fault),
}

/// Cuts the bytes as one stream, in one piece and in several, and reads each frame.
pub(crate) fn chop(bytes: &[u8]) {
    let limits = Limits {
        message_bytes: 2_000,
        ..Limits::default()
    };
    let whole = frames(bytes, limits, usize::MAX);
    let chosen = usize::from(bytes.first().copied().unwrap_or(0)) + 1;
    for size in [1, 2, 3, chosen] {
        assert_eq!(frames(bytes, limits, size), whole, "in pieces of {size}");
    }
    let mut index = Index::new(limits);
    for frame in &whole {
        match frame {
            Kept::Message(bytes) => {
                let message = index.read(bytes, Framing::Stream);
                assert_eq!(
                    message.bytes().len(),
                    bytes.len(),
                    "framer and index agree on the end"
                );
                let is_end_known = !matches!(
                    message.fault(),
                    Some(
                        sip::Fault::BodyTooShort
                            | sip::Fault::BareLineEnd
                            | sip::Fault::BadContentLength
                            | sip::Fault::HeaderEndMissing
                            | sip::Fault::TooLarge
                            | sip::Fault::Missing(HeaderName::ContentLength)
                            | sip::Fault::Duplicate(HeaderName::ContentLength)
                    )
                );
                assert!(is_end_known, "{:?}", message.fault());
            }
            Kept::Fault(bytes, _) => assert!(index.read(bytes, Framing::Stream).fault().is_some()),
            Kept::Ping | Kept::Pong => {}
        }
    }
}

fn frames(bytes: &[u8], limits: Limits, size: usize) -> Vec<Kept> {
    let mut framer = Framer::new(limits);
    let mut kept = Vec::new();
    // More than the limit at once is the caller's fault, not the stream's.
    for piece in bytes.chunks(size.min(limits.message_bytes)) {
        if framer.push(piece).is_err() {
            break;
        }
        while let Some(frame) = framer.next_frame() {
            kept.push(match frame {
                Frame::Message(bytes) => Kept::Message(bytes.to_vec()),
                Frame::Ping => Kept::Ping,
                Frame::Pong => Kept::Pong,
                Frame::Fault { bytes, fault } => Kept::Fault(bytes.to_vec(), fault),
            });
        }
    }
    kept
}

/// Gives a list, and each of its elements, to every typed parser.
pub(crate) fn exhaust_list(value: &[u8]) {
    exhaust_value(value);
    let mut total = 0;
    for part in sip::Values::new(value) {
        assert!(!part.is_empty());
        total += part.len();
        if part.len() < value.len() {
            exhaust_value(part);
        }
    }
    assert!(total <= value.len());
}

/// Gives one value to every typed parser.
pub(crate) fn exhaust_value(value: &[u8]) {
    exhaust_addresses(value);
    if let Ok(refer) = sip::ReferTo::parse(value) {
        let mut buffer = [0; 64];
        let decoded = refer
            .replaces()
            .and_then(|text| sip::percent_decode(text, &mut buffer));
        let _ = decoded.map(sip::Replaces::parse);
    }
    if let Ok(credentials) = sip::Credentials::parse(value) {
        let mut buffer = [0; 64];
        let _ = sip::unescape(credentials.username(), &mut buffer);
        assert!(credentials.params.iter().count() <= value.len());
    }
    if let Ok(challenge) = sip::Challenge::parse(value) {
        assert!(challenge.qop().count() <= value.len());
        let _ = challenge.is_stale();
    }
    if let Ok(rack) = sip::Rack::parse(value) {
        assert!(rack.cseq < 1 << 31);
    }
    let _ = (sip::Cseq::parse(value), sip::Rseq::parse(value));
    let _ = (sip::SessionExpires::parse(value), sip::MinSe::parse(value));
    let _ = (sip::Replaces::parse(value), sip::TargetDialog::parse(value));
    let _ = (sip::RetryAfter::parse(value), sip::MediaType::parse(value));
    let _ = (sip::TokenValue::parse(value), sip::Params::parse(value));
}

fn exhaust_addresses(value: &[u8]) {
    if let Ok(uri) = sip::Uri::parse(value) {
        let _ = (
            uri.ip(),
            uri.transport(),
            uri.is_loose_router(),
            uri.param("x"),
        );
        assert!(uri.params.iter().all(|param| !param.name.is_empty()));
        assert!(
            value
                .iter()
                .all(|byte| *byte > b' ' && *byte != b'<' && *byte != b'>')
        );
    }
    if let Ok(address) = sip::NameAddr::parse(value) {
        let _ = (address.tag(), sip::Uri::parse(address.uri));
        assert!(!address.uri.is_empty());
    }
    if let Ok(via) = sip::Via::parse(value) {
        let _ = (
            via.branch(),
            via.received(),
            via.rport(),
            via.maddr(),
            via.ttl(),
            via.host_ip(),
        );
        assert!(!via.host.is_empty() && !via.transport.is_empty());
    }
}
