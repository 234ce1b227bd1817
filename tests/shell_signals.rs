//! The program itself: how it starts, says what keeps it from starting, and ends on SIGTERM.
#![expect(
    clippy::expect_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod program_world;
mod shell_world;

use program_world::{Running, file};
use shell_world::{Call, PATIENCE, Tcp, Udp, Wire, establish, hang_up, offer};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// The program, running, and where it listens.
struct Program {
    running: Running,
    address: SocketAddr,
}

impl Program {
    /// Starts it with a peer and waits until it listens.
    fn start(name: &str, peer: SocketAddr, shutdown_seconds_max: u32) -> Self {
        let peer = format!("udp:{peer}");
        let config = configuration(name, "udp:127.0.0.1:0", &peer, shutdown_seconds_max);
        let running = Running::start(&config);
        let address = running.address("listening on udp:");
        Self { running, address }
    }
}

#[test]
fn without_calls_it_ends_at_once() {
    for signal in ["TERM", "INT"] {
        let peer = Udp::new();
        let mut program = Program::start("idle", peer.local(), 60);
        program.running.signal(signal);
        assert_eq!(program.running.ended().code(), Some(0), "{signal}");
    }
}

#[test]
fn calls_may_end_and_new_ones_are_refused() {
    let mut peer = Udp::new();
    let mut program = Program::start("draining", peer.local(), 60);
    let mut caller = Udp::to(program.address);
    let mut call = Call::new("old", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    program.running.signal("TERM");
    program.running.line_with("stopping: no new calls");
    let invite = until_refused(&mut caller);
    assert!(invite.contains(" 503 "), "{invite}");
    hang_up(&mut call, &mut caller, &mut peer);
    assert_eq!(program.running.ended().code(), Some(0));
}

#[test]
fn a_refusal_is_repeated_until_its_ack() {
    let mut peer = Udp::new();
    let mut program = Program::start("refusal", peer.local(), 60);
    let mut caller = Udp::to(program.address);
    let mut call = Call::new("refused", &caller);
    offer(&mut call, &mut caller);
    let invite = peer.expect("INVITE ");
    program.running.signal("TERM");
    program.running.line_with("stopping: no new calls");
    let refusal = invite.answer("486 Busy Here", peer.local(), peer.transport());
    peer.send(&refusal);
    peer.expect("ACK ");
    // The first one counts as lost; timer G sends it again.
    caller.expect("486 ");
    let again = caller.expect("486 ");
    call.answered_with(&again);
    // The ACK of a refusal belongs to its INVITE's transaction.
    let ack = call.request("ACK").replace("-ACK;rport", "-INVITE;rport");
    caller.send(&ack);
    assert_eq!(program.running.ended().code(), Some(0));
}

#[test]
fn a_second_signal_does_not_wait_for_calls() {
    let mut peer = Udp::new();
    let mut program = Program::start("second", peer.local(), 3600);
    let mut caller = Udp::to(program.address);
    let mut call = Call::new("live", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    program.running.signal("TERM");
    program.running.line_with("stopping: no new calls");
    assert!(
        program.running.child.try_wait().unwrap().is_none(),
        "a call keeps it"
    );
    program.running.signal("TERM");
    assert_eq!(program.running.ended().code(), Some(0));
}

#[test]
fn calls_that_do_not_end_are_left_behind() {
    let mut peer = Udp::new();
    let mut program = Program::start("patience", peer.local(), 1);
    let mut caller = Udp::to(program.address);
    let mut call = Call::new("endless", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    let before = Instant::now();
    program.running.signal("TERM");
    assert_eq!(program.running.ended().code(), Some(0));
    assert!(
        before.elapsed() >= Duration::from_secs(1),
        "it gave them their time"
    );
}

#[test]
fn an_address_in_use_is_explained() {
    let peer = Udp::new();
    let taken = format!("udp:{}", peer.local());
    let config = configuration("taken", &taken, &format!("udp:{}", Udp::new().local()), 60);
    let (code, text) = Running::start(&config).refusal();
    assert_eq!(code, Some(1));
    for part in [
        &format!("cannot listen on {taken}"),
        "another program uses port",
        "choose another port",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn without_descriptors_the_listener_pauses_and_goes_on() {
    const CLIENTS: usize = 40;
    let config = configuration("descriptors", "tcp:127.0.0.1:0", "tcp:127.0.0.1:9", 60);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 30 && exec \"$0\" run --config \"$1\""]);
    command.arg(env!("CARGO_BIN_EXE_baton")).arg(config);
    let mut running = Running::of(command);
    let address = running.address("listening on tcp:");
    // The kernel completes them all; the program has descriptors for some.
    let mut clients: Vec<Tcp> = (0..CLIENTS).map(|_| Tcp::to(address)).collect();
    for client in &mut clients {
        let options = Call::new("descriptors", client).request("OPTIONS");
        client.send(&options);
    }
    let mut served = 0;
    while served < CLIENTS {
        let deadline = Instant::now() + PATIENCE;
        let position = loop {
            if let Some(position) = clients.iter_mut().position(Tcp::has_message) {
                break position;
            }
            assert!(Instant::now() < deadline, "{served} of {CLIENTS} served");
            std::thread::yield_now();
        };
        // It goes, and leaves its descriptor to another.
        clients.swap_remove(position).expect(" 200 ");
        served += 1;
    }
    running.signal("TERM");
    assert_eq!(running.ended().code(), Some(0));
}

/// Sends a new INVITE and returns the answer's first line.
fn until_refused(caller: &mut Udp) -> String {
    let mut late = Call::new("late", caller);
    let invite = late.invite();
    caller.send(&invite);
    let refusal = caller.receive();
    late.answered_with(&refusal);
    let ack = late.request("ACK");
    caller.send(&ack);
    refusal.start().to_owned()
}

/// Writes a file. Who watches the program is not what these tests are about.
fn configuration(name: &str, listen: &str, peer: &str, shutdown_seconds_max: u32) -> PathBuf {
    let config = file(&format!("shell-signals-{name}"), "toml");
    let text = format!(
        "[node]\nshutdown_seconds_max = {shutdown_seconds_max}\n[sip]\nlisten = [\"{listen}\"]\n\
         [[peer]]\nname = \"peer\"\nat = \"{peer}\"\nsessions_max = 10\n\
         [health]\nprobe = false\n[admin]\nlisten = \"\"\nsocket = \"\"\n"
    );
    std::fs::write(&config, text).expect("a writable folder");
    config
}
