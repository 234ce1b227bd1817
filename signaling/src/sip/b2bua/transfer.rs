//! A REFER that ends here (RFC 3515, RFC 5589; decision 20): Baton calls the target itself and joins it
//! with the side that was to call it.
//!
//! The target gets an INVITE without an offer, and its answer's offer goes to the side that stays as a
//! re-INVITE; so nothing changes for that side until the target has answered, and no 2xx waits while
//! it rings. Then the new leg takes the place of the one that referred, which gets BYE.

use super::call::{Call, With};
use super::headers::Passage;
use super::session_timer::{Agreed, write_wish};
use super::side::Side;
use super::{caller_leg, peer_leg, refer, request};
use crate::context::Alarm;
use crate::core::Core;
use crate::hop::Hop;
use crate::output::{Attempt, Choice, Outcome, Refusal, Trouble};
use crate::sip::dialog::{Dialog, is_focus};
use crate::sip::message::{Message, Writer};
use crate::sip::reject::Cause;
use crate::sip::token::Kind;
use crate::sip::transaction::client::{Event, Purpose, TwoHundred};
use crate::slots::Key;
use crate::wheel::TimerHandle;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Room for Contact, Allow, Session-Expires, Supported.
pub(crate) const ADDED_MAX: usize = 1024;

/// How far a transfer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The owner is asked for a peer.
    Asked,
    /// There is a peer, and nothing came back from it.
    Calling,
    /// A provisional came.
    Proceeding,
    /// The target accepted; its offer waits until the side that stays is free.
    Waiting,
    /// Its offer is with the side that stays.
    Offering,
}

/// A transfer that is under way.
pub(crate) struct Transfer {
    pub(crate) state: State,
    /// The side that sent the REFER, which goes.
    pub(crate) referrer: Side,
    /// It has hung up already.
    pub(crate) is_alone: bool,
    pub(crate) attempt: Attempt,
    /// Whether the owner chose for it, and waits to hear of its end.
    pub(crate) is_owned: bool,
    /// Whether it goes where a dialog of ours leads.
    pub(crate) is_direct: bool,
    /// Whom to call.
    pub(crate) target: Box<[u8]>,
    /// Lines that the INVITE has beside: Replaces, Referred-By.
    pub(crate) lines: Box<[u8]>,
    pub(crate) notices: refer::Notices,
    pub(crate) client: Option<Key>,
    pub(crate) hop: Option<Hop>,
    /// Of the target's 2xx.
    pub(crate) dialog: Option<Dialog>,
    pub(crate) terms: Option<Agreed>,
    pub(crate) offer: Offered,
    /// The re-INVITE with its offer.
    pub(crate) offering: Option<Key>,
    pub(crate) gives_up_at: Option<Instant>,
    pub(crate) alarm: Option<TimerHandle>,
}

/// The offer of the target: the lines that describe it, and the body.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    pub(crate) lines: Vec<u8>,
    pub(crate) body: Box<[u8]>,
    pub(crate) is_sdp: bool,
    pub(crate) is_focus: bool,
}

impl Transfer {
    pub(crate) fn new(
        (referrer, attempt): (Side, Attempt),
        (target, lines): (&[u8], &[u8]),
        notices: refer::Notices,
    ) -> Self {
        Self {
            state: State::Asked,
            referrer,
            is_alone: false,
            attempt,
            is_owned: true,
            is_direct: false,
            target: target.into(),
            lines: lines.into(),
            notices,
            client: None,
            hop: None,
            dialog: None,
            terms: None,
            offer: Offered::default(),
            offering: None,
            gives_up_at: None,
            alarm: None,
        }
    }
}

impl Call {
    /// Whether an offer of ours is with a side, or about to go there.
    pub(crate) fn is_offering(&self) -> bool {
        let transfer = self.transfer.as_ref();
        transfer.is_some_and(|transfer| transfer.state == State::Offering)
    }

    /// Whether one side has hung up already and the other waits for a target.
    pub(crate) fn is_half(&self) -> bool {
        let transfer = self.transfer.as_ref();
        transfer.is_some_and(|transfer| transfer.is_alone)
    }
}

impl Core {
    pub(crate) fn transfer_mut(&mut self, key: Key) -> Option<&mut Transfer> {
        self.calls.get_mut(key)?.transfer.as_deref_mut()
    }

