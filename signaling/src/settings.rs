//! What a core is told once: timers, limits, listeners, its place among the workers, the node's
//! secret.

use crate::access::Access;
use crate::hop::{ListenerId, Transport};
use crate::overload::OverloadSettings;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The clocks of RFC 3261 §17 and two of our own.
#[derive(Clone, Copy, Debug)]
pub struct Timers {
    /// Round-trip estimate.
    pub t1: Duration,
    /// Longest interval between repeats of a non-INVITE request or an INVITE's final response.
    pub t2: Duration,
    /// How long a message stays in the network.
    pub t4: Duration,
    /// Timer C (RFC 3261 §16.6 step 11): how long a peer may ring without a final answer.
    pub ring: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            ring: Duration::from_secs(181),
        }
    }
}

impl Timers {
    /// 64*T1: timers B, F, H, J, L and M.
    #[must_use]
    pub fn t1_64(&self) -> Duration {
        self.t1 * 64
    }
}

/// One address that we receive on, and how others are told to reach it.
#[derive(Clone, Debug)]
pub struct Listener {
    /// What it speaks.
    pub transport: Transport,
    /// Where the socket is bound.
    pub local: SocketAddr,
    /// `host:port` as it stands in Via and Contact.
    pub advertised: String,
}

/// What becomes of a REFER inside a dialog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReferMode {
    /// It goes to the other leg, as do its NOTIFYs.
    #[default]
    Forward,
    /// It gets 603.
    Refuse,
    /// It ends here: we call whom it names.
    Terminate,
}

/// The intervals of session timers (RFC 4028), in seconds as they stand on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// What is offered, and what a longer one is lowered to.
    pub expires: u32,
    /// The shortest that is accepted.
    pub min_se: u32,
}

impl Default for SessionTimes {
    fn default() -> Self {
        Self {
            expires: 1800,
            min_se: 500,
        }
    }
}

/// Everything a core needs to know besides messages and time.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which worker this core is, from 0.
    pub worker: u8,
    /// How many workers share the node; tokens name them.
    pub workers: u8,
    /// The node's secret for tokens and table hashes: the same for all its workers, random at each
    /// start.
    pub secret: [u64; 2],
    /// Protocol clocks.
    pub timers: Timers,
    /// Most calls at one time in this worker.
    pub calls_max: usize,
    /// Most transactions of each kind at one time in this worker.
    pub transactions_max: usize,
    /// Most requests being carried from one leg to the other at one time in this worker.
    pub exchanges_max: usize,
    /// Most of them in one call.
    pub exchanges_per_call_max: usize,
    /// What becomes of a REFER, where its call's zone does not say.
    pub refer: ReferMode,
    /// Session timers.
    pub session: SessionTimes,
    /// Octets of messages that transactions and calls of this worker may keep before new calls are
    /// refused. An INVITE is kept up to three times while it rings.
    pub kept_octets_max: usize,
    /// All listeners of the node; [`ListenerId`] is an index into them.
    pub listeners: Vec<Listener>,
    /// Who may call.
    pub access: Arc<Access>,
    /// When this worker has too much to do.
    pub overload: OverloadSettings,
}

impl Settings {
    /// The listener that messages to `remote` over `transport` leave from: of the same transport and
    /// address family, and for a loopback address one that is on loopback too, if there is one.
    #[must_use]
    pub fn listener_for(&self, transport: Transport, remote: &SocketAddr) -> Option<ListenerId> {
        let fits = |listener: &&Listener| {
            listener.transport == transport && listener.local.is_ipv4() == remote.is_ipv4()
        };
        let is_near =
            |listener: &&Listener| listener.local.ip().is_loopback() == remote.ip().is_loopback();
        let near = self
            .listeners
            .iter()
            .position(|listener| fits(&listener) && is_near(&listener));
        near.or_else(|| self.listeners.iter().position(|listener| fits(&listener)))
            .and_then(|index| u8::try_from(index).ok())
            .map(ListenerId)
    }

    /// The listener of an id that we gave out.
    #[must_use]
    pub fn listener(&self, id: ListenerId) -> Option<&Listener> {
        self.listeners.get(usize::from(id.0))
    }
}
