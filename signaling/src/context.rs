//! What all parts of a core share: settings, timers, buffers, the queue of effects, counters.

use crate::access::rates::Meter;
use crate::counters::Counters;
use crate::hop::Hop;
use crate::outbox::{Outbox, Span};
use crate::output::{Attempt, Outcome, Output, Ticket, Transmit, Trouble};
use crate::overload::Overload;
use crate::pool::Pool;
use crate::settings::Settings;
use crate::sip::auth::nonce::Nonces;
use crate::sip::b2bua::attempt::Searches;
use crate::sip::message::{Gist, Writer};
use crate::sip::token::{Kind, Mint, Text, Token};
use crate::slots::Key;
use crate::traffic::Direction;
use crate::wheel::Wheel;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Whose timer went off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// The caller leg of a call: repeats its 2xx.
    Caller(Key),
    /// The session timer of the caller leg of a call.
    CallerSession(Key),
    /// A client transaction.
    Client(Key),
    /// A re-INVITE: its 2xx is repeated, or it takes too long.
    Exchange(Key),
    /// The peer leg of a call: ringing or cancelling takes too long.
    Peer(Key),
    /// The session timer of the peer leg of a call.
    PeerSession(Key),
    /// A server transaction.
    Server(Key),
    /// The target of a REFER: it is silent or rings too long, or its offer has waited.
    Transfer(Key),
}

pub(crate) struct Context {
    pub(crate) settings: Arc<Settings>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) mint: Mint,
    pub(crate) wheel: Wheel<Alarm>,
    pub(crate) pool: Pool,
    pub(crate) searches: Searches,
    pub(crate) outbox: Outbox,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) meter: Meter,
    pub(crate) overload: Overload,
    pub(crate) nonces: Nonces,
    /// Attempts that the owner has not been told the end of.
    pub(crate) attempts: usize,
    /// Why the message could not be sent whose failure is dealt with now.
    pub(crate) trouble: Trouble,
    /// Counts the branches that name no transaction.
    stateless_branches: u64,
}

impl Context {
    pub(crate) fn new(settings: Arc<Settings>, counters: Arc<Counters>, now: Instant) -> Self {
        let mint = Mint::new(settings.secret);
        let meter = Meter::new(settings.access.rates, now);
        let overload = Overload::new(settings.overload, now);
        let nonces = Nonces::new(settings.secret, settings.worker, now);
        Self {
            settings,
            counters,
            mint,
            wheel: Wheel::new(now),
            pool: Pool::default(),
            searches: Searches::default(),
            outbox: Outbox::new(),
            outputs: VecDeque::new(),
            meter,
            overload,
            nonces,
            attempts: 0,
            trouble: Trouble::default(),
            stateless_branches: 0,
        }
    }

    /// Takes new settings over. Sources that were counted are forgotten only if their rates change.
    pub(crate) fn handle_settings(&mut self, now: Instant, settings: Arc<Settings>) {
        if self.settings.access.rates != settings.access.rates {
            self.meter = Meter::new(settings.access.rates, now);
        }
        if self.settings.overload != settings.overload {
            self.overload = Overload::new(settings.overload, now);
        }
        self.settings = settings;
    }

    /// The text of one of our tokens.
    pub(crate) fn token(&self, kind: Kind, key: Key) -> Text {
        self.mint.write(Token {
            kind,
            worker: self.settings.worker,
            key,
        })
    }

    /// The text of a token that each attempt of a call has for itself.
    pub(crate) fn attempt_token(&self, kind: Kind, attempt: Attempt) -> Text {
        let token = Token {
            kind,
            worker: self.settings.worker,
            key: attempt.call,
        };
        self.mint.write_nth(token, attempt.number)
    }

    /// Tells the owner what came of an attempt.
    pub(crate) fn report(&mut self, attempt: Attempt, outcome: Outcome) {
        if outcome == Outcome::Over {
            debug_assert!(self.attempts > 0, "an attempt ends once");
            self.attempts = self.attempts.saturating_sub(1);
        }
        self.outputs.push_back(Output::Attempted(attempt, outcome));
    }

    /// A branch that no other message of this worker has.
    pub(crate) fn ack_branch(&mut self) -> Text {
        self.stateless_branches += 1;
        let count = self.stateless_branches;
        let slot = u32::try_from(count >> 32 & 0xff_ffff).expect("24 bits");
        let generation = u32::try_from(count & 0xffff_ffff).expect("32 bits");
        self.token(Kind::AckBranch, Key { slot, generation })
    }

    /// Writes a message of at most `room` bytes and queues it.
    pub(crate) fn send(
        &mut self,
        hop: Hop,
        ticket: Option<Ticket>,
        room: usize,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Option<Transmit> {
        let Ok(span) = self.outbox.write(room, write) else {
            self.counters.dropped_too_large.add_one();
            return None;
        };
        let transmit = transmit(hop, span, ticket);
        self.queue(transmit);
        Some(transmit)
    }

    /// Writes a message if it has at most `room` bytes, and queues it; tells whether.
    pub(crate) fn send_if_fits(
        &mut self,
        hop: Hop,
        room: usize,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> bool {
        let written = self.outbox.write(room, write);
        if let Ok(span) = written {
            self.queue(transmit(hop, span, None));
        }
        written.is_ok()
    }

    /// Queues a copy of a message that was kept.
    pub(crate) fn resend(&mut self, hop: Hop, ticket: Option<Ticket>, bytes: &[u8]) {
        if let Ok(span) = self.outbox.copy(bytes) {
            self.queue(transmit(hop, span, ticket));
        }
    }

    /// A connection for the message that was queued last may take so long to be made.
    pub(crate) fn connect_within(&mut self, patience: Duration) {
        if let Some(Output::Send(transmit)) = self.outputs.back_mut() {
            transmit.connect_patience = Some(patience);
        }
    }

    fn queue(&mut self, transmit: Transmit) {
        self.counters.messages_out.add_one();
        let gist = Gist::of(self.outbox.bytes(transmit.span));
        let transport = transmit.hop.transport;
        let traffic = &self.counters.traffic;
        traffic.count(Direction::Out, transport, gist.method, gist.class);
        self.outputs.push_back(Output::Send(transmit));
    }
}

fn transmit(hop: Hop, span: Span, ticket: Option<Ticket>) -> Transmit {
    Transmit {
        hop,
        span,
        ticket,
        connect_patience: None,
    }
}
