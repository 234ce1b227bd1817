//! Two and three members that hear each other as the test lets them.

use super::*;
use crate::settings::{Identity, Silence};

const POOL: [&str; 3] = ["a", "b", "c"];

fn address(name: &str) -> SocketAddr {
    let at = POOL.iter().position(|other| *other == name).unwrap();
    SocketAddr::from(([10, 0, 0, u8::try_from(at + 1).unwrap()], 1719))
}

fn settings(name: &str, others: &[&str], epoch: u64) -> Settings {
    Settings {
        identity: Identity {
            cluster: "lab".into(),
            name: name.into(),
            epoch,
        },
        members: others
            .iter()
            .map(|other| MemberSettings {
                name: (*other).into(),
                address: address(other),
            })
            .collect(),
        key: b"a key of enough octets".to_vec(),
        configuration: 7,
        silence: Silence::Hold(Duration::from_secs(1_800)),
    }
}

/// Members on a network that delivers at once what the test does not hold back.
struct World {
    now: Instant,
    nodes: Vec<(&'static str, Cluster)>,
    /// All datagrams that were sent: from, to, octets.
    sent: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    outputs: Vec<(&'static str, Output)>,
    /// How long each datagram takes, and those that are under way.
    delay: Duration,
    under_way: Vec<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
}

impl World {
    fn new(names: &[&'static str]) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test tells the time")]
        let now = Instant::now();
        let node = |name: &&'static str| {
            let others: Vec<&str> = names
                .iter()
                .copied()
                .filter(|other| other != name)
                .collect();
            (
                *name,
                Cluster::new(now, settings(name, &others, 1), 1).unwrap(),
            )
        };
        Self {
            now,
            nodes: names.iter().map(node).collect(),
            sent: Vec::new(),
            outputs: Vec::new(),
            delay: Duration::ZERO,
            under_way: Vec::new(),
        }
    }

    fn node(&mut self, name: &str) -> &mut Cluster {
        let found = self.nodes.iter_mut().find(|(other, _)| *other == name);
        &mut found.unwrap().1
    }

    fn uses(&mut self, name: &str, figures: &[Figure]) {
        let now = self.now;
        self.node(name)
            .handle_figures(now, Load::default(), figures);
    }

    /// Lets time pass in steps of 5 ms; a datagram arrives if `passes(from, to)`.
    fn run(&mut self, time: Duration, passes: impl Fn(SocketAddr, SocketAddr) -> bool) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(5);
            let now = self.now;
            for at in 0..self.nodes.len() {
                let (name, node) = &mut self.nodes[at];
                if node.poll_timeout(now).is_some_and(|due| due <= now) {
                    node.handle_timeout(now);
                }
                let mut outputs = Vec::new();
                while let Some(output) = node.poll_output() {
                    outputs.push((*name, output));
                }
                for (name, output) in outputs {
                    let Output::Datagram { to, octets } = output else {
                        self.outputs.push((name, output));
                        continue;
                    };
                    let from = address(name);
                    self.sent.push((from, to, octets.clone()));
                    if passes(from, to) {
                        let arrives = now + self.delay;
                        self.under_way.push((arrives, from, to, octets));
                    }
                }
            }
            let (arrived, under_way) = std::mem::take(&mut self.under_way)
                .into_iter()
                .partition(|(at, ..)| *at <= now);
            self.under_way = under_way;
            for (_, from, to, octets) in arrived {
                let there = self.nodes.iter_mut().find(|(name, _)| address(name) == to);
                if let Some((_, there)) = there {
                    there.handle_datagram(now, from, &octets);
                }
            }
        }
    }

    fn elsewhere(&mut self, name: &str) -> Vec<Figure> {
        let mut sums: Vec<Figure> = self.node(name).elsewhere().collect();
        sums.sort_by_key(|sum| sum.key);
        sums
    }

    fn presence(&mut self, of: &str, by: &str) -> Presence {
        let now = self.now;
        let found = self.node(by).members(now).find(|member| member.name == of);
        found.unwrap().presence
    }
}

