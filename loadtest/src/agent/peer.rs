//! The peer: a fake conference bridge that takes calls by a script and judges how it is asked.

use super::Agent;
use super::behaviour::{Asked, Behaviour, Chooser};
use super::context::{Context, Counts, Packet, Step, Timers};
use super::received::{Received, show};
use super::session::{Clock, Session};
use super::text::{Echo, MAX_FORWARDS};
use signaling::Transport;
use signaling::sip::message::{Index, Limits, Method};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What a peer is told once.
pub struct PeerSettings {
    /// Its own address, as it stands in Via and Contact.
    pub local: SocketAddr,
    /// UDP, or TCP where the owner carries bytes in order and loses none.
    pub transport: Transport,
    /// Protocol clocks.
    pub timers: Timers,
    /// Of tags and branches, and of [`Asked::random`].
    pub seed: u64,
    /// What tells the names of this run from those of others with the same seed: a server remembers the calls of the
    /// last run for a while. 0 where a run is to be the same to the octet.
    pub run: u64,
    /// The Max-Forwards that an INVITE has when it arrives: callers send 70, and each hop takes one. With 70 nobody is
    /// in between, and names of the caller are no leak.
    pub max_forwards: u32,
    /// What to do with each call.
    pub chooser: Chooser,
}

impl PeerSettings {
    /// A peer over UDP behind one hop that answers every call after `after`.
    #[must_use]
    pub fn answering(local: SocketAddr, seed: u64, after: Duration) -> Self {
        Self {
            local,
            transport: Transport::Udp,
            timers: Timers::default(),
            seed,
            run: 0,
            max_forwards: 69,
            chooser: Box::new(move |_| Behaviour::answer(after)),
        }
    }
}

impl fmt::Debug for PeerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerSettings")
            .field("local", &self.local)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// Takes calls by the [`Behaviour`] that its chooser names.
pub struct Peer {
    index: Index,
    state: State,
}

struct State {
    desk: Context<Clock>,
    chooser: Chooser,
    max_forwards: u32,
    sessions: BTreeMap<u64, Session>,
    by_call_id: HashMap<Vec<u8>, u64>,
    live: usize,
    next: u64,
}

impl Peer {
    /// A peer without calls.
    #[must_use]
    pub fn new(settings: PeerSettings) -> Self {
        let mut desk = Context::new(
            settings.local,
            settings.transport,
            settings.timers,
            [settings.seed, settings.run],
        );
        if settings.max_forwards == MAX_FORWARDS {
            desk.set_direct();
        }
        let state = State {
            desk,
            chooser: settings.chooser,
            max_forwards: settings.max_forwards,
            sessions: BTreeMap::new(),
            by_call_id: HashMap::new(),
            live: 0,
            next: 0,
        };
        Self {
            index: Index::new(Limits::default()),
            state,
        }
    }

    /// The callers' numbers of the calls that are not over, in the order in which they came.
    pub fn live_numbers(&self) -> impl Iterator<Item = u64> {
        self.state
            .sessions
            .values()
            .filter(|session| session.is_live())
            .map(Session::number)
    }

    /// 2xx and refusals of sessions not yet forgotten that wait for their ACK.
    #[must_use]
    pub fn acks_awaited(&self) -> u64 {
        self.state
            .sessions
            .values()
            .map(Session::acks_missing)
            .sum()
    }

    /// Keeps every message of the caller's call of this number from now on.
    pub fn watch(&mut self, number: u64) {
        self.state.desk.watch(number);
    }

    /// The messages of the watched call.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        self.state.desk.steps()
    }
}

