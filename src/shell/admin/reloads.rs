//! A new configuration while calls go on: all of it or nothing, and one at a time.
//!
//! The file is read, checked and compiled beside what runs. What a running node cannot change is
//! refused with its name. Only then is it swapped in: first the certificates, by which new peers are
//! known; then the balancer's board, which may still refuse, and then they go back; then what cannot
//! fail any more. It is a task of its own, so that whoever asked may go away. Calls, counters, health
//! and the operators' wishes stay.

use super::answer::{Answer, Kind, Reader};
use super::routes::Desk;
use crate::config::Config;
use crate::observe::json::Json;
use crate::observe::log;
use crate::shell::control::Orders;
use crate::shell::errand::Errand;
use crate::shell::inbox::Parcel;
use crate::shell::settings;
use crate::shell::tls::Tls;
use crate::shell::view::View;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Mutex, watch};
use tracing::{error, info};

/// Where a configuration is read from: all of it, or all that is wrong with it.
pub type Source = Box<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// How long a worker is waited for, or room in its ring.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(1);

/// The configuration that runs, and how the last change of it went.
pub(in crate::shell) struct Reloads {
    source: Source,
    /// Held while a reload is under way: a second one waits.
    current: Mutex<Config>,
    settings: watch::Sender<Arc<signaling::Settings>>,
    outcome: watch::Sender<Outcome>,
}

#[derive(Clone, Debug, Default)]
struct Outcome {
    succeeded: u64,
    failed: u64,
    /// When the configuration that runs was taken over.
    since: Option<SystemTime>,
    /// Why the last one failed, if it did.
    error: Option<String>,
}

impl Reloads {
    /// After the start, which took over the first configuration.
    pub(in crate::shell) fn new(
        config: Config,
        source: Source,
        settings: signaling::Settings,
    ) -> Self {
        let outcome = Outcome {
            since: Some(SystemTime::now()),
            ..Outcome::default()
        };
        Self {
            source,
            current: Mutex::new(config),
            settings: watch::Sender::new(Arc::new(settings)),
            outcome: watch::Sender::new(outcome),
        }
    }

    /// What the cores were told last.
    pub(super) fn settings(&self) -> Arc<signaling::Settings> {
        Arc::clone(&self.settings.borrow())
    }

    /// Why the last reload failed, if it did.
    pub(super) fn last_error(&self) -> Option<String> {
        self.outcome.borrow().error.clone()
    }

    /// Reloads that succeeded and that failed.
    pub(super) fn counts(&self) -> (u64, u64) {
        let outcome = self.outcome.borrow();
        (outcome.succeeded, outcome.failed)
    }

    /// When the configuration that runs was taken over, in seconds since 1970.
    pub(super) fn since_seconds(&self) -> Option<f64> {
        let since = self.outcome.borrow().since?;
        let since = since.duration_since(UNIX_EPOCH).ok()?;
        Some(since.as_secs_f64())
    }

    /// One line for people.
    pub(super) fn summary(&self) -> String {
        let (succeeded, failed) = self.counts();
        format!("{succeeded} done, {failed} failed")
    }

    pub(super) fn json(&self) -> Json {
        let (succeeded, failed) = self.counts();
        let since = self.since_seconds().map_or(Json::Null, Json::Number);
        Json::Object(vec![
            ("succeeded", succeeded.into()),
            ("failed", failed.into()),
            (
                "last_error",
                self.last_error().map_or(Json::Null, Json::Text),
            ),
            ("since", since),
        ])
    }

    /// Reads the configuration anew and takes it over.
    ///
    /// # Errors
    /// Why it was not; nothing has changed then.
    pub(super) async fn reload(&self, view: &View) -> Result<(), String> {
        let mut current = self.current.lock().await;
        let taken = self.take_over(view, &current).await;
        self.outcome.send_modify(|outcome| match &taken {
            Ok(_) => {
                outcome.succeeded += 1;
                outcome.since = Some(SystemTime::now());
                outcome.error = None;
            }
            Err(why) => {
                outcome.failed += 1;
                outcome.error = Some(why.clone());
            }
        });
        *current = taken?;
        Ok(())
    }

    async fn take_over(&self, view: &View, current: &Config) -> Result<Config, String> {
        let mut config = (self.source)()?;
        config.number = current.number + 1;
        let fixed = fixed(current, &config);
        if !fixed.is_empty() {
            let keys = fixed.join(", ");
            return Err(format!(
                "{keys} cannot change while the node runs; put back what was there, or restart the node"
            ));
        }
        let settings = settings::reloaded(&self.settings(), &config)
            .map_err(|mistake| format!("{mistake:#}"))?;
        let certificates = Tls::prepare(&config).map_err(|mistake| format!("{mistake:#}"))?;
        let policy = view
            .policy
            .prepare(&config.policy, config.number)
            .map_err(|mistake| format!("{mistake:#}"))?;
        // No call may meet a new peer before it is known what that peer must prove.
        let before = view.tls.take_over(certificates);
        // Its rules wait for its board: no request sees one without the other.
        let rules_before = view.policy.take_over(policy);
        if let Err(why) = view.names.reload(config.clone()).await {
            view.tls.take_over(before);
            view.policy.take_over(rules_before);
            return Err(why);
        }
        log::set_level(config.log);
        self.settings.send_replace(Arc::new(settings.clone()));
        view.control.post(Orders {
            settings,
            limits: settings::tcp_limits(&config),
            recording: settings::recording(&config),
        });
        // Who asked may go by it at once. A worker that hangs finds the orders when it turns again.
        let begun = Instant::now();
        while !view.control.is_obeyed() && begun.elapsed() < PATIENCE {
            tokio::time::sleep(LOOK).await;
        }
        Ok(config)
    }
}

