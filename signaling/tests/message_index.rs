//! The index by examples: every fault by name, what stays readable beside it, and where bodies end.
#![expect(clippy::too_many_lines, reason = "a table of faults is one list")]

use signaling::sip::message::{Fault, Framing, HeaderName, Index, Limits, Message, Method};

const HEAD: &str = "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
    Call-ID: x@y\r\nCSeq: 7 OPTIONS\r\n";

fn with<T>(bytes: &[u8], framing: Framing, ask: impl FnOnce(&Message<'_>) -> T) -> T {
    ask(&Index::new(Limits::default()).read(bytes, framing))
}

fn fault(text: &str) -> Option<Fault> {
    with(text.as_bytes(), Framing::Datagram, |message| {
        message.fault()
    })
}

/// A request with this header block.
fn request(header: &str) -> String {
    format!("OPTIONS sip:c@d SIP/2.0\r\n{header}\r\n")
}

/// [`HEAD`] with the line of this name replaced, or left out if `line` is empty.
fn head_with(name: &str, line: &str) -> String {
    let lines = HEAD.split_inclusive("\r\n");
    let prefix = format!("{name}:");
    lines
        .map(|old| if old.starts_with(&prefix) { line } else { old })
        .collect()
}

#[test]
fn a_whole_request_is_found() {
    let text = "\r\n\r\nINVITE sip:c@d;x SIP/2.0\r\nv:SIP/2.0/UDP h;branch=z9hG4bKa , SIP/2.0/TCP i\r\nVIA: SIP/2.0/TLS j\r\n\
        f: \"A\" <sip:a@b>;tag=1\r\nt :\r\n <sip:c@d>\r\n ;tag=2\r\ni: x@y\r\ncseq: 7\r\n INVITE\r\nMax-Forwards: 070\r\n\
        X-New: a\r\n\tb \r\nRequire: a, b\r\nrequire: c\r\nl: 4\r\n\r\n\0\r\n\u{e9}rest";
    with(text.as_bytes(), Framing::Datagram, |message| {
        assert_eq!(message.fault(), None);
        assert!(message.is_request() && !message.is_response());
        assert_eq!(
            (message.method(), message.method_text()),
            (Method::Invite, &b"INVITE"[..])
        );
        assert_eq!(message.request_uri(), b"sip:c@d;x");
        assert_eq!((message.status(), message.reason()), (0, &b""[..]));
        assert_eq!(message.top_via(), b"SIP/2.0/UDP h;branch=z9hG4bKa");
        assert_eq!(message.branch(), Some(&b"z9hG4bKa"[..]));
        assert_eq!(message.from(), b"\"A\" <sip:a@b>;tag=1");
        assert_eq!(
            (message.from_tag(), message.to_tag()),
            (Some(&b"1"[..]), Some(&b"2"[..]))
        );
        assert_eq!(message.call_id(), b"x@y");
        assert_eq!((message.cseq(), message.cseq_method()), (7, Method::Invite));
        assert_eq!(
            (message.max_forwards(), message.content_length()),
            (Some(70), Some(4))
        );
        assert_eq!(message.body(), b"\0\r\n\xc3");
        assert!(message.bytes().starts_with(b"INVITE") && message.bytes().ends_with(b"\xc3"));
        let vias: Vec<_> = message.values(HeaderName::Via).collect();
        assert_eq!(
            vias,
            [
                &b"SIP/2.0/UDP h;branch=z9hG4bKa"[..],
                b"SIP/2.0/TCP i",
                b"SIP/2.0/TLS j"
            ]
        );
        assert_eq!(message.headers(HeaderName::Via).count(), 2);
        assert_eq!(
            message.values(HeaderName::Require).collect::<Vec<_>>(),
            [b"a", b"b", b"c"]
        );
        let line = message
            .lines()
            .find(|line| line.name == HeaderName::Other)
            .unwrap();
        assert_eq!(
            (line.name_text, line.value),
            (&b"X-New"[..], &b"a\r\n\tb"[..])
        );
        assert_eq!(line.raw, b"X-New: a\r\n\tb \r\n");
        assert_eq!(message.header(HeaderName::Contact), None);
        let to = message
            .lines()
            .find(|line| line.name == HeaderName::To)
            .unwrap();
        assert_eq!(
            (to.name_text, to.value),
            (&b"t"[..], &b"<sip:c@d>\r\n ;tag=2"[..])
        );
    });
}

#[test]
fn a_whole_response_is_found() {
    let text = format!("SIP/2.0 486 Busy Here\r\n{HEAD}\r\n");
    with(text.as_bytes(), Framing::Datagram, |message| {
        assert_eq!(message.fault(), None);
        assert!(message.is_response() && !message.is_request());
        assert_eq!(
            (message.status(), message.reason()),
            (486, &b"Busy Here"[..])
        );
        assert_eq!(
            (message.method(), message.request_uri()),
            (Method::Options, &b""[..])
        );
    });
}

#[test]
fn each_fault_has_its_name() {
    let long = "a".repeat(40_000);
    for (text, expected) in [
        ("\r\n\r\n".to_owned(), Fault::NotSip),
        (String::new(), Fault::NotSip),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), Fault::NotSip),
        (
            format!("OPTIONS sip:c@d SIP/2.0\n{HEAD}\r\n"),
            Fault::BareLineEnd,
        ),
        (
            request(HEAD).replace("Call-ID: x@y\r\n", "Call-ID: x@y\n"),
            Fault::BareLineEnd,
        ),
        (
            request(HEAD).replace("Call-ID: x@y\r\n", "Call-ID: x@y\r"),
            Fault::BareLineEnd,
        ),
        (
            request(HEAD).replace("Call-ID: x@y\r\n", "Call-ID: x@y\r\r\n"),
            Fault::BareLineEnd,
        ),
        (request(HEAD).replace("\r\n", "\n"), Fault::BareLineEnd),
        (
            request(&format!("{HEAD}Subject: a\n b\r\n")),
            Fault::BareLineEnd,
        ),
        (
            request(&format!("{HEAD}no colon\r\n")),
            Fault::BadHeaderLine,
        ),
        (
            request(&format!("{HEAD}: no name\r\n")),
            Fault::BadHeaderLine,
        ),
        (
            request(&format!("{HEAD}Bad(Name): x\r\n")),
            Fault::BadHeaderLine,
        ),
        (
            request(&format!(" folded start\r\n{HEAD}")),
            Fault::BadHeaderLine,
        ),
        (
            request(&format!("{HEAD}Subject: {long}\r\n")),
            Fault::LineTooLong,
        ),
        (
            request(&format!("{HEAD}{}", "X-A: y\r\n".repeat(124))),
            Fault::TooManyHeaders,
        ),
        (
            format!("OPTIONS sip:c@d SIP/2.0\r\n{HEAD}"),
            Fault::HeaderEndMissing,
        ),
        (
            "OPTIONS sip:c@d SIP/2.0".to_owned(),
            Fault::HeaderEndMissing,
        ),
        (
            request(&head_with("Via", "")),
            Fault::Missing(HeaderName::Via),
        ),
        (
            request(&head_with("From", "")),
            Fault::Missing(HeaderName::From),
        ),
        (
            request(&head_with("To", "")),
            Fault::Missing(HeaderName::To),
        ),
        (
            request(&head_with("Call-ID", "")),
            Fault::Missing(HeaderName::CallId),
        ),
        (
            request(&head_with("CSeq", "")),
            Fault::Missing(HeaderName::Cseq),
        ),
        (request(&head_with("Via", "Via: \r\n")), Fault::BadVia),
        (
            request(&head_with("Via", "Via: SIP/2.0/UDP h;;branch=a\r\n")),
            Fault::BadVia,
        ),
        (
            request(&head_with("From", "From: <sip:a@b>;tag=\r\n")),
            Fault::BadFrom,
        ),
        (
            request(&head_with("From", "From: <sip:a@b>;tag=1;tag=2\r\n")),
            Fault::BadFrom,
        ),
        (
            request(&head_with("To", "To: <sip:c@d>, <sip:e@f>\r\n")),
            Fault::BadTo,
        ),
        (
            request(&head_with("To", "To: < sip:c@d >\r\n")),
            Fault::BadTo,
        ),
        (
            request(&head_with("Call-ID", "Call-ID:\r\n")),
            Fault::BadCallId,
        ),
        (
            request(&head_with("Call-ID", "Call-ID: a b\r\n")),
            Fault::BadCallId,
        ),
        (
            request(&head_with("CSeq", "CSeq: 2147483648 OPTIONS\r\n")),
            Fault::BadCseq,
        ),
        (
            request(&head_with("CSeq", "CSeq: OPTIONS\r\n")),
            Fault::BadCseq,
        ),
        (
            request(&head_with("CSeq", "CSeq: 7 options\r\n")),
            Fault::CseqMismatch,
        ),
        (
            request(&format!("{HEAD}Max-Forwards: 256\r\n")),
            Fault::BadMaxForwards,
        ),
        (
            request(&format!("{HEAD}Max-Forwards: -1\r\n")),
            Fault::BadMaxForwards,
        ),
        (request(&format!("{HEAD}l: \r\n")), Fault::BadContentLength),
        (
            request(&format!("{HEAD}l: +1\r\n")),
            Fault::BadContentLength,
        ),
        (
            request(&format!("{HEAD}l: 0, 0\r\n")),
            Fault::BadContentLength,
        ),
        (request(&format!("{HEAD}l: 1\r\n")), Fault::BodyTooShort),
        (
            request(&format!("{HEAD}l: 99999999999999999999999\r\n")),
            Fault::BodyTooShort,
        ),
        (format!("SIP/2.0 99 x\r\n{HEAD}\r\n"), Fault::BadStatus),
        (format!("SIP/7.0 200 x\r\n{HEAD}\r\n"), Fault::BadVersion),
    ] {
        assert_eq!(
            fault(&text),
            Some(expected),
            "{}",
            text.get(..300).unwrap_or(&text)
        );
    }
    assert_eq!(
        fault(&request(&format!("{HEAD}{}", "X-A: y\r\n".repeat(123)))),
        None
    );
}

