//! The log of the real program, when nobody reads it.

mod operator_world;
mod program_world;
mod shell_world;

use operator_world::Program;
use shell_world::{Call, PATIENCE, Udp, Wire, establish, hang_up, offer};
use std::time::Instant;

/// Little room for lines; the pipe has more.
const SMALL: &str = "[log]\nqueue = 64\n";
const DROPPED: &str = "baton_log_lines_dropped_total ";

/// Has the program write its counters again and again, until it has nowhere to put a line.
fn fill(program: &Program) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        program.signal("USR1");
        // The main thread has said everything that the signal asked for, or will say it after this.
        let page = program.get("/metrics").body;
        let dropped = page.lines().find_map(|line| line.strip_prefix(DROPPED));
        if dropped.expect("a figure") != "0" {
            return;
        }
        assert!(Instant::now() < deadline, "nothing is dropped: {page}");
    }
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_call_and_no_operator() {
    let mut peer = Udp::new();
    let program = Program::start("unread", peer.local(), SMALL);
    program.running.deafen();
    fill(&program);
    let mut caller = Udp::to(program.sip);
    let mut call = Call::new("unlogged", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    // A worker has something to say, too: its peer fails.
    let said = program.command(&["peer", "maint", "peer"]);
    assert_eq!(said.code, 0, "{said:?}");
    hang_up(&mut call, &mut caller, &mut peer);
    program.running.hear();
    program.line_with("log lines were lost");
}

#[test]
fn each_call_leaves_a_line_where_that_is_wanted() {
    let mut peer = Udp::new();
    let program = Program::start("calls", peer.local(), "[log]\ncalls = \"explained\"\n");
    let mut caller = Udp::to(program.sip);
    let mut call = Call::new("written-down", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    hang_up(&mut call, &mut caller, &mut peer);
    let line = program.line_with("a call is over");
    for part in [
        "from=\"sip:caller@example.com\"",
        "alias=\"meet.room@example.com\"",
        "peer=\"peer\"",
        "tries=\"peer:accepted\"",
        "end=\"caller_hung_up\"",
        "talk_seconds=",
        "call_id=\"written-down\"",
        "peer_call_id=\"",
        "explanation=\"",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let mut call = Call::new("turned-down", &caller);
    offer(&mut call, &mut caller);
    let invite = peer.expect("INVITE ");
    peer.send(&invite.answer("486 Busy Here", peer.local(), peer.transport()));
    peer.expect("ACK ");
    caller.expect("486 ");
    let line = program.line_with("a call is over");
    assert!(line.contains("end=\"refused_486\""), "{line}");
    assert!(line.contains("tries=\"peer:486\""), "{line}");
    assert!(!line.contains("talk_seconds"), "{line}");
}

#[test]
fn a_log_that_nobody_reads_does_not_keep_the_program_from_ending() {
    let mut program = Program::start("unread-end", Udp::new().local(), SMALL);
    program.running.deafen();
    fill(&program);
    program.signal("TERM");
    assert_eq!(program.ended().code(), Some(0));
}
