//! rsip 0.4 as an oracle: where it is right, both read the same; where it is not, each class of
//! disagreement is here, with who is right and why (docs/decisions/0002).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::collection::vec;
use proptest::prelude::*;
use rsip::prelude::*;
use signaling::sip::message::{Framing, HeaderName, Index, Limits, Message, NameAddr, Uri, Via};

fn ours<T>(bytes: &[u8], ask: impl FnOnce(&Message<'_>) -> T) -> T {
    ask(&Index::new(Limits::default()).read(bytes, Framing::Datagram))
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn theirs(bytes: &[u8]) -> Result<rsip::SipMessage, rsip::Error> {
    rsip::SipMessage::try_from(bytes)
}

fn request(start: &str, header: &str, body: &str) -> String {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\r\nFrom: <sip:a@b.example>;tag=1\r\n\
        To: <sip:c@d.example>\r\nCall-ID: x@y\r\nCSeq: 1 OPTIONS\r\n{header}\r\n{body}"
    )
}

fn options(header: &str) -> String {
    request("OPTIONS sip:c@d.example SIP/2.0", header, "")
}

/// A class of messages that Baton takes and rsip refuses.
fn only_ours(text: &str) {
    assert_eq!(
        ours(text.as_bytes(), |message| message.fault()),
        None,
        "{text}"
    );
    assert!(theirs(text.as_bytes()).is_err(), "{text}");
}

/// A class of messages that rsip takes and Baton refuses.
fn only_theirs(text: &str) {
    assert!(
        ours(text.as_bytes(), |message| message.fault()).is_some(),
        "{text}"
    );
    assert!(theirs(text.as_bytes()).is_ok(), "{text}");
}

fn written(text: &str) -> Vec<u8> {
    theirs(text.as_bytes()).unwrap().into()
}

#[test]
fn what_rsip_refuses_and_rfc_3261_allows() {
    // §8.2.1: an unknown method is answered with 405 or 501, so it must be readable.
    only_ours(&options("").replace("OPTIONS", "NEWMETHOD"));
    // §7.3.1: folded lines.
    only_ours(&options("Subject: a\r\n b\r\n"));
    // §7.3.1, §25.1 HCOLON: white space before the colon.
    only_ours(&options("Subject : a\r\n"));
    // §7.5: CRLF before the start line is ignored.
    only_ours(&format!("\r\n{}", options("")));
    // §19.1.1: an IPv6 reference.
    only_ours(&request("OPTIONS sip:c@[2001:db8::1] SIP/2.0", "", ""));
    // §8.1.1.1, RFC 3966: a tel URI in the Request-URI is understood or answered with 416.
    only_ours(&request("OPTIONS tel:+12015550123 SIP/2.0", "", ""));
    // §25.1, quoted-string: any octet above the ASCII ones.
    let bytes = options("Subject: \u{1}\r\n")
        .replace('\u{1}', "?")
        .into_bytes();
    let latin: Vec<_> = bytes
        .iter()
        .map(|byte| if *byte == b'?' { 0xe9 } else { *byte })
        .collect();
    assert_eq!(ours(&latin, |message| message.fault()), None);
    assert!(theirs(&latin).is_err());
    // Not in the grammar, and met: a status line that ends after the status.
    let response = options("").replace("OPTIONS sip:c@d.example SIP/2.0", "SIP/2.0 200");
    only_ours(&response);
}

#[test]
fn what_rsip_takes_and_rfc_3261_forbids() {
    // §18.3: a body shorter than Content-Length.
    only_theirs(&options("Content-Length: 5\r\n"));
    // §20.14: Content-Length is a number, and stands once.
    only_theirs(&options("Content-Length: -1\r\n"));
    only_theirs(&options("Content-Length: 0\r\nContent-Length: 1\r\n"));
    // §8.1.1: the mandatory fields.
    only_theirs("OPTIONS sip:c@d.example SIP/2.0\r\nSubject: a\r\n\r\n");
    // §8.1.1.5: the number in CSeq is below 2^31, its method is that of the request.
    only_theirs(&options("").replace("1 OPTIONS", "4294967296 OPTIONS"));
    only_theirs(&options("").replace("1 OPTIONS", "1 INVITE"));
    // §20.22: Max-Forwards is 0 to 255.
    only_theirs(&options("Max-Forwards: 300\r\n"));
}

#[test]
fn what_rsip_loses() {
    // Two messages in one buffer become one, the second as its body.
    let two = format!("{}{}", options("Content-Length: 0\r\n"), options(""));
    assert!(!theirs(two.as_bytes()).unwrap().body().is_empty());
    assert!(ours(two.as_bytes(), |message| message.body().is_empty()));
    // Compact names are not found under their long ones.
    let compact = options("").replace("Call-ID:", "i:");
    assert!(
        theirs(compact.as_bytes())
            .unwrap()
            .call_id_header()
            .is_err()
    );
    assert!(ours(compact.as_bytes(), |message| message.call_id() == b"x@y"));
    // Of several Vias on one line only the first is typed.
    let vias = options("").replace(";branch=z9hG4bK1", ";branch=z9hG4bK1, SIP/2.0/UDP second");
    let typed = theirs(vias.as_bytes())
        .unwrap()
        .via_header()
        .unwrap()
        .typed()
        .unwrap();
    assert!(!typed.to_string().contains("second"));
    assert_eq!(
        ours(vias.as_bytes(), |message| message
            .values(HeaderName::Via)
            .count()),
        2
    );
}

#[test]
fn what_rsip_changes_on_the_way_through() {
    // A body that is no UTF-8 grows, and keeps its old Content-Length.
    let mut binary = options("Content-Length: 4\r\n").into_bytes();
    binary.extend_from_slice(&[0xff, 0xfe, 0x00, 0x80]);
    let out = theirs(&binary).unwrap().to_string();
    assert!(out.len() > binary.len());
    // A reason phrase becomes the name of a constant.
    let start = "SIP/2.0 486 Alle Leitungen belegt";
    let response = options("").replace("OPTIONS sip:c@d.example SIP/2.0", start);
    assert!(written(&response).starts_with(b"SIP/2.0 486 BusyHere"));
    // A URI parameter value is cut at a colon, and what follows is gone; in a Request-URI the whole
    // message is refused.
    let from = options("").replace("<sip:a@b.example>", "<sip:a@b.example;foo=1:2;bar=3>");
    let typed = theirs(from.as_bytes())
        .unwrap()
        .from_header()
        .unwrap()
        .typed()
        .unwrap();
    assert_eq!(typed.uri.to_string(), "sip:a@b.example;foo=1");
    ours(from.as_bytes(), |message| {
        let uri = Uri::parse(NameAddr::parse(message.from()).unwrap().uri).unwrap();
        assert_eq!(uri.param("foo"), Some(Some(&b"1:2"[..])));
        assert_eq!(uri.param("bar"), Some(Some(&b"3"[..])));
    });
    only_ours(&request(
        "OPTIONS sip:c@d.example;foo=1:2;bar=3 SIP/2.0",
        "",
        "",
    ));
    // A user with a dot in it is read as part of the host.
    let dot = request("OPTIONS sip:c.d@e.example SIP/2.0", "", "");
    let rsip::SipMessage::Request(read) = theirs(dot.as_bytes()).unwrap() else {
        panic!("no request")
    };
    assert_eq!(
        (read.uri.user(), read.uri.host().to_string()),
        (None, "c.d@e.example".to_owned())
    );
    ours(dot.as_bytes(), |message| {
        let uri = Uri::parse(message.request_uri()).unwrap();
        assert_eq!((uri.user, uri.host), (Some(&b"c.d"[..]), &b"e.example"[..]));
    });
    // The transport parameter changes its case.
    let uri = request("OPTIONS sip:c@d.example;transport=udp SIP/2.0", "", "");
    assert!(written(&uri).starts_with(b"OPTIONS sip:c@d.example;transport=UDP"));
}

/// Messages of the kind that rsip reads well: known methods, names in full, no folds, ASCII.
fn plain() -> impl Strategy<Value = String> {
    let method = prop_oneof![
        Just("INVITE"),
        Just("ACK"),
        Just("BYE"),
        Just("CANCEL"),
        Just("OPTIONS"),
        Just("REGISTER"),
        Just("INFO"),
        Just("UPDATE"),
        Just("REFER"),
        Just("NOTIFY"),
        Just("SUBSCRIBE"),
        Just("MESSAGE"),
    ];
    let host = prop_oneof!["[a-z]{1,10}\\.example", Just("192.0.2.7".to_owned())];
    let name = prop_oneof![
        Just("Subject"),
        Just("User-Agent"),
        Just("Server"),
        Just("X-Unknown"),
        Just("Organization"),
    ];
    let header = (name, "[a-zA-Z0-9]([ -~]{0,30}[a-zA-Z0-9])?")
        .prop_map(|(name, value)| format!("{name}: {value}\r\n"));
    let user = "[a-z0-9]{1,12}";
    let text = "[a-z0-9]{1,16}";
    (
        (method, user, host.clone(), proptest::option::of(1..65_535_u16)),
        (text, text, proptest::option::of(text), 0..1_u32 << 31),
        (vec(header, 0..6), "[ -~]{0,60}", proptest::option::of(200..600_u16)),
    )
        .prop_map(|((method, user, host, port), (call, tag, to_tag, cseq), (headers, body, status))| {
            let port = port.map_or_else(String::new, |port| format!(":{port}"));
            let start = match status {
                Some(_) => "SIP/2.0 200 OK".to_owned(),
                None => format!("{method} sip:{user}@{host}{port} SIP/2.0"),
            };
            let to_tag = to_tag.map_or_else(String::new, |tag| format!(";tag={tag}"));
            format!(
                "{start}\r\nVia: SIP/2.0/UDP {host}{port};branch=z9hG4bK{call}\r\nMax-Forwards: 70\r\n\
                From: \"A {user}\" <sip:{user}@{host}>;tag={tag}\r\nTo: <sip:{user}@{host}>{to_tag}\r\n\
                Call-ID: {call}@{host}\r\nCSeq: {cseq} {method}\r\n{}Content-Length: {}\r\n\r\n{body}",
                headers.concat(),
                body.len()
            )
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plain_messages_are_read_alike(text in plain()) {
        let theirs = theirs(text.as_bytes()).unwrap();
        ours(text.as_bytes(), |message| -> Result<(), TestCaseError> {
            prop_assert_eq!(message.fault(), None);
            match &theirs {
                rsip::SipMessage::Request(request) => {
                    prop_assert!(message.is_request());
                    prop_assert_eq!(string(message.method_text()), request.method().to_string());
                    prop_assert_eq!(string(message.request_uri()), request.uri().to_string());
                    let uri = Uri::parse(message.request_uri()).unwrap();
                    prop_assert_eq!(string(uri.host), request.uri().host().to_string());
                    prop_assert_eq!(uri.port, request.uri().port().map(|port| *port.value()));
                }
                rsip::SipMessage::Response(response) => {
                    prop_assert!(message.is_response());
                    prop_assert_eq!(message.status(), response.status_code().code());
                }
            }
            prop_assert_eq!(string(message.call_id()), theirs.call_id_header().unwrap().value());
            let cseq = theirs.cseq_header().unwrap().typed().unwrap();
            prop_assert_eq!(message.cseq(), cseq.seq);
            prop_assert_eq!(string(message.cseq_method_text()), cseq.method.to_string());
            let from = theirs.from_header().unwrap().typed().unwrap();
            prop_assert_eq!(message.from_tag().map(string), from.tag().map(|tag| tag.value().to_owned()));
            let address = NameAddr::parse(message.from()).unwrap();
            prop_assert_eq!(string(address.uri), from.uri.to_string());
            let to = theirs.to_header().unwrap().typed().unwrap();
            prop_assert_eq!(message.to_tag().map(string), to.tag().map(|tag| tag.value().to_owned()));
            let via = theirs.via_header().unwrap().typed().unwrap();
            let branch = via.branch().map(|branch| branch.value().to_owned());
            prop_assert_eq!(message.branch().map(string), branch);
            let host = string(Via::parse(message.top_via()).unwrap().host);
            prop_assert_eq!(host, via.uri.host().to_string());
            prop_assert_eq!(message.lines().count(), theirs.headers().iter().count());
            for (line, header) in message.lines().zip(theirs.headers().iter()) {
                let header = header.to_string();
                let (_, value) = header.split_once(": ").unwrap();
                prop_assert_eq!(string(line.value), value);
            }
            prop_assert_eq!(message.body(), theirs.body().as_slice());
            Ok(())
        })?;
    }
}
