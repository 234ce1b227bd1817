//! Messages that nobody here wrote, sent to the real program: torture messages of RFC 4475 and
//! RFC 5118 over UDP and TCP, and the PROTOS test cases. After each the node must answer a ping.
#![cfg(target_os = "linux")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;

use interop::bench::{Bench, Treatment};
use interop::installed;
use interop::vectors::{Row, message, rows, vectors};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The largest payload of a datagram.
const DATAGRAM_MAX: usize = 65_507;

#[test]
fn rfc4475_over_udp_is_treated_as_the_table_says() {
    let Some(folder) = vectors("rfc4475/dev") else {
        return;
    };
    let mut bench = Bench::new("rfc4475-udp");
    let mut wrong = Vec::new();
    let rows = rows(&folder.join("expected.tsv"));
    assert_eq!(rows.len(), 25);
    for row in &rows {
        let name = &row["name"];
        let treatment = bench.over_udp(name, &message(&folder, name, row));
        if !is_allowed(&row["uas_b2bua"], row, &treatment) {
            wrong.push(format!("{name}: {treatment:?}, not {}", row["uas_b2bua"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    bench.node.is_well();
}

#[test]
fn rfc5118_over_udp_is_taken_or_refused_as_the_table_says() {
    let Some(folder) = vectors("rfc5118") else {
        return;
    };
    let mut bench = Bench::new("rfc5118-udp");
    let rows = rows(&folder.join("expected.tsv"));
    assert_eq!(rows.len(), 12);
    for row in &rows {
        let name = &row["message"];
        let treatment = bench.over_udp(name, &message(&folder, name, row));
        let is_refused = treatment.statuses == [400];
        assert_eq!(
            is_refused,
            row["datagram_expected"] == "400",
            "{name}: {treatment:?}"
        );
    }
    bench.node.is_well();
}

/// `same` as over UDP, or `400-then-close`; and what is framed well leaves the stream usable.
#[test]
fn rfc4475_over_tcp_is_treated_as_the_table_says() {
    let Some(folder) = vectors("rfc4475/dev") else {
        return;
    };
    let mut bench = Bench::new("rfc4475-tcp");
    let mut wrong = Vec::new();
    for row in &rows(&folder.join("expected.tsv")) {
        let name = &row["name"];
        let treatment = bench.over_tcp(&[&message(&folder, name, row)]);
        let is_right = match row["on_stream"].as_str() {
            "same" => is_allowed(&row["uas_b2bua"], row, &treatment) && !treatment.is_closed,
            "400-then-close" => treatment.statuses == [400] && treatment.is_closed,
            other => panic!("{name}: {other}"),
        };
        if !is_right {
            wrong.push(format!("{name}: {treatment:?}, not {row:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    bench.node.is_well();
}

/// Cut in two at every place of its header block, a message is treated as it is when it is whole.
#[test]
fn a_message_may_be_cut_anywhere() {
    let Some(folder) = vectors("rfc4475/dev") else {
        return;
    };
    let mut bench = Bench::new("cut");
    for (name, expected) in [("lwsdisp", 200), ("esc02", 501), ("escnull", 405)] {
        let bytes = fs::read(folder.join(format!("{name}.dat"))).unwrap();
        let head = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap()
            + 4;
        let mut stream = bench.connect();
        for cut in 1..head {
            let (front, back) = bytes.split_at(cut);
            stream.write_all(front).unwrap();
            bench.has_read();
            stream.write_all(back).unwrap();
            let answer = bench.ping_on(&mut stream);
            assert_eq!(answer, (vec![expected], false), "{name} cut at {cut}");
        }
    }
    bench.node.is_well();
}

/// Two messages, and the first half of a third, in one segment.
#[test]
fn messages_may_share_a_segment() {
    let Some(folder) = vectors("rfc4475/dev") else {
        return;
    };
    let mut bench = Bench::new("segment");
    let read = |name: &str| fs::read(folder.join(format!("{name}.dat"))).unwrap();
    let [options, unknown, register] = ["lwsdisp", "esc02", "escnull"].map(read);
    let (front, back) = register.split_at(register.len() / 2);
    let together = [&options[..], &unknown, front].concat();
    let mut treatment = bench.over_tcp(&[&together, back]);
    // Each request is a transaction of its own: the order of the answers is nobody's promise.
    treatment.statuses.sort_unstable();
    assert_eq!(treatment.statuses, [200, 405, 501]);
    assert!(!treatment.is_closed, "{treatment:?}");
    bench.node.is_well();
}

/// What is answered is not judged; that the node lives is.
#[test]
#[expect(
    clippy::print_stdout,
    reason = "counts are for the reader of the test's output"
)]
fn no_protos_case_costs_a_ping() {
    let Some(folder) = vectors("protos-c07-sip") else {
        return;
    };
    if !installed(&["tar"]) {
        return;
    }
    let mut bench = Bench::new("protos");
    let cases = unpack(&folder.join("dev.tar.gz"), &bench.stage.file("cases"));
    assert_eq!(cases.len(), 2202);
    let (mut datagrams, mut answers) = (0, 0);
    for (number, template) in cases.iter().enumerate() {
        let case = fill(&bench, template, number);
        if case.len() <= DATAGRAM_MAX {
            let came = bench.wire.send(&case);
            let came = came.unwrap_or_else(|| panic!("no answer to the ping after case {number}"));
            datagrams += 1;
            answers += usize::from(!came.is_empty());
        } else {
            // The stream may be closed before all is written.
            drop(bench.connect().write_all(&case));
            bench.has_read();
        }
    }
    println!(
        "{datagrams} of {} cases over UDP, {answers} answered",
        cases.len()
    );
    assert!(datagrams > 2100 && answers > 700, "{datagrams} {answers}");
    bench.node.is_well();
}

/// The templates in an archive, in the order of their names. The folder goes with the test.
fn unpack(archive: &Path, folder: &Path) -> Vec<Vec<u8>> {
    fs::create_dir(folder).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(archive).arg("-C").arg(folder);
    assert!(tar.status().unwrap().success(), "{tar:?}");
    let mut files: Vec<_> = walk(folder);
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "tmpl")
    });
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let lists = entries.map(|path| {
        if path.is_dir() {
            walk(&path)
        } else {
            vec![path]
        }
    });
    lists.flatten().collect()
}

/// A template with this sender's names in its gaps; all other octets stay as they are.
fn fill(bench: &Bench, template: &[u8], number: usize) -> Vec<u8> {
    let from = bench.wire.address();
    let mut bytes = template.to_vec();
    for (gap, filling) in [
        ("<To>", format!("user@{}", bench.node.udp)),
        ("<From>", format!("tester@{}", from.ip())),
        ("<From-Address>", from.ip().to_string()),
        ("<From-IP>", from.ip().to_string()),
        ("<Local-Port>", from.port().to_string()),
        ("<Branch-ID>", format!("z9hG4bK{number:08}")),
        ("<Call-ID>", format!("{number}@{}", from.ip())),
        ("<CSeq>", "1".to_owned()),
    ] {
        bytes = replace(&bytes, gap.as_bytes(), filling.as_bytes());
    }
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let body = head.map_or(0, |head| bytes.len() - head - 4);
    replace(&bytes, b"<Content-Length>", body.to_string().as_bytes())
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Whether a treatment is one of those that the column allows, such as `400|process`. To process
/// means to begin a call, to answer OPTIONS, or, since Baton is no registrar, to say so with 405.
fn is_allowed(column: &str, row: &Row, treatment: &Treatment) -> bool {
    let is = |statuses: &[u16], is_called: bool| {
        treatment.statuses == statuses && treatment.is_called == is_called
    };
    column
        .split('|')
        .any(|allowed| match (allowed, row["kind"].as_str()) {
            ("process" | "200", "INVITE") => is(&[100], true),
            ("process" | "200", "OPTIONS") => is(&[200], false),
            ("process" | "200", "REGISTER") => is(&[405], false),
            ("process" | "200", _) => false,
            ("drop" | "drop-unmatched", _) => is(&[], false),
            (status, _) => is(&[status.parse().unwrap()], false),
        })
}
