//! The network: takes packets, decides by the seed when and how often each arrives, and hands them out in that order.

use crate::place::{Place, Side};
use crate::scenario::{Link, Scenario, thawed};
use crate::seen::Seen;
use crate::streams::Streams;
use loadtest::agent::Random;
use signaling::{ConnectionId, Transport};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

/// A message between the node and an agent.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) from: Place,
    pub(crate) to: Place,
    pub(crate) transport: Transport,
    /// Of its connection, once it is on one.
    pub(crate) connection: Option<ConnectionId>,
    /// The call, if the message names one.
    pub(crate) call: Option<u64>,
    pub(crate) message: Rc<Seen>,
    pub(crate) bytes: Vec<u8>,
}

impl Packet {
    /// The end that is not the node.
    pub(crate) fn agent(&self) -> Place {
        if self.from == Place::Node {
            self.to
        } else {
            self.from
        }
    }

    pub(crate) fn is_to_node(&self) -> bool {
        self.to == Place::Node
    }
}

/// What became of a packet when it was sent.
#[derive(Debug, Default)]
pub(crate) struct Fortune {
    /// Whether a copy was lost that had no other.
    pub(crate) is_lost: bool,
    /// Whether it did not even leave, and the sender is told.
    pub(crate) is_refused: bool,
    /// For the ladder.
    pub(crate) marks: String,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) held_up: u64,
}

/// When it arrives; when it would have, did the node not stand still: what waits keeps its order; a random number, so that
/// packets of one instant come in any order; a count.
type Slot = (Duration, Duration, u64, u64);

/// All that is on its way.
#[derive(Debug)]
pub(crate) struct Net {
    links: [Link; 2],
    /// From when until when nothing arrives at the node.
    freezes: Vec<(Duration, Duration)>,
    random: Random,
    flights: BTreeMap<Slot, Packet>,
    queued: u64,
    pub(crate) streams: Streams,
    pub(crate) figures: Figures,
}

impl Net {
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Self {
        Self {
            links: scenario.links,
            freezes: scenario.freezes.clone(),
            random: Random::new(seed),
            flights: BTreeMap::new(),
            queued: 0,
            streams: Streams::default(),
            figures: Figures::default(),
        }
    }

    /// When the next packet arrives.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.flights.first_key_value().map(|((at, ..), _)| *at)
    }

    /// Takes the next packet that arrives.
    pub(crate) fn pop(&mut self) -> Option<Packet> {
        self.flights.pop_first().map(|(_, packet)| packet)
    }

    /// Sends a packet. One over TCP has its connection already.
    pub(crate) fn send(&mut self, now: Duration, packet: Packet) -> Fortune {
        self.figures.sent += 1;
        match packet.transport {
            Transport::Tcp | Transport::Tls => self.send_stream(now, packet),
            Transport::Udp => self.send_datagram(now, &packet),
        }
    }

    /// Breaks the connection with an agent; gives the packets that are lost by it.
    pub(crate) fn cut(&mut self, agent: Place, until: Duration) -> Vec<Packet> {
        let Some(id) = self.streams.cut(agent, until) else {
            return Vec::new();
        };
        let (broken, others): (BTreeMap<Slot, Packet>, BTreeMap<Slot, Packet>) =
            std::mem::take(&mut self.flights)
                .into_iter()
                .partition(|(_, packet)| packet.connection == Some(id));
        self.flights = others;
        self.figures.lost += broken.len() as u64;
        broken.into_values().collect()
    }

    fn send_stream(&mut self, now: Duration, packet: Packet) -> Fortune {
        let link = self.link(packet.agent());
        let at = now + link.delay + self.random.up_to(link.jitter);
        let at = self
            .streams
            .arrival(packet.agent(), packet.is_to_node(), at);
        self.queue(at, 0, packet);
        Fortune::default()
    }

    fn send_datagram(&mut self, now: Duration, packet: &Packet) -> Fortune {
        let link = self.link(packet.agent());
        let mut fortune = Fortune {
            is_lost: true,
            ..Fortune::default()
        };
        if !packet.is_to_node() && self.random.permille(link.refused) {
            self.figures.lost += 1;
            fortune.is_refused = true;
            fortune.marks.push_str("REFUSED ");
            return fortune;
        }
        let copies = if self.random.permille(link.double) {
            self.figures.doubled += 1;
            fortune.marks.push_str("doubled ");
            2
        } else {
            1
        };
        for _ in 0..copies {
            if self.random.permille(link.loss) {
                self.figures.lost += 1;
                fortune.marks.push_str("LOST ");
                continue;
            }
            fortune.is_lost = false;
            let mut way = link.delay + self.random.up_to(link.jitter);
            if self.random.permille(link.late) {
                let held_up = self.random.up_to(link.hold_up);
                self.figures.held_up += 1;
                way += held_up;
                // Writing to a String cannot fail.
                let written = write!(fortune.marks, "+{} ms ", held_up.as_millis());
                debug_assert!(written.is_ok());
            }
            let turn = self.random.bits();
            self.queue(now + way, turn, packet.clone());
        }
        fortune
    }

    fn link(&self, agent: Place) -> Link {
        let [callers, peers] = self.links;
        match agent.side() {
            Some(Side::Caller) => callers,
            Some(Side::Peer) | None => peers,
        }
    }

    fn queue(&mut self, at: Duration, turn: u64, packet: Packet) {
        let arrival = if packet.is_to_node() {
            thawed(&self.freezes, at)
        } else {
            at
        };
        self.queued += 1;
        self.flights
            .insert((arrival, at, turn, self.queued), packet);
    }
}
