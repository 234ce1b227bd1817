//! Lets a scenario happen, and judges.

use super::scenario::{CALL_KBPS, Event, Scenario};
use super::witness::{QUIET, sums};
use cluster::{Cluster, Figure, Identity, Key, Load, MemberSettings, Output, Settings};
use loadtest::agent::Random;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A bug on purpose: the witness must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Nobody counts what others use.
    Deaf,
    /// What others use is counted, and never less of it.
    NeverLess,
    /// Every hundredth change of a sum is overlooked.
    Forgetful,
    /// A node that has started admits at once.
    Hasty,
    /// A node tells what it uses half a second late.
    Late,
}

/// What was counted in a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls admitted.
    pub admitted: u64,
    /// Calls refused.
    pub refused: u64,
    /// Datagrams sent.
    pub datagrams: u64,
    /// The most that was admitted beyond a limit, in kbit/s.
    pub beyond_kbps: u64,
    /// Datagrams that came again or were changed, and did nothing.
    pub attacks: u64,
}

/// Runs the world of a seed.
///
/// # Errors
/// What must not happen and did.
pub fn run(seed: u64, sabotage: Option<Sabotage>) -> Result<Figures, String> {
    let mut world = World::new(Scenario::of(seed), sabotage);
    match world.run() {
        Ok(()) => Ok(world.figures),
        Err(what) => Err(format!(
            "members, seed {seed}, {:.3} s: {what}\n{:?}",
            (world.now - world.begun).as_secs_f64(),
            world.scenario
        )),
    }
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) node: usize,
    pub(super) resource: usize,
    ends: Instant,
    pub(super) admitted: Instant,
}

/// One member.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) cluster: Cluster,
    epoch: u64,
    alive: bool,
    /// What the others use, as the cluster announced it.
    pub(super) elsewhere: BTreeMap<Key, u64>,
    changes: u64,
    /// When it tells its own figures, if they have changed.
    tells_at: Option<Instant>,
    /// When it is to be served at the latest.
    due: Option<Instant>,
    /// Calls up, by resource.
    calls: Vec<u64>,
}

#[derive(Debug)]
struct Packet {
    from: usize,
    to: usize,
    octets: Vec<u8>,
}

pub(super) struct World {
    pub(super) scenario: Scenario,
    sabotage: Option<Sabotage>,
    random: Random,
    begun: Instant,
    pub(super) now: Instant,
    pub(super) nodes: Vec<Node>,
    pub(super) keys: Vec<Key>,
    calls: Vec<Call>,
    /// Calls of the last seconds, ended or not: who could not know of them yet is excused.
    pub(super) recent: Vec<Call>,
    network: BTreeMap<(Instant, u64), Packet>,
    sent: u64,
    /// Some that have arrived.
    heard: Vec<Packet>,
    configuration: u64,
    /// Below which number nobody hears the others.
    cut: Option<usize>,
    /// Until when what is admitted may be unknown to others: a cut, a push, a death.
    pub(super) blurred_since: Option<Instant>,
    /// Who died last.
    pub(super) away: Option<usize>,
    pub(super) figures: Figures,
}

impl World {
    fn new(scenario: Scenario, sabotage: Option<Sabotage>) -> Self {
        let begun = Instant::now();
        let mut world = Self {
            random: Random::new(scenario.seed),
            begun,
            now: begun,
            nodes: Vec::new(),
            keys: (0..scenario.resources)
                .map(|number| Key::bandwidth(&format!("pipe/{number}")))
                .collect(),
            calls: Vec::new(),
            recent: Vec::new(),
            network: BTreeMap::new(),
            sent: 0,
            heard: Vec::new(),
            configuration: 1,
            cut: None,
            blurred_since: None,
            away: None,
            figures: Figures::default(),
            scenario,
            sabotage,
        };
        for node in 0..world.scenario.nodes {
            let cluster = world.cluster(node, 1);
            world.nodes.push(Node {
                cluster,
                epoch: 1,
                alive: true,
                elsewhere: BTreeMap::new(),
                changes: 0,
                tells_at: None,
                due: Some(begun),
                calls: vec![0; world.scenario.resources],
            });
        }
        world
    }

