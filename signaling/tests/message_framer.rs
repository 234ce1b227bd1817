//! The framer by examples: messages, keep-alives, faults, and what it keeps of its memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use signaling::sip::message::{Fault, Frame, Framer, HeaderName, Limits, StreamFault};

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Message(String),
    Ping,
    Pong,
    Fault(String, Fault),
}

fn drain(framer: &mut Framer) -> Vec<Seen> {
    let mut seen = Vec::new();
    while let Some(frame) = framer.next_frame() {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        seen.push(match frame {
            Frame::Message(bytes) => Seen::Message(text(bytes)),
            Frame::Ping => Seen::Ping,
            Frame::Pong => Seen::Pong,
            Frame::Fault { bytes, fault } => Seen::Fault(text(bytes), fault),
        });
    }
    seen
}

fn frames(stream: &str) -> Vec<Seen> {
    let mut framer = Framer::new(Limits::default());
    framer.push(stream.as_bytes()).unwrap();
    let whole = drain(&mut framer);
    // However it is chopped, the frames are the same.
    for cut in 0..stream.len() {
        let mut framer = Framer::new(Limits::default());
        let (first, second) = stream.as_bytes().split_at(cut);
        framer.push(first).unwrap();
        let mut seen = drain(&mut framer);
        if framer.push(second).is_ok() {
            seen.extend(drain(&mut framer));
        }
        assert_eq!(seen, whole, "cut at {cut}");
    }
    whole
}

fn message(body: &str) -> String {
    format!(
        "OPTIONS sip:a SIP/2.0\r\nX: y\r\n\tz\r\nl :  {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn messages_follow_each_other() {
    let (first, second) = (message("\r\n\r\nSIP/2.0"), message(""));
    let seen = frames(&format!("{first}{second}{first}"));
    assert_eq!(
        seen,
        [
            Seen::Message(first.clone()),
            Seen::Message(second),
            Seen::Message(first)
        ]
    );
}

#[test]
fn keep_alives_stand_between_messages() {
    let one = message("a");
    let seen = frames(&format!("\r\n\r\n{one}\r\n{one}\r\n\r\n\r\n{one}\r\n\r\n"));
    let message = || Seen::Message(one.clone());
    assert_eq!(
        seen,
        [
            Seen::Ping,
            message(),
            Seen::Pong,
            message(),
            Seen::Ping,
            Seen::Pong,
            message(),
            Seen::Ping
        ]
    );
}

#[test]
fn a_lone_crlf_waits_for_what_follows() {
    let mut framer = Framer::new(Limits::default());
    assert!(!framer.take_pong());
    framer.push(b"\r\n").unwrap();
    assert_eq!(drain(&mut framer), []);
    assert!(!framer.is_mid_message());
    assert!(framer.take_pong());
    assert_eq!(framer.buffered(), 0);
    framer.push(b"\r\n\r").unwrap();
    assert_eq!(drain(&mut framer), []);
    assert!(!framer.take_pong());
    framer.push(b"\n").unwrap();
    assert_eq!(drain(&mut framer), [Seen::Ping]);
}

#[test]
fn a_message_without_a_known_end_closes_the_stream() {
    let head = |header: &str| format!("OPTIONS sip:a SIP/2.0\r\n{header}\r\n");
    for (stream, fault) in [
        (head("X: y\r\n"), Fault::Missing(HeaderName::ContentLength)),
        (
            head("l: 1\r\nContent-Length: 1\r\n"),
            Fault::Duplicate(HeaderName::ContentLength),
        ),
        (head("Content-Length: -1\r\n"), Fault::BadContentLength),
        (head("Content-Length: \r\n"), Fault::BadContentLength),
        (head("Content-Length: 1 1\r\n"), Fault::BadContentLength),
        (head("Content-Length: 65535\r\n"), Fault::TooLarge),
        (
            head("Content-Length: 99999999999999999999\r\n"),
            Fault::TooLarge,
        ),
        (head("l: 0\r\n").replace("\r\n", "\n"), Fault::BareLineEnd),
        (head("l: 0\r\nX: a\rb\r\n"), Fault::BareLineEnd),
        (
            "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned(),
            Fault::NotSip,
        ),
        ("\n\n".to_owned(), Fault::BareLineEnd),
    ] {
        let seen = frames(&format!("{stream}trailing"));
        let expected = if fault == Fault::BareLineEnd && stream == "\n\n" {
            Seen::Fault("\n".to_owned(), fault)
        } else {
            Seen::Fault(stream.clone(), fault)
        };
        assert_eq!(seen, [expected], "{stream:?}");
    }
}

#[test]
fn a_closed_framer_takes_no_more() {
    let mut framer = Framer::new(Limits::default());
    framer.push(b"OPTIONS sip:a SIP/2.0\r\n\r\n").unwrap();
    assert_eq!(drain(&mut framer).len(), 1);
    assert_eq!(framer.push(b"x"), Err(StreamFault::Closed));
    assert!(!framer.is_mid_message());
}

#[test]
fn an_endless_header_is_too_large() {
    let limits = Limits {
        message_bytes: 100,
        ..Limits::default()
    };
    let mut framer = Framer::new(limits);
    let mut seen = Vec::new();
    let stream = format!("OPTIONS sip:a SIP/2.0\r\nX: {}", "y".repeat(200));
    for byte in stream.as_bytes() {
        if framer.push(&[*byte]).is_err() {
            break;
        }
        seen.extend(drain(&mut framer));
    }
    assert_eq!(
        seen,
        [Seen::Fault(
            stream.chars().take(100).collect(),
            Fault::TooLarge
        )]
    );
}

#[test]
fn whoever_does_not_take_frames_out_is_stopped() {
    let limits = Limits {
        message_bytes: 100,
        ..Limits::default()
    };
    let mut framer = Framer::new(limits);
    assert_eq!(framer.push(&[b'\r'; 101]), Ok(()));
    assert_eq!(framer.push(b"x"), Err(StreamFault::Overflow));
}

#[test]
fn a_message_in_the_middle_is_known_as_such() {
    let mut framer = Framer::new(Limits::default());
    assert!(!framer.is_mid_message());
    framer.push(b"\r\n\r\nO").unwrap();
    assert_eq!(drain(&mut framer), [Seen::Ping]);
    assert!(framer.is_mid_message());
    assert_eq!(framer.buffered(), 1);
    framer.push(&message("ab").as_bytes()[1..]).unwrap();
    assert_eq!(drain(&mut framer).len(), 1);
    assert!(!framer.is_mid_message());
}

#[test]
fn a_promise_costs_no_memory() {
    let mut framer = Framer::new(Limits::default());
    framer
        .push(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 65000\r\n\r\n")
        .unwrap();
    assert_eq!(drain(&mut framer), []);
    assert!(framer.is_mid_message() && framer.capacity() < 1_000);
    framer.push(&[b'b'; 65_000]).unwrap();
    assert_eq!(drain(&mut framer).len(), 1);
    framer.push(b"\r\n\r\n").unwrap();
    assert!(framer.capacity() <= 8 * 1024, "{}", framer.capacity());
    assert_eq!(drain(&mut framer), [Seen::Ping]);
}
