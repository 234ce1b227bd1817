//! Aliases that policy answers hand out, and what becomes of them when they come back.

use super::*;
use crate::bridge_alias::BridgeAlias;

const TIME: Duration = Duration::from_secs(45);

fn bridge(name: &str, port: u16, sessions_max: u32) -> PeerSettings {
    let alias = format!("60{port}{{number}}@bridges.example.com");
    PeerSettings {
        alias: Some(BridgeAlias::new(&alias).expect("right")),
        ..peer(name, port, sessions_max)
    }
}

fn alias_of(balancer: &Balancer, leased: &crate::Leased) -> String {
    let mut alias = String::new();
    assert!(balancer.write_alias(leased.peer, leased.number, &mut alias));
    assert!(balancer.is_on_peer(&alias));
    alias
}

#[test]
fn what_was_promised_is_kept_when_the_call_comes() {
    let (balancer, now) = balancer(vec![bridge("a", 1, 10), bridge("b", 2, 10)], vec![meet()]);
    let lease = |alias, serial| balancer.lease(&ask(now, alias), serial, TIME);
    let leased = lease("meet1", "one").expect("room");
    let alias = alias_of(&balancer, &leased);
    // Another door, the same conference; the same call again, by another alias of it.
    assert_eq!(
        lease("SIP:Meet1", "one").expect("room").number,
        leased.number
    );
    let second = lease("meet1", "two").expect("room");
    assert_eq!((second.peer, second.number), (leased.peer, leased.number));
    assert_eq!(balancer.lease_count(), 2);
    let call = balancer
        .place(&ask(now, &alias))
        .expect("its place is held");
    assert_eq!((call.peer, call.reason), (leased.peer, Reason::Lease));
    assert_eq!(in_use(&balancer).iter().sum::<u32>(), 2);
    // Asked again while the call is there: the same answer, and nothing taken.
    assert_eq!(lease("meet1", "one").expect("known").number, leased.number);
    assert_eq!(in_use(&balancer).iter().sum::<u32>(), 2);
    assert_eq!(balancer.lease_count(), 1);
    balancer.handle_timeout(now + TIME);
    assert_eq!(in_use(&balancer).iter().sum::<u32>(), 1);
    drop(call);
    assert_eq!(
        (in_use(&balancer), balancer.conference_count()),
        (vec![0, 0], 0)
    );
}

