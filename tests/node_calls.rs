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
    // No probe is answered: three in a row make it Failed, two more confirm that.
    world.wait(Duration::from_secs(40));
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
