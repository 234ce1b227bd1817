//! A peer on a thread of its own.

use super::fate::{Fate, Fated};
use super::{Socket, Wire, runtime};
use crate::agent::{Agent, Counts, Peer, PeerSettings, Step};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it looks whether it is to stop.
const LOOK_UP: Duration = Duration::from_millis(50);

/// What a peer on a thread of its own shows while it runs.
#[derive(Debug, Default)]
pub struct Gauge {
    calls: AtomicU64,
    live: AtomicU64,
}

impl Gauge {
    /// Calls that it was asked to take.
    #[must_use]
    pub fn calls(&self) -> u64 {
        // Relaxed: a figure to look at, which orders nothing.
        self.calls.load(Ordering::Relaxed)
    }

    /// Calls that are not over.
    #[must_use]
    pub fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }
}

/// What a peer on a thread of its own leaves behind.
#[derive(Debug)]
pub struct PeerReport {
    /// What it counted.
    pub counts: Counts,
    /// How many things it found wrong.
    pub complaints: u64,
    /// The first of them.
    pub complaint_texts: Vec<String>,
    /// 2xx and refusals that nobody acknowledged.
    pub acks_missing: u64,
    /// Calls that were not over.
    pub live: usize,
    /// The messages of the watched call.
    pub steps: Vec<Step>,
    /// Messages that came while it was a black hole.
    pub unheard: u64,
    /// Whether it died before it was stopped.
    pub is_dead: bool,
}

/// A peer that runs on a thread of its own until it is told to stop.
#[derive(Debug)]
pub struct PeerThread {
    thread: JoinHandle<io::Result<PeerReport>>,
    gauge: Arc<Gauge>,
    is_to_stop: Arc<AtomicBool>,
}

impl PeerThread {
    /// Starts it on a socket. With `watch` it keeps the messages of that call of the caller.
    pub fn start(
        name: &str,
        socket: Socket,
        settings: PeerSettings,
        watch: Option<u64>,
    ) -> io::Result<Self> {
        Self::start_fated(name, socket, settings, watch, Fate::default())
    }

    /// The same for one that something befalls.
    pub fn start_fated(
        name: &str,
        socket: Socket,
        settings: PeerSettings,
        watch: Option<u64>,
        fate: Fate,
    ) -> io::Result<Self> {
        let gauge = Arc::new(Gauge::default());
        let is_to_stop = Arc::new(AtomicBool::new(false));
        let (shown, stop) = (Arc::clone(&gauge), Arc::clone(&is_to_stop));
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let mut peer = Peer::new(settings);
                if let Some(number) = watch {
                    peer.watch(number);
                }
                let fated = Fated::new(peer, fate);
                runtime()?.block_on(run_peer(fated, socket, &shown, &stop))
            })?;
        Ok(Self {
            thread,
            gauge,
            is_to_stop,
        })
    }

    /// What it shows while it runs.
    #[must_use]
    pub fn gauge(&self) -> &Gauge {
        &self.gauge
    }

    /// Stops it and gives what it leaves behind.
    pub fn stop(self) -> io::Result<PeerReport> {
        // Relaxed: the thread only has to see it some time; joining orders the rest.
        self.is_to_stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| io::Error::other("the thread of a peer panicked"))?
    }
}

async fn run_peer(
    mut fated: Fated,
    socket: Socket,
    gauge: &Gauge,
    stop: &AtomicBool,
) -> io::Result<PeerReport> {
    let mut wire = Wire::new(socket)?;
    while !stop.load(Ordering::Relaxed) && !fated.is_dead {
        wire.turn(&mut fated, Instant::now() + LOOK_UP).await?;
        gauge.calls.store(fated.counts().calls, Ordering::Relaxed);
        let live = if fated.is_dead { 0 } else { fated.live() };
        let live = u64::try_from(live).unwrap_or(u64::MAX);
        gauge.live.store(live, Ordering::Relaxed);
    }
    // A dead one's socket is closed here, and whoever sends to it may be told so.
    drop(wire);
    let counts = fated.counts();
    Ok(PeerReport {
        counts,
        complaints: fated.complaints(),
        complaint_texts: std::iter::from_fn(|| fated.poll_complaint()).collect(),
        acks_missing: counts.acks_missing + fated.peer.acks_awaited(),
        live: fated.live(),
        steps: fated.peer.steps().to_vec(),
        unheard: fated.unheard,
        is_dead: fated.is_dead,
    })
}