#[test]
fn an_alias_of_another_member_goes_to_its_peer() {
    let peers = vec![bridge("a", 1, 10), bridge("b", 2, 1)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let call = balancer
        .place(&ask(now, "602777@Bridges.example.com"))
        .expect("room");
    assert_eq!(in_use(&balancer), [0, 1]);
    let full = balancer.place(&ask(now, "602778@bridges.example.com"));
    assert_eq!(full.err(), Some(NoPlace::NoCapacity));
    let tried = [call.peer];
    let request = Request {
        tried: &tried,
        ..ask(now, "602777@bridges.example.com")
    };
    assert_eq!(balancer.place(&request).err(), Some(NoPlace::Exhausted));
    balancer.report(now, call.peer, Outcome::Failed(Cause::Refused));
    let dead = balancer.look(&ask(now, "602777@bridges.example.com"));
    assert_eq!(dead.err(), Some(NoPlace::PeersDown));
    assert!(
        balancer
            .serves(b"602777@bridges.example.com", "edge")
            .is_ok()
    );
    assert!(
        balancer
            .serves(b"603777@bridges.example.com", "edge")
            .is_err()
    );
    let why = balancer.explain(&ask(now, "601777@bridges.example.com"));
    assert_eq!(why.rule.as_deref(), Some("an alias of a"));
    assert_eq!(why.decision.as_deref(), Ok("a"));
}

#[test]
fn who_only_asks_takes_nothing() {
    let guest = AliasSettings {
        name: "guest".into(),
        pattern: "guest(.*)".into(),
        may_create: false,
        ..meet()
    };
    let (balancer, now) = balancer(vec![bridge("a", 1, 10)], vec![meet(), guest]);
    assert_eq!(balancer.running(&ask(now, "meet1")), Ok(None));
    assert_eq!(
        balancer.running(&ask(now, "guest1")),
        Err(NoPlace::NotStarted)
    );
    assert_eq!(balancer.running(&ask(now, "x")), Err(NoPlace::AliasUnknown));
    let leased = balancer
        .lease(&ask(now, "meet1"), "one", TIME)
        .expect("room");
    let place = Some((leased.peer, leased.number));
    assert_eq!(balancer.running(&ask(now, "guest1")), Ok(place));
    assert_eq!(in_use(&balancer), [1]);
}

#[test]
fn a_place_that_is_held_is_there_though_the_peer_is_full() {
    let any = AliasSettings {
        name: "any".into(),
        pattern: "any".into(),
        conference: None,
        ..meet()
    };
    let (balancer, now) = balancer(vec![bridge("a", 1, 1)], vec![any]);
    let leased = balancer.lease(&ask(now, "any"), "one", TIME).expect("room");
    let alias = alias_of(&balancer, &leased);
    let call = balancer.place(&ask(now, &alias)).expect("its place");
    assert_eq!((call.reason, in_use(&balancer)), (Reason::Lease, vec![1]));
}

#[test]
fn who_asks_is_not_sent_to_a_dead_peer() {
    let peers = vec![bridge("a", 1, 10), bridge("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let leased = balancer
        .lease(&ask(now, "meet1"), "one", TIME)
        .expect("room");
    balancer.report(now, leased.peer, Outcome::Failed(Cause::Refused));
    assert_eq!(balancer.running(&ask(now, "meet1")), Ok(None));
}

#[test]
fn each_conference_has_a_number_of_its_own() {
    let (balancer, now) = balancer(vec![bridge("a", 1, 100)], vec![meet()]);
    let mut numbers: Vec<u32> = (0..50)
        .map(|conference| {
            let alias = format!("meet{conference}");
            balancer
                .lease(&ask(now, &alias), "one", TIME)
                .expect("room")
                .number
        })
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 50);
    // The same serial asks for fifty things: fifty places.
    assert_eq!((balancer.lease_count(), in_use(&balancer)), (50, vec![50]));
    balancer.handle_timeout(now + TIME);
    assert_eq!(balancer.conference_count(), 0);
    let call = balancer
        .place(&ask(now, "601101@bridges.example.com"))
        .expect("room");
    assert_eq!((call.permit.number(), call.reason), (None, Reason::Figures));
}

#[test]
fn an_alias_of_a_peer_is_no_way_around_the_rule_of_its_conference() {
    let small = AliasSettings {
        name: "small".into(),
        pattern: "small(.*)".into(),
        zones: vec!["edge".into()],
        participants_max: Some(1),
        ..meet()
    };
    let guest = AliasSettings {
        name: "guest".into(),
        pattern: "guest(.*)".into(),
        zones: vec!["guests".into()],
        may_create: false,
        ..meet()
    };
    let (balancer, now) = balancer(vec![bridge("a", 1, 10)], vec![small, guest]);
    let leased = balancer
        .lease(&ask(now, "small1"), "one", TIME)
        .expect("room");
    let alias = alias_of(&balancer, &leased);
    let from = |zone, alias| Request {
        zone,
        ..ask(now, alias)
    };
    // What was promised is kept, wherever the call comes from.
    let call = balancer.place(&from("guests", &alias)).expect("promised");
    assert_eq!(call.reason, Reason::Lease);
    let refused = |zone, alias| balancer.place(&from(zone, alias)).err();
    assert_eq!(refused("edge", &*alias), Some(NoPlace::ConferenceFull));
    assert_eq!(refused("guests", &alias), Some(NoPlace::CallerNotAllowed));
    let looked = balancer.look(&from("guests", &alias)).err();
    assert_eq!(looked, Some(NoPlace::CallerNotAllowed));
    // Of a number that nobody knows only this can be asked: what may its caller begin?
    let unknown = "601777@bridges.example.com";
    assert_eq!(refused("nowhere", unknown), Some(NoPlace::CallerNotAllowed));
    assert_eq!(refused("guests", unknown), Some(NoPlace::NotStarted));
    assert_eq!(refused("edge", unknown), None);
}

#[test]
fn a_decision_does_not_outlive_its_peer() {
    let peers = vec![bridge("a", 1, 10), bridge("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let lease = || balancer.lease(&ask(now, "meet1"), "one", TIME);
    let first = lease().expect("room");
    balancer.report(now, first.peer, Outcome::Failed(Cause::Refused));
    let second = lease().expect("the other one");
    assert_ne!(second.peer, first.peer);
    assert_eq!(
        (lease().expect("the same").number, balancer.lease_count()),
        (second.number, 1)
    );
    assert_eq!(in_use(&balancer).iter().sum::<u32>(), 1);
    // An operator takes the other one out; then there is none.
    balancer.set_operator(now, second.peer, Operator::Maint);
    assert_eq!(lease().err(), Some(NoPlace::PeersDown));
    assert_eq!(
        (balancer.lease_count(), balancer.conference_count()),
        (0, 0)
    );
}

#[test]
fn a_call_that_was_promised_follows_its_conference() {
    let peers = vec![bridge("a", 1, 10), bridge("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let lease = |serial| balancer.lease(&ask(now, "meet1"), serial, TIME);
    let (first, second) = (lease("one").expect("room"), lease("two").expect("room"));
    let alias = alias_of(&balancer, &first);
    assert_eq!(alias, alias_of(&balancer, &second));
    balancer.report(now, first.peer, Outcome::Failed(Cause::Refused));
    // Both come, and find each other on the other peer.
    let calls = [0, 1].map(|_| balancer.place(&ask(now, &alias)).expect("it moves"));
    assert_ne!(calls[0].peer, first.peer);
    assert_eq!(calls[0].peer, calls[1].peer);
    assert_eq!(calls[0].permit.number(), calls[1].permit.number());
    assert_eq!(balancer.conference_count(), 1);
    balancer.handle_timeout(now + TIME);
    drop(calls);
    assert_eq!(in_use(&balancer), [0, 0]);
}

#[test]
fn only_what_was_promised_has_a_place_while_a_node_drains() {
    let plain = AliasSettings {
        name: "plain".into(),
        pattern: "7".into(),
        conference: None,
        ..meet()
    };
    let (balancer, now) = balancer(vec![bridge("a", 1, 10)], vec![meet(), plain]);
    for asked in ["meet1", "7"] {
        let leased = balancer.lease(&ask(now, asked), "one", TIME).expect("room");
        let alias = alias_of(&balancer, &leased);
        assert!(
            balancer.place_promised(&ask(now, asked)).is_none(),
            "no alias of a peer"
        );
        let call = balancer
            .place_promised(&ask(now, &alias))
            .expect("promised");
        assert_eq!((call.peer, call.reason), (leased.peer, Reason::Lease));
        assert!(balancer.place_promised(&ask(now, &alias)).is_none(), "once");
    }
    let late = Request {
        now: now + TIME,
        ..ask(now, "601777@bridges.example.com")
    };
    assert!(balancer.place_promised(&late).is_none());
}

#[test]
fn leases_of_many_lengths_end_each_in_its_time() {
    let (balancer, now) = balancer(vec![bridge("a", 1, 1_000)], vec![meet()]);
    let times = [30_000, 45_000, 45_001, 46_023, 1, 86_400_000, 1_024];
    for (serial, time) in times.into_iter().enumerate() {
        let time = Duration::from_millis(time);
        let (alias, serial) = (format!("meet{serial}"), serial.to_string());
        balancer
            .lease(&ask(now, &alias), &serial, time)
            .expect("room");
    }
    let mut sorted = times;
    sorted.sort_unstable();
    for (ended, time) in sorted.into_iter().enumerate() {
        let at = now + Duration::from_millis(time);
        assert_eq!(balancer.poll_timeout(), Some(at), "{time}");
        balancer.handle_timeout(at - Duration::from_millis(1));
        assert_eq!(balancer.lease_count(), times.len() - ended, "{time}");
        balancer.handle_timeout(at);
        assert_eq!(balancer.lease_count(), times.len() - ended - 1, "{time}");
    }
    assert_eq!(
        (in_use(&balancer), balancer.poll_timeout()),
        (vec![0], None)
    );
}

#[test]
fn a_call_that_was_somewhere_takes_no_place_of_others() {
    let peers = vec![bridge("a", 1, 10), bridge("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let lease = |serial| balancer.lease(&ask(now, "meet1"), serial, TIME);
    let (first, _second) = (lease("one").expect("room"), lease("two").expect("room"));
    let alias = alias_of(&balancer, &first);
    let call = balancer.place(&ask(now, &alias)).expect("its place");
    assert_eq!((call.reason, balancer.lease_count()), (Reason::Lease, 1));
    // Its peer does not take it, and it looks on.
    let tried = [call.peer];
    let again = Request {
        tried: &tried,
        ..ask(now, &alias)
    };
    let _elsewhere = balancer.place(&again);
    assert_eq!(balancer.lease_count(), 1, "the second one's is still held");
    let other = balancer.place(&ask(now, &alias)).expect("its place");
    assert_eq!(other.reason, Reason::Lease);
}

#[test]
fn a_place_without_a_conference_is_for_its_number() {
    let any = AliasSettings {
        name: "any".into(),
        pattern: "any".into(),
        conference: None,
        ..meet()
    };
    let (balancer, now) = balancer(vec![bridge("a", 1, 10)], vec![any]);
    let leased = balancer.lease(&ask(now, "any"), "one", TIME).expect("room");
    let other = format!("601{}@bridges.example.com", leased.number ^ 1);
    let call = balancer.place(&ask(now, &other)).expect("room");
    assert_eq!((call.reason, balancer.lease_count()), (Reason::Figures, 1));
    assert!(balancer.place_promised(&ask(now, &other)).is_none());
    let own = balancer
        .place(&ask(now, &alias_of(&balancer, &leased)))
        .expect("its place");
    assert_eq!((own.reason, balancer.lease_count()), (Reason::Lease, 0));
}
