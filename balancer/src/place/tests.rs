//! Decisions from outside: what a door sees.

use super::*;
use crate::conferences::Confirmation;
use crate::explain::Verdict;
use crate::report::{Cause, Outcome, Reported, Source};
use crate::settings::{
    AliasSettings, PeerSettings, PoolSettings, Settings, Strategy, Transport, UNKNOWN,
};
use std::net::SocketAddr;
use std::time::Duration;

mod bridges;
mod conferences;
mod threads;

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
        fallback: false,
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
        is_audio_only: false,
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

#[test]
fn a_lease_is_taken_over_by_the_call_or_goes_back() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let plain = AliasSettings {
        name: "plain".into(),
        pattern: "7".into(),
        conference: None,
        ..meet()
    };
    let (balancer, now) = balancer(peers, vec![meet(), plain]);
    let time = Duration::from_secs(45);
    let leased = balancer
        .lease(&ask(now, "meet"), "serial 1", time)
        .expect("room");
    assert_eq!(leased.conference.as_deref(), Some("meet"));
    let same = balancer
        .lease(&ask(now, "meet"), "serial 1", time)
        .expect("room");
    assert_eq!(
        (same.peer, in_use(&balancer).iter().sum::<u32>()),
        (leased.peer, 1)
    );
    let mut call = balancer.place(&ask(now, "meet")).expect("room");
    assert_eq!((call.peer, call.reason), (leased.peer, Reason::Lease));
    assert_eq!(call.permit.confirm(), Confirmation::Here);
    assert_eq!(
        (
            balancer.lease_count(),
            in_use(&balancer).iter().sum::<u32>()
        ),
        (0, 1)
    );
    assert_eq!(balancer.conferences()[0].participants, 1);
    drop(call);

    let leased = balancer
        .lease(&ask(now, "7"), "serial 2", time)
        .expect("room");
    let other = balancer
        .lease(&ask(now, "meet"), "serial 3", time)
        .expect("room");
    assert_ne!(leased.peer, other.peer);
    assert_eq!(balancer.poll_timeout(), Some(now + time));
    balancer.handle_timeout(now + time - Duration::from_millis(1));
    assert_eq!(
        (balancer.lease_count(), balancer.conference_count()),
        (2, 1)
    );
    balancer.handle_timeout(now + time);
    assert_eq!(
        (balancer.lease_count(), balancer.conference_count()),
        (0, 0)
    );
    assert_eq!(
        (in_use(&balancer), balancer.poll_timeout()),
        (vec![0, 0], None)
    );

    let leased = balancer
        .lease(&ask(now, "7"), "serial 4", time)
        .expect("room");
    // The other peer has more room at first, so that the third call comes here for certain.
    let place = |_| balancer.place(&ask(now, "7")).expect("room");
    let calls: Vec<_> = (0..3).map(place).collect();
    let taken_over = calls.iter().filter(|call| call.reason == Reason::Lease);
    assert_eq!(
        taken_over.map(|call| call.peer).collect::<Vec<_>>(),
        [leased.peer]
    );
    assert_eq!(in_use(&balancer).iter().sum::<u32>(), 3);
}

#[test]
fn limits_are_three() {
    let tight = PeerSettings {
        new_limit: 1,
        existing_limit: 2,
        ..peer("a", 1, 3)
    };
    let any_number = AliasSettings {
        participants_max: None,
        ..meet()
    };
    let (balancer, now) = balancer(vec![tight], vec![any_number]);
    let one = balancer.place(&ask(now, "meet")).expect("room");
    assert_eq!(
        balancer.place(&ask(now, "meet2")).err(),
        Some(NoPlace::NoCapacity)
    );
    let two = balancer.place(&ask(now, "meet")).expect("room");
    assert_eq!(
        balancer.place(&ask(now, "meet")).err(),
        Some(NoPlace::NoCapacity)
    );
    drop((one, two));
}

