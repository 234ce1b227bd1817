//! Calls through the workers of one node and its balancer, without sockets: which peer, whose session.

mod node_world;

use balancer::Failover;
use baton::node::Recording;
use node_world::{CALLER, PEERS, World, answer, invite, peer, request};
use signaling::Trouble;
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

/// All peers in one pool with this.
fn with_failover(mut settings: balancer::Settings, failover: Failover) -> balancer::Settings {
    let pool = balancer::PoolSettings::new(balancer::POOL_OF_ALL);
    settings.pools = vec![balancer::PoolSettings { failover, ..pool }];
    for peer in &mut settings.peers {
        peer.pool = balancer::POOL_OF_ALL.into();
    }
    settings
}

#[test]
fn a_connection_may_take_as_long_as_the_pool_says() {
    let connect_timeout = Duration::from_millis(250);
    let failover = Failover {
        connect_timeout,
        ..Failover::default()
    };
    let mut world = World::new(1, &with_failover(two_addresses(), failover));
    world.hear(CALLER, &invite("one", "meet", ""));
    let first = world.expect(PEERS[0], "INVITE ");
    assert_eq!(first.connect_patience, Some(connect_timeout));
    world.wait(Duration::from_secs(6));
    let probes = world
        .sent
        .iter()
        .filter(|sent| sent.text.starts_with("OPTIONS "));
    let patience: Vec<_> = probes.map(|probe| probe.connect_patience).collect();
    assert!(patience.contains(&Some(connect_timeout)), "{patience:?}");
}

#[test]
fn what_runs_short_here_counts_against_nobody() {
    let mut world = World::new(1, &two_peers());
    world.hear(CALLER, &invite("one", "meet", ""));
    for _ in 0..2 {
        let invite = world
            .sent
            .iter()
            .find(|sent| sent.text.starts_with("INVITE "));
        let invite = invite.unwrap().clone();
        world.sent.clear();
        world.fail_for(&invite, Trouble::Local);
    }
    // Only this node cannot: another one may.
    world.expect(CALLER, "SIP/2.0 503");
    assert_eq!([world.state("a"), world.state("b")], ["Active"; 2]);
    assert_eq!(world.in_use(), [0, 0]);
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
    assert_eq!(world.occupancy(), [0; 8]);
}

/// The patience is over, and in the same turn the first address says this.
fn answered_in_the_same_turn(status: &str) -> (World, String) {
    let mut world = World::new(1, &two_addresses());
    world.hear(CALLER, &invite("one", "meet", ""));
    let first = world.expect(PEERS[0], "INVITE ");
    world.pass(Duration::from_millis(2_100));
    world.hear(PEERS[0], &answer(&first.text, status));
    (world, first.text)
}

/// The call is up at the first address, and holds its session until it ends.
fn is_up_until_it_ends(mut world: World) {
    let accepted = world.expect(CALLER, "SIP/2.0 200");
    let tag = format!(";tag={}", node_world::to_tag(&accepted.text));
    world.hear(CALLER, &request("ACK", "one", &tag, ""));
    world.expect(PEERS[0], "ACK ");
    assert_eq!(world.in_use(), [1, 0]);
    assert_eq!(world.state("a"), "Active");
    world.wait(Duration::from_secs(70));
    assert_eq!(world.in_use(), [1, 0], "the call is up");
    world.hear(CALLER, &request("BYE", "one", &tag, ""));
    let bye = world.expect(PEERS[0], "BYE ");
    world.hear(PEERS[0], &answer(&bye.text, "200 OK"));
    assert_eq!(world.in_use(), [0, 0]);
    world.wait(Duration::from_secs(70));
    let [calls, .., attempts, permits, without] = world.occupancy();
    assert_eq!([calls, attempts, permits, without], [0; 4]);
}

#[test]
fn an_answer_in_the_turn_in_which_the_patience_ends_keeps_its_session() {
    let (world, _) = answered_in_the_same_turn("200 OK");
    is_up_until_it_ends(world);
}

#[test]
fn a_100_in_the_turn_in_which_the_patience_ends_keeps_the_session() {
    let (mut world, first) = answered_in_the_same_turn("100 Trying");
    assert!(world.last(PEERS[1], "INVITE ").is_none());
    assert_eq!(world.in_use(), [1, 0]);
    world.hear(PEERS[0], &answer(&first, "200 OK"));
    is_up_until_it_ends(world);
}

#[test]
fn an_address_that_cannot_be_sent_to_takes_no_session_from_the_one_before() {
    let mut settings = two_addresses();
    // No listener speaks IPv6.
    settings.peers[0] = peer("a", &[PEERS[0], "[2001:db8::9]:5080"], 9);
    settings.peers.truncate(1);
    let mut world = World::new(1, &settings);
    world.hear(CALLER, &invite("one", "meet", ""));
    let first = world.expect(PEERS[0], "INVITE ");
    world.wait(Duration::from_millis(2_100));
    assert_eq!(world.in_use(), [1]);
    assert_eq!(world.state("a"), "Failed", "all addresses have failed");
    world.hear(PEERS[0], &answer(&first.text, "200 OK"));
    world.expect(CALLER, "SIP/2.0 200");
    assert_eq!(world.in_use(), [1]);
}

