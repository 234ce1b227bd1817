//! A pattern for aliases, and the conference's name that its captures make.

use super::name::Name;
use crossbeam_queue::ArrayQueue;
use regex::{CaptureLocations, Regex, RegexBuilder};
use std::fmt;

/// A compiled pattern.
pub(super) struct Pattern {
    regex: Regex,
    /// The parts of the conference's name; none where calls share nothing.
    name: Option<Box<[Part]>>,
    /// Used captures: those of one look-up serve the next one, so that none is allocated.
    captures: ArrayQueue<CaptureLocations>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Capture(usize),
    Text(Box<str>),
}

/// Why a pattern or a conference's name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The name asks for a capture that the pattern does not have.
    #[error("`\\{0}` asks for a group that the pattern does not have; it has {1}")]
    NoSuchCapture(usize, usize),
    /// The expression cannot be read or run.
    #[error("{0}")]
    Regex(String),
    /// A backslash stands before something else than a digit or a backslash.
    #[error("a backslash stands before a digit or another backslash")]
    StrayBackslash,
}

/// Memory that one compiled expression may take.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Captures that are kept: more than threads look at one time.
const CAPTURES_KEPT: usize = 64;

impl Pattern {
    pub(super) fn new(pattern: &str, conference: Option<&str>) -> Result<Self, PatternError> {
        // By itself, so that an expression such as `a)|(b` cannot leave the group below.
        let alone = |text: &str| {
            RegexBuilder::new(text)
                .case_insensitive(true)
                .size_limit(COMPILED_BYTES_MAX)
                .build()
                .map_err(|error| PatternError::Regex(reason(&error)))
        };
        alone(pattern)?;
        let regex = alone(&format!(r"\A(?:{pattern})\z"))?;
        let groups = regex.captures_len() - 1;
        let name = conference.map(|text| parts(text, groups)).transpose()?;
        Ok(Self {
            regex,
            name,
            captures: ArrayQueue::new(CAPTURES_KEPT),
        })
    }

    /// `None`: the alias does not match. `Some(None)`: it does, and makes a name that is none.
    /// `Some(Some(None))`: it does, and the calls share nothing.
    #[expect(
        clippy::option_option,
        reason = "three answers, told apart by the one caller"
    )]
    pub(super) fn apply(&self, alias: &str) -> Option<Option<Option<Name>>> {
        let Some(parts) = &self.name else {
            return self.regex.is_match(alias).then_some(Some(None));
        };
        let fresh = || self.regex.capture_locations();
        let mut captures = self.captures.pop().unwrap_or_else(fresh);
        let name = self
            .regex
            .captures_read(&mut captures, alias)
            .map(|_| name(parts, &captures, alias).map(Some));
        // When more are in use than are kept, one is given up.
        drop(self.captures.push(captures));
        name
    }
}

/// Whether an alias's pattern and the conference's name can be used, without a plan.
///
/// # Errors
/// What is wrong with them.
pub fn check_pattern(pattern: &str, conference: Option<&str>) -> Result<(), PatternError> {
    Pattern::new(pattern, conference).map(|_| ())
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.regex.as_str().fmt(f)
    }
}

/// The name that captures make; none if it is empty or too long.
fn name(parts: &[Part], captures: &CaptureLocations, alias: &str) -> Option<Name> {
    let mut name = Name::empty();
    for part in parts {
        match part {
            Part::Text(text) => name.push(text)?,
            // A group that took no part is empty.
            Part::Capture(group) => {
                let span = captures.get(*group);
                name.push(
                    span.and_then(|(start, end)| alias.get(start..end))
                        .unwrap_or(""),
                )?;
            }
        }
    }
    Some(name).filter(|name| !name.as_str().is_empty())
}

/// Takes `meet-\1` apart.
fn parts(text: &str, groups: usize) -> Result<Box<[Part]>, PatternError> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            literal.push(character);
            continue;
        }
        match characters.next() {
            Some('\\') => literal.push('\\'),
            Some(digit) => {
                let group = digit.to_digit(10).ok_or(PatternError::StrayBackslash)? as usize;
                if group > groups {
                    return Err(PatternError::NoSuchCapture(group, groups));
                }
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal).into()));
                }
                parts.push(Part::Capture(group));
            }
            None => return Err(PatternError::StrayBackslash),
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Text(literal.into()));
    }
    Ok(parts.into())
}

/// The last line of an error says what is wrong; those before draw a picture of where.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}
