//! Failover seen from outside: sipp calls through the program, and the first peer is dead, silent, slow,
//! full or broken (TRUNK.md section 4). Every call is answered by the other peer, and not late.
#![cfg(target_os = "linux")]

mod interop;

use interop::installed;
use interop::node::{Node, peers};
use interop::ports;
use interop::scenario::Scenario;
use interop::sipp::Over;
use interop::stage::Stage;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// Calls of each scenario, one after another: only the first ones meet the bad peer, since a peer that
/// fails is passed over.
const CALLS: u32 = 6;
/// Time for a busy machine, beside what the table allows.
const SLACK: Duration = Duration::from_secs(8);

/// Peers are not probed: what is seen comes of calls alone. The bad peer is asked first, because it has
/// more room.
fn node(stage: &Stage, bad: u16, good: u16) -> Node {
    let bad = peers(&[bad]);
    let good = peers(&[good]).replace("1_000_000", "1_000");
    let rest = format!("[health]\nprobe = false\n{bad}{good}");
    Node::start_with(stage, "baton", 1, "", &rest)
}

/// Calls through a node whose first peer is at `bad`, and whose second one answers.
fn is_answered_elsewhere(stage: &Stage, bad: u16, over: Over) -> Duration {
    let mut good = stage
        .sipp(Scenario::own("answer").with("ringing", "10"), over, CALLS)
        .answer();
    let node = node(stage, bad, good.port);
    let begun = Instant::now();
    let mut caller = stage
        .sipp(Scenario::own("call"), over, CALLS)
        .at_once(1)
        .call(node.address(over));
    caller.succeeds();
    good.succeeds();
    let took = begun.elapsed();
    node.ends_with_nothing_left();
    took
}

/// A peer that refuses each call with this status; `reason` may go on with header lines.
fn refusing(status: &str, reason: &str) {
    if !installed(&["sipp"]) {
        return;
    }
    let stage = Stage::calm(&format!("failover-{status}"));
    let refuse = Scenario::own("refuse")
        .with("status", status)
        .with("reason", reason);
    let bad = stage.sipp(refuse, Over::Udp, CALLS).answer();
    let took = is_answered_elsewhere(&stage, bad.port, Over::Udp);
    assert!(took < SLACK + Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_refused_connection_leads_to_the_next_peer() {
    if !installed(&["sipp"]) {
        return;
    }
    let stage = Stage::calm("failover-refused");
    let took = is_answered_elsewhere(&stage, ports::free(1), Over::Tcp);
    assert!(took < SLACK + Duration::from_secs(1), "{took:?}");
}

/// A black hole over UDP: the next peer after 2 seconds of silence, and no later call goes there.
#[test]
fn a_silent_peer_leads_to_the_next_one() {
    if !installed(&["sipp"]) {
        return;
    }
    let stage = Stage::calm("failover-silent");
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let bad = silent.local_addr().unwrap().port();
    let took = is_answered_elsewhere(&stage, bad, Over::Udp);
    assert!(took < SLACK + Duration::from_secs(2), "{took:?}");
    assert!(took >= Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_503_with_retry_after_leads_to_the_next_peer() {
    refusing("503", "Later\n      Retry-After: 60");
}

#[test]
fn failures_of_a_peer_lead_to_the_next_one() {
    for status in ["500", "502", "504", "408"] {
        refusing(status, "Not Here");
    }
}

#[test]
fn a_bridge_that_is_busy_leads_to_the_next_peer() {
    for status in ["480", "486", "600"] {
        refusing(status, "Not Here");
    }
}

/// All are dead: 504 with the words for it, and 480 where all say that they are full.
#[test]
fn where_all_are_dead_the_caller_hears_504_and_where_all_are_full_480() {
    if !installed(&["sipp"]) {
        return;
    }
    for (status, words) in [
        ("504", "^SIP/2.0 504 .*no peer answered"),
        ("480", "^SIP/2.0 480 .*the peer is unavailable"),
    ] {
        let stage = Stage::calm(&format!("failover-all-{status}"));
        let over = if status == "504" {
            Over::Tcp
        } else {
            Over::Udp
        };
        let refuse = || {
            Scenario::own("refuse")
                .with("status", "503")
                .with("reason", "Full")
        };
        let full: Vec<_> = (0..2)
            .map(|_| stage.sipp(refuse(), Over::Udp, CALLS).answer())
            .collect();
        let ports = if status == "504" {
            [ports::free(1), ports::free(1)]
        } else {
            [full[0].port, full[1].port]
        };
        let node = node(&stage, ports[0], ports[1]);
        let refused = Scenario::own("refused").with("status", status);
        let mut caller = stage
            .sipp(refused.with("words", words), over, 1)
            .call(node.address(over));
        caller.succeeds();
        node.ends_with_nothing_left();
    }
}

/// What rings is not tried elsewhere, however long it rings: the other peer hears nothing.
#[test]
fn after_a_provisional_no_other_peer_is_tried() {
    if !installed(&["sipp"]) {
        return;
    }
    let stage = Stage::calm("failover-rang");
    let mut rings = stage
        .sipp(Scenario::own("cancelled").with("delay", "0"), Over::Udp, 1)
        .answer();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let other = peers(&[silent.local_addr().unwrap().port()]).replace("1_000_000", "1_000");
    let rest = format!("[health]\nprobe = false\n{}{other}", peers(&[rings.port]));
    let node = Node::start_with(&stage, "baton", 1, "", &rest);
    let until = "<recv response=\"100\" optional=\"true\"/>\n  <recv response=\"180\"/>";
    let cancel = Scenario::own("cancel").with("until", until);
    let mut caller = stage
        .sipp(cancel, Over::Udp, 1)
        .call(node.address(Over::Udp));
    caller.succeeds();
    rings.succeeds();
    silent.set_nonblocking(true).unwrap();
    let heard = silent.recv(&mut [0; 16]);
    assert!(heard.is_err(), "the other peer was not asked");
    node.ends_with_nothing_left();
}
