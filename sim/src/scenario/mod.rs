//! What a seed means: how many calls, what becomes of each, what the network does to them.

mod meetings;
mod ringing;
mod script;
mod strain;
mod talk;
mod timed;
mod weather;

pub use meetings::{Meetings, Order};
pub use script::{Fate, Script};
pub use strain::{Crowd, Reload};
pub use weather::{Death, Link, Outage};

use loadtest::agent::{Behaviour, Plan, Random};
use signaling::{Timers, Transport};
use std::fmt;
use std::time::Duration;

/// Calls of one caller are numbered from its own number times this, so that no two callers share a number.
pub const NUMBERS_PER_CALLER: u64 = 1000;

/// Room that no scenario fills.
pub const CALLS_MAX: usize = 10_000;

const MS: Duration = Duration::from_millis(1);

/// A peer of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerPlan {
    /// Its own transport.
    pub transport: Transport,
    /// How the node is told to reach it.
    pub reached_by: balancer::Transport,
    /// Sessions that it has room for.
    pub sessions_max: u32,
    /// Up to how many of them it takes calls that begin a conference, or share none.
    pub new_limit: u32,
    /// Its pool: the second one is for when the first has no room.
    pub pool: u8,
}

/// Everything that one seed decides.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// Workers of the node.
    pub workers: u8,
    /// Whether all addresses are IPv6.
    pub is_v6: bool,
    /// The node's clocks.
    pub timers: Timers,
    /// Calls that each worker has room for.
    pub calls_max: usize,
    /// The callers' transports.
    pub callers: Vec<Transport>,
    /// The peers.
    pub peers: Vec<PeerPlan>,
    /// The calls, in the order in which they are placed.
    pub calls: Vec<Script>,
    /// The network on the callers' side and on the peers' side.
    pub links: [Link; 2],
    /// How late a worker may wake for its timers.
    pub lateness: Duration,
    /// When the node is told to take no new calls.
    pub drain_at: Option<Duration>,
    /// When connections break.
    pub outages: Vec<Outage>,
    /// When peers are dead: nothing reaches or leaves them.
    pub deaths: Vec<Death>,
    /// From when until when the node stands still.
    pub freezes: Vec<(Duration, Duration)>,
    /// When somebody asks something out of place.
    pub probes: Vec<Duration>,
    /// Whether only the callers' network may call.
    pub has_zones: bool,
    /// When a stranger does something.
    pub intrusions: Vec<Duration>,
    /// How the calls share conferences, if they do.
    pub meetings: Option<Meetings>,
    /// What the operator wants of peers, in the order of time.
    pub orders: Vec<Order>,
    /// When the node has more to do than it can.
    pub crowds: Vec<Crowd>,
    /// When it takes other settings over.
    pub reloads: Vec<Reload>,
}

