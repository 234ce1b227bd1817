//! The world: one thing happens after another, in the order of a virtual clock, and the witness sees it all.
//!
//! Only the start of the clock is real. What happens at the same instant happens in an order drawn from the seed.

mod agents;
mod probes;
mod strangers;
mod traffic;

use crate::finding::{Fault, Finding};
use crate::ladder::Ladder;
use crate::net::Net;
use crate::node::{Holdings, Node};
use crate::place::Place;
use crate::sabotage::{Sabotage, Saboteur};
use crate::scenario::{Scenario, thawed};
use crate::seen::Seen;
use crate::witness::Witness;
use agents::Agents;
use loadtest::agent::Random;
use signaling::Ticket;
use signaling::sip::message::{Index, Limits};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Longer than any call of a scenario and all timers behind it.
const QUIET_AFTER: Duration = Duration::from_secs(900);
/// Peers are probed so long after the last call was placed.
const PROBING: Duration = Duration::from_secs(60);
/// So many things may happen at one instant.
const STEPS_PER_INSTANT_MAX: u64 = 20_000;
/// The seats in conferences are counted each time that so many things have happened.
const CONFERENCES_COUNTED: u64 = 64;
/// Lines of a ladder shown with a finding.
const LINES_SHOWN: usize = 60;

/// How a world is watched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    /// Keep the ladder.
    pub ladder: bool,
    /// Show whole messages in it.
    pub messages: bool,
    /// Let the node have this bug.
    pub sabotage: Option<Sabotage>,
}

/// What was counted in one world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls placed.
    pub calls: u64,
    /// Messages sent by anybody.
    pub messages: u64,
    /// Messages lost.
    pub lost: u64,
    /// Messages that came twice.
    pub doubled: u64,
    /// Messages overtaken.
    pub held_up: u64,
    /// Things that happened.
    pub steps: u64,
    /// Of all bytes sent by anybody, in order.
    pub fingerprint: u64,
}

/// One world.
pub struct World {
    scenario: Scenario,
    base: Instant,
    now: Duration,
    step: u64,
    steps_at_now: u64,
    random: Random,
    index: Index,
    node: Node,
    agents: Agents,
    net: Net,
    witness: Witness,
    ladder: Option<Ladder>,
    saboteur: Option<Saboteur>,
    placed: usize,
    outages: usize,
    probes: usize,
    intrusions: usize,
    orders: usize,
    reloads: usize,
    /// What strangers do, which must not change anything else that happens.
    strangers: Random,
    is_draining: bool,
    /// When the last call is placed.
    last: Duration,
    probes_stopped: bool,
    /// When each worker wakes, for which deadline.
    wakes: Vec<Option<(Instant, Duration)>>,
    /// What could not be sent: by when the worker hears of it.
    failures: BTreeMap<(Duration, u64), Failure>,
    failed: u64,
    /// Who died: nothing of this call reaches or leaves that place any more.
    gone: BTreeMap<(u64, Place), Duration>,
    fingerprint: u64,
}

struct Failure {
    worker: usize,
    ticket: Ticket,
    to: Place,
    message: Rc<Seen>,
}

/// What can happen next.
#[derive(Clone, Copy, Debug)]
enum Event {
    Agent(Place),
    Arrival,
    Call,
    Drain,
    Failure,
    Intrusion,
    Order,
    Outage,
    Probe,
    Reload,
    StopProbing,
    Wake(usize),
}

impl World {
    /// The world of a scenario, before anything happens.
    #[must_use]
    pub fn new(scenario: Scenario, watch: Watch) -> Self {
        let base = Instant::now();
        let mut random = Random::new(scenario.seed);
        let node = Node::new(&scenario, base, &mut random);
        let agents = Agents::new(&scenario, &mut random);
        let net = Net::new(&scenario, random.bits());
        let ladder = (watch.ladder || watch.messages).then(|| Ladder::new(watch.messages));
        Self {
            base,
            now: Duration::ZERO,
            step: 0,
            steps_at_now: 0,
            random,
            index: Index::new(Limits::default()),
            wakes: vec![None; node.workers()],
            node,
            agents,
            net,
            witness: Witness::new(&scenario),
            ladder,
            saboteur: watch
                .sabotage
                .map(|sabotage| Saboteur::new(sabotage, scenario.is_v6)),
            placed: 0,
            outages: 0,
            probes: 0,
            intrusions: 0,
            orders: 0,
            reloads: 0,
            strangers: Random::new(scenario.seed ^ 0x57a9_6e45),
            is_draining: false,
            last: scenario
                .calls
                .last()
                .map_or(Duration::ZERO, |script| script.at),
            probes_stopped: false,
            failures: BTreeMap::new(),
            failed: 0,
            gone: BTreeMap::new(),
            fingerprint: 0xcbf2_9ce4_8422_2325,
            scenario,
        }
    }

