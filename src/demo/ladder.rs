//! One call as its two ends saw it: a line a message, from the packets themselves.

use loadtest::agent::Step;
use std::io::{self, Write};
use std::time::Instant;

/// Columns between two lifelines.
const WIDTH: usize = 31;

/// One message between two neighbours.
struct Arrow {
    at: Instant,
    is_left: bool,
    goes_right: bool,
    text: String,
}

/// Writes the ladder of the caller's steps and those of the peer of this name.
pub(super) fn write(
    out: &mut impl Write,
    caller: &[Step],
    peer: &[Step],
    peer_name: &str,
) -> io::Result<()> {
    let left = caller.iter().map(|step| arrow(step, true));
    let right = peer.iter().map(|step| arrow(step, false));
    let mut arrows: Vec<Arrow> = left.chain(right).collect();
    arrows.sort_by_key(|arrow| arrow.at);
    let Some(start) = arrows.first().map(|arrow| arrow.at) else {
        return Ok(());
    };
    let (left, middle) = (WIDTH - 1, WIDTH + 1);
    writeln!(
        out,
        "      ms  {:<left$}{:<middle$}{peer_name}",
        "caller", "Baton"
    )?;
    for arrow in &arrows {
        let ms = (arrow.at - start).as_secs_f64() * 1000.0;
        let line = draw(&arrow.text, arrow.goes_right);
        let empty = " ".repeat(WIDTH);
        let (left, right) = if arrow.is_left {
            (&line, &empty)
        } else {
            (&empty, &line)
        };
        writeln!(out, "{ms:8.2}    |{left}|{right}|")?;
    }
    Ok(())
}

/// What the two legs have of their own and what they share, in the INVITE that the peer got.
pub(super) fn write_legs(out: &mut impl Write, caller: &[Step], peer: &[Step]) -> io::Result<()> {
    let (Some(left), Some(right)) = (caller.first(), peer.first()) else {
        return Ok(());
    };
    let (left, right) = (
        String::from_utf8_lossy(&left.bytes),
        String::from_utf8_lossy(&right.bytes),
    );
    for name in ["Call-ID", "From", "Max-Forwards"] {
        writeln!(out, "  {name:>12}   {}", header(&left, name))?;
        writeln!(out, "  {:>12}   {}", "->", header(&right, name))?;
    }
    let same = if body(&left) == body(&right) {
        "the same"
    } else {
        "CHANGED"
    };
    writeln!(
        out,
        "  {:>12}   {} bytes, {same} on both sides",
        "SDP",
        body(&right).len()
    )
}

fn arrow(step: &Step, is_left: bool) -> Arrow {
    Arrow {
        at: step.at,
        is_left,
        goes_right: step.sent == is_left,
        text: words(&step.bytes),
    }
}

/// `INVITE` for a request, `200 OK (BYE)` for a response; with `SDP` if a body comes along.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let first = text.lines().next().unwrap_or_default();
    let method = header(&text, "CSeq")
        .split(' ')
        .next_back()
        .unwrap_or_default();
    let words = match first.strip_prefix("SIP/2.0 ") {
        Some(status) => format!("{status} ({method})"),
        None => method.to_owned(),
    };
    if body(&text).is_empty() {
        words
    } else {
        format!("{words} SDP")
    }
}

fn draw(text: &str, goes_right: bool) -> String {
    let dashes = "-".repeat(WIDTH.saturating_sub(text.chars().count() + 5));
    if goes_right {
        format!(" {text} {dashes}-> ")
    } else {
        format!(" <-{dashes} {text} ")
    }
}

fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(": ");
    text.lines().find_map(value).unwrap_or_default()
}

fn body(text: &str) -> &str {
    text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn step(at: Instant, sent: bool, text: &str) -> Step {
        Step {
            at,
            sent,
            other: "127.0.0.1:5060".parse().unwrap(),
            bytes: text.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_call_reads_from_top_to_bottom() {
        let start = Instant::now();
        let later = start + Duration::from_micros(250);
        let invite = "INVITE sip:a SIP/2.0\r\nCSeq: 1 INVITE\r\nCall-ID: left\r\n\r\nv=0";
        let other = invite.replace("left", "right");
        let caller = [
            step(start, true, invite),
            step(
                later,
                false,
                "SIP/2.0 180 Ringing\r\nCSeq: 1 INVITE\r\n\r\n",
            ),
        ];
        let mut out = Vec::new();
        write(&mut out, &caller, &[step(later, false, &other)], "bridge-1").unwrap();
        write_legs(&mut out, &caller, &[step(later, false, &other)]).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = [
            "      ms  caller                        Baton                           bridge-1",
            "    0.00    | INVITE SDP -----------------> |                               |",
            "    0.25    | <------- 180 Ringing (INVITE) |                               |",
            "    0.25    |                               | INVITE SDP -----------------> |",
        ];
        assert_eq!(text.lines().take(4).collect::<Vec<_>>(), expected);
        assert!(text.contains("3 bytes, the same"), "{text}");
    }
}