impl Scenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5ca1_ab1e_0ddb_a115);
        let random = &mut random;
        let workers = match random.below(10) {
            0..=5 => 1,
            6..=8 => 2,
            _ => 3,
        };
        let ring = if random.permille(300) {
            MS * 20_000
        } else {
            MS * 181_000
        };
        let (callers, peers) = parties(random);
        let count = if random.permille(150) {
            1
        } else {
            1 + random.below(40)
        };
        let spread = MS * pick(random, &[0, 20, 2000, 60_000]);
        let mut placed = vec![0; callers.len()];
        let mut at = Duration::ZERO;
        let mut calls = Vec::new();
        for _ in 0..count {
            at += random.up_to(spread);
            let caller = index(random, callers.len());
            let number = caller as u64 * NUMBERS_PER_CALLER + next(&mut placed, caller);
            calls.push(Script::draw(random, at, caller, number));
        }
        let end = at + MS * 30_000;
        let mut scenario = Self {
            seed,
            workers,
            is_v6: random.permille(80),
            timers: Timers {
                ring,
                ..Timers::default()
            },
            calls_max: CALLS_MAX,
            callers,
            peers,
            calls,
            links: weather::links(random),
            lateness: MS * pick(random, &[0, 0, 1, 15]),
            drain_at: random.permille(40).then(|| random.up_to(at + MS)),
            outages: Vec::new(),
            deaths: Vec::new(),
            freezes: Vec::new(),
            probes: Vec::new(),
            has_zones: false,
            intrusions: Vec::new(),
            meetings: None,
            orders: Vec::new(),
            crowds: Vec::new(),
            reloads: Vec::new(),
        };
        scenario.deaths = weather::deaths(random, scenario.peers.len(), end);
        scenario.outages = weather::outages(random, &scenario, end);
        scenario.freezes = weather::freezes(random, end);
        // A worker that is full refuses without keeping anything (RFC 3261 §8.2.7), and may have room again when a copy of
        // the INVITE comes: what is right then nobody knows, so no copies.
        let has_no_copies =
            scenario.links.iter().all(Link::makes_no_copies) && scenario.freezes.is_empty();
        if has_no_copies && random.permille(300) {
            scenario.calls_max = 1 + index(random, 6);
        }
        scenario.probes = probes(random, end);
        scenario.has_zones = random.permille(500);
        scenario.intrusions = intrusions(random, end);
        scenario.embellish(at, end);
        scenario
    }

    /// What some worlds have beside, each by random numbers of its own; the last call is placed at `last`.
    fn embellish(&mut self, last: Duration, end: Duration) {
        meetings::add(self, end);
        talk::add(self);
        ringing::add(self);
        timed::add(self);
        strain::add(self, last);
    }

    /// A quiet world with one call over UDP: one caller, one peer, no loss.
    #[must_use]
    pub fn of_one_call(seed: u64, plan: Plan, behaviour: Behaviour) -> Self {
        Self {
            seed,
            workers: 1,
            is_v6: false,
            timers: Timers::default(),
            calls_max: CALLS_MAX,
            callers: vec![Transport::Udp],
            peers: vec![PeerPlan {
                transport: Transport::Udp,
                reached_by: balancer::Transport::Udp,
                sessions_max: 10,
                new_limit: 10,
                pool: 0,
            }],
            calls: vec![Script {
                at: Duration::ZERO,
                caller: 0,
                number: 0,
                plan,
                first: None,
                behaviour,
                fate: Fate::Lives,
            }],
            links: [Link::fair(MS); 2],
            lateness: Duration::ZERO,
            drain_at: None,
            outages: Vec::new(),
            deaths: Vec::new(),
            freezes: Vec::new(),
            probes: Vec::new(),
            has_zones: false,
            intrusions: Vec::new(),
            meetings: None,
            orders: Vec::new(),
            crowds: Vec::new(),
            reloads: Vec::new(),
        }
    }

    /// Whether this peer is dead at this time.
    #[must_use]
    pub fn is_dead(&self, peer: usize, at: Duration) -> bool {
        let mut deaths = self.deaths.iter();
        deaths.any(|death| death.peer == peer && (death.from..death.until).contains(&at))
    }

    /// Whether every message arrives, and before anybody becomes impatient.
    #[must_use]
    pub fn has_calm_network(&self) -> bool {
        let is_calm = |link: &Link| link.loss == 0 && link.refused == 0 && !link.is_slow();
        self.links.iter().all(is_calm)
            && [self.outages.len(), self.deaths.len(), self.freezes.len()] == [0; 3]
    }

    /// The call of this number.
    #[must_use]
    pub fn script(&self, number: u64) -> Option<&Script> {
        self.calls.iter().find(|script| script.number == number)
    }
}

impl fmt::Display for Scenario {
    /// What stands above a ladder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            workers, calls_max, ..
        } = self;
        let ring = self.timers.ring;
        writeln!(
            f,
            "seed {}: {workers} workers for {calls_max} calls each, timer C {ring:?}, wake-ups late by {:?}",
            self.seed, self.lateness
        )?;
        writeln!(f, "callers speak {:?}, IPv6: {}", self.callers, self.is_v6)?;
        for peer in &self.peers {
            writeln!(f, "{peer:?}")?;
        }
        for (side, link) in ["callers' side", "peers' side"].iter().zip(self.links) {
            writeln!(f, "{side}: {link:?}")?;
        }
        for outage in &self.outages {
            writeln!(f, "{outage:?}")?;
        }
        for death in &self.deaths {
            writeln!(f, "{death:?}")?;
        }
        for (from, until) in &self.freezes {
            writeln!(f, "the node stands still from {from:?} until {until:?}")?;
        }
        if let Some(meetings) = &self.meetings {
            writeln!(f, "{meetings:?}")?;
        }
        for order in &self.orders {
            writeln!(f, "{order:?}")?;
        }
        for crowd in &self.crowds {
            writeln!(f, "{crowd:?}")?;
        }
        for reload in &self.reloads {
            writeln!(f, "{reload:?}")?;
        }
        for script in &self.calls {
            writeln!(
                f,
                "call {}: {:?}, first {:?}, {:?}, {:?}",
                script.number, script.plan, script.first, script.behaviour, script.fate
            )?;
        }
        Ok(())
    }
}

/// When that happens at the node which would happen at this time, were it not for its freezes.
#[must_use]
pub fn thawed(freezes: &[(Duration, Duration)], at: Duration) -> Duration {
    let freeze = freezes
        .iter()
        .find(|(from, until)| (*from..*until).contains(&at));
    freeze.map_or(at, |(_, until)| *until)
}

/// When somebody asks something out of place.
fn probes(random: &mut Random, end: Duration) -> Vec<Duration> {
    if !random.permille(600) {
        return Vec::new();
    }
    let mut probes: Vec<Duration> = (0..random.below(40))
        .map(|_| random.up_to(end + MS * 250_000))
        .collect();
    probes.sort();
    probes
}

/// When strangers do something.
fn intrusions(random: &mut Random, end: Duration) -> Vec<Duration> {
    let count = if random.permille(600) {
        random.below(30)
    } else {
        0
    };
    let mut intrusions: Vec<Duration> = (0..count)
        .map(|_| random.up_to(end + MS * 60_000))
        .collect();
    intrusions.sort();
    intrusions
}

