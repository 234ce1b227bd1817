//! A pattern that an alias or another text must match as a whole, and what its captures make: the
//! name of a conference, another alias.

use crossbeam_queue::ArrayQueue;
use regex::{CaptureLocations, Regex, RegexBuilder};
use std::fmt;

/// A compiled pattern that must match a whole text, and what is made of its captures. Letter case
/// does not count.
pub struct Pattern {
    engine: Engine,
    /// The parts of what is written for a text that matches; none where nothing is.
    parts: Option<Box<[Part]>>,
}

/// What runs the expression.
enum Engine {
    /// Look-around and back-references, as published rules for a VCS use them: by trial, a bounded
    /// number of steps. Only for patterns that need it.
    Backtracking(Box<fancy_regex::Regex>),
    /// In a time that grows with the text and no faster.
    Linear {
        regex: Regex,
        /// What earlier look-ups used, for the next ones.
        used: Box<ArrayQueue<Searcher>>,
    },
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

/// What a pattern makes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It matches, and nothing is to be written.
    Alone,
    /// It took as many steps as it may, so that nobody knows whether it matches.
    GaveUp,
    /// It does not match.
    NoMatch,
    /// It matches, but what is to be written has no room.
    NoRoom,
    /// It matches, and what is made of it is written.
    Written,
}

/// A pattern took as many steps as it may, so that nobody knows whether it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GaveUp;

/// Why a pattern or what is to be made of its captures cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The replacement asks for a capture that the pattern does not have.
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
/// Steps that a look-up by trial may take: some hundred for a pattern of published rules. One step may
/// look at the whole text, so that its length is bounded too: together some milliseconds at the worst.
const STEPS_MAX: usize = 10_000;
/// Octets of a text that is looked at by trial: as long as an alias in an answer may be.
const TRIAL_TEXT_MAX: usize = 255;

impl Pattern {
    /// Compiles an expression, and what is made of a text that it matches: `\1` to `\9` are its
    /// captures.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn new(pattern: &str, replacement: Option<&str>) -> Result<Self, PatternError> {
        let engine = Engine::new(pattern)?;
        let parts = replacement.map(|text| parts(text, engine.groups()));
        Ok(Self {
            parts: parts.transpose()?,
            engine,
        })
    }

    /// Whether it matches the whole text.
    ///
    /// # Errors
    /// Nobody knows.
    pub fn is_match(&self, text: &str) -> Result<bool, GaveUp> {
        match &self.engine {
            Engine::Backtracking(_) if text.len() > TRIAL_TEXT_MAX => Err(GaveUp),
            Engine::Backtracking(regex) => regex.is_match(text).map_err(|_| GaveUp),
            Engine::Linear { .. } => match self.apply(text, &mut |_| None) {
                Applied::Alone | Applied::NoRoom | Applied::Written => Ok(true),
                Applied::NoMatch => Ok(false),
                Applied::GaveUp => Err(GaveUp),
            },
        }
    }

    /// Writes what is made of a text, part by part; `write` says when there is no more room.
    pub fn apply(&self, text: &str, write: &mut dyn FnMut(&str) -> Option<()>) -> Applied {
        match &self.engine {
            Engine::Backtracking(_) if text.len() > TRIAL_TEXT_MAX => Applied::GaveUp,
            Engine::Backtracking(regex) => match (regex.captures(text), &self.parts) {
                (Ok(Some(captures)), Some(parts)) => {
                    let capture = |group| captures.get(group).map(|found| found.as_str());
                    write_parts(parts, capture, write)
                }
                (Ok(Some(_)), None) => Applied::Alone,
                (Ok(None), _) => Applied::NoMatch,
                (Err(_), _) => Applied::GaveUp,
            },
            Engine::Linear { regex, used } => {
                let fresh = || Searcher {
                    regex: regex.clone(),
                    captures: regex.capture_locations(),
                };
                let mut searcher = used.pop().unwrap_or_else(fresh);
                let applied = searcher.apply(text, self.parts.as_deref(), write);
                // When more are in use than are kept, one is given up.
                drop(used.push(searcher));
                applied
            }
        }
    }
}

impl Engine {
    fn new(pattern: &str) -> Result<Self, PatternError> {
        // By itself, so that an expression such as `a)|(b` cannot leave the group below.
        let whole = format!(r"\A(?:{pattern})\z");
        match linear(pattern).and_then(|_| linear(&whole)) {
            Ok(regex) => Ok(Self::Linear {
                regex,
                used: Box::new(ArrayQueue::new(SEARCHERS_KEPT)),
            }),
            Err(error) if error.contains("not supported") => {
                let regex = backtracking(pattern).and_then(|_| backtracking(&whole));
                let regex = regex.map_err(PatternError::Regex)?;
                Ok(Self::Backtracking(Box::new(regex)))
            }
            Err(error) => Err(PatternError::Regex(error)),
        }
    }

    fn groups(&self) -> usize {
        match self {
            Self::Backtracking(regex) => regex.captures_len() - 1,
            Self::Linear { regex, .. } => regex.captures_len() - 1,
        }
    }
}

fn linear(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| reason(&error.to_string()))
}

fn backtracking(pattern: &str) -> Result<fancy_regex::Regex, String> {
    fancy_regex::RegexBuilder::new(pattern)
        .case_insensitive(true)
        .backtrack_limit(STEPS_MAX)
        .delegate_size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| reason(&error.to_string()))
}

impl Searcher {
    fn apply(
        &mut self,
        text: &str,
        parts: Option<&[Part]>,
        write: &mut dyn FnMut(&str) -> Option<()>,
    ) -> Applied {
        let Some(parts) = parts else {
            return if self.regex.is_match(text) {
                Applied::Alone
            } else {
                Applied::NoMatch
            };
        };
        let found = self.regex.captures_read(&mut self.captures, text);
        if found.is_none() {
            return Applied::NoMatch;
        }
        let captures = &self.captures;
        let capture = |group| {
            captures
                .get(group)
                .and_then(|(start, end)| text.get(start..end))
        };
        write_parts(parts, capture, write)
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
        match &self.engine {
            Engine::Backtracking(regex) => regex.as_str().fmt(f),
            Engine::Linear { regex, .. } => regex.as_str().fmt(f),
        }
    }
}

fn write_parts<'t>(
    parts: &[Part],
    capture: impl Fn(usize) -> Option<&'t str>,
    write: &mut dyn FnMut(&str) -> Option<()>,
) -> Applied {
    let mut parts = parts.iter().map(|part| match part {
        Part::Text(text) => write(text),
        // A group that took no part is empty.
        Part::Capture(group) => write(capture(*group).unwrap_or("")),
    });
    if parts.all(|written| written.is_some()) {
        Applied::Written
    } else {
        Applied::NoRoom
    }
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
fn reason(error: &str) -> String {
    let last = error.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}
