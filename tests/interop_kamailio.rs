//! Kamailio in the place of a VCS: it stays in the path of its calls, asks two nodes with OPTIONS
//! whether they live, gives them calls in turn, and goes to the other one when one refuses or is
//! silent. sipp calls it, and sipp answers behind the nodes.
#![cfg(target_os = "linux")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;

use interop::capture::{Capture, Message};
use interop::installed;
use interop::kamailio::{Kamailio, Watch, Words};
use interop::node::Node;
use interop::scenario::Scenario;
use interop::sipp::{Counts, Over, Running};
use interop::stage::Stage;
use std::net::SocketAddr;
use std::thread;

/// Calls of one caller.
const CALLS: u32 = 40;
/// Calls that are looked at message by message.
const FEW: u32 = 5;
const PROGRAMS: [&str; 2] = ["sipp", "kamailio"];

/// The path of a BYE from either side is what Record-Route made it.
#[test]
fn calls_pass_through_either_node_over_udp() {
    pass("udp", Over::Udp, Over::Udp);
}

#[test]
fn calls_pass_through_either_node_over_tcp() {
    pass("tcp", Over::Tcp, Over::Tcp);
}

/// Kamailio names itself twice in Record-Route, once for each transport.
#[test]
fn calls_change_their_transport_at_the_front() {
    pass("change", Over::Udp, Over::Tcp);
}

/// The front believes that the node lives and is refused by it, or has seen it in the answers to its
/// OPTIONS and asks it no more.
#[test]
fn a_node_that_drains_refuses_calls_and_its_sibling_takes_them() {
    at_once(
        || drain("drain-calls", Over::Udp, Watch::BY_CALLS),
        || drain("drain-options", Over::Tcp, Watch::CLOSELY),
    );
}

#[test]
fn the_sibling_of_a_killed_node_takes_its_calls_over_udp() {
    kill("kill-udp", Over::Udp);
}

#[test]
fn the_sibling_of_a_killed_node_takes_its_calls_over_tcp() {
    kill("kill-tcp", Over::Tcp);
}

/// Two routes, two Vias, more than 4 kB, several media and fields that only a VCS has: the bridge hangs up,
/// and the BYE takes the way that the VCS asked for.
#[test]
fn a_call_as_a_vcs_sends_it_over_tcp() {
    vcs("vcs-tcp", Over::Tcp);
}

#[test]
fn a_call_as_a_vcs_sends_it_over_udp() {
    vcs("vcs-udp", Over::Udp);
}

/// Wireshark finds nothing wrong with what Kamailio, the nodes and the bridges say to each other.
#[test]
fn what_goes_through_the_front_is_well_formed() {
    if !installed(&PROGRAMS) {
        return;
    }
    for (bridge, caller) in [(bridge(), call()), (hang_up(), hung_up())] {
        let front = Front::new("captured", Over::Tcp, &bridge, Watch::CLOSELY);
        let mut ports = vec![front.kamailio.address.port()];
        ports.extend(front.bridges.each_ref().map(|bridge| bridge.port));
        ports.extend([front.node(0).port(), front.node(1).port()]);
        let Some(capture) = capture_of(&front.stage, &ports) else {
            return;
        };
        front.caller(&caller, Over::Udp, FEW, "20").succeeds();
        // Between caller and Kamailio, Kamailio and node, node and bridge.
        are_well_formed(capture, 3 * FEW as usize);
        front.end();
    }
}

/// Two nodes, a bridge behind each, and Kamailio in front.
struct Front {
    stage: Stage,
    bridges: [Running; 2],
    nodes: [Node; 2],
    kamailio: Kamailio,
    /// Between Kamailio, the nodes and the bridges.
    inside: Over,
}

impl Front {
    fn new(name: &str, inside: Over, bridge: &Scenario, watch: Watch) -> Self {
        let stage = Stage::calm(name);
        let bridges = [(); 2].map(|()| stage.sipp(bridge.clone(), inside, u32::MAX).answer());
        let node = |number: usize| {
            let name = format!("node-{number}");
            Node::start_one_of_many(&stage, &name, &[bridges[number].port], 2)
        };
        let nodes = [node(0), node(1)];
        let kamailio = Kamailio::start(&stage, &[&nodes[0], &nodes[1]], inside, watch);
        Self {
            stage,
            bridges,
            nodes,
            kamailio,
            inside,
        }
    }

