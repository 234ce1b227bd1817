//! The carrying out of what [`super::reinvite`] asks for.

use super::reinvite::{Action, Input, State, step};
use super::side::Side;
use super::{answer, request};
use crate::context::Alarm;
use crate::core::Core;
use crate::hop::Hop;
use crate::pool::Buffer;
use crate::sip::message::Message;
use crate::sip::reject::Cause;
use crate::sip::transaction::client::{Event, Late, Purpose, TwoHundred};
use crate::slots::Key;
use crate::wheel::TimerHandle;
use std::time::{Duration, Instant};

/// What an exchange has beside, if its request is an INVITE.
pub(crate) struct Reinvite {
    state: State,
    client: Key,
    /// CSeq on the leg that asked, which its ACK repeats.
    pub(crate) cseq_in: u32,
    /// CSeq on the leg that is asked.
    pub(crate) cseq_out: u32,
    /// The 2xx as it was sent, while it is repeated.
    success: Buffer,
    interval: Duration,
    gives_up_at: Option<Instant>,
    alarm: Option<TimerHandle>,
}

impl Reinvite {
    pub(crate) fn new(client: Key, cseq_in: u32, cseq_out: u32) -> Self {
        Self {
            state: State::Calling,
            client,
            cseq_in,
            cseq_out,
            success: Buffer::default(),
            interval: Duration::ZERO,
            gives_up_at: None,
            alarm: None,
        }
    }

    /// Whether nothing is decided yet.
    pub(crate) fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Calling | State::Proceeding)
    }

    /// It goes on in another transaction, under another number.
    pub(crate) fn goes_on_as(&mut self, client: Key, cseq_out: u32) {
        self.client = client;
        self.cseq_out = cseq_out;
    }

    /// Whether the 2xx went to the one who asked.
    pub(crate) fn is_accepted(&self) -> bool {
        self.state == State::Accepted
    }
}

impl Core {
    /// The INVITE that was carried across has an answer, or gets none.
    pub(crate) fn reinvite_event(
        &mut self,
        now: Instant,
        (client, key): (Key, Key),
        event: Event,
        message: Option<&Message<'_>>,
    ) {
        let input = match (event, message) {
            (Event::Response, Some(message)) => match message.status() {
                ..=100 => Input::Trying,
                101..200 => Input::Provisional,
                300.. => Input::Failure,
                200..300 => match self.clients.two_hundred(client, 0) {
                    Some(TwoHundred::First) if self.exchanges.get(key).is_some() => Input::Success,
                    Some(TwoHundred::First | TwoHundred::Stray(_)) => {
                        let hop = self.clients.hop(client);
                        return hop.map_or((), |hop| self.acknowledge_late(now, hop, message));
                    }
                    // As long as the ACK has not come, there is none to be repeated.
                    Some(TwoHundred::Again) => {
                        return self.clients.repeat_ack(&mut self.context, client);
                    }
                    None => return,
                },
            },
            (Event::TransportError, _) => Input::Unsent,
            (Event::Response | Event::Timeout, _) => Input::NoAnswer,
        };
        self.reinvite_input(now, key, input, message);
    }

    /// A 2xx for which nobody waits any more: the session it makes has no other end, so the call is
    /// over. Our tag in it names the call.
    pub(crate) fn reinvite_accepted_late(&mut self, now: Instant, hop: Hop, message: &Message<'_>) {
        self.acknowledge_late(now, hop, message);
        let leg = message.from_tag().and_then(|tag| self.leg_of(tag));
        if let Some(leg) = leg {
            self.hang_up(now, leg.key);
        }
    }

