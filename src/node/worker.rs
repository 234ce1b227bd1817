//! One worker: its SIP core asks for peers, the balancer answers, and only messages to send come
//! out.

use super::addresses::Addresses;
use super::permits::Permits;
use super::probing::Probing;
use super::record::Records;
use super::{alias, health};
use balancer::{Balancer, Change, Confirmation, NoPlace, PeerId, Permit, Reader};
use signaling::access::ZoneId;
use signaling::counters::Counters;
use signaling::outbox::Span;
use signaling::sip::message::{Framing, Index, Limits};
use signaling::slots::Key;
use signaling::{
    Attempt, Choice, Core, Hop, Outcome, Output, Owner, Refusal, Settings, Ticket, Transmit,
    Transport, Trouble,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the first worker looks whether something has become due through what others did: a probe, the end of a
/// lease or of a report.
const LOOK: Duration = Duration::from_millis(500);

/// How often a worker looks whether a peer was found dead, while callers wait for an answer.
const DEATH_LOOK: Duration = Duration::from_millis(500);

/// A peer's state changed through what this worker reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerChange {
    /// The name of the peer.
    pub peer: String,
    /// From what to what.
    pub change: Change,
}

/// What one thread owns.
pub struct Worker {
    pub(super) core: Core,
    index: Index,
    pub(super) balancer: Arc<Balancer>,
    /// The same, for decisions.
    reader: Reader,
    pub(super) permits: Permits,
    /// What was dialled, and the peers that were tried, for the question under way.
    alias: Vec<u8>,
    pub(super) tried: Vec<PeerId>,
    /// What is called at the peer instead; empty for what was dialled. And the memory to write it.
    uri: Vec<u8>,
    text: String,
    /// Whether this worker is the one that probes.
    pub(super) probes: bool,
    /// When the first worker looks again what is due; none at the others.
    look_at: Option<Instant>,
    /// How many deaths of peers were dealt with, and when to look for more: while callers wait.
    deaths: u64,
    dead_look_at: Option<Instant>,
    /// How many boards there were when the core was told where the peers are.
    boards: Option<u64>,
    pub(super) addresses: Addresses,
    pub(super) probing: Probing,
    changes: VecDeque<PeerChange>,
    pub(super) records: Records,
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
        let probes = settings.worker == 0;
        let mut worker = Self {
            core: Core::new(settings, counters, now),
            index: Index::new(limits),
            reader: Reader::new(Arc::clone(&balancer)),
            balancer,
            permits: Permits::default(),
            alias: Vec::new(),
            tried: Vec::new(),
            uri: Vec::new(),
            text: String::new(),
            probes,
            deaths: 0,
            dead_look_at: None,
            look_at: None,
            boards: None,
            addresses: Addresses::default(),
            probing: Probing::default(),
            changes: VecDeque::new(),
            records: Records::default(),
        };
        worker.schedule_look(now);
        worker
    }

    /// A message came. `Some(worker)`: it belongs to that one, and nothing was done with it.
    pub fn handle_message(
        &mut self,
        now: Instant,
        source: Hop,
        bytes: &[u8],
        framing: Framing,
    ) -> Option<u8> {
        self.tell_peers();
        let message = self.index.read(bytes, framing);
        let owner = match self.core.owner(&message) {
            Owner::Worker(worker) => Some(worker),
            Owner::Here => self.core.next_owner(&source, &message),
        };
        if owner.is_none() {
            if self.core.is_draining() {
                self.core.keep_promises(self.balancer.lease_count() > 0);
            }
            self.core.handle_message(now, source, &message);
        }
        owner
    }

    /// A message that another worker handed over. `Some(worker)`: it is to go on to that one.
    pub fn handle_handover(
        &mut self,
        now: Instant,
        source: Hop,
        bytes: &[u8],
        framing: Framing,
    ) -> Option<u8> {
        self.tell_peers();
        let message = self.index.read(bytes, framing);
        let owner = self.core.next_owner(&source, &message);
        if owner.is_none() {
            if self.core.is_draining() {
                self.core.keep_promises(self.balancer.lease_count() > 0);
            }
            self.core.handle_message(now, source, &message);
        }
        owner
    }

    /// A board with other addresses: who sends from there is a peer (docs/decisions/0010).
    fn tell_peers(&mut self) {
        let boards = self.balancer.boards();
        if self.boards.replace(boards) != Some(boards) {
            let board = self.balancer.board();
            let targets = board.peers().iter().flat_map(|peer| peer.targets.iter());
            let addresses = targets.map(|target| target.remote.ip());
            self.core.handle_peers(addresses);
        }
    }

    /// What the core was told last.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        self.core.settings()
    }

    /// The head of a stream's message that cannot be read to its end: it is answered before the
    /// stream is closed.
    pub fn handle_stream_fault(&mut self, now: Instant, source: Hop, head: &[u8]) {
        let message = self.index.read(head, Framing::Stream);
        // Without its body the message has a fault, so that the core refuses it.
        self.core.handle_message(now, source, &message);
    }

    /// The message with this ticket could not be sent, for this reason.
    pub fn handle_transport_error(&mut self, now: Instant, ticket: Ticket, trouble: Trouble) {
        self.core.handle_transport_error(now, ticket, trouble);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tell_peers();
        self.core.handle_timeout(now);
        if self.look_at.is_some_and(|at| at <= now) {
            self.look(now);
        }
        if self.dead_look_at.is_some_and(|at| at <= now) {
            self.leave_dead_peers(now);
            self.dead_look_at = self.core.has_waiting_callers().then_some(now + DEATH_LOOK);
        }
    }

    /// Calls that wait for a peer which was found dead, by whichever worker, wait no longer.
    fn leave_dead_peers(&mut self, now: Instant) {
        let deaths = self.balancer.deaths();
        if std::mem::replace(&mut self.deaths, deaths) != deaths {
            for peer in self.balancer.dead() {
                self.core.handle_peer_failed(now, peer.number());
            }
        }
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
        [self.core.poll_timeout(), self.look_at, self.dead_look_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next change of a peer's state that this worker's reports brought about.
    pub fn poll_change(&mut self) -> Option<PeerChange> {
        self.changes.pop_front()
    }

    /// No probe is sent from now on.
    pub fn stop_probing(&mut self) {
        self.probes = false;
        self.look_at = self.look_at.and_then(|_| self.balancer.poll_timeout());
    }

    /// The next message to send; questions of the core are answered on the way.
    pub fn poll_output(&mut self, now: Instant) -> Option<Transmit> {
        loop {
            let Some(output) = self.core.poll_output() else {
                self.permits.give_back_left();
                return None;
            };
            match output {
                Output::Send(transmit) => return Some(transmit),
                Output::Attempted(attempt, outcome) => self.attempted(now, attempt, outcome),
                Output::Choose(attempt) => self.choose(now, attempt),
                Output::Lookup(key) => self.look_up(key),
                Output::Probed(peer, outcome) => self.probed(now, PeerId::of_number(peer), outcome),
                Output::Ended(_) => {
                    if let Some(record) = self.core.poll_record() {
                        self.records.finish(now, record);
                    }
                }
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
        self.stop_probing();
    }

    /// New calls are welcome again.
    pub fn resume(&mut self, now: Instant) {
        self.core.resume();
        self.probes = self.core.settings().worker == 0;
        self.look_at = self.probes.then_some(now);
    }

    /// Takes a new configuration over: calls that live go on.
    pub fn handle_settings(&mut self, now: Instant, settings: Arc<Settings>, limits: Limits) {
        self.index = Index::new(limits);
        self.core.handle_settings(now, settings);
        self.probing.forget_gone(&self.balancer.board());
        self.boards = None;
        self.schedule_look(now);
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

    /// Client and server transactions that live.
    #[must_use]
    pub fn transactions(&self) -> [usize; 2] {
        let [_, clients, servers, ..] = self.core.occupancy();
        [clients, servers]
    }

    /// Calls, client and server transactions, timers, requests being carried across and attempts that
    /// live, permits held, and attempts that left theirs to another address: all zero when all is quiet.
    #[must_use]
    pub fn occupancy(&self) -> [usize; 8] {
        let [calls, clients, servers, timers, exchanges] = self.core.occupancy();
        let [permits, without] = self.permits.count();
        [
            calls,
            clients,
            servers,
            timers,
            exchanges,
            self.core.attempts(),
            permits,
            without,
        ]
    }

    /// Whether the dial plan serves what an OPTIONS asks for.
    fn look_up(&mut self, key: Key) {
        let Some((request_uri, zone)) = self.core.lookup(key) else {
            return;
        };
        alias::write(request_uri, &mut self.alias);
        let served = self
            .balancer
            .serves(&self.alias, zone_name(self.core.settings(), zone));
        self.core.handle_lookup(key, served.map_err(refusal));
    }

    fn choose(&mut self, now: Instant, attempt: Attempt) {
        self.dead_look_at.get_or_insert(now + DEATH_LOOK);
        let Some(question) = self.core.question(attempt.call) else {
            return;
        };
        let source = question.source;
        // Other peers than this one come after all addresses of the last.
        if let Some(choice) = self.next_address(attempt, source.transport) {
            let left = self.permits.leaving(attempt.call);
            let named = left.and_then(|held| place_of(&held.permit));
            self.answer(now, attempt, Ok(choice), named);
            let is_under_way = self.core.is_under_way(attempt);
            return self.permits.try_next_address(attempt, is_under_way);
        }
        let choice = self.place(now, attempt);
        let named = self.permits.of(attempt).and_then(|permit| place_of(permit));
        self.answer(now, attempt, choice, named);
    }

    /// Asks the balancer for a peer.
    fn place(&mut self, now: Instant, attempt: Attempt) -> Result<Choice<'static>, Refusal> {
        let question = self.core.question(attempt.call);
        let question = question.ok_or(Refusal::NoPeerInService)?;
        let (replaced, same) = (question.replaced, question.source.transport);
        // The first attempt of a call that came while no new ones are taken.
        let is_late = self.core.is_draining() && attempt.number == 0;
        alias::write(question.request_uri, &mut self.alias);
        self.tried.clear();
        // Who goes where its conference is may have been there before that answered another caller.
        let last = question.tried.len().saturating_sub(1);
        let skipped = if question.is_elsewhere { last } else { 0 };
        let tried = question.tried.iter().copied().skip(skipped);
        self.tried.extend(tried.map(PeerId::of_number));
        // Sent on by a peer: only to the peer at that address, and only where the call may go anyhow.
        if let Some(remote) = question.redirect {
            let board = self.balancer.board();
            let is_at = |peer: &balancer::Peer| {
                let mut targets = peer.targets.iter();
                targets.any(|target| target.remote == remote)
            };
            let others = board.peers().iter().filter(|peer| !is_at(peer));
            self.tried.extend(others.map(|peer| peer.id));
        }
        let request = balancer::Request {
            alias: &self.alias,
            zone: zone_name(self.core.settings(), question.zone),
            tried: &self.tried,
            // A look at every line of the offer: only where it matters.
            is_audio_only: self.balancer.weighs_media() && question.is_audio_only(),
            now,
        };
        let why = || {
            let explains = replaced.is_none();
            explains.then(|| self.balancer.explain(&request).to_string())
        };
        self.records
            .asked(attempt, (request.alias, request.zone), why);
        let placed = match replaced {
            Some(_) if is_late => return Err(Refusal::Draining),
            Some(replaced) => return self.take_place(attempt, replaced),
            None if is_late => {
                let promised = self.balancer.place_promised(&request);
                promised.ok_or(Refusal::Draining)
            }
            None => self.reader.place(&request).map_err(refusal),
        };
        placed.map(|placement| self.take(now, attempt, placement, same))
    }

    /// Tells the core of a choice. `named`: the peer, and the number of the conference there. Where it has an alias for
    /// that, this is called, whatever was dialled, so that all callers of a conference come to one meeting.
    fn answer(
        &mut self,
        now: Instant,
        attempt: Attempt,
        choice: Result<Choice<'static>, Refusal>,
        named: Option<(PeerId, u32)>,
    ) {
        self.uri.clear();
        self.text.clear();
        if let Some((peer, number)) = named.filter(|_| choice.is_ok())
            && self.balancer.write_alias(peer, number, &mut self.text)
            && let Some(question) = self.core.question(attempt.call)
        {
            alias::write(question.request_uri, &mut self.alias);
            if !self.alias.eq_ignore_ascii_case(self.text.as_bytes()) {
                alias::write_uri(&self.text, &mut self.uri);
            }
        }
        let request_uri = (!self.uri.is_empty()).then_some(&*self.uri);
        let choice = choice.map(|choice| Choice {
            request_uri,
            ..choice
        });
        self.core.handle_choice(now, attempt, choice);
    }

    /// What came of an attempt: the balancer hears of the peer, and gets back what is over.
    fn attempted(&mut self, now: Instant, attempt: Attempt, outcome: Outcome) {
        debug_assert!(
            self.permits.is_open(attempt),
            "an attempt that is not over is known"
        );
        if outcome == Outcome::Over {
            return self.permits.release(attempt);
        }
        let Some(peer) = self.permits.peer(attempt) else {
            return;
        };
        self.records.came_of(attempt, outcome);
        if outcome == Outcome::Accepted {
            // Two that dial one conference must meet: who is answered second, by another peer than the first, follows.
            let permit = self.permits.of(attempt);
            let stays = permit.is_none_or(|permit| permit.confirm() == Confirmation::Here);
            let index = &mut self.index;
            self.core.handle_confirmation(now, attempt, stays, index);
        }
        if self.is_of_address(now, (attempt, peer), outcome) {
            return;
        }
        if let Some(report) = health::of_attempt(outcome) {
            self.report(now, peer, report);
        }
    }

    pub(super) fn report(&mut self, now: Instant, peer: PeerId, report: balancer::Outcome) {
        if let Some(change) = self.balancer.report(now, peer, report) {
            if let Some(peer) = self.balancer.board().peer(peer) {
                let peer = peer.settings.name.clone();
                self.changes.push_back(PeerChange { peer, change });
            }
            self.schedule_look(now);
        }
    }

    /// Ends what is over, and probes the peers whose time has come.
    fn look(&mut self, now: Instant) {
        self.balancer.handle_timeout(now);
        if self.probes {
            self.probe(now);
        }
        self.schedule_look(now);
    }

    /// Something may become due without a word to this worker: by the name of a peer, the operator, another worker. A
    /// node that drains waits only for what it knows of, so that it comes to rest.
    fn schedule_look(&mut self, now: Instant) {
        if self.core.settings().worker != 0 {
            return;
        }
        let probe = || self.balancer.poll_probe_timeout();
        let look = self.probes.then(|| now + LOOK);
        let probe = self.probes.then(probe).flatten();
        let due = [look, probe, self.balancer.poll_timeout()];
        self.look_at = due.into_iter().flatten().min();
    }
}

/// The peer of a permit, and the number of its conference there.
fn place_of(permit: &Permit) -> Option<(PeerId, u32)> {
    Some((permit.peer(), permit.number()?))
}

/// How a peer is reached; `None`: as its caller came.
pub(super) fn transport(transport: balancer::Transport) -> Option<Transport> {
    match transport {
        balancer::Transport::Same => None,
        balancer::Transport::Tcp => Some(Transport::Tcp),
        balancer::Transport::Tls => Some(Transport::Tls),
        balancer::Transport::Udp => Some(Transport::Udp),
    }
}

/// What the dial plan calls a zone; a caller of none has the empty name.
fn zone_name(settings: &Settings, zone: Option<ZoneId>) -> &str {
    zone.and_then(|zone| settings.access.zone(zone))
        .map_or("", |zone| zone.name.as_str())
}

/// Why there is no peer, as the door says it.
pub(super) fn refusal(why: NoPlace) -> Refusal {
    match why {
        NoPlace::AliasUnknown => Refusal::AliasUnknown,
        NoPlace::CallerNotAllowed => Refusal::CallerNotAllowed,
        NoPlace::ConferenceFull => Refusal::ConferenceFull,
        NoPlace::NoCapacity => Refusal::NoCapacity,
        NoPlace::NotStarted => Refusal::NotStarted,
        NoPlace::Exhausted | NoPlace::PeersDown => Refusal::NoPeerInService,
    }
}

#[cfg(test)]
mod tests;
