//! `choose` beside a naive list, and under threads.

use super::*;
use crate::board::Board;
use crate::health::{Event, Health};
use crate::report::{Reported, Source};
use crate::settings::{
    HealthSettings, Operator, PeerSettings, PoolSettings, Settings, Target, Transport,
};
use proptest::prelude::{
    Just, ProptestConfig, Strategy as Generator, any, prop, prop_assert, prop_assert_eq,
    prop_oneof, proptest,
};
use std::net::SocketAddr;

/// One peer of a random pool.
#[derive(Clone, Debug)]
struct Plan {
    room: u32,
    new_limit: u32,
    taken: u32,
    confirmed: u32,
    reported: Option<u32>,
    weight: u32,
    conferences: u32,
    operator: Operator,
    event: Option<Event>,
    is_tried: bool,
}

fn plan() -> impl Generator<Value = Plan> {
    let figures = (0u32..12, 0u32..14, 0u32..12, 0u32..12, 1u32..4, 0u32..4);
    let operator = prop_oneof![
        8 => Just(Operator::Ready),
        1 => Just(Operator::Drain),
        1 => Just(Operator::Maint)
    ];
    let event = prop_oneof![
        8 => Just(None),
        1 => Just(Some(Event::Hard)),
        1 => Just(Some(Event::Soft)),
        1 => Just(Some(Event::Pause(1_000))),
        1 => Just(Some(Event::Pause(1)))
    ];
    let reported = prop::option::weighted(0.2, 0u32..14);
    (
        figures,
        operator,
        event,
        reported,
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(
                (room, new_limit, taken, confirmed, weight, conferences),
                operator,
                event,
                reported,
                is_tried,
            )| {
                Plan {
                    room,
                    new_limit,
                    taken,
                    confirmed: confirmed.min(taken),
                    reported,
                    weight,
                    conferences,
                    operator,
                    event,
                    is_tried,
                }
            },
        )
}

/// The moment of the choice.
const NOW: u64 = 100;

fn board(plans: &[Plan], strategy: Strategy) -> Board {
    let peers = plans.iter().zip(1u16..).map(|(plan, port)| {
        let target = Target {
            transport: Transport::Udp,
            remote: SocketAddr::from(([127, 0, 0, 1], port)),
        };
        PeerSettings {
            new_limit: plan.new_limit,
            weight: plan.weight,
            ..PeerSettings::new(format!("p{port}"), target, plan.room)
        }
    });
    let settings = Settings {
        configuration: 0,
        peers: peers.collect(),
        pools: vec![PoolSettings {
            strategy,
            ..PoolSettings::new(crate::POOL_OF_ALL)
        }],
        aliases: Vec::new(),
        health: HealthSettings::default(),
    };
    let board = Board::new(&settings, None).expect("right");
    for (plan, peer) in plans.iter().zip(board.peers()) {
        let vitals = &peer.vitals;
        assert!(vitals.counts.take_if(plan.taken, |_| true));
        vitals.counts.confirm(plan.confirmed);
        vitals
            .conferences
            .store(plan.conferences, Ordering::Relaxed);
        vitals.change_health(|health: Health| health.with_operator(plan.operator));
        if let Some(event) = plan.event {
            vitals.observe(event, NOW - 10, &board.rules);
        }
        if let Some(in_use) = plan.reported {
            let reported = Reported {
                source: Source::Api,
                in_use: Some(in_use),
                sessions_max: None,
            };
            vitals.reconcile(reported, NOW - 10);
        }
    }
    board
}