    fn acknowledge_late(&mut self, now: Instant, hop: Hop, message: &Message<'_>) {
        let leg = message.from_tag().and_then(|tag| self.leg_of(tag));
        let dialog = leg.and_then(|leg| {
            let call = self.calls.get(leg.key)?;
            call.dialog(call.side_named(leg.kind, message.call_id())?)
        });
        match dialog {
            Some(dialog) => {
                let acked = request::ack(&mut self.context, dialog, message.cseq(), None);
                debug_assert!(acked.is_some(), "an ACK without a body is not too large");
            }
            None => {
                let (context, clients) = (&mut self.context, &mut self.clients);
                let late = Late {
                    purpose: Purpose::Forgotten,
                    hop,
                    with_bye: false,
                    attempt: None,
                    cseq: 0,
                };
                request::end_stray(context, clients, now, message, late);
            }
        }
    }

    /// Something happened to a re-INVITE.
    pub(crate) fn reinvite_input(
        &mut self,
        now: Instant,
        key: Key,
        input: Input,
        message: Option<&Message<'_>>,
    ) {
        let Some(exchange) = self.exchanges.get_mut(key) else {
            return;
        };
        let call = exchange.call;
        let Some(reinvite) = &mut exchange.reinvite else {
            return;
        };
        let (next, actions) = step(reinvite.state, input);
        reinvite.state = next;
        if matches!(next, State::Accepted | State::Over) {
            self.stop_waiting_for_reinvite(key);
        }
        for action in actions {
            self.do_for_reinvite(now, key, *action, message);
        }
        if next == State::Over {
            self.end_exchange(key);
        }
        // Last, since it ends what is under way in this call.
        if actions.contains(&Action::HangUp) || (input == Input::Failure && ends_dialog(message)) {
            self.hang_up(now, call);
        }
    }

    fn do_for_reinvite(
        &mut self,
        now: Instant,
        key: Key,
        action: Action,
        message: Option<&Message<'_>>,
    ) {
        let Some(exchange) = self.exchanges.get(key) else {
            return;
        };
        let Some(reinvite) = &exchange.reinvite else {
            return;
        };
        let client = reinvite.client;
        match action {
            Action::Abandon => self.clients.abandon(&mut self.context, now, client),
            // The caller's, when everything else is done.
            Action::HangUp => {}
            Action::PassAck => self.acknowledge_reinvite(key, message),
            Action::SendOwnAck => self.acknowledge_reinvite(key, None),
            Action::RefuseCancelled => self.refuse_reinvite(now, key, Cause::Cancelled),
            Action::RefuseNoAnswer => self.refuse_reinvite(now, key, Cause::NoPeerAnswered),
            Action::RelayFailure | Action::RelayProvisional => {
                if let Some(message) = message {
                    self.relay_exchange(now, key, message);
                }
            }
            Action::RelaySuccess => {
                if let Some(message) = message {
                    self.accept_reinvite(now, key, message);
                }
            }
            Action::SendCancel => {
                self.clients.cancel(&mut self.context, now, client);
                let wait = self.context.settings.timers.t1_64();
                self.wait_for_reinvite(key, now + wait);
            }
            Action::StartRinging => {
                let ring = self.context.settings.timers.ring;
                self.wait_for_reinvite(key, now + ring);
            }
        }
    }

    /// The 2xx goes to the one who asked, again and again until the ACK comes (§13.3.1.4).
    fn accept_reinvite(&mut self, now: Instant, key: Key, message: &Message<'_>) {
        let span = self.relay_exchange(now, key, message);
        self.session_changed(now, key, message);
        let timers = self.context.settings.timers;
        let Some(reinvite) = self.exchanges.reinvite_mut(key) else {
            return;
        };
        if let Some(span) = span {
            reinvite.success = self.context.pool.copy(self.context.outbox.bytes(span));
        }
        reinvite.interval = timers.t1;
        reinvite.gives_up_at = Some(now + timers.t1_64());
        let alarm = Alarm::Exchange(key);
        reinvite.alarm = Some(self.context.wheel.arm(now + timers.t1, alarm));
    }

