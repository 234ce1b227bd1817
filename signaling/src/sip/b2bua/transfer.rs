//! A REFER that ends here (RFC 3515, RFC 5589; decision 20): Baton calls the target itself and joins it
//! with the side that was to call it.
//!
//! The target gets an INVITE without an offer, and its answer's offer goes to the side that stays as a
//! re-INVITE; so nothing changes for that side until the target has answered, and no 2xx waits while
//! it rings. Then the new leg takes the place of the one that referred, which gets BYE. What the target
//! answers, and who is called next, is [`super::callee`]'s.

use super::attempt::Search;
use super::call::{Call, With};
use super::session_timer::{Agreed, write_wish};
use super::side::Side;
use super::{caller_leg, peer_leg, refer, request};
use crate::context::Alarm;
use crate::core::Core;
use crate::hop::Hop;
use crate::output::{ATTEMPTS_MAX, Attempt, Outcome, Replaced};
use crate::sip::dialog::Dialog;
use crate::sip::dialog::contact::Features;
use crate::sip::token::Kind;
use crate::sip::transaction::client::Purpose;
use crate::slots::Key;
use crate::wheel::TimerHandle;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Room for Contact, Allow, Session-Expires, Supported.
pub(crate) const ADDED_MAX: usize = 1024;

/// How far a transfer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The owner is asked for a peer, and no INVITE is out.
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
    /// The attempt whose INVITE is out, or was last.
    pub(crate) attempt: Attempt,
    /// The attempt that the owner is asked for.
    pub(crate) asked: Option<Attempt>,
    /// The number that none of its attempts may have, as the owner said it last.
    pub(crate) most: u8,
    /// How long the first answer may take.
    pub(crate) patience: Duration,
    /// The owner's name for the peer, and what was heard of it.
    pub(crate) peer: u32,
    pub(crate) is_silent: bool,
    pub(crate) is_early: bool,
    /// Whether the owner chose for it, and waits to hear of its end.
    pub(crate) is_owned: bool,
    /// Whether the owner says, when the target accepts, if it is the right one.
    pub(crate) awaits_confirmation: bool,
    /// Where it goes if it is to where a dialog of ours leads, and nowhere else.
    pub(crate) direct: Option<Hop>,
    /// The call that is there, where a peer has it.
    pub(crate) replaced: Option<Replaced>,
    /// Whom to call.
    pub(crate) target: Box<[u8]>,
    /// Lines that the INVITE has beside: Replaces, Referred-By.
    pub(crate) lines: Box<[u8]>,
    pub(crate) search: Search,
    pub(crate) notices: refer::Notices,
    pub(crate) client: Option<Key>,
    pub(crate) hop: Option<Hop>,
    /// Of the target's 2xx.
    pub(crate) dialog: Option<Dialog>,
    pub(crate) terms: Option<Agreed>,
    pub(crate) offer: Offered,
    /// The re-INVITE with its offer, and whether it was answered provisionally.
    pub(crate) offering: Option<Key>,
    pub(crate) is_heard: bool,
    pub(crate) gives_up_at: Option<Instant>,
    pub(crate) alarm: Option<TimerHandle>,
}

/// The offer of the target: the lines that describe it, and the body.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    pub(crate) lines: Vec<u8>,
    pub(crate) body: Box<[u8]>,
    pub(crate) is_sdp: bool,
    pub(crate) features: Box<[u8]>,
}

