//! What the tests on third-party messages share: where the vectors are, and how their tables are
//! read.
#![allow(dead_code, reason = "each test crate uses its own part of this module")]
#![allow(
    clippy::unwrap_used,
    reason = "a vector that cannot be read must fail the test"
)]

pub(crate) mod exhaust;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

/// The folder of these vectors; `None`, and one line on the terminal, if it is absent.
///
/// The vectors are not part of the project: `$BATON_VECTORS`, or `shared/vectors` beside it.
pub(crate) fn vectors(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("BATON_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors")),
        PathBuf::from,
    );
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    skipped(&format!("{} absent", path.display()));
    None
}

#[expect(clippy::print_stdout, reason = "a skipped test must be seen")]
fn skipped(why: &str) {
    println!("skipped: {why}");
}

/// A table of tab-separated fields with one header line; fields are never quoted.
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// One row of a [`Table`].
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    columns: &'a [String],
    fields: &'a [String],
}

impl Table {
    pub(crate) fn read(path: &std::path::Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut lines = text
            .lines()
            .map(|line| line.split('\t').map(str::to_owned).collect());
        let columns: Vec<_> = lines.next().unwrap();
        let rows: Vec<Vec<_>> = lines.collect();
        assert!(
            rows.iter().all(|row| row.len() == columns.len()),
            "{}",
            path.display()
        );
        Self { columns, rows }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|fields| Row {
            columns: &self.columns,
            fields,
        })
    }
}

impl<'a> Row<'a> {
    /// The field of this column.
    pub(crate) fn get(self, column: &str) -> &'a str {
        let at = self.columns.iter().position(|name| name == column).unwrap();
        self.fields.get(at).unwrap()
    }

    /// The octets of the message of this row, checked against the row.
    pub(crate) fn message(self, folder: &std::path::Path, name: &str) -> Vec<u8> {
        let bytes = fs::read(folder.join(format!("{name}.dat"))).unwrap();
        assert_eq!(
            bytes.len(),
            self.get("bytes").parse::<usize>().unwrap(),
            "{name}"
        );
        assert_eq!(sha256(&bytes), self.get("sha256"), "{name}");
        bytes
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
}

/// Line feeds alone become CRLF.
pub(crate) fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    let mut last = 0;
    for byte in bytes {
        if *byte == b'\n' && last != b'\r' {
            out.push(b'\r');
        }
        out.push(*byte);
        last = *byte;
    }
    out
}

/// The octets of hexadecimal digits.
pub(crate) fn octets(digits: &str) -> Vec<u8> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.trim().as_bytes().chunks(2).map(pair).collect()
}
