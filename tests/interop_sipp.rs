//! sipp's own scenarios on both sides of the real program: 10,000 calls on each transport, and the
//! end of a node that has calls.
#![cfg(target_os = "linux")]

mod interop;

use interop::installed;
use interop::scenario::Scenario;
use interop::sipp::Over;
use interop::stage::Stage;

const CALLS: u32 = 10_000;

#[test]
fn ten_thousand_calls_over_udp() {
    calls_of_sipp("udp", Over::Udp);
}

#[test]
fn ten_thousand_calls_over_tcp() {
    calls_of_sipp("tcp", Over::Tcp);
}

/// sipp makes a connection for each call, and closes it after.
#[test]
fn a_connection_for_each_call() {
    if !installed(&["sipp"]) {
        return;
    }
    let stage = Stage::calm("connections");
    let mut peer = stage
        .sipp(Scenario::BuiltIn("uas"), Over::Tcp, 1000)
        .answer();
    let node = stage.node(peer.port);
    let caller = stage.sipp(Scenario::BuiltIn("uac"), Over::TcpEach, 1000);
    let caller = caller.with(&["-max_socket", "500"]);
    caller.call(node.tcp).succeeds();
    peer.succeeds();
    node.ends_with_nothing_left();
}

#[test]
fn a_node_told_to_stop_finishes_its_calls_over_udp() {
    drain("drain-udp", Over::Udp);
}

#[test]
fn a_node_told_to_stop_finishes_its_calls_over_tcp() {
    drain("drain-tcp", Over::Tcp);
}

/// Told to stop: those who call get 503, who is in a call stays in it, and then the node ends.
fn drain(name: &str, over: Over) {
    if !installed(&["sipp"]) {
        return;
    }
    let stage = Stage::calm(name);
    // Who is hung up says the last word, so that no call of sipp's is open when the node ends.
    let hang_up = Scenario::own("hang_up").with("held", "5000");
    let mut peer = stage.sipp(hang_up, over, 50).answer();
    let mut node = stage.node(peer.port);
    let hung_up = Scenario::own("hung_up").with("late", "0");
    let caller = stage.sipp(hung_up, over, 50).at_once(50).written_down();
    let mut caller = caller.call(node.address(over));
    caller.wait_until_sent("ACK sip:", 50);
    node.drain();
    let refused = Scenario::own("refused").with("status", "503");
    let refused = refused.with("words", "^SIP/2.0 503 .*Retry-After: [0-9]");
    stage
        .sipp(refused, over, 50)
        .call(node.address(over))
        .succeeds();
    assert!(node.process().is_alive(), "it waits for its calls");
    caller.succeeds();
    peer.succeeds();
    node.has_ended();
}

fn calls_of_sipp(name: &str, over: Over) {
    if !installed(&["sipp"]) {
        return;
    }
    let stage = Stage::calm(name);
    let mut peer = stage.sipp(Scenario::BuiltIn("uas"), over, CALLS).answer();
    let node = stage.node(peer.port);
    let caller = stage.sipp(Scenario::BuiltIn("uac"), over, CALLS);
    caller.call(node.address(over)).succeeds();
    let counts = peer.succeeds();
    assert_eq!(counts.incoming, u64::from(CALLS));
    node.ends_with_nothing_left();
}
