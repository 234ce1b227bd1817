//! One of three peers is killed with -9 under load: no call that stands on the others is lost, and new
//! calls are answered by the others.
//!
//! The peers are processes: this program again, which judges each message as a bridge would. The rate is
//! for an optimised build; without optimisation a tenth is asked for.
#![cfg(target_os = "linux")]
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;

use interop::node::{Node, peers};
use interop::process::Process;
use interop::stage::Stage;
use loadtest::agent::{Agent, Behaviour, Caller, CallerSettings, PeerSettings, Plan, Timers};
use loadtest::drive::{PeerThread, Socket, Wire, new_run, runtime};
use loadtest::load::{self, Load, Tally};
use signaling::Transport;
use std::collections::BTreeMap;
use std::env;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

/// Where a peer process finds the test that started it.
const PEER: &str = "BATON_TEST_PEER";
const RATE: u32 = if cfg!(debug_assertions) { 100 } else { 1000 };
const SECONDS: u32 = 6;
/// The peer is killed when this one is over.
const KILLED_AFTER: u64 = 2;
/// How long peers ring, those that do.
const RINGING: Duration = Duration::from_millis(200);
/// Long enough that many calls stand at any time.
const HOLD: Duration = Duration::from_secs(2);

/// Peers that answer at once: every call is answered, by another peer where need be.
#[test]
fn a_peer_is_killed_under_load() {
    let story = kill(Duration::ZERO);
    assert_eq!(story.tally.failed, BTreeMap::new());
}

/// Peers that ring: who hears the dead one ring hears nothing else, since nobody else is asked then
/// (docs/decisions/0007-failover.md). These calls end when probes have found it dead, long before timer C.
#[test]
fn a_peer_is_killed_while_it_rings() {
    let story = kill(RINGING);
    let failed: Vec<&str> = story.tally.failed.keys().map(String::as_str).collect();
    assert!(
        failed.is_empty() || failed == ["refused with 504"],
        "{failed:?}"
    );
    let failed: u64 = story.tally.failed.values().sum();
    assert!(failed <= story.unanswered + u64::from(RATE), "{story:?}");
}

/// What became of the calls.
#[derive(Debug)]
struct Story {
    /// What their caller says.
    tally: Tally,
    /// Sessions on the killed peer before it was killed.
    sessions: u64,
    /// Of these, calls that were not answered.
    unanswered: u64,
    /// Calls that had gone to it then.
    chosen: u64,
    /// Calls that left it for another peer.
    left: u64,
    /// Calls that the other two answered.
    elsewhere: [u64; 2],
}

/// Kills one of three peers that answer after this time, if they do not answer at once.
fn kill(ringing: Duration) -> Story {
    let stage = Stage::calm("kill").with_t1(Duration::from_millis(500));
    let stage = stage.with_ring_seconds(60);
    let bridges = [(); 3].map(|()| Bridge::start(ringing));
    let ports = bridges.each_ref().map(|bridge| bridge.address.port());
    let rest = peers(&ports);
    let node = Node::start_with(&stage, "baton", 1, "", &rest);
    let first = format!("peer=\"peer-{}\"", ports[0]);
    let figure = |name: &str, more: &str| node.figure(&format!("{name}{{{first}{more}}}"));
    let (mut sessions, mut unanswered, mut chosen) = (0, 0, 0);
    let tally = calls(node.udp, |second| {
        if second == KILLED_AFTER {
            sessions = figure("baton_peer_sessions", "");
            unanswered = figure("baton_peer_sessions_reserved", "");
            bridges[0].process.signal("KILL");
            chosen = figure("baton_peer_selected_total", ",reason=\"figures\"");
        }
    });
    let left = figure("baton_failovers_total", ",cause=\"silent\"");
    let [_, second, third] = bridges;
    let story = Story {
        tally,
        sessions,
        unanswered,
        chosen,
        left,
        elsewhere: [second.end(), third.end()],
    };
    story.check();
    story
}

