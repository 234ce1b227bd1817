//! The target of a REFER that ends here, until it is joined: who is called, what is answered, and who is
//! called next (TRUNK.md section 4, as for a call).

use super::attempt::Search;
use super::failover::answered;
use super::headers::Passage;
use super::session_timer::Agreed;
use super::transfer::{Offered, State};
use super::{answer, request};
use crate::core::Core;
use crate::hop::Hop;
use crate::output::{ATTEMPTS_MAX, Attempt, Choice, Outcome, Output, Refusal, Trouble};
use crate::sip::dialog::Dialog;
use crate::sip::dialog::contact::features_of;
use crate::sip::message::{Message, Method, Writer};
use crate::sip::reject::{self, Cause};
use crate::sip::token::Kind;
use crate::sip::transaction::client::{Event, TwoHundred};
use crate::slots::Key;
use std::sync::Arc;
use std::time::Instant;

impl Core {
    /// Whether the owner was asked on behalf of a transfer.
    pub(crate) fn is_for_transfer(&self, attempt: Attempt) -> bool {
        let call = self.calls.get(attempt.call);
        let transfer = call.and_then(|call| call.transfer.as_ref());
        transfer.is_some_and(|transfer| transfer.asked == Some(attempt))
    }

    /// Looks for the target. Where a dialog with somebody who is no peer leads, nobody is asked.
    pub(crate) fn seek_target(&mut self, now: Instant, key: Key) {
        let wait = self.context.settings.timers.t1_64();
        let Some(attempt) = self.next_attempt_at_target(key) else {
            return;
        };
        let Some(transfer) = self.transfer_mut(key) else {
            return;
        };
        match transfer.direct {
            Some(hop) if transfer.replaced.is_none() => {
                transfer.attempt = attempt;
                transfer.most = 0;
                self.count_attempt(attempt);
                if !self.call_target(now, key, (hop, wait)) {
                    self.transfer_failed(now, key, 503);
                }
            }
            Some(_) | None => {
                transfer.asked = Some(attempt);
                self.context.outputs.push_back(Output::Choose(attempt));
            }
        }
    }

    /// Asks the owner for the next peer. Whether there may be one more attempt.
    fn ask_for_target(&mut self, key: Key) -> bool {
        if self.transfer_mut(key).is_some_and(|it| it.asked.is_some()) {
            return true;
        }
        let Some(attempt) = self.next_attempt_at_target(key) else {
            return false;
        };
        if let Some(transfer) = self.transfer_mut(key) {
            transfer.asked = Some(attempt);
        }
        self.context.outputs.push_back(Output::Choose(attempt));
        true
    }

    /// Each attempt of a call has a name of its own, and there are no more names than that.
    fn next_attempt_at_target(&self, key: Key) -> Option<Attempt> {
        let call = self.calls.get(key)?;
        let most = call.transfer.as_deref()?.most.min(ATTEMPTS_MAX);
        let next = call.peer.progress.next(key);
        (next.number < most).then_some(next)
    }

    /// The name of this attempt is used.
    fn count_attempt(&mut self, attempt: Attempt) {
        if let Some(call) = self.calls.get_mut(attempt.call) {
            debug_assert_eq!(call.peer.progress.begun, attempt.number);
            call.peer.progress.begun += 1;
        }
    }

    /// The owner's answer for a transfer.
    pub(crate) fn target_chosen(
        &mut self,
        now: Instant,
        attempt: Attempt,
        choice: Result<Choice<'_>, Refusal>,
    ) {
        let key = attempt.call;
        if choice.is_ok() {
            self.count_attempt(attempt);
        }
        let Some(transfer) = self.transfer_mut(key) else {
            return;
        };
        transfer.asked = None;
        let may_begin = matches!(transfer.state, State::Asked | State::Calling);
        let choice = match choice {
            Ok(choice) if may_begin => choice,
            // The silent one has answered meanwhile.
            Ok(_) => return self.context.report(attempt, Outcome::Over),
            // The silent one goes on being waited for.
            Err(_) if transfer.state != State::Asked => return,
            Err(refusal) => {
                let best = best_refusal(&transfer.search);
                let status = best.unwrap_or_else(|| Cause::from(refusal).status().0);
                return self.transfer_failed(now, key, status);
            }
        };
        if transfer.state == State::Calling {
            self.leave_target(now, key);
        }
        self.begin_target(now, attempt, choice);
    }