#[test]
fn an_address_that_cannot_be_sent_to_does_not_keep_the_next_one_from_being_tried() {
    let mut settings = two_addresses();
    settings.peers[0] = peer("a", &[PEERS[0], "[2001:db8::9]:5080", PEERS[1]], 9);
    let mut world = World::new(1, &settings);
    world.hear(CALLER, &invite("one", "meet", ""));
    world.expect(PEERS[0], "INVITE ");
    world.wait(Duration::from_millis(2_100));
    let third = world.expect(PEERS[1], "INVITE ");
    assert_eq!(world.in_use(), [1, 0]);
    world.hear(PEERS[1], &answer(&third.text, "200 OK"));
    let accepted = world.expect(CALLER, "SIP/2.0 200");
    let tag = format!(";tag={}", node_world::to_tag(&accepted.text));
    world.hear(CALLER, &request("ACK", "one", &tag, ""));
    world.wait(Duration::from_secs(70));
    assert_eq!(world.in_use(), [1, 0]);
}

#[test]
fn a_pause_that_is_asked_for_in_the_turn_in_which_the_patience_ends_is_kept() {
    let mut world = World::new(1, &two_addresses());
    world.hear(CALLER, &invite("one", "meet", ""));
    let first = world.expect(PEERS[0], "INVITE ");
    world.pass(Duration::from_millis(2_100));
    let busy = answer(&first.text, "503 Service Unavailable");
    let busy = busy.replace("Content-Length", "Retry-After: 20\r\nContent-Length");
    world.hear(PEERS[0], &busy);
    assert_eq!(world.state("a"), "Paused");
    world.hear(CALLER, &request("CANCEL", "one", "", ""));
    world.wait(Duration::from_secs(100));
    assert_eq!((world.in_use(), world.occupancy()), (vec![0, 0], [0; 8]));
}

#[test]
fn a_call_that_a_peer_sends_elsewhere_goes_to_that_address() {
    let mut settings = two_addresses();
    settings.peers[1].sessions_max = 100;
    let mut world = World::new(1, &settings);
    world.hear(CALLER, &invite("one", "meet", ""));
    let first = world.expect(PEERS[2], "INVITE ");
    let moved = answer(&first.text, "302 Moved Temporarily");
    let moved = moved.replace(
        &format!("<sip:bridge@{}>", PEERS[2]),
        &format!("<sip:x@{}>", PEERS[1]),
    );
    world.hear(PEERS[2], &moved);
    world.expect(PEERS[1], "INVITE sip:x@");
    assert_eq!(world.in_use(), [1, 0]);
}

#[test]
fn a_peer_that_probes_find_dead_is_not_tried_at_its_other_addresses() {
    let mut world = World::new(1, &two_addresses());
    world.hear(CALLER, &invite("one", "meet", ""));
    let first = world.expect(PEERS[0], "INVITE ");
    world.hear(PEERS[0], &answer(&first.text, "100 Trying"));
    for _ in 0..900 {
        world.wait(Duration::from_millis(100));
        // The other peer lives.
        for sent in std::mem::take(&mut world.sent) {
            let is_probe = sent.text.starts_with("OPTIONS ") && sent.to.to_string() == PEERS[2];
            if is_probe {
                world.hear(PEERS[2], &answer(&sent.text, "200 OK"));
            } else if sent.text.starts_with("INVITE ") {
                assert_eq!(sent.to.to_string(), PEERS[2]);
                return;
            }
        }
    }
    panic!("the call went nowhere");
}