    fn caller(&self, scenario: &Scenario, over: Over, calls: u32, held_ms: &str) -> Running {
        let caller = self.stage.sipp(scenario.clone(), over, calls);
        let caller = caller.with(&["-d", held_ms]).written_down();
        caller.at_once(calls).call(self.kamailio.address)
    }

    fn node(&self, number: usize) -> SocketAddr {
        self.nodes[number].address(self.inside)
    }

    /// Nobody has a call left. Gives what Kamailio said, and what each bridge counted.
    fn end(mut self) -> (Words, [Counts; 2]) {
        // First: a node that ends would be seen.
        let words = self.kamailio.end();
        for node in &mut self.nodes {
            if node.process().is_alive() {
                node.process().terminate();
                node.has_ended();
            }
        }
        let counts = self.bridges.map(|mut bridge| bridge.stop());
        assert_eq!(words.count("lost "), 0, "{words:?}");
        (words, counts)
    }
}

/// They wait more than they work.
fn at_once(one: impl FnOnce() + Send, other: impl FnOnce()) {
    thread::scope(|scope| {
        scope.spawn(one);
        other();
    });
}

/// Calls over these transports on the two sides of Kamailio, which either side ends.
fn pass(name: &str, outside: Over, inside: Over) {
    at_once(
        || pass_with(name, outside, inside, &call(), &bridge()),
        || pass_with(name, outside, inside, &hung_up(), &hang_up()),
    );
}

/// Both nodes take some of the calls, and all succeed.
fn pass_with(name: &str, outside: Over, inside: Over, caller: &Scenario, bridge: &Scenario) {
    if !installed(&PROGRAMS) {
        return;
    }
    let mut front = Front::new(name, inside, bridge, Watch::CLOSELY);
    front.caller(caller, outside, CALLS, "20").succeeds();
    let nodes = [front.node(0), front.node(1)];
    // Each has been asked again since then.
    for node in nodes {
        front.kamailio.hears(&format!("200 to OPTIONS from {node}"));
    }
    let (words, bridges) = front.end();
    assert_eq!(words.count("inactive: "), 0, "{words:?}");
    for (node, bridge) in nodes.iter().zip(&bridges) {
        let answered = words.count(&format!("200 to INVITE from {node}"));
        assert_eq!(bridge.successful, answered as u64, "{words:?}");
        assert!(answered > 0, "{words:?}");
    }
    let calls = bridges[0].successful + bridges[1].successful;
    assert_eq!(calls, u64::from(CALLS));
    // The ACK and the BYE of each went by way of Kamailio.
    assert_eq!(words.count("routed ACK "), CALLS as usize, "{words:?}");
    assert_eq!(words.count("routed BYE "), CALLS as usize, "{words:?}");
}

/// A node is told to stop while it has calls: they go on, new ones go to the sibling, none fails. Then
/// it is started again, and takes calls again.
fn drain(name: &str, over: Over, watch: Watch) {
    if !installed(&PROGRAMS) {
        return;
    }
    let mut front = Front::new(name, over, &bridge(), watch);
    let mut held = front.caller(&call(), over, CALLS, "8000");
    held.wait_until_sent("ACK sip:", CALLS as usize);
    let drained = front.node(0);
    front.nodes[0].drain();
    front
        .kamailio
        .hears(&format!("503 to OPTIONS from {drained}"));
    if watch.misses == 1 {
        let node = &front.nodes[0];
        front.kamailio.hears_that(node, over, "inactive");
    }
    front.caller(&call(), over, CALLS, "20").succeeds();
    assert!(
        front.nodes[0].process().is_alive(),
        "it waits for its calls"
    );
    held.succeeds();
    front.nodes[0].has_ended();
    let answer = format!("200 to INVITE from {drained}");
    let before = front.kamailio.count_so_far(&answer);
    front.nodes[0].start_again(&front.stage);
    front
        .kamailio
        .hears(&format!("200 to OPTIONS from {drained}"));
    front.caller(&call(), over, CALLS, "20").succeeds();
    let (words, bridges) = front.end();
    let refused = words.count(&format!("503 to INVITE from {drained}"));
    assert_eq!(refused > 0, watch.misses > 1, "{words:?}");
    assert!(before > 0, "it had some of those that were held");
    assert!(words.count(&answer) > before, "it takes calls again");
    let calls = bridges[0].successful + bridges[1].successful;
    assert_eq!(calls, u64::from(3 * CALLS));
}

