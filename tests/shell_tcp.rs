//! The shell on streams: how messages are cut out, who is closed and when, and connections that come and go mid-call.

mod shell_world;

use shell_world::{Call, Node, Tcp, Wire, establish, hang_up, offer};
use std::io::Write;
use std::net::TcpListener;

/// A peer that listens and a node that calls it.
fn node(more: &str) -> (TcpListener, Node) {
    node_with(1, more)
}

fn node_with(workers: u8, more: &str) -> (TcpListener, Node) {
    let peer = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let node = Node::start_with(
        workers,
        &format!("tcp:{}", peer.local_addr().expect("bound")),
        more,
    );
    (peer, node)
}

#[test]
fn a_call_from_invite_to_bye() {
    let (listener, node) = node("");
    let mut caller = Tcp::to(node.tcp);
    let mut call = Call::new("basic", &caller);
    offer(&mut call, &mut caller);
    let mut peer = Tcp::accept(&listener);
    establish(&mut call, &mut caller, &mut peer);
    hang_up(&mut call, &mut caller, &mut peer);
    node.wait_for("calls_ended", |figures| figures.core.calls_ended.value(), 1);
}

#[test]
fn calls_share_the_connection_to_the_peer() {
    let (listener, node) = node("");
    let mut caller = Tcp::to(node.tcp);
    let mut call = Call::new("first", &caller);
    offer(&mut call, &mut caller);
    let mut peer = Tcp::accept(&listener);
    establish(&mut call, &mut caller, &mut peer);
    for number in 0..10 {
        let mut call = Call::new(&format!("next-{number}"), &caller);
        offer(&mut call, &mut caller);
        establish(&mut call, &mut caller, &mut peer);
        hang_up(&mut call, &mut caller, &mut peer);
    }
    assert_eq!(node.handle.figures()[0].shell.connections_made.value(), 1);
}

#[test]
fn workers_write_to_each_others_connections() {
    let (listener, node) = node_with(4, "");
    let mut caller = Tcp::to(node.tcp);
    let mut peers = Vec::new();
    for number in 0..40 {
        let mut call = Call::new(&format!("crossing-{number}"), &caller);
        offer(&mut call, &mut caller);
        // Each worker makes a connection of its own to the peer.
        listener.set_nonblocking(true).expect("a listener");
        let mut found = None;
        while found.is_none() {
            if let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(false).expect("a stream");
                peers.push(Tcp::accepted(&listener, stream));
            }
            found = peers.iter_mut().position(Tcp::has_message);
        }
        let peer = found
            .and_then(|position| peers.get_mut(position))
            .expect("found");
        establish(&mut call, &mut caller, peer);
        hang_up(&mut call, &mut caller, peer);
    }
    assert!(peers.len() > 1, "the calls are spread over the workers");
}

#[test]
fn a_message_cut_at_every_octet_is_one_message() {
    let (_listener, node) = node("");
    let mut caller = Tcp::to(node.tcp);
    let options = Call::new("cut", &caller).request("OPTIONS");
    for cut in 1..options.len() {
        let (front, back) = options.split_at(cut);
        let turns = node.turns();
        caller.send(front);
        node.wait_for("turns", |figures| figures.shell.turns.value(), turns + 1);
        caller.send(back);
        let answer = caller.receive();
        assert!(
            answer.start().contains(" 200 "),
            "cut at {cut}: {}",
            answer.0
        );
    }
}

#[test]
fn messages_in_one_segment_are_answered_each() {
    let (_listener, node) = node("");
    let mut caller = Tcp::to(node.tcp);
    let text: String = (0..3)
        .map(|number| Call::new(&format!("together-{number}"), &caller).request("OPTIONS"))
        .collect();
    caller.send(&format!("\r\n{text}\r\n"));
    for number in 0..3 {
        assert_eq!(
            caller.expect(" 200 ").one("Call-ID"),
            format!("together-{number}")
        );
    }
}

