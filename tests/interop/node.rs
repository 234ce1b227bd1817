//! The node under test: the real program, with a configuration of its own on ports of its own.

use super::process::Process;
use super::sipp::Over;
use super::stage::Stage;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long the program may take to start, and to end once its calls have.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the node is told, which is less: one that still has calls then says so.
const SHUTDOWN_SECONDS_MAX: u32 = 20;

/// A Baton that runs.
pub(crate) struct Node {
    process: Process,
    name: String,
    config: String,
    admin: SocketAddr,
    /// Where it listens over UDP.
    pub(crate) udp: SocketAddr,
    /// Where it listens over TCP.
    pub(crate) tcp: SocketAddr,
    /// Where it listens over TLS, if it does.
    pub(crate) tls: Option<SocketAddr>,
}

/// Peers at these ports of 127.0.0.1, over the transport of the caller, as a configuration has them.
pub(crate) fn peers(ports: &[u16]) -> String {
    let peer = |port: &u16| {
        format!(
            "[[peer]]\nname = \"peer-{port}\"\nat = \"same:127.0.0.1:{port}\"\n\
             sessions_max = 1_000_000\n"
        )
    };
    ports.iter().map(peer).collect()
}

impl Node {
    /// Starts one that sends every call to this port of 127.0.0.1.
    pub(crate) fn start(stage: &Stage, peer_port: u16, workers: u8) -> Self {
        Self::start_one_of_many(stage, "baton", &[peer_port], workers)
    }

    /// Starts one of several on a stage, with this name and its calls going to these ports of 127.0.0.1.
    pub(crate) fn start_one_of_many(
        stage: &Stage,
        name: &str,
        peer_ports: &[u16],
        workers: u8,
    ) -> Self {
        // sipp takes an OPTIONS for a call that begins wrongly.
        let rest = format!("[health]\nprobe = false\n{}", peers(peer_ports));
        Self::start_with(stage, name, workers, "", &rest)
    }

    /// Starts one that also listens here, with the rest of its configuration: peers and what differs
    /// from the defaults.
    pub(crate) fn start_with(
        stage: &Stage,
        name: &str,
        workers: u8,
        also_listen: &str,
        rest: &str,
    ) -> Self {
        let t1_ms = stage.t1().as_millis();
        let (t2_ms, t4_ms) = (t1_ms * 8, t1_ms * 10);
        let ring_seconds = stage.ring_seconds();
        // A machine that is busy with other things is not a node with too many calls.
        let config = format!(
            "[node]\nname = \"{name}\"\nshutdown_seconds_max = {SHUTDOWN_SECONDS_MAX}\n\
             workers = {workers}\n\
             [sip]\nlisten = [\"udp:127.0.0.1:0\", \"tcp:127.0.0.1:0\"{also_listen}]\n\
             [timers]\nt1_ms = {t1_ms}\nt2_ms = {t2_ms}\nt4_ms = {t4_ms}\n\
             ring_seconds = {ring_seconds}\n\
             [limits]\nconnections_per_source = 4096\n\
             [overload]\nwait_target_ms = 400\nwait_interval_ms = 10_000\n\
             [admin]\nlisten = \"127.0.0.1:0\"\nsocket = \"\"\n{rest}"
        );
        Self::run(stage, name, &config)
    }

    /// Starts it again where it was, once it has ended.
    pub(crate) fn start_again(&mut self, stage: &Stage) {
        let config = self
            .config
            .replace("udp:127.0.0.1:0", &format!("udp:{}", self.udp))
            .replace("tcp:127.0.0.1:0", &format!("tcp:{}", self.tcp));
        *self = Self::run(stage, &self.name, &config);
    }

    fn run(stage: &Stage, name: &str, config: &str) -> Self {
        let file = stage.file(&format!("{name}.toml"));
        fs::write(&file, config).unwrap();
        let mut command: Command = stage.command(env!("CARGO_BIN_EXE_baton"));
        command.args(["run", "--config"]).arg(&file);
        command.env("NO_COLOR", "1").env_remove("RUST_LOG");
        let mut process = Process::start("baton", command);
        let mut address = |place: &str| {
            let line = process.wait_for(place, PATIENCE);
            let (_, address) = line.split_once(place).unwrap();
            address.parse().unwrap()
        };
        let admin = address("figures and health on http://");
        let (udp, tcp) = (address("listening on udp:"), address("listening on tcp:"));
        let is_secure = config.contains("\"tls:127.0.0.1:0\"");
        let tls = is_secure.then(|| address("listening on tls:"));
        Self {
            process,
            name: name.to_owned(),
            config: config.to_owned(),
            admin,
            udp,
            tcp,
            tls,
        }
    }

    /// Where a caller over this transport finds it.
    pub(crate) fn address(&self, over: Over) -> SocketAddr {
        match over {
            Over::Tcp | Over::TcpEach => self.tcp,
            Over::Udp => self.udp,
        }
    }

    /// One of its figures, named with its labels as in `/metrics`.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let mut values = text.lines().filter_map(|line| line.strip_prefix(name));
        let value = values.find_map(|value| value.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("no {name}: {text}"));
        value.parse().unwrap()
    }

    /// Waits until one of its figures is this: a call is over a moment after its sides have heard so.
    pub(crate) fn reaches(&self, name: &str, wanted: u64) {
        let until = Instant::now() + PATIENCE;
        while self.figure(name) != wanted {
            let value = self.figure(name);
            assert!(Instant::now() < until, "{name} is {value}, not {wanted}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The program.
    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Tells it to stop and waits until it says that it takes no more calls.
    pub(crate) fn drain(&mut self) {
        self.process.terminate();
        self.process.wait_for("stopping: no new calls", PATIENCE);
    }

    /// Nothing is left: told to stop, it has no call to wait for, and it had nothing to complain of.
    pub(crate) fn ends_with_nothing_left(mut self) {
        self.process.terminate();
        self.has_ended();
    }

    /// It still runs, and did not say that anything went wrong.
    pub(crate) fn is_well(&mut self) {
        assert!(self.process.is_alive(), "{}", self.process.last_words());
    }

    /// It was told to stop, and stops when its last call has ended, without complaint.
    pub(crate) fn has_ended(&mut self) {
        let code = self.process.wait(PATIENCE);
        let words = self.process.last_words();
        assert_eq!(code, Some(0), "{words}");
        assert!(words.contains(" stopped"), "{words}");
        for complaint in ["stopping now", "ERROR", "panicked"] {
            assert!(!words.contains(complaint), "{words}");
        }
    }
}
