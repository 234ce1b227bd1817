//! An agent's connections.
//!
//! A message goes over the connection to its address, whoever opened that, and over a new one if there is none. What
//! cannot be sent is dropped: the agent then misses an answer and says so.

use crate::agent::{Agent, Packet};
use signaling::sip::message::{Frame, Framer, Limits};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Messages taken in one turn, so that a flood cannot keep the clocks waiting.
const MESSAGES_MAX: usize = 512;

/// What the tasks of the connections tell.
enum Event {
    Opened(SocketAddr, OwnedWriteHalf),
    Message(SocketAddr, Vec<u8>),
    Closed(SocketAddr),
}

/// All connections of one agent, by the address of the other end.
pub(super) struct Tcp {
    connections: HashMap<SocketAddr, OwnedWriteHalf>,
    // Bounded by what the other end sends; a full queue would only move the wait into the kernel.
    events: UnboundedReceiver<Event>,
    teller: UnboundedSender<Event>,
}

impl Tcp {
    pub(super) fn listening(listener: std::net::TcpListener) -> io::Result<Self> {
        let tcp = Self::empty();
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(accept(listener, tcp.teller.clone()));
        Ok(tcp)
    }

    pub(super) fn connected(stream: std::net::TcpStream) -> io::Result<Self> {
        let mut tcp = Self::empty();
        tcp.open(TcpStream::from_std(stream)?)?;
        Ok(tcp)
    }

    fn empty() -> Self {
        let (teller, events) = unbounded_channel();
        Self {
            connections: HashMap::new(),
            events,
            teller,
        }
    }

    fn open(&mut self, stream: TcpStream) -> io::Result<()> {
        let remote = stream.peer_addr()?;
        stream.set_nodelay(true)?;
        let (reading, writing) = stream.into_split();
        self.connections.insert(remote, writing);
        tokio::spawn(read(reading, remote, self.teller.clone()));
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
        if !self.connections.contains_key(&packet.to) {
            match TcpStream::connect(packet.to).await {
                Ok(stream) => self.open(stream)?,
                Err(_) => return Ok(()),
            }
        }
        if let Some(writing) = self.connections.get_mut(&packet.to)
            && writing.write_all(&packet.bytes).await.is_err()
        {
            self.connections.remove(&packet.to);
        }
        Ok(())
    }
}

async fn accept(listener: TcpListener, teller: UnboundedSender<Event>) {
    while let Ok((stream, remote)) = listener.accept().await {
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let (reading, writing) = stream.into_split();
        if teller.send(Event::Opened(remote, writing)).is_err() {
            return;
        }
        tokio::spawn(read(reading, remote, teller.clone()));
    }
}

/// Cuts a stream into messages until it ends, or until nobody listens.
async fn read(mut reading: OwnedReadHalf, remote: SocketAddr, teller: UnboundedSender<Event>) {
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
            let mut tcp = Tcp::listening(listener).unwrap();
            let deadline = Instant::now() + Duration::from_secs(10);
            while agent.0 < 3 * MESSAGES_MAX && Instant::now() < deadline {
                tcp.turn(&mut agent, deadline).await.unwrap();
            }
        });
        assert_eq!(agent.0, 3 * MESSAGES_MAX);
        drop(sender.join().unwrap());
    }
}
