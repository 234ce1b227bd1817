//! From one peer to the next (TRUNK.md section 4): a call makes several attempts, one after another,
//! and the caller sees one transaction.
//!
//! Each attempt has a branch, Call-ID and tags of its own (section 5 rule 8). One that is silent goes
//! on until there is another peer to take its place; then its INVITE is left to the transaction
//! layer, which cancels or ends whatever is answered after all. So at most one attempt can win.

use super::answer::{self, Answering};
use super::attempt::Why;
use super::call::With;
use super::offer::PeerNames;
use super::side::Side;
use super::{caller_leg, peer_leg};
use crate::core::Core;
use crate::hop::Hop;
use crate::output::{ATTEMPTS_MAX, Attempt, Choice, Outcome, Output, Refusal, Trouble};
use crate::record::End;
use crate::sip::message::{HeaderName, Message, RetryAfter};
use crate::sip::reject::Cause;
use crate::sip::token::Kind;
use crate::sip::transaction::client::Purpose;
use crate::sip::transaction::client::hop_by_hop::INVITE_CSEQ;
use crate::slots::Key;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Core {
    /// Asks the owner for the next peer, if there may be one more attempt.
    pub(crate) fn ask_next(&mut self, now: Instant, key: Key) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let is_idle = call.peer.state == peer_leg::State::Idle;
        let progress = &mut call.peer.progress;
        if progress.is_asked {
            return;
        }
        if !progress.has_more() {
            if is_idle {
                self.conclude(now, key);
            }
            return;
        }
        progress.is_asked = true;
        if let Some(search) = &mut call.search {
            search.has_tried(progress.peer);
        }
        let next = progress.next(key);
        self.context.outputs.push_back(Output::Choose(next));
    }

    /// The owner's answer to [`Output::Choose`].
    pub(crate) fn choose(
        &mut self,
        now: Instant,
        attempt: Attempt,
        choice: Result<Choice<'_>, Refusal>,
    ) {
        if choice.is_ok() {
            self.context.attempts += 1;
        }
        if self.is_for_transfer(attempt) {
            return self.target_chosen(now, attempt, choice);
        }
        let key = attempt.call;
        let waiting = self
            .calls
            .get_mut(key)
            .filter(|call| call.peer.progress.is_asked && call.peer.progress.next(key) == attempt);
        let state = waiting.map(|call| {
            call.peer.progress.is_asked = false;
            call.peer.state
        });
        match (state, choice) {
            (Some(peer_leg::State::Idle | peer_leg::State::Calling), Ok(choice)) => {
                self.begin_attempt(now, attempt, choice);
            }
            (Some(peer_leg::State::Idle), Err(refusal)) => self.none_left(now, attempt, refusal),
            // The silent peer goes on being waited for.
            (Some(_) | None, Err(_)) => {}
            // The caller hung up, or the peer answered, while the owner was choosing.
            (Some(_) | None, Ok(_)) => self.context.report(attempt, Outcome::Over),
        }
    }

    fn none_left(&mut self, now: Instant, attempt: Attempt, refusal: Refusal) {
        if let Some(search) =
            (self.calls.get_mut(attempt.call)).and_then(|call| call.search.as_mut())
        {
            search.redirect = None;
        }
        if attempt.number == 0 {
            self.set_cause(attempt.call, Cause::from(refusal));
        }
        self.conclude(now, attempt.call);
    }

    /// The INVITE goes to this peer; one that is still silent is given up.
    fn begin_attempt(&mut self, now: Instant, attempt: Attempt, choice: Choice<'_>) {
        let key = attempt.call;
        let invited = self.invite(now, attempt, choice);
        let Some(call) = self.calls.get_mut(key) else {
            debug_assert!(false, "a call that waits for a choice lives");
            return;
        };
        let searches = &mut self.context.searches;
        let search = call.search.get_or_insert_with(|| searches.take());
        search.next_on = choice.next_on;
        let progress = &mut call.peer.progress;
        let (client, hop) = match invited {
            Ok(invited) => invited,
            Err(cause) => {
                // Nothing was sent, but the number is used up: no two attempts have one name.
                progress.begun += 1;
                progress.most = choice.attempts_max.min(ATTEMPTS_MAX);
                let is_idle = call.peer.state == peer_leg::State::Idle;
                search.has_tried(choice.peer);
                return self.not_invited(now, attempt, cause, is_idle);
            }
        };
        let why = progress.why;
        search.begins(&choice);
        if call.peer.state == peer_leg::State::Calling {
            self.peer_input(now, key, peer_leg::Input::Superseded, With::default());
        }
        self.context.counters.attempts_begun.add_one();
        if attempt.number > 0 {
            let counters = &self.context.counters;
            match why {
                // Counted when its peer was left.
                Why::Elsewhere => {}
                Why::Local => counters.failovers_local.add_one(),
                Why::Refused => counters.failovers_refused.add_one(),
                Why::Silent => counters.failovers_silent.add_one(),
                Why::Unreachable => counters.failovers_unreachable.add_one(),
            }
        }
        if let Some(call) = self.calls.get_mut(key) {
            call.peer.progress.begin(now, &choice);
            call.peer.client = Some(client);
            call.peer.hop = Some(hop);
        }
        self.peer_input(now, key, peer_leg::Input::Invited, With::default());
        self.wait_for_peer(key, now + choice.patience);
    }

    /// The INVITE could not even be written to this peer.
    fn not_invited(&mut self, now: Instant, attempt: Attempt, cause: Cause, is_idle: bool) {
        if cause == Cause::NoRoute {
            let outcome = Outcome::Unreachable(Trouble::Refused);
            self.context.report(attempt, outcome);
        }
        self.context.report(attempt, Outcome::Over);
        if is_idle {
            self.set_cause(attempt.call, cause);
        }
        if cause == Cause::NoRoute {
            self.ask_next(now, attempt.call);
        } else if is_idle {
            self.conclude(now, attempt.call);
        }
    }

    /// Sends the INVITE of an attempt.
    fn invite(
        &mut self,
        now: Instant,
        attempt: Attempt,
        choice: Choice<'_>,
    ) -> Result<(Key, Hop), Cause> {
        let settings = Arc::clone(&self.context.settings);
        let listener = settings
            .listener_for(choice.transport, &choice.remote)
            .ok_or(Cause::NoRoute)?;
        let hop = Hop {
            transport: choice.transport,
            listener,
            remote: choice.remote,
            connection: None,
            identity: None,
        };
        let tag = self.context.attempt_token(Kind::PeerLeg, attempt);
        let call_id = self.context.attempt_token(Kind::CallId, attempt);
        let call = self.calls.get_mut(attempt.call).ok_or(Cause::NoDialog)?;
        let offer = &call.offer;
        let uri = match &call.search {
            Some(search) => search.next_uri(choice.request_uri),
            None => choice.request_uri,
        };
        let uri_room = uri.map_or(0, <[u8]>::len);
        let client = self
            .clients
            .send(
                &mut self.context,
                now,
                (Purpose::Invite(attempt), hop),
                offer.room() + uri_room,
                |writer, branch| {
                    offer.write(
                        &settings,
                        writer,
                        &hop,
                        &PeerNames {
                            branch: *branch,
                            tag,
                            call_id,
                            cseq: INVITE_CSEQ,
                            min_se: 0,
                            uri,
                        },
                        |_| {},
                    );
                },
            )
            .ok_or(Cause::Overloaded)?;
        self.context.connect_within(choice.connect_patience);
        Ok((client, hop))
    }

    /// The peer refused: the next one is asked for, or the caller hears it.
    pub(crate) fn refused(&mut self, now: Instant, key: Key, message: &Message<'_>) {
        if self.answer_challenge(now, key, message) || self.lengthen_session(now, key, message) {
            return;
        }
        self.report_if_open(key, answered(message));
        let settings = Arc::clone(&self.context.settings);
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let zone = call.way(Side::Caller).zone(&settings);
        // TRUNK.md section 5 rule 9: after a to-tag has been seen no other candidate is tried.
        let is_waiting = !call.peer.progress.is_early
            && matches!(
                call.peer.state,
                peer_leg::State::Calling | peer_leg::State::Proceeding
            );
        let input = match &mut call.search {
            Some(search) if is_waiting && search.next_on.contains(message.status()) => {
                call.peer.progress.why = Why::Refused;
                search.keep(message, zone);
                peer_leg::Input::Declined
            }
            Some(search) if is_waiting && (300..400).contains(&message.status()) => {
                if search.follow(message) {
                    call.peer.progress.why = Why::Refused;
                    search.keep(message, zone);
                    peer_leg::Input::Declined
                } else {
                    peer_leg::Input::Failure
                }
            }
            Some(_) | None => peer_leg::Input::Failure,
        };
        let with = With {
            message: Some(message),
            server: None,
        };
        self.peer_input(now, key, input, with);
    }

    /// Nobody answers, or the INVITE could not be sent.
    pub(crate) fn lost(&mut self, now: Instant, key: Key, outcome: Outcome) {
        if outcome == Outcome::Silent {
            self.report_silence(key);
        } else {
            self.report_if_open(key, outcome);
        }
        if let Some(call) = self.calls.get_mut(key) {
            let (why, cause) = match outcome {
                Outcome::Unreachable(Trouble::Local) => (Why::Local, Cause::Overloaded),
                Outcome::Unreachable(_) => (Why::Unreachable, Cause::NoPeerAnswered),
                Outcome::Accepted | Outcome::Answered { .. } | Outcome::Over | Outcome::Silent => {
                    (Why::Silent, Cause::NoPeerAnswered)
                }
            };
            call.peer.progress.why = why;
            self.set_cause(key, cause);
        }
        self.peer_input(now, key, peer_leg::Input::NoAnswer, With::default());
    }

    /// The first answer of the peer is overdue.
    pub(crate) fn report_silence(&mut self, key: Key) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        if !std::mem::replace(&mut call.peer.progress.is_silent, true) {
            self.report_if_open(key, Outcome::Silent);
        }
    }

    /// Tells the owner what came of the attempt that is on its way.
    pub(crate) fn report_if_open(&mut self, key: Key, outcome: Outcome) {
        let Some(call) = self.calls.get(key) else {
            return;
        };
        if call.peer.progress.is_open {
            let attempt = call.peer.progress.current(key);
            self.context.report(attempt, outcome);
        }
    }

    /// Nothing more comes of the attempt: what was reserved for it goes back.
    pub(crate) fn close_attempt(&mut self, key: Key) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        if std::mem::take(&mut call.peer.progress.is_open) {
            let attempt = call.peer.progress.current(key);
            self.context.report(attempt, Outcome::Over);
        }
    }

    /// Leaves the INVITE of the silent peer to the transaction layer, which says when it is over.
    pub(crate) fn give_up_invite(&mut self, now: Instant, key: Key) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let given_up = call
            .peer
            .client
            .take()
            .is_some_and(|client| self.clients.give_up(&mut self.context, now, client));
        if given_up {
            call.peer.progress.is_open = false;
        } else {
            self.close_attempt(key);
        }
    }

    /// There is no peer left: the caller hears the best refusal that came, or that nobody answered.
    fn conclude(&mut self, now: Instant, key: Key) {
        let Some(call) = self.calls.get(key) else {
            return;
        };
        let is_refused = call
            .search
            .as_ref()
            .is_some_and(|search| search.refusal.is_some());
        let told = if is_refused {
            caller_leg::Input::PeerFailure
        } else {
            caller_leg::Input::NoAnswer
        };
        self.peer_input(now, key, peer_leg::Input::NoAnswer, With::default());
        self.caller_input(now, key, told, With::default());
    }

    /// The best refusal of the attempts goes to the caller.
    pub(crate) fn relay_refusal(&mut self, now: Instant, key: Key) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let server = call.caller.server;
        let to = Answering {
            server,
            tag: answer::caller_tag(&self.context, key),
            hop: call.caller.reply,
            way: call.way(Side::Caller),
            begins: true,
            session: None,
        };
        let Some(refused) = call
            .search
            .as_mut()
            .and_then(|search| search.refusal.take())
        else {
            debug_assert!(false, "a refusal that is relayed was kept");
            return;
        };
        if refused.status() == 503 {
            self.refuse_invite(now, key, server, Cause::PeerUnavailable);
            return;
        }
        if let Some(call) = self.calls.get_mut(key) {
            call.ends(now, End::Refused(refused.status()));
        }
        answer::relay_kept(&mut self.context, &mut self.servers, now, to, &refused);
        self.release_offer(key);
    }
}

/// What an answer tells the owner of the peer.
pub(crate) fn answered(message: &Message<'_>) -> Outcome {
    Outcome::Answered {
        status: message.status(),
        retry_after: retry_after(message),
    }
}

/// How long a 503 asks to be left alone.
fn retry_after(message: &Message<'_>) -> Option<Duration> {
    let value = message.header(HeaderName::RetryAfter)?;
    let wait = RetryAfter::parse(value).ok()?;
    Some(Duration::from_secs(u64::from(wait.seconds)))
}
