//! Requests inside a dialog, carried from one leg to the other and their answers back.
//!
//! The server transaction on one leg and the client transaction on the other are two; an
//! [`Exchange`] joins them. Each leg counts its own CSeq (RFC 3261 §12.2). What is carried is what
//! [`headers::ALLOW`] names; the contents are the ends' to judge. The INVITE among these requests
//! is [`super::reinvite`]'s.

use super::call::Call;
use super::side::{Side, Stage};
use super::{answer, caller_leg, headers, peer_leg, request};
use crate::core::Core;
use crate::hop::Hop;
use crate::sip::message::{Message, Method};
use crate::sip::reject::Cause;
use crate::sip::transaction::client::{Event, Purpose};
use crate::slots::{Key, Slots};
use std::sync::Arc;
use std::time::Instant;

/// One request that was carried across and is not finally answered.
pub(crate) struct Exchange {
    pub(crate) call: Key,
    /// The side that asked.
    pub(crate) from: Side,
    pub(crate) method: Method,
    /// Whether it has a body: of an UPDATE, an offer.
    pub(crate) has_offer: bool,
    /// Where the one who asked is answered.
    pub(crate) server: Key,
    /// The next exchange of this call.
    next: Option<Key>,
}

/// All exchanges of one worker. Those of a call hang on it in a chain.
pub(crate) struct Exchanges {
    slots: Slots<Exchange>,
    per_call_max: usize,
}

impl Exchanges {
    pub(crate) fn new(limit: usize, per_call_max: usize, first_generation: u32) -> Self {
        Self {
            slots: Slots::new(limit, first_generation),
            per_call_max,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Exchange> {
        self.slots.get(key)
    }

    /// The exchanges of a call.
    pub(crate) fn of<'a>(&'a self, call: &Call) -> impl Iterator<Item = (Key, &'a Exchange)> {
        let mut next = call.exchanges;
        std::iter::from_fn(move || {
            let key = next?;
            let exchange = self.slots.get(key)?;
            next = exchange.next;
            Some((key, exchange))
        })
    }

    /// Hangs a new exchange on its call; `None` when it, or the table, has enough.
    fn open(&mut self, call: &mut Call, exchange: Exchange) -> Option<Key> {
        if self.of(call).count() >= self.per_call_max {
            return None;
        }
        let next = call.exchanges;
        let key = self.slots.insert(Exchange { next, ..exchange })?;
        call.exchanges = Some(key);
        Some(key)
    }

    /// Takes an exchange off its call.
    fn close(&mut self, call: Option<&mut Call>, key: Key) -> Option<Exchange> {
        let before = call.as_deref().and_then(|call| {
            let mut chain = self.of(call);
            chain.find(|(_, exchange)| exchange.next == Some(key))
        });
        let before = before.map(|(before, _)| before);
        let exchange = self.slots.remove(key)?;
        match (before, call) {
            (Some(before), _) => {
                if let Some(before) = self.slots.get_mut(before) {
                    before.next = exchange.next;
                }
            }
            (None, Some(call)) if call.exchanges == Some(key) => call.exchanges = exchange.next,
            (None, _) => debug_assert!(false, "an exchange hangs on its call"),
        }
        Some(exchange)
    }
}

impl Core {
    /// Carries a request of one leg to the other.
    pub(crate) fn carry(
        &mut self,
        now: Instant,
        (from, key): (Side, Key),
        hops: (Hop, Hop),
        message: &Message<'_>,
        index: u64,
    ) -> Result<(), Cause> {
        let call = self.calls.get_mut(key).ok_or(Cause::NoDialog)?;
        let dialog = call.dialog_mut(from).ok_or(Cause::NoDialog)?;
        // §12.2.2: before anything else is looked at.
        if !dialog.takes_cseq(message.cseq()) {
            return Err(Cause::OutOfOrder);
        }
        let method = message.method();
        if method == Method::Invite {
            return Err(Cause::NoChange);
        }
        if method == Method::Other {
            return Err(Cause::MethodUnknown);
        }
        if !headers::is_carried(method) {
            return Err(Cause::MethodNotAllowed);
        }
        if message.max_forwards() == Some(0) {
            return Err(Cause::TooManyHops);
        }
        if super::offer::required(message).next().is_some() {
            return Err(Cause::UnsupportedExtension);
        }
        self.check_turn(key, from, message)?;
        if refreshes_target(message.method()) {
            self.retarget(key, from, message);
        }
        self.begin_exchange(now, (from, key), hops, message, index)
    }

    /// Whether both legs can take the request now.
    fn check_turn(&self, key: Key, from: Side, message: &Message<'_>) -> Result<(), Cause> {
        let call = self.calls.get(key).ok_or(Cause::NoDialog)?;
        match (call.stage(from), call.stage(from.other())) {
            (Stage::Over, _) | (_, Stage::Over) => return Err(Cause::NoDialog),
            (Stage::Early, _) | (_, Stage::Early) => return Err(Cause::Busy),
            (Stage::Answered | Stage::Established, Stage::Answered | Stage::Established) => {}
        }
        if message.method() != Method::Update {
            return Ok(());
        }
        // RFC 3311 §5.2: one UPDATE of a side at a time, and one offer of both.
        for (_, other) in self.exchanges.of(call) {
            let is_update = other.method == Method::Update;
            if is_update && other.from == from {
                return Err(Cause::Busy);
            }
            if is_update && other.has_offer && !message.body().is_empty() {
                return Err(Cause::Glare);
            }
        }
        Ok(())
    }

    /// §12.2.2: a target refresh says where the requests of this leg go from now on.
    pub(crate) fn retarget(&mut self, key: Key, side: Side, message: &Message<'_>) {
        let settings = Arc::clone(&self.context.settings);
        if let Some(dialog) = self
            .calls
            .get_mut(key)
            .and_then(|call| call.dialog_mut(side))
        {
            dialog.retarget(&settings, message);
        }
    }

