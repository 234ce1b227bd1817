//! A node under its real shell, and a caller and a peer on raw sockets, for the tests of `src/shell`.
//!
//! Everything is on loopback and on free ports. Nothing here sleeps: each wait is for an event, with a limit after which
//! the test fails.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use baton::config::{Config, ListenTransport};
use baton::shell::{self, Figures, Handle};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// No event takes longer, unless it never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A node with its listeners.
pub(crate) struct Node {
    pub(crate) handle: Handle,
    pub(crate) udp: SocketAddr,
    pub(crate) tcp: SocketAddr,
}

impl Node {
    /// A node of one worker that sends every call to `peer` (`udp:…` or `tcp:…`); `more` is put at the end of its
    /// configuration.
    pub(crate) fn start(peer: &str, more: &str) -> Self {
        Self::start_with(1, peer, more)
    }

    pub(crate) fn start_with(workers: u8, peer: &str, more: &str) -> Self {
        let text = format!(
            "[node]\nworkers = {workers}\n[sip]\nlisten = [\"udp:127.0.0.1:0\", \"tcp:127.0.0.1:0\"]\n\
             [health]\nprobe = false\n[[peer]]\nname = \"peer\"\nat = \"{peer}\"\nsessions_max = 1000\n{more}"
        );
        Self::of(&text)
    }

    /// A node of this configuration, which has one listener for UDP and one for TCP at least.
    pub(crate) fn of(text: &str) -> Self {
        let config =
            Config::parse(text, "test.toml").unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let handle = shell::start(config).expect("free ports");
        let udp = address(&handle, ListenTransport::Udp);
        let tcp = address(&handle, ListenTransport::Tcp);
        Self { handle, udp, tcp }
    }

    /// Where it speaks TLS.
    pub(crate) fn tls(&self) -> SocketAddr {
        address(&self.handle, ListenTransport::Tls)
    }

    /// Rounds that all workers have made.
    pub(crate) fn turns(&self) -> u64 {
        self.handle
            .figures()
            .iter()
            .map(|figures| figures.shell.turns.value())
            .sum()
    }

    /// Waits until a figure, added up over all workers, is at least so much.
    pub(crate) fn wait_for(&self, name: &str, figure: impl Fn(&Figures) -> u64, at_least: u64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let sum: u64 = self.handle.figures().iter().map(&figure).sum();
            if sum >= at_least {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{name} stays at {sum}, {at_least} wanted"
            );
            std::thread::yield_now();
        }
    }
}

fn address(handle: &Handle, wanted: ListenTransport) -> SocketAddr {
    let mut addresses = handle.addresses().iter();
    let found = addresses.find(|(transport, _)| *transport == wanted);
    found.unwrap().1
}

/// One SIP message, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message(pub(crate) String);

impl Message {
    /// The first line.
    pub(crate) fn start(&self) -> &str {
        self.0.lines().next().unwrap_or_default()
    }

    /// All values of a header field, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let head = self.0.split("\r\n\r\n").next().unwrap_or_default();
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields
            .filter(|(field, _)| field.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// The first value of a header field.
    pub(crate) fn one(&self, name: &str) -> &str {
        self.all(name)
            .first()
            .copied()
            .unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    /// The URI of its Contact.
    pub(crate) fn contact(&self) -> String {
        let value = self.one("Contact");
        let inside = value
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'));
        inside.map_or(value, |(uri, _)| uri).to_owned()
    }

    /// The answer to this request, from somebody whose Contact is at `here`.
    pub(crate) fn answer(&self, status: &str, here: SocketAddr, transport: &str) -> String {
        let mut answer = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            for value in self.all(name) {
                let tag = if name == "To" && !value.contains("tag=") && !status.starts_with("100") {
                    ";tag=peer"
                } else {
                    ""
                };
                answer += &format!("{name}: {value}{tag}\r\n");
            }
        }
        answer
            + &format!(
                "Contact: <sip:peer@{here};transport={transport}>\r\nContent-Length: 0\r\n\r\n"
            )
    }
}

/// One end of a wire.
pub(crate) trait Wire {
    fn send(&mut self, text: &str);
    fn receive(&mut self) -> Message;
    fn local(&self) -> SocketAddr;
    fn transport(&self) -> &'static str;

