//! `[node]`: this process.

use super::section::{Section, kind};
use std::path::PathBuf;
use std::time::Duration;

/// An example; it is where the unit of systemd keeps such things.
const STATE_FILE: &str = "/var/lib/baton/peers";

/// How this process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// `name`: how the node calls itself in logs.
    pub name: String,
    /// `workers`: how many workers share the calls; `None` (`"auto"`) leaves it to the shell.
    pub workers: Option<usize>,
    /// `shutdown_seconds_max`: how long calls may go on after SIGTERM.
    pub shutdown_seconds_max: Duration,
    /// `gather`: whether a worker waits a moment for more datagrams before a round.
    pub gather: Gather,
    /// `gather_microseconds`: how long that moment is.
    pub gather_microseconds: u32,
    /// `state_file`: where is kept what operators want to last; `None` for nowhere.
    pub state_file: Option<PathBuf>,
}

/// Whether a worker waits for more datagrams before it reads and writes in one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gather {
    /// Only while messages are dense.
    Adaptive,
    /// Never.
    Off,
}

pub(super) const KEYS: &[&str] = &[
    "name",
    "workers",
    "shutdown_seconds_max",
    "gather",
    "gather_microseconds",
    "state_file",
];

impl Default for Node {
    fn default() -> Self {
        Self {
            name: "baton".to_owned(),
            workers: None,
            shutdown_seconds_max: Duration::from_secs(30),
            gather: Gather::Adaptive,
            gather_microseconds: 150,
            state_file: None,
        }
    }
}

impl Node {
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Self {
        let default = Self::default();
        let choices = [("adaptive", Gather::Adaptive), ("off", Gather::Off)];
        Self {
            name: match section.text("name", "baton") {
                Some(text) if section.name("name", &text) => text.value.to_owned(),
                _ => default.name,
            },
            workers: read_workers(section),
            shutdown_seconds_max: section.seconds(
                "shutdown_seconds_max",
                0..=86_400,
                default.shutdown_seconds_max,
            ),
            gather: section.choice("gather", &choices, default.gather),
            gather_microseconds: section.number(
                "gather_microseconds",
                1..=10_000,
                default.gather_microseconds,
            ),
            state_file: read_state_file(section),
        }
    }
}

fn read_state_file(section: &mut Section<'_, '_, '_>) -> Option<PathBuf> {
    let text = section.text("state_file", STATE_FILE)?;
    if text.value.is_empty() {
        return None;
    }
    let path = PathBuf::from(text.value);
    if path.is_absolute() && path.file_name().is_some() {
        return Some(path);
    }
    let message = format!(
        "`state_file` is {:?}; it takes an absolute path, such as `state_file = \"{STATE_FILE}\"`, or \
         `state_file = \"\"` for none",
        text.value
    );
    section.findings().add(text.at, message);
    None
}

fn read_workers(section: &mut Section<'_, '_, '_>) -> Option<usize> {
    let value = section.value("workers")?;
    let at = value.span().start;
    let found = if let Some(text) = value.get_ref().as_str() {
        if text == "auto" {
            return None;
        }
        format!("{text:?}")
    } else if let Some(number) = value.get_ref().as_integer() {
        match usize::from_str_radix(number.as_str(), number.radix()) {
            Ok(workers @ 1..=64) => return Some(workers),
            Ok(_) | Err(_) => number.to_string(),
        }
    } else {
        kind(value.get_ref()).to_owned()
    };
    let message = format!(
        "`workers` is {found}; it takes a whole number from 1 to 64 or `workers = \"auto\"` (one, \
         which costs least for each call)"
    );
    section.findings().add(at, message);
    None
}