#[test]
fn calls_weigh_what_their_media_take() {
    let settings = Settings {
        peers: vec![peer("a", 1, 5)],
        pools: vec![PoolSettings {
            video_sessions: 2,
            ..PoolSettings::new(crate::POOL_OF_ALL)
        }],
        aliases: vec![meet()],
        ..Settings::default()
    };
    let now = now();
    let balancer = Balancer::new(&settings, 7, now).expect("right");
    assert!(balancer.weighs_media());
    let audio = Request {
        is_audio_only: true,
        ..ask(now, "meet")
    };
    let first = balancer.place(&ask(now, "meet")).expect("room");
    let mut second = balancer.place(&ask(now, "meet")).expect("room");
    assert_eq!(in_use(&balancer), [4]);
    // One is left: too little for a video call, enough for one with sound alone.
    let why = Some(NoPlace::NoCapacity);
    assert_eq!(balancer.place(&ask(now, "meet")).err(), why);
    assert_eq!(balancer.place(&ask(now, "meet2")).err(), why);
    assert_eq!(balancer.look(&ask(now, "meet2")).err(), why);
    let third = balancer.place(&audio).expect("room");
    assert_eq!(in_use(&balancer), [5]);
    assert_eq!(second.permit.confirm(), Confirmation::Here);
    drop((first, second));
    assert_eq!(in_use(&balancer), [1]);
    drop(third);
    assert_eq!(in_use(&balancer), [0]);
}

#[test]
fn peers_take_turns_where_no_figures_are_known() {
    let peers = [("a", 1), ("b", 2), ("c", 3)].map(|(name, port)| peer(name, port, UNKNOWN));
    let (balancer, now) = balancer(peers.to_vec(), Vec::new());
    let explained = balancer.explain(&ask(now, "x"));
    assert_eq!(explained.pools[0].strategy, Strategy::RoundRobin);
    assert_eq!(explained.pools[0].peers[0].limit, None);
    assert!(explained.to_string().contains("room not known"));
    // Whatever is in use: what is given back at once counts as a turn too.
    let held: Vec<_> = (0..9)
        .map(|_| balancer.place(&ask(now, "x")).expect("room"))
        .collect();
    assert_eq!(in_use(&balancer), [3, 3, 3]);
    drop(held);
    // Once all have told their room, it is compared again.
    let ids: Vec<PeerId> = balancer
        .board()
        .peers()
        .iter()
        .map(|peer| peer.id)
        .collect();
    for (id, room) in ids.iter().zip([5, 9, 5]) {
        let told = Reported {
            source: Source::Options,
            in_use: None,
            sessions_max: Some(room),
        };
        balancer.report_use(now, *id, told);
    }
    let placed = balancer.place(&ask(now, "x")).expect("room");
    assert_eq!(placed.peer, ids[1]);
    let explained = balancer.explain(&ask(now, "x"));
    assert_eq!(explained.pools[0].strategy, Strategy::MostAvailable);
}