impl Agent for Peer {
    fn handle_message(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        self.state.desk.counts.received += 1;
        match Received::read(&mut self.index, from, bytes) {
            Ok(message) => self.state.handle(now, &message, bytes),
            Err(what) => self
                .state
                .desk
                .complain(None, &format!("unreadable ({what}): {}", show(bytes))),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some((id, clock)) = self.state.desk.alarms.pop(now) {
            self.state.handle_alarm(now, id, clock);
        }
    }

    fn poll_output(&mut self) -> Option<Packet> {
        self.state.desk.packets.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.state.desk.alarms.next()
    }

    fn poll_complaint(&mut self) -> Option<String> {
        self.state.desk.pop_complaint()
    }

    fn complaints(&self) -> u64 {
        self.state.desk.complaint_count()
    }

    fn counts(&self) -> Counts {
        self.state.desk.counts
    }

    fn live(&self) -> usize {
        self.state.live
    }

    fn is_quiet(&self) -> bool {
        let state = &self.state;
        debug_assert_eq!(state.sessions.len(), state.by_call_id.len());
        debug_assert!(
            !state.sessions.is_empty() || state.desk.alarms.is_empty(),
            "a clock of no call"
        );
        state.sessions.is_empty() && state.desk.packets.is_empty()
    }
}

impl State {
    fn handle(&mut self, now: Instant, message: &Received<'_>, bytes: &[u8]) {
        let known = self.by_call_id.get(message.call_id()).copied();
        match known {
            Some(id) => {
                let Some(session) = self.sessions.get_mut(&id) else {
                    return;
                };
                self.desk.note(now, session.number(), message.source, bytes);
                let was_live = session.is_live();
                session.handle(&mut self.desk, now, message);
                self.live -= usize::from(was_live && !session.is_live());
            }
            None if message.is_request() && message.method() == Method::Invite => {
                self.begin(now, message, bytes);
            }
            None => self.handle_stray(now, message),
        }
    }

    fn begin(&mut self, now: Instant, invite: &Received<'_>, bytes: &[u8]) {
        let Some(number) = invite.call_number() else {
            self.desk.complain(
                None,
                &format!(
                    "an INVITE whose From names no call: {}",
                    show(invite.from())
                ),
            );
            self.answer(now, invite, 404);
            return;
        };
        self.desk.note(now, number, invite.source, bytes);
        let asked = Asked {
            number,
            before: self.desk.counts.calls,
            uri: invite.request_uri(),
            random: &mut self.desk.random,
        };
        let behaviour = (self.chooser)(asked);
        self.desk.counts.calls += 1;
        let id = self.next;
        self.next += 1;
        let facts = [number, u64::from(self.max_forwards)];
        let session = Session::begin(&mut self.desk, now, id, facts, behaviour, invite);
        self.live += usize::from(session.is_live());
        self.by_call_id.insert(session.call_id().to_vec(), id);
        self.sessions.insert(id, session);
    }

    fn handle_stray(&mut self, now: Instant, message: &Received<'_>) {
        let method = message.method();
        if message.is_request() && method == Method::Options {
            self.answer(now, message, 200);
            return;
        }
        if message.is_request() && method != Method::Ack {
            self.answer(now, message, 481);
        }
        self.desk.complain(
            None,
            &format!("a message for no call of ours: {}", show(message.head())),
        );
    }

    fn answer(&mut self, now: Instant, request: &Received<'_>, status: u16) {
        let echo = Echo::of(request, self.desk.transport);
        let tag = self.desk.name("stray");
        self.desk.send(
            now,
            u64::MAX,
            echo.reply_to,
            echo.response(status, &tag, "", b""),
        );
    }

    fn handle_alarm(&mut self, now: Instant, id: u64, clock: Clock) {
        let Some(session) = self.sessions.get_mut(&id) else {
            debug_assert!(false, "a clock of no call");
            return;
        };
        if clock == Clock::Forget {
            self.desk.counts.acks_missing += session.acks_missing();
            self.by_call_id.remove(session.call_id());
            self.sessions.remove(&id);
            return;
        }
        let was_live = session.is_live();
        session.handle_alarm(&mut self.desk, now, clock);
        self.live -= usize::from(was_live && !session.is_live());
    }
}
