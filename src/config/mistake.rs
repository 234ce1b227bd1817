//! What is wrong with a configuration file, and where.
//!
//! [`Findings`] collects while the file is read and knows byte offsets; [`Mistake`] is what a
//! person sees and knows lines and columns, both counted from 1, columns in characters.

use std::collections::BTreeSet;
use std::fmt;

/// One mistake in a configuration file: `configs/lab.toml:7:1: unknown key …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    file: String,
    line: usize,
    column: usize,
    message: String,
}

impl Mistake {
    /// A mistake at a byte offset of a text.
    pub fn at(file: &str, text: &str, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = Position::start().advance(text, offset).line_and_column();
        Self {
            file: file.to_owned(),
            line,
            column,
            message: message.into(),
        }
    }

    /// The line of the mistake, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column of the mistake in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong and what to write instead, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

impl std::error::Error for Mistake {}

/// The mistakes found so far, by byte offset.
#[derive(Debug)]
pub(super) struct Findings<'t> {
    text: &'t str,
    file: &'t str,
    found: Vec<Finding>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    at: usize,
    /// What a broken line seems to hold is not worth a second mistake.
    is_syntax: bool,
    message: String,
}

impl<'t> Findings<'t> {
    pub(super) fn new(text: &'t str, file: &'t str) -> Self {
        Self {
            text,
            file,
            found: Vec::new(),
        }
    }

    /// Notes what is wrong with the meaning of the value or key at `at`.
    pub(super) fn add(&mut self, at: usize, message: impl Into<String>) {
        self.found.push(Finding {
            at,
            is_syntax: false,
            message: message.into(),
        });
    }

    /// Notes that something is absent: said only of files whose syntax is right, since what seems
    /// absent may stand behind the syntax error.
    pub(super) fn add_absent(&mut self, at: usize, message: impl Into<String>) {
        if !self.found.iter().any(|finding| finding.is_syntax) {
            self.add(at, message);
        }
    }

    /// Notes that the file is not TOML at `at`.
    pub(super) fn add_syntax(&mut self, at: usize, message: &str) {
        let message = match bare_word(self.text, at) {
            Some(word) => format!("not TOML: `{word}` has no quotes; write `\"{word}\"`"),
            None => format!("not TOML: {}", message.replace(['\n', '\r'], " ")),
        };
        self.found.push(Finding {
            at,
            is_syntax: true,
            message,
        });
    }

    /// All mistakes in the order of the file.
    pub(super) fn into_mistakes(mut self) -> Vec<Mistake> {
        self.found.sort();
        self.found.dedup();
        let mut position = Position::start();
        let mut broken_lines = BTreeSet::new();
        let mut placed = Vec::with_capacity(self.found.len());
        for finding in self.found {
            position = position.advance(self.text, finding.at);
            if finding.is_syntax {
                broken_lines.insert(position.line);
            }
            placed.push((position, finding));
        }
        placed
            .into_iter()
            .filter(|(position, finding)| {
                finding.is_syntax || !broken_lines.contains(&position.line)
            })
            .map(|(position, finding)| {
                let (line, column) = position.line_and_column();
                Mistake {
                    file: self.file.to_owned(),
                    line,
                    column,
                    message: finding.message,
                }
            })
            .collect()
    }
}

/// The word at `at` where a value should stand: somebody forgot the quotes.
fn bare_word(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?.trim_end_matches([' ', '\t']);
    let after = text.get(at..)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_');
    let word = after.get(..after.find(|c| !fits(c)).unwrap_or(after.len()))?;
    (before.ends_with('=') && word.starts_with(|c: char| c.is_ascii_alphabetic())).then_some(word)
}

/// A place in the text that only moves forward, so that many mistakes cost one pass.
#[derive(Clone, Copy, Debug)]
struct Position {
    offset: usize,
    line: usize,
    column: usize,
}

impl Position {
    fn start() -> Self {
        Self {
            offset: 0,
            line: 1,
            column: 1,
        }
    }

    fn advance(mut self, text: &str, offset: usize) -> Self {
        for character in text.get(self.offset..).unwrap_or_default().chars() {
            if self.offset >= offset {
                break;
            }
            self.offset += character.len_utf8();
            if character == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self
    }

    fn line_and_column(self) -> (usize, usize) {
        (self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let text = "a = 1\nå = \"é\"\n";
        let at = |offset| {
            let mistake = Mistake::at("f", text, offset, "x");
            (mistake.line(), mistake.column())
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(5), (1, 6));
        assert_eq!(at(6), (2, 1));
        assert_eq!(at(text.find('=').expect("sample") + 1), (1, 4));
        assert_eq!(at(text.rfind('"').expect("sample")), (2, 7));
        assert_eq!(at(9_999), (3, 1));
    }

    #[test]
    fn mistakes_come_in_the_order_of_the_file_and_broken_lines_speak_once() {
        let mut findings = Findings::new("a\nb\nc\n", "f.toml");
        findings.add(4, "third");
        findings.add(0, "first");
        findings.add_syntax(2, "odd");
        findings.add(3, "a guess about a broken line");
        findings.add_absent(0, "something seems absent");
        let texts: Vec<String> = findings
            .into_mistakes()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            texts,
            [
                "f.toml:1:1: first",
                "f.toml:2:1: not TOML: odd",
                "f.toml:3:1: third"
            ]
        );
    }
}