    /// Lets everything happen until all is quiet.
    ///
    /// # Errors
    /// The first thing that must not be. A panic of the node is one.
    pub fn run(&mut self) -> Result<Figures, Finding> {
        let result = catch_unwind(AssertUnwindSafe(|| self.run_unguarded()));
        match result {
            Ok(Ok(())) => Ok(self.figures()),
            Ok(Err(fault)) => Err(self.finding(fault)),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                let what = format!("panic: {}", text.unwrap_or("without a text"));
                Err(self.finding(Fault::of_world(what)))
            }
        }
    }

    /// The ladder so far, of one call or of all.
    #[must_use]
    pub fn ladder(&self, call: Option<u64>) -> String {
        self.ladder
            .as_ref()
            .map(|ladder| ladder.text(call))
            .unwrap_or_default()
    }

    /// What was counted so far.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let net = self.net.figures;
        Figures {
            calls: self.placed as u64,
            messages: net.sent,
            lost: net.lost,
            doubled: net.doubled,
            held_up: net.held_up,
            steps: self.step,
            fingerprint: self.fingerprint,
        }
    }

    fn finding(&self, fault: Fault) -> Finding {
        let ladder = self.ladder.as_ref();
        Finding {
            seed: self.scenario.seed,
            step: self.step,
            at: self.now,
            call: fault.call,
            ladder: ladder
                .map(|ladder| ladder.tail(fault.call, LINES_SHOWN))
                .unwrap_or_default(),
            what: fault.what,
        }
    }

    fn run_unguarded(&mut self) -> Result<(), Fault> {
        if let Some(saboteur) = &mut self.saboteur {
            saboteur.steal(self.base, self.node.balancer());
        }
        let last = self.last;
        while let Some((at, event)) = self.next() {
            if matches!(event, Event::Wake(_)) && self.is_idle() {
                break;
            }
            if at > last + QUIET_AFTER {
                let left = self.node.holdings(true);
                return Err(Fault::of_world(format!(
                    "{QUIET_AFTER:?} after the last call it is not quiet: {event:?}, {left:?}"
                )));
            }
            self.advance(at)?;
            self.foresee()?;
            self.happen(event)?;
            let counts = self.step.is_multiple_of(CONFERENCES_COUNTED);
            self.witness.settle(self.now, self.holdings(counts))?;
        }
        self.foresee()?;
        self.agents.check_quiet(&self.witness)?;
        self.witness.finish(&self.holdings(true))
    }

    /// Whether nothing is to come: no worker has anything to do but to look, while calls live, whether a peer was found dead.
    fn is_idle(&self) -> bool {
        let scenario = &self.scenario;
        let is_over = self.placed == scenario.calls.len()
            && self.outages == scenario.outages.len()
            && self.probes == scenario.probes.len()
            && self.intrusions == scenario.intrusions.len()
            && self.orders == scenario.orders.len()
            && self.reloads == scenario.reloads.len()
            && self.probes_stopped
            && self.failures.is_empty();
        if !is_over || self.net.next().is_some() || !self.agents.timeouts().is_empty() {
            return false;
        }
        let [_, clients, servers, timers, exchanges, ..] = self.node.holdings(false).occupancy;
        [clients, servers, timers, exchanges] == [0; 4]
    }

    /// The witness, and who sabotages, know how each peer is before anything happens to it.
    fn foresee(&mut self) -> Result<(), Fault> {
        let peers = self.node.peers(self.base + self.now);
        if let Some(saboteur) = &mut self.saboteur {
            saboteur.foresee(&peers);
        }
        self.witness.foresee(self.now, peers)
    }

    fn holdings(&self, with_conferences: bool) -> Holdings {
        let with_conferences = with_conferences && self.scenario.meetings.is_some();
        let holdings = self.node.holdings(with_conferences);
        match &self.saboteur {
            Some(saboteur) => saboteur.holdings(holdings),
            None => holdings,
        }
    }

    /// Time goes on, if only a little.
    fn advance(&mut self, at: Duration) -> Result<(), Fault> {
        self.step += 1;
        self.steps_at_now = if at > self.now {
            0
        } else {
            self.steps_at_now + 1
        };
        debug_assert!(at >= self.now, "time does not go back");
        self.now = self.now.max(at);
        if self.steps_at_now > STEPS_PER_INSTANT_MAX {
            return Err(Fault::of_world("time stands still"));
        }
        Ok(())
    }

    /// The earliest of all that can happen; of several at one instant, any.
    fn next(&mut self) -> Option<(Duration, Event)> {
        let mut events = Vec::with_capacity(16);
        let mut add = |at: Option<Duration>, event| events.extend(at.map(|at| (at, event)));
        add(self.net.next(), Event::Arrival);
        let call = self.scenario.calls.get(self.placed);
        add(call.map(|script| script.at), Event::Call);
        let outage = self.scenario.outages.get(self.outages);
        add(outage.map(|outage| outage.from), Event::Outage);
        add(self.scenario.probes.get(self.probes).copied(), Event::Probe);
        let intrusion = self.scenario.intrusions.get(self.intrusions);
        add(intrusion.copied(), Event::Intrusion);
        let reload = self.scenario.reloads.get(self.reloads);
        add(reload.map(|reload| reload.at), Event::Reload);
        let order = self.scenario.orders.get(self.orders);
        add(order.map(|order| order.at), Event::Order);
        let drain_at = self.scenario.drain_at.filter(|_| !self.is_draining);
        add(drain_at, Event::Drain);
        let stop = (!self.probes_stopped).then_some(self.last + PROBING);
        add(stop, Event::StopProbing);
        let failure = self.failures.first_key_value();
        add(failure.map(|((at, _), _)| *at), Event::Failure);
        for worker in 0..self.wakes.len() {
            add(self.wake(worker), Event::Wake(worker));
        }
        for (place, at) in self.agents.timeouts() {
            add(
                Some(at.saturating_duration_since(self.base)),
                Event::Agent(place),
            );
        }
        let first = events.iter().map(|(at, _)| *at).min()?;
        events.retain(|(at, _)| *at == first);
        let turn = self.random.below(events.len() as u64);
        let (_, event) = events.get(usize::try_from(turn).unwrap_or(0))?;
        Some((first.max(self.now), *event))
    }

    /// When a worker wakes: at its deadline, or a little late.
    fn wake(&mut self, worker: usize) -> Option<Duration> {
        if self.saboteur.as_ref().is_some_and(Saboteur::stops_timers) {
            return None;
        }
        let deadline = self.node.poll_timeout(worker);
        let wake = self.wakes.get_mut(worker)?;
        let Some(deadline) = deadline else {
            *wake = None;
            return None;
        };
        if let Some((of, at)) = *wake
            && of == deadline
        {
            return Some(at);
        }
        let late = self.random.up_to(self.scenario.lateness);
        let at = deadline.saturating_duration_since(self.base) + late;
        let freezes = &self.scenario.freezes;
        let mut at = thawed(freezes, at.max(self.now));
        // A worker takes in what waits for it before it lets time pass, as that of `baton::shell` does.
        if freezes.iter().any(|(_, until)| *until == at) {
            at += Duration::from_nanos(1);
        }
        *wake = Some((deadline, at));
        Some(at)
    }

    fn happen(&mut self, event: Event) -> Result<(), Fault> {
        let now = self.base + self.now;
        match event {
            Event::Agent(place) => {
                self.agents.handle_timeout(now, place);
                self.collect_agent(place)
            }
            Event::Arrival => self.arrive(),
            Event::Call => self.place_call(),
            Event::Drain => {
                self.is_draining = true;
                self.node.drain();
                self.witness.drain(self.now);
                self.note(None, "the node takes no new calls");
                Ok(())
            }
            Event::Failure => self.fail(now),
            Event::Intrusion => self.intrude(),
            Event::Order => {
                self.order(now);
                Ok(())
            }
            Event::Reload => {
                self.reload(now);
                Ok(())
            }
            Event::Outage => {
                self.break_connection();
                Ok(())
            }
            Event::Probe => self.probe(),
            Event::StopProbing => {
                self.probes_stopped = true;
                self.node.stop_probing();
                Ok(())
            }
            Event::Wake(worker) => {
                if let Some(wake) = self.wakes.get_mut(worker) {
                    *wake = None;
                }
                self.node.handle_timeout(now, worker);
                self.collect_node(worker)
            }
        }
    }

    /// The node takes other settings over.
    fn reload(&mut self, now: Instant) {
        let Some(reload) = self.scenario.reloads.get(self.reloads).copied() else {
            return;
        };
        self.reloads += 1;
        self.witness.reload(&self.scenario, reload.closed);
        if !self.saboteur.as_ref().is_some_and(Saboteur::loses_reloads) {
            self.node.reload(now, &self.scenario, reload.closed);
        }
        self.note(None, &format!("the node takes {reload:?} over"));
    }

    /// The operator says what a peer is for from now on.
    fn order(&mut self, now: Instant) {
        let Some(order) = self.scenario.orders.get(self.orders).copied() else {
            return;
        };
        self.orders += 1;
        self.witness.order(&order);
        if !self.saboteur.as_ref().is_some_and(Saboteur::loses_orders) {
            self.node.order(now, order.peer, order.operator);
        }
        let what = format!("peer-{} is to be {:?}", order.peer + 1, order.operator);
        self.note(None, &what);
    }

    fn note(&mut self, call: Option<u64>, what: &str) {
        if let Some(ladder) = &mut self.ladder {
            ladder.note(self.now, call, what);
        }
    }
}
