//! Calls of one worker as operators see them, with the peer that each is on.

use super::Worker;
use balancer::Permit;
use signaling::CallSeen;
use signaling::slots::Key;
use std::sync::Arc;
use std::time::Instant;

/// One call at one moment.
#[derive(Clone, Debug)]
pub struct CallOnPeer {
    /// What the SIP core knows of it.
    pub call: CallSeen,
    /// The peer that holds a session for it.
    pub peer: Option<String>,
    /// The conference that it is for.
    pub conference: Option<Arc<str>>,
    /// Why it went to that peer, with the figures of that moment, and why not to others.
    pub why: Option<String>,
}

impl Worker {
    /// Ends a call, if it lives.
    pub fn hang_up(&mut self, now: Instant, call: Key) {
        self.core.hang_up_call(now, call);
    }

    /// The calls in the next `slots_max` slots from `slot` on, and the slot to go on from.
    #[must_use]
    pub fn calls_seen(&self, slot: u32, slots_max: u32) -> (Vec<CallOnPeer>, Option<u32>) {
        let (calls, next) = self.core.calls_seen(slot, slots_max);
        let board = self.balancer.board();
        let calls = calls.into_iter().map(|call| {
            let permit = self.permits.seen(call.attempt);
            let peer = permit.and_then(|permit| board.peer(permit.peer()));
            CallOnPeer {
                peer: peer.map(|peer| peer.settings.name.clone()),
                conference: permit.and_then(Permit::conference),
                why: permit.map(|permit| permit.why(&board)),
                call,
            }
        });
        (calls.collect(), next)
    }
}
