//! The node under test: its workers on one balancer, as `baton::shell` would own them, without sockets.

use crate::place::Place;
use crate::scenario::Scenario;
use crate::seen::framing;
use balancer::{
    AliasSettings, Balancer, Operator, PeerId, PeerSettings, PeerState, PoolSettings, Role, Target,
};
use baton::node::Worker;
use loadtest::agent::{MIN_SE, Random};
use signaling::access::{Access, Prefix, Rates, Strangers, Zone};
use signaling::counters::Counters;
use signaling::sip::message::Limits;
use signaling::{ConnectionId, Hop, Listener, ListenerId, Settings, Ticket, Transport, Trouble};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A message that a worker sends.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) hop: Hop,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) bytes: Vec<u8>,
}

/// What a node holds at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holdings {
    /// Calls, client transactions, server transactions, timers, exchanges, attempts, permits, and attempts that left
    /// theirs to another address, of all workers.
    pub(crate) occupancy: [usize; 8],
    /// Sessions in use and at most, by peer.
    pub(crate) sessions: Vec<[u32; 2]>,
    /// Conferences that are known, and the seats in them; where they are counted.
    pub(crate) conferences: Option<[usize; 2]>,
}

/// The names of the pools, the first one first.
const POOLS: [&str; 2] = ["first", "second"];

/// Where calls can go, as it would be configured.
fn plan(scenario: &Scenario, closed: Option<usize>) -> balancer::Settings {
    let name_of = |pool: u8| POOLS.get(usize::from(pool)).copied().unwrap_or_default();
    let peers = scenario.peers.iter().zip(0u8..).map(|(peer, number)| {
        let place = Place::Peer(number);
        let target = Target {
            transport: peer.reached_by,
            remote: place.address(scenario.is_v6),
        };
        PeerSettings {
            pool: name_of(peer.pool).to_owned(),
            new_limit: if closed == Some(usize::from(number)) {
                0
            } else {
                peer.new_limit
            },
            ..PeerSettings::new(place.to_string(), target, peer.sessions_max)
        }
    });
    balancer::Settings {
        peers: peers.collect(),
        pools: POOLS.map(PoolSettings::new).to_vec(),
        aliases: aliases(scenario),
        ..balancer::Settings::default()
    }
}

fn aliases(scenario: &Scenario) -> Vec<AliasSettings> {
    let Some(meetings) = scenario.meetings else {
        return Vec::new();
    };
    let alias = |name: &str, pattern: &str, conference: &str| AliasSettings {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        priority: 10,
        conference: Some(conference.to_owned()),
        role: Role::Participant,
        fallback: false,
        may_create: true,
        participants_max: meetings.participants_max,
        pools: POOLS.map(str::to_owned).to_vec(),
        tags: Vec::new(),
        zones: Vec::new(),
    };
    let guests = AliasSettings {
        priority: 1,
        role: Role::Guest,
        fallback: false,
        may_create: false,
        ..alias("guests", r"room-(1)@example\.com", "meeting 0")
    };
    let rooms = alias("rooms", r"room-([0-9]+)@example\.com", r"meeting \1");
    let guests = meetings.has_guests.then_some(guests);
    guests.into_iter().chain([rooms]).collect()
}

/// Who may call: everybody, or the callers' network alone.
fn access(scenario: &Scenario) -> Access {
    let callers = if scenario.is_v6 {
        "2001:db8:1::/48"
    } else {
        "10.1.0.0/16"
    };
    let zones = callers.parse().ok().filter(|_| scenario.has_zones);
    let zones = zones.map(|callers| Zone {
        // The peers of this world count the hops.
        hops_max: 255,
        ..Zone::new("callers", vec![callers])
    });
    let peers = (0..scenario.peers.len()).zip(0u8..).map(|(_, number)| {
        let peer = Place::Peer(number).address(scenario.is_v6);
        Prefix::of(peer.ip())
    });
    Access::new(
        zones.into_iter().collect(),
        peers,
        Strangers::Refuse,
        Rates::default(),
    )
}

/// What a worker is told.
fn settings(scenario: &Scenario, worker: u8, secret: [u64; 2]) -> Settings {
    let local = Place::Node.address(scenario.is_v6);
    let listeners = [Transport::Udp, Transport::Tcp].map(|transport| Listener {
        transport,
        local,
        advertised: local.to_string(),
    });
    Settings {
        worker,
        workers: scenario.workers,
        secret,
        timers: scenario.timers,
        calls_max: scenario.calls_max,
        transactions_max: 50_000,
        exchanges_max: 10_000,
        exchanges_per_call_max: 8,
        // Short, for worlds of some minutes.
        session: signaling::SessionTimes {
            expires: 180,
            min_se: MIN_SE,
        },
        refer: signaling::ReferMode::default(),
        listeners: listeners.to_vec(),
        kept_octets_max: usize::MAX,
        access: Arc::new(access(scenario)),
        overload: signaling::overload::OverloadSettings::default(),
    }
}

/// All workers of one node.
pub(crate) struct Node {
    workers: Vec<Worker>,
    balancer: Arc<Balancer>,
    secret: [u64; 2],
    is_v6: bool,
}