impl Story {
    /// All calls ended, and the dead peer took none after its death.
    #[expect(clippy::print_stdout, reason = "counts for bench/RESULTS.md")]
    fn check(&self) {
        let calls = u64::from(RATE * SECONDS);
        let elsewhere: u64 = self.elsewhere.iter().sum();
        println!(
            "{calls} calls at {RATE}/s: {} answered, failed {:?}; on the killed peer {} sessions, {} not \
             answered; {} calls left it; answered by the others {elsewhere}",
            self.tally.answered, self.tally.failed, self.sessions, self.unanswered, self.left,
        );
        assert!(self.sessions > 0, "it had calls");
        assert_eq!(self.tally.finished(), calls);
        assert!(elsewhere + self.chosen >= self.tally.answered);
        assert!(elsewhere > calls / 2);
    }
}

/// Calls over UDP at the rate, all of them to their end; `each_second` is told which one is over.
fn calls(target: SocketAddr, mut each_second: impl FnMut(u64)) -> Tally {
    let socket = Socket::towards(Transport::Udp, target).unwrap();
    let mut caller = Caller::new(CallerSettings {
        local: socket.local_addr().unwrap(),
        target,
        transport: Transport::Udp,
        timers: Timers::default(),
        seed: 1,
        run: new_run(),
        rooms: 1000,
    });
    let mut load = Load::constant(u64::from(RATE * SECONDS), RATE, Plan::plain(HOLD));
    let tally = runtime().unwrap().block_on(async {
        let mut wire = Wire::new(socket)?;
        load::run(&mut wire, &mut caller, &mut load, |second, _, _| {
            each_second(second);
            Ok(())
        })
        .await
    });
    let complaints: Vec<String> = std::iter::from_fn(|| caller.poll_complaint()).collect();
    assert_eq!(complaints, [""; 0]);
    tally.unwrap()
}

/// A peer, as a process.
struct Bridge {
    process: Process,
    /// Closed when it is to end.
    control: TcpStream,
    address: SocketAddr,
}

impl Bridge {
    fn start(ringing: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "peer_process", "--nocapture"]);
        let control = listener.local_addr().unwrap();
        command.env(PEER, format!("{control} {}", ringing.as_millis()));
        let mut process = Process::start("peer", command);
        let line = process.wait_for("peer at ", Duration::from_secs(30));
        let (_, address) = line.split_once("peer at ").unwrap();
        let address = address.parse().unwrap();
        let (control, _) = listener.accept().unwrap();
        Self {
            process,
            control,
            address,
        }
    }

    /// Ends it, and gives how many calls it had; it found nothing wrong with any.
    fn end(mut self) -> u64 {
        self.control.shutdown(Shutdown::Write).unwrap();
        let mut report = String::new();
        self.control.read_to_string(&mut report).unwrap();
        report.parse().unwrap_or_else(|_| panic!("{report}"))
    }
}

/// What a peer process does; nothing in a run of the tests.
#[test]
#[expect(clippy::print_stdout, reason = "who started it reads it")]
fn peer_process() {
    let Ok(told) = env::var(PEER) else {
        return;
    };
    let (control, ringing) = told.split_once(' ').unwrap();
    let ringing = Duration::from_millis(ringing.parse().unwrap());
    let mut control = TcpStream::connect(control).unwrap();
    let socket =
        Socket::listen(Transport::Udp, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let local = socket.local_addr().unwrap();
    let answer = Behaviour::answer(ringing);
    let answer = if ringing.is_zero() {
        answer.without_provisional()
    } else {
        answer
    };
    let settings = PeerSettings {
        chooser: Box::new(move |_| answer),
        ..PeerSettings::answering(local, u64::from(local.port()), Duration::ZERO)
    };
    let peer = PeerThread::start("peer", socket, settings, None).unwrap();
    println!("peer at {local}");
    io::copy(&mut control, &mut io::sink()).unwrap();
    let report = peer.stop().unwrap();
    if report.complaints == 0 && report.live == 0 {
        write!(control, "{}", report.counts.calls).unwrap();
    } else {
        write!(control, "{report:#?}").unwrap();
    }
}
