//! The joining of a transfer's target with the side that stays: the target's offer goes there as a
//! re-INVITE, the answer goes back in the ACK, and the leg that referred ends.

use super::session_timer::{Agreed, write_wish};
use super::side::Stage;
use super::transfer::{ADDED_MAX, State, Transfer};
use super::{extensions, headers, request};
use crate::core::Core;
use crate::output::Outcome;
use crate::sip::dialog::contact::{Features, write_contact};
use crate::sip::message::{Message, Refresher};
use crate::sip::transaction::client::{Event, Purpose, TwoHundred};
use crate::slots::Key;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is looked whether the side that stays has answered another offer.
const BUSY_LOOK: Duration = Duration::from_millis(500);

impl Core {
    /// The re-INVITE to the side that stays, as soon as it has no other to answer (§14.1).
    pub(crate) fn offer_to_who_stays(&mut self, now: Instant, key: Key) {
        let settings = Arc::clone(&self.context.settings);
        let Some(call) = self.calls.get(key) else {
            return;
        };
        let Some(transfer) = call.transfer.as_deref() else {
            return;
        };
        let side = transfer.referrer.other();
        let Some(gives_up_at) = transfer.gives_up_at.filter(|until| now < *until) else {
            return self.transfer_failed(now, key, 504);
        };
        let mut exchanges = self.exchanges.of(call);
        let is_busy = call.stage(side) != Stage::Established
            || call.is_refreshing_by_invite()
            || exchanges.any(|(_, exchange)| exchange.changes_session());
        drop(exchanges);
        if is_busy {
            return self.wait_for_target(key, gives_up_at.min(now + BUSY_LOOK));
        }
        let user = self.leg_token(key, side);
        let wish = self.wish_for(key, side);
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let zone = call.way(side).zone(&settings);
        let Some(transfer) = call.transfer.take() else {
            return;
        };
        let offer = &transfer.offer;
        let (context, clients) = (&mut self.context, &mut self.clients);
        let offering = call.dialog_mut(side).and_then(|dialog| {
            dialog.cseq_local += 1;
            let dialog = &*dialog;
            let room = dialog.room() + offer.lines.len() + offer.body.len() + ADDED_MAX;
            let to = (Purpose::TransferOffer(key), dialog.hop);
            clients.send(context, now, to, room, |writer, branch| {
                let start = (&b"INVITE"[..], dialog.cseq_local, request::MAX_FORWARDS);
                dialog.write_start(&settings, writer, start, branch);
                let features = Features::Kept(&offer.features);
                write_contact(&settings, writer, &dialog.hop, (&user, features));
                writer.put(headers::allow(zone));
                writer.put(extensions::OWN);
                write_wish(writer, settings.session, wish);
                writer.put(&offer.lines);
                writer.body(&offer.body);
            })
        });
        call.transfer = Some(transfer);
        if offering.is_none() {
            return self.transfer_failed(now, key, 503);
        }
        if let Some(transfer) = self.transfer_mut(key) {
            transfer.offering = offering;
            transfer.is_heard = false;
            transfer.state = State::Offering;
        }
        // The target repeats its 2xx no longer than that, and hangs up (RFC 3261 §13.3.1.4).
        self.wait_for_target(key, gives_up_at);
    }