    /// Whether the INVITE to the target is this transaction, and wants its answer.
    pub(crate) fn calls_target_in(&self, key: Key, client: Key) -> bool {
        let call = self.calls.get(key);
        let transfer = call.and_then(|call| call.transfer.as_deref());
        transfer.is_some_and(|transfer| {
            transfer.client == Some(client)
                && matches!(transfer.state, State::Calling | State::Proceeding)
        })
    }

    /// Whether the re-INVITE with the target's offer is this transaction.
    pub(crate) fn offers_in(&self, key: Key, client: Key) -> bool {
        let call = self.calls.get(key);
        let transfer = call.and_then(|call| call.transfer.as_deref());
        transfer.is_some_and(|transfer| transfer.offering == Some(client))
    }

    /// The side that a transfer joins with its target.
    pub(crate) fn side_that_stays(&self, key: Key) -> Option<Side> {
        let transfer = self.calls.get(key)?.transfer.as_deref()?;
        Some(transfer.referrer.other())
    }

    /// The INVITE to the target went out once more.
    pub(crate) fn target_goes_on_as(&mut self, key: Key, client: Key) {
        if let Some(transfer) = self.transfer_mut(key) {
            transfer.client = Some(client);
        }
    }

    /// The re-INVITE to the side that stays went out once more.
    pub(crate) fn offer_goes_on_as(&mut self, key: Key, client: Key) {
        if let Some(transfer) = self.transfer_mut(key) {
            transfer.offering = Some(client);
        }
    }

    /// Whether the owner was asked on behalf of a transfer.
    pub(crate) fn is_for_transfer(&self, attempt: Attempt) -> bool {
        let call = self.calls.get(attempt.call);
        let transfer = call.and_then(|call| call.transfer.as_ref());
        transfer
            .is_some_and(|transfer| transfer.state == State::Asked && transfer.attempt == attempt)
    }

    /// The owner's answer for a transfer.
    pub(crate) fn target_chosen(
        &mut self,
        now: Instant,
        attempt: Attempt,
        choice: Result<Choice<'_>, Refusal>,
    ) {
        let key = attempt.call;
        let choice = match choice {
            Ok(choice) => choice,
            Err(refusal) => {
                if let Some(transfer) = self.transfer_mut(key) {
                    transfer.is_owned = false;
                }
                return self.transfer_failed(now, key, Cause::from(refusal).status().0);
            }
        };
        if let Some(transfer) = self.transfer_mut(key) {
            transfer.state = State::Calling;
            if let Some(uri) = choice.request_uri {
                transfer.target = uri.into();
            }
        }
        let settings = &self.context.settings;
        let Some(listener) = settings.listener_for(choice.transport, &choice.remote) else {
            self.context
                .report(attempt, Outcome::Unreachable(Trouble::Refused));
            return self.transfer_failed(now, key, 503);
        };
        let hop = Hop {
            transport: choice.transport,
            listener,
            remote: choice.remote,
            connection: None,
            identity: None,
        };
        self.call_target(now, key, (hop, choice.patience));
    }

    /// Calls the target at once: it is the other end of a call of ours, and nobody else will do.
    pub(crate) fn call_directly(&mut self, now: Instant, key: Key, hop: Hop) {
        if let Some(transfer) = self.transfer_mut(key) {
            transfer.state = State::Calling;
            transfer.is_owned = false;
            transfer.is_direct = true;
        }
        let wait = self.context.settings.timers.t1_64();
        self.call_target(now, key, (hop, wait));
    }

    fn call_target(&mut self, now: Instant, key: Key, (hop, patience): (Hop, Duration)) {
        let settings = Arc::clone(&self.context.settings);
        let Some(call) = self.calls.get(key) else {
            return;
        };
        let Some(transfer) = call.transfer.as_deref() else {
            return;
        };
        let Some(stays) = call.dialog(transfer.referrer.other()) else {
            return;
        };
        let is_focus = call.session(transfer.referrer.other()).is_focus;
        let attempt = transfer.attempt;
        let tag = self.context.attempt_token(Kind::PeerLeg, attempt);
        let call_id = self.context.attempt_token(Kind::CallId, attempt);
        let room = stays.room() + 2 * transfer.target.len() + transfer.lines.len() + ADDED_MAX;
        let to = (Purpose::Transfer(attempt), hop);
        let (context, clients) = (&mut self.context, &mut self.clients);
        let client = clients.send(context, now, to, room, |writer, branch| {
            let names = (branch, &tag, &call_id);
            refer::write_invite(&settings, writer, &hop, names, (stays, transfer, is_focus));
            let times = settings.session;
            write_wish(writer, times, (times.expires, None));
            writer.body(b"");
        });
        let Some(client) = client else {
            return self.transfer_failed(now, key, 503);
        };
        if let Some(transfer) = self.transfer_mut(key) {
            transfer.client = Some(client);
            transfer.hop = Some(hop);
        }
        self.wait_for_target(key, now + patience);
    }

