//! How far a node is on its way out: one word that all workers read once a turn.

use super::inbox::Inbox;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// What the workers are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Phase {
    /// Take calls.
    Running,
    /// Take no new calls until the operator wants them again.
    Maintenance,
    /// Take no new calls; leave when the last one ends.
    Draining,
    /// Leave now.
    Stopping,
}

/// Shared by the workers and the handle.
pub(super) struct Control {
    phase: AtomicU8,
    /// Workers that still have calls or something to send.
    busy: AtomicUsize,
    inboxes: Vec<Arc<Inbox>>,
}

impl Control {
    pub(super) fn new(inboxes: Vec<Arc<Inbox>>) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Running as u8),
            busy: AtomicUsize::new(inboxes.len()),
            inboxes,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        // Relaxed: the word alone matters, and whoever changed it rings every worker.
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Running,
            1 => Phase::Maintenance,
            2 => Phase::Draining,
            _ => Phase::Stopping,
        }
    }

    /// Goes into maintenance or comes out of it; whether that changed anything. A node that is on its
    /// way out stays there.
    pub(super) fn set_maintenance(&self, wanted: bool) -> bool {
        let (from, to) = if wanted {
            (Phase::Running, Phase::Maintenance)
        } else {
            (Phase::Maintenance, Phase::Running)
        };
        // Relaxed: see `phase`.
        let relaxed = Ordering::Relaxed;
        let exchanged = self
            .phase
            .compare_exchange(from as u8, to as u8, relaxed, relaxed);
        self.wake_all();
        exchanged.is_ok()
    }

    /// Goes on to a later phase; there is no way back.
    pub(super) fn advance(&self, phase: Phase) {
        // Relaxed: see `phase`.
        self.phase.fetch_max(phase as u8, Ordering::Relaxed);
        self.wake_all();
    }

    /// Has every worker make a turn.
    pub(super) fn wake_all(&self) {
        for inbox in &self.inboxes {
            inbox.wake();
        }
    }

    /// How many parcels wait for each worker.
    pub(super) fn queue_lengths(&self) -> impl Iterator<Item = usize> {
        self.inboxes.iter().map(|inbox| inbox.waiting())
    }

    /// A draining worker has nothing left. It goes on serving the others' messages until they all say so.
    pub(super) fn finished(&self) {
        // Relaxed: only the count matters.
        if self.busy.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.advance(Phase::Stopping);
        }
    }

    pub(super) fn inbox(&self, worker: u8) -> Option<&Inbox> {
        self.inboxes.get(usize::from(worker)).map(Arc::as_ref)
    }
}
