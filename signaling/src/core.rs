//! The one entry: messages, choices and time go in, effects come out.
//!
//! The owner's contract: after one or several `handle_*` it takes [`Core::poll_output`] until `None`,
//! sends what it was given, and then calls [`Core::sent`]; it calls [`Core::handle_timeout`] not later
//! than [`Core::poll_timeout`] says.

use crate::context::{Alarm, Context};
use crate::counters::Counters;
use crate::hop::Hop;
use crate::outbox::Span;
use crate::output::{Attempt, Choice, Outcome, Output, Question, Refusal, Ticket, Trouble};
use crate::record::CallRecord;
use crate::settings::Settings;
use crate::sip::b2bua::call::{Call, With};
use crate::sip::b2bua::exchange::Exchanges;
use crate::sip::b2bua::side::Side;
use crate::sip::b2bua::{caller_leg, failover, peer_leg, request};
use crate::sip::message::{HeaderName, Message, Method};
use crate::sip::options::Lookup;
use crate::sip::token::{Kind, Mint};
use crate::sip::transaction::client::{Clients, Event, Late, Matched, Purpose, TwoHundred};
use crate::sip::transaction::key;
use crate::sip::transaction::server::Servers;
use crate::slots::{Key, Slots};
use crate::traffic::Direction;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// OPTIONS that wait for the owner at one time; it answers before it takes in more than a few.
const LOOKUPS_MAX: usize = 1024;

/// Whose a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This worker's.
    Here,
    /// Another worker's: hand it over.
    Worker(u8),
}

/// All SIP state of one worker.
pub struct Core {
    pub(crate) context: Context,
    pub(crate) clients: Clients,
    pub(crate) servers: Servers,
    pub(crate) calls: Slots<Call>,
    pub(crate) exchanges: Exchanges,
    /// OPTIONS that wait for the owner to say whether what they ask for is served.
    pub(crate) lookups: Slots<Lookup>,
    pub(crate) is_draining: bool,
    /// Whether the owner is asked all the same for the peers of new calls.
    pub(crate) keeps_promises: bool,
    /// Calls that are over, where somebody keeps records of them.
    pub(crate) records: Option<Vec<CallRecord>>,
}

impl Core {
    /// A core without calls.
    #[must_use]
    pub fn new(settings: Arc<Settings>, counters: Arc<Counters>, now: Instant) -> Self {
        // Generations begin anew at each start, so that no two runs of a node make the same tokens.
        let hash = Mint::new(settings.secret).hash(&[b"generation"]);
        let generation = u32::try_from(hash >> 32).expect("32 bits");
        let transactions = settings.transactions_max;
        let calls = settings.calls_max;
        let exchanges = (settings.exchanges_max, settings.exchanges_per_call_max);
        Self {
            context: Context::new(settings, counters, now),
            clients: Clients::new(transactions, generation),
            servers: Servers::new(transactions, generation),
            calls: Slots::new(calls, generation),
            exchanges: Exchanges::new(exchanges.0, exchanges.1, generation),
            lookups: Slots::new(LOOKUPS_MAX, generation),
            is_draining: false,
            keeps_promises: false,
            records: None,
        }
    }

    /// Which worker a message belongs to: the one that our token in it names, else the one that its
    /// Call-ID falls to.
    ///
    /// An INVITE, its retransmissions, its CANCEL and its ACK have one Call-ID and so meet.
    #[must_use]
    pub fn owner(&self, message: &Message<'_>) -> Owner {
        let settings = &self.context.settings;
        // What is no message, or an answer that names nobody, is dropped where it came.
        if settings.workers <= 1 || !(message.is_request() || message.is_response()) {
            return Owner::Here;
        }
        let named = if message.is_response() {
            let branch = message.branch().unwrap_or(&[]);
            self.context.mint.read(
                Kind::Branch,
                branch.strip_prefix(key::MAGIC_COOKIE).unwrap_or(branch),
            )
        } else {
            message.to_tag().and_then(|tag| self.leg_of(tag))
        };
        let worker = match named {
            Some(token) => token.worker,
            None if message.is_response() => return Owner::Here,
            None => self
                .worker_of_replaced(message)
                .unwrap_or_else(|| self.worker_of_call_id(message)),
        };
        if worker == settings.worker || worker >= settings.workers {
            Owner::Here
        } else {
            Owner::Worker(worker)
        }
    }