fn figure(name: &str, used: u64) -> Figure {
    Figure {
        key: Key::bandwidth(name),
        used,
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn all(_: SocketAddr, _: SocketAddr) -> bool {
    true
}

#[test]
fn what_one_uses_the_others_know() {
    let mut world = World::new(&POOL);
    let sessions = Figure {
        key: Key::sessions("bridge"),
        used: 3,
    };
    world.uses("a", &[figure("pipe", 384), sessions]);
    world.uses("b", &[figure("pipe", 100)]);
    world.run(ms(200), all);
    assert_eq!(world.elsewhere("a"), [figure("pipe", 100)]);
    assert_eq!(world.elsewhere("b"), [sessions, figure("pipe", 384)]);
    assert_eq!(world.elsewhere("c"), [sessions, figure("pipe", 484)]);
    // Nothing of it any more, by not naming it.
    world.uses("a", &[]);
    world.run(ms(200), all);
    assert_eq!(world.elsewhere("c"), [figure("pipe", 100)]);
    let changed = world
        .outputs
        .iter()
        .filter_map(|(name, output)| match output {
            Output::Elsewhere { key, used } if *name == "c" && *key == Key::bandwidth("pipe") => {
                Some(*used)
            }
            Output::Elsewhere { .. } | Output::Presence { .. } | Output::Conflict { .. } => None,
            Output::Datagram { .. } => unreachable!("sent"),
        });
    assert_eq!(
        changed.collect::<Vec<_>>().last(),
        Some(&100),
        "the owner is told each change"
    );
}

#[test]
fn a_quiet_cluster_says_little() {
    let mut world = World::new(&POOL);
    world.uses("a", &[figure("pipe", 384)]);
    world.run(ms(1_000), all);
    world.sent.clear();
    world.run(ms(10_000), all);
    // Each of three tells each of two others five times a second.
    assert!(
        (280..=310).contains(&world.sent.len()),
        "{}",
        world.sent.len()
    );
}

#[test]
fn a_lost_figure_is_told_again_until_it_is_heard() {
    let mut world = World::new(&["a", "b"]);
    world.run(ms(200), all);
    world.uses("a", &[figure("pipe", 384)]);
    world.run(ms(500), |from, _| from != address("a"));
    assert_eq!(world.elsewhere("b"), []);
    world.run(ms(1_000), all);
    assert_eq!(world.elsewhere("b"), [figure("pipe", 384)]);
}

#[test]
fn a_lost_confirmation_costs_a_repetition_only() {
    let mut world = World::new(&["a", "b"]);
    world.run(ms(200), all);
    world.uses("a", &[figure("pipe", 384)]);
    world.sent.clear();
    world.run(ms(2_000), |from, _| from == address("a"));
    assert_eq!(world.elsewhere("b"), [figure("pipe", 384)]);
    let told = world
        .sent
        .iter()
        .filter(|(from, ..)| *from == address("a"))
        .count();
    assert!((20..40).contains(&told), "told {told} times");
}

#[test]
fn who_is_silent_is_missed_and_counts_until_it_is_forgotten() {
    let mut world = World::new(&POOL);
    world.uses("b", &[figure("pipe", 384)]);
    world.run(ms(500), all);
    assert_eq!(world.presence("b", "a"), Presence::Fresh);
    let dead = |from, to| from != address("b") && to != address("b");
    world.run(ms(4_500), dead);
    assert_eq!(world.presence("b", "a"), Presence::Suspect);
    assert_eq!(world.presence("c", "a"), Presence::Fresh);
    assert_eq!(
        world.elsewhere("a"),
        [figure("pipe", 384)],
        "its calls are probably still up"
    );
    let now = world.now;
    assert!(!world.node("a").forget(now, "d"));
    assert!(world.node("a").forget(now, "b"));
    assert_eq!(world.elsewhere("a"), []);
    assert_eq!(
        world.elsewhere("c"),
        [figure("pipe", 384)],
        "each node is told for itself"
    );
    // It was cut off only, and had more meanwhile.
    world.uses("b", &[figure("pipe", 500)]);
    world.run(ms(2_000), all);
    assert_eq!(world.elsewhere("a"), [figure("pipe", 500)]);
    assert_eq!(world.elsewhere("c"), [figure("pipe", 500)]);
}

#[test]
fn a_new_start_replaces_what_the_old_one_told() {
    let mut world = World::new(&POOL);
    world.uses("b", &[figure("pipe", 384), figure("link", 1)]);
    world.run(ms(500), all);
    world.nodes[1].1 = Cluster::new(world.now, settings("b", &["a", "c"], 2), 1).unwrap();
    world.uses("b", &[figure("link", 5)]);
    world.run(ms(500), all);
    assert_eq!(world.elsewhere("a"), [figure("link", 5)]);
    world.uses("a", &[figure("pipe", 9)]);
    world.run(ms(100), all);
    assert_eq!(
        world.elsewhere("b"),
        [figure("pipe", 9)],
        "and the new start learns what is"
    );
}

#[test]
fn a_node_whose_clock_went_back_is_heard_all_the_same() {
    let mut world = World::new(&POOL);
    world.nodes[1].1 = Cluster::new(world.now, settings("b", &["a", "c"], 900), 1).unwrap();
    world.uses("b", &[figure("pipe", 384)]);
    world.run(ms(500), all);
    assert_eq!(world.elsewhere("a"), [figure("pipe", 384)]);
    world.nodes[1].1 = Cluster::new(world.now, settings("b", &["a", "c"], 5), 1).unwrap();
    world.uses("b", &[figure("link", 7)]);
    world.uses("a", &[figure("pipe", 9)]);
    world.run(ms(500), all);
    assert_eq!(world.elsewhere("a"), [figure("link", 7)]);
    assert_eq!(world.elsewhere("b"), [figure("pipe", 9)]);
}

#[test]
fn nothing_that_was_recorded_changes_anything() {
    let mut world = World::new(&POOL);
    world.uses("b", &[figure("pipe", 384)]);
    world.run(ms(500), all);
    world.uses("b", &[]);
    world.run(ms(500), all);
    let mut recorded = world.sent.clone();
    // Two restarts of the receiver, and one of the sender, between the record and the replay.
    for epoch in [2, 3] {
        world.nodes[0].1 = Cluster::new(world.now, settings("a", &["b", "c"], epoch), 1).unwrap();
        world.run(ms(500), all);
        recorded.extend(world.sent.clone());
    }
    world.nodes[1].1 = Cluster::new(world.now, settings("b", &["a", "c"], 2), 1).unwrap();
    world.run(ms(500), all);
    let before = world.node("a").counters();
    let now = world.now;
    let to_a = recorded.iter().filter(|(_, to, _)| *to == address("a"));
    let mut replayed = 0;
    for (from, _, octets) in to_a {
        world.node("a").handle_datagram(now, *from, octets);
        replayed += 1;
    }
    let after = world.node("a").counters();
    assert_eq!(after.applied, before.applied);
    let dropped = |why| after.dropped(why) - before.dropped(why);
    let refused = [Dropped::Epoch, Dropped::Unproven, Dropped::Replay].map(dropped);
    assert_eq!(refused.iter().sum::<u64>(), replayed);
    assert!(refused.iter().all(|count| *count > 0), "{refused:?}");
    assert_eq!(world.elsewhere("a"), []);
}

#[test]
fn a_replay_does_not_keep_a_dead_member_alive() {
    let mut world = World::new(&["a", "b"]);
    world.run(ms(300), all);
    world.uses("b", &[figure("pipe", 384)]);
    // One update is held back and let go when its sender is dead.
    world.sent.clear();
    world.run(ms(300), |_, _| false);
    let held = world
        .sent
        .iter()
        .find(|(from, ..)| *from == address("b"))
        .cloned()
        .unwrap();
    world.run(ms(300), all);
    world.run(ms(2_900), |_, _| false);
    let now = world.now;
    world.node("a").handle_datagram(now, held.0, &held.2);
    world.run(ms(500), |_, _| false);
    assert_eq!(world.presence("b", "a"), Presence::Suspect);
}

#[test]
fn whoever_is_not_believed_changes_nothing() {
    let mut world = World::new(&POOL);
    world.uses("b", &[figure("pipe", 384)]);
    world.run(ms(500), all);
    world.run(ms(20), all);
    let (from, _, good) = world
        .sent
        .iter()
        .rfind(|(from, to, _)| *from == address("b") && *to == address("a"))
        .cloned()
        .unwrap();
    let now = world.now;
    let seal = Seal::new(b"a key of enough octets", "lab");
    let signed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut octets = good[..good.len() - wire::MAC].to_vec();
        change(&mut octets);
        seal.close(&mut octets);
        octets
    };
    // The body begins behind 25 octets of carrier and one or two of length.
    let body = good.len() - wire::body(&good).unwrap().len();
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let stranger = SocketAddr::from(([10, 0, 0, 99], 1719));
    let cases: [(Dropped, SocketAddr, Vec<u8>); 9] = [
        (Dropped::Stranger, stranger, good.clone()),
        (
            Dropped::Stranger,
            SocketAddr::new(from.ip(), 1720),
            good.clone(),
        ),
        (Dropped::Oversized, from, vec![0x5c; DATAGRAM_MAX + 1]),
        (Dropped::Malformed, from, good[..good.len() - 1].to_vec()),
        (Dropped::Malformed, from, b"\x0e\x40".to_vec()),
        (Dropped::Version, from, signed(&|octets| octets[body] = 2)),
        (
            Dropped::Cluster,
            from,
            signed(&|octets| octets[body + 8] ^= 1),
        ),
        (Dropped::Name, address("c"), good.clone()),
        (Dropped::Forged, from, forged),
    ];
    for (why, from, octets) in cases {
        let before = world.node("a").counters().dropped(why);
        let elsewhere = world.elsewhere("a");
        world.node("a").handle_datagram(now, from, &octets);
        assert_eq!(
            world.node("a").counters().dropped(why),
            before + 1,
            "{}",
            why.as_str()
        );
        assert_eq!(world.elsewhere("a"), elsewhere);
    }
}

#[test]
fn a_flood_of_repetitions_keeps_nobody_out() {
    let mut world = World::new(&["a", "b"]);
    world.run(ms(300), all);
    let (from, _, old) = world
        .sent
        .iter()
        .rfind(|(from, ..)| *from == address("b"))
        .cloned()
        .unwrap();
    for step in 0..1_000 {
        let now = world.now;
        for _ in 0..20 {
            world.node("a").handle_datagram(now, from, &old);
        }
        world.uses("b", &[figure("pipe", 384 + step % 7)]);
        world.run(ms(5), all);
    }
    assert_eq!(world.presence("b", "a"), Presence::Fresh);
    world.run(ms(100), all);
    assert_eq!(world.elsewhere("a"), [figure("pipe", 384 + 999 % 7)]);
    assert_eq!(world.node("a").counters().dropped(Dropped::Replay), 20_000);
    assert_eq!(world.node("a").counters().dropped(Dropped::Flood), 0);
}

#[test]
fn what_is_for_one_member_says_nothing_to_another() {
    let mut world = World::new(&POOL);
    world.nodes[2].1 = Cluster::new(world.now, settings("c", &["a", "b"], 900), 1).unwrap();
    world.uses("b", &[figure("pipe", 384)]);
    world.run(ms(500), all);
    let before = world.node("a").counters();
    let now = world.now;
    let for_c = world.sent.clone();
    let for_c = for_c
        .iter()
        .filter(|(from, to, _)| *from == address("b") && *to == address("c"));
    let mut count = 0;
    for (from, _, octets) in for_c {
        world.node("a").handle_datagram(now, *from, octets);
        count += 1;
    }
    let after = world.node("a").counters();
    assert_eq!(
        after.dropped(Dropped::Name) - before.dropped(Dropped::Name),
        count
    );
    assert_eq!(after.applied, before.applied);
}

#[test]
fn a_start_that_is_raised_later_frees_nothing() {
    let mut world = World::new(&POOL);
    world.nodes[0].1 = Cluster::new(world.now, settings("a", &["b", "c"], 900), 1).unwrap();
    world.run(ms(500), all);
    // a starts again with its clock back, and first meets c, which has started again too.
    world.nodes[0].1 = Cluster::new(world.now, settings("a", &["b", "c"], 5), 1).unwrap();
    world.nodes[2].1 = Cluster::new(world.now, settings("c", &["a", "b"], 2), 1).unwrap();
    world.uses("a", &[figure("pipe", 384)]);
    world.run(ms(500), |from, to| {
        from != address("b") && to != address("b")
    });
    assert_eq!(world.elsewhere("c"), [figure("pipe", 384)]);
    world.outputs.clear();
    world.run(ms(500), all);
    assert_eq!(world.elsewhere("b"), [figure("pipe", 384)]);
    let freed = world
        .outputs
        .iter()
        .any(|(name, output)| *name == "c" && matches!(output, Output::Elsewhere { used: 0, .. }));
    assert!(!freed, "c never thought that a uses nothing");
}

#[test]
fn a_member_with_another_configuration_is_not_heard_and_frees_nothing() {
    let mut world = World::new(&["a", "b"]);
    world.uses("b", &[figure("pipe", 384)]);
    world.run(ms(500), all);
    let now = world.now;
    let changed = Settings {
        configuration: 8,
        ..settings("b", &["a"], 1)
    };
    world.node("b").reload(now, changed).unwrap();
    world.uses("b", &[figure("pipe", 100)]);
    world.outputs.clear();
    world.run(ms(1_500), all);
    assert_eq!(world.elsewhere("a"), [figure("pipe", 384)]);
    let differs = |differs, member: &str| Output::Conflict {
        member: member.into(),
        differs,
    };
    assert!(world.outputs.contains(&("a", differs(true, "b"))));
    assert!(world.outputs.contains(&("b", differs(true, "a"))));
    // The other half of the push.
    let now = world.now;
    let changed = Settings {
        configuration: 8,
        ..settings("a", &["b"], 1)
    };
    world.node("a").reload(now, changed).unwrap();
    world.outputs.clear();
    world.run(ms(1_500), all);
    assert_eq!(world.elsewhere("a"), [figure("pipe", 100)]);
    assert!(world.outputs.contains(&("a", differs(false, "b"))));
}

#[test]
fn a_flag_is_told_at_once() {
    let mut world = World::new(&["a", "b"]);
    world.run(ms(500), all);
    let now = world.now;
    let load = Load {
        draining: true,
        calls_max: 10,
        calls: 4,
        ..Load::default()
    };
    world.node("a").handle_figures(now, load, &[]);
    world.run(ms(40), all);
    let now = world.now;
    let told = world.node("b").members(now).next().unwrap().load;
    assert_eq!(told, load);
}

#[test]
fn members_come_and_go_by_reload() {
    let mut world = World::new(&POOL);
    world.uses("b", &[figure("pipe", 1)]);
    world.uses("c", &[figure("pipe", 2)]);
    // So long that the numbers of a new list would be far behind.
    world.run(ms(60_000), all);
    let now = world.now;
    let without_b = settings("a", &["c"], 1);
    world.node("a").reload(now, without_b).unwrap();
    assert_eq!(world.elsewhere("a"), [figure("pipe", 2)]);
    world.run(ms(1_500), all);
    assert!(world.node("a").counters().dropped(Dropped::Stranger) > 0);
    let now = world.now;
    world
        .node("a")
        .reload(now, settings("a", &["c", "b"], 1))
        .unwrap();
    world.run(ms(4_000), all);
    assert_eq!(world.elsewhere("a"), [figure("pipe", 3)], "b tells it anew");
}

#[test]
fn a_node_that_starts_waits_until_it_knows_what_the_others_use() {
    let mut world = World::new(&POOL);
    let many: Vec<Figure> = (0..400)
        .map(|number| figure(&format!("pipe {number}"), 1))
        .collect();
    world.uses("b", &many);
    world.run(ms(500), all);
    assert!(
        world
            .nodes
            .iter()
            .all(|(_, node)| node.is_informed(world.now))
    );
    world.nodes[0].1 = Cluster::new(world.now, settings("a", &["b", "c"], 2), 1).unwrap();
    let mut informed_at = None;
    let count = std::cell::Cell::new(0);
    for step in 0..200 {
        let now = world.now;
        if world.node("a").is_informed(now) {
            informed_at = informed_at.or(Some(step));
            assert_eq!(world.elsewhere("a").len(), many.len());
        }
        // A quarter of all updates is lost.
        world.run(ms(5), |_, _| count.replace(count.get() + 1) * 7 % 11 > 2);
    }
    assert!(informed_at.is_some_and(|step| step > 4), "{informed_at:?}");
    // Alone it waits in vain, and not for ever.
    world.nodes[0].1 = Cluster::new(world.now, settings("a", &["b", "c"], 3), 1).unwrap();
    world.run(ms(2_900), |_, _| false);
    let now = world.now;
    assert!(!world.node("a").is_informed(now));
    world.run(ms(100), |_, _| false);
    let now = world.now;
    assert!(world.node("a").is_informed(now));
}

#[test]
fn a_long_way_does_not_keep_a_figure_from_being_confirmed() {
    let mut world = World::new(&["a", "b"]);
    world.delay = ms(60);
    world.uses("a", &[figure("pipe", 384)]);
    world.run(ms(2_000), all);
    assert_eq!(world.elsewhere("b"), [figure("pipe", 384)]);
    world.sent.clear();
    world.run(ms(2_000), all);
    let longest = world.sent.iter().map(|(.., octets)| octets.len()).max();
    let empty = world.sent.iter().map(|(.., octets)| octets.len()).min();
    assert_eq!(longest, empty, "nothing is told any more");
    assert!(world.sent.len() <= 22, "{} heartbeats", world.sent.len());
}
