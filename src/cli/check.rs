//! `baton check FILE`: every mistake in a configuration, or one line that says what it holds.
//!
//! The file is read and nothing else is touched: no port, no name service.

use super::{FAILURE, USAGE};
use crate::config::{Config, Mistake};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// Larger files are no configurations: nothing of them is read into memory beyond this.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why there is no configuration.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It was read and has mistakes.
    Mistakes(Vec<Mistake>),
    /// It could not be read.
    Unreadable(String),
}

/// Tells the mistakes of a file, or that there are none; gives the exit code.
pub(super) fn check(file: &Path, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let name = file.display();
    match read(file) {
        Ok(config) => {
            writeln!(out, "{name}: good: {}", summary(&config))?;
            Ok(0)
        }
        Err(Unusable::Mistakes(mistakes)) => {
            for mistake in &mistakes {
                writeln!(out, "{mistake}")?;
            }
            writeln!(out, "{name}: {}", count(mistakes.len() as u64, "mistake"))?;
            Ok(FAILURE)
        }
        Err(Unusable::Unreadable(why)) => {
            writeln!(err, "baton: {name}: {why}")?;
            Ok(USAGE)
        }
    }
}

/// Reads and checks a configuration file.
pub(super) fn read(file: &Path) -> Result<Config, Unusable> {
    let unreadable = |error: io::Error| Unusable::Unreadable(error.to_string());
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(unreadable)?;
    opened
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Unusable::Unreadable(
            "larger than 1 MiB, so no configuration".to_owned(),
        ));
    }
    let name = file.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => Config::parse(&text, &name).map_err(Unusable::Mistakes),
        Err(error) => {
            let end = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes());
            let message = "not UTF-8 text; save the file as UTF-8";
            Err(Unusable::Mistakes(vec![Mistake::at(
                &name, &text, end, message,
            )]))
        }
    }
}

fn summary(config: &Config) -> String {
    let sessions = config
        .peers
        .iter()
        .map(|peer| u64::from(peer.sessions_max))
        .sum();
    format!(
        "{}, {}, {}",
        count(config.sip.listen.len() as u64, "listener"),
        count(config.peers.len() as u64, "peer"),
        count(sessions, "session")
    )
}

fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
