//! The whole life of the program: start, serve, and the way out that signals ask for.

use super::admin::{self, Desk, Reloads};
use super::control::{Control, Phase};
use super::policy;
use crate::config::Config;
use crate::observe::log;
use anyhow::Context;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// Runs a node until it is told to stop, by SIGTERM, SIGINT or an operator. `source` is where a
/// reload reads the configuration anew.
///
/// # Errors
/// What keeps the node from starting, such as an address in use, or a worker that failed.
pub fn run(config: Config, source: admin::Source) -> anyhow::Result<()> {
    // The last to go: what is said on the way out is still written.
    let _flush = log::init(config.log).context("cannot start the log")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(live(config, source))
}

async fn live(config: Config, source: admin::Source) -> anyhow::Result<()> {
    let patience = config.node.shutdown_seconds_max;
    let (node, version) = (&config.node.name, env!("CARGO_PKG_VERSION"));
    info!(%node, version, "starting");
    // Before any port is open, so that no signal finds nobody.
    let mut signals = Signals::new()?;
    let doors = admin::Doors::open(&config.admin)?;
    let listeners = policy::Listeners::open(&config.policy)?;
    let drain = config.policy.drain;
    let handle = super::start(config.clone())?;
    let names = handle.watch_names(&config)?;
    let served = handle.serve_policy(listeners, (&config, &names))?;
    let view = handle.view(names, Arc::clone(&served.shared));
    let leave = Arc::clone(&view.leave);
    let reloads = Reloads::new(config, source, handle.settings.clone());
    let desk = Arc::new(Desk::new(view, reloads));
    let _served = doors.serve(&desk);
    let control = handle.control();
    let mut ended = tokio::task::spawn_blocking(move || handle.join());
    loop {
        tokio::select! {
            outcome = &mut ended => return outcome?,
            () = leave.notified() => break,
            wish = signals.next() => match wish {
                Wish::Counters => desk.write_counters(),
                Wish::End => break,
                Wish::Reload => {
                    let desk = Arc::clone(&desk);
                    // It tells the log how it went.
                    tokio::spawn(async move { desk.reload_for("SIGHUP".to_owned()).await });
                }
            }
        }
    }
    // A VCS looks once a minute whether the policy service takes part, and until then it asks it; what is promised to it
    // is kept. The time for shutting down begins only then, so that a call taken meanwhile has all of it.
    if served.shared.was_asked() && !drain.is_zero() {
        control.advance(Phase::Lingering);
        info!(
            seconds = drain.as_secs(),
            "stopping: no new calls; the policy service decides until the last VCS has seen that it drains"
        );
        tokio::select! {
            outcome = &mut ended => return finish(outcome?),
            () = signals.end() => return stop_now(&control, ended).await,
            () = tokio::time::sleep(drain) => {}
        }
    } else {
        info!("stopping: no new calls");
    }
    control.advance(Phase::Draining);
    info!("waiting for the last call to end");
    tokio::select! {
        outcome = &mut ended => finish(outcome?),
        () = signals.end() => stop_now(&control, ended).await,
        () = tokio::time::sleep(patience) => {
            warn!("stopping now: calls still live after the time for shutting down");
            control.advance(Phase::Stopping);
            finish(ended.await?)
        }
    }
}

async fn stop_now(control: &Control, ended: JoinHandle<anyhow::Result<()>>) -> anyhow::Result<()> {
    warn!("stopping now: a second signal came");
    control.advance(Phase::Stopping);
    finish(ended.await?)
}

fn finish(outcome: anyhow::Result<()>) -> anyhow::Result<()> {
    if outcome.is_ok() {
        info!("stopped");
    }
    outcome
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// All counters into the log.
    Counters,
    End,
    Reload,
}

/// The signals that the program hears.
struct Signals {
    counters: Signal,
    hang_up: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            counters: signal(SignalKind::user_defined1())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.counters.recv() => Wish::Counters,
            _ = self.hang_up.recv() => Wish::Reload,
            _ = self.interrupt.recv() => Wish::End,
            _ = self.terminate.recv() => Wish::End,
        }
    }

    /// One that asks the program to end; the others change nothing any more.
    async fn end(&mut self) {
        while self.next().await != Wish::End {}
    }
}
