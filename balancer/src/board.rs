//! All peers at one instant: an immutable list that workers read through one `ArcSwap`.

use crate::sessions::Sessions;
use std::net::SocketAddr;
use std::sync::Arc;

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The transport that the caller used.
    Same,
    /// Over TCP.
    Tcp,
    /// Over TLS.
    Tls,
    /// Over UDP.
    Udp,
}

/// A peer as configured.
#[derive(Clone, Debug)]
pub struct PeerSettings {
    /// Its name in logs and figures.
    pub name: String,
    /// How it is reached.
    pub transport: Transport,
    /// Where it is.
    pub remote: SocketAddr,
    /// Sessions it has room for.
    pub sessions_max: u32,
}

/// A peer on the board.
#[derive(Clone, Debug)]
pub struct Peer {
    /// As configured.
    pub settings: PeerSettings,
    /// What is in use.
    pub sessions: Arc<Sessions>,
}

/// All peers.
#[derive(Clone, Debug, Default)]
pub struct Board {
    peers: Box<[Peer]>,
}

impl Board {
    /// A board of these peers, all idle.
    #[must_use]
    pub fn new(peers: Vec<PeerSettings>) -> Self {
        let peers = peers
            .into_iter()
            .map(|settings| Peer {
                sessions: Arc::new(Sessions::new(settings.sessions_max)),
                settings,
            })
            .collect();
        Self { peers }
    }

    /// The peers, in the order of the configuration.
    #[must_use]
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }
}
