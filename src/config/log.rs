//! `[log]`: what is written down.

use super::section::Section;
use std::fmt;

/// What the node logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// `level`: the least important line that is still written.
    pub level: Level,
    /// `calls`: what is written of each call when it is over.
    pub calls: CallLines,
    /// `queue`: lines that may wait for whoever reads them.
    pub queue: usize,
    /// `queue_bytes`: their octets, all together.
    pub queue_octets: usize,
}

/// What is written of each call when it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallLines {
    /// Nothing.
    Off,
    /// One line.
    Short,
    /// The same, with why its peer was chosen.
    Explained,
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

pub(super) const KEYS: &[&str] = &["level", "calls", "queue", "queue_bytes"];

const LEVELS: [(&str, Level); 5] = [
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
    ("trace", Level::Trace),
];

const CALL_LINES: [(&str, CallLines); 3] = [
    ("off", CallLines::Off),
    ("short", CallLines::Short),
    ("explained", CallLines::Explained),
];

impl Default for Log {
    fn default() -> Self {
        Self {
            level: Level::Info,
            calls: CallLines::Off,
            queue: 8_192,
            queue_octets: 4 * 1024 * 1024,
        }
    }
}

impl Log {
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Self {
        let default = Self::default();
        Self {
            level: section.choice("level", &LEVELS, default.level),
            calls: section.choice("calls", &CALL_LINES, default.calls),
            queue: section.number("queue", 16..=1_048_576, default.queue),
            queue_octets: section.number(
                "queue_bytes",
                65_536..=1_073_741_824,
                default.queue_octets,
            ),
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