#[test]
fn what_the_operator_wants_outlives_a_reload() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let mut call = balancer.place(&ask(now, "meet")).expect("room");
    assert_eq!(call.permit.confirm(), Confirmation::Here);
    let at = call.peer;
    balancer
        .set_operator(now, at, Operator::Drain)
        .expect("a change");
    let other = if balancer.board().peers()[0].id == at {
        1
    } else {
        0
    };
    // Only the names stay, in another order, and there is a third peer.
    let settings = Settings {
        peers: vec![peer("c", 3, 0), peer("b", 9, 10), peer("a", 8, 10)],
        aliases: vec![meet()],
        ..Settings::default()
    };
    let wrong = Settings {
        aliases: vec![AliasSettings {
            pattern: "(".into(),
            ..meet()
        }],
        ..settings.clone()
    };
    assert!(balancer.reload(&wrong, now).is_err());
    assert_eq!(balancer.board().peers().len(), 2);
    balancer.reload(&settings, now).expect("right");
    let figures = balancer.figures(now);
    let drained = figures
        .iter()
        .find(|peer| peer.id == at)
        .expect("still there");
    assert_eq!((drained.operator, drained.in_use), (Operator::Drain, 1));
    assert_eq!(drained.state.as_str(), "Draining");
    // Drain lets callers into the conference that is there, and none elsewhere.
    let joined = balancer.place(&ask(now, "meet")).expect("room");
    assert_eq!(joined.peer, at);
    for number in 0..4 {
        let elsewhere = balancer
            .place(&ask(now, &format!("meet{number}")))
            .expect("room");
        assert_eq!(elsewhere.peer, PeerId(other));
    }
    // Who is taken out and comes back has its calls still.
    let without = Settings {
        peers: vec![peer("c", 3, 10)],
        ..settings.clone()
    };
    balancer.reload(&without, now).expect("right");
    assert_eq!(balancer.report(now, at, Outcome::Accepted), None);
    drop(joined);
    balancer.reload(&settings, now).expect("right");
    let uses: u32 = balancer.figures(now).iter().map(|peer| peer.in_use).sum();
    assert_eq!(uses, 1);
    balancer
        .set_operator(now, at, Operator::Maint)
        .expect("a change");
    assert_eq!(
        balancer.place(&ask(now, "meet")).err(),
        Some(NoPlace::NoCapacity)
    );
}

