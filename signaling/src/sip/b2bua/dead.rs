//! A peer that is known to be dead does not keep the callers that wait for it (TRUNK.md section 4).
//!
//! Who has heard nothing that binds the call to it goes to the next peer. Who heard it ring is told
//! that nobody answers: no other candidate is tried then (section 5 rule 9).

use super::attempt::Why;
use super::call::With;
use super::peer_leg;
use super::transfer::State;
use crate::core::Core;
use crate::sip::reject::Cause;
use crate::slots::Key;
use std::time::Instant;

impl Core {
    /// The owner found this peer dead. Looks at every call; who has heard nothing yet is helped by the
    /// patience of its attempt.
    pub fn handle_peer_failed(&mut self, now: Instant, peer: u32) {
        let waits = |key: &Key| {
            self.calls.get(*key).is_some_and(|call| {
                call.peer.progress.peer == peer && call.peer.state == peer_leg::State::Proceeding
            })
        };
        let waiting: Vec<Key> = self.calls.keys().filter(waits).collect();
        for key in waiting {
            self.peer_is_dead(now, key);
        }
        let refers = |key: &Key| {
            let call = self.calls.get(*key);
            let transfer = call.and_then(|call| call.transfer.as_deref());
            transfer
                .is_some_and(|it| it.peer == peer && it.is_owned && it.state == State::Proceeding)
        };
        let referring: Vec<Key> = self.calls.keys().filter(refers).collect();
        for key in referring {
            self.target_is_dead(now, key);
        }
    }

    fn peer_is_dead(&mut self, now: Instant, key: Key) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let input = if call.peer.progress.is_early {
            peer_leg::Input::DeadWhileRinging
        } else {
            call.peer.progress.why = Why::Silent;
            self.report_silence(key);
            peer_leg::Input::Dead
        };
        self.set_cause(key, Cause::NoPeerAnswered);
        self.peer_input(now, key, input, With::default());
    }
}
