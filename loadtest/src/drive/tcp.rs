//! An agent's connections, in the clear or by TLS.
//!
//! A message goes over the connection to its address, whoever opened that, and over a new one if there is none. What
//! cannot be sent is dropped: the agent then misses an answer and says so.

use crate::agent::{Agent, Packet};
use rustls::pki_types::ServerName;
use signaling::sip::message::{Frame, Framer, Limits};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Messages taken in one turn, so that a flood cannot keep the clocks waiting.
const MESSAGES_MAX: usize = 512;

/// The end of a connection that is written to, in the clear or not.
type Writing = Box<dyn AsyncWrite + Send + Unpin>;

/// What the tasks of the connections tell.
enum Event {
    Opened(SocketAddr, Writing),
    Message(SocketAddr, Vec<u8>),
    Closed(SocketAddr),
}

/// All connections of one agent, by the address of the other end.
pub(super) struct Tcp {
    connections: HashMap<SocketAddr, Writing>,
    // Bounded by what the other end sends; a full queue would only move the wait into the kernel.
    events: UnboundedReceiver<Event>,
    teller: UnboundedSender<Event>,
    /// Made before this was: its address stands in messages. Used by the first message there.
    first: Option<TcpStream>,
    /// Of connections that are opened here.
    connector: Option<TlsConnector>,
}

impl Tcp {
    pub(super) fn listening(
        listener: std::net::TcpListener,
        tls: Option<(TlsAcceptor, TlsConnector)>,
    ) -> io::Result<Self> {
        let (acceptor, connector) = tls.unzip();
        let tcp = Self::new(None, connector);
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(accept(listener, acceptor, tcp.teller.clone()));
        Ok(tcp)
    }

    pub(super) fn connected(
        stream: std::net::TcpStream,
        connector: Option<TlsConnector>,
    ) -> io::Result<Self> {
        Ok(Self::new(Some(TcpStream::from_std(stream)?), connector))
    }

    fn new(first: Option<TcpStream>, connector: Option<TlsConnector>) -> Self {
        let (teller, events) = unbounded_channel();
        Self {
            connections: HashMap::new(),
            events,
            teller,
            first,
            connector,
        }
    }

    /// Opens a connection, or takes the one that is there already.
    async fn open(&mut self, remote: SocketAddr) -> io::Result<()> {
        let is_there = |stream: &TcpStream| stream.peer_addr().is_ok_and(|there| there == remote);
        let stream = match self.first.take_if(|stream| is_there(stream)) {
            Some(first) => first,
            None => TcpStream::connect(remote).await?,
        };
        stream.set_nodelay(true)?;
        let teller = self.teller.clone();
        let writing = match &self.connector {
            None => serve(stream, remote, teller),
            Some(connector) => {
                let name = ServerName::from(remote.ip());
                serve(connector.connect(name, stream).await?, remote, teller)
            }
        };
        self.connections.insert(remote, writing);
        Ok(())
    }

    pub(super) async fn turn(&mut self, agent: &mut impl Agent, until: Instant) -> io::Result<()> {
        let mut taken = tokio::select! {
            biased;
            event = self.events.recv() => event,
            () = tokio::time::sleep_until(until.into()) => None,
        };
        for _ in 0..MESSAGES_MAX {
            let Some(event) = taken.take().or_else(|| self.events.try_recv().ok()) else {
                break;
            };
            match event {
                Event::Closed(remote) => drop(self.connections.remove(&remote)),
                Event::Opened(remote, writing) => drop(self.connections.insert(remote, writing)),
                Event::Message(remote, bytes) => {
                    agent.handle_message(Instant::now(), remote, &bytes);
                    while let Some(packet) = agent.poll_output() {
                        self.send(&packet).await?;
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) async fn send(&mut self, packet: &Packet) -> io::Result<()> {
        if !self.connections.contains_key(&packet.to) && self.open(packet.to).await.is_err() {
            return Ok(());
        }
        if let Some(writing) = self.connections.get_mut(&packet.to) {
            let written = writing.write_all(&packet.bytes).await;
            // TLS keeps what is written until it is told to send.
            if written.is_err() || writing.flush().await.is_err() {
                self.connections.remove(&packet.to);
            }
        }
        Ok(())
    }
}

/// Reads a connection by a task of its own; gives the end that is written to.
fn serve<S>(stream: S, remote: SocketAddr, teller: UnboundedSender<Event>) -> Writing
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (reading, writing) = tokio::io::split(stream);
    tokio::spawn(read(reading, remote, teller));
    Box::new(writing)
}

async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    teller: UnboundedSender<Event>,
) {
    while let Ok((stream, remote)) = listener.accept().await {
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let Some(acceptor) = acceptor.clone() else {
            let writing = serve(stream, remote, teller.clone());
            if teller.send(Event::Opened(remote, writing)).is_err() {
                return;
            }
            continue;
        };
        let teller = teller.clone();
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                let writing = serve(stream, remote, teller.clone());
                // Nobody there: then nobody answers either.
                drop(teller.send(Event::Opened(remote, writing)));
            }
        });
    }
}

/// Cuts a stream into messages until it ends, or until nobody listens.
async fn read(
    mut reading: impl AsyncRead + Unpin,
    remote: SocketAddr,
    teller: UnboundedSender<Event>,
) {
    let mut framer = Framer::new(Limits::default());
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = reading.read(&mut buffer).await {
        if framer
            .push(buffer.get(..length).unwrap_or_default())
            .is_err()
        {
            break;
        }
        while let Some(frame) = framer.next_frame() {
            let bytes = match frame {
                // What cannot be cut is given to the agent as it is, which says that it cannot be read.
                Frame::Message(bytes) | Frame::Fault { bytes, .. } => bytes.to_vec(),
                Frame::Ping | Frame::Pong => continue,
            };
            if teller.send(Event::Message(remote, bytes)).is_err() {
                return;
            }
        }
    }
    // Whoever took the events may be gone; then nothing is to be told.
    drop(teller.send(Event::Closed(remote)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Counts;
    use std::io::Write;
    use std::time::Duration;

    /// Counts messages and says nothing.
    #[derive(Default)]
    struct Listener(usize);

    impl Agent for Listener {
        fn handle_message(&mut self, _now: Instant, _from: SocketAddr, bytes: &[u8]) {
            assert!(bytes.starts_with(b"OPTIONS "));
            self.0 += 1;
        }
        fn handle_timeout(&mut self, _now: Instant) {}
        fn poll_output(&mut self) -> Option<Packet> {
            None
        }
        fn poll_timeout(&self) -> Option<Instant> {
            None
        }
        fn poll_complaint(&mut self) -> Option<String> {
            None
        }
        fn complaints(&self) -> u64 {
            0
        }
        fn counts(&self) -> Counts {
            Counts::default()
        }
        fn live(&self) -> usize {
            0
        }
        fn is_quiet(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_burst_longer_than_a_turn_arrives_whole() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let at = listener.local_addr().unwrap();
        let sender = std::thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(at).unwrap();
            for _ in 0..3 * MESSAGES_MAX {
                stream
                    .write_all(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n")
                    .unwrap();
            }
            stream
        });
        let mut agent = Listener::default();
        crate::drive::runtime().unwrap().block_on(async {
            let mut tcp = Tcp::listening(listener, None).unwrap();
            let deadline = Instant::now() + Duration::from_secs(10);
            while agent.0 < 3 * MESSAGES_MAX && Instant::now() < deadline {
                tcp.turn(&mut agent, deadline).await.unwrap();
            }
        });
        assert_eq!(agent.0, 3 * MESSAGES_MAX);
        drop(sender.join().unwrap());
    }
}