    /// Whom a CANCEL goes to next that this worker has no INVITE for: an INVITE with Replaces is where
    /// the call is that it names, and its CANCEL does not name that (RFC 3261 §9.1). It goes round once.
    #[must_use]
    pub fn next_owner(&self, source: &Hop, message: &Message<'_>) -> Option<u8> {
        let settings = &self.context.settings;
        let is_lost = settings.workers > 1
            && message.is_request()
            && message.method() == Method::Cancel
            && message.fault().is_none()
            && message.to_tag().is_none()
            && settings.access.may_call(source);
        if !is_lost {
            return None;
        }
        let mint = &self.context.mint;
        let indexes = [
            key::of_invite(mint, message),
            key::of_request(mint, message),
        ];
        if indexes
            .into_iter()
            .any(|index| self.servers.find(index).is_some())
        {
            return None;
        }
        let next = (settings.worker + 1) % settings.workers;
        (next != self.worker_of_call_id(message)).then_some(next)
    }

    fn worker_of_call_id(&self, message: &Message<'_>) -> u8 {
        let hash = self.context.mint.hash(&[message.call_id()]);
        let workers = u64::from(self.context.settings.workers);
        u8::try_from(hash % workers).expect("a remainder of a u8")
    }

    /// A message came.
    pub fn handle_message(&mut self, now: Instant, source: Hop, message: &Message<'_>) {
        self.context.counters.messages_in.add_one();
        self.count(source, message);
        if message.is_response() {
            self.handle_response(now, message);
        } else if message.is_request() {
            self.handle_request(now, source, message);
        } else {
            self.context.counters.dropped_not_sip.add_one();
        }
        self.check_invariants();
    }

    /// The owner's answer to [`Output::Choose`].
    pub fn handle_choice(
        &mut self,
        now: Instant,
        attempt: Attempt,
        choice: Result<Choice<'_>, Refusal>,
    ) {
        self.choose(now, attempt, choice);
    }

    /// Whether this attempt is the last one of its call that was begun, and is not given up. A choice that came too late,
    /// or whose INVITE could not be sent, begins none.
    #[must_use]
    pub fn is_under_way(&self, attempt: Attempt) -> bool {
        let Some(call) = self.calls.get(attempt.call) else {
            return false;
        };
        if let Some(transfer) = call.transfer.as_deref()
            && transfer.attempt == attempt
        {
            return transfer.is_owned && transfer.client.is_some();
        }
        let progress = &call.peer.progress;
        progress.is_open && progress.current(attempt.call) == attempt
    }

    /// Ends a call that its owner wants ended: BYE to both sides.
    pub fn hang_up_call(&mut self, now: Instant, call: Key) {
        self.hang_up(now, call);
    }

    /// A message with this ticket could not be sent, for this reason.
    pub fn handle_transport_error(&mut self, now: Instant, ticket: Ticket, trouble: Trouble) {
        self.context.counters.transport_errors.add_one();
        self.context.trouble = trouble;
        if let Some((purpose, event)) =
            self.clients
                .handle_transport_error(&mut self.context, now, ticket.0)
        {
            self.client_event(now, ticket.0, purpose, event, None);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(alarm) = self.context.wheel.expire(now) {
            match alarm {
                Alarm::Caller(call) => self.caller_alarm(now, call),
                Alarm::Exchange(exchange) => self.exchange_alarm(now, exchange),
                Alarm::CallerSession(call) => self.session_alarm(now, call, Side::Caller),
                Alarm::Peer(call) => self.peer_alarm(now, call),
                Alarm::PeerSession(call) => self.session_alarm(now, call, Side::Peer),
                Alarm::Transfer(call) => self.transfer_alarm(now, call),
                Alarm::Server(server) => self.servers.handle_alarm(&mut self.context, now, server),
                Alarm::Client(client) => {
                    if let Some((purpose, event)) =
                        self.clients.handle_alarm(&mut self.context, now, client)
                    {
                        self.client_event(now, client, purpose, event, None);
                    }
                }
            }
        }
    }

    /// The oldest message that is taken in now has waited so long; `has_lost`: others found no room
    /// to wait. While messages wait too long, new INVITEs are refused.
    pub fn handle_load(&mut self, now: Instant, waited: Duration, has_lost: bool) {
        self.context.overload.observe(now, waited, has_lost);
    }

    /// Whether new INVITEs are refused because messages wait too long.
    #[must_use]
    pub fn is_shedding(&self) -> bool {
        self.context.overload.is_shedding()
    }

    /// When [`Core::handle_timeout`] is wanted.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.context.wheel.next_deadline()
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.context.outputs.pop_front()
    }

    /// The bytes of a [`crate::Transmit`].
    #[must_use]
    pub fn bytes(&self, span: Span) -> &[u8] {
        self.context.outbox.bytes(span)
    }

