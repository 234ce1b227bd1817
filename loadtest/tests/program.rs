//! The program against a relay that stands for a server: real sockets, no Baton.
//!
//! The relay renames the names of each leg and lowers Max-Forwards, which is the least that a B2BUA does.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the allowances for tests do not reach the helpers of integration tests"
)]

use loadtest::agent::{CALLER_MARK, PEER_MARK};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A relay between whoever calls and a peer, on a thread of its own.
struct Relay {
    address: SocketAddr,
    peer: SocketAddr,
    /// The Call-ID, From tag and branch of each INVITE that came from the caller.
    names: Arc<Mutex<Vec<String>>>,
    is_to_stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    fn start(max_forwards: &'static str) -> Self {
        let to_caller = socket();
        let to_peer = socket();
        // A port that was free a moment ago; the program binds it again at once.
        let peer = socket().local_addr().unwrap();
        let address = to_caller.local_addr().unwrap();
        let is_to_stop = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_to_stop);
        let names = Arc::default();
        let noted = Arc::clone(&names);
        let thread = std::thread::spawn(move || {
            relay(&to_caller, &to_peer, peer, max_forwards, &noted, &stop);
        });
        Self {
            address,
            peer,
            names,
            is_to_stop,
            thread: Some(thread),
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_loadtest"));
        program.args([
            "--target",
            &format!("udp:{}", self.address),
            "--peer",
            &self.peer.to_string(),
        ]);
        program.args(arguments).output().unwrap()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_to_stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    socket
}

fn relay(
    to_caller: &UdpSocket,
    to_peer: &UdpSocket,
    peer: SocketAddr,
    max_forwards: &str,
    names: &Mutex<Vec<String>>,
    stop: &AtomicBool,
) {
    let [left, right] = [to_caller, to_peer].map(|socket| socket.local_addr().unwrap().to_string());
    let mut caller = None;
    while !stop.load(Ordering::Relaxed) {
        while let Some((text, from)) = receive(to_caller) {
            caller = Some(from);
            if text.starts_with("INVITE ") {
                let after_each = ["Call-ID: ", ";tag=", ";branch="].iter();
                let found = after_each.filter_map(|before| text.split_once(before));
                let found = found.filter_map(|(_, rest)| rest.split(['\r', ';']).next());
                names.lock().unwrap().extend(found.map(str::to_owned));
            }
            let text = text
                .replace(CALLER_MARK, "relayb-leg-")
                .replace("rela-leg-", PEER_MARK);
            let text = text
                .replace(&from.to_string(), &right)
                .replace(&left, &peer.to_string());
            let text = text.replace("Max-Forwards: 70", max_forwards);
            to_peer.send_to(text.as_bytes(), peer).unwrap();
        }
        while let (Some((text, _)), Some(caller)) = (receive(to_peer), caller) {
            let text = text
                .replace(PEER_MARK, "rela-leg-")
                .replace("relayb-leg-", CALLER_MARK);
            let text = text
                .replace(&peer.to_string(), &left)
                .replace(&right, &caller.to_string());
            to_caller.send_to(text.as_bytes(), caller).unwrap();
        }
    }
}

fn receive(socket: &UdpSocket) -> Option<(String, SocketAddr)> {
    let mut buffer = [0; 65_535];
    match socket.recv_from(&mut buffer) {
        Ok((length, from)) => Some((
            String::from_utf8(buffer.get(..length)?.to_vec()).unwrap(),
            from,
        )),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        Err(error) => panic!("{error}"),
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn calls_through_a_server_are_counted() {
    let relay = Relay::start("Max-Forwards: 69");
    let output = relay.run(&["--rate", "100", "--seconds", "1", "--hold-ms", "50"]);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("offered 100  answered 100  failed 0"),
        "{text}"
    );
    assert!(text.contains("every call went as planned"), "{text}");
}

#[test]
fn no_name_of_a_run_is_one_of_the_last() {
    let relay = Relay::start("Max-Forwards: 69");
    for _ in 0..2 {
        let output = relay.run(&["--rate", "50", "--seconds", "1", "--hold-ms", "1"]);
        assert!(output.status.success(), "{}", text(&output));
    }
    let names = relay.names.lock().unwrap();
    let different: BTreeSet<&String> = names.iter().collect();
    assert_eq!((names.len(), different.len()), (300, 300));
}

#[test]
fn what_is_wrong_fails_the_run() {
    let relay = Relay::start("Max-Forwards: 70");
    let output = relay.run(&["--rate", "10", "--seconds", "1", "--hold-ms", "1", "--json"]);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.starts_with("{\"ok\":false,\"offered\":10,\"answered\":10,\"failed\":0,"),
        "{text}"
    );
    assert!(text.contains("\"complaints\":10,"), "{text}");
}

#[test]
fn calls_are_established_and_torn_down() {
    let relay = Relay::start("Max-Forwards: 69");
    let pid = std::process::id().to_string();
    let output = relay.run(&[
        "--establish",
        "50",
        "--rate",
        "500",
        "--hold-seconds",
        "0",
        "--pid",
        &pid,
    ]);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    for wanted in [
        "before: VmRSS ",
        "established 50",
        "bytes per call",
        "answered 50  failed 0",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

#[test]
fn no_other_machine_is_called() {
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(["--target", "udp:192.0.2.1:5060"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output).contains("not this machine"),
        "{}",
        text(&output)
    );
}