    fn begin_target(&mut self, now: Instant, attempt: Attempt, choice: Choice<'_>) {
        let key = attempt.call;
        let settings = Arc::clone(&self.context.settings);
        let Some(transfer) = self.transfer_mut(key) else {
            return;
        };
        transfer.state = State::Asked;
        transfer.attempt = attempt;
        transfer.is_owned = true;
        transfer.most = choice.attempts_max;
        transfer.awaits_confirmation = choice.awaits_confirmation;
        transfer.peer = choice.peer;
        (transfer.is_silent, transfer.is_early) = (false, false);
        transfer.search.next_on = choice.next_on;
        transfer.search.begins(&choice);
        let hop = transfer.direct.or_else(|| {
            let listener = settings.listener_for(choice.transport, &choice.remote)?;
            Some(Hop {
                transport: choice.transport,
                listener,
                remote: choice.remote,
                connection: None,
                identity: None,
            })
        });
        let Some(hop) = hop else {
            return self.target_unreachable(now, key, Trouble::Refused);
        };
        if self.call_target(now, key, (hop, choice.patience)) {
            self.context.connect_within(choice.connect_patience);
        } else {
            self.transfer_failed(now, key, 503);
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
            State::Calling => self.target_silent(key),
            State::Proceeding => self.transfer_failed(now, key, 408),
            State::Waiting => self.offer_to_who_stays(now, key),
            State::Offering => self.transfer_failed(now, key, 504),
        }
    }

    /// The first answer is overdue: until there is another peer, this one may still answer.
    fn target_silent(&mut self, key: Key) {
        self.report_target_silent(key);
        if let Some(transfer) = self.transfer_mut(key) {
            transfer.search.has_tried(transfer.peer);
        }
        // Without another one its transaction tells when it has waited long enough.
        self.ask_for_target(key);
    }

    fn report_target(&mut self, key: Key, outcome: Outcome) {
        if let Some(transfer) = self.transfer_mut(key).filter(|it| it.is_owned) {
            let attempt = transfer.attempt;
            self.context.report(attempt, outcome);
        }
    }

