//! Decisions from outside: what a door sees.

use super::*;
use crate::conferences::Confirmation;
use crate::report::{Cause, Outcome};
use crate::settings::{AliasSettings, PeerSettings, Settings, Transport};
use std::net::SocketAddr;
use std::time::Duration;

fn peer(name: &str, port: u16, sessions_max: u32) -> PeerSettings {
    let target = Target {
        transport: Transport::Udp,
        remote: SocketAddr::from(([127, 0, 0, 1], port)),
    };
    PeerSettings::new(name, target, sessions_max)
}

fn meet() -> AliasSettings {
    AliasSettings {
        name: "meet".into(),
        pattern: "meet(.*)".into(),
        priority: 1,
        conference: Some("meet\\1".into()),
        role: Role::Chair,
        may_create: true,
        participants_max: Some(3),
        pools: Vec::new(),
        tags: Vec::new(),
        zones: Vec::new(),
    }
}

#[expect(clippy::disallowed_methods, reason = "a test tells the time")]
fn now() -> Instant {
    Instant::now()
}

fn balancer(peers: Vec<PeerSettings>, aliases: Vec<AliasSettings>) -> (Balancer, Instant) {
    let settings = Settings {
        peers,
        aliases,
        ..Settings::default()
    };
    let now = now();
    (Balancer::new(&settings, 7, now).expect("right"), now)
}

fn ask(now: Instant, alias: &str) -> Request<'_> {
    Request {
        alias: alias.as_bytes(),
        zone: "edge",
        tried: &[],
        sessions: 1,
        now,
    }
}

fn in_use(balancer: &Balancer) -> Vec<u32> {
    let board = balancer.board();
    board.peers().iter().map(Peer::in_use).collect()
}

#[test]
fn the_most_available_wins_and_ties_are_shared() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 12), peer("c", 3, 10)];
    let (balancer, now) = balancer(peers, Vec::new());
    let placed: Vec<Placement> = (0..32)
        .map(|_| balancer.place(&ask(now, "x")).expect("room"))
        .collect();
    assert_eq!(placed[0].targets[0].remote.port(), 2);
    assert_eq!(
        balancer.place(&ask(now, "x")).err(),
        Some(NoPlace::NoCapacity)
    );
    drop(placed);
    assert_eq!(in_use(&balancer), [0, 0, 0]);
}

#[test]
fn callers_of_one_conference_meet_even_while_it_is_set_up() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let mut first = balancer.place(&ask(now, "meet1")).expect("room");
    assert_eq!((first.reason, first.role), (Reason::Figures, Role::Chair));
    let second = balancer.place(&ask(now, "MEET1")).expect("room");
    assert_eq!(
        (second.peer, second.reason),
        (first.peer, Reason::Conference)
    );
    assert_eq!(first.permit.confirm(), Confirmation::Here);
    let figures = balancer.conferences();
    let [one] = &figures[..] else {
        panic!("{figures:?}")
    };
    assert_eq!((one.participants, one.seats, one.is_settled), (1, 2, true));
    let third = balancer.place(&ask(now, "meet1")).expect("room");
    assert_eq!(
        balancer.place(&ask(now, "meet1")).err(),
        Some(NoPlace::ConferenceFull)
    );
    assert_eq!(
        balancer.place(&ask(now, "other")).err(),
        Some(NoPlace::AliasUnknown)
    );
    drop((first, second));
    assert_eq!(balancer.conference_count(), 1);
    drop(third);
    assert_eq!(balancer.conference_count(), 0);
    assert_eq!(in_use(&balancer), [0, 0]);
}