#[test]
fn a_ping_is_answered() {
    let (_listener, node) = node("");
    let mut caller = Tcp::to(node.tcp);
    caller.send("\r\n\r\n");
    assert_eq!(caller.octets(), b"\r\n");
    // RFC 5626 §4.4.1: also in the midst of a conversation.
    let options = Call::new("after", &caller).request("OPTIONS");
    caller.send(&options);
    caller.expect(" 200 ");
    caller.send("\r\n\r\n");
    assert_eq!(caller.octets(), b"\r\n");
}

#[test]
fn a_slow_sender_is_closed_and_a_quiet_one_is_not() {
    let (_listener, node) = node("[limits]\nslow_sender_seconds = 1\n");
    let mut slow = Tcp::to(node.tcp);
    let mut quiet = Tcp::to(node.tcp);
    let options = Call::new("quiet", &quiet).request("OPTIONS");
    quiet.send(&options);
    quiet.expect(" 200 ");
    slow.send("OPTIONS sip:example.com SIP/2.0\r\nVia: ");
    slow.expect_end();
    assert_eq!(
        node.handle.figures()[0].shell.connections_too_slow.value(),
        1
    );
    quiet.send(&options);
    quiet.expect(" 200 ");
}

#[test]
fn an_oversized_message_is_refused_and_the_connection_closed() {
    let (_listener, node) = node("[limits]\nmessage_bytes = 4096\n");
    let mut caller = Tcp::to(node.tcp);
    let options = Call::new("oversized", &caller).request("OPTIONS");
    caller.send(&options.replace("Content-Length: 0", "Content-Length: 1000000"));
    let refusal = caller.receive();
    assert!(refusal.start().contains(" 513 "), "{}", refusal.0);
    caller.expect_end();
}

#[test]
fn octets_that_are_no_sip_close_the_connection() {
    let (_listener, node) = node("[limits]\nmessage_bytes = 4096\n");
    let mut caller = Tcp::to(node.tcp);
    // The other side may close before all is written.
    drop(caller.stream.write_all(&[b'x'; 100_000]));
    caller.expect_end();
    node.wait_for(
        "connections_faulty",
        |figures| figures.shell.connections_faulty.value(),
        1,
    );
}

#[test]
fn a_peer_that_closes_mid_call_gets_the_bye_on_a_new_connection() {
    let (listener, node) = node("");
    let mut caller = Tcp::to(node.tcp);
    let mut call = Call::new("reconnect", &caller);
    offer(&mut call, &mut caller);
    let mut peer = Tcp::accept(&listener);
    establish(&mut call, &mut caller, &mut peer);
    drop(peer);
    let bye = call.request("BYE");
    caller.send(&bye);
    let mut peer = Tcp::accept(&listener);
    let bye = peer.expect("BYE ");
    let (here, transport) = (peer.local(), peer.transport());
    peer.send(&bye.answer("200 OK", here, transport));
    caller.expect(" 200 ");
}

#[test]
fn a_caller_that_reconnects_mid_call_can_hang_up() {
    let (listener, node) = node("");
    let mut first = Tcp::to(node.tcp);
    let mut call = Call::new("caller-reconnects", &first);
    offer(&mut call, &mut first);
    let mut peer = Tcp::accept(&listener);
    establish(&mut call, &mut first, &mut peer);
    drop(first);
    let mut second = Tcp::to(node.tcp);
    hang_up(&mut call, &mut second, &mut peer);
}

#[test]
fn a_peer_that_cannot_be_reached_is_told_at_once() {
    let (listener, node) = node("");
    drop(listener);
    let mut caller = Tcp::to(node.tcp);
    let mut call = Call::new("refused", &caller);
    offer(&mut call, &mut caller);
    let answer = caller.receive();
    assert!(answer.start().contains(" 50"), "{}", answer.0);
    node.wait_for(
        "connections_failed",
        |figures| figures.shell.connections_failed.value(),
        1,
    );
}

