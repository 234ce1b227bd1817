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
    /// What earlier look-ups used, for the next ones.
    used: ArrayQueue<Searcher>,
}

/// What one look-up needs for itself. An expression that several threads search with at one moment
/// allocates for all but one of them; each has a copy of its own, with its own caches, and allocates
/// only the first times.
struct Searcher {
    regex: Regex,
    captures: CaptureLocations,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Capture(usize),
    Text(Box<str>),
}

/// What a pattern makes of an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// It matches, and the calls share nothing.
    Alone,
    /// It matches, and makes a name that is empty or too long.
    BadName,
    /// It matches, and the name is written.
    Conference,
    /// It does not match.
    NoMatch,
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
/// Searchers that are kept: more than threads look at one time.
const SEARCHERS_KEPT: usize = 64;

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
            used: ArrayQueue::new(SEARCHERS_KEPT),
        })
    }

    /// What the pattern makes of an alias; the conference's name goes into `name`.
    pub(super) fn apply(&self, alias: &str, name: &mut Name) -> Applied {
        let fresh = || Searcher {
            regex: self.regex.clone(),
            captures: self.regex.capture_locations(),
        };
        let mut searcher = self.used.pop().unwrap_or_else(fresh);
        let applied = searcher.apply(alias, self.name.as_deref(), name);
        // When more are in use than are kept, one is given up.
        drop(self.used.push(searcher));
        applied
    }
}

impl Searcher {
    fn apply(&mut self, alias: &str, parts: Option<&[Part]>, name: &mut Name) -> Applied {
        let Some(parts) = parts else {
            return if self.regex.is_match(alias) {
                Applied::Alone
            } else {
                Applied::NoMatch
            };
        };
        if self
            .regex
            .captures_read(&mut self.captures, alias)
            .is_none()
        {
            return Applied::NoMatch;
        }
        match write_name(parts, &self.captures, alias, name) {
            Some(()) => Applied::Conference,
            None => Applied::BadName,
        }
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

/// Writes the name that captures make; `None` if it is empty or too long.
fn write_name(
    parts: &[Part],
    captures: &CaptureLocations,
    alias: &str,
    name: &mut Name,
) -> Option<()> {
    name.clear();
    for part in parts {
        match part {
            Part::Text(text) => name.push(text)?,
            // A group that took no part is empty.
            Part::Capture(group) => {
                let span = captures.get(*group);
                let text = span.and_then(|(start, end)| alias.get(start..end));
                name.push(text.unwrap_or(""))?;
            }
        }
    }
    (!name.as_str().is_empty()).then_some(())
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
