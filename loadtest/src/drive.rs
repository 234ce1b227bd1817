//! Real UDP sockets and the real clock for an agent.
//!
//! One agent, one socket, one thread. A turn does what is due, waits for a datagram or the next clock, and takes all
//! datagrams that are there, so that one wake-up serves many messages.

use crate::agent::{Agent, Counts, Peer, PeerSettings, Step};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;

/// Datagrams taken in one turn, so that a flood cannot keep the clocks waiting.
const DATAGRAMS_MAX: usize = 512;
/// What the kernel is asked to hold while the agent is busy; it may hold less.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;
/// How often a thread of ours looks whether it is to stop.
const LOOK_UP: Duration = Duration::from_millis(50);

/// Binds a UDP socket for an agent; port 0 lets the system choose.
pub fn bind(local: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind(local)?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A runtime for one agent on this thread.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// The socket of one agent.
#[derive(Debug)]
pub struct Wire {
    socket: UdpSocket,
    buffer: Vec<u8>,
}

impl Wire {
    /// Takes a socket from [`bind`]; to be called within a runtime.
    pub fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            buffer: vec![0; 65_535],
        })
    }

    /// Does what is due, then waits for messages, a clock of the agent or `wake`, whatever is first, and serves it.
    pub async fn turn(&mut self, agent: &mut impl Agent, wake: Instant) -> io::Result<()> {
        agent.handle_timeout(Instant::now());
        self.flush(agent).await?;
        let until = agent
            .poll_timeout()
            .map_or(wake, |timeout| timeout.min(wake));
        tokio::select! {
            biased;
            readable = self.socket.readable() => readable?,
            () = tokio::time::sleep_until(until.into()) => {}
        }
        for _ in 0..DATAGRAMS_MAX {
            let (length, from) = match self.socket.try_recv_from(&mut self.buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error),
            };
            let bytes = self.buffer.get(..length).unwrap_or_default();
            agent.handle_message(Instant::now(), from, bytes);
            self.flush(agent).await?;
        }
        Ok(())
    }

    /// Sends what the agent has to send.
    pub async fn flush(&self, agent: &mut impl Agent) -> io::Result<()> {
        while let Some(packet) = agent.poll_output() {
            let mut sent = self.socket.try_send_to(&packet.bytes, packet.to);
            if sent
                .as_ref()
                .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
            {
                sent = self.socket.send_to(&packet.bytes, packet.to).await;
            }
            match sent {
                // Nobody listens there (yet): for a datagram that is a loss like any other.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                other => drop(other?),
            }
        }
        Ok(())
    }
}

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
}

/// A peer that runs on a thread of its own until it is told to stop.
#[derive(Debug)]
pub struct PeerThread {
    thread: JoinHandle<io::Result<PeerReport>>,
    gauge: Arc<Gauge>,
    is_to_stop: Arc<AtomicBool>,
}

impl PeerThread {
    /// Starts it on a socket from [`bind`]. With `watch` it keeps the messages of that call of the caller.
    pub fn start(
        name: &str,
        socket: std::net::UdpSocket,
        settings: PeerSettings,
        watch: Option<u64>,
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
                runtime()?.block_on(run_peer(peer, socket, &shown, &stop))
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
    mut peer: Peer,
    socket: std::net::UdpSocket,
    gauge: &Gauge,
    stop: &AtomicBool,
) -> io::Result<PeerReport> {
    let mut wire = Wire::new(socket)?;
    while !stop.load(Ordering::Relaxed) {
        wire.turn(&mut peer, Instant::now() + LOOK_UP).await?;
        gauge.calls.store(peer.counts().calls, Ordering::Relaxed);
        gauge.live.store(
            u64::try_from(peer.live()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
    }
    let counts = peer.counts();
    Ok(PeerReport {
        counts,
        complaints: peer.complaints(),
        complaint_texts: std::iter::from_fn(|| peer.poll_complaint()).collect(),
        acks_missing: counts.acks_missing + peer.acks_awaited(),
        live: peer.live(),
        steps: peer.steps().to_vec(),
    })
}