/// A node is killed: the calls after that are all taken by the other one.
fn kill(name: &str, over: Over) {
    if !installed(&PROGRAMS) {
        return;
    }
    let mut front = Front::new(name, over, &bridge(), Watch::IMPATIENTLY);
    front.caller(&call(), over, CALLS, "20").succeeds();
    let killed = front.node(0);
    front.nodes[0].process().signal("KILL");
    front.caller(&call(), over, CALLS, "20").succeeds();
    let node = &front.nodes[0];
    front.kamailio.hears_that(node, over, "inactive");
    let (words, bridges) = front.end();
    let answered = words.count(&format!("200 to INVITE from {killed}"));
    assert_eq!(bridges[0].successful, answered as u64, "{words:?}");
    let calls = bridges[0].successful + bridges[1].successful;
    assert_eq!(calls, u64::from(2 * CALLS), "{words:?}");
    assert!(bridges[1].successful >= u64::from(CALLS), "{words:?}");
}

/// sipp is the VCS, and a node stands before the bridge.
fn vcs(name: &str, over: Over) {
    if !installed(&["sipp"]) {
        return;
    }
    let stage = Stage::calm(name);
    let mut bridge = stage.sipp(hang_up(), over, CALLS).written_down().answer();
    let node = stage.node(bridge.port);
    let vcs = stage.sipp(Scenario::own("vcs_call"), over, CALLS);
    let vcs = vcs.at_once(10).written_down();
    let capture = capture_of(&stage, &[bridge.port, node.address(over).port()]);
    let mut vcs = vcs.call(node.address(over));
    vcs.succeeds();
    bridge.succeeds();
    if let Some(capture) = capture {
        are_well_formed(capture, 2 * CALLS as usize);
    }
    node.ends_with_nothing_left();
    let (vcs, bridge) = (vcs.messages(), bridge.messages());
    let (sent, received) = (invites(&vcs, " sent "), invites(&bridge, " received "));
    assert_eq!(
        (sent.len(), received.len()),
        (CALLS as usize, CALLS as usize)
    );
    for (sent, received) in sent.iter().zip(&received) {
        assert!(sent.len() > 4096, "{} octets", sent.len());
        let (sent_fields, sent_body) = sent.split_once("\r\n\r\n").unwrap();
        let (fields, body) = received.split_once("\r\n\r\n").unwrap();
        assert_eq!(sent_body, body);
        for passed in [
            "X-TAATag: ",
            "X-Zone-Path: ",
            "P-Asserted-Identity: ",
            "User-Agent: ",
        ] {
            let line = sent_fields.lines().find(|line| line.starts_with(passed));
            assert!(fields.contains(line.unwrap()), "{passed} in {fields}");
        }
        for kept_back in ["Record-Route:", "192.0.2.", "proxy-call-id", "-zone="] {
            assert!(!fields.contains(kept_back), "{kept_back} in {fields}");
        }
        assert!(fields.contains("Max-Forwards: 14"), "{fields}");
    }
}

/// A capture, where there are the program and the rights for it.
fn capture_of(stage: &Stage, ports: &[u16]) -> Option<Capture> {
    installed(&["tshark", "dumpcap"])
        .then(|| Capture::start_on(stage, ports))
        .flatten()
}

/// Nothing is wrong with what was captured until so many BYEs were answered.
fn are_well_formed(capture: Capture, byes: usize) {
    let is_end = |message: &&Message| {
        message.status() == Some(200) && message.find("sip.CSeq.method") == Some("BYE")
    };
    let messages = capture.finish_when(|all| all.iter().filter(is_end).count() >= byes);
    // It does not know the VCS's own fields, which must pass.
    let is_of_a_vcs = |fault: &str| fault.starts_with("Unrecognised SIP header (x-");
    for message in &messages {
        let faults = message.faults.iter().filter(|fault| !is_of_a_vcs(fault));
        assert_eq!(faults.count(), 0, "{:?}", message.faults);
    }
}

/// The INVITEs that went this way.
fn invites(messages: &[String], way: &str) -> Vec<String> {
    let invites = messages
        .iter()
        .filter(|message| message.contains(way))
        .filter_map(|message| message.split_once("\n\nINVITE "));
    invites
        .map(|(_, invite)| invite.trim_end().to_owned())
        .collect()
}

/// Hangs up after what `-d` says.
fn call() -> Scenario {
    Scenario::own("call")
}

fn bridge() -> Scenario {
    Scenario::own("bridge")
}

fn hang_up() -> Scenario {
    Scenario::own("hang_up").with("held", "20")
}

fn hung_up() -> Scenario {
    Scenario::own("hung_up").with("late", "0")
}
