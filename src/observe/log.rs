//! Log lines on standard error: what happened, with its figures as fields.

use crate::config::{Level, Log};
use std::io::{self, IsTerminal};
use tracing::level_filters::LevelFilter;

/// Starts logging. A second call changes nothing.
pub fn init(log: Log) {
    let level = match log.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        // Colours are for people: a file or a journal gets plain text.
        .with_ansi(io::stderr().is_terminal());
    if subscriber.try_init().is_err() {
        tracing::debug!("somebody logs already");
    }
}
