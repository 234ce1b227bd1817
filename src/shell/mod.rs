//! Sockets, workers and signals: the only floor that does I/O.
//!
//! [`start`] opens every listener and starts the workers, each a thread with its own core, sockets and timers; the
//! [`Handle`] that it gives tells what was bound and counted, and ends them. [`run`] is the whole life of the program:
//! the same, until SIGTERM, then no new calls until the last one has ended.

mod admin;
mod control;
pub mod counters;
mod errand;
mod gather;
mod inbox;
mod intake;
mod kernel;
mod life;
mod listeners;
mod load;
mod members;
pub mod names;
mod policy;
mod record;
mod settings;
mod tcp;
pub mod tls;
mod trouble;
mod turn;
mod udp;
mod users;
mod view;
mod wishes;

use crate::config::{Config, Gather as GatherMode, ListenTransport};
use crate::node::Worker;
use anyhow::{Context, anyhow};
use control::{Control, Phase};
use gather::Gather;
use inbox::Inbox;
use intake::Intake;
use listeners::{Bound, Listener};
use signaling::ListenerId;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};
use tcp::Tcp;
use tls::Tls;
use tracing::{info, warn};
use turn::{Door, Doors, Turns};
use udp::Udp;
use view::View;
use wishes::Wishes;

pub use admin::Source;
pub use life::run;
pub use policy::hash;
pub use view::Figures;

/// A node that runs. Dropping it stops it at once.
pub struct Handle {
    control: Arc<Control>,
    addresses: Vec<(ListenTransport, SocketAddr)>,
    figures: Vec<Figures>,
    tls: Arc<Tls>,
    balancer: Arc<balancer::Balancer>,
    name: String,
    settings: signaling::Settings,
    wishes: Arc<Wishes>,
    members: Option<members::Watched>,
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Handle {
    /// What the listeners are bound to, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> &[(ListenTransport, SocketAddr)] {
        &self.addresses
    }

    /// The node's certificates, which may be read anew.
    #[must_use]
    pub fn tls(&self) -> &Arc<Tls> {
        &self.tls
    }

    /// What is known and counted of each peer.
    #[must_use]
    pub fn peers(&self) -> Vec<balancer::PeerFigures> {
        self.balancer.figures(Instant::now())
    }

    /// What each worker counts.
    #[must_use]
    pub fn figures(&self) -> &[Figures] {
        &self.figures
    }

    /// Sessions of a peer: those that are taken here, and those that other members say they use.
    #[must_use]
    pub fn sessions(&self, peer: &str) -> Option<(u32, u32)> {
        let figures = self.balancer.figures(Instant::now());
        let found = figures.iter().find(|figures| figures.name == peer);
        found.map(|figures| (figures.in_use, figures.elsewhere))
    }

    fn control(&self) -> Arc<Control> {
        Arc::clone(&self.control)
    }

    /// What those who ask from outside see.
    fn view(&self, names: names::Names, policy: Arc<policy::Shared>) -> View {
        View {
            name: self.name.clone(),
            started: SystemTime::now(),
            control: self.control(),
            balancer: Arc::clone(&self.balancer),
            tls: Arc::clone(&self.tls),
            leave: Arc::default(),
            figures: self.figures.clone(),
            wishes: Arc::clone(&self.wishes),
            members: self.members.clone(),
            names,
            policy,
        }
    }

    /// Serves the policy service on these listeners from now on.
    fn serve_policy(
        &self,
        listeners: policy::Listeners,
        (config, names): (&Config, &names::Names),
    ) -> anyhow::Result<policy::Served> {
        let named = config.peers.iter();
        let named = named.filter(|peer| peer.at.destination().is_some());
        let named = named.map(|peer| peer.name.clone()).collect();
        let start = policy::Start::new(&self.figures, &names.counted(), named);
        let parts = (
            Arc::clone(&self.balancer),
            self.control(),
            Arc::clone(&self.tls),
        );
        listeners.serve(&config.policy, start, parts)
    }

    /// Looks after the names of peers from now on, within the runtime that this is called in.
    fn watch_names(&self, config: &Config) -> anyhow::Result<names::Names> {
        let balancer = Arc::clone(&self.balancer);
        let tls = Arc::clone(&self.tls);
        Ok(names::Names::watch(
            config,
            (balancer, tls, Arc::clone(&self.wishes)),
            settings::seed()?,
        ))
    }

    /// Takes no new calls from now on. The node ends by itself with the last call.
    pub fn drain(&self) {
        self.control.advance(Phase::Draining);
    }

    /// Ends the node now, whatever calls it has.
    pub fn stop(&self) {
        self.control.advance(Phase::Stopping);
    }

    /// Waits until the node has ended.
    ///
    /// # Errors
    /// A worker that failed or panicked, which ends the node.
    pub fn join(mut self) -> anyhow::Result<()> {
        self.join_threads()
    }

    fn join_threads(&mut self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        for thread in self.threads.drain(..) {
            let ended = thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("a worker panicked")));
            // The first failure explains the others.
            outcome = outcome.and(ended);
        }
        outcome
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop();
        // Who wants to know how it ended calls `join`.
        drop(self.join_threads());
    }
}

