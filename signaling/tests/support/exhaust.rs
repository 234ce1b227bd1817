//! Asks a message for everything there is; the tests on vectors, the corpus replay and the fuzz targets share it.

use signaling::sip::message::{self as sip, Framing, Index, Limits, Message};

/// Reads the bytes in both framings and asks for everything there is.
pub(crate) fn exhaust(bytes: &[u8]) {
    let mut index = Index::new(Limits::default());
    for framing in [Framing::Datagram, Framing::Stream] {
        exhaust_message(&index.read(bytes, framing));
    }
}

/// Asks a message for everything there is, and checks what must hold of every message.
pub(crate) fn exhaust_message(message: &Message<'_>) {
    assert!(!(message.is_request() && message.is_response()));
    if message.fault() == Some(sip::Fault::NotSip) {
        assert!(!message.is_request() && !message.is_response());
    }
    let mut total = message.body().len();
    for line in message.lines() {
        total += line.raw.len();
        assert_eq!(sip::HeaderName::from_bytes(line.name_text), line.name);
        let value = line.value;
        for part in sip::Values::new(value).chain([value]) {
            exhaust_value(part);
        }
    }
    assert!(
        total <= message.bytes().len(),
        "lines and body are parts of the message"
    );
    for name in sip::HeaderName::ALL {
        assert_eq!(message.header(*name), message.headers(*name).next());
        assert_eq!(
            message.headers(*name).count(),
            message.lines().filter(|line| line.name == *name).count()
        );
        message
            .values(*name)
            .for_each(|value| assert!(!value.is_empty()));
    }
    exhaust_value(message.request_uri());
    for part in [
        message.from(),
        message.to(),
        message.call_id(),
        message.top_via(),
    ] {
        let has_bare = part.iter().enumerate().any(|(at, byte)| match byte {
            b'\r' => part.get(at + 1) != Some(&b'\n'),
            b'\n' => at == 0 || part.get(at - 1) != Some(&b'\r'),
            _ => false,
        });
        assert!(
            !has_bare || message.fault().is_some(),
            "an answer would carry a bare line end"
        );
    }
    if message.fault().is_none() {
        assert!(message.branch().is_none_or(|branch| !branch.is_empty()));
        assert!(!message.call_id().is_empty() && !message.top_via().is_empty());
        assert!(sip::NameAddr::parse(message.from()).is_ok());
        assert!(sip::NameAddr::parse(message.to()).is_ok());
        assert!(sip::Via::parse(message.top_via()).is_ok());
        assert!(message.cseq() < 1 << 31);
    }
}

/// Gives one value to every typed parser.
pub(crate) fn exhaust_value(value: &[u8]) {
    if let Ok(uri) = sip::Uri::parse(value) {
        let _ = (
            uri.ip(),
            uri.transport(),
            uri.is_loose_router(),
            uri.param("x"),
        );
        assert!(uri.params.iter().all(|param| !param.name.is_empty()));
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
    if let Ok(refer) = sip::ReferTo::parse(value) {
        let _ = refer
            .replaces()
            .map(|text| sip::percent_decoded(text).count());
    }
    if let Ok(credentials) = sip::Credentials::parse(value) {
        let mut buffer = [0; 64];
        let _ = sip::unescape(credentials.username(), &mut buffer);
        assert!(credentials.params.iter().count() <= value.len());
    }
    if let Ok(challenge) = sip::Challenge::parse(value) {
        assert!(challenge.qop().count() <= value.len());
    }
    let _ = (
        sip::Cseq::parse(value),
        sip::Rack::parse(value),
        sip::Rseq::parse(value),
    );
    let _ = (sip::SessionExpires::parse(value), sip::MinSe::parse(value));
    let _ = (sip::Replaces::parse(value), sip::TargetDialog::parse(value));
    let _ = (sip::RetryAfter::parse(value), sip::MediaType::parse(value));
    let _ = (sip::TokenValue::parse(value), sip::Params::parse(value));
}