#[test]
fn explaining_takes_nothing_and_says_all() {
    let peers = vec![
        peer("a", 1, 10),
        peer("b", 2, 20),
        peer("c", 3, 0),
        peer("d", 4, 9),
    ];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let dead = balancer.board().peers()[3].id;
    balancer.report(now, dead, Outcome::Failed(Cause::Silent));
    let explained = balancer.explain(&ask(now, "meet7"));
    assert_eq!(explained.decision, Ok("b".to_owned()));
    let verdicts: Vec<_> = explained.pools[0]
        .peers
        .iter()
        .map(|peer| peer.verdict)
        .collect();
    assert_eq!(
        verdicts,
        [
            Verdict::Behind,
            Verdict::Chosen,
            Verdict::Full,
            Verdict::State
        ]
    );
    assert_eq!(
        (in_use(&balancer), balancer.conference_count()),
        (vec![0; 4], 0)
    );
    let text = explained.to_string();
    for part in [
        "meet7",
        "rule        meet",
        "not running",
        "another peer is better",
        "decision    b",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let call = balancer.place(&ask(now, "meet7")).expect("room");
    assert_eq!(balancer.look(&ask(now, "meet7")), Ok(call.peer));
    let explained = balancer.explain(&ask(now, "meet7")).to_string();
    assert!(explained.contains("the conference is here"), "{explained}");
    let unknown = balancer.explain(&ask(now, "else"));
    assert!(unknown.to_string().contains("none matches"));
}

#[test]
fn probes_come_at_their_time_and_to_everyone() {
    let peers: Vec<_> = (1..=4)
        .map(|port| peer(&format!("p{port}"), port, 5))
        .collect();
    let (balancer, now) = balancer(peers, Vec::new());
    let ids: Vec<PeerId> = balancer
        .board()
        .peers()
        .iter()
        .map(|peer| peer.id)
        .collect();
    balancer.set_operator(now, ids[3], Operator::Maint);
    let mut probed = vec![Vec::new(); 4];
    let mut clock = now;
    while let Some(next) = balancer.poll_probe_timeout() {
        clock = clock.max(next);
        if clock > now + Duration::from_secs(60) {
            break;
        }
        let probe = balancer.poll_probe(clock).expect("it is due");
        probed[probe.peer.0 as usize].push(clock.duration_since(now));
        // The first one is dead, and says so at each probe.
        let outcome = if probe.peer == ids[0] {
            Outcome::ProbeBad
        } else {
            Outcome::ProbeGood
        };
        balancer.report(clock, probe.peer, outcome);
    }
    assert!(probed[3].is_empty(), "nobody asks who is worked on");
    for well in &probed[1..3] {
        let gaps = well.windows(2).map(|pair| pair[1] - pair[0]);
        let jitter = Duration::from_secs(4)..=Duration::from_secs(6);
        assert!(gaps.clone().all(|gap| jitter.contains(&gap)), "{well:?}");
        assert!((10..=15).contains(&well.len()), "{well:?}");
    }
    let gaps: Vec<_> = probed[0].windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Three at the ordinary interval, then 1, 2, 4, 8 and 16 s, each with its jitter.
    let expected = [5, 5, 1, 2, 4, 8, 16];
    for (gap, wanted) in gaps.iter().zip(expected.map(Duration::from_secs)) {
        assert!(
            (wanted.mul_f64(0.79)..=wanted.mul_f64(1.21)).contains(gap),
            "{gaps:?}"
        );
    }
    let figures = balancer.figures(clock);
    assert_eq!(figures[0].state.as_str(), "Failed");
    assert_eq!(figures[1].state.as_str(), "Active");
}

#[test]
fn addresses_may_come_later_and_change() {
    let nameless = PeerSettings {
        targets: Vec::new(),
        ..peer("a", 1, 10)
    };
    let (balancer, now) = balancer(vec![nameless.clone()], Vec::new());
    let id = balancer.board().peers()[0].id;
    // It is down, and not full: its name leads nowhere.
    assert_eq!(
        balancer.place(&ask(now, "x")).err(),
        Some(NoPlace::PeersDown)
    );
    let explained = balancer.explain(&ask(now, "x"));
    assert_eq!(explained.pools[0].peers[0].verdict, Verdict::Nowhere);
    assert_eq!(balancer.poll_probe_timeout(), None);
    let found = peer("a", 77, 10).targets;
    balancer.set_targets(id, &found);
    assert_eq!(
        *balancer.place(&ask(now, "x")).expect("room").targets,
        *found
    );
    let settings = Settings {
        peers: vec![nameless],
        ..Settings::default()
    };
    balancer.reload(&settings, now).expect("right");
    assert_eq!(
        *balancer.place(&ask(now, "x")).expect("room").targets,
        *found
    );
    balancer.set_targets(id, &[]);
    assert!(balancer.place(&ask(now, "x")).is_err());
}

#[test]
fn nobody_is_asked_twice_however_many_were_tried() {
    let peers = (1..=40).map(|port| peer(&format!("p{port}"), port, 10));
    let (balancer, now) = balancer(peers.collect(), vec![meet()]);
    let mut first = balancer.place(&ask(now, "meet")).expect("room");
    assert_eq!(first.permit.confirm(), Confirmation::Here);
    // All others were tried, and the conference must move: nobody is left.
    balancer.report(now, first.peer, Outcome::Failed(Cause::Silent));
    let board = balancer.board();
    let others = board.peers().iter().filter(|peer| peer.id != first.peer);
    let tried: Vec<PeerId> = others.map(|peer| peer.id).collect();
    let last = Request {
        tried: &tried,
        ..ask(now, "meet")
    };
    assert_eq!(balancer.place(&last).err(), Some(NoPlace::Exhausted));
    assert_eq!(balancer.look(&last), Err(NoPlace::Exhausted));
}

#[test]
fn names_that_come_and_go_are_forgotten_but_not_their_calls() {
    let (balancer, now) = balancer(vec![peer("stays", 1, 10)], Vec::new());
    let only = |name: &str| Settings {
        peers: vec![peer(name, 1, 10)],
        ..Settings::default()
    };
    let held = balancer.place(&ask(now, "x")).expect("room");
    for host in 0..3_000 {
        balancer
            .reload(&only(&format!("host-{host}")), now)
            .expect("right");
    }
    let latest = balancer.board().peers()[0].id;
    assert_eq!(latest.number(), 3_000, "a number is given once");
    assert!(balancer.board().known() <= 1_001 + 1);
    // Who has a call still has it when it comes back; of the others the latest gone are known.
    balancer.reload(&only("stays"), now).expect("right");
    assert_eq!(balancer.board().peers()[0].id, held.peer);
    assert_eq!(in_use(&balancer), [1]);
    balancer.reload(&only("host-2999"), now).expect("right");
    assert_eq!(balancer.board().peers()[0].id, latest);
    drop(held);
}

#[test]
fn a_call_says_later_why_it_is_where_it_is() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 20), peer("c", 3, 0)];
    let (balancer, now) = balancer(peers.clone(), vec![meet()]);
    let first = balancer.place(&ask(now, "meet7")).expect("room");
    let why = "figures, rule meet, pool default, most-available: b 1 of 20 chosen; \
               a 0 of 10 another peer is better; c 0 of 0 no room";
    assert_eq!(first.permit.why(&balancer.board()), why);
    let second = balancer.place(&ask(now, "meet7")).expect("room");
    let why = "conference, rule meet, pool default, most-available: b 2 of 20 chosen";
    assert_eq!(second.permit.why(&balancer.board()), why);
    // Names of a plan that is no more are not made up.
    let settings = Settings {
        peers,
        ..Settings::default()
    };
    balancer.reload(&settings, now).expect("right");
    let why = "conference, rule 0 of an earlier plan, most-available: b 2 of 20 chosen";
    assert_eq!(second.permit.why(&balancer.board()), why);
}

