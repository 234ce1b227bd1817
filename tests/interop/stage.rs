//! Where one test plays: a folder for its files, and perhaps a network of its own.

use super::installed;
use super::namespace::Namespace;
use super::node::Node;
use super::scenario::Scenario;
use super::sipp::{Over, Sipp};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static OPENED: AtomicU32 = AtomicU32::new(0);

const CALM_T1: Duration = Duration::from_secs(2);

/// A folder and a network. What is in the folder stays there when the test fails.
pub(crate) struct Stage {
    folder: PathBuf,
    namespace: Option<Namespace>,
    /// T1 of everybody on it.
    t1: Duration,
    /// How long nodes on it let a peer ring.
    ring_seconds: u32,
    /// Whether messages are repeated because some may be lost.
    may_lose: bool,
}

impl Stage {
    /// On this machine's loopback device, where nothing is lost and sipp repeats nothing.
    ///
    /// T1 is long: a machine that stands still for a second must not look like a lossy network,
    /// because sipp takes some of the repeats that are right then for wrong messages.
    pub(crate) fn calm(name: &str) -> Self {
        Self::new(name, None, CALM_T1, false)
    }

    /// The same, in a network of its own; `None` where that cannot be had.
    pub(crate) fn apart(name: &str) -> Option<Self> {
        Some(Self::new(name, Some(Namespace::new()?), CALM_T1, false))
    }

    /// A network of its own that loses so many of a hundred datagrams each way; `None` where that
    /// cannot be had.
    pub(crate) fn lossy(name: &str, percent: u32, t1: Duration) -> Option<Self> {
        if !installed(&["nft"]) {
            return None;
        }
        let namespace = Namespace::new()?;
        namespace
            .lose(percent)
            .then(|| Self::new(name, Some(namespace), t1, true))
    }

    fn new(name: &str, namespace: Option<Namespace>, t1: Duration, may_lose: bool) -> Self {
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let name = format!("interop-{}-{number}-{name}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        Self {
            folder,
            namespace,
            t1,
            ring_seconds: 181,
            may_lose,
        }
    }

    /// With another T1.
    pub(crate) fn with_t1(mut self, t1: Duration) -> Self {
        self.t1 = t1;
        self
    }

    /// With nodes that let a peer ring for so long.
    pub(crate) fn with_ring_seconds(mut self, ring_seconds: u32) -> Self {
        self.ring_seconds = ring_seconds;
        self
    }

    /// How long nodes on it let a peer ring.
    pub(crate) fn ring_seconds(&self) -> u32 {
        self.ring_seconds
    }

    /// The network, if it has one of its own.
    pub(crate) fn namespace(&self) -> Option<&Namespace> {
        self.namespace.as_ref()
    }

    /// T1 of everybody on it.
    pub(crate) fn t1(&self) -> Duration {
        self.t1
    }

    /// Whether messages are lost on it.
    pub(crate) fn may_lose(&self) -> bool {
        self.may_lose
    }

    /// How long who has said the last word stays to say it again (64*T1, RFC 3261 timers H and J).
    pub(crate) fn linger(&self) -> Duration {
        if self.may_lose {
            self.t1 * 64
        } else {
            Duration::from_millis(10)
        }
    }

    /// A file of this test.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program that will run here.
    pub(crate) fn command(&self, program: &str) -> Command {
        match &self.namespace {
            Some(namespace) => namespace.command(program),
            None => Command::new(program),
        }
    }

    /// The node, with every call going to this port of 127.0.0.1. Two workers share it, so that
    /// messages are handed over as well.
    pub(crate) fn node(&self, peer_port: u16) -> Node {
        Node::start(self, peer_port, 2)
    }

    /// The same with one worker, which answers in the order in which it is asked.
    pub(crate) fn node_of_one_worker(&self, peer_port: u16) -> Node {
        Node::start(self, peer_port, 1)
    }

    /// A sipp for so many calls.
    pub(crate) fn sipp(&self, scenario: Scenario, over: Over, calls: u32) -> Sipp {
        Sipp::new(self, scenario, over, calls)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            fs::remove_dir_all(&self.folder).unwrap();
        }
    }
}