impl Transfer {
    pub(crate) fn new(
        (referrer, attempt): (Side, Attempt),
        named: refer::Named,
        notices: refer::Notices,
    ) -> Self {
        Self {
            state: State::Asked,
            referrer,
            is_alone: false,
            attempt,
            asked: None,
            most: ATTEMPTS_MAX,
            patience: Duration::ZERO,
            peer: 0,
            is_silent: false,
            is_early: false,
            is_owned: false,
            awaits_confirmation: false,
            direct: named.hop,
            replaced: named.replaced,
            target: named.uri.into(),
            lines: named.lines.into(),
            search: Search::default(),
            notices,
            client: None,
            hop: None,
            dialog: None,
            terms: None,
            offer: Offered::default(),
            offering: None,
            is_heard: false,
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
    pub(crate) fn target_goes_on_as(&mut self, now: Instant, key: Key, client: Key) {
        if let Some(transfer) = self.transfer_mut(key) {
            transfer.client = Some(client);
            // What was said before was not said to the INVITE that counts now.
            transfer.state = State::Calling;
            let until = now + transfer.patience;
            self.wait_for_target(key, until);
        }
    }

    /// The re-INVITE to the side that stays went out once more.
    pub(crate) fn offer_goes_on_as(&mut self, key: Key, client: Key) {
        if let Some(transfer) = self.transfer_mut(key) {
            transfer.offering = Some(client);
            transfer.is_heard = false;
        }
    }

    /// Calls the target where this hop leads. Whether the INVITE is out.
    pub(crate) fn call_target(
        &mut self,
        now: Instant,
        key: Key,
        (hop, patience): (Hop, Duration),
    ) -> bool {
        let settings = Arc::clone(&self.context.settings);
        let Some(call) = self.calls.get(key) else {
            return false;
        };
        let Some(transfer) = call.transfer.as_deref() else {
            return false;
        };
        let Some(stays) = call.dialog(transfer.referrer.other()) else {
            return false;
        };
        let features = Features::Kept(&call.session(transfer.referrer.other()).features);
        let attempt = transfer.attempt;
        let tag = self.context.attempt_token(Kind::PeerLeg, attempt);
        let call_id = self.context.attempt_token(Kind::CallId, attempt);
        let sent_to = transfer.search.uri().map_or(0, <[u8]>::len);
        let target = 2 * transfer.target.len() + sent_to;
        let room = stays.room() + target + transfer.lines.len() + ADDED_MAX;
        let to = (Purpose::Transfer(attempt), hop);
        let (context, clients) = (&mut self.context, &mut self.clients);
        let client = clients.send(context, now, to, room, |writer, branch| {
            let names = (branch, &tag, &call_id);
            refer::write_invite(&settings, writer, &hop, names, (stays, transfer, features));
            let times = settings.session;
            write_wish(writer, times, (times.expires, None));
            writer.body(b"");
        });
        let Some(transfer) = self.transfer_mut(key) else {
            return false;
        };
        transfer.client = client;
        transfer.hop = Some(hop);
        transfer.patience = patience;
        if client.is_some() {
            transfer.state = State::Calling;
            self.wait_for_target(key, now + patience);
        }
        client.is_some()
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

    /// Ends what was begun at the target, and with the side that stays.
    pub(crate) fn abandon_transfer(&mut self, now: Instant, key: Key) {
        self.stop_waiting_for_target(key);
        let Some(transfer) = self.transfer_mut(key) else {
            return;
        };
        let (offering, is_heard) = (transfer.offering.take(), transfer.is_heard);
        if let Some(offering) = offering {
            // §9.1: a CANCEL waits for a provisional; what comes later is told to stop.
            if is_heard {
                self.clients.cancel(&mut self.context, now, offering);
            }
            self.clients.abandon(&mut self.context, now, offering);
        }
        self.leave_target(now, key);
        if let Some(call) = self.calls.get_mut(key) {
            // The owner's answer will find nobody.
            call.transfer = None;
        }
    }

    /// Ends the INVITE to the target, or the dialog that it made. Its attempt is over then, or when the other
    /// end has said so.
    pub(crate) fn leave_target(&mut self, now: Instant, key: Key) {
        let Some(transfer) = self.transfer_mut(key) else {
            return;
        };
        let attempt = std::mem::take(&mut transfer.is_owned).then_some(transfer.attempt);
        let (state, client) = (transfer.state, transfer.client.take());
        let dialog = transfer.dialog.take();
        let is_over = match (state, client) {
            (State::Asked, _) | (State::Calling | State::Proceeding, None) => true,
            (State::Calling | State::Proceeding, Some(client)) => {
                if state == State::Proceeding {
                    self.clients.cancel(&mut self.context, now, client);
                }
                if attempt.is_some() {
                    !self.clients.give_up(&mut self.context, now, client)
                } else {
                    self.clients.abandon(&mut self.context, now, client);
                    false
                }
            }
            (State::Waiting | State::Offering, client) => {
                let ended = dialog.and_then(|mut dialog| {
                    let (context, clients) = (&mut self.context, &mut self.clients);
                    let span = request::ack(context, &dialog, dialog.cseq_local, None)?;
                    if let Some(client) = client {
                        clients.keep_ack(context, client, span, dialog.hop);
                    }
                    let purpose = attempt.map_or(Purpose::Forgotten, Purpose::ByeToLate);
                    request::bye(context, clients, now, (purpose, &mut dialog), None)
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