    /// The ACK goes to the leg that accepted, under the number of its INVITE.
    fn acknowledge_reinvite(&mut self, key: Key, from: Option<&Message<'_>>) {
        let Some(exchange) = self.exchanges.get(key) else {
            return;
        };
        let (call, to) = exchange.asked();
        let way = self.calls.get(call).map(|call| call.way(to));
        let dialog = self.calls.get(call).and_then(|call| call.dialog(to));
        let (Some(reinvite), Some(dialog)) = (&exchange.reinvite, dialog) else {
            return;
        };
        let (client, cseq) = (reinvite.client, reinvite.cseq_out);
        let lent = from.zip(way);
        if let Some(span) = request::ack(&mut self.context, dialog, cseq, lent) {
            self.clients
                .keep_ack(&mut self.context, client, span, dialog.hop);
        }
        if let Some(ack) = from {
            self.keep_sdp(call, to, ack);
        }
    }

    fn refuse_reinvite(&mut self, now: Instant, key: Key, cause: Cause) {
        if let Some(exchange) = self.exchanges.get(key) {
            let tag = self.leg_token(exchange.call, exchange.from);
            let refused = (exchange.server, cause);
            answer::own(&mut self.context, &mut self.servers, now, refused, &tag);
        }
    }

    /// The ACK of a 2xx that is no call's first: it is found by its number.
    pub(crate) fn reinvite_acknowledged(
        &mut self,
        now: Instant,
        (side, call): (Side, Key),
        ack: &Message<'_>,
    ) {
        let Some(call) = self.calls.get(call) else {
            return;
        };
        let found = self.exchanges.of(call).find(|(_, exchange)| {
            let cseq = exchange.reinvite.as_ref().map(|reinvite| reinvite.cseq_in);
            exchange.from == side && cseq == Some(ack.cseq())
        });
        if let Some((key, _)) = found {
            self.reinvite_input(now, key, Input::Ack, Some(ack));
        }
    }

    /// The timer of a re-INVITE: repeat the 2xx, or something took too long.
    pub(crate) fn exchange_alarm(&mut self, now: Instant, key: Key) {
        let timers = self.context.settings.timers;
        let Some(exchange) = self.exchanges.get_mut(key) else {
            return;
        };
        let server = exchange.server;
        let Some(reinvite) = &mut exchange.reinvite else {
            return;
        };
        reinvite.alarm = None;
        let Some(gives_up_at) = reinvite.gives_up_at.filter(|until| now < *until) else {
            return self.reinvite_input(now, key, Input::TooLong, None);
        };
        reinvite.interval = (reinvite.interval * 2).min(timers.t2);
        let next = (now + reinvite.interval).min(gives_up_at);
        reinvite.alarm = Some(self.context.wheel.arm(next, Alarm::Exchange(key)));
        self.context.counters.retransmissions_out.add_one();
        let success = reinvite.success.as_slice();
        self.servers
            .repeat_success(&mut self.context, server, success);
    }

    fn wait_for_reinvite(&mut self, key: Key, until: Instant) {
        self.stop_waiting_for_reinvite(key);
        if let Some(reinvite) = self.exchanges.reinvite_mut(key) {
            let alarm = Alarm::Exchange(key);
            reinvite.alarm = Some(self.context.wheel.arm(until, alarm));
        }
    }

    pub(crate) fn stop_waiting_for_reinvite(&mut self, key: Key) {
        let Some(reinvite) = self.exchanges.reinvite_mut(key) else {
            return;
        };
        reinvite.gives_up_at = None;
        let success = std::mem::take(&mut reinvite.success);
        if let Some(alarm) = reinvite.alarm.take() {
            self.context.wheel.cancel(alarm);
        }
        self.context.pool.put(success);
    }
}

/// §12.2.1.2: the other side does not know the dialog, or is not there.
fn ends_dialog(message: Option<&Message<'_>>) -> bool {
    message.is_some_and(|message| matches!(message.status(), 408 | 481))
}