/// Callers and peers; on three of four seeds all speak UDP.
fn parties(random: &mut Random) -> (Vec<Transport>, Vec<PeerPlan>) {
    let (tcp_callers, tcp_peers) = match random.below(8) {
        0 => (1000, 1000),
        1 => (500, 500),
        _ => (0, 0),
    };
    let transport = |random: &mut Random, share| {
        if random.permille(share) {
            Transport::Tcp
        } else {
            Transport::Udp
        }
    };
    let callers: Vec<Transport> = (0..=random.below(3))
        .map(|_| transport(random, tcp_callers))
        .collect();
    let is_small = random.permille(250);
    let peers = (0..=random.below(4))
        .map(|_| {
            let transport = transport(random, tcp_peers);
            let named = match transport {
                Transport::Tcp | Transport::Tls => balancer::Transport::Tcp,
                Transport::Udp => balancer::Transport::Udp,
            };
            let is_same = callers.iter().all(|caller| *caller == transport);
            let reached_by = if is_same && random.permille(500) {
                balancer::Transport::Same
            } else {
                named
            };
            let sessions_max = if is_small {
                u32::try_from(random.below(6)).unwrap_or(0)
            } else {
                1000
            };
            PeerPlan {
                transport,
                reached_by,
                sessions_max,
                new_limit: sessions_max,
                pool: 0,
            }
        })
        .collect();
    (callers, peers)
}

/// How many calls this caller had so far; it has one more now.
fn next(placed: &mut [u64], caller: usize) -> u64 {
    let count = placed.get_mut(caller).expect("a caller of this world");
    *count += 1;
    *count - 1
}

/// One of a list.
fn pick<T: Copy>(random: &mut Random, list: &[T]) -> T {
    let place = index(random, list.len());
    *list.get(place).expect("lists to pick from are not empty")
}

/// A place in a list of this length.
fn index(random: &mut Random, length: usize) -> usize {
    usize::try_from(random.below(length as u64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadtest::agent::{Ending, Offer, Verdict};

    /// What the first seeds hold is what `cargo test` tries: it should be everything.
    #[test]
    fn the_first_seeds_hold_every_kind_of_call() {
        let scenarios: Vec<Scenario> = (0..256).map(Scenario::of).collect();
        let scripts: Vec<&Script> = scenarios
            .iter()
            .flat_map(|scenario| &scenario.calls)
            .collect();
        let some = |wanted: &dyn Fn(&Script) -> bool| {
            scripts.iter().filter(|script| wanted(script)).count() >= 10
        };
        for verdict in [
            Verdict::Answer,
            Verdict::AnswerTwice,
            Verdict::Refuse(486),
            Verdict::Refuse(503),
            Verdict::RingOn,
            Verdict::Silence,
        ] {
            assert!(
                some(&|script| script.behaviour.verdict == verdict),
                "{verdict:?}"
            );
        }
        for fate in [
            Fate::CallerGoneAtBye,
            Fate::CallerGoneAtFinal,
            Fate::PeerGoneAtBye,
        ] {
            assert!(some(&|script| script.fate == fate), "{fate:?}");
        }
        assert!(some(&|script| matches!(
            script.fate,
            Fate::CallerGoneAfter(_)
        )));
        assert!(some(&|script| matches!(
            script.fate,
            Fate::PeerGoneAfter(_)
        )));
        assert!(some(&|script| script.plan.offer == Offer::Delayed));
        assert!(some(&|script| matches!(
            script.plan.ending,
            Ending::Cancel { .. }
        )));
        assert!(some(
            &|script| script.plan.ending == Ending::CancelCrossing2xx
        ));
        assert!(some(&|script| script.behaviour.early_media));
        let worlds = |wanted: &dyn Fn(&Scenario) -> bool| {
            scenarios.iter().filter(|world| wanted(world)).count() >= 5
        };
        assert!(worlds(&|world| world.workers == 2) && worlds(&|world| world.is_v6));
        assert!(
            worlds(&|world| world.links.iter().all(|link| link.loss == 300)),
            "storms"
        );
        assert!(worlds(&|world| world.links == [Link::fair(MS); 2]
            || world.links.iter().all(|link| link.loss == 0)));
        assert!(worlds(&|world| world.calls_max < CALLS_MAX), "full workers");
        assert!(worlds(&|world| !world.freezes.is_empty()), "freezes");
        assert!(
            worlds(&|world| world.links.iter().any(|link| link.refused > 0)),
            "refused datagrams"
        );
        assert!(
            worlds(&|world| world.drain_at.is_some()) && worlds(&|world| !world.outages.is_empty())
        );
        assert!(worlds(&|world| world.callers.contains(&Transport::Tcp)));
        meetings::tests::assert_every_kind(&scenarios);
        talk::tests::assert_every_kind(&scenarios);
        ringing::tests::assert_every_kind(&scenarios);
        timed::tests::assert_every_kind(&scenarios);
        strain::tests::assert_every_kind(&scenarios);
    }
}
