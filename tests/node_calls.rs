//! Calls through the workers of one node and its balancer, without sockets: which peer, whose session.

mod node_world;

use node_world::{CALLER, PEERS, World, answer, invite, peer, request};
use std::time::Duration;

fn two_peers() -> balancer::Settings {
    balancer::Settings {
        peers: vec![peer("a", &PEERS[..1], 2), peer("b", &PEERS[1..2], 2)],
        ..balancer::Settings::default()
    }
}

/// Replaces with the names of a call, as its caller knows them.
fn replaces(call_id: &str, tag: &str) -> String {
    format!("Require: replaces\r\nReplaces: {call_id};to-tag={tag};from-tag=t{call_id}\r\n")
}

#[test]
fn a_call_that_replaces_another_goes_to_its_peer_and_takes_a_session_there() {
    for call_id in ["x1", "x2", "x3", "x4", "x5", "x6"] {
        let mut world = World::new(4, &two_peers());
        let (tag, at) = world.establish("first");
        let busy = world.in_use();
        world.hear(CALLER, &invite(call_id, "meet", &replaces("first", &tag)));
        let invite = world.expect(&at, "INVITE ");
        let both: Vec<_> = busy.iter().map(|used| 2 * used).collect();
        assert_eq!(world.in_use(), both, "the session is one of the same peer");
        // One attempt: the dialog is nowhere else.
        world.hear(&at, &answer(&invite.text, "503 Service Unavailable"));
        world.expect(CALLER, "SIP/2.0 480");
        assert_eq!(world.in_use(), busy);
    }
}

#[test]
fn a_call_that_replaces_another_is_cancelled_at_whichever_worker_it_is() {
    for call_id in ["x1", "x2", "x3", "x4", "x5", "x6"] {
        let mut world = World::new(4, &two_peers());
        let (tag, at) = world.establish("first");
        world.hear(CALLER, &invite(call_id, "meet", &replaces("first", &tag)));
        let invite = world.expect(&at, "INVITE ");
        world.hear(&at, &answer(&invite.text, "180 Ringing"));
        world.hear(CALLER, &request("CANCEL", call_id, "", ""));
        world.expect(&at, "CANCEL ");
        world.hear(CALLER, &request("CANCEL", "nothing", "", ""));
        world.expect(CALLER, "SIP/2.0 481");
    }
}

#[test]
fn a_peer_that_probes_find_dead_keeps_no_caller_waiting() {
    let mut settings = two_peers();
    settings.peers.truncate(1);
    let mut world = World::new(4, &settings);
    let calls: Vec<String> = (0..2).map(|call| format!("call{call}")).collect();
    for (call, said) in calls.iter().zip(["100 Trying", "180 Ringing"]) {
        world.hear(CALLER, &invite(call, "meet", ""));
        let invite = world.expect(PEERS[0], "INVITE ");
        world.hear(PEERS[0], &answer(&invite.text, said));
    }
    // No probe is answered: three in a row make it Failed, four more confirm that.
    world.wait(Duration::from_secs(90));
    let refusals = world
        .sent
        .iter()
        .filter(|sent| sent.text.starts_with("SIP/2.0 504"));
    let mut refused: Vec<_> = refusals
        .map(|sent| node_world::call_id(&sent.text))
        .collect();
    refused.dedup();
    refused.sort();
    refused.dedup();
    assert_eq!(refused, calls);
}

#[test]
fn a_peer_without_a_session_left_takes_no_call_in_the_place_of_another() {
    let mut settings = two_peers();
    settings.peers[0].sessions_max = 1;
    settings.peers.truncate(1);
    let mut world = World::new(1, &settings);
    let (tag, _) = world.establish("first");
    world.hear(CALLER, &invite("second", "meet", &replaces("first", &tag)));
    world.expect(CALLER, "SIP/2.0 480");
    assert_eq!(world.in_use(), [1]);
}

/// One peer at two addresses, and another one.
fn two_addresses() -> balancer::Settings {
    balancer::Settings {
        peers: vec![peer("a", &PEERS[..2], 9), peer("b", &PEERS[2..], 2)],
        ..balancer::Settings::default()
    }
}

#[test]
fn the_other_address_of_a_peer_comes_before_the_next_peer() {
    let mut world = World::new(1, &two_addresses());
    world.hear(CALLER, &invite("one", "meet", ""));
    let first = world.expect(PEERS[0], "INVITE ");
    world.fail(&first);
    let second = world.expect(PEERS[1], "INVITE ");
    assert_eq!(world.in_use(), [1, 0], "one session, whichever the address");
    world.hear(PEERS[1], &answer(&second.text, "200 OK"));
    world.expect(CALLER, "SIP/2.0 200");
    assert_eq!(world.state("a"), "Active");
    // The next call begins where the last one was answered.
    world.hear(CALLER, &invite("two", "meet", ""));
    world.expect(PEERS[1], "INVITE ");
    assert_eq!(world.in_use(), [2, 0]);
}

#[test]
fn a_silent_address_keeps_no_session_of_its_own() {
    let mut world = World::new(1, &two_addresses());
    world.hear(CALLER, &invite("one", "meet", ""));
    world.expect(PEERS[0], "INVITE ");
    world.wait(Duration::from_millis(2_100));
    let second = world.expect(PEERS[1], "INVITE ");
    assert_eq!(world.in_use(), [1, 0]);
    world.hear(PEERS[1], &answer(&second.text, "486 Busy Here"));
    let third = world.expect(PEERS[2], "INVITE ");
    assert_eq!(world.in_use(), [0, 1]);
    world.hear(PEERS[2], &answer(&third.text, "200 OK"));
    world.expect(CALLER, "SIP/2.0 200");
}

#[test]
fn a_peer_whose_addresses_all_fail_has_failed() {
    let mut world = World::new(1, &two_addresses());
    world.hear(CALLER, &invite("one", "meet", ""));
    let first = world.expect(PEERS[0], "INVITE ");
    world.fail(&first);
    let second = world.expect(PEERS[1], "INVITE ");
    assert_eq!(world.state("a"), "Active");
    world.fail(&second);
    assert_eq!(world.state("a"), "Failed");
    let third = world.expect(PEERS[2], "INVITE ");
    assert_eq!(world.in_use(), [0, 1]);
    world.fail(&third);
    world.expect(CALLER, "SIP/2.0 504");
    assert_eq!(world.in_use(), [0, 0]);
}

#[test]
fn a_caller_who_leaves_between_two_addresses_leaves_nothing_behind() {
    let mut world = World::new(1, &two_addresses());
    world.hear(CALLER, &invite("one", "meet", ""));
    world.wait(Duration::from_millis(2_100));
    world.hear(CALLER, &request("CANCEL", "one", "", ""));
    world.wait(Duration::from_secs(100));
    assert_eq!(world.in_use(), [0, 0]);
    assert_eq!(world.workers[0].occupancy(), [0; 7]);
}

#[test]
fn probes_go_to_the_address_that_answers() {
    let mut world = World::new(1, &two_addresses());
    for _ in 0..30 {
        world.wait(Duration::from_secs(1));
        for sent in std::mem::take(&mut world.sent) {
            if sent.text.starts_with("OPTIONS ") && sent.to.to_string() != PEERS[0] {
                world.hear(&sent.to.to_string(), &answer(&sent.text, "200 OK"));
            }
        }
    }
    assert_eq!(world.state("a"), "Active");
}
