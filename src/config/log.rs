//! `[log]`: what is written down.

use super::section::Section;
use std::fmt;

/// What the node logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// `level`: the least important line that is still written.
    pub level: Level,
}

/// How important a log line is, the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Somebody is needed now.
    Error,
    /// Somebody will be needed.
    Warn,
    /// Calls begin and end, peers fail and come back.
    Info,
    /// State changes, with aliases and addresses.
    Debug,
    /// Every packet.
    Trace,
}

pub(super) const KEYS: &[&str] = &["level"];

const LEVELS: [(&str, Level); 5] = [
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
    ("trace", Level::Trace),
];

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info }
    }
}

impl Log {
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Self {
        Self {
            level: section.choice("level", &LEVELS, Self::default().level),
        }
    }
}

impl Level {
    /// The word of the configuration file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
