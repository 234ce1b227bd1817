//! Log lines on standard error: what happened, with its figures as fields. Which lines are written
//! can be changed while the node runs.

use crate::config::{Level, Log};
use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// The way to the level, once somebody logs.
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Starts logging. A second call changes nothing.
pub fn init(log: Log) {
    let (level, handle) = reload::Layer::new(filter(log.level));
    let lines = fmt::layer()
        .with_writer(io::stderr)
        // Colours are for people: a file or a journal gets plain text.
        .with_ansi(io::stderr().is_terminal());
    let started = tracing_subscriber::registry().with(level).with(lines);
    if started.try_init().is_err() || LEVEL.set(handle).is_err() {
        tracing::debug!("somebody logs already");
    }
}

/// Writes lines of this level and those that are more important from now on.
pub fn set_level(log: Log) {
    if let Some(handle) = LEVEL.get()
        && let Err(error) = handle.reload(filter(log.level))
    {
        tracing::error!(%error, "the level of the log stays as it was");
    }
}

fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}