#[test]
fn what_may_stand_once_may_not_stand_twice() {
    for (line, name) in [
        ("Call-ID: x@y", HeaderName::CallId),
        ("i: other", HeaderName::CallId),
        ("CSeq: 7 OPTIONS", HeaderName::Cseq),
        ("f: <sip:a@b>;tag=1", HeaderName::From),
        ("To: <sip:c@d>", HeaderName::To),
    ] {
        assert_eq!(
            fault(&request(&format!("{HEAD}{line}\r\n"))),
            Some(Fault::Duplicate(name)),
            "{line}"
        );
    }
    for (line, name) in [
        ("l: 0", HeaderName::ContentLength),
        ("c: a/b", HeaderName::ContentType),
        ("Max-Forwards: 70", HeaderName::MaxForwards),
        ("x: 90", HeaderName::SessionExpires),
        ("Refer-To: <sip:a@b>", HeaderName::ReferTo),
        ("Replaces: a;to-tag=1;from-tag=2", HeaderName::Replaces),
    ] {
        let twice = request(&format!("{HEAD}{line}\r\n{line}\r\n"));
        assert_eq!(fault(&twice), Some(Fault::Duplicate(name)), "{line}");
    }
    for line in [
        "Via: SIP/2.0/UDP h",
        "Route: <sip:a>",
        "Contact: <sip:a>",
        "Subject: a",
        "X-A: y",
    ] {
        assert_eq!(
            fault(&request(&format!("{HEAD}{line}\r\n{line}\r\n"))),
            None,
            "{line}"
        );
    }
}

