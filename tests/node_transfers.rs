//! REFERs that end at a node with a balancer (docs/decisions/0020): whose session the target holds, and who is seen in the
//! call afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that breaks fails"
)]

mod node_world;

use baton::node::{Recording, Tried};
use node_world::{CALLER, PEERS, World, answer, call_id, invite, meetings, peer, request};
use signaling::ReferMode;

fn settings() -> balancer::Settings {
    balancer::Settings {
        peers: vec![peer("a", &PEERS[..1], 2), peer("b", &PEERS[1..2], 2)],
        ..balancer::Settings::default()
    }
}

/// A REFER of the caller of a call.
fn refer(call_id: &str, tag: &str, refer_to: &str) -> String {
    let lines = format!("Contact: <sip:room@{CALLER}>\r\nRefer-To: <{refer_to}>\r\n");
    request("REFER", call_id, &format!(";tag={tag}"), &lines)
}

/// The tag in From.
fn from_tag(text: &str) -> String {
    let from = text.lines().find(|line| line.starts_with("From: "));
    let tag = from.and_then(|from| from.rsplit(";tag=").next());
    tag.unwrap_or_default().to_owned()
}

/// A 200 with a session description.
fn accepted(request: &str) -> String {
    let body = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\n";
    let typed = format!(
        "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    answer(request, "200 OK").replace("Content-Length: 0\r\n\r\n", &typed)
}

#[test]
fn a_target_that_replaces_a_call_holds_a_session_of_its_peer() {
    let mut world = World::referring(1, &settings(), ReferMode::Terminate);
    let (first, first_at) = world.establish("first");
    let (second, second_at) = world.establish("second");
    let busy = world.in_use();
    let replaces = format!("first%3Bto-tag%3D{first}%3Bfrom-tag%3Dtfirst");
    let refer_to = format!("sip:x@example.com?Replaces={replaces}");
    world.hear(CALLER, &refer("second", &second, &refer_to));
    let invite = world.expect(&first_at, "INVITE ");
    assert!(invite.text.contains("\r\nReplaces: "), "{}", invite.text);
    let more = |used: u32, peer: &str| used + u32::from(first_at == peer);
    let used = busy.iter().zip(PEERS);
    let expected: Vec<u32> = used.map(|(used, peer)| more(*used, peer)).collect();
    assert_eq!(world.in_use(), expected);
    // It is joined with the peer of the second call, whose caller goes.
    world.hear(&first_at, &accepted(&invite.text));
    let offer = world.expect(&second_at, "INVITE ");
    world.hear(&second_at, &accepted(&offer.text));
    let bye = world.expect(CALLER, "BYE ");
    world.hear(CALLER, &answer(&bye.text, "200 OK"));
    // The first call ends because it was replaced.
    let bye = request("BYE", "first", &format!(";tag={first}"), "");
    world.hear(CALLER, &bye);
    let bye = world.expect(&first_at, "BYE ");
    world.hear(&first_at, &answer(&bye.text, "200 OK"));
    assert_eq!(world.in_use(), busy, "one session each, as before");
}

#[test]
fn a_target_that_refuses_gives_its_session_back() {
    let mut world = World::referring(1, &settings(), ReferMode::Terminate);
    let (tag, at) = world.establish("first");
    let busy = world.in_use();
    world.hear(CALLER, &refer("first", &tag, "sip:else@example.com"));
    let to = world.sent.iter();
    let invite = to.rev().find(|sent| sent.text.starts_with("INVITE "));
    let invite = invite.unwrap().clone();
    assert_eq!(world.in_use().iter().sum::<u32>(), 2);
    let there = invite.to.to_string();
    world.hear(&there, &answer(&invite.text, "488 Not Acceptable Here"));
    assert_eq!(world.in_use(), busy);
    let calls = world.workers[0].calls_seen(0, 10).0;
    let name = if at == PEERS[0] { "a" } else { "b" };
    assert_eq!(
        calls[0].peer.as_deref(),
        Some(name),
        "the call is where it was"
    );
}

#[test]
fn whoever_took_a_place_is_seen_in_the_call_and_in_its_record() {
    let plan = balancer::Settings {
        aliases: vec![meetings()],
        ..settings()
    };
    let mut world = World::referring(1, &plan, ReferMode::Terminate);
    world.workers[0].record_calls(Recording::Short);
    let (tag, at) = world.establish("first");
    // The peer sends its caller to another conference, which is at the other peer.
    let peer_call_id = call_id(&world.invited);
    let peer_tag = from_tag(&world.invited);
    let lines = format!("Contact: <sip:bridge@{at}>\r\nRefer-To: <sip:else@example.com>\r\n");
    let refer = format!(
        "REFER sip:x@192.0.2.5:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK-refer\r\n\
         Max-Forwards: 70\r\nFrom: <sip:meet@example.com>;tag=peer\r\n\
         To: <sip:room@example.com>;tag={peer_tag}\r\nCall-ID: {peer_call_id}\r\nCSeq: 1 REFER\r\n{lines}\
         Content-Length: 0\r\n\r\n"
    );
    world.hear(&at, &refer);
    let mut sent = world.sent.iter().rev();
    let invite_sent = sent.find(|sent| sent.text.starts_with("INVITE "));
    let target = invite_sent.unwrap().clone();
    let there = target.to.to_string();
    assert_ne!(there, at, "the peer with more sessions free");
    world.hear(&there, &accepted(&target.text));
    let offer = world.expect(CALLER, "INVITE ");
    world.hear(CALLER, &accepted(&offer.text));
    let bye = world.expect(&at, "BYE ");
    world.hear(&at, &answer(&bye.text, "200 OK"));
    let name = if there == PEERS[0] { "a" } else { "b" };
    let calls = world.workers[0].calls_seen(0, 10).0;
    assert_eq!(calls[0].peer.as_deref(), Some(name));
    assert_eq!(calls[0].conference.as_deref(), Some("else"));
    assert_eq!(calls[0].call.to, "sip:else@example.com");
    let bye = request("BYE", "first", &format!(";tag={tag}"), "");
    world.hear(CALLER, &bye);
    let bye = world.expect(&there, "BYE ");
    world.hear(&there, &answer(&bye.text, "200 OK"));
    let record = world.workers[0].poll_record().expect("a record");
    assert_eq!(record.notes.peer.as_deref(), Some(name));
    assert_eq!(record.notes.conference.as_deref(), Some("else"));
    assert_eq!(record.call.to, "sip:else@example.com");
    let outcomes: Vec<_> = record
        .notes
        .tries
        .iter()
        .map(|tried| tried.outcome)
        .collect();
    assert_eq!(outcomes, [Tried::Accepted, Tried::Accepted]);
    assert_eq!(world.in_use(), [0, 0]);
}

#[test]
fn a_call_that_replaced_another_leaves_a_record_with_its_peer() {
    let mut world = World::new(1, &settings());
    world.workers[0].record_calls(Recording::Short);
    let (tag, at) = world.establish("first");
    let lines = format!("Require: replaces\r\nReplaces: first;to-tag={tag};from-tag=tfirst\r\n");
    world.hear(CALLER, &invite("second", "meet", &lines));
    let sent = world.expect(&at, "INVITE ");
    world.hear(&at, &answer(&sent.text, "486 Busy Here"));
    let record = world.workers[0].poll_record().expect("a record");
    assert_eq!(record.notes.alias, "meet@example.com");
    let name = if at == PEERS[0] { "a" } else { "b" };
    assert_eq!(record.notes.tries[0].peer, name);
}
