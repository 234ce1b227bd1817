//! Third-party messages: where they are, how their tables are read, and a wire to send them over.
//!
//! They are no part of the project, and nothing of them is copied into it: they are read at run time
//! from `$BATON_VECTORS`, or from `shared/vectors` beside the project, if they are there.

use signaling::sip::message::{Framing, Index, Limits, Via};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// How long an answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Where answers go that name no port (RFC 3261 section 18.2.2).
const DEFAULT_PORT: u16 = 5060;
const PING: &str = "ping.interop";

static WIRES: AtomicU8 = AtomicU8::new(1);

/// The folder of these vectors; `None`, and one line on the terminal, if it is absent.
#[expect(clippy::print_stdout, reason = "a skipped test must be seen")]
pub(crate) fn vectors(folder: &str) -> Option<PathBuf> {
    let root = env::var_os("BATON_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors"),
        PathBuf::from,
    );
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: vectors/{folder} absent");
    None
}

/// One row of a table of tab-separated fields, by the names in its first line.
pub(crate) type Row = BTreeMap<String, String>;

/// The rows of a table.
pub(crate) fn rows(file: &Path) -> Vec<Row> {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').map(str::to_owned));
    let names: Vec<String> = lines.next().unwrap().collect();
    lines
        .map(|fields| names.iter().cloned().zip(fields).collect())
        .collect()
}

/// The message of a row, which tells its length.
pub(crate) fn message(folder: &Path, name: &str, row: &Row) -> Vec<u8> {
    let bytes = fs::read(folder.join(format!("{name}.dat"))).unwrap();
    assert_eq!(bytes.len().to_string(), row["bytes"], "{name}");
    bytes
}

/// A sender on an address of its own, which hears every port that a Via of its messages names.
pub(crate) struct Wire {
    node: SocketAddr,
    /// The socket that sends, and hears what answers to the default port.
    sender: UdpSocket,
    /// Those that hear the others, by port.
    listeners: BTreeMap<u16, UdpSocket>,
    pings: u32,
}

impl Wire {
    /// A sender of datagrams to this address.
    pub(crate) fn new(node: SocketAddr) -> Self {
        // Answers go to the ports in the messages. No other program uses them at this address.
        let [.., high, low] = std::process::id().to_be_bytes();
        let number = WIRES.fetch_add(1, Ordering::Relaxed);
        let ip = IpAddr::from(Ipv4Addr::new(127, 100 + (number & 63), high, low.max(1)));
        Self {
            node,
            sender: bind(ip, DEFAULT_PORT),
            listeners: BTreeMap::new(),
            pings: 0,
        }
    }

    /// The address of the sender.
    pub(crate) fn address(&self) -> SocketAddr {
        self.sender.local_addr().unwrap()
    }

    /// Sends a datagram, then pings, and gives every other answer that came. `None`: a ping was not
    /// answered.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut index = Index::new(Limits::default());
        let parsed = index.read(bytes, Framing::Datagram);
        let port = Via::parse(parsed.top_via()).ok().and_then(|via| via.port);
        self.hear(port.unwrap_or(DEFAULT_PORT));
        self.sender.send_to(bytes, self.node).unwrap();
        // What the node's owner must be asked for is answered at the end of a turn: the first ping may
        // be answered before it, the second, of a later turn, is not.
        let mut answers = self.ping()?;
        answers.extend(self.ping()?);
        Some(answers)
    }

    /// Asks whether the node lives, and gives every answer that came before the answer to that.
    pub(crate) fn ping(&mut self) -> Option<Vec<Vec<u8>>> {
        self.pings += 1;
        let call_id = format!("{}.{PING}", self.pings);
        let ping = ping(&call_id, "UDP", self.address());
        self.sender.send_to(&ping, self.node).unwrap();
        let mut answers = Vec::new();
        loop {
            let answer = receive(&self.sender)?;
            if is_ping(&answer, &call_id) {
                assert!(answer.starts_with(b"SIP/2.0 200 "));
                break;
            }
            answers.push(answer);
        }
        // One worker answers in the order in which it was asked: what is to come has come.
        for socket in self.listeners.values() {
            answers.extend(std::iter::from_fn(|| receive(socket)));
        }
        Some(answers)
    }

    /// From now on what answers to this port is heard.
    fn hear(&mut self, port: u16) {
        let address = self.address();
        if port != address.port() {
            self.listeners.entry(port).or_insert_with(|| {
                let socket = bind(address.ip(), port);
                socket.set_nonblocking(true).unwrap();
                socket
            });
        }
    }
}

/// An OPTIONS that asks whether the node lives.
pub(crate) fn ping(call_id: &str, transport: &str, from: SocketAddr) -> Vec<u8> {
    format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} {from};branch=z9hG4bK{call_id}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:ping@{from}>;tag=1\r\nTo: <sip:127.0.0.1>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// Whether an answer is that of the ping with this Call-ID.
pub(crate) fn is_ping(answer: &[u8], call_id: &str) -> bool {
    String::from_utf8_lossy(answer).contains(&format!("Call-ID: {call_id}\r\n"))
}

/// The status of an answer.
pub(crate) fn status(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer);
    let line = text.lines().next().unwrap_or_default();
    let code = line.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
    code.and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no status: {line}"))
}

fn receive(socket: &UdpSocket) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 65_536];
    match socket.recv(&mut buffer) {
        Ok(length) => {
            buffer.truncate(length);
            Some(buffer)
        }
        Err(error) => {
            let is_silence = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(is_silence, "{error}");
            None
        }
    }
}

fn bind(ip: IpAddr, port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((ip, port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}