#[test]
fn a_note_holds_six_peers_and_says_how_many_more_there_were() {
    let peers = (1..=9).map(|port| peer(&format!("p{port}"), port, 10));
    let (balancer, now) = balancer(peers.collect(), Vec::new());
    let tried = [PeerId(0)];
    let again = Request {
        tried: &tried,
        ..ask(now, "x")
    };
    let placed = balancer.place(&again).expect("room");
    let why = placed.permit.why(&balancer.board());
    assert!(
        why.starts_with("failover, no rule, pool default, most-available: p"),
        "{why}"
    );
    assert!(why.contains("; p1 0 of 10 tried before; "), "{why}");
    assert!(why.ends_with("; 3 more"), "{why}");
}

#[test]
fn a_peer_that_is_back_is_held_down_and_then_begins_slowly() {
    let (balancer, now) = balancer(vec![peer("a", 1, 100), peer("b", 2, 100)], Vec::new());
    let back = balancer.board().peers()[0].id;
    let at = |seconds| now + Duration::from_secs(seconds);
    let place = |seconds| balancer.place(&ask(at(seconds), "x")).expect("room");
    balancer.report(at(0), back, Outcome::Failed(Cause::Silent));
    let mut held: Vec<Placement> = (0..10).map(|_| place(0)).collect();
    // Well again from the first second on; that must last for five.
    for seconds in [1, 2, 5] {
        balancer.report(at(seconds), back, Outcome::ProbeGood);
        held.push(place(seconds));
    }
    assert_eq!(in_use(&balancer), [0, 13]);
    balancer.report(at(6), back, Outcome::ProbeGood);
    held.push(place(6));
    assert_eq!(in_use(&balancer), [0, 14], "nothing at the very beginning");
    // Half of its room counts after half of the slow start: the other one has more until it has 50.
    held.extend((0..36).map(|_| place(11)));
    assert_eq!(in_use(&balancer), [0, 50]);
    held.extend((0..10).map(|_| place(11)));
    assert!(in_use(&balancer)[0] > 0, "then both get calls");
    held.extend((0..20).map(|_| place(16)));
    assert!(
        in_use(&balancer)[0] > 20,
        "and in the end it is a peer like any other"
    );
}