    fn settings(&self, node: usize, epoch: u64, configuration: u64) -> Settings {
        let others = (0..self.scenario.nodes).filter(|other| *other != node);
        Settings {
            identity: Identity {
                cluster: "sim".into(),
                name: format!("node-{node}"),
                epoch,
            },
            members: others
                .map(|other| MemberSettings {
                    name: format!("node-{other}"),
                    address: address(other),
                })
                .collect(),
            key: b"a key of the simulated world".to_vec(),
            configuration,
            silence: self.scenario.silence,
        }
    }

    #[expect(clippy::expect_used, reason = "the settings of this world are right")]
    fn cluster(&self, node: usize, epoch: u64) -> Cluster {
        let settings = self.settings(node, epoch, self.configuration);
        Cluster::new(self.now, settings, self.scenario.seed).expect("right settings")
    }

    fn run(&mut self) -> Result<(), String> {
        self.pass(Duration::from_secs(1), |_, _| Ok(()))?;
        for phase in self.scenario.phases.clone() {
            self.pass(phase.at, Self::maybe_call)?;
            self.begin(phase.event)?;
            self.pass(phase.busy, Self::maybe_call)?;
            self.pass(phase.event.lasts(), Self::maybe_call)?;
            self.end(phase.event);
            self.pass(phase.busy, Self::maybe_call)?;
            // Quiet: calls that are up stay up.
            let ends = self.now + Duration::from_secs(3_600);
            self.calls.iter_mut().for_each(|call| call.ends = ends);
            self.pass(QUIET, |_, _| Ok(()))?;
            self.all_know_all()?;
            self.blurred_since = None;
            self.away = None;
            // Some end, with the next calls.
            let now = self.now;
            for call in &mut self.calls {
                call.ends = now + self.random.up_to(self.scenario.hold_max);
            }
        }
        self.calls.clear();
        self.count_calls();
        self.pass(QUIET, |_, _| Ok(()))?;
        self.all_know_all()?;
        let left = self
            .nodes
            .iter()
            .flat_map(|node| node.cluster.elsewhere())
            .count();
        if left > 0 {
            return Err(format!("{left} figures are left when no call is"));
        }
        Ok(())
    }

