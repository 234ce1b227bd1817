//! The policy service's doors: HTTP and HTTPS listeners that a VCS asks where a call goes.
//!
//! They live on a thread of their own, so that neither a worker nor an operator keeps a VCS waiting.
//! What is decided, and how it is written, is the `policy` crate's; here are sockets, credentials,
//! deadlines and limits.

mod answer;
mod crowd;
mod digest;
mod door;
pub(super) mod figures;
mod framing;
mod guard;
mod handshakes;
mod json;
mod patient;
mod record;
mod site;
mod start;
mod trials;
mod work;

use super::control::Control;
use super::tls::Tls;
use crate::config::{Policy, PolicyListen};
use anyhow::Context;
use arc_swap::ArcSwap;
use balancer::Balancer;
use door::Door;
use figures::Figures;
pub(super) use site::Override;
use site::{Site, Sites};
pub(super) use start::Start;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tracing::{info, warn};

/// How long connections wait for the workers of a node that starts.
const START_PATIENCE: Duration = Duration::from_secs(5);
const START_LOOK: Duration = Duration::from_millis(1);
/// How often it is looked whether a lease is over.
const LOOK: Duration = Duration::from_millis(500);

/// What everybody who serves, changes or watches the service shares.
pub(super) struct Shared {
    sites: ArcSwap<Sites>,
    start: Start,
    /// What an operator said of the state, as [`Override`].
    said: AtomicU8,
    balancer: Arc<Balancer>,
    control: Arc<Control>,
    tls: Arc<Tls>,
    figures: Figures,
    record: record::Record,
    crowd: crowd::Crowd,
    handshakes: handshakes::Handshakes,
}

/// The listeners, open but not served yet.
pub(super) struct Listeners {
    open: Vec<(PolicyListen, TcpListener)>,
}

/// The service while it is served; it ends when this goes.
pub(super) struct Served {
    pub(super) shared: Arc<Shared>,
    _stop: watch::Sender<()>,
}

impl Listeners {
    /// Opens them.
    pub(super) fn open(policy: &Policy) -> anyhow::Result<Self> {
        let mut open = Vec::new();
        for listen in &policy.listen {
            let listener = TcpListener::bind(listen.address)
                .and_then(|listener| {
                    listener.set_nonblocking(true)?;
                    Ok(listener)
                })
                .with_context(|| format!("cannot listen on {} for [policy]", listen.address))?;
            let address = listener.local_addr()?;
            info!("policy service on {}://{address}", listen.scheme.word());
            open.push((listen.clone(), listener));
        }
        Ok(Self { open })
    }

    /// Serves them from now on.
    pub(super) fn serve(
        self,
        policy: &Policy,
        start: Start,
        (balancer, control, tls): (Arc<Balancer>, Arc<Control>, Arc<Tls>),
    ) -> anyhow::Result<Served> {
        let site = Site::new(policy, None)?;
        if !self.open.is_empty() && site.guard.is_nobody() {
            warn!("the policy service has no user and password: it says 503 until it has");
        }
        let shared = Arc::new(Shared {
            sites: ArcSwap::from_pointee(Sites::first(site)),
            start,
            said: AtomicU8::new(Override::None as u8),
            balancer,
            control,
            tls,
            figures: Figures::default(),
            record: record::Record::default(),
            crowd: crowd::Crowd::default(),
            handshakes: handshakes::Handshakes::default(),
        });
        let (stop, stopped) = watch::channel(());
        if !self.open.is_empty() {
            let doors = self.open;
            let served = Arc::clone(&shared);
            thread::Builder::new()
                .name("policy".to_owned())
                .spawn(move || {
                    if let Err(error) = serve(doors, &served, stopped) {
                        tracing::error!(%error, "the policy service has ended");
                    }
                })
                .context("cannot start the thread of the policy service")?;
        }
        Ok(Served {
            shared,
            _stop: stop,
        })
    }
}

/// The thread: until nobody holds the other end of `stopped`.
fn serve(
    doors: Vec<(PolicyListen, TcpListener)>,
    shared: &Arc<Shared>,
    mut stopped: watch::Receiver<()>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Mostly a moment: who asks at once need not be sent away for that.
        let begun = Instant::now();
        while !shared.start.has_workers() && begun.elapsed() < START_PATIENCE {
            tokio::time::sleep(START_LOOK).await;
        }
        let mut tasks = tokio::task::JoinSet::new();
        for (listen, listener) in doors {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let door = Door::new(Arc::clone(shared), listen.scheme);
            tasks.spawn(door.serve(listener));
        }
        tasks.spawn(end_leases(Arc::clone(&shared.balancer)));
        while stopped.changed().await.is_ok() {}
        Ok(())
    })
}

/// Gives back what is held for calls that have not come: here, because no worker does while the node drains.
async fn end_leases(balancer: Arc<Balancer>) {
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        let now = Instant::now();
        if balancer.poll_timeout().is_some_and(|at| at <= now) {
            balancer.handle_timeout(now);
        }
    }
}

impl Shared {
    /// Makes the configuration of this number ready.
    ///
    /// # Errors
    /// Why it cannot be used; nothing has changed then.
    pub(super) fn prepare(&self, policy: &Policy, number: u64) -> anyhow::Result<Prepared> {
        let site = Site::new(policy, Some(&self.site()))?;
        let sites = self.sites.load().followed_by(number, site);
        Ok(Prepared(Arc::new(sites)))
    }

    /// Uses another configuration for all that is decided on its board; that comes next. What was there before
    /// comes out, in case the board is refused.
    pub(super) fn take_over(&self, prepared: Prepared) -> Prepared {
        Prepared(self.sites.swap(prepared.0))
    }

    /// Whether anybody has asked for anything.
    pub(super) fn was_asked(&self) -> bool {
        self.figures.requests().any(|(_, count)| count > 0)
            || self
                .figures
                .events()
                .iter()
                .any(|(name, count)| *name == "status_poll" && *count > 0)
    }

    pub(super) fn figures(&self) -> &Figures {
        &self.figures
    }
}

/// An Argon2 hash of a password, for `password_hash`.
///
/// # Errors
/// The system gives no random numbers.
pub fn hash(password: &[u8]) -> anyhow::Result<String> {
    guard::hash(password)
}

/// A configuration that can be used.
pub(super) struct Prepared(Arc<Sites>);

#[cfg(test)]
mod tests {
    use super::*;
    use balancer::{PeerSettings, Request, Settings, Target, Transport};

    /// As after SIGTERM, when no worker lives any more.
    #[test]
    fn leases_end_though_no_worker_looks() {
        let target = Target {
            transport: Transport::Udp,
            remote: ([127, 0, 0, 1], 5060).into(),
        };
        let settings = Settings {
            peers: vec![PeerSettings::new("bridge", target, 1)],
            ..Settings::default()
        };
        let now = Instant::now();
        let balancer = Arc::new(Balancer::new(&settings, 7, now).unwrap());
        let request = Request {
            alias: b"meet@example.com",
            zone: "",
            tried: &[],
            is_audio_only: false,
            now,
        };
        balancer
            .lease(&request, "serial", Duration::from_millis(1))
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let ending = tokio::spawn(end_leases(Arc::clone(&balancer)));
            while balancer.lease_count() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            ending.abort();
        });
    }
}
