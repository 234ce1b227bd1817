//! Requests that were carried from one leg to the other and are not finally answered: the server transaction
//! on one leg and the client transaction on the other, joined. [`super::carry`] begins and ends them.

use super::call::Call;
use super::session_change::Reinvite;
use super::session_timer::Wish;
use super::side::Side;
use crate::sip::message::Method;
use crate::sip::reject::Cause;
use crate::slots::{Key, Slots};

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
    /// What an INVITE or UPDATE said about the session timer.
    pub(crate) wish: Wish,
    /// The SDP that it brought, for refreshes of ours on the leg that is asked, once that has
    /// accepted it.
    pub(crate) sdp: Option<Box<[u8]>>,
    /// What an INVITE has beside.
    pub(crate) reinvite: Option<Reinvite>,
    /// The next exchange of this call.
    pub(crate) next: Option<Key>,
}

impl Exchange {
    /// The leg that is asked.
    pub(crate) fn asked(&self) -> (Key, Side) {
        (self.call, self.from.other())
    }

    /// Whether it is an INVITE, or an UPDATE with an offer.
    pub(crate) fn changes_session(&self) -> bool {
        self.reinvite.is_some() || (self.method == Method::Update && self.has_offer)
    }

    /// Whether this exchange, which is under way, rules another INVITE or UPDATE out: one offer at
    /// a time, one request of each kind from a side (RFC 3261 §14.2, RFC 3311 §5.2).
    pub(crate) fn stands_against(
        &self,
        from: Side,
        method: Method,
        has_offer: bool,
    ) -> Option<Cause> {
        let is_same_side = self.from == from;
        match (self.method, method) {
            (Method::Invite, Method::Invite) => {
                let is_answered = self.reinvite.as_ref().is_some_and(Reinvite::is_accepted);
                Some(if is_same_side && !is_answered {
                    Cause::Busy
                } else {
                    Cause::Glare
                })
            }
            // With the offer in the INVITE its 2xx was the answer; else the ACK will be.
            (Method::Invite, Method::Update) => {
                let is_settled =
                    self.reinvite.as_ref().is_some_and(Reinvite::is_accepted) && self.has_offer;
                (has_offer && !is_same_side && !is_settled).then_some(Cause::Glare)
            }
            (Method::Update, Method::Invite) => self.has_offer.then_some(Cause::Glare),
            (Method::Update, Method::Update) if is_same_side => Some(Cause::Busy),
            (Method::Update, Method::Update) => {
                (self.has_offer && has_offer).then_some(Cause::Glare)
            }
            _ => None,
        }
    }
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

    /// Other limits from now on; what is under way goes on.
    pub(crate) fn set_limits(&mut self, limit: usize, per_call_max: usize) {
        self.slots.set_limit(limit);
        self.per_call_max = per_call_max;
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Exchange> {
        self.slots.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Exchange> {
        self.slots.get_mut(key)
    }

    /// What an exchange has beside if it is an INVITE's.
    pub(crate) fn reinvite_mut(&mut self, key: Key) -> Option<&mut Reinvite> {
        self.slots.get_mut(key)?.reinvite.as_mut()
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
    pub(crate) fn open(&mut self, call: &mut Call, exchange: Exchange) -> Option<Key> {
        if self.of(call).count() >= self.per_call_max {
            return None;
        }
        let next = call.exchanges;
        let key = self.slots.insert(Exchange { next, ..exchange })?;
        call.exchanges = Some(key);
        Some(key)
    }

    /// Takes an exchange off its call.
    pub(crate) fn close(&mut self, call: Option<&mut Call>, key: Key) -> Option<Exchange> {
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