    fn report_target_silent(&mut self, key: Key) {
        let transfer = self.transfer_mut(key);
        if transfer.is_some_and(|it| !std::mem::replace(&mut it.is_silent, true)) {
            self.report_target(key, Outcome::Silent);
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
            (Event::Response, Some(message)) => self.target_refuses(now, key, message),
            (Event::TransportError, _) => {
                self.target_unreachable(now, key, self.context.trouble);
            }
            (Event::Timeout | Event::Response, _) => {
                self.forget_target(key);
                self.report_target_silent(key);
                self.go_on_to_next(now, key, 408);
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
        transfer.is_early |= message.status() > 100 && message.to_tag().is_some();
        if is_first || message.status() > 100 {
            self.wait_for_target(key, now + ring);
        }
        if message.status() > 100 {
            self.notify_referrer(now, key, message.status());
        }
    }

    fn target_refuses(&mut self, now: Instant, key: Key, message: &Message<'_>) {
        self.forget_target(key);
        self.report_target(key, answered(message));
        let status = message.status();
        let Some(transfer) = self.transfer_mut(key) else {
            return;
        };
        let search = &mut transfer.search;
        // TRUNK.md section 5 rule 9: after a to-tag has been seen no other candidate is tried.
        let goes_on = !transfer.is_early
            && (search.next_on.contains(status)
                || ((300..400).contains(&status) && search.follow(message)));
        if goes_on {
            search.keep(message, None);
            return self.go_on_to_next(now, key, status);
        }
        self.transfer_failed(now, key, status);
    }

    fn target_unreachable(&mut self, now: Instant, key: Key, trouble: Trouble) {
        self.forget_target(key);
        self.report_target(key, Outcome::Unreachable(trouble));
        self.go_on_to_next(now, key, 503);
    }

    /// This peer will not do: the next one is asked for, and when there is none the transfer has failed.
    fn go_on_to_next(&mut self, now: Instant, key: Key, status: u16) {
        self.stop_waiting_for_target(key);
        self.leave_target(now, key);
        let Some(transfer) = self.transfer_mut(key) else {
            return;
        };
        transfer.state = State::Asked;
        transfer.search.has_tried(transfer.peer);
        let status = best_refusal(&transfer.search).unwrap_or(status);
        if !self.ask_for_target(key) {
            self.transfer_failed(now, key, status);
        }
    }

    /// The owner found this peer dead, and the target of a transfer has not said that it rings.
    pub(crate) fn target_is_dead(&mut self, now: Instant, key: Key) {
        let Some(transfer) = self.transfer_mut(key) else {
            return;
        };
        if transfer.is_early {
            return self.transfer_failed(now, key, 504);
        }
        self.report_target_silent(key);
        self.go_on_to_next(now, key, 408);
    }

    /// The owner's word on a target that accepted. `false`: the attempt is none of a transfer's.
    pub(crate) fn target_confirmed(&mut self, now: Instant, attempt: Attempt, stays: bool) -> bool {
        let key = attempt.call;
        let transfer = self.transfer_mut(key);
        let Some(transfer) = transfer.filter(|transfer| transfer.attempt == attempt) else {
            return false;
        };
        let is_held = transfer.state == State::Waiting && transfer.alarm.is_none();
        match (stays, is_held) {
            (true, true) if transfer.awaits_confirmation => self.offer_to_who_stays(now, key),
            (true, _) => {}
            (false, true) => self.target_elsewhere(now, key),
            // The side that stays has heard the offer: there is no other one for it.
            (false, false) => self.transfer_failed(now, key, 503),
        }
        true
    }

    /// The owner wants the call elsewhere than where the target was found: it is called anew.
    fn target_elsewhere(&mut self, now: Instant, key: Key) {
        self.leave_target(now, key);
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let begun = call.peer.progress.begun;
        let Some(transfer) = call.transfer.as_deref_mut() else {
            return;
        };
        transfer.state = State::Asked;
        // Nobody failed: it takes none of the tries.
        transfer.most = transfer.most.max(begun + 1);
        transfer.search.has_tried(transfer.peer);
        transfer.search.is_elsewhere = true;
        if !self.ask_for_target(key) {
            self.transfer_failed(now, key, 503);
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
            features: features_of(message),
        };
        transfer.gives_up_at = Some(now + wait);
        transfer.state = State::Waiting;
        let is_held = transfer.awaits_confirmation;
        self.stop_waiting_for_target(key);
        if message.body().is_empty() {
            self.transfer_failed(now, key, 488);
        } else if !is_held {
            self.offer_to_who_stays(now, key);
        }
    }

    /// A request of a target that is not joined yet. Its BYE ends what it accepted; anything else may come
    /// again when it is joined.
    pub(crate) fn hear_target(
        &mut self,
        now: Instant,
        hops: (Hop, Hop),
        (message, tag): (&Message<'_>, &[u8]),
        index: u64,
    ) -> Result<(), Cause> {
        let key = self.leg_of(tag).ok_or(Cause::NoDialog)?.key;
        let access = Arc::clone(&self.context.settings.access);
        let transfer = self.transfer_mut(key).ok_or(Cause::NoDialog)?;
        let (Some(dialog), Some(hop)) = (&mut transfer.dialog, transfer.hop) else {
            return Err(Cause::NoDialog);
        };
        let is_from_there = access.is_peer(&hops.0) || access.is_same_side(&hop, &hops.0);
        if !is_from_there || !dialog.matches(message) {
            return Err(Cause::NoDialog);
        }
        let attempt = transfer.attempt;
        let method = message.method();
        if method == Method::Options {
            reject::answer_options(&mut self.context, message, hops.0);
            return Ok(());
        }
        let is_in_order = method == Method::Bye || dialog.takes_cseq(message.cseq());
        let servers = &mut self.servers;
        let server = servers.open(&mut self.context, now, message, hops, index);
        let tag = self.context.attempt_token(Kind::PeerLeg, attempt);
        match (method, server) {
            (Method::Bye, Some(server)) => {
                answer::accept(&mut self.context, &mut self.servers, now, server, &tag);
            }
            // A full table must not keep it alive.
            (Method::Bye, None) => reject::accept_stateless(&mut self.context, message, hops.0),
            (_, None) => return Err(Cause::Overloaded),
            (_, Some(server)) => {
                let cause = if is_in_order {
                    Cause::Busy
                } else {
                    Cause::OutOfOrder
                };
                let refused = (server, cause);
                answer::own(&mut self.context, &mut self.servers, now, refused, &tag);
            }
        }
        if method == Method::Bye {
            self.target_leaves(now, key);
        }
        Ok(())
    }

    /// The target hung up before it was joined.
    fn target_leaves(&mut self, now: Instant, key: Key) {
        let Some(transfer) = self.transfer_mut(key) else {
            return;
        };
        let attempt = std::mem::take(&mut transfer.is_owned).then_some(transfer.attempt);
        let client = transfer.client.take();
        // §13.2.2.4: its 2xx wants the ACK all the same.
        if let Some(dialog) = transfer.dialog.take()
            && let Some(span) = request::ack(&mut self.context, &dialog, dialog.cseq_local, None)
            && let Some(client) = client
        {
            self.clients
                .keep_ack(&mut self.context, client, span, dialog.hop);
        }
        if let Some(attempt) = attempt {
            self.context.report(attempt, Outcome::Over);
        }
        self.transfer_failed(now, key, 480);
    }
}

/// The best refusal that was kept.
fn best_refusal(search: &Search) -> Option<u16> {
    search.refusal.as_ref().map(|kept| kept.status())
}