/// Opens every listener and starts the workers.
///
/// # Errors
/// What keeps the node from starting, such as an address in use; nothing is left open then.
pub fn start(config: Config) -> anyhow::Result<Handle> {
    if let Err(error) = kernel::option::raise_open_files() {
        warn!(%error, "the limit of open files stays as it is");
    }
    let tls = Arc::new(Tls::new(&config)?);
    let wishes = Arc::new(Wishes::read(config.node.state_file.as_deref())?);
    let door = members::Door::open(&config, settings::seed()?)?;
    let workers = settings::workers(&config)?;
    let mut listeners = Vec::new();
    for listen in &config.sip.listen {
        let listener = listeners::open(
            listen,
            usize::from(workers),
            config.limits.receive_buffer_bytes,
        )?;
        info!("listening on {}:{}", listener.transport, listener.local);
        listeners.push(listener);
    }
    let inboxes: Result<Vec<Arc<Inbox>>, _> = (0..workers)
        .map(|_| Inbox::new(config.limits.ring, config.limits.ring_bytes).map(Arc::new))
        .collect();
    let inboxes = inboxes.context("cannot make the rings between the workers")?;
    let settings = settings::settings(&config, workers, &listeners)?;
    let plan = Plan {
        control: Arc::new(Control::new(inboxes.clone())),
        balancer: settings::balancer(&config, &wishes, Instant::now())?,
        streams: tcp::Common {
            connections: Arc::new(tcp::Shared::new(config.limits.connections)),
            tls: Arc::clone(&tls),
            access: Arc::clone(&settings.access),
        },
        settings,
        config,
    };
    let mut handle = Handle {
        control: Arc::clone(&plan.control),
        addresses: listeners
            .iter()
            .map(|listener| (listener.transport, listener.local))
            .collect(),
        figures: Vec::new(),
        tls,
        balancer: Arc::clone(&plan.balancer),
        name: plan.config.node.name.clone(),
        settings: plan.settings.clone(),
        wishes,
        members: door.as_ref().map(members::Door::watched),
        threads: Vec::new(),
    };
    for (worker, inbox) in (0..workers).zip(inboxes) {
        plan.start_worker(worker, inbox, &mut listeners, &mut handle)?;
    }
    if let Some(door) = door {
        let parts = (Arc::clone(&handle.balancer), handle.control());
        let figures = handle.figures.clone();
        let thread = thread::Builder::new().name("members".to_owned());
        let thread = thread.spawn(move || door.run(parts, figures));
        handle
            .threads
            .push(thread.context("cannot start the members' thread")?);
    }
    Ok(handle)
}

/// What all workers have in common.
struct Plan {
    config: Config,
    control: Arc<Control>,
    settings: signaling::Settings,
    balancer: Arc<balancer::Balancer>,
    streams: tcp::Common,
}

impl Plan {
    fn start_worker(
        &self,
        worker: u8,
        inbox: Arc<Inbox>,
        listeners: &mut [Listener],
        handle: &mut Handle,
    ) -> anyhow::Result<()> {
        let figures = Figures {
            core: Arc::default(),
            shell: Arc::default(),
            thread: Arc::default(),
        };
        let settings = Arc::new(signaling::Settings {
            worker,
            ..self.settings.clone()
        });
        let locals = listeners
            .iter()
            .map(|listener| tcp::Local {
                address: listener.local.ip(),
                tls: (listener.transport == ListenTransport::Tls)
                    .then_some(listener.client_certificate),
            })
            .collect();
        let doors = listeners.iter_mut().zip(0..).filter_map(|(listener, id)| {
            Some(match listener.sockets.pop()? {
                Bound::Tcp(socket) => Door::Tcp(socket),
                Bound::Udp(socket) => Door::Udp(Udp::new(socket, ListenerId(id))),
            })
        });
        let doors = Doors::new(doors.collect(), inbox).context("cannot watch the sockets")?;
        let limits = settings::tcp_limits(&self.config);
        let shell = Arc::clone(&figures.shell);
        let tcp = Tcp::new(
            worker,
            locals,
            self.streams.clone(),
            limits,
            doors.epoll(),
            shell,
        );
        let moment = match self.config.node.gather {
            GatherMode::Adaptive => Some(Duration::from_micros(
                self.config.node.gather_microseconds.into(),
            )),
            GatherMode::Off => None,
        };
        let recording = settings::recording(&self.config);
        let (balancer, control) = (Arc::clone(&self.balancer), Arc::clone(&self.control));
        handle.figures.push(figures.clone());
        let serve = move || {
            // Whatever ends one worker ends the node: the others cannot answer for its calls.
            let _guard = StopAtEnd(Arc::clone(&control));
            figures.thread.set(admin::this_thread().unwrap_or_default());
            let now = Instant::now();
            let mut core = Worker::new(settings, limits.message, balancer, figures.core, now);
            core.record_calls(recording);
            let intake = Intake::new(worker, core, figures.shell, Arc::clone(&control));
            let turns = Turns::new(intake, doors, tcp, Gather::new(moment, now), control);
            turns
                .run()
                .with_context(|| format!("worker {worker} failed"))
        };
        let thread = thread::Builder::new().name(format!("worker-{worker}"));
        handle.threads.push(
            thread
                .spawn(serve)
                .context("cannot start a worker's thread")?,
        );
        Ok(())
    }
}

/// Stops the node when it goes.
struct StopAtEnd(Arc<Control>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.advance(Phase::Stopping);
    }
}
