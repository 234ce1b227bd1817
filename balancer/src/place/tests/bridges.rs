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