#[test]
fn a_conference_that_fails_to_start_moves_once_for_all_its_callers() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10), peer("c", 3, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let one = balancer.place(&ask(now, "meet")).expect("room");
    let two = balancer.place(&ask(now, "meet")).expect("room");
    let dead = one.peer;
    let change = balancer.report(now, dead, Outcome::Failed(Cause::Refused));
    assert!(change.is_some());
    let tried = [dead];
    let again = Request {
        tried: &tried,
        ..ask(now, "meet")
    };
    let one_again = balancer.place(&again).expect("room");
    assert_ne!(one_again.peer, dead);
    assert_eq!(one_again.reason, Reason::Failover);
    drop(one);
    let two_again = balancer.place(&again).expect("room");
    assert_eq!(
        (two_again.peer, two_again.reason),
        (one_again.peer, Reason::Conference)
    );
    drop(two);
    assert_eq!(balancer.conferences()[0].seats, 2);
    assert_eq!(in_use(&balancer).iter().sum::<u32>(), 2);
}

#[test]
fn who_is_answered_first_decides_where_a_conference_is() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let mut slow = balancer.place(&ask(now, "meet")).expect("room");
    let tried = [slow.peer];
    let again = Request {
        tried: &tried,
        ..ask(now, "meet")
    };
    let mut fast = balancer.place(&again).expect("room");
    assert_ne!(fast.peer, slow.peer);
    assert_eq!(fast.permit.confirm(), Confirmation::Here);
    assert_eq!(slow.permit.confirm(), Confirmation::Elsewhere(fast.peer));
    assert_eq!(balancer.conferences()[0].peer, fast.peer);
    drop(slow);
    assert_eq!(balancer.conferences()[0].participants, 1);
    // The other way round: what was moved away is answered first after all, and takes it back.
    drop(fast);
    let mut slow = balancer.place(&ask(now, "meet")).expect("room");
    let tried = [slow.peer];
    let again = Request {
        tried: &tried,
        ..ask(now, "meet")
    };
    let mut fast = balancer.place(&again).expect("room");
    assert_eq!(slow.permit.confirm(), Confirmation::Here);
    assert_eq!(fast.permit.confirm(), Confirmation::Elsewhere(slow.peer));
}

#[test]
fn a_running_conference_is_begun_anew_only_when_its_peer_is_dead() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let mut first = balancer.place(&ask(now, "meet")).expect("room");
    assert_eq!(first.permit.confirm(), Confirmation::Here);
    let tried = [first.peer];
    let again = Request {
        tried: &tried,
        ..ask(now, "meet")
    };
    assert_eq!(balancer.place(&again).err(), Some(NoPlace::Exhausted));
    balancer.report(now, first.peer, Outcome::Paused(Duration::from_secs(9)));
    assert_eq!(
        balancer.place(&ask(now, "meet")).err(),
        Some(NoPlace::NoCapacity)
    );
    let later = now + Duration::from_secs(10);
    assert!(balancer.place(&ask(later, "meet")).is_ok());
    balancer.report(later, first.peer, Outcome::Failed(Cause::Silent));
    let second = balancer.place(&ask(later, "meet")).expect("room");
    assert_ne!(second.peer, first.peer);
    drop(first);
    assert_eq!(balancer.conferences()[0].peer, second.peer);
}

#[test]
fn the_reason_says_what_is_wrong() {
    let (balancer, now) = balancer(
        vec![peer("a", 1, 1), peer("b", 2, 0)],
        vec![
            AliasSettings {
                may_create: false,
                ..meet()
            },
            AliasSettings {
                name: "any".into(),
                pattern: "x".into(),
                conference: None,
                ..meet()
            },
        ],
    );
    assert_eq!(
        balancer.place(&ask(now, "meet")).err(),
        Some(NoPlace::NotStarted)
    );
    let only = balancer.place(&ask(now, "x")).expect("room");
    assert_eq!(
        balancer.place(&ask(now, "x")).err(),
        Some(NoPlace::NoCapacity)
    );
    balancer.report(now, only.peer, Outcome::Failed(Cause::Silent));
    drop(only);
    // The other one has no room at all, and that is not its state.
    assert_eq!(
        balancer.place(&ask(now, "x")).err(),
        Some(NoPlace::NoCapacity)
    );
}
