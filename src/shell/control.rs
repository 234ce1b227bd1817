//! What all workers look at once a turn: how far the node is on its way out, and what they go by since
//! the last reload.

use super::inbox::Inbox;
use super::tcp;
use crate::node::Recording;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

/// What the workers are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Phase {
    /// Take calls.
    Running,
    /// Take no new calls until the operator wants them again.
    Maintenance,
    /// Take no new calls but those that the policy service promised, and stay: it goes on deciding for a while.
    Lingering,
    /// Take no new calls; leave when the last one ends.
    Draining,
    /// Leave now.
    Stopping,
}

/// What every worker is to go by.
#[derive(Debug)]
pub(super) struct Orders {
    /// Those of some worker: each changes the number.
    pub(super) settings: signaling::Settings,
    pub(super) limits: tcp::Limits,
    pub(super) recording: Recording,
}

/// Shared by the workers and the handle.
pub(super) struct Control {
    phase: AtomicU8,
    /// Since the last reload, and how many there were.
    orders: ArcSwapOption<Orders>,
    generation: AtomicU64,
    /// The generation that each worker has taken over.
    taken: Box<[AtomicU64]>,
    /// Workers that still have calls or something to send.
    busy: AtomicUsize,
    inboxes: Vec<Arc<Inbox>>,
}

impl Control {
    pub(super) fn new(inboxes: Vec<Arc<Inbox>>) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Running as u8),
            orders: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            taken: inboxes.iter().map(|_| AtomicU64::new(0)).collect(),
            busy: AtomicUsize::new(inboxes.len()),
            inboxes,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        // Relaxed: the word alone matters, and whoever changed it rings every worker.
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Running,
            1 => Phase::Maintenance,
            2 => Phase::Lingering,
            3 => Phase::Draining,
            _ => Phase::Stopping,
        }
    }

    /// Has every worker go by something else from its next turn on. It needs no room in a ring, so it
    /// cannot fail half way.
    pub(super) fn post(&self, orders: Orders) {
        self.orders.store(Some(Arc::new(orders)));
        // Release: who sees the number sees the orders, or later ones.
        self.generation.fetch_add(1, Ordering::Release);
        self.wake_all();
    }

    /// How often orders were posted.
    pub(super) fn generation(&self) -> u64 {
        // Acquire: see `post`.
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn orders(&self) -> Option<Arc<Orders>> {
        self.orders.load_full()
    }

    /// A worker goes by the orders of this generation.
    pub(super) fn took(&self, worker: u8, generation: u64) {
        if let Some(taken) = self.taken.get(usize::from(worker)) {
            // Release: who sees the number sees the turn in which the orders were taken.
            taken.store(generation, Ordering::Release);
        }
    }

    /// Whether every worker goes by the last orders.
    pub(super) fn is_obeyed(&self) -> bool {
        let generation = self.generation();
        self.taken
            .iter()
            .all(|taken| taken.load(Ordering::Acquire) >= generation)
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
