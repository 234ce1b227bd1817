//! Many decisions at one moment: nothing is taken twice, nothing leaks, and equals stay equal.

use super::*;

/// Runs the same on some threads at the same moment, and gathers what they did.
fn together<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = std::sync::Barrier::new(threads);
    std::thread::scope(|scope| {
        let run = |thread| {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.wait();
                work(thread)
            })
        };
        let handles: Vec<_> = (0..threads).map(run).collect();
        let joined = handles.into_iter().map(|handle| handle.join());
        joined.map(|result| result.expect("no panic")).collect()
    })
}

fn spread(uses: &[u32]) -> u32 {
    uses.iter().max().expect("peers") - uses.iter().min().expect("peers")
}

#[test]
fn a_hundred_thousand_decisions_over_equal_peers_differ_by_one_at_most() {
    let peers = (1..=7).map(|port| peer(&format!("p{port}"), port, 1_000_000));
    let (balancer, now) = balancer(peers.collect(), Vec::new());
    let held = together(4, |_| {
        let placed = (0..25_000).map(|_| balancer.place(&ask(now, "x")).expect("room"));
        placed.collect::<Vec<_>>()
    });
    let uses = in_use(&balancer);
    assert_eq!(uses.iter().sum::<u32>(), 100_000);
    assert!(spread(&uses) <= 1, "{uses:?}");
    drop(held);
    assert_eq!(in_use(&balancer), [0; 7]);
}

#[test]
fn a_hundred_conferences_of_one_millisecond_spread_evenly() {
    for _ in 0..20 {
        let peers = (1..=6).map(|port| peer(&format!("p{port}"), port, 100));
        let (balancer, now) = balancer(peers.collect(), vec![meet()]);
        let held = together(4, |thread| {
            let names = (0..25).map(|number| format!("meet{thread}-{number}"));
            let placed = names.map(|name| balancer.place(&ask(now, &name)).expect("room"));
            placed.collect::<Vec<_>>()
        });
        let uses = in_use(&balancer);
        assert!(spread(&uses) <= 1, "{uses:?}");
        let conferences: Vec<u32> = balancer
            .figures(now)
            .iter()
            .map(|peer| peer.conferences)
            .collect();
        assert_eq!((balancer.conference_count(), conferences), (100, uses));
        drop(held);
        assert_eq!(balancer.conference_count(), 0);
    }
}

#[test]
fn simultaneous_callers_of_one_conference_meet_whoever_is_first() {
    for round in 0..200 {
        let peers = (1..=6).map(|port| peer(&format!("p{port}"), port, 100));
        let any_number = AliasSettings {
            participants_max: None,
            ..meet()
        };
        let (balancer, now) = balancer(peers.collect(), vec![any_number]);
        let mut placed = together(4, |_| balancer.place(&ask(now, "meet")).expect("room"));
        let first = placed[0].peer;
        assert!(placed.iter().all(|one| one.peer == first), "round {round}");
        let all_here = |one: &mut Placement| one.permit.confirm() == Confirmation::Here;
        assert!(placed.iter_mut().all(all_here));
        assert_eq!(in_use(&balancer).iter().sum::<u32>(), 4);
        assert_eq!(balancer.conferences()[0].participants, 4);
        drop(placed);
        assert_eq!(
            (balancer.conference_count(), in_use(&balancer)),
            (0, vec![0; 6])
        );
    }
}

/// Everything at once: callers come, are answered, fail over and go, peers fail and come back, and
/// somebody reloads. At the end nothing is left, and nothing was ever beyond a limit.
#[test]
fn under_everything_at_once_nothing_leaks() {
    let peers: Vec<_> = (1..=3)
        .map(|port| peer(&format!("p{port}"), port, 5))
        .collect();
    let (balancer, now) = balancer(peers.clone(), vec![meet()]);
    let settings = Settings {
        peers,
        aliases: vec![meet()],
        ..Settings::default()
    };
    let split = together(4, |thread| {
        let mut split = 0;
        for round in 0..2_000u64 {
            let name = ["meet1", "meet2", "meet3", "meet4", "meet5"][(round % 5) as usize];
            if thread == 0 && round % 50 == 0 {
                balancer.reload(&settings, now).expect("right");
                continue;
            }
            let Ok(mut one) = balancer.place(&ask(now, name)) else {
                continue;
            };
            assert!(in_use(&balancer).iter().all(|uses| *uses <= 5));
            if (round + thread as u64).is_multiple_of(7) {
                balancer.report(now, one.peer, Outcome::Failed(Cause::Refused));
                let tried = [one.peer];
                let again = Request {
                    tried: &tried,
                    ..ask(now, name)
                };
                let next = balancer.place(&again);
                for _ in 0..2 {
                    let later = now + Duration::from_secs(round);
                    balancer.report(later, one.peer, Outcome::ProbeGood);
                    balancer.report(later + Duration::from_secs(6), one.peer, Outcome::ProbeGood);
                }
                let Ok(next) = next else { continue };
                one = next;
            }
            if one.permit.confirm() != Confirmation::Here {
                split += 1;
            }
        }
        split
    });
    assert_eq!(in_use(&balancer), [0, 0, 0]);
    assert_eq!(
        balancer.conference_count(),
        0,
        "{:?}",
        balancer.conferences()
    );
    let figures = balancer.figures(now);
    assert!(
        figures
            .iter()
            .all(|peer| peer.reserved == 0 && peer.conferences == 0)
    );
    assert!(split.iter().sum::<u32>() < 8_000);
}
