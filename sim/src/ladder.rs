//! Who sent what to whom, and what the network did to it: a line for each sending and each arrival.

use crate::place::Place;
use std::fmt::Write as _;
use std::time::Duration;

/// The lines of one world.
#[derive(Debug, Default)]
pub(crate) struct Ladder {
    lines: Vec<(Option<u64>, String)>,
    with_messages: bool,
}

impl Ladder {
    /// An empty ladder; with whole messages below their lines, if wanted.
    pub(crate) fn new(with_messages: bool) -> Self {
        Self {
            lines: Vec::new(),
            with_messages,
        }
    }

    /// A message leaves: `a -> b`.
    pub(crate) fn sent(
        &mut self,
        at: Duration,
        ends: [Place; 2],
        call: Option<u64>,
        (title, marks): (&str, &str),
        bytes: &[u8],
    ) {
        let mut line = head(at, ends, "->", title, call);
        if !marks.is_empty() {
            line.push_str("  ");
            line.push_str(marks);
        }
        if self.with_messages {
            for text in String::from_utf8_lossy(bytes).lines() {
                line.push_str("\n    | ");
                line.push_str(text);
            }
        }
        self.lines.push((call, line));
    }

    /// A message arrives: `b <- a`.
    pub(crate) fn arrived(
        &mut self,
        at: Duration,
        [from, to]: [Place; 2],
        call: Option<u64>,
        (title, marks): (&str, &str),
    ) {
        let mut line = head(at, [to, from], "<-", title, call);
        if !marks.is_empty() {
            line.push_str("  ");
            line.push_str(marks);
        }
        self.lines.push((call, line));
    }

    /// Something else.
    pub(crate) fn note(&mut self, at: Duration, call: Option<u64>, what: &str) {
        self.lines
            .push((call, format!("{:>12.6}  -- {what}", at.as_secs_f64())));
    }

    /// All lines, or those of one call and of no call.
    pub(crate) fn text(&self, call: Option<u64>) -> String {
        let mut text = String::new();
        for (_, line) in self
            .lines
            .iter()
            .filter(|(of, _)| call.is_none() || of.is_none() || *of == call)
        {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// The last lines of one call, or of all.
    pub(crate) fn tail(&self, call: Option<u64>, count: usize) -> String {
        let all = self.text(call);
        let skipped = all.lines().count().saturating_sub(count);
        let mut text = if skipped > 0 {
            format!("  ... {skipped} lines before\n")
        } else {
            String::new()
        };
        for line in all.lines().skip(skipped) {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

fn head(at: Duration, ends: [Place; 2], arrow: &str, title: &str, call: Option<u64>) -> String {
    let [left, right] = ends.map(|place| place.to_string());
    let mut line = format!(
        "{:>12.6}  {left:>9} {arrow} {right:<9} {title:<20}",
        at.as_secs_f64()
    );
    if let Some(call) = call {
        // Writing to a String cannot fail.
        let written = write!(line, " call {call}");
        debug_assert!(written.is_ok());
    }
    line
}
