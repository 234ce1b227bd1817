//! The callers and peers of a world.

use crate::finding::Fault;
use crate::place::Place;
use crate::scenario::{NUMBERS_PER_CALLER, Scenario};
use crate::witness::Witness;
use loadtest::agent::{
    Agent, Behaviour, Caller, CallerSettings, Outcome, Peer, PeerSettings, Plan, Random, Timers,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// All agents.
pub(super) struct Agents {
    callers: Vec<Caller>,
    peers: Vec<Peer>,
}

impl Agents {
    pub(super) fn new(scenario: &Scenario, random: &mut Random) -> Self {
        let timers = Timers::default();
        let callers = scenario
            .callers
            .iter()
            .zip(0u8..)
            .map(|(transport, number)| {
                let settings = CallerSettings {
                    local: Place::Caller(number).address(scenario.is_v6),
                    target: Place::Node.address(scenario.is_v6),
                    transport: *transport,
                    timers,
                    seed: random.bits(),
                    run: 0,
                    rooms: scenario.rooms(),
                };
                Caller::new(settings).numbered_from(u64::from(number) * NUMBERS_PER_CALLER)
            });
        let callers = callers.collect();
        let behaviours: BTreeMap<u64, (Option<Behaviour>, Behaviour)> = scenario
            .calls
            .iter()
            .map(|script| (script.number, (script.first, script.behaviour)))
            .collect();
        let asked_first: Arc<Mutex<BTreeMap<u64, u8>>> = Arc::default();
        let peers = scenario.peers.iter().zip(0u8..).map(|(peer, number)| {
            let behaviours = behaviours.clone();
            let asked_first = Arc::clone(&asked_first);
            Peer::new(PeerSettings {
                local: Place::Peer(number).address(scenario.is_v6),
                transport: peer.transport,
                timers,
                seed: random.bits(),
                run: 0,
                max_forwards: 69,
                chooser: Box::new(move |asked| {
                    let behaviour = behaviours.get(&asked.number).map(|(first, other)| {
                        let mut asked_first = asked_first.lock().expect("no panic in between");
                        let is_first = *asked_first.entry(asked.number).or_insert(number) == number;
                        first.filter(|_| is_first).unwrap_or(*other)
                    });
                    // A number that nobody dialled: the witness has complained already.
                    behaviour.unwrap_or_else(|| Behaviour::refuse(404))
                }),
            })
        });
        Self {
            callers,
            peers: peers.collect(),
        }
    }

    /// When each agent wants to be woken.
    pub(super) fn timeouts(&self) -> Vec<(Place, Instant)> {
        let callers = (0u8..)
            .zip(&self.callers)
            .map(|(number, caller)| (Place::Caller(number), caller.poll_timeout()));
        let peers = (0u8..)
            .zip(&self.peers)
            .map(|(number, peer)| (Place::Peer(number), peer.poll_timeout()));
        callers
            .chain(peers)
            .filter_map(|(place, at)| Some((place, at?)))
            .collect()
    }

    pub(super) fn agent(&mut self, place: Place) -> Option<&mut dyn Agent> {
        match place {
            Place::Caller(number) => {
                let caller = self.callers.get_mut(usize::from(number))?;
                Some(caller)
            }
            Place::Peer(number) => {
                let peer = self.peers.get_mut(usize::from(number))?;
                Some(peer)
            }
            Place::Node | Place::Stranger => None,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, place: Place) {
        if let Some(agent) = self.agent(place) {
            agent.handle_timeout(now);
        }
    }

    /// A caller places a call; its number.
    pub(super) fn place(&mut self, now: Instant, caller: usize, plan: Plan) -> Option<u64> {
        Some(self.callers.get_mut(caller)?.place(now, plan))
    }

    pub(super) fn outcomes(&mut self, place: Place) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        if let Place::Caller(number) = place
            && let Some(caller) = self.callers.get_mut(usize::from(number))
        {
            outcomes.extend(std::iter::from_fn(|| caller.poll_outcome()));
        }
        outcomes
    }

    /// Nobody has anything left, and where nothing was lost nobody waited for an ACK in vain.
    pub(super) fn check_quiet(&self, witness: &Witness) -> Result<(), Fault> {
        for (number, caller) in (0u8..).zip(&self.callers) {
            check_agent(
                witness,
                Place::Caller(number),
                caller,
                caller.live_numbers(),
            )?;
        }
        for (number, peer) in (0u8..).zip(&self.peers) {
            check_agent(witness, Place::Peer(number), peer, peer.live_numbers())?;
        }
        let missing: u64 = self
            .peers
            .iter()
            .map(|peer| peer.counts().acks_missing)
            .sum();
        if missing > 0 && !witness.has_disturbed() {
            return Err(Fault::of_world(format!(
                "nothing was lost, and {missing} ACKs never came to their peers"
            )));
        }
        Ok(())
    }
}

/// An agent without a clock has no call left, except those whose end it could not hear of.
fn check_agent(
    witness: &Witness,
    place: Place,
    agent: &impl Agent,
    live: impl Iterator<Item = u64>,
) -> Result<(), Fault> {
    let mut is_deaf = false;
    for call in live {
        is_deaf = witness.could_not_hear(place, call);
        if !is_deaf {
            let what = format!("{place} has a call that never ends");
            return Err(Fault::of_call(call, what));
        }
    }
    if is_deaf || agent.is_quiet() {
        return Ok(());
    }
    let what = format!("{place} keeps what it has no clock for");
    Err(Fault::of_world(what))
}
