//! The torture messages of RFC 4475: what the message layer must take and what it must refuse.
//!
//! The treatment on the wire is another test's; here it is the column `parser`, and of the messages
//! that the RFC leaves open what Baton decided.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use signaling::sip::message::{
    Fault, Frame, Framer, Framing, HeaderName, Index, Limits, Message, Method, NameAddr, Uri, Via,
};
use support::exhaust::exhaust;
use support::{Table, vectors};

/// Messages that may be refused or repaired: `None` is taken as it is.
const DECIDED: [(&str, Option<Fault>); 7] = [
    ("badaspec", Some(Fault::BadTo)),
    ("badbranch", None),
    ("baddate", None),
    ("ltgtruri", Some(Fault::BadRequestUri)),
    ("lwsruri", Some(Fault::BadRequestUri)),
    ("quotbal", Some(Fault::BadTo)),
    ("trws", Some(Fault::BadStartLine)),
];

const REFUSED: [(&str, Fault); 4] = [
    ("mismatch02", Fault::CseqMismatch),
    ("multi01", Fault::Duplicate(HeaderName::Cseq)),
    ("ncl", Fault::BadContentLength),
    ("scalar02", Fault::BadCseq),
];

#[test]
fn messages_are_taken_or_refused_as_the_table_says() {
    let Some(folder) = vectors("rfc4475/dev") else {
        return;
    };
    let table = Table::read(&folder.join("expected.tsv"));
    let mut index = Index::new(Limits::default());
    let mut count = 0;
    for row in table.rows() {
        let name = row.get("name");
        let bytes = row.message(&folder, name);
        let message = index.read(&bytes, Framing::Datagram);
        let expected = match row.get("parser") {
            "accept" => None,
            "reject" => REFUSED
                .iter()
                .find(|(of, _)| *of == name)
                .map(|(_, fault)| *fault),
            _ => DECIDED.iter().find(|(of, _)| *of == name).unwrap().1,
        };
        assert_eq!(message.fault(), expected, "{name}");
        assert_eq!(
            message.fault().is_some(),
            row.get("parser") == "reject" || expected.is_some()
        );
        check_kind(&message, row.get("kind"));
        check_answerable(&message, name);
        exhaust(&bytes);
        count += 1;
    }
    assert_eq!(count, 25);
}

/// A request that is refused must still be answered with these (RFC 3261 §8.2.6.2).
fn check_answerable(message: &Message<'_>, name: &str) {
    for field in [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::Cseq,
    ] {
        assert!(
            message.header(field).is_some_and(|value| !value.is_empty()),
            "{name}: {field}"
        );
    }
}

fn check_kind(message: &Message<'_>, kind: &str) {
    if let Some(status) = kind.strip_prefix("response") {
        assert!(message.is_response());
        assert_eq!(message.status(), status.parse::<u16>().unwrap());
        return;
    }
    assert!(message.is_request());
    let known = Method::from_bytes(kind.as_bytes());
    assert_eq!(message.method(), known);
    if known == Method::Other && !kind.starts_with("(unknown") {
        assert_eq!(
            message.method_text(),
            kind.trim_matches(['(', ')']).as_bytes()
        );
    }
}

#[test]
fn a_stream_gives_the_same_messages_however_it_is_chopped() {
    let Some(folder) = vectors("rfc4475/dev") else {
        return;
    };
    let table = Table::read(&folder.join("expected.tsv"));
    for row in table.rows() {
        let bytes = row.message(&folder, row.get("name"));
        for cut in 0..=bytes.len() {
            let mut framer = Framer::new(Limits::default());
            let (first, second) = bytes.split_at(cut);
            framer.push(first).unwrap();
            let early = framer.next_frame().map(fault_of);
            framer.push(second).unwrap_or_default();
            let frame = early.or_else(|| framer.next_frame().map(fault_of));
            match row.get("name") {
                "ncl" => assert_eq!(frame, Some(Some(Fault::BadContentLength)), "{cut}"),
                // The body of some is shorter than Content-Length says, on purpose or by mistake.
                name => assert!(matches!(frame, None | Some(None)), "{name} {cut}"),
            }
        }
    }
}

