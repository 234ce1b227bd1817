//! What a caller and a peer have in common: addresses and timers, messages to send, clocks, counts, complaints.

use super::Random;
use super::alarms::Alarms;
use super::received::{Received, after, show};
use signaling::Transport;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The protocol clocks of an agent (RFC 3261 §17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate.
    pub t1: Duration,
    /// Longest interval between repeats.
    pub t2: Duration,
    /// How long a message stays in the network.
    pub t4: Duration,
    /// How long a caller waits for a final response once a provisional one came.
    pub patience: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            patience: Duration::from_secs(200),
        }
    }
}

impl Timers {
    /// When a transaction gives up: timers B, F and H.
    #[must_use]
    pub fn t1_64(&self) -> Duration {
        self.t1 * 64
    }

    /// How long a finished call is remembered, to answer what is repeated.
    #[must_use]
    pub fn linger(&self) -> Duration {
        self.t1_64() + self.t4
    }
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Where to.
    pub to: SocketAddr,
    /// The whole message.
    pub bytes: Vec<u8>,
}

/// What an agent counts. Read-only for its owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that came in.
    pub received: u64,
    /// Messages that went out, repeats included.
    pub sent: u64,
    /// Repeats that went out because a timer ran out.
    pub repeated: u64,
    /// Repeats that came in.
    pub absorbed: u64,
    /// Calls begun, or asked to take.
    pub calls: u64,
    /// Calls that were answered with 2xx.
    pub answered: u64,
    /// Calls that were refused, by CANCEL too.
    pub refused: u64,
    /// Calls that ended by CANCEL.
    pub cancelled: u64,
    /// BYEs that came from the other side first.
    pub hung_up_on: u64,
    /// 2xx and refusals that were never acknowledged: in a network that loses nothing, a failure.
    pub acks_missing: u64,
}

/// One message of a watched call.
#[derive(Clone, Debug)]
pub struct Step {
    /// When.
    pub at: Instant,
    /// Sent or received by this agent.
    pub sent: bool,
    /// The other end.
    pub other: SocketAddr,
    /// The message as it stood in the packet.
    pub bytes: Vec<u8>,
}

/// How many complaints are kept as text; all are counted.
const COMPLAINTS_KEPT: usize = 50;

/// A message that is repeated until something stops it.
#[derive(Debug)]
pub(super) struct Repeat {
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
    interval: Duration,
    longest: Duration,
}

pub(super) struct Context<C> {
    pub(super) local: SocketAddr,
    pub(super) transport: Transport,
    pub(super) timers: Timers,
    pub(super) random: Random,
    run: u64,
    /// Whether the other end is the agent on the other side itself.
    is_direct: bool,
    pub(super) alarms: Alarms<C>,
    pub(super) counts: Counts,
    pub(super) packets: VecDeque<Packet>,
    complaint_count: u64,
    complaints: VecDeque<String>,
    watched: Option<u64>,
    steps: Vec<Step>,
}

impl<C: Copy + Ord> Context<C> {
    pub(super) fn new(
        local: SocketAddr,
        transport: Transport,
        timers: Timers,
        [seed, run]: [u64; 2],
    ) -> Self {
        Self {
            local,
            transport,
            timers,
            random: Random::new(seed),
            run,
            is_direct: false,
            alarms: Alarms::new(),
            counts: Counts::default(),
            packets: VecDeque::new(),
            complaint_count: 0,
            complaints: VecDeque::new(),
            watched: None,
            steps: Vec::new(),
        }
    }

    /// Queues a message of the call of this number.
    pub(super) fn send(&mut self, now: Instant, number: u64, to: SocketAddr, bytes: Vec<u8>) {
        self.counts.sent += 1;
        if self.watched == Some(number) {
            self.steps.push(Step {
                at: now,
                sent: true,
                other: to,
                bytes: bytes.clone(),
            });
        }
        self.packets.push_back(Packet { to, bytes });
    }

    /// Notes a received message if its call is watched.
    pub(super) fn note(&mut self, now: Instant, number: u64, source: SocketAddr, bytes: &[u8]) {
        if self.watched == Some(number) {
            self.steps.push(Step {
                at: now,
                sent: false,
                other: source,
                bytes: bytes.to_vec(),
            });
        }
    }

    /// A message to repeat at T1, 2*T1, 4*T1 ... up to `longest` between two of them.
    pub(super) fn repeat(&self, to: SocketAddr, bytes: Vec<u8>, longest: Duration) -> Repeat {
        Repeat {
            to,
            bytes,
            interval: self.timers.t1,
            longest,
        }
    }

    /// Sends a message to be repeated for the first time and, if its transport may lose it, sets the clock of the next.
    pub(super) fn first(
        &mut self,
        now: Instant,
        [number, call]: [u64; 2],
        repeat: &Repeat,
        clock: C,
    ) {
        self.send(now, number, repeat.to, repeat.bytes.clone());
        if !self.transport.is_reliable() {
            self.alarms.set(call, clock, now + repeat.interval);
        }
    }

    /// Sends it again and sets the clock of the next time.
    pub(super) fn again(
        &mut self,
        now: Instant,
        [number, call]: [u64; 2],
        repeat: &mut Repeat,
        clock: C,
    ) {
        self.counts.repeated += 1;
        self.send(now, number, repeat.to, repeat.bytes.clone());
        repeat.interval = repeat.longest.min(repeat.interval * 2);
        self.alarms.set(call, clock, now + repeat.interval);
    }

    /// Notes that something is wrong.
    pub(super) fn complain(&mut self, number: Option<u64>, what: &str) {
        self.complaint_count += 1;
        if self.complaints.len() < COMPLAINTS_KEPT {
            self.complaints.push_back(match number {
                Some(number) => format!("call {number}: {what}"),
                None => what.to_owned(),
            });
        }
    }

    /// No server is between the two agents: names of the other leg are no leak.
    pub(super) fn set_direct(&mut self) {
        self.is_direct = true;
    }

    /// What of the other leg must not be seen here.
    pub(super) fn foreign<'m>(&self, mark: &'m str) -> Option<&'m str> {
        (!self.is_direct).then_some(mark)
    }

    pub(super) fn complaint_count(&self) -> u64 {
        self.complaint_count
    }

    pub(super) fn pop_complaint(&mut self) -> Option<String> {
        self.complaints.pop_front()
    }

    pub(super) fn watch(&mut self, number: u64) {
        self.watched = Some(number);
        self.steps.clear();
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// A name that no other call of this agent has, nor one of another run with the same seed.
    pub(super) fn name(&mut self, mark: &str) -> String {
        format!("{mark}{:016x}", self.random.bits() ^ self.run)
    }
}

/// What both ends ask of every message: one Via, no Route, no Record-Route, nothing of the other leg.
pub(super) fn check_common(
    received: &Received<'_>,
    foreign_mark: Option<&str>,
) -> Result<(), String> {
    use signaling::sip::message::HeaderName;
    let vias = received.vias().count();
    if vias != 1 {
        return Err(format!("{vias} Via values where one is due"));
    }
    for name in [HeaderName::Route, HeaderName::RecordRoute] {
        if received.has(name) {
            return Err(format!("a {name} that nobody asked for"));
        }
    }
    if foreign_mark.is_some_and(|mark| after(received.head(), mark.as_bytes()).is_some()) {
        return Err(format!(
            "a name of the other leg leaks: {}",
            show(received.head())
        ));
    }
    Ok(())
}