    /// Receives until the first line contains `wanted`; nothing else than what is listed may come before.
    fn expect(&mut self, wanted: &str) -> Message {
        let message = self.receive();
        assert!(
            message.start().contains(wanted),
            "{wanted} wanted, this came: {}",
            message.0
        );
        message
    }
}

/// Datagrams to and from one address.
pub(crate) struct Udp {
    pub(crate) socket: UdpSocket,
    pub(crate) remote: Option<SocketAddr>,
}

impl Udp {
    pub(crate) fn new() -> Self {
        Self::on("127.0.0.1:0")
    }

    pub(crate) fn on(local: &str) -> Self {
        let socket = UdpSocket::bind(local).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            socket,
            remote: None,
        }
    }

    pub(crate) fn to(remote: SocketAddr) -> Self {
        Self {
            remote: Some(remote),
            ..Self::new()
        }
    }
}

impl Wire for Udp {
    fn send(&mut self, text: &str) {
        self.socket
            .send_to(text.as_bytes(), self.remote.expect("somebody to send to"))
            .unwrap();
    }

    fn receive(&mut self) -> Message {
        let mut buffer = [0; 65_535];
        let (count, remote) = self.socket.recv_from(&mut buffer).expect("a datagram");
        self.remote = Some(remote);
        Message(String::from_utf8(buffer[..count].to_vec()).unwrap())
    }

    fn local(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn transport(&self) -> &'static str {
        "udp"
    }
}

/// One connection.
pub(crate) struct Tcp {
    pub(crate) stream: TcpStream,
    /// Where others connect to, when that is not this connection's own end.
    pub(crate) listening: Option<SocketAddr>,
    buffer: Vec<u8>,
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            listening: None,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn to(remote: SocketAddr) -> Self {
        Self::new(TcpStream::connect(remote).unwrap())
    }

    pub(crate) fn accept(listener: &TcpListener) -> Self {
        Self::accepted(listener, listener.accept().unwrap().0)
    }

    /// A connection that was made to a listener of ours.
    pub(crate) fn accepted(listener: &TcpListener, stream: TcpStream) -> Self {
        Self {
            listening: Some(listener.local_addr().unwrap()),
            ..Self::new(stream)
        }
    }

    /// Whatever comes next; empty when the other side has closed.
    pub(crate) fn octets(&mut self) -> Vec<u8> {
        if !self.buffer.is_empty() {
            return std::mem::take(&mut self.buffer);
        }
        let mut chunk = vec![0; 65_536];
        match self.stream.read(&mut chunk) {
            Ok(count) => chunk.truncate(count),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => chunk.clear(),
            Err(error) => panic!("neither octets nor an end: {error}"),
        }
        chunk
    }

    /// Waits for the other side to close; nothing more may come.
    pub(crate) fn expect_end(&mut self) {
        let octets = self.octets();
        assert!(
            octets.is_empty(),
            "an end wanted, this came: {}",
            String::from_utf8_lossy(&octets)
        );
    }

    /// Whether a message or its beginning has come; does not wait.
    pub(crate) fn has_message(&mut self) -> bool {
        if self.buffer.is_empty() {
            self.stream.set_nonblocking(true).unwrap();
            let mut chunk = [0; 65_536];
            if let Ok(count) = self.stream.read(&mut chunk) {
                self.buffer.extend_from_slice(&chunk[..count]);
            }
            self.stream.set_nonblocking(false).unwrap();
        }
        !self.buffer.is_empty()
    }
}

