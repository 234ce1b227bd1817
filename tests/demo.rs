//! `baton demo` as a newcomer runs it: the program, real sockets, the words that it ends with.

use std::process::Command;

#[test]
fn the_demo_shows_calls_and_none_fails() {
    let output = Command::new(env!("CARGO_BIN_EXE_baton"))
        .args(["demo", "--seconds", "1", "--calls-per-second", "60"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert_eq!(errors, "");
    assert_eq!(number(&text, "offered"), 60, "{text}");
    assert_eq!(number(&text, "answered"), 57, "{text}");
    assert_eq!(number(&text, "cancelled"), 3, "{text}");
    assert_eq!(number(&text, "failed"), 0, "{text}");
    for wanted in [
        "bridge-1",
        "bridge-2",
        "INVITE to 180  p50 ",
        "INVITE to 200  p50 ",
        "| ACK ----",
        "200 OK (BYE) |",
        "the same on both sides",
        "Every call went as planned",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

/// The number in the line of the summary that begins with this word.
fn number(text: &str, word: &str) -> u64 {
    let mut lines = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix(word));
    let rest = lines.next().unwrap_or_default();
    rest.split_whitespace()
        .next()
        .unwrap_or_default()
        .parse()
        .unwrap_or(u64::MAX)
}