    /// The side that stays has answered the offer, or does not.
    pub(crate) fn offer_answered(
        &mut self,
        now: Instant,
        (client, key): (Key, Key),
        event: Event,
        message: Option<&Message<'_>>,
    ) {
        let is_current = self
            .transfer_mut(key)
            .is_some_and(|transfer| transfer.offering == Some(client));
        match (event, message) {
            (Event::Response, Some(message)) if message.status() < 200 => {
                if let Some(transfer) = self.transfer_mut(key).filter(|_| is_current) {
                    transfer.is_heard = true;
                }
            }
            (Event::Response, Some(message)) if message.status() < 300 => {
                match self.clients.two_hundred(client, 0) {
                    Some(TwoHundred::First) if is_current => self.join(now, (client, key), message),
                    Some(_) | None => self.clients.repeat_ack(&mut self.context, client),
                }
            }
            _ if !is_current => {}
            (Event::Response, Some(message)) if message.status() == 491 => {
                let Some(transfer) = self.transfer_mut(key) else {
                    return;
                };
                transfer.offering = None;
                transfer.state = State::Waiting;
                let side = transfer.referrer.other();
                let wait = self.glare_wait(side, message);
                self.wait_for_target(key, now + wait);
            }
            (Event::Response, Some(message)) => {
                let status = message.status();
                if let Some(transfer) = self.transfer_mut(key) {
                    transfer.offering = None;
                }
                self.transfer_failed(now, key, status);
                if matches!(status, 408 | 481) {
                    self.hang_up(now, key);
                }
            }
            (Event::TransportError | Event::Timeout | Event::Response, _) => {
                if let Some(transfer) = self.transfer_mut(key) {
                    transfer.offering = None;
                }
                self.transfer_failed(now, key, 504);
                self.hang_up(now, key);
            }
        }
    }

    /// The answer goes to the target in its ACK, and the new leg takes the place of the old one.
    fn join(&mut self, now: Instant, (client, key): (Key, Key), answer: &Message<'_>) {
        self.stop_waiting_for_target(key);
        self.cut_exchanges(now, key);
        self.notify_referrer(now, key, 200);
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let Some(mut transfer) = call.transfer.take() else {
            return;
        };
        let (Some(dialog), Some(hop)) = (transfer.dialog.take(), transfer.hop) else {
            return;
        };
        let goes = transfer.referrer;
        let stays = goes.other();
        if let Some(dialog) = call.dialog(stays)
            && let Some(span) = request::ack(&mut self.context, dialog, answer.cseq(), None)
        {
            let hop = dialog.hop;
            self.clients.keep_ack(&mut self.context, client, span, hop);
        }
        // The side that stays gives its answer as it would in an ACK of its own.
        let lent = Some((answer, call.way(goes)));
        let cseq = dialog.cseq_local;
        if let Some(span) = request::ack(&mut self.context, &dialog, cseq, lent)
            && let Some(target) = transfer.client
        {
            let hop = dialog.hop;
            self.clients.keep_ack(&mut self.context, target, span, hop);
        }
        self.leave(now, key, &transfer);
        if let Some(call) = self.calls.get_mut(key) {
            call.seat(goes, (dialog, hop), (transfer.attempt, transfer.is_owned));
        }
        if let Some(call) = self.calls.get_mut(key) {
            call.session_mut(goes).features = std::mem::take(&mut transfer.offer.features);
        }
        let terms = Agreed::of(answer);
        self.retarget(key, stays, answer);
        self.hear_allow(key, stays, answer);
        self.start_session(now, (key, stays), terms, Refresher::Uac);
        self.start_session(now, (key, goes), transfer.terms, Refresher::Uac);
        self.keep_sdp(key, goes, answer);
        if let Some(call) = self.calls.get_mut(key)
            && call.session(stays).wants_sdp()
            && transfer.offer.is_sdp
        {
            call.session_mut(stays).sdp = Some(std::mem::take(&mut transfer.offer.body));
        }
        self.context.counters.transfers.add_one();
    }

    /// BYE on the leg that goes; its session goes back when that is answered.
    fn leave(&mut self, now: Instant, key: Key, transfer: &Transfer) {
        let side = transfer.referrer;
        self.stop_session(now, key, side);
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let attempt = call.take_attempt(key, side);
        let purpose = attempt.map_or(Purpose::Forgotten, Purpose::ByeToLate);
        let dialog = call.dialog_mut(side).filter(|_| !transfer.is_alone);
        let sent = dialog.and_then(|dialog| {
            let (context, clients) = (&mut self.context, &mut self.clients);
            request::bye(context, clients, now, (purpose, dialog), None)
        });
        if let (None, Some(attempt)) = (sent, attempt) {
            self.context.report(attempt, Outcome::Over);
        }
    }
}
