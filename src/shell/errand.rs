//! What the main thread has a worker do, between two messages: never more than a moment's work.

use super::intake::Intake;
use crate::node::CallOnPeer;
use signaling::slots::Key;
use std::time::Instant;
use tokio::sync::mpsc;

/// One thing to do.
#[derive(Debug)]
pub(super) enum Errand {
    /// The end of a call.
    HangUp(Key),
    /// The calls in the next slots.
    Calls {
        slot: u32,
        slots_max: u32,
        answer: mpsc::Sender<CallsPage>,
    },
}

/// Calls, and the slot to go on from.
#[derive(Debug)]
pub(super) struct CallsPage {
    pub(super) calls: Vec<CallOnPeer>,
    pub(super) more_from: Option<u32>,
}

impl Errand {
    pub(super) fn run(&self, now: Instant, intake: &mut Intake) {
        match self {
            Self::Calls {
                slot,
                slots_max,
                answer,
            } => {
                let (calls, more_from) = intake.worker.calls_seen(*slot, *slots_max);
                // Whoever asked may have gone.
                drop(answer.try_send(CallsPage { calls, more_from }));
            }
            Self::HangUp(call) => intake.worker.hang_up(now, *call),
        }
    }
}