/// Cuts the first message out of a stream, if it is all there.
pub(crate) fn cut_message(buffer: &mut Vec<u8>) -> Option<Message> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = Message(String::from_utf8(buffer[..head].to_vec()).unwrap());
    let length: usize = text.one("Content-Length").parse().unwrap();
    if buffer.len() < head + length {
        return None;
    }
    let octets = buffer.drain(..head + length).collect();
    Some(Message(String::from_utf8(octets).unwrap()))
}

impl Wire for Tcp {
    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    fn receive(&mut self) -> Message {
        loop {
            if let Some(message) = cut_message(&mut self.buffer) {
                return message;
            }
            let mut chunk = [0; 65_536];
            let count = self.stream.read(&mut chunk).expect("octets");
            assert_ne!(
                count,
                0,
                "the connection ended after {:?}",
                String::from_utf8_lossy(&self.buffer)
            );
            self.buffer.extend_from_slice(&chunk[..count]);
        }
    }

    fn local(&self) -> SocketAddr {
        self.listening
            .unwrap_or_else(|| self.stream.local_addr().unwrap())
    }

    fn transport(&self) -> &'static str {
        "tcp"
    }
}

/// A caller's side of one call.
pub(crate) struct Call {
    pub(crate) id: String,
    local: SocketAddr,
    transport: &'static str,
    to: String,
    target: String,
    cseq: u32,
}

impl Call {
    pub(crate) fn new(id: &str, wire: &impl Wire) -> Self {
        Self {
            id: id.to_owned(),
            local: wire.local(),
            transport: wire.transport(),
            to: "<sip:meet.room@example.com>".to_owned(),
            target: "sip:meet.room@example.com".to_owned(),
            cseq: 0,
        }
    }

    /// The next request of the call.
    pub(crate) fn request(&mut self, method: &str) -> String {
        self.cseq += u32::from(method != "ACK");
        self.write(method, "")
    }

    /// The first request.
    pub(crate) fn invite(&mut self) -> String {
        self.cseq += 1;
        self.write("INVITE", "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n")
    }

    /// Takes over the tag of an answer that is none.
    pub(crate) fn answered_with(&mut self, answer: &Message) {
        self.to = answer.one("To").to_owned();
    }

    /// Takes over the dialog that a 2xx makes.
    pub(crate) fn answered(&mut self, answer: &Message) {
        self.to = answer.one("To").to_owned();
        self.target = answer.contact();
    }

    fn write(&self, method: &str, body: &str) -> String {
        let Self {
            id,
            local,
            transport,
            to,
            target,
            cseq,
        } = self;
        let upper = transport.to_uppercase();
        let content_type = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{upper} {local};branch=z9hG4bK-{id}-{cseq}-{method};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:caller@example.com>;tag=caller\r\nTo: {to}\r\nCall-ID: {id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:caller@{local};transport={transport}>\r\n{content_type}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// Sends an INVITE and takes what comes up to the peer's request; the caller has had its 100 then.
pub(crate) fn offer(call: &mut Call, caller: &mut impl Wire) {
    let invite = call.invite();
    caller.send(&invite);
    caller.expect("100 ");
}

/// The peer answers an INVITE that reached it, and the caller acknowledges: the call stands.
pub(crate) fn establish(call: &mut Call, caller: &mut impl Wire, peer: &mut impl Wire) {
    let invite = peer.expect("INVITE ");
    let (here, transport) = (peer.local(), peer.transport());
    peer.send(&invite.answer("180 Ringing", here, transport));
    caller.expect("180 ");
    peer.send(&invite.answer("200 OK", here, transport));
    let answer = caller.expect("200 ");
    call.answered(&answer);
    let ack = call.request("ACK");
    caller.send(&ack);
    peer.expect("ACK ");
}

/// The caller hangs up.
pub(crate) fn hang_up(call: &mut Call, caller: &mut impl Wire, peer: &mut impl Wire) {
    let bye = call.request("BYE");
    caller.send(&bye);
    let bye = peer.expect("BYE ");
    peer.send(&bye.answer("200 OK", peer.local(), peer.transport()));
    caller.expect("200 ");
}