/// What the specification says of one peer: its score if it can take the call.
fn naive(plan: &Plan, strategy: Strategy, sessions: u32) -> Option<f64> {
    let used = plan.taken.max(plan.reported.unwrap_or(0));
    let is_well = match plan.event {
        None | Some(Event::Soft) => true,
        Some(Event::Pause(time)) => NOW - 10 + time <= NOW,
        Some(Event::Good | Event::Hard | Event::ProbeBad | Event::ProbeGood) => false,
    };
    let fits = plan.operator == Operator::Ready
        && is_well
        && !plan.is_tried
        && used + sessions <= plan.new_limit.min(plan.room);
    let (room, free) = (
        f64::from(plan.room),
        f64::from(plan.room - used.min(plan.room)),
    );
    let score = match strategy {
        Strategy::MostAvailable => free,
        Strategy::LeastBusy => free / room,
        Strategy::Weighted => f64::from(plan.weight) / (f64::from(used) + 1.0),
        Strategy::RoundRobin => 0.0,
        Strategy::Dma => {
            let mixers = (room - 2.0 * f64::from(plan.conferences)).max(0.0);
            (free / room).min(mixers / room)
        }
    };
    fits.then_some(score)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_choice_is_one_of_the_best_of_a_naive_list(
        plans in prop::collection::vec(plan(), 0..10),
        strategy in prop_oneof![
            Just(Strategy::MostAvailable),
            Just(Strategy::LeastBusy),
            Just(Strategy::Weighted),
            Just(Strategy::RoundRobin),
            Just(Strategy::Dma),
        ],
        sessions in 1u32..3,
        turn in any::<u32>(),
    ) {
        let board = board(&plans, strategy);
        let ids = board.peers().iter().zip(&plans);
        let tried: Vec<PeerId> = ids.filter(|(_, plan)| plan.is_tried).map(|(peer, _)| peer.id).collect();
        let wanted = Wanted { rules: &board.rules, now: NOW, tried: &tried, not: None, sessions, tags: 0, turn };
        let scores: Vec<Option<f64>> = plans.iter().map(|plan| naive(plan, strategy, sessions)).collect();
        let best = scores.iter().flatten().copied().reduce(f64::max);
        let chosen = choose(&board.pools[0], &wanted);
        let chosen = chosen.map(|(candidate, seen)| {
            assert_eq!(seen.taken(), plans[candidate.position as usize].taken);
            candidate.position as usize
        });
        match (chosen, best) {
            (None, None) => {}
            (Some(at), Some(best)) => {
                let score = scores[at].expect("who is chosen can take the call");
                // Scores are fixed-point numbers of 32 bits after the point.
                prop_assert!((best - score).abs() < 1e-9, "{at} has {score}, best is {best}");
            }
            (chosen, best) => prop_assert!(false, "chosen {chosen:?}, best {best:?}"),
        }
        if strategy == Strategy::RoundRobin && let Some(at) = chosen {
            let fitting: Vec<usize> = (0..plans.len()).filter(|at| scores[*at].is_some()).collect();
            prop_assert_eq!(at, fitting[turn as usize % fitting.len()]);
        }
    }
}

#[test]
fn lots_favour_nobody() {
    let plan = Plan {
        room: 10,
        new_limit: 10,
        taken: 0,
        confirmed: 0,
        reported: None,
        weight: 1,
        conferences: 0,
        operator: Operator::Ready,
        event: None,
        is_tried: false,
    };
    // Neighbours of peers that cannot be chosen get no more than others.
    let plans: Vec<Plan> = (0..12)
        .map(|number| Plan {
            is_tried: matches!(number, 3 | 4 | 9),
            ..plan.clone()
        })
        .collect();
    for strategy in [Strategy::MostAvailable, Strategy::RoundRobin] {
        let board = board(&plans, strategy);
        let tried = [PeerId(3), PeerId(4), PeerId(9)];
        let mut wins = [0u32; 12];
        for turn in 0..9_000 {
            let wanted = Wanted {
                rules: &board.rules,
                now: NOW,
                tried: &tried,
                not: None,
                sessions: 1,
                tags: 0,
                turn,
            };
            let (chosen, _) = choose(&board.pools[0], &wanted).expect("room");
            wins[chosen.position as usize] += 1;
        }
        let fair = |(at, won): (usize, &u32)| match at {
            3 | 4 | 9 => *won == 0,
            _ => (900..1_100).contains(won),
        };
        assert!(wins.iter().enumerate().all(fair), "{strategy:?}: {wins:?}");
    }
}

#[test]
fn who_comes_back_begins_slowly() {
    let plan = |taken| Plan {
        room: 100,
        new_limit: 100,
        taken,
        confirmed: 0,
        reported: None,
        weight: 1,
        conferences: 0,
        operator: Operator::Ready,
        event: None,
        is_tried: false,
    };
    let board = board(&[plan(0), plan(50)], Strategy::MostAvailable);
    let back = &board.peers()[0].vitals;
    for (event, at) in [
        (Event::Hard, 0),
        (Event::ProbeGood, 0),
        (Event::ProbeGood, 5_000),
    ] {
        back.observe(event, at, &board.rules);
    }
    let chosen = |now| {
        let wanted = Wanted {
            rules: &board.rules,
            now,
            tried: &[],
            not: None,
            sessions: 1,
            tags: 0,
            turn: 0,
        };
        let chosen = choose(&board.pools[0], &wanted);
        chosen.expect("room").0.position
    };
    // 100 free at a part of its strength against 50 free.
    assert_eq!(
        [chosen(5_000), chosen(9_900), chosen(10_200), chosen(15_000)],
        [1, 1, 0, 0]
    );
}