#[test]
fn one_source_has_so_many_connections_and_the_incomplete_give_way() {
    let (_listener, node) = node("[limits]\nconnections_per_source = 3\n");
    let mut proven: Vec<Tcp> = (0..2).map(|_| Tcp::to(node.tcp)).collect();
    for (caller, number) in proven.iter_mut().zip(0..) {
        let options = Call::new(&format!("proven-{number}"), caller).request("OPTIONS");
        caller.send(&options);
        caller.expect(" 200 ");
    }
    let mut idle = Tcp::to(node.tcp);
    node.wait_for(
        "connections_accepted",
        |figures| figures.shell.connections_accepted.value(),
        3,
    );
    let mut fourth = Tcp::to(node.tcp);
    idle.expect_end();
    let options = Call::new("fourth", &fourth).request("OPTIONS");
    fourth.send(&options);
    fourth.expect(" 200 ");
    // Now all three have earned their place.
    let mut fifth = Tcp::to(node.tcp);
    fifth.expect_end();
    node.wait_for(
        "connections_refused",
        |figures| figures.shell.connections_refused.value(),
        1,
    );
    node.wait_for(
        "connections_reclaimed",
        |figures| figures.shell.connections_reclaimed.value(),
        1,
    );
    for caller in &mut proven {
        caller.send("\r\n\r\n");
        assert_eq!(caller.octets(), b"\r\n", "whoever was there is served on");
    }
}

#[test]
fn a_node_has_so_many_connections() {
    let (_listener, node) = node_with(2, "[limits]\nconnections = 2\n");
    let mut callers: Vec<Tcp> = (0..2).map(|_| Tcp::to(node.tcp)).collect();
    for caller in &mut callers {
        let options = Call::new("within", caller).request("OPTIONS");
        caller.send(&options);
        caller.expect(" 200 ");
    }
    Tcp::to(node.tcp).expect_end();
}

#[test]
fn a_peer_that_ends_its_stream_still_gets_its_answer() {
    let (_listener, node) = node("");
    let mut caller = Tcp::to(node.tcp);
    let options = Call::new("half", &caller).request("OPTIONS");
    caller.send(&options);
    caller
        .stream
        .shutdown(std::net::Shutdown::Write)
        .expect("open");
    caller.expect(" 200 ");
    caller.expect_end();
}

#[test]
fn a_caller_that_ends_its_stream_gets_the_answers_that_it_is_owed() {
    let (listener, node) = node("");
    let mut caller = Tcp::to(node.tcp);
    let mut call = Call::new("half-call", &caller);
    offer(&mut call, &mut caller);
    let turns = node.turns();
    caller
        .stream
        .shutdown(std::net::Shutdown::Write)
        .expect("open");
    let mut peer = Tcp::accept(&listener);
    let invite = peer.expect("INVITE ");
    // The node knows of the end before there is an answer.
    node.wait_for("turns", |figures| figures.shell.turns.value(), turns + 1);
    for status in ["180 Ringing", "486 Busy Here"] {
        peer.send(&invite.answer(status, peer.local(), peer.transport()));
        caller.expect(status);
    }
    caller.expect_end();
    assert_eq!(
        node.handle.figures()[0].shell.connections_made.value(),
        1,
        "RFC 3261 section 18.2.2: over the connection of the request"
    );
}

#[test]
fn connections_of_one_source_are_counted_over_all_workers() {
    let (_listener, node) = node_with(4, "[limits]\nconnections_per_source = 8\n");
    let mut callers: Vec<Tcp> = (0..8).map(|_| Tcp::to(node.tcp)).collect();
    for caller in &mut callers {
        let options = Call::new("within", caller).request("OPTIONS");
        caller.send(&options);
        caller.expect(" 200 ");
    }
    Tcp::to(node.tcp).expect_end();
    node.wait_for(
        "connections_refused",
        |figures| figures.shell.connections_refused.value(),
        1,
    );
}