    pub(crate) fn wait_for_target(&mut self, key: Key, until: Instant) {
        self.stop_waiting_for_target(key);
        let alarm = self.context.wheel.arm(until, Alarm::Transfer(key));
        match self.transfer_mut(key) {
            Some(transfer) => transfer.alarm = Some(alarm),
            None => self.context.wheel.cancel(alarm),
        }
    }

    pub(crate) fn stop_waiting_for_target(&mut self, key: Key) {
        if let Some(alarm) = self.transfer_mut(key).and_then(|it| it.alarm.take()) {
            self.context.wheel.cancel(alarm);
        }
    }

    /// The target is silent, rings too long, or the side that stays was busy.
    pub(crate) fn transfer_alarm(&mut self, now: Instant, key: Key) {
        let Some(transfer) = self.transfer_mut(key) else {
            return;
        };
        transfer.alarm = None;
        match transfer.state {
            State::Asked => {}
            State::Calling => {
                self.report_target(key, Outcome::Silent);
                self.transfer_failed(now, key, 408);
            }
            State::Proceeding => self.transfer_failed(now, key, 408),
            State::Waiting => self.offer_to_who_stays(now, key),
            State::Offering => self.transfer_failed(now, key, 504),
        }
    }

    fn report_target(&mut self, key: Key, outcome: Outcome) {
        if let Some(transfer) = self.transfer_mut(key).filter(|it| it.is_owned) {
            let attempt = transfer.attempt;
            self.context.report(attempt, outcome);
        }
    }

    /// The INVITE of a transfer has an answer, or gets none.
    pub(crate) fn target_answered(
        &mut self,
        now: Instant,
        (client, key): (Key, Key),
        event: Event,
        message: Option<&Message<'_>>,
    ) {
        let is_current = self
            .transfer_mut(key)
            .is_some_and(|transfer| transfer.client == Some(client) && transfer.dialog.is_none());
        match (event, message) {
            (Event::Response, Some(message)) if message.status() < 200 => {
                if is_current {
                    self.target_rings(now, key, message);
                }
            }
            (Event::Response, Some(message)) if message.status() < 300 => {
                let tag = self.context.mint.hash(&[message.to_tag().unwrap_or(&[])]);
                match self.clients.two_hundred(client, tag) {
                    Some(TwoHundred::First) if is_current => self.target_accepts(now, key, message),
                    Some(TwoHundred::First | TwoHundred::Again) => {
                        self.clients.repeat_ack(&mut self.context, client);
                    }
                    Some(TwoHundred::Stray(late)) => {
                        let (context, clients) = (&mut self.context, &mut self.clients);
                        request::end_stray(context, clients, now, message, late);
                    }
                    None => {}
                }
            }
            _ if !is_current => {}
            (Event::Response, Some(message)) => {
                self.forget_target(key);
                self.report_target(key, super::failover::answered(message));
                self.transfer_failed(now, key, message.status());
            }
            (Event::TransportError, _) => {
                self.forget_target(key);
                let trouble = self.context.trouble;
                self.report_target(key, Outcome::Unreachable(trouble));
                self.transfer_failed(now, key, 503);
            }
            (Event::Timeout | Event::Response, _) => {
                self.forget_target(key);
                self.report_target(key, Outcome::Silent);
                self.transfer_failed(now, key, 408);
            }
        }
    }

    /// Nothing of the INVITE is left to be cancelled.
    fn forget_target(&mut self, key: Key) {
        if let Some(transfer) = self.transfer_mut(key) {
            transfer.client = None;
        }
    }

    fn target_rings(&mut self, now: Instant, key: Key, message: &Message<'_>) {
        let ring = self.context.settings.timers.ring;
        let Some(transfer) = self.transfer_mut(key) else {
            return;
        };
        let is_first = transfer.state == State::Calling;
        transfer.state = State::Proceeding;
        if is_first || message.status() > 100 {
            self.wait_for_target(key, now + ring);
        }
        if message.status() > 100 {
            self.notify_referrer(now, key, message.status());
        }
    }

