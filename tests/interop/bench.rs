//! A node between a sender of other people's messages and a peer that takes calls and is silent.

use super::node::Node;
use super::ports;
use super::stage::Stage;
use super::vectors::{PATIENCE, Wire, is_ping, ping, status};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::mem;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// What came of a message.
#[derive(Debug, Default)]
pub(crate) struct Treatment {
    /// Answers to the sender.
    pub(crate) statuses: Vec<u16>,
    /// Whether a call was begun at the peer.
    pub(crate) is_called: bool,
    /// Whether the stream was closed.
    pub(crate) is_closed: bool,
}

/// A node, the peer that its calls go to, and a sender.
pub(crate) struct Bench {
    pub(crate) wire: Wire,
    pings: u32,
    pub(crate) node: Node,
    peer: Peer,
    pub(crate) stage: Stage,
}

impl Bench {
    pub(crate) fn new(name: &str) -> Self {
        let stage = Stage::calm(name);
        let peer = Peer::new();
        let node = stage.node_of_one_worker(peer.port());
        Self {
            wire: Wire::new(node.udp),
            pings: 0,
            node,
            peer,
            stage,
        }
    }

    pub(crate) fn over_udp(&mut self, name: &str, bytes: &[u8]) -> Treatment {
        let answers = self.wire.send(bytes);
        let answers = answers.unwrap_or_else(|| panic!("no answer to the ping after {name}"));
        let statuses: Vec<u16> = answers.iter().map(|answer| status(answer)).collect();
        self.treatment(statuses, false)
    }

    /// Sends the parts one after the other on a connection of their own, then a ping.
    pub(crate) fn over_tcp(&mut self, parts: &[&[u8]]) -> Treatment {
        let mut stream = self.connect();
        for part in parts {
            stream.write_all(part).unwrap();
            self.has_read();
        }
        let (statuses, is_closed) = self.ping_on(&mut stream);
        self.treatment(statuses, is_closed)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.node.tcp).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// When this returns the node has read all that was sent to it before.
    pub(crate) fn has_read(&mut self) {
        self.wire.ping().expect("the answer to a ping");
    }

    /// Pings on a stream: the statuses that came besides, and whether its end came instead of an answer.
    pub(crate) fn ping_on(&mut self, stream: &mut TcpStream) -> (Vec<u16>, bool) {
        let mut statuses = Vec::new();
        let mut received = Vec::new();
        // Twice, as over UDP: an answer that needs the owner's word may follow that to the first ping.
        for _ in 0..2 {
            self.pings += 1;
            let call_id = format!("{}.stream", self.pings);
            // Where the stream is closed already, that is read below.
            drop(stream.write_all(&ping(&call_id, "TCP", stream.local_addr().unwrap())));
            if !read_to_ping(stream, &call_id, &mut received, &mut statuses) {
                return (statuses, true);
            }
        }
        (statuses, false)
    }

    fn treatment(&mut self, statuses: Vec<u16>, is_closed: bool) -> Treatment {
        // Twice: what was asked together with the first ping may be sent after its answer.
        self.has_read();
        let is_called = self.peer.is_called(statuses.contains(&100));
        Treatment {
            statuses,
            is_called,
            is_closed,
        }
    }
}

/// Where calls go: it takes them over UDP and TCP, and never answers.
struct Peer {
    udp: UdpSocket,
    tcp: TcpListener,
    streams: Vec<(TcpStream, Vec<u8>)>,
    /// By these calls are told apart: an INVITE over UDP is repeated.
    branches: BTreeSet<String>,
}

impl Peer {
    pub(crate) fn new() -> Self {
        let (udp, tcp) = ports::held();
        udp.set_nonblocking(true).unwrap();
        tcp.set_nonblocking(true).unwrap();
        Self {
            udp,
            tcp,
            streams: Vec::new(),
            branches: BTreeSet::new(),
        }
    }

    fn port(&self) -> u16 {
        self.udp.local_addr().unwrap().port()
    }

    /// Whether another call has come; one that is expected may take its time.
    fn is_called(&mut self, is_expected: bool) -> bool {
        let before = self.branches.len();
        let until = Instant::now() + PATIENCE;
        loop {
            self.take_calls();
            let is_called = self.branches.len() > before;
            if is_called || !is_expected || Instant::now() > until {
                return is_called;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn take_calls(&mut self) {
        let mut buffer = vec![0; 65_536];
        while let Ok(length) = self.udp.recv(&mut buffer) {
            self.branches.extend(branches(&buffer[..length]));
        }
        while let Ok((stream, _)) = self.tcp.accept() {
            stream.set_nonblocking(true).unwrap();
            self.streams.push((stream, Vec::new()));
        }
        for (stream, received) in &mut self.streams {
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                received.extend_from_slice(&buffer[..length]);
            }
            self.branches.extend(branches(received));
        }
    }
}

/// Reads up to the answer to this ping; `false` where the end of the stream comes instead.
fn read_to_ping(
    stream: &mut TcpStream,
    call_id: &str,
    received: &mut Vec<u8>,
    statuses: &mut Vec<u16>,
) -> bool {
    let mut buffer = [0; 4096];
    loop {
        while let Some(answer) = take_message(received) {
            if is_ping(&answer, call_id) {
                return true;
            }
            statuses.push(status(&answer));
        }
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(length) => received.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return false,
            Err(error) => panic!("{error} after {statuses:?}"),
        }
    }
}

/// The branches of the INVITEs in this text.
fn branches(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let invites = text.split("INVITE sip").skip(1);
    let branches =
        invites.filter_map(|invite| invite.split_once(";branch=")?.1.split_once(['\r', ';']));
    branches.map(|(branch, _)| branch.to_owned()).collect()
}

/// Takes a message without a body off the front of what was received.
fn take_message(received: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = received
        .windows(4)
        .position(|window| window == b"\r\n\r\n")?
        + 4;
    let rest = received.split_off(end);
    Some(mem::replace(received, rest))
}
