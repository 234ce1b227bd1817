//! A 2xx that is held until the owner has said whether the call stays at its peer.
//!
//! Two callers of one conference may be answered by two peers when failovers cross: the second one belongs to where the
//! first one is. It follows, and knows nothing of it, as long as it has not heard what only its own peer could go on
//! from: SDP, or a reliable provisional.

use super::attempt::Why;
use super::call::With;
use super::{early, peer_leg, request};
use crate::core::Core;
use crate::output::{ATTEMPTS_MAX, Attempt, Outcome};
use crate::sip::message::{Framing, Index, Message};
use crate::sip::reject::Cause;
use crate::sip::transaction::client::Purpose;
use crate::slots::Key;
use std::time::Instant;

impl Core {
    /// The owner's word on [`Outcome::Accepted`]: whether the call stays. `index` reads the 2xx once more, where it is
    /// held. Who has its answer already, and belongs elsewhere, is hung up.
    pub fn handle_confirmation(
        &mut self,
        now: Instant,
        attempt: Attempt,
        stays: bool,
        index: &mut Index,
    ) {
        let key = attempt.call;
        if self.target_confirmed(now, attempt, stays) {
            return;
        }
        let is_held = self.calls.get(key).is_some_and(|call| {
            call.peer.state == peer_leg::State::Held && call.peer.progress.current(key) == attempt
        });
        match (is_held, stays) {
            (true, true) => self.let_go(now, key, index),
            (true, false) => {
                if let Some(call) = self.calls.get_mut(key) {
                    let progress = &mut call.peer.progress;
                    progress.why = Why::Elsewhere;
                    // Nobody failed: it takes none of the tries.
                    progress.most = progress.most.max(progress.begun + 1).min(ATTEMPTS_MAX);
                    if let Some(search) = &mut call.search {
                        search.is_elsewhere = true;
                    }
                }
                self.set_cause(key, Cause::PeerUnavailable);
                self.peer_input(now, key, peer_leg::Input::Elsewhere, With::default());
            }
            (false, true) => {}
            (false, false) => self.hang_up_call(now, key),
        }
    }

    /// The caller hears the 2xx.
    fn let_go(&mut self, now: Instant, key: Key, index: &mut Index) {
        let call = self.calls.get_mut(key);
        let Some(search) = call.and_then(|call| call.search.as_mut()) else {
            debug_assert!(false, "a call that has no answer searches");
            return;
        };
        let bytes = std::mem::take(&mut search.held);
        let message = index.read(&bytes, Framing::Datagram);
        let with = With {
            message: Some(&message),
            server: None,
        };
        self.peer_input(now, key, peer_leg::Input::Stays, with);
        // It was released with the offer: the memory is for the next one.
        self.context.searches.give_back(bytes);
    }

    /// The first 2xx of the attempt that is on its way.
    pub(crate) fn accepted(&mut self, now: Instant, key: Key, message: &Message<'_>) {
        self.report_if_open(key, Outcome::Accepted);
        let with = With {
            message: Some(message),
            server: None,
        };
        let searches = &mut self.context.searches;
        let held = self.calls.get_mut(key).and_then(|call| {
            let is_wanted = call.peer.progress.awaits_confirmation && !call.is_bound;
            call.search.as_mut().filter(|_| is_wanted)
        });
        let input = match held {
            Some(search) => {
                search.held = searches.buffer();
                search.held.extend_from_slice(message.bytes());
                peer_leg::Input::HeldSuccess
            }
            None => peer_leg::Input::Success,
        };
        self.peer_input(now, key, input, with);
    }

    /// The caller hears a provisional: whether only this peer can go on from there.
    pub(crate) fn note_bond(&mut self, key: Key, message: &Message<'_>) {
        if let Some(call) = self.calls.get_mut(key) {
            call.is_bound |= !message.body().is_empty() || early::is_reliable(message);
        }
    }

    /// ACK and BYE for a 2xx that the caller never hears of.
    pub(crate) fn end_held(&mut self, now: Instant, key: Key) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let cseq = call.peer.progress.invite_cseq();
        let is_open = std::mem::take(&mut call.peer.progress.is_open);
        let attempt = call.peer.progress.current(key);
        if let Some(client) = call.peer.client.take() {
            self.clients.disown(&mut self.context, now, client);
        }
        let Some(mut dialog) = call.peer.dialog.take() else {
            debug_assert!(false, "a 2xx makes a dialog");
            return;
        };
        request::ack(&mut self.context, &dialog, cseq, None);
        let bye = (Purpose::ByeToLate(attempt), &mut dialog);
        let sent = request::bye(&mut self.context, &mut self.clients, now, bye, None);
        // What cannot be said to the peer cannot be waited for.
        if is_open && sent.is_none() {
            self.context.report(attempt, Outcome::Over);
        }
        self.context.counters.calls_followed.add_one();
    }
}
