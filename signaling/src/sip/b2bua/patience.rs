//! How long a peer leg waits: for its first answer, for timer C, for what comes of a CANCEL.

use super::call::{Call, With};
use super::peer_leg;
use crate::context::Alarm;
use crate::core::Core;
use crate::settings::Timers;
use crate::slots::Key;
use std::time::Instant;

impl Call {
    /// Timer C, from what the caller heard last on: the time of a caller whose peers die one after another ends as well.
    /// But each peer has as long as a transaction takes.
    pub(crate) fn rings_until(&self, timers: &Timers) -> Instant {
        let until = self.rings_from + timers.ring;
        let least = timers.ring.min(timers.t1_64());
        let since = self.peer.progress.since;
        since.map_or(until, |since| until.max(since + least))
    }
}

impl Core {
    pub(crate) fn wait_for_peer(&mut self, key: Key, until: Instant) {
        self.stop_waiting_for_peer(key);
        if let Some(call) = self.calls.get_mut(key) {
            call.peer.alarm = Some(self.context.wheel.arm(until, Alarm::Peer(key)));
        }
    }

    /// The peer leg's timer: patience, timer C, or the wait after a CANCEL.
    pub(crate) fn peer_alarm(&mut self, now: Instant, key: Key) {
        if let Some(call) = self.calls.get_mut(key) {
            call.peer.alarm = None;
            // A caller that hung up meanwhile does not make the peer any livelier.
            if matches!(
                call.peer.state,
                peer_leg::State::Calling | peer_leg::State::CancelPending
            ) {
                self.report_silence(key);
            }
            self.peer_input(now, key, peer_leg::Input::TooLong, With::default());
        }
    }

    pub(crate) fn stop_waiting_for_peer(&mut self, key: Key) {
        if let Some(alarm) = self
            .calls
            .get_mut(key)
            .and_then(|call| call.peer.alarm.take())
        {
            self.context.wheel.cancel(alarm);
        }
    }
}
