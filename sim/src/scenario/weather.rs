//! What the network does: loses, delays, doubles, reorders, breaks.

use super::{MS, Scenario, pick};
use loadtest::agent::Random;
use signaling::Transport;
use std::time::Duration;

/// The network on one side of the node. Shares are in thousandths of all datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// How many are lost.
    pub loss: u64,
    /// How many come twice.
    pub double: u64,
    /// How many are held up and so overtaken.
    pub late: u64,
    /// How many of the node's cannot be sent: the node hears of it and they are lost.
    pub refused: u64,
    /// The shortest way.
    pub delay: Duration,
    /// What may come on top for every message.
    pub jitter: Duration,
    /// What may come on top for those held up. Well below T4: older messages than that do not exist (RFC 3261 §17.1.2.2).
    pub hold_up: Duration,
}

/// A connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Whether it is a caller's; else a peer's.
    pub of_caller: bool,
    /// Whose.
    pub number: usize,
    /// When; what is on its way is lost.
    pub from: Duration,
    /// Until when no new one can be made.
    pub until: Duration,
}

/// A peer dies, and comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// Which.
    pub peer: usize,
    /// When.
    pub from: Duration,
    /// Until when.
    pub until: Duration,
}

impl Link {
    /// A network without faults.
    #[must_use]
    pub fn fair(delay: Duration) -> Self {
        Self {
            loss: 0,
            double: 0,
            late: 0,
            refused: 0,
            delay,
            jitter: Duration::ZERO,
            hold_up: Duration::ZERO,
        }
    }

    /// Whether an answer may come when it is not waited for any more.
    pub(super) fn is_slow(&self) -> bool {
        self.delay + self.jitter + self.hold_up > MS * 700
    }

    /// Whether every message comes once, and its answer before a timer goes off.
    pub(super) fn makes_no_copies(&self) -> bool {
        let is_quick = self.delay + self.jitter < MS * 100;
        let has_no_faults = self.loss == 0 && self.double == 0 && self.late == 0;
        has_no_faults && self.refused == 0 && is_quick
    }
}

/// The networks of both sides: of one kind, each with its own figures.
pub(super) fn links(random: &mut Random) -> [Link; 2] {
    let kind = random.below(100);
    let mut link = || {
        let fair = Link::fair(MS / 5 + random.up_to(MS * 20));
        match kind {
            // Nothing happens; in half of these worlds many things happen at the same instant.
            0..=9 => Link::fair(MS * 5),
            10..=19 => Link {
                jitter: random.up_to(MS * 5),
                ..fair
            },
            20..=49 => Link {
                loss: random.below(30),
                double: random.below(30),
                late: random.below(30),
                jitter: random.up_to(MS * 30),
                hold_up: MS * 100,
                ..fair
            },
            50..=79 => Link {
                loss: random.below(120),
                double: random.below(150),
                late: random.below(200),
                refused: if random.permille(300) {
                    random.below(20)
                } else {
                    0
                },
                jitter: random.up_to(MS * 60),
                hold_up: MS * 700,
                ..fair
            },
            // Nothing is lost, so that every complaint of an agent counts, but little comes in order.
            80..=91 => Link {
                double: random.below(200),
                late: random.below(400),
                jitter: random.up_to(MS * 1500),
                hold_up: MS * 1500,
                ..fair
            },
            _ => Link {
                loss: 300,
                double: random.below(100),
                late: random.below(200),
                jitter: random.up_to(MS * 60),
                hold_up: MS * 700,
                ..fair
            },
        }
    };
    [link(), link()]
}

/// When peers are dead, in worlds where any dies: one for long, or one that flaps.
pub(super) fn deaths(random: &mut Random, peers: usize, end: Duration) -> Vec<Death> {
    if !random.permille(150) {
        return Vec::new();
    }
    let peer = super::index(random, peers);
    let flaps = random.permille(500);
    let (count, longest) = if flaps { (6, 4000) } else { (1, 90_000) };
    let mut deaths = Vec::new();
    let mut at = Duration::ZERO;
    for _ in 0..count {
        let from = at + random.up_to(end / count);
        at = from + random.up_to(MS * longest);
        deaths.push(Death {
            peer,
            from,
            until: at,
        });
    }
    deaths
}

/// When the whole node stands still, as a virtual machine does that is being moved: from when until when.
pub(super) fn freezes(random: &mut Random, end: Duration) -> Vec<(Duration, Duration)> {
    if !random.permille(60) {
        return Vec::new();
    }
    let mut freezes = Vec::new();
    let mut at = Duration::ZERO;
    for _ in 0..=random.below(3) {
        let from = at + random.up_to(end);
        let longest = pick(random, &[300, 3000, 45_000]);
        at = from + random.up_to(MS * longest);
        freezes.push((from, at));
    }
    freezes
}

/// Breaks of connections, in worlds that have any.
pub(super) fn outages(random: &mut Random, scenario: &Scenario, end: Duration) -> Vec<Outage> {
    let callers = scenario.callers.iter().map(|transport| (true, *transport));
    let peers = scenario.peers.iter().map(|peer| (false, peer.transport));
    let streams: Vec<(bool, usize)> = (callers.enumerate())
        .chain(peers.enumerate())
        .filter(|(_, (_, transport))| *transport == Transport::Tcp)
        .map(|(number, (of_caller, _))| (of_caller, number))
        .collect();
    if streams.is_empty() || random.permille(400) {
        return Vec::new();
    }
    let mut outages: Vec<Outage> = (0..random.below(6))
        .map(|_| {
            let (of_caller, number) = pick(random, &streams);
            let from = random.up_to(end);
            // Half of them are over at once: the next message makes a new connection.
            let length = if random.permille(500) {
                Duration::ZERO
            } else {
                random.up_to(MS * 40_000)
            };
            Outage {
                of_caller,
                number,
                from,
                until: from + length,
            }
        })
        .collect();
    outages.sort_by_key(|outage| outage.from);
    outages
}