fn fault_of(frame: Frame<'_>) -> Option<Fault> {
    match frame {
        Frame::Fault { fault, .. } => Some(fault),
        Frame::Message(_) | Frame::Ping | Frame::Pong => None,
    }
}

fn read(name: &str, check: impl Fn(&Message<'_>)) {
    let Some(folder) = vectors("rfc4475/dev") else {
        return;
    };
    let bytes = std::fs::read(folder.join(format!("{name}.dat"))).unwrap();
    check(&Index::new(Limits::default()).read(&bytes, Framing::Datagram));
}

#[test]
fn escapes_are_not_undone_in_methods_and_names() {
    read("esc02", |message| {
        assert_eq!(message.method(), Method::Other);
        assert_eq!(message.headers(HeaderName::Contact).count(), 2);
    });
    read("escnull", |message| {
        let contacts: Vec<_> = message.values(HeaderName::Contact).collect();
        assert_eq!(
            contacts,
            [
                &b"<sip:%00@host5.example.com>"[..],
                b"<sip:%00%00@host5.example.com>"
            ]
        );
    });
}

#[test]
fn escapes_in_uris_stand_for_the_character() {
    read("esc01", |message| {
        let uri = Uri::parse(message.request_uri()).unwrap();
        assert_eq!(uri.user, Some(&b"sips%3Auser%40example.com"[..]));
        let contact = NameAddr::parse(message.header(HeaderName::Contact).unwrap()).unwrap();
        let uri = Uri::parse(contact.uri).unwrap();
        assert!(uri.is_loose_router());
        assert_eq!(uri.param("name"), Some(Some(&b"v%61lue%25%34%31"[..])));
    });
    read("regescrt", |message| {
        let contact = NameAddr::parse(message.header(HeaderName::Contact).unwrap()).unwrap();
        assert_eq!(
            Uri::parse(contact.uri).unwrap().headers,
            b"Route=%3Csip:sip.example.com%3E"
        );
    });
}

#[test]
fn unusual_characters_are_taken_where_they_are_legal() {
    read("intmeth", |message| {
        assert_eq!(message.method_text(), message.cseq_method_text());
        assert!(message.method_text().ends_with(b"%indeed'~"));
        let uri = Uri::parse(message.request_uri()).unwrap();
        assert_eq!(uri.host, b"example.com");
        assert_eq!(
            uri.password,
            Some(&b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"[..])
        );
        assert_eq!(message.from_tag(), Some(&b"_token~1'+`*%!-."[..]));
        assert_eq!(message.max_forwards(), Some(255));
    });
    read("lwsdisp", |message| {
        let from = NameAddr::parse(message.from()).unwrap();
        assert_eq!(
            (from.display, message.from_tag()),
            (&b"caller"[..], Some(&b"323"[..]))
        );
    });
    read("cparam02", |message| {
        let contact = NameAddr::parse(message.header(HeaderName::Contact).unwrap()).unwrap();
        assert_eq!(contact.params.get("unknownparam"), None);
        assert_eq!(
            Uri::parse(contact.uri).unwrap().param("unknownparam"),
            Some(None)
        );
    });
}

#[test]
fn responses_keep_their_reason_and_their_vias() {
    read("unreason", |message| assert!(message.reason().len() > 40));
    read("noreason", |message| {
        assert_eq!((message.status(), message.reason()), (100, &b""[..]));
    });
    read("bcast", |message| {
        let hosts: Vec<_> = message
            .values(HeaderName::Via)
            .map(|via| Via::parse(via).unwrap().host)
            .collect();
        assert_eq!(hosts, [&b"192.0.2.198"[..], b"255.255.255.255"]);
    });
}