#[test]
fn a_broken_request_can_still_be_answered() {
    let text = request(&format!(
        "{HEAD}Max-Forwards: x\r\nno colon\r\nSubject: later\r\n"
    ));
    with(text.as_bytes(), Framing::Datagram, |message| {
        assert_eq!(message.fault(), Some(Fault::BadMaxForwards));
        assert!(message.is_request());
        assert_eq!((message.cseq(), message.call_id()), (7, &b"x@y"[..]));
        assert_eq!(message.header(HeaderName::Subject), Some(&b"later"[..]));
        assert_eq!(message.lines().count(), 7);
    });
    with(
        text.replace("\r\n", "\n").as_bytes(),
        Framing::Datagram,
        |message| {
            assert_eq!(
                (message.fault(), message.call_id()),
                (Some(Fault::BareLineEnd), &b"x@y"[..])
            );
        },
    );
}

#[test]
fn a_datagram_ends_its_body_where_content_length_says() {
    let body = |header: &str, rest: &str, framing| {
        let text = format!("OPTIONS sip:c@d SIP/2.0\r\n{HEAD}{header}\r\n{rest}");
        with(text.as_bytes(), framing, |message| {
            (message.fault(), message.body().to_vec())
        })
    };
    assert_eq!(body("", "abc", Framing::Datagram), (None, b"abc".to_vec()));
    assert_eq!(
        body("l: 2\r\n", "abc", Framing::Datagram),
        (None, b"ab".to_vec())
    );
    assert_eq!(
        body("l: 0\r\n", "abc", Framing::Datagram),
        (None, b"".to_vec())
    );
    assert_eq!(
        body("l: 4\r\n", "abc", Framing::Datagram),
        (Some(Fault::BodyTooShort), b"abc".to_vec())
    );
    let missing = Fault::Missing(HeaderName::ContentLength);
    assert_eq!(
        body("", "abc", Framing::Stream),
        (Some(missing), b"".to_vec())
    );
    assert_eq!(
        body("l: 3\r\n", "abc", Framing::Stream),
        (None, b"abc".to_vec())
    );
    assert_eq!(
        body("l: 70000\r\n", "abc", Framing::Stream).0,
        Some(Fault::TooLarge)
    );
}