    /// Lets time pass; `each` may do something every millisecond.
    fn pass(
        &mut self,
        time: Duration,
        each: impl Fn(&mut Self, u64) -> Result<(), String>,
    ) -> Result<(), String> {
        let end = self.now + time;
        let mut step = 0;
        while self.now < end {
            self.now += Duration::from_millis(1);
            step += 1;
            self.deliver();
            self.end_calls();
            each(self, step)?;
            for node in 0..self.nodes.len() {
                let due = self.nodes.get(node).and_then(|node| node.due);
                if due.is_some_and(|due| due <= self.now) {
                    self.serve(node);
                }
            }
        }
        Ok(())
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.network.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let packet = entry.remove();
            let is_cut = self
                .cut
                .is_some_and(|below| (packet.from < below) != (packet.to < below));
            let Some(node) = self.nodes.get_mut(packet.to) else {
                continue;
            };
            if is_cut || !node.alive {
                continue;
            }
            let before = node.cluster.counters().applied;
            node.cluster
                .handle_datagram(self.now, address(packet.from), &packet.octets);
            node.due = Some(self.now);
            let applied = node.cluster.counters().applied > before;
            if applied && self.random.below(20) == 0 && self.heard.len() < 200 {
                self.heard.push(packet);
            }
        }
    }

    fn end_calls(&mut self) {
        let now = self.now;
        let alive: Vec<bool> = self.nodes.iter().map(|node| node.alive).collect();
        let before = self.calls.len();
        self.calls
            .retain(|call| call.ends > now || alive.get(call.node) == Some(&false));
        if self.calls.len() < before {
            self.count_calls();
        }
    }

    /// What a node uses has changed.
    fn changed(&mut self, node: usize) {
        let delay = match self.sabotage {
            Some(Sabotage::Late) => Duration::from_millis(500),
            Some(_) | None => Duration::ZERO,
        };
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(node) {
            node.tells_at = node.tells_at.or(Some(now + delay));
            node.due = Some(now);
        }
    }

    /// A call comes, perhaps.
    fn maybe_call(&mut self, _step: u64) -> Result<(), String> {
        let every = u64::try_from(self.scenario.calls_every.as_millis()).unwrap_or(1);
        if self.random.below(every) != 0 {
            return Ok(());
        }
        let node = index(&mut self.random, self.scenario.nodes);
        let resource = index(&mut self.random, self.scenario.resources);
        if !self.admits(node, resource) {
            self.figures.refused += 1;
            return Ok(());
        }
        self.figures.admitted += 1;
        let call = Call {
            node,
            resource,
            ends: self.now + self.random.up_to(self.scenario.hold_max),
            admitted: self.now,
        };
        self.calls.push(call);
        self.recent.push(call);
        self.count_calls();
        self.check_limit(&call)
    }

    /// Whether a node admits a call, by what it knows.
    fn admits(&self, node: usize, resource: usize) -> bool {
        let (Some(there), Some(key)) = (self.nodes.get(node), self.keys.get(resource)) else {
            return false;
        };
        let informed =
            self.sabotage == Some(Sabotage::Hasty) || there.cluster.is_informed(self.now);
        if !there.alive || !informed {
            return false;
        }
        let elsewhere = there.elsewhere.get(key).copied().unwrap_or_default();
        self.used(node, resource) + elsewhere + CALL_KBPS <= self.scenario.limit_kbps
    }

    pub(super) fn used(&self, node: usize, resource: usize) -> u64 {
        let node = self.nodes.get(node);
        let calls = node.and_then(|node| node.calls.get(resource));
        calls.copied().unwrap_or_default() * CALL_KBPS
    }

    /// Counts the calls anew, and says so to the nodes whose calls are others.
    fn count_calls(&mut self) {
        let mut counts = vec![vec![0; self.scenario.resources]; self.scenario.nodes];
        for call in &self.calls {
            let count = counts
                .get_mut(call.node)
                .and_then(|node| node.get_mut(call.resource));
            if let Some(count) = count {
                *count += 1;
            }
        }
        for (at, calls) in counts.into_iter().enumerate() {
            if let Some(node) = self.nodes.get_mut(at)
                && node.calls != calls
            {
                node.calls = calls;
                self.changed(at);
            }
        }
    }

    /// Gives a node its time and takes its effects.
    fn serve(&mut self, at: usize) {
        let now = self.now;
        let mut figures = Vec::new();
        if self
            .nodes
            .get(at)
            .is_some_and(|node| node.tells_at.is_some_and(|at| at <= now))
        {
            for (resource, key) in self.keys.iter().enumerate() {
                figures.push(Figure {
                    key: *key,
                    used: self.used(at, resource),
                });
            }
        }
        let Some(node) = self.nodes.get_mut(at) else {
            return;
        };
        if !node.alive {
            return;
        }
        if !figures.is_empty() {
            node.tells_at = None;
            node.cluster.handle_figures(now, Load::default(), &figures);
        }
        if node.cluster.poll_timeout(now).is_some_and(|due| due <= now) {
            node.cluster.handle_timeout(now);
        }
        let told = node.tells_at;
        node.due = node.cluster.poll_timeout(now).into_iter().chain(told).min();
        let mut leaving = Vec::new();
        while let Some(output) = node.cluster.poll_output() {
            match output {
                Output::Datagram { to, octets } => leaving.push((to, octets)),
                Output::Elsewhere { key, used } => {
                    node.changes += 1;
                    let known = node.elsewhere.entry(key).or_default();
                    match self.sabotage {
                        Some(Sabotage::Deaf) => {}
                        Some(Sabotage::Forgetful) if node.changes % 100 == 0 => {}
                        Some(Sabotage::NeverLess) => *known = used.max(*known),
                        Some(Sabotage::Forgetful | Sabotage::Hasty | Sabotage::Late) | None => {
                            *known = used;
                        }
                    }
                }
                Output::Presence { .. } | Output::Conflict { .. } => {}
            }
        }
        for (to, octets) in leaving {
            self.send(at, to, octets);
        }
    }

    fn send(&mut self, from: usize, to: SocketAddr, octets: Vec<u8>) {
        self.figures.datagrams += 1;
        let Some(to) = (0..self.scenario.nodes).find(|node| address(*node) == to) else {
            return;
        };
        let copies = 1 + u64::from(self.random.permille(self.scenario.doubled));
        for _ in 0..copies {
            if self.random.permille(self.scenario.lost) {
                continue;
            }
            self.sent += 1;
            let arrives = self.now + self.random.up_to(self.scenario.delay_max);
            let packet = Packet {
                from,
                to,
                octets: octets.clone(),
            };
            self.network.insert((arrives, self.sent), packet);
        }
    }

    fn begin(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Nothing => {}
            Event::Death { node, .. } => {
                self.blurred_since = Some(self.now - QUIET);
                self.away = Some(node);
                if let Some(node) = self.nodes.get_mut(node) {
                    node.alive = false;
                }
            }
            Event::Cut { below, .. } => {
                self.blurred_since = Some(self.now - QUIET);
                self.cut = Some(below);
            }
            Event::Attack => self.attack()?,
            Event::Push { .. } => {
                self.blurred_since = Some(self.now - QUIET);
                self.configuration += 1;
                for node in 0..self.nodes.len() / 2 {
                    self.reload(node);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, event: Event) {
        match event {
            Event::Nothing | Event::Attack => {}
            Event::Death {
                node, keeps_calls, ..
            } => self.restart(node, keeps_calls),
            Event::Cut { .. } => self.cut = None,
            Event::Push { .. } => {
                for node in self.nodes.len() / 2..self.nodes.len() {
                    self.reload(node);
                }
            }
        }
    }

    #[expect(clippy::expect_used, reason = "the settings of this world are right")]
    fn reload(&mut self, at: usize) {
        let now = self.now;
        let epoch = self.nodes.get(at).map_or(1, |node| node.epoch);
        let settings = self.settings(at, epoch, self.configuration);
        if let Some(node) = self.nodes.get_mut(at) {
            node.cluster.reload(now, settings).expect("right settings");
            node.due = Some(now);
        }
    }

    fn restart(&mut self, at: usize, keeps_calls: bool) {
        if !keeps_calls {
            self.calls.retain(|call| call.node != at);
            self.count_calls();
        }
        let epoch = self.nodes.get(at).map_or(1, |node| node.epoch + 1);
        let cluster = self.cluster(at, epoch);
        if let Some(node) = self.nodes.get_mut(at) {
            node.cluster = cluster;
            node.epoch = epoch;
            node.alive = true;
            node.elsewhere.clear();
        }
        self.changed(at);
    }

    /// What was heard comes again, as it was and with a bit changed.
    fn attack(&mut self) -> Result<(), String> {
        for packet in std::mem::take(&mut self.heard) {
            let bit = index(&mut self.random, packet.octets.len() * 8);
            let mut changed = packet.octets.clone();
            if let Some(octet) = changed.get_mut(bit / 8) {
                *octet ^= 1 << (bit % 8);
            }
            // To whom it was for, and to all others.
            for (at, node) in self.nodes.iter_mut().enumerate() {
                if at == packet.from {
                    continue;
                }
                for octets in [&packet.octets, &changed] {
                    let before = (node.cluster.counters().applied, sums(&node.cluster));
                    node.cluster
                        .handle_datagram(self.now, address(packet.from), octets);
                    self.figures.attacks += 1;
                    if before != (node.cluster.counters().applied, sums(&node.cluster)) {
                        return Err(format!("a repetition or forgery changed node {at}"));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Event {
    /// How long it goes on.
    fn lasts(self) -> Duration {
        match self {
            Self::Nothing | Self::Attack => Duration::ZERO,
            Self::Death { away: time, .. } | Self::Cut { time, .. } | Self::Push { time } => time,
        }
    }
}

fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 1, u8::try_from(node).unwrap_or(u8::MAX)], 1719))
}

fn index(random: &mut Random, below: usize) -> usize {
    usize::try_from(random.below(below as u64)).unwrap_or(0)
}