    /// The 2xx of the target, with its offer.
    fn target_accepts(&mut self, now: Instant, key: Key, message: &Message<'_>) {
        self.report_target(key, Outcome::Accepted);
        let settings = Arc::clone(&self.context.settings);
        let wait = settings.timers.t1_64();
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let Some(transfer) = call.transfer.as_deref_mut() else {
            return;
        };
        let Some(hop) = transfer.hop else { return };
        transfer.dialog = Some(Dialog::of_success(&settings, message, hop));
        transfer.terms = Agreed::of(message);
        let mut space = vec![0; message.bytes().len()];
        let mut writer = Writer::new(&mut space);
        let passage = Passage::closing(message, None, transfer.referrer.other());
        writer.pass(message, |line| passage.lets(line));
        let length = writer.finish().unwrap_or(0);
        space.truncate(length);
        transfer.offer = Offered {
            lines: space,
            body: message.body().into(),
            is_sdp: super::refresh::is_sdp(message),
            is_focus: is_focus(message),
        };
        transfer.gives_up_at = Some(now + wait);
        transfer.state = State::Waiting;
        if message.body().is_empty() {
            return self.transfer_failed(now, key, 488);
        }
        self.offer_to_who_stays(now, key);
    }

    /// There is no joining: the call goes on as it was, if both its sides are there.
    pub(crate) fn transfer_failed(&mut self, now: Instant, key: Key, status: u16) {
        self.notify_referrer(now, key, status.max(300));
        let Some(call) = self.calls.get(key) else {
            return;
        };
        let Some(transfer) = call.transfer.as_deref() else {
            return;
        };
        let (is_alone, referrer) = (transfer.is_alone, transfer.referrer);
        self.context.counters.transfers_failed.add_one();
        self.abandon_transfer(now, key);
        if is_alone {
            self.goes_alone(now, key, referrer);
        }
    }

    /// A side that has hung up takes the other one with it after all.
    fn goes_alone(&mut self, now: Instant, key: Key, side: Side) {
        match side {
            Side::Caller => {
                self.caller_input(now, key, caller_leg::Input::Bye, With::default());
            }
            Side::Peer => self.peer_input(now, key, peer_leg::Input::Bye, With::default()),
        }
    }

    /// Ends what was begun at the target.
    pub(crate) fn abandon_transfer(&mut self, now: Instant, key: Key) {
        self.stop_waiting_for_target(key);
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let Some(mut transfer) = call.transfer.take() else {
            return;
        };
        if let Some(offering) = transfer.offering {
            self.clients.abandon(&mut self.context, now, offering);
        }
        let attempt = transfer.is_owned.then_some(transfer.attempt);
        let is_over = match (transfer.state, transfer.client) {
            // The owner's answer will find nobody.
            (State::Asked, _) => return,
            (State::Calling | State::Proceeding, Some(client)) => {
                if transfer.state == State::Proceeding {
                    self.clients.cancel(&mut self.context, now, client);
                }
                if attempt.is_some() {
                    !self.clients.give_up(&mut self.context, now, client)
                } else {
                    self.clients.abandon(&mut self.context, now, client);
                    false
                }
            }
            (State::Calling | State::Proceeding, None) => true,
            (State::Waiting | State::Offering, client) => {
                let ended = transfer.dialog.as_mut().and_then(|dialog| {
                    let (context, clients) = (&mut self.context, &mut self.clients);
                    let span = request::ack(context, dialog, dialog.cseq_local, None)?;
                    if let Some(client) = client {
                        clients.keep_ack(context, client, span, dialog.hop);
                    }
                    let purpose = attempt.map_or(Purpose::Forgotten, Purpose::ByeToLate);
                    request::bye(context, clients, now, (purpose, dialog), None)
                });
                ended.is_none()
            }
        };
        if let Some(attempt) = attempt.filter(|_| is_over) {
            self.context.report(attempt, Outcome::Over);
        }
    }

    /// The side that referred hangs up before the target has answered: the other one waits alone.
    /// Whether it is so.
    pub(crate) fn referrer_leaves(&mut self, now: Instant, key: Key, side: Side) -> bool {
        let Some(call) = self.calls.get_mut(key) else {
            return false;
        };
        let Some(transfer) = call.transfer.as_deref_mut() else {
            return false;
        };
        if transfer.referrer != side {
            return false;
        }
        transfer.is_alone = true;
        self.stop_session(now, key, side);
        self.cut_exchanges(now, key);
        true
    }
}