#[test]
fn a_call_that_replaces_another_has_a_record() {
    let mut world = World::new(1, &two_peers());
    world.workers[0].record_calls(Recording::Short);
    let (tag, at) = world.establish("first");
    world.hear(CALLER, &invite("second", "meet", &replaces("first", &tag)));
    let invite = world.expect(&at, "INVITE ");
    world.hear(&at, &answer(&invite.text, "486 Busy Here"));
    world.wait(Duration::from_secs(40));
    let record = world.workers[0].poll_record().unwrap();
    assert_eq!(record.notes.alias, "meet@example.com");
    assert_eq!(record.notes.tries.len(), 1);
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

#[test]
fn a_peer_whose_addresses_are_all_silent_is_down_however_many_there_are() {
    let mut settings = two_addresses();
    settings.peers.truncate(1);
    settings.health.probe_interval = Duration::from_secs(60);
    let mut world = World::new(1, &settings);
    world.wait(Duration::from_secs(250));
    assert_eq!(world.state("a"), "Failed");
}

#[test]
fn a_peer_that_keeps_one_of_its_addresses_is_probed_there() {
    let mut world = World::new(1, &two_addresses());
    world.wait(Duration::from_secs(8));
    let balancer = std::sync::Arc::clone(&world.balancer);
    let board = balancer.board();
    let peer = &board.peers()[0];
    balancer.set_targets(peer.id, &peer.targets[1..]);
    world.wait(Duration::from_secs(30));
    assert_eq!(world.state("a"), "Failed");
}

/// Two callers of one conference: the first one waits for a peer that has said 100, the second was sent on by it and waits
/// for another one. Their INVITEs, in this order.
fn two_callers_at_two_peers(settings: &balancer::Settings) -> (World, [node_world::Sent; 2]) {
    let mut world = World::new(1, settings);
    world.hear(CALLER, &invite("one", "meet", ""));
    let sent = world
        .sent
        .iter()
        .find(|sent| sent.text.starts_with("INVITE "));
    let first = sent.expect("an INVITE").clone();
    let at = first.to.to_string();
    world.hear(&at, &answer(&first.text, "100 Trying"));
    world.sent.clear();
    world.hear(CALLER, &invite("two", "meet", ""));
    let asked = world.expect(&at, "INVITE ");
    world.hear(&at, &answer(&asked.text, "486 Busy Here"));
    let other = PEERS
        .into_iter()
        .find(|peer| *peer != at)
        .expect("two peers");
    let second = world.expect(other, "INVITE ");
    (world, [first, second])
}

fn with_meetings() -> balancer::Settings {
    balancer::Settings {
        aliases: vec![node_world::meetings()],
        ..two_peers()
    }
}

#[test]
fn who_is_answered_where_the_conference_is_not_follows_it() {
    let (mut world, [first, second]) = two_callers_at_two_peers(&with_meetings());
    let [here, there] = [&first, &second].map(|sent| sent.to.to_string());
    world.hear(&here, &answer(&first.text, "200 OK"));
    world.expect(CALLER, "SIP/2.0 200");
    assert_eq!(world.in_use(), [1, 1]);
    world.hear(&there, &answer(&second.text, "200 OK"));
    assert!(
        world.last(CALLER, "SIP/2.0 200").is_none(),
        "the 200 is held"
    );
    assert!(world.last(&there, "ACK ").is_some());
    let bye = world.last(&there, "BYE ").unwrap();
    let followed = world.expect(&here, "INVITE ");
    assert_eq!(
        world.in_use().iter().sum::<u32>(),
        3,
        "until its BYE is answered"
    );
    // The 200 comes once more: it gets its ACK, and no second BYE.
    world.hear(&there, &answer(&second.text, "200 OK"));
    assert!(world.last(&there, "BYE ").is_none());
    world.expect(&there, "ACK ");
    world.hear(&there, &answer(&bye.text, "200 OK"));
    assert_eq!(world.in_use().iter().sum::<u32>(), 2);
    world.hear(&here, &answer(&followed.text, "200 OK"));
    let accepted = world.expect(CALLER, "SIP/2.0 200");
    assert_eq!(node_world::call_id(&accepted.text), "two");
    let tag = format!(";tag={}", node_world::to_tag(&accepted.text));
    world.hear(CALLER, &request("ACK", "two", &tag, ""));
    world.expect(&here, "ACK ");
    assert_eq!(world.balancer.conferences()[0].participants, 2);
    world.hear(CALLER, &request("BYE", "two", &tag, ""));
    let bye = world.expect(&here, "BYE ");
    world.hear(&here, &answer(&bye.text, "200 OK"));
    assert_eq!(world.in_use().iter().sum::<u32>(), 1);
}

#[test]
fn who_heard_sdp_where_the_conference_is_not_is_hung_up() {
    let (mut world, [first, second]) = two_callers_at_two_peers(&with_meetings());
    let [here, there] = [&first, &second].map(|sent| sent.to.to_string());
    let media = answer(&second.text, "183 Session Progress");
    let media = media.replace(
        "Content-Length: 0\r\n\r\n",
        "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
    );
    world.hear(&there, &media);
    world.expect(CALLER, "SIP/2.0 183");
    world.hear(&here, &answer(&first.text, "200 OK"));
    world.sent.clear();
    world.hear(&there, &answer(&second.text, "200 OK"));
    let accepted = world.expect(CALLER, "SIP/2.0 200");
    let tag = format!(";tag={}", node_world::to_tag(&accepted.text));
    world.hear(CALLER, &request("ACK", "two", &tag, ""));
    world.wait(Duration::from_millis(100));
    world.expect(CALLER, "BYE ");
}

#[test]
fn a_peer_that_the_operator_works_on_is_not_probed_at_its_other_address() {
    let mut world = World::new(1, &two_addresses());
    while world.last(PEERS[0], "OPTIONS ").is_none() {
        world.wait(Duration::from_millis(100));
    }
    let id = world.balancer.board().peers()[0].id;
    let maint = balancer::Operator::Maint;
    world.balancer.set_operator(world.now, id, maint);
    world.wait(Duration::from_secs(9));
    assert!(world.last(PEERS[1], "OPTIONS ").is_none());
}
