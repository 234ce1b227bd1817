//! The policy service's doors: HTTP and HTTPS listeners that a VCS asks where a call goes.
//!
//! They live on a thread of their own, so that neither a worker nor an operator keeps a VCS waiting.
//! What is decided, and how it is written, is the `policy` crate's; here are sockets, credentials,
//! deadlines and limits.

mod answer;
mod crowd;
mod door;
pub(super) mod figures;
mod framing;
mod guard;
mod record;
mod site;

use super::control::Control;
use super::tls::Tls;
use crate::config::{Policy, PolicyListen};
use anyhow::Context;
use arc_swap::ArcSwap;
use balancer::Balancer;
use door::Door;
use figures::Figures;
pub(super) use site::Override;
use site::Site;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::thread;
use tokio::sync::watch;
use tracing::{info, warn};

/// What everybody who serves, changes or watches the service shares.
pub(super) struct Shared {
    site: ArcSwap<Site>,
    /// What an operator said of the state, as [`Override`].
    said: AtomicU8,
    balancer: Arc<Balancer>,
    control: Arc<Control>,
    tls: Arc<Tls>,
    figures: Figures,
    record: record::Record,
    crowd: crowd::Crowd,
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
        (balancer, control, tls): (Arc<Balancer>, Arc<Control>, Arc<Tls>),
    ) -> anyhow::Result<Served> {
        let site = Site::new(policy)?;
        if !self.open.is_empty() && site.guard.is_nobody() {
            warn!("the policy service has no user and password: it says 503 until it has");
        }
        let shared = Arc::new(Shared {
            site: ArcSwap::from_pointee(site),
            said: AtomicU8::new(Override::None as u8),
            balancer,
            control,
            tls,
            figures: Figures::default(),
            record: record::Record::default(),
            crowd: crowd::Crowd::default(),
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
        let mut tasks = tokio::task::JoinSet::new();
        for (listen, listener) in doors {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let door = Door::new(Arc::clone(shared), listen.scheme);
            tasks.spawn(door.serve(listener));
        }
        while stopped.changed().await.is_ok() {}
        Ok(())
    })
}

impl Shared {
    /// Uses another configuration from now on; requests that are being answered keep theirs.
    ///
    /// # Errors
    /// Why it cannot be used; nothing has changed then.
    pub(super) fn prepare(policy: &Policy) -> anyhow::Result<Prepared> {
        Ok(Prepared(Arc::new(Site::new(policy)?)))
    }

    pub(super) fn take_over(&self, prepared: Prepared) {
        self.site.store(prepared.0);
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
pub(super) struct Prepared(Arc<Site>);
