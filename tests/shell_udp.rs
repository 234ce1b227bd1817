//! The shell on datagrams: whole calls through real sockets, workers that hand over to each other, and the way out.

mod shell_world;

use shell_world::{Call, Node, Udp, Wire, establish, hang_up, offer};
use std::time::Duration;

/// A peer and a node of so many workers that calls it.
fn node(workers: u8) -> (Udp, Node) {
    let peer = Udp::new();
    let node = Node::start_with(workers, &format!("udp:{}", peer.local()), "");
    (peer, node)
}

#[test]
fn a_call_from_invite_to_bye() {
    let (mut peer, node) = node(1);
    let mut caller = Udp::to(node.udp);
    let mut call = Call::new("basic", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    hang_up(&mut call, &mut caller, &mut peer);
    node.wait_for("calls_ended", |figures| figures.core.calls_ended.value(), 1);
}

#[test]
fn a_message_of_the_largest_size_arrives_whole() {
    let (mut peer, node) = node(1);
    let mut caller = Udp::to(node.udp);
    let mut call = Call::new("large", &caller);
    let invite = call.invite();
    let (head, body) = invite.split_once("\r\n\r\n").expect("a head");
    let padding = "a=x-padding:0123456789\r\n".repeat(2_500);
    let head = head.replace(
        &format!("Content-Length: {}", body.len()),
        &format!("Content-Length: {}", body.len() + padding.len()),
    );
    caller.send(&format!("{head}\r\n\r\n{body}{padding}"));
    caller.expect("100 ");
    let offered = peer.expect("INVITE ");
    assert!(
        offered.0.ends_with(&padding),
        "the body passes byte for byte"
    );
}

#[test]
fn workers_hand_over_what_is_not_theirs() {
    let (mut peer, node) = node(4);
    // One source reaches one worker only; the calls belong to all of them.
    let mut caller = Udp::to(node.udp);
    for number in 0..40 {
        let mut call = Call::new(&format!("handed-{number}"), &caller);
        offer(&mut call, &mut caller);
        establish(&mut call, &mut caller, &mut peer);
        hang_up(&mut call, &mut caller, &mut peer);
    }
    node.wait_for(
        "calls_ended",
        |figures| figures.core.calls_ended.value(),
        40,
    );
    node.wait_for(
        "handed_over",
        |figures| figures.shell.handed_over.value(),
        40,
    );
    let owners = node
        .handle
        .figures()
        .iter()
        .filter(|figures| figures.core.calls_begun.value() > 0)
        .count();
    assert!(owners > 1, "the calls are spread over the workers");
    let lost: u64 = node
        .handle
        .figures()
        .iter()
        .map(|figures| figures.shell.dropped_ring_full.value())
        .sum();
    assert_eq!(lost, 0);
}

#[test]
fn a_burst_is_served_to_the_last_datagram() {
    let (mut peer, node) = node(1);
    let mut caller = Udp::to(node.udp);
    let mut calls: Vec<Call> = (0..100)
        .map(|number| Call::new(&format!("burst-{number}"), &caller))
        .collect();
    for call in &mut calls {
        let invite = call.invite();
        caller.send(&invite);
    }
    for _ in &calls {
        caller.expect("100 ");
        peer.expect("INVITE ");
    }
}

#[test]
fn draining_refuses_new_calls_and_lets_old_ones_end() {
    let (mut peer, node) = node(2);
    let mut caller = Udp::to(node.udp);
    let mut call = Call::new("old", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    node.handle.drain();
    // The workers are told before any of them can read this.
    let mut late = Call::new("late", &caller);
    let invite = late.invite();
    caller.send(&invite);
    let refusal = caller.receive();
    assert!(refusal.start().contains(" 503 "), "{}", refusal.0);
    late.answered_with(&refusal);
    let ack = late.request("ACK");
    caller.send(&ack);
    hang_up(&mut call, &mut caller, &mut peer);
    node.handle
        .join()
        .expect("the node ends with its last call");
}

#[test]
fn a_node_without_calls_ends_as_soon_as_it_drains() {
    let (_peer, node) = node(3);
    node.handle.drain();
    node.handle.join().expect("nothing keeps it");
}

#[test]
fn stopping_does_not_wait_for_calls() {
    let (mut peer, node) = node(2);
    let mut caller = Udp::to(node.udp);
    let mut call = Call::new("cut", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    node.handle.stop();
    node.handle.join().expect("no worker failed");
}

#[test]
fn an_idle_node_does_not_wake_up() {
    let (_peer, node) = node(2);
    let before = node.turns();
    // The one wait for nothing to happen; a loop that spins would make thousands of turns.
    std::thread::sleep(Duration::from_millis(100));
    let turns = node.turns() - before;
    assert!(turns <= 2, "{turns} turns without an event");
}

#[test]
fn large_messages_go_over_udp_whole_and_are_counted() {
    let (mut peer, node) = node(1);
    let mut caller = Udp::to(node.udp);
    let mut call = Call::new("large", &caller);
    let invite = call.invite();
    let body = "x".repeat(20_000);
    let (head, sdp) = invite.split_once("\r\n\r\n").expect("a body");
    let old = format!("Content-Length: {}", sdp.len());
    let head = head.replace(&old, &format!("Content-Length: {}", body.len()));
    caller.send(&format!("{head}\r\n\r\n{body}"));
    caller.expect("100 ");
    let invite = peer.expect("INVITE ");
    assert!(invite.0.ends_with(&body), "octet for octet");
    node.wait_for(
        "datagrams_large_requests",
        |figures| figures.shell.datagrams_large_requests.value(),
        1,
    );
    // The answer brings its offer back: it may be as large.
    let answer = invite.answer("200 OK", peer.local(), peer.transport());
    let answer = answer.replace("Content-Length: 0\r\n\r\n", "Content-Length: 20000\r\n\r\n");
    peer.send(&format!("{answer}{body}"));
    let answer = caller.expect("200 ");
    assert!(answer.0.ends_with(&body), "octet for octet");
    call.answered(&answer);
    let ack = call.request("ACK");
    caller.send(&ack);
    peer.expect("ACK ");
    hang_up(&mut call, &mut caller, &mut peer);
    let large = node.handle.figures()[0]
        .shell
        .datagrams_large_requests
        .value();
    assert_eq!(large, 1, "answers and small requests do not count");
}