#[test]
fn a_message_beyond_the_limits_is_still_readable() {
    let limits = Limits {
        headers: 6,
        line_bytes: 100,
        message_bytes: 400,
    };
    let mut index = Index::new(limits);
    let text = request(&format!("{HEAD}X-A: y\r\n{}", "Y-B: z\r\n".repeat(100)));
    let message = index.read(text.as_bytes(), Framing::Datagram);
    assert_eq!(
        (message.fault(), message.call_id()),
        (Some(Fault::TooLarge), &b"x@y"[..])
    );
    assert_eq!(message.lines().count(), 6);
    assert!(message.bytes().len() <= 400);
}

#[test]
fn an_index_forgets_the_message_before() {
    let mut index = Index::new(Limits::default());
    let first = request(&format!("{HEAD}Max-Forwards: x\r\n"));
    assert!(
        index
            .read(first.as_bytes(), Framing::Datagram)
            .fault()
            .is_some()
    );
    let message = index.read(b"ACK sip:c@d SIP/2.0\r\n\r\n", Framing::Datagram);
    assert_eq!(message.fault(), Some(Fault::Missing(HeaderName::Via)));
    assert_eq!(
        (message.branch(), message.from_tag(), message.cseq()),
        (None, None, 0)
    );
    assert_eq!((message.call_id(), message.top_via()), (&b""[..], &b""[..]));
    assert_eq!(message.lines().count(), 0);
}

#[test]
fn sixteen_bits_hold_the_largest_datagram() {
    let head = request(&format!("{HEAD}Content-Type: a/b\r\n"));
    let text = format!("{head}{}", "b".repeat(65_535 - head.len()));
    with(text.as_bytes(), Framing::Datagram, |message| {
        assert_eq!(message.fault(), None);
        assert_eq!(message.bytes().len(), 65_535);
        assert_eq!(message.body().len(), 65_535 - head.len());
    });
    with(
        format!("{text}b").as_bytes(),
        Framing::Datagram,
        |message| {
            assert_eq!(message.fault(), Some(Fault::TooLarge));
        },
    );
}

#[test]
fn old_requests_need_neither_branch_nor_tag_nor_max_forwards() {
    // RFC 3261 §8.2.6.2, §16.3, §17.2.3: RFC 2543 clients are served.
    let text = request(&head_with("From", "From: sip:a@b\r\n").replace(";branch=z9hG4bKa", ""));
    with(text.as_bytes(), Framing::Datagram, |message| {
        assert_eq!(message.fault(), None);
        assert_eq!(
            (message.branch(), message.from_tag(), message.max_forwards()),
            (None, None, None)
        );
    });
}
