//! The PROTOS c07-sip templates, the hand-made messages of another server and the regressions of
//! another parser: nothing may panic. What is judged how is counted, not prescribed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::io::Read as _;

use signaling::sip::message::{Framing, Index, Limits};
use support::exhaust::{exhaust, exhaust_value};
use support::{vectors, with_crlf};

#[test]
fn no_protos_case_panics() {
    let Some(folder) = vectors("protos-c07-sip") else {
        return;
    };
    let packed = std::fs::read(folder.join("dev.tar.gz")).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
    let mut index = Index::new(Limits::default());
    let mut counts = BTreeMap::<String, usize>::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry
            .path()
            .unwrap()
            .extension()
            .is_none_or(|extension| extension != "tmpl")
        {
            continue;
        }
        let mut template = Vec::new();
        entry.read_to_end(&mut template).unwrap();
        let bytes = fill(&template);
        exhaust(&bytes);
        let message = index.read(&bytes, Framing::Datagram);
        let verdict = message
            .fault()
            .map_or_else(|| "taken".to_owned(), |fault| format!("{fault:?}"));
        *counts.entry(verdict).or_default() += 1;
        // Whatever is no SIP at all is dropped; of the rest enough must be left to answer.
        assert!(message.is_request() || message.is_response() || message.fault().is_some());
    }
    report(&counts);
    assert_eq!(counts.values().sum::<usize>(), 2202);
    // The suite holds one well-formed case in three; a parser that refuses all is no better.
    assert!(counts.get("taken").is_some_and(|taken| *taken > 700));
}

#[expect(
    clippy::print_stdout,
    reason = "counts are for the reader of the test's output"
)]
fn report(counts: &BTreeMap<String, usize>) {
    for (verdict, count) in counts {
        println!("{count:5} {verdict}");
    }
}

fn fill(template: &[u8]) -> Vec<u8> {
    let mut bytes = template.to_vec();
    for (placeholder, text) in [
        ("<To>", "user@192.0.2.1"),
        ("<From>", "tester@192.0.2.2"),
        ("<From-Address>", "192.0.2.2"),
        ("<From-IP>", "192.0.2.2"),
        ("<Local-Port>", "5060"),
        ("<Branch-ID>", "z9hG4bK00000001"),
        ("<Call-ID>", "1@192.0.2.2"),
        ("<CSeq>", "1"),
    ] {
        bytes = replace(&bytes, placeholder.as_bytes(), text.as_bytes());
    }
    let body = find(&bytes, b"\r\n\r\n").map_or(0, |at| bytes.len() - at - 4);
    replace(&bytes, b"<Content-Length>", body.to_string().as_bytes())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = find(rest, from) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(to);
        rest = after.get(from.len()..).unwrap();
    }
    out.extend_from_slice(rest);
    out
}

#[test]
fn no_hand_made_message_panics() {
    let Some(folder) = vectors("kamailio-gpl") else {
        return;
    };
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sip") {
            let bytes = std::fs::read(path).unwrap();
            exhaust(&bytes);
            exhaust(&with_crlf(&bytes));
            count += 1;
        }
    }
    assert_eq!(count, 45);
}

#[test]
fn no_regression_of_another_parser_panics() {
    let Some(folder) = vectors("sipgo-bsd") else {
        return;
    };
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let Some(line) = text.strip_prefix("go test fuzz v1\nstring(\"") else {
            continue;
        };
        let (line, _) = line.rsplit_once("\")").unwrap();
        let bytes = line
            .replace("\\r", "\r")
            .replace("\\n", "\n")
            .replace("\\\"", "\"");
        assert!(!bytes.contains('\\'));
        exhaust(bytes.as_bytes());
        bytes
            .split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .for_each(|(_, value)| {
                exhaust_value(value.as_bytes());
            });
        count += 1;
    }
    assert_eq!(count, 8);
}