impl Node {
    pub(crate) fn new(scenario: &Scenario, now: Instant, random: &mut Random) -> Self {
        let balancer = Balancer::new(&plan(scenario, None), scenario.seed, now);
        let balancer = Arc::new(balancer.expect("a scenario is right"));
        let secret = [random.bits(), random.bits()];
        let workers = (0..scenario.workers).map(|worker| {
            Worker::new(
                Arc::new(settings(scenario, worker, secret)),
                Limits::default(),
                Arc::clone(&balancer),
                Arc::new(Counters::default()),
                now,
            )
        });
        Self {
            workers: workers.collect(),
            balancer,
            secret,
            is_v6: scenario.is_v6,
        }
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers.len()
    }

    pub(crate) fn balancer(&self) -> &Balancer {
        &self.balancer
    }

    /// A message comes in at one worker, and is handed over if it belongs to another. Which one took it, or a complaint.
    pub(crate) fn handle_message(
        &mut self,
        now: Instant,
        at: usize,
        (from, transport, connection): (Place, Transport, Option<ConnectionId>),
        bytes: &[u8],
    ) -> Result<usize, String> {
        let source = Hop {
            transport,
            listener: ListenerId(match transport {
                Transport::Udp => 0,
                Transport::Tcp | Transport::Tls => 1,
            }),
            remote: from.address(self.is_v6),
            connection,
            identity: None,
        };
        let framing = framing(transport);
        let worker = self.workers.get_mut(at).ok_or("no such worker")?;
        let mut next = worker.handle_message(now, source, bytes, framing);
        let mut at = at;
        for _ in 0..=self.workers.len() {
            let Some(owner) = next.map(usize::from) else {
                return Ok(at);
            };
            if owner == at {
                return Err(format!("worker {at} hands a message over to itself"));
            }
            let worker = self.workers.get_mut(owner).ok_or_else(|| {
                format!("a message is handed over to worker {owner}, which is not")
            })?;
            next = worker.handle_handover(now, source, bytes, framing);
            at = owner;
        }
        Err("a message goes round for ever".into())
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, worker: usize) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.handle_timeout(now);
        }
    }

    pub(crate) fn handle_transport_error(&mut self, now: Instant, worker: usize, ticket: Ticket) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.handle_transport_error(now, ticket, Trouble::Refused);
        }
    }

    pub(crate) fn poll_timeout(&self, worker: usize) -> Option<Instant> {
        self.workers.get(worker)?.poll_timeout()
    }

    /// Takes all that a worker wants sent.
    pub(crate) fn collect(&mut self, now: Instant, worker: usize) -> Vec<Sent> {
        let Some(worker) = self.workers.get_mut(worker) else {
            return Vec::new();
        };
        let mut sent = Vec::new();
        while let Some(transmit) = worker.poll_output(now) {
            sent.push(Sent {
                hop: transmit.hop,
                ticket: transmit.ticket,
                bytes: worker.bytes(transmit.span).to_vec(),
            });
        }
        worker.sent();
        while worker.poll_change().is_some() {}
        sent
    }

    /// No peer is probed from now on, so that all can become quiet.
    pub(crate) fn stop_probing(&mut self) {
        for worker in &mut self.workers {
            worker.stop_probing();
        }
    }

    pub(crate) fn drain(&mut self) {
        for worker in &mut self.workers {
            worker.drain();
        }
    }

    /// What the node holds now. Conferences are counted only if they are asked for: that takes long.
    pub(crate) fn holdings(&self, with_conferences: bool) -> Holdings {
        let mut occupancy = [0; 8];
        for worker in &self.workers {
            for (sum, part) in occupancy.iter_mut().zip(worker.occupancy()) {
                *sum += part;
            }
        }
        let board = self.balancer.board();
        let sessions = board.peers().iter();
        let conferences = with_conferences.then(|| {
            let known = self.balancer.conferences();
            let seats: usize = known.iter().map(|known| known.seats as usize).sum();
            [known.len(), seats]
        });
        Holdings {
            occupancy,
            sessions: sessions
                .map(|peer| [peer.in_use(), peer.settings.sessions_max])
                .collect(),
            conferences,
        }
    }

    /// The state that each peer is in now, and its sessions in use.
    pub(crate) fn peers(&self, now: Instant) -> Vec<(PeerState, u32)> {
        let board = self.balancer.board();
        let in_use = board.peers().iter().map(balancer::Peer::in_use);
        self.balancer.states(now).zip(in_use).collect()
    }

    /// Messages have waited so long before they are taken in.
    pub(crate) fn handle_load(&mut self, now: Instant, waited: Duration) {
        for worker in &mut self.workers {
            worker.handle_load(now, waited, false);
        }
    }

    /// Other settings are taken over, with this peer closed for new calls.
    pub(crate) fn reload(&mut self, now: Instant, scenario: &Scenario, closed: Option<usize>) {
        let reloaded = self.balancer.reload(&plan(scenario, closed), now);
        debug_assert!(reloaded.is_ok(), "a scenario is right");
        for (worker, number) in self.workers.iter_mut().zip(0u8..) {
            let settings = Arc::new(settings(scenario, number, self.secret));
            worker.handle_settings(now, settings, Limits::default());
        }
    }

    /// The operator wants something of a peer.
    pub(crate) fn order(&self, now: Instant, peer: usize, operator: Operator) {
        let number = u32::try_from(peer).unwrap_or(u32::MAX);
        self.balancer
            .set_operator(now, PeerId::of_number(number), operator);
    }
}
