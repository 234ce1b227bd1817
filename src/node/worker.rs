//! One worker: its SIP core asks for peers, the balancer answers, and only messages to send come
//! out.

use super::alias;
use balancer::{Balancer, NoPlace, Permit};
use signaling::access::ZoneId;
use signaling::counters::Counters;
use signaling::outbox::Span;
use signaling::sip::message::{Framing, Index, Limits};
use signaling::slots::Key;
use signaling::{
    Attempt, Choice, Core, Hop, Outcome, Output, Owner, Refusal, Settings, Statuses, Ticket,
    Transmit, Transport,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one thread owns.
pub struct Worker {
    core: Core,
    index: Index,
    balancer: Arc<Balancer>,
    /// The session that the last attempt of each call holds, by the call's slot.
    permits: Vec<Option<(Attempt, Permit)>>,
    /// Those of attempts that were given up and are not over.
    late: BTreeMap<Attempt, Permit>,
    /// What was dialled, for the question under way.
    alias: Vec<u8>,
}

impl Worker {
    /// A worker without calls. `limits` are those of its listeners' messages.
    #[must_use]
    pub fn new(
        settings: Arc<Settings>,
        limits: Limits,
        balancer: Arc<Balancer>,
        counters: Arc<Counters>,
        now: Instant,
    ) -> Self {
        Self {
            core: Core::new(settings, counters, now),
            index: Index::new(limits),
            balancer,
            permits: Vec::new(),
            alias: Vec::new(),
            late: BTreeMap::new(),
        }
    }

    /// A message came. `Some(worker)`: it belongs to that one, and nothing was done with it.
    pub fn handle_message(
        &mut self,
        now: Instant,
        source: Hop,
        bytes: &[u8],
        framing: Framing,
    ) -> Option<u8> {
        let message = self.index.read(bytes, framing);
        match self.core.owner(&message) {
            Owner::Worker(worker) => Some(worker),
            Owner::Here => {
                self.core.handle_message(now, source, &message);
                None
            }
        }
    }

    /// A message that another worker handed over.
    pub fn handle_handover(&mut self, now: Instant, source: Hop, bytes: &[u8], framing: Framing) {
        let message = self.index.read(bytes, framing);
        self.core.handle_message(now, source, &message);
    }

    /// The head of a stream's message that cannot be read to its end: it is answered before the
    /// stream is closed.
    pub fn handle_stream_fault(&mut self, now: Instant, source: Hop, head: &[u8]) {
        let message = self.index.read(head, Framing::Stream);
        // Without its body the message has a fault, so that the core refuses it.
        self.core.handle_message(now, source, &message);
    }

    /// The message with this ticket could not be sent.
    pub fn handle_transport_error(&mut self, now: Instant, ticket: Ticket) {
        self.core.handle_transport_error(now, ticket);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.core.handle_timeout(now);
    }

    /// The oldest message that is taken in now has waited so long; `has_lost`: others were dropped before they could be.
    pub fn handle_load(&mut self, now: Instant, waited: Duration, has_lost: bool) {
        self.core.handle_load(now, waited, has_lost);
    }

    /// Whether new INVITEs are refused because messages wait too long.
    #[must_use]
    pub fn is_shedding(&self) -> bool {
        self.core.is_shedding()
    }

    /// When [`Worker::handle_timeout`] is wanted.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.core.poll_timeout()
    }

    /// The next message to send; questions of the core are answered on the way.
    pub fn poll_output(&mut self, now: Instant) -> Option<Transmit> {
        loop {
            match self.core.poll_output()? {
                Output::Send(transmit) => return Some(transmit),
                Output::Attempted(attempt, Outcome::Over) => self.release(attempt),
                Output::Choose(attempt) => self.choose(now, attempt),
                Output::Lookup(key) => self.look_up(key),
                Output::Attempted(
                    _,
                    Outcome::Accepted
                    | Outcome::Answered { .. }
                    | Outcome::Silent
                    | Outcome::Unreachable,
                )
                | Output::Ended(_)
                | Output::Probed(..) => {}
            }
        }
    }

    /// The bytes of a [`Transmit`].
    #[must_use]
    pub fn bytes(&self, span: Span) -> &[u8] {
        self.core.bytes(span)
    }

    /// All transmits taken are sent or copied.
    pub fn sent(&mut self) {
        self.core.sent();
    }

    /// No new calls from now on.
    pub fn drain(&mut self) {
        self.core.drain();
    }

    /// New calls are welcome again.
    pub fn resume(&mut self) {
        self.core.resume();
    }

    /// Takes a new configuration over: calls that live go on.
    pub fn handle_settings(&mut self, now: Instant, settings: Arc<Settings>, limits: Limits) {
        self.index = Index::new(limits);
        self.core.handle_settings(now, settings);
    }

    /// Whether nothing is owed to anybody: no call lives, and no message is repeated any more.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.core.calls() == 0 && !self.core.is_repeating()
    }

    /// Calls that live.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.core.calls()
    }

    /// Calls, client and server transactions, timers, requests being carried across and attempts that
    /// live, and permits held: all zero when all is quiet.
    #[must_use]
    pub fn occupancy(&self) -> [usize; 7] {
        let [calls, clients, servers, timers, exchanges] = self.core.occupancy();
        [
            calls,
            clients,
            servers,
            timers,
            exchanges,
            self.core.attempts(),
            self.permits.iter().flatten().count() + self.late.len(),
        ]
    }

    /// Whether the dial plan serves what an OPTIONS asks for.
    fn look_up(&mut self, key: Key) {
        let Some((request_uri, _)) = self.core.lookup(key) else {
            return;
        };
        alias::write(request_uri, &mut self.alias);
        let served = self.balancer.serves(&self.alias, "");
        self.core.handle_lookup(key, served.map_err(refusal));
    }

    fn choose(&mut self, now: Instant, attempt: Attempt) {
        let Some(question) = self.core.question(attempt.call) else {
            return;
        };
        let (source, zone) = (question.source, question.zone);
        let choice = if question.tried.is_empty() {
            alias::write(question.request_uri, &mut self.alias);
            self.place(now, (source, zone), attempt)
        } else {
            Err(Refusal::NoCapacity)
        };
        self.core.handle_choice(now, attempt, choice);
    }

    fn place(
        &mut self,
        now: Instant,
        (source, zone): (Hop, Option<ZoneId>),
        attempt: Attempt,
    ) -> Result<Choice, Refusal> {
        let settings = Arc::clone(self.core.settings());
        let zone = zone.and_then(|zone| settings.access.zone(zone));
        let request = balancer::Request {
            alias: &self.alias,
            zone: zone.map_or("", |zone| zone.name.as_str()),
            tried: &[],
            sessions: 1,
            now,
        };
        let placement = self.balancer.place(&request);
        let placement = placement.map_err(refusal)?;
        let target = placement.targets.first().ok_or(Refusal::NoCapacity)?;
        let transport = match target.transport {
            balancer::Transport::Same => source.transport,
            balancer::Transport::Tcp => Transport::Tcp,
            balancer::Transport::Tls => Transport::Tls,
            balancer::Transport::Udp => Transport::Udp,
        };
        let remote = target.remote;
        self.hold(attempt, placement.permit);
        Ok(Choice {
            peer: 0,
            transport,
            remote,
            patience: placement.failover.first_response_timeout,
            attempts_max: 1,
            next_on: Statuses::default(),
        })
    }

    fn hold(&mut self, attempt: Attempt, permit: Permit) {
        let slot = attempt.call.slot as usize;
        if self.permits.len() <= slot {
            self.permits.resize_with(slot + 1, || None);
        }
        if let Some(place) = self.permits.get_mut(slot) {
            // What was there is an attempt that was given up, of this call or of one that is over.
            if let Some((earlier, held)) = place.replace((attempt, permit)) {
                debug_assert!(earlier != attempt, "an attempt has one permit");
                self.late.insert(earlier, held);
            }
        }
    }

    fn release(&mut self, attempt: Attempt) {
        let slot = self.permits.get_mut(attempt.call.slot as usize);
        if let Some(place) = slot
            && place.as_ref().is_some_and(|(holder, _)| *holder == attempt)
        {
            *place = None;
        } else {
            self.late.remove(&attempt);
        }
    }
}

/// Why there is no peer, as the door says it.
fn refusal(why: NoPlace) -> Refusal {
    match why {
        NoPlace::AliasUnknown => Refusal::AliasUnknown,
        NoPlace::CallerNotAllowed => Refusal::CallerNotAllowed,
        NoPlace::ConferenceFull => Refusal::ConferenceFull,
        NoPlace::NoCapacity => Refusal::NoCapacity,
        NoPlace::NotStarted => Refusal::NotStarted,
        NoPlace::Exhausted | NoPlace::PeersDown => Refusal::NoPeerInService,
    }
}
