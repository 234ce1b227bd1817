//! Real sockets and the real clock for an agent.
//!
//! One agent, one [`Wire`], one thread. A turn does what is due, waits for a message or the next clock, and takes all
//! messages that are there, so that one wake-up serves many.

mod fate;
mod peer_thread;
mod tcp;
mod tls;
mod udp;

use crate::agent::{Agent, Random};
use signaling::Transport;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use fate::{Deaf, Death, Fate};
pub use peer_thread::{Gauge, PeerReport, PeerThread};
pub use tls::{Verification, acceptor};

/// What tells this run of a program from all others, for the names that its agents make: from the clock and the
/// number of the process.
#[must_use]
pub fn new_run() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos());
    let low = u64::try_from(nanos % u128::from(u64::MAX)).unwrap_or_default();
    Random::new(low ^ u64::from(std::process::id()) << 48).bits()
}

/// A runtime for one agent on this thread.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// What an agent speaks through, open before its thread runs, so that its address is known.
pub enum Socket {
    /// A connection to a server; others may be opened beside it.
    TcpConnection(TcpStream),
    /// Whoever wants to connect.
    TcpListener(TcpListener),
    /// A connection to a server that is yet to agree on TLS.
    TlsConnection(TcpStream, TlsConnector),
    /// Whoever wants to connect and speaks TLS; requests of a peer's own go over connections of its own.
    TlsListener(TcpListener, TlsAcceptor, TlsConnector),
    /// Datagrams.
    Udp(UdpSocket),
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.local_addr()).finish()
    }
}

impl Socket {
    /// For an agent that is called; port 0 lets the system choose.
    pub fn listen(transport: Transport, local: SocketAddr) -> io::Result<Self> {
        match transport {
            Transport::Tcp => {
                let listener = TcpListener::bind(local)?;
                listener.set_nonblocking(true)?;
                Ok(Self::TcpListener(listener))
            }
            Transport::Tls => Err(needs("a certificate")),
            Transport::Udp => Ok(Self::Udp(udp::bind(local)?)),
        }
    }

    /// For an agent that calls: on the address of `server`, with a port that the system chooses.
    pub fn towards(transport: Transport, server: SocketAddr) -> io::Result<Self> {
        match transport {
            Transport::Tcp => {
                let stream = TcpStream::connect(server)?;
                stream.set_nonblocking(true)?;
                Ok(Self::TcpConnection(stream))
            }
            Transport::Tls => Err(needs("to know which certificates are good")),
            Transport::Udp => Self::listen(transport, SocketAddr::new(server.ip(), 0)),
        }
    }

    /// For an agent that is called over TLS.
    pub fn listen_tls(
        local: SocketAddr,
        (acceptor, connector): (TlsAcceptor, TlsConnector),
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(local)?;
        listener.set_nonblocking(true)?;
        Ok(Self::TlsListener(listener, acceptor, connector))
    }

    /// For an agent that calls over TLS.
    pub fn towards_tls(server: SocketAddr, connector: TlsConnector) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nonblocking(true)?;
        Ok(Self::TlsConnection(stream, connector))
    }

    /// Its own address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::TcpConnection(stream) | Self::TlsConnection(stream, _) => stream.local_addr(),
            Self::TcpListener(listener) | Self::TlsListener(listener, _, _) => {
                listener.local_addr()
            }
            Self::Udp(socket) => socket.local_addr(),
        }
    }
}

fn needs(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("TLS needs {what}"))
}

/// The sockets of one agent.
pub struct Wire {
    kind: Kind,
}

enum Kind {
    Tcp(tcp::Tcp),
    Udp(udp::Udp),
}

impl Wire {
    /// Takes a socket; to be called within a runtime.
    pub fn new(socket: Socket) -> io::Result<Self> {
        let kind = match socket {
            Socket::TcpConnection(stream) => Kind::Tcp(tcp::Tcp::connected(stream, None)?),
            Socket::TcpListener(listener) => Kind::Tcp(tcp::Tcp::listening(listener, None)?),
            Socket::TlsConnection(stream, connector) => {
                Kind::Tcp(tcp::Tcp::connected(stream, Some(connector))?)
            }
            Socket::TlsListener(listener, acceptor, connector) => {
                Kind::Tcp(tcp::Tcp::listening(listener, Some((acceptor, connector)))?)
            }
            Socket::Udp(socket) => Kind::Udp(udp::Udp::new(socket)?),
        };
        Ok(Self { kind })
    }

    /// Does what is due, then waits for messages, a clock of the agent or `wake`, whatever is first, and serves it.
    pub async fn turn(&mut self, agent: &mut impl Agent, wake: Instant) -> io::Result<()> {
        agent.handle_timeout(Instant::now());
        self.flush(agent).await?;
        let until = agent
            .poll_timeout()
            .map_or(wake, |timeout| timeout.min(wake));
        match &mut self.kind {
            Kind::Tcp(tcp) => tcp.turn(agent, until).await,
            Kind::Udp(udp) => udp.turn(agent, until).await,
        }
    }

    /// Sends what the agent has to send.
    pub async fn flush(&mut self, agent: &mut impl Agent) -> io::Result<()> {
        while let Some(packet) = agent.poll_output() {
            match &mut self.kind {
                Kind::Tcp(tcp) => tcp.send(&packet).await?,
                Kind::Udp(udp) => udp.send(&packet).await?,
            }
        }
        Ok(())
    }
}
