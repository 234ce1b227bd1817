//! Properties of the message layer: what is written is read again, and how a stream is chopped
//! makes no difference.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/exhaust.rs"]
mod exhaust;

use exhaust::{exhaust, exhaust_value};
use proptest::collection::vec;
use proptest::prelude::*;
use signaling::sip::message::{Frame, Framer, Framing, HeaderName, Index, Limits, Writer};

/// A header line as it goes on the wire, and its value as it must be read.
#[derive(Clone, Debug)]
struct Field {
    name: String,
    raw: Vec<u8>,
    value: Vec<u8>,
}

/// A message as its parts.
#[derive(Clone, Debug)]
struct Parts {
    is_request: bool,
    fields: Vec<Field>,
    body: Vec<u8>,
}

fn field() -> impl Strategy<Value = Field> {
    let name = prop_oneof![
        // Prefixes, so that no mandatory field is met by chance.
        "X-[A-Za-z0-9!%*_+`'~.-]{1,30}",
        Just("Subject".to_owned()),
        Just("s".to_owned()),
        Just("cONTACT".to_owned()),
        Just("m".to_owned()),
        Just("Route".to_owned()),
        Just("User-Agent".to_owned()),
    ];
    let piece = vec(
        prop_oneof![Just(b','), Just(b'"'), 0x21..=0xff_u8, Just(0)],
        1..12,
    )
    .prop_map(|piece| {
        piece
            .into_iter()
            .filter(|byte| *byte != 0x0d)
            .collect::<Vec<_>>()
    });
    let gap = prop_oneof![
        Just(" "),
        Just("\t"),
        Just("  "),
        Just("\r\n "),
        Just(" \r\n\t "),
        Just("\r\n \r\n ")
    ];
    let colon = prop_oneof![
        Just(":"),
        Just(": "),
        Just(" :"),
        Just("\t : "),
        Just(":\r\n ")
    ];
    let end = prop_oneof![Just("\r\n"), Just(" \r\n"), Just("\t\r\n")];
    (name, colon, vec((piece, gap), 0..5), end).prop_map(|(name, colon, pieces, end)| {
        let mut value = Vec::new();
        let mut gap_before: Option<&str> = None;
        for (piece, gap) in pieces {
            value.extend_from_slice(gap_before.unwrap_or_default().as_bytes());
            value.extend_from_slice(&piece);
            gap_before = Some(gap);
        }
        let mut raw = name.clone().into_bytes();
        raw.extend_from_slice(colon.as_bytes());
        raw.extend_from_slice(&value);
        raw.extend_from_slice(end.as_bytes());
        Field { name, raw, value }
    })
}

fn parts() -> impl Strategy<Value = Parts> {
    (any::<bool>(), vec(field(), 0..20), vec(any::<u8>(), 0..200)).prop_map(
        |(is_request, fields, body)| Parts {
            is_request,
            fields,
            body,
        },
    )
}

impl Parts {
    fn written(&self) -> Vec<u8> {
        let mut buffer = vec![0; 64 * 1024];
        let mut writer = Writer::new(&mut buffer);
        if self.is_request {
            writer.request_line(b"NEW-METHOD", b"sip:a@b;x?");
        } else {
            writer.status_line(183, b"Any text \xff");
        }
        writer.header(b"v", b"SIP/2.0/UDP h;branch=z9hG4bK1, SIP/2.0/TCP i");
        for field in &self.fields {
            writer.put(&field.raw);
        }
        writer.header(b"From", b"<sip:a@b>;tag=1");
        writer.header(b"To", b"\"\xff\" <sip:c@d>");
        writer.header(b"Call-ID", b"i@j");
        writer.header(b"CSeq", b"1 NEW-METHOD");
        writer.body(&self.body);
        let length = writer.finish().unwrap();
        buffer.truncate(length);
        buffer
    }
}