    /// Everything taken from [`Core::poll_output`] has been sent: its bytes may go.
    pub fn sent(&mut self) {
        debug_assert!(
            self.context.outputs.is_empty(),
            "outputs are drained before their bytes go"
        );
        self.context.outbox.clear();
    }

    /// What was dialled in a call that waits for a choice.
    #[must_use]
    pub fn question(&self, call: Key) -> Option<Question<'_>> {
        let call = self.calls.get(call)?;
        // The target of a REFER is asked for anew: what was tried for the call says nothing of it.
        let (request_uri, body, search, replaced) = match call.transfer.as_deref() {
            // It makes the offer itself, which is not known yet.
            Some(transfer) => {
                let search = Some(&transfer.search);
                (&*transfer.target, &[][..], search, transfer.replaced)
            }
            None => {
                let offer = &call.offer;
                let (uri, body) = (offer.request_uri(), offer.body());
                let replaced = call.replaced.as_deref().copied();
                (uri, body, call.search.as_deref(), replaced)
            }
        };
        Some(Question {
            request_uri,
            source: call.source,
            zone: call.zone,
            body,
            tried: search.map_or(&[], |search| &search.tried),
            redirect: search.and_then(|search| {
                let (at, _) = search.redirect.as_ref()?;
                Some(*at)
            }),
            is_elsewhere: search.is_some_and(|search| search.is_elsewhere),
            replaced,
        })
    }

    /// What it was told, last.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.context.settings
    }

    /// From now on new INVITEs and OPTIONS get 503; what runs goes on.
    pub fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Whether, while it drains, the owner is asked for the peers of new INVITEs all the same, because some of
    /// them were promised; the others it refuses as [`Refusal::Draining`].
    pub fn keep_promises(&mut self, keeps: bool) {
        self.keeps_promises = keeps;
    }

    /// Whether new calls are refused.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// Whether some message is still repeated until it is answered. Looks at every transaction: for
    /// the end of a drain.
    #[must_use]
    pub fn is_repeating(&self) -> bool {
        self.servers.is_repeating() || self.clients.is_repeating()
    }

    /// Calls that live.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Whether some caller waits for the final answer to its INVITE.
    #[must_use]
    pub fn has_waiting_callers(&self) -> bool {
        let counters = &self.context.counters;
        let decided = counters.calls_answered.value() + counters.calls_failed.value();
        counters.calls_begun.value() > decided
    }

    /// Attempts whose owner waits to hear that they are over.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.context.attempts
    }

    /// Calls, client and server transactions, timers, and requests being carried across, that live:
    /// all zero when all is quiet.
    #[must_use]
    pub fn occupancy(&self) -> [usize; 5] {
        [
            self.calls.len(),
            self.clients.len(),
            self.servers.len(),
            self.context.wheel.len(),
            self.exchanges.len(),
        ]
    }

    fn count(&self, source: Hop, message: &Message<'_>) {
        let traffic = &self.context.counters.traffic;
        if let Some(fault) = message.fault() {
            traffic.count_fault(fault);
        }
        let class = if message.is_response() {
            message.status() / 100
        } else if message.is_request() {
            0
        } else {
            return;
        };
        let class = u8::try_from(class).unwrap_or(u8::MAX);
        traffic.count(Direction::In, source.transport, message.method(), class);
    }

    /// What holds between inputs.
    fn check_invariants(&self) {
        let [calls, clients, servers, timers, exchanges] = self.occupancy();
        debug_assert!(
            timers <= 5 * calls + clients + servers + exchanges,
            "{timers} timers for {calls} calls, {clients} clients, {servers} servers"
        );
        debug_assert!(
            self.servers.is_consistent(),
            "each server transaction has one key"
        );
        debug_assert!(
            calls + clients + servers + exchanges + self.lookups.len() > 0
                || self.context.pool.held() == 0,
            "nobody keeps {} octets",
            self.context.pool.held()
        );
    }

    fn handle_response(&mut self, now: Instant, message: &Message<'_>) {
        // §8.1.3.3: with a second Via it was meant for somebody behind us, and nobody is.
        if message.fault().is_some() || message.values(HeaderName::Via).nth(1).is_some() {
            self.context.counters.dropped_malformed.add_one();
            return;
        }
        let challenged = self.clients.challenged(&self.context, message);
        match self
            .clients
            .handle_response(&mut self.context, now, message)
        {
            Matched::Absorbed => {}
            // The peer must not hold a session for a call that is over (TRUNK.md section 4).
            Matched::Late(Late {
                purpose:
                    Purpose::Reinvite(_) | Purpose::RefreshByInvite(..) | Purpose::TransferOffer(_),
                hop,
                ..
            }) => self.reinvite_accepted_late(now, hop, message),
            Matched::Late(late) => {
                request::end_stray(&mut self.context, &mut self.clients, now, message, late);
            }
            Matched::Tell(client, purpose) => {
                let from = (client, purpose);
                if challenged.is_some_and(|request| self.ask_again(now, from, &request, message)) {
                    return;
                }
                self.client_event(now, client, purpose, Event::Response, Some(message));
            }
        }
    }

    /// A client transaction has something to tell.
    fn client_event(
        &mut self,
        now: Instant,
        client: Key,
        purpose: Purpose,
        event: Event,
        message: Option<&Message<'_>>,
    ) {
        let is_final = message.is_none_or(|message| message.status() >= 200);
        match (purpose, event) {
            (Purpose::Invite(attempt), Event::Response) => {
                if let Some(message) = message {
                    self.invite_answered(now, client, attempt.call, message);
                }
            }
            (Purpose::Invite(attempt), Event::Timeout) => {
                self.lost(now, attempt.call, Outcome::Silent);
            }
            (Purpose::Invite(attempt), Event::TransportError) => {
                let outcome = Outcome::Unreachable(self.context.trouble);
                self.lost(now, attempt.call, outcome);
            }
            (Purpose::ByeToLate(attempt), _) if is_final => {
                self.context.report(attempt, Outcome::Over);
            }
            // Whatever the other side says to a BYE, or if it says nothing, the dialog is over
            // (§15.1.1).
            (Purpose::ByeToCaller(call), _) if is_final => {
                self.caller_input(now, call, caller_leg::Input::ByeDone, With::default());
            }
            (Purpose::ByeToPeer(call), _) if is_final => {
                self.peer_input(now, call, peer_leg::Input::ByeDone, With::default());
            }
            (Purpose::Exchange(exchange), event) => {
                self.exchange_event(now, exchange, event, message);
            }
            (Purpose::Refresh(call, side) | Purpose::RefreshByInvite(call, side), event) => {
                self.refresh_event(now, (client, call, side), event, message);
            }
            (Purpose::Reinvite(exchange), event) => {
                self.reinvite_event(now, (client, exchange), event, message);
            }
            (Purpose::Transfer(attempt), event) => {
                self.target_answered(now, (client, attempt.call), event, message);
            }
            (Purpose::TransferOffer(call), event) => {
                self.offer_answered(now, (client, call), event, message);
            }
            (Purpose::Notice(call, side), _) if is_final => {
                self.notice_answered(call, side, message);
            }
            (Purpose::Probe(peer), Event::Response) => {
                if let Some(message) = message.filter(|_| is_final) {
                    self.probed(peer, failover::answered(message));
                }
            }
            (Purpose::Probe(peer), Event::Timeout) => self.probed(peer, Outcome::Silent),
            (Purpose::Probe(peer), Event::TransportError) => {
                let outcome = Outcome::Unreachable(self.context.trouble);
                self.probed(peer, outcome);
            }
            (
                Purpose::ByeToCaller(_)
                | Purpose::ByeToLate(_)
                | Purpose::ByeToPeer(_)
                | Purpose::Forgotten
                | Purpose::Notice(..),
                _,
            ) => {}
        }
    }

    fn invite_answered(&mut self, now: Instant, client: Key, call: Key, message: &Message<'_>) {
        let with = With {
            message: Some(message),
            server: None,
        };
        match message.status() {
            ..=100 => self.peer_input(now, call, peer_leg::Input::Trying, with),
            101..200 => {
                if let Some(call) = self.calls.get_mut(call) {
                    call.peer.progress.is_early |= message.to_tag().is_some();
                }
                if self.take_provisional(call, message) {
                    self.peer_input(now, call, peer_leg::Input::Provisional, with);
                }
            }
            300.. => self.refused(now, call, message),
            200..300 => {
                let tag = self.context.mint.hash(&[message.to_tag().unwrap_or(&[])]);
                match self.clients.two_hundred(client, tag) {
                    Some(TwoHundred::First) => self.accepted(now, call, message),
                    Some(TwoHundred::Again) if self.calls.get(call).is_some() => {
                        self.peer_input(now, call, peer_leg::Input::SuccessAgain, with);
                    }
                    Some(TwoHundred::Again) => self.clients.repeat_ack(&mut self.context, client),
                    Some(TwoHundred::Stray(late)) => {
                        request::end_stray(
                            &mut self.context,
                            &mut self.clients,
                            now,
                            message,
                            late,
                        );
                    }
                    None => {}
                }
            }
        }
    }
}