    fn begin_exchange(
        &mut self,
        now: Instant,
        (from, key): (Side, Key),
        hops: (Hop, Hop),
        message: &Message<'_>,
        index: u64,
    ) -> Result<(), Cause> {
        // The last quarter of the tables is for BYE and CANCEL.
        if !self.servers.has_room_for_calls() || !self.clients.has_room_for_calls() {
            return Err(Cause::Overloaded);
        }
        let call = self.calls.get_mut(key).ok_or(Cause::NoDialog)?;
        let server = self
            .servers
            .open(&mut self.context, message, hops, index)
            .ok_or(Cause::Overloaded)?;
        let exchange = Exchange {
            call: key,
            from,
            method: message.method(),
            has_offer: !message.body().is_empty(),
            server,
            next: None,
        };
        let tag = self.context.token(from.kind(), key);
        let Some(exchange) = self.exchanges.open(call, exchange) else {
            self.context.counters.dropped_limit.add_one();
            let refused = (server, Cause::Busy);
            answer::own(&mut self.context, &mut self.servers, now, refused, &tag);
            return Ok(());
        };
        let to = from.other();
        let purpose = Purpose::Exchange(exchange);
        let contact =
            headers::has_contact(message.method()).then(|| self.context.token(to.kind(), key));
        let sent = call.dialog_mut(to).and_then(|dialog| {
            let (context, clients) = (&mut self.context, &mut self.clients);
            request::carry(context, clients, now, (purpose, dialog), (message, contact))
        });
        if sent.is_none() {
            self.refuse_exchange(now, exchange, Cause::Overloaded);
        }
        Ok(())
    }

    /// The request that was carried across has an answer, or gets none.
    pub(crate) fn exchange_event(
        &mut self,
        now: Instant,
        key: Key,
        event: Event,
        message: Option<&Message<'_>>,
    ) {
        let Some(exchange) = self.exchanges.get(key) else {
            return;
        };
        let (call, method, server) = (exchange.call, exchange.method, exchange.server);
        let to = exchange.from.other();
        match (event, message) {
            // RFC 4320 §4.1: only 100 is a provisional of such a request, and it is of one hop.
            (Event::Response, Some(message)) if message.status() < 200 => {}
            (Event::Response, Some(message)) => {
                if refreshes_target(method) && message.status() < 300 {
                    self.retarget(call, to, message);
                }
                self.relay_exchange(now, key, message);
                self.end_exchange(key);
                if ends_dialog(method, message.status()) {
                    self.hang_up(now, call);
                }
            }
            (Event::TransportError, _) => self.refuse_exchange(now, key, Cause::NoPeerAnswered),
            (Event::Timeout | Event::Response, _) => {
                // RFC 4320 §4.2: nobody is told 408; who asked has waited as long as we have.
                self.servers.forget(&mut self.context, server);
                self.end_exchange(key);
                if ends_dialog(method, 408) {
                    self.hang_up(now, call);
                }
            }
        }
    }

    fn relay_exchange(&mut self, now: Instant, key: Key, message: &Message<'_>) {
        let Some(exchange) = self.exchanges.get(key) else {
            return;
        };
        let Some(call) = self.calls.get(exchange.call) else {
            return;
        };
        let Some(dialog) = call.dialog(exchange.from) else {
            return;
        };
        let tag = self.context.token(exchange.from.kind(), exchange.call);
        let to = answer::Answering {
            server: exchange.server,
            tag,
            hop: dialog.hop,
        };
        answer::relay_in_dialog(&mut self.context, &mut self.servers, now, to, message);
    }

    fn refuse_exchange(&mut self, now: Instant, key: Key, cause: Cause) {
        let Some(exchange) = self.exchanges.get(key) else {
            return;
        };
        let tag = self.context.token(exchange.from.kind(), exchange.call);
        let refused = (exchange.server, cause);
        answer::own(&mut self.context, &mut self.servers, now, refused, &tag);
        self.end_exchange(key);
    }

    fn end_exchange(&mut self, key: Key) {
        let call = self.exchanges.get(key).map(|exchange| exchange.call);
        let call = call.and_then(|call| self.calls.get_mut(call));
        self.exchanges.close(call, key);
    }

    /// When a leg ends: who still waits for an answer hears that there is none (§15.1.2).
    pub(crate) fn end_exchanges_if_over(&mut self, now: Instant, key: Key) {
        let is_over = |call: &&Call| {
            call.stage(Side::Caller) == Stage::Over || call.stage(Side::Peer) == Stage::Over
        };
        while let Some(exchange) = self
            .calls
            .get(key)
            .filter(is_over)
            .and_then(|call| call.exchanges)
        {
            self.refuse_exchange(now, exchange, Cause::Cancelled);
        }
    }

    /// Ends both legs of a call, as if each had heard of the other's end.
    pub(crate) fn hang_up(&mut self, now: Instant, key: Key) {
        use super::call::With;
        self.caller_input(now, key, caller_leg::Input::PeerHangup, With::default());
        self.peer_input(now, key, peer_leg::Input::CallerHangup, With::default());
    }
}

/// Whether a request, and its 2xx, says anew where requests go (RFC 3261 §12.2.2, RFC 3311 §5.1).
fn refreshes_target(method: Method) -> bool {
    matches!(method, Method::Invite | Method::Update)
}

/// Whether this answer ends the dialog (§12.2.1.2, as RFC 5057 §5.3 narrows it: only where the
/// request was about the session itself).
fn ends_dialog(method: Method, status: u16) -> bool {
    matches!(method, Method::Invite | Method::Update) && matches!(status, 408 | 481)
}
