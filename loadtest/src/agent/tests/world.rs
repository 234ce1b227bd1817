//! A caller, a peer and between them a relay that renames the names of each leg: the least that a B2BUA does, so that
//! the agents are tested without Baton. Virtual time; a seeded network that loses, doubles and reorders.

use crate::agent::{
    Agent, CALLER_MARK, Caller, CallerSettings, Chooser, Outcome, PEER_MARK, Packet, Peer,
    PeerSettings, Plan, Random, Timers,
};
use signaling::Transport;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const CALLER: &str = "127.0.0.1:5001";
const RELAY_TO_CALLER: &str = "127.0.0.1:5002";
const RELAY_TO_PEER: &str = "127.0.0.1:5003";
const PEER: &str = "127.0.0.1:5004";

/// What the relay does wrong, given what it would send.
pub(super) type Mischief = fn(String) -> String;

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) caller: Caller,
    pub(super) peer: Peer,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) seen: Vec<Vec<u8>>,
    pub(super) loss_permille: u64,
    pub(super) jitter: Duration,
    pub(super) mischief: Option<Mischief>,
    random: Random,
    flying: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    sent: u64,
}

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl World {
    pub(super) fn new(seed: u64, chooser: Chooser) -> Self {
        let timers = Timers::default();
        let caller = Caller::new(CallerSettings {
            local: address(CALLER),
            target: address(RELAY_TO_CALLER),
            transport: Transport::Udp,
            timers,
            seed,
            run: 0,
            rooms: 7,
        });
        let peer = Peer::new(PeerSettings {
            chooser,
            ..PeerSettings::answering(address(PEER), seed + 1, Duration::ZERO)
        });
        Self {
            now: Instant::now(),
            caller,
            peer,
            outcomes: Vec::new(),
            seen: Vec::new(),
            loss_permille: 0,
            jitter: Duration::ZERO,
            mischief: None,
            random: Random::new(seed + 2),
            flying: BTreeMap::new(),
            sent: 0,
        }
    }

    /// Places these calls and runs until nothing is left.
    pub(super) fn run(&mut self, plans: &[Plan]) {
        for plan in plans {
            self.caller.place(self.now, *plan);
        }
        for step in 0.. {
            assert!(step < 1_000_000, "it never ends");
            self.collect();
            let due = self.flying.first_key_value().map(|(key, _)| key.0);
            let times = [due, self.caller.poll_timeout(), self.peer.poll_timeout()];
            let Some(next) = times.into_iter().flatten().min() else {
                break;
            };
            self.now = next.max(self.now);
            while let Some(entry) = self
                .flying
                .first_entry()
                .filter(|entry| entry.key().0 <= self.now)
            {
                let (from, to, bytes) = entry.remove();
                self.deliver(from, to, &bytes);
            }
            self.caller.handle_timeout(self.now);
            self.peer.handle_timeout(self.now);
        }
        assert!(self.caller.is_quiet() && self.caller.live() == 0);
        // A relay that loses a BYE leaves its peer with a call.
        let is_left = self.mischief.is_some() && self.peer.live() > 0;
        assert!(is_left || self.peer.is_quiet());
    }

    pub(super) fn complaints(&mut self) -> Vec<String> {
        let caller = std::iter::from_fn(|| self.caller.poll_complaint());
        caller
            .chain(std::iter::from_fn(|| self.peer.poll_complaint()))
            .collect()
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if to == address(CALLER) {
            self.caller.handle_message(self.now, from, bytes);
        } else {
            self.peer.handle_message(self.now, from, bytes);
        }
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(packet) = self.caller.poll_output() {
            assert_eq!(packet.to, address(RELAY_TO_CALLER));
            self.fly(packet, [RELAY_TO_PEER, PEER]);
        }
        while let Some(packet) = self.peer.poll_output() {
            assert_eq!(packet.to, address(RELAY_TO_PEER));
            self.fly(packet, [RELAY_TO_CALLER, CALLER]);
        }
        self.outcomes
            .extend(std::iter::from_fn(|| self.caller.poll_outcome()));
    }

    fn fly(&mut self, packet: Packet, [from, to]: [&str; 2]) {
        let copies = if self.random.permille(self.loss_permille) {
            2
        } else {
            1
        };
        let mut bytes = String::from_utf8(packet.bytes.clone()).expect("agents write UTF-8");
        self.seen.push(packet.bytes);
        for (own, other) in names(to == PEER) {
            bytes = bytes.replace(own, other);
        }
        if let Some(mischief) = self.mischief {
            bytes = mischief(bytes);
        }
        for _ in 0..copies {
            if self.random.permille(self.loss_permille) {
                continue;
            }
            let at = self.now + Duration::from_millis(1) + self.random.up_to(self.jitter);
            self.sent += 1;
            self.flying.insert(
                (at, self.sent),
                (address(from), address(to), bytes.clone().into_bytes()),
            );
        }
    }
}

fn names(is_to_peer: bool) -> Vec<(&'static str, &'static str)> {
    let caller = [(CALLER_MARK, "relayb-leg-"), (CALLER, RELAY_TO_PEER)];
    let peer = [(PEER_MARK, "rela-leg-"), (PEER, RELAY_TO_CALLER)];
    let turned = |(own, other)| (other, own);
    if is_to_peer {
        let hop = ("Max-Forwards: 70", "Max-Forwards: 69");
        caller
            .into_iter()
            .chain(peer.map(turned))
            .chain([hop])
            .collect()
    } else {
        peer.into_iter().chain(caller.map(turned)).collect()
    }
}
