//! What was found wrong, and how to see it again.

use std::fmt;
use std::time::Duration;

/// Something that must not happen, happened.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The world.
    pub seed: u64,
    /// How many things had happened in it.
    pub step: u64,
    /// Its time.
    pub at: Duration,
    /// The call, if one is to blame.
    pub call: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// The end of that call's ladder.
    pub ladder: String,
}

/// A finding before the world adds where and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) call: Option<u64>,
    pub(crate) what: String,
}

impl Fault {
    pub(crate) fn of_call(call: u64, what: impl Into<String>) -> Self {
        Self {
            call: Some(call),
            what: what.into(),
        }
    }

    pub(crate) fn of_world(what: impl Into<String>) -> Self {
        Self {
            call: None,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}, step {}, {:.6} s",
            self.seed,
            self.step,
            self.at.as_secs_f64()
        )?;
        if let Some(call) = self.call {
            write!(f, ", call {call}")?;
        }
        writeln!(f, ": {}", self.what)?;
        write!(
            f,
            "replay: cargo run --release -p sim -- --seed {}",
            self.seed
        )?;
        if !self.ladder.is_empty() {
            write!(f, "\n{}", self.ladder.trim_end())?;
        }
        Ok(())
    }
}
