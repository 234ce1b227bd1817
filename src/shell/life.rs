//! The whole life of the program: start, serve, and the way out that signals ask for.

use super::admin;
use super::control::Phase;
use crate::config::Config;
use crate::observe::log;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

/// Runs a node until it is told to stop, by SIGTERM or SIGINT.
///
/// # Errors
/// What keeps the node from starting, such as an address in use, or a worker that failed.
pub fn run(config: Config) -> anyhow::Result<()> {
    log::init(config.log);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(live(config))
}

async fn live(config: Config) -> anyhow::Result<()> {
    let patience = config.node.shutdown_seconds_max;
    // Before any port is open, so that no signal finds nobody.
    let mut signals = Signals::new()?;
    let doors = admin::Doors::open(&config.admin)?;
    let handle = super::start(config)?;
    let _desk = doors.serve(handle.view());
    let control = handle.control();
    let mut ended = tokio::task::spawn_blocking(move || handle.join());
    tokio::select! {
        outcome = &mut ended => return outcome?,
        () = signals.next() => {}
    }
    control.advance(Phase::Draining);
    info!(
        seconds_max = patience.as_secs(),
        "stopping: no new calls, waiting for the last one to end"
    );
    tokio::select! {
        outcome = &mut ended => return finish(outcome?),
        () = signals.next() => warn!("stopping now: a second signal came"),
        () = tokio::time::sleep(patience) => warn!("stopping now: calls still live after the time for shutting down"),
    }
    control.advance(Phase::Stopping);
    finish(ended.await?)
}

fn finish(outcome: anyhow::Result<()>) -> anyhow::Result<()> {
    if outcome.is_ok() {
        info!("stopped");
    }
    outcome
}

/// The signals that ask the program to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
