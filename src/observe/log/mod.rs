//! Log lines on standard error: what happened, with its figures as fields. Which lines are written
//! can be changed while the node runs. Whoever logs never waits for whoever reads ([`lines`]).

mod lines;

use crate::config::{CallLines, Level, Log};
use lines::Lines;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// The lines that `[log] calls` asks for: a switch of their own.
pub const CALLS: &str = "baton::calls";
/// How long the last lines may take when the program ends.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// The way to the level, once somebody logs.
static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();
/// The lines that wait, once somebody logs.
static LINES: OnceLock<Lines> = OnceLock::new();

/// Has the last lines written when it goes.
#[derive(Debug)]
#[must_use = "lines that still wait are lost when the program ends"]
pub struct Flush(());

impl Drop for Flush {
    fn drop(&mut self) {
        if let Some(lines) = LINES.get() {
            lines.flush(FLUSH_PATIENCE);
        }
    }
}

/// Starts logging. A second call changes nothing.
///
/// # Errors
/// There is no thread to be had.
pub fn init(log: Log) -> io::Result<Flush> {
    let mut is_first = false;
    let lines = LINES.get_or_init(|| {
        is_first = true;
        Lines::new(log.queue, log.queue_octets)
    });
    if !is_first {
        tracing::debug!("somebody logs already");
        return Ok(Flush(()));
    }
    let writer = thread::Builder::new().name("log".to_owned());
    let writer = writer.spawn(move || lines.write_to(&mut io::stderr()))?;
    lines.written_by(writer.thread().clone());
    let (level, handle) = reload::Layer::new(filter(log));
    let layer = fmt::layer()
        .with_writer(move || lines)
        // Colours are for people: a file or a journal gets plain text.
        .with_ansi(io::stderr().is_terminal());
    let started = tracing_subscriber::registry().with(level).with(layer);
    if started.try_init().is_err() || LEVEL.set(handle).is_err() {
        tracing::debug!("somebody else logs already");
    }
    Ok(Flush(()))
}

/// Lines that were lost because nobody read them in time, or at all.
#[must_use]
pub fn lines_dropped() -> u64 {
    LINES.get().map_or(0, Lines::lost)
}

/// Writes lines of this level and those that are more important from now on.
pub fn set_level(log: Log) {
    if let Some(handle) = LEVEL.get()
        && let Err(error) = handle.reload(filter(log))
    {
        tracing::error!(%error, "the level of the log stays as it was");
    }
}

/// Whoever asks for the lines of calls has a reason, whatever else is written.
fn filter(log: Log) -> Targets {
    let level = match log.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let calls = match log.calls {
        CallLines::Off => level,
        CallLines::Short | CallLines::Explained => level.max(LevelFilter::INFO),
    };
    Targets::new().with_default(level).with_target(CALLS, calls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level as Importance;

    #[test]
    fn lines_of_calls_are_written_whatever_the_level() {
        let log = |level, calls| Log {
            level,
            calls,
            ..Log::default()
        };
        let warn = filter(log(Level::Warn, CallLines::Short));
        assert!(warn.would_enable(CALLS, &Importance::INFO));
        assert!(!warn.would_enable(CALLS, &Importance::DEBUG));
        assert!(!warn.would_enable("baton::shell", &Importance::INFO));
        let off = filter(log(Level::Warn, CallLines::Off));
        assert!(!off.would_enable(CALLS, &Importance::INFO));
        let trace = filter(log(Level::Trace, CallLines::Explained));
        assert!(trace.would_enable(CALLS, &Importance::TRACE));
    }
}
