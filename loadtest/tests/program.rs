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
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a relay does wrong on purpose.
#[derive(Clone, Copy, PartialEq)]
enum Plant {
    Nothing,
    /// The peer never gets an ACK.
    AckLost,
    /// No more than 20 calls: a server that does not give back what it took.
    Leak,
}

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
        Self::planted(max_forwards, Plant::Nothing)
    }

    fn planted(max_forwards: &'static str, plant: Plant) -> Self {
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
            relay(
                &to_caller,
                &to_peer,
                peer,
                (max_forwards, plant),
                &noted,
                &stop,
            );
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
    (max_forwards, plant): (&str, Plant),
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
                let mut names = names.lock().unwrap();
                names.extend(found.map(str::to_owned));
                if plant == Plant::Leak && names.len() > 3 * 20 {
                    to_caller.send_to(&refusal(&text), from).unwrap();
                    continue;
                }
            }
            let is_ack = text.starts_with("ACK ");
            if is_ack && (plant == Plant::AckLost || text.contains(";tag=refused")) {
                continue;
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

/// A 503 to an INVITE.
fn refusal(invite: &str) -> Vec<u8> {
    let mut text = String::from("SIP/2.0 503 Service Unavailable\r\n");
    for line in invite.lines() {
        if ["Via: ", "From: ", "Call-ID: ", "CSeq: "]
            .iter()
            .any(|name| line.starts_with(name))
        {
            text += &format!("{line}\r\n");
        } else if line.starts_with("To: ") {
            text += &format!("{line};tag=refused\r\n");
        }
    }
    (text + "Content-Length: 0\r\n\r\n").into_bytes()
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

/// A scenario of its own for each test.
fn scenario(name: &str, text: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
    fs::write(&file, text).unwrap();
    file
}

fn run_scenario(file: &Path, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    program
        .arg("run")
        .arg(file)
        .args(arguments)
        .output()
        .unwrap()
}

/// Fifty calls through a relay.
fn fifty(name: &str, relay: &Relay, assertions: &str) -> PathBuf {
    scenario(
        name,
        &format!(
            "about = \"Fifty calls.\"\ntarget = \"udp:{}\"\nassert = [{assertions}]\n[calls]\nhold_ms = 10\n\
             [[phase]]\nshape = \"burst\"\ncalls = 5\nevery_ms = 100\nseconds = 1\n[[peer]]\nat = \"{}\"\n",
            relay.address, relay.peer
        ),
    )
}

#[test]
fn a_scenario_is_played_and_drawn() {
    let relay = Relay::start("Max-Forwards: 69");
    let all = "\"failed = 0\", \"complaints = 0\", \"left = 0\", \"offered = 50\", \"spread = 0\"";
    let file = fifty("good", &relay, all);
    let page = file.with_extension("html");
    let output = run_scenario(&file, &["--html", page.to_str().unwrap()]);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("every assertion holds"), "{text}");
    assert!(text.contains("offered = 50: holds (50.000)"), "{text}");
    let page = fs::read_to_string(page).unwrap();
    assert!(
        page.contains("<polyline") && !page.contains("http://127"),
        "{page}"
    );
    assert!(!page.contains("src=") && !page.contains("NaN"), "{page}");
    let output = run_scenario(&file, &["--json"]);
    let json = String::from_utf8(output.stdout).unwrap();
    assert!(
        json.starts_with("{\"ok\":true,\"interrupted\":false,\"figures\":{"),
        "{json}"
    );
}

#[test]
fn a_leak_is_found() {
    let relay = Relay::planted("Max-Forwards: 69", Plant::Leak);
    let output = run_scenario(&fifty("leak", &relay, "\"failed = 0\""), &[]);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("failed: 30 x refused with 503"), "{text}");
    assert!(
        text.contains("failed = 0: DOES NOT HOLD (30.000)"),
        "{text}"
    );
}

#[test]
fn a_lost_ack_is_found() {
    let relay = Relay::planted("Max-Forwards: 69", Plant::AckLost);
    let output = run_scenario(&fifty("ack", &relay, "\"failed = 0\", \"left = 0\""), &[]);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("failed = 0: holds"), "{text}");
    assert!(text.contains("left = 0: DOES NOT HOLD"), "{text}");
}