/// Puts an errand into a worker's ring, which may be full for a moment.
pub(super) async fn hand_over(view: &View, worker: u8, errand: Errand) -> Result<(), String> {
    let begun = Instant::now();
    let mut parcel = Parcel::Errand(Box::new(errand));
    while let Some(inbox) = view.control.inbox(worker) {
        match inbox.put(parcel) {
            Ok(()) => {
                inbox.wake();
                return Ok(());
            }
            Err(full) => parcel = full,
        }
        if begun.elapsed() > PATIENCE {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(format!(
        "worker {worker} does not take it; it hangs, restart the node"
    ))
}

/// The keys that differ and that a running node cannot change.
fn fixed(old: &Config, new: &Config) -> Vec<&'static str> {
    let mut keys = Vec::new();
    let mut note = |key, differs: bool| {
        if differs {
            keys.push(key);
        }
    };
    note("[admin]", old.admin != new.admin);
    note("[cluster]", old.cluster != new.cluster);
    note("[limits] connections", {
        old.limits.connections != new.limits.connections
    });
    note("[limits] receive_buffer_bytes", {
        old.limits.receive_buffer_bytes != new.limits.receive_buffer_bytes
    });
    note("[limits] ring", old.limits.ring != new.limits.ring);
    note("[limits] ring_bytes", {
        old.limits.ring_bytes != new.limits.ring_bytes
    });
    note("[log] queue", old.log.queue != new.log.queue);
    note("[log] queue_bytes", {
        old.log.queue_octets != new.log.queue_octets
    });
    note("[node] gather", {
        (old.node.gather, old.node.gather_microseconds)
            != (new.node.gather, new.node.gather_microseconds)
    });
    note("[node] name", old.node.name != new.node.name);
    note("[node] state_file", {
        old.node.state_file != new.node.state_file
    });
    note("[node] workers", old.node.workers != new.node.workers);
    note("[policy] listen", old.policy.listen != new.policy.listen);
    note(
        "[policy] drain_seconds",
        old.policy.drain != new.policy.drain,
    );
    note("[sip] listen", old.sip.listen != new.sip.listen);
    keys
}

impl Desk {
    /// The same as SIGHUP, with the outcome for who asks.
    pub(super) async fn reload(self: &Arc<Self>, reader: Reader, who: u32) -> Answer {
        match self.reload_for(format!("operator {who}")).await {
            Ok(()) => Answer::of(
                reader,
                || "the configuration was taken over\n".to_owned(),
                || self.reloads.json(),
            ),
            Err(why) => Answer::error(reader, Kind::Failed, why),
        }
    }

    /// Reloads and says in the log how it went. It is done to its end, whether or not who asked waits
    /// for it.
    pub(in crate::shell) async fn reload_for(self: &Arc<Self>, who: String) -> Result<(), String> {
        let desk = Arc::clone(self);
        let task = tokio::spawn(async move {
            let outcome = desk.reloads.reload(&desk.view).await;
            match &outcome {
                Ok(()) => info!(by = who, "the configuration was taken over"),
                Err(why) => error!(by = who, "the configuration stays as it was: {why}"),
            }
            outcome
        });
        task.await
            .unwrap_or_else(|error| Err(format!("the reload broke off: {error}; restart the node")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let text = format!(
            "[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n[[peer]]\nname = \"a\"\nat = \
             \"udp:127.0.0.1:5180\"\nsessions_max = 1\n{more}"
        );
        Config::parse(&text, "test.toml").expect("a configuration")
    }

    #[test]
    fn what_cannot_change_is_named() {
        let old = config("");
        assert!(fixed(&old, &old.clone()).is_empty());
        let new = config("[timers]\nt1_ms = 400\n[limits]\ncalls = 5\n[log]\nlevel = \"warn\"\n");
        assert!(fixed(&old, &new).is_empty());
        let new = config(
            "[node]\nworkers = 2\nname = \"b\"\n[limits]\nring = 64\n[admin]\nsocket = \"\"\n",
        );
        assert_eq!(
            fixed(&old, &new),
            ["[admin]", "[limits] ring", "[node] name", "[node] workers"]
        );
    }
}
