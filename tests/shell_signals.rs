//! The program itself: how it starts, says what keeps it from starting, and ends on SIGTERM.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod shell_world;

use shell_world::{Call, PATIENCE, Tcp, Udp, Wire, establish, hang_up, offer};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The program, running. It is ended when the test is over, however that ends.
struct Program {
    child: Child,
    errors: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Program {
    /// Starts it with a peer and waits until it listens.
    fn start(name: &str, peer: SocketAddr, shutdown_seconds_max: u32) -> Self {
        let mut child = spawn(name, "udp:127.0.0.1:0", peer, shutdown_seconds_max);
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let address = address_in(&line_with(&mut errors, "listening on udp:"));
        Self {
            child,
            errors,
            address,
        }
    }

    fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the program does not end");
            std::thread::yield_now();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has usually ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn without_calls_it_ends_at_once() {
    for signal in ["TERM", "INT"] {
        let peer = Udp::new();
        let mut program = Program::start("idle", peer.local(), 60);
        program.signal(signal);
        assert_eq!(program.ended().code(), Some(0), "{signal}");
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
    program.signal("TERM");
    line_with(&mut program.errors, "stopping: no new calls");
    let invite = until_refused(&mut caller);
    assert!(invite.contains(" 503 "), "{invite}");
    hang_up(&mut call, &mut caller, &mut peer);
    assert_eq!(program.ended().code(), Some(0));
}

#[test]
fn a_refusal_is_repeated_until_its_ack() {
    let mut peer = Udp::new();
    let mut program = Program::start("refusal", peer.local(), 60);
    let mut caller = Udp::to(program.address);
    let mut call = Call::new("refused", &caller);
    offer(&mut call, &mut caller);
    let invite = peer.expect("INVITE ");
    program.signal("TERM");
    line_with(&mut program.errors, "stopping: no new calls");
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
    assert_eq!(program.ended().code(), Some(0));
}

#[test]
fn a_second_signal_does_not_wait_for_calls() {
    let mut peer = Udp::new();
    let mut program = Program::start("second", peer.local(), 3600);
    let mut caller = Udp::to(program.address);
    let mut call = Call::new("live", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    program.signal("TERM");
    line_with(&mut program.errors, "stopping: no new calls");
    assert!(
        program.child.try_wait().unwrap().is_none(),
        "a call keeps it"
    );
    program.signal("TERM");
    assert_eq!(program.ended().code(), Some(0));
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
    program.signal("TERM");
    assert_eq!(program.ended().code(), Some(0));
    assert!(
        before.elapsed() >= Duration::from_secs(1),
        "it gave them their time"
    );
}

#[test]
fn an_address_in_use_is_explained() {
    let peer = Udp::new();
    let taken = format!("udp:{}", peer.local());
    let mut child = spawn("taken", &taken, Udp::new().local(), 60);
    let mut text = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
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
    let file = configuration("descriptors", "tcp:127.0.0.1:0", "tcp:127.0.0.1:9", 60);
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 30 && exec \"$0\" run --config \"$1\""])
        .args([env!("CARGO_BIN_EXE_baton"), &file])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let address = address_in(&line_with(&mut errors, "listening on tcp:"));
    let mut program = Program {
        child,
        errors,
        address,
    };
    // The kernel completes them all; the program has descriptors for some.
    let mut clients: Vec<Tcp> = (0..CLIENTS).map(|_| Tcp::to(program.address)).collect();
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
    program.signal("TERM");
    assert_eq!(program.ended().code(), Some(0));
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

/// The address at the end of a line.
fn address_in(line: &str) -> SocketAddr {
    let (_, address) = line
        .rsplit_once("udp:")
        .or_else(|| line.rsplit_once("tcp:"))
        .unwrap();
    address.trim().parse().expect("an address")
}

/// Writes a file and returns its name.
fn configuration(name: &str, listen: &str, peer: &str, shutdown_seconds_max: u32) -> String {
    let file = format!("{}/shell-signals-{name}.toml", env!("CARGO_TARGET_TMPDIR"));
    let text = format!(
        "[node]\nshutdown_seconds_max = {shutdown_seconds_max}\n[sip]\nlisten = [\"{listen}\"]\n\
         [[peer]]\nname = \"peer\"\nat = \"{peer}\"\nsessions_max = 10\n\
         [health]\nprobe = false\n"
    );
    std::fs::write(&file, text).expect("a writable folder");
    file
}

fn spawn(name: &str, listen: &str, peer: SocketAddr, shutdown_seconds_max: u32) -> Child {
    let file = configuration(name, listen, &format!("udp:{peer}"), shutdown_seconds_max);
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
    command
        .args(["run", "--config", &file])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program")
}

/// Reads lines up to one that has this part.
fn line_with(errors: &mut BufReader<ChildStderr>, part: &str) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        let count = errors.read_line(&mut line).unwrap();
        assert_ne!(
            count, 0,
            "the program ended without saying {part:?}: {seen}"
        );
        if line.contains(part) {
            return line;
        }
        seen += &line;
    }
}