#[test]
fn a_wrong_peer_is_found() {
    let relay = Relay::start("Max-Forwards: 69");
    let policy = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = policy.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in policy.incoming() {
            std::thread::spawn(move || promise_6001(stream.unwrap()));
        }
    });
    // Everybody is promised to 6001, and the relay knows only the other one.
    let nobody = socket().local_addr().unwrap();
    let file = scenario(
        "wrong",
        &format!(
            "about = \"Promises.\"\ntarget = \"udp:{}\"\nassert = [\"elsewhere = 0\", \"failed = 0\"]\n[calls]\nhold_ms = 10\n\
             [[phase]]\nshape = \"constant\"\nrate = 100\nseconds = 0.2\n[vcs]\npolicy = [\"http://{at}\"]\n\
             [[peer]]\nat = \"{nobody}\"\nprefix = \"6001\"\n[[peer]]\nat = \"{}\"\nprefix = \"6002\"\n",
            relay.address, relay.peer
        ),
    );
    let output = run_scenario(&file, &[]);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("failed = 0: holds"), "{text}");
    assert!(
        text.contains("elsewhere = 0: DOES NOT HOLD (20.000)"),
        "{text}"
    );
}

/// A policy service that sends everybody to one alias, and lets that pass.
fn promise_6001(stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            if reader.read_line(&mut head).unwrap() == 0 {
                return;
            }
            let line = head.get(start..).unwrap().to_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let is_ours = String::from_utf8(body)
            .unwrap()
            .contains("DESTINATION_ALIAS=6001");
        let node = if is_ours {
            "<proxy/>"
        } else {
            "<taa:location clear=\"yes\" url=\"60011@b.example.com\"><proxy/></taa:location>"
        };
        let cpl = format!(
            "<cpl xmlns=\"urn:ietf:params:xml:ns:cpl\" xmlns:taa=\"http://www.tandberg.net/cpl-extensions\"><taa:routed>{node}</taa:routed></cpl>"
        );
        write!(
            writer,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{cpl}",
            cpl.len()
        )
        .unwrap();
    }
}

#[test]
fn the_shipped_scenarios_can_be_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    assert!(files.len() >= 6);
    for file in files {
        let output = run_scenario(&file, &["--check"]);
        assert!(output.status.success(), "{}", text(&output));
    }
}

/// Starts it, waits for its line of a second, interrupts it, and gives what it says then.
fn interrupted(mut program: Command) -> (Option<i32>, Vec<String>) {
    let mut child = program.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_second = |line: &String| line.trim_start().starts_with("1 s ");
    assert!(
        lines
            .by_ref()
            .map(Result::unwrap)
            .any(|line| is_second(&line))
    );
    let kill = format!("kill -INT {}", child.id());
    let mut shell = Command::new("sh");
    assert!(shell.args(["-c", &kill]).status().unwrap().success());
    let rest = lines.map(Result::unwrap).collect();
    (child.wait().unwrap().code(), rest)
}

#[test]
fn an_interrupt_ends_a_scenario_and_tells() {
    let relay = Relay::start("Max-Forwards: 69");
    let text = format!(
        "about = \"Long.\"\ntarget = \"udp:{}\"\nassert = [\"failed = 0\"]\n[calls]\nhold_ms = 3600000\n\
         [[phase]]\nshape = \"constant\"\nrate = 10\nseconds = 3600\n[[peer]]\nat = \"{}\"\n",
        relay.address, relay.peer
    );
    let mut program = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    program.arg("run").arg(scenario("interrupt", &text));
    let (code, rest) = interrupted(program);
    assert_eq!(rest.last().unwrap(), "ended before its time", "{rest:?}");
    let holds = |line: &String| line.starts_with("failed = 0: holds");
    assert!(rest.iter().any(holds), "{rest:?}");
    assert_eq!(code, Some(1));
}

#[test]
fn an_interrupt_ends_plain_calls_and_tells() {
    let relay = Relay::start("Max-Forwards: 69");
    let mut program = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    program.arg(format!("--target=udp:{}", relay.address));
    program.arg(format!("--peer={}", relay.peer));
    program.args(["--rate=10", "--seconds=3600", "--hold-ms=3600000"]);
    let (code, rest) = interrupted(program);
    assert_eq!(
        rest.last().unwrap(),
        "every call went as planned",
        "{rest:?}"
    );
    assert_eq!(code, Some(0));
}