fn is_ours(name: HeaderName) -> bool {
    [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::Cseq,
        HeaderName::ContentLength,
    ]
    .contains(&name)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(parts in parts()) {
        let bytes = parts.written();
        let mut index = Index::new(Limits::default());
        for framing in [Framing::Datagram, Framing::Stream] {
            let message = index.read(&bytes, framing);
            prop_assert_eq!(message.fault(), None);
            prop_assert_eq!(message.body(), &parts.body);
            prop_assert_eq!(message.bytes(), &bytes);
            let lines: Vec<_> = message.lines().filter(|line| !is_ours(line.name)).collect();
            prop_assert_eq!(lines.len(), parts.fields.len());
            for (line, field) in lines.iter().zip(&parts.fields) {
                prop_assert_eq!(line.name_text, field.name.as_bytes());
                prop_assert_eq!(line.value, &field.value);
                prop_assert_eq!(line.raw, &field.raw);
            }
        }
        exhaust(&bytes);
    }

    #[test]
    fn what_is_passed_is_the_same(parts in parts(), kept in any::<u64>()) {
        let bytes = parts.written();
        let mut first = Index::new(Limits::default());
        let message = first.read(&bytes, Framing::Stream);
        let is_kept = |raw: &[u8]| kept >> (raw.len() % 64) & 1 == 1;
        let mut buffer = vec![0; 64 * 1024];
        let mut writer = Writer::new(&mut buffer);
        writer.status_line(200, b"");
        writer.pass(&message, |line| is_kept(line.raw) && line.name != HeaderName::ContentLength);
        writer.body(message.body());
        let length = writer.finish().unwrap();
        let mut second = Index::new(Limits::default());
        let again = second.read(buffer.get(..length).unwrap(), Framing::Stream);
        let expected: Vec<_> = message.lines().map(|line| line.raw)
            .filter(|raw| is_kept(raw) && !raw.starts_with(b"Content-Length"))
            .chain([format!("Content-Length: {}\r\n", parts.body.len()).as_bytes()])
            .map(<[u8]>::to_vec)
            .collect();
        prop_assert_eq!(again.lines().map(|line| line.raw.to_vec()).collect::<Vec<_>>(), expected);
        prop_assert_eq!(again.body(), &parts.body);
    }

    #[test]
    fn chopping_makes_no_difference(
        messages in vec((parts(), 0..5_usize), 0..6),
        cuts in vec(0..4_000_usize, 0..20),
    ) {
        let mut stream = Vec::new();
        for (parts, line_ends) in &messages {
            stream.extend_from_slice(&b"\r\n".repeat(*line_ends));
            stream.extend_from_slice(&parts.written());
        }
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut framer = Framer::new(Limits::default());
        let mut frames = Vec::new();
        for pair in cuts.windows(2) {
            framer.push(&stream[pair[0]..pair[1]]).unwrap();
            while let Some(frame) = framer.next_frame() {
                match frame {
                    Frame::Message(bytes) => frames.push(bytes.to_vec()),
                    Frame::Ping | Frame::Pong => {}
                    Frame::Fault { fault, .. } => prop_assert!(false, "{fault}"),
                }
            }
        }
        let expected: Vec<_> = messages.iter().map(|(parts, _)| parts.written()).collect();
        prop_assert_eq!(frames, expected);
        prop_assert_eq!(framer.buffered(), 0);
        prop_assert!(!framer.is_mid_message());
    }

    #[test]
    fn nothing_panics_on_a_mutated_message(
        parts in parts(),
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = parts.written();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        exhaust(&bytes);
    }

    #[test]
    fn nothing_panics_on_any_value(value in vec(prop_oneof![
        any::<u8>(), Just(b';'), Just(b'='), Just(b'"'), Just(b'<'), Just(b'>'), Just(b','), Just(b'\\'),
        Just(b' '), Just(b'\r'), Just(b'\n'), Just(b'@'), Just(b':'), Just(b'['), Just(b']'), Just(b'0'),
    ], 0..60)) {
        exhaust_value(&value);
    }
}
