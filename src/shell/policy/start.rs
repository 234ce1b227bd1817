//! When a node has started, as far as decisions go: its workers take calls, and it is known of each peer
//! that has a name whether it has an address. Until then a VCS asks another member.

use crate::shell::names;
use crate::shell::view::Figures;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is waited for.
pub(in crate::shell) struct Start {
    is_over: AtomicBool,
    workers: Vec<Figures>,
    names: Arc<names::Counted>,
    /// The peers of the first configuration that have names.
    wanted: BTreeSet<String>,
}

impl Start {
    pub(in crate::shell) fn new(
        workers: &[Figures],
        names: &Arc<names::Counted>,
        wanted: BTreeSet<String>,
    ) -> Self {
        Self {
            is_over: AtomicBool::new(false),
            workers: workers.to_vec(),
            names: Arc::clone(names),
            wanted,
        }
    }

    /// Whether nothing is waited for any more; it stays so.
    pub(super) fn is_over(&self) -> bool {
        // Relaxed: it stands for itself.
        if self.is_over.load(Ordering::Relaxed) {
            return true;
        }
        let is_over = self.has_workers() && self.has_all_names();
        if is_over {
            self.is_over.store(true, Ordering::Relaxed);
        }
        is_over
    }

    /// Whether every worker serves.
    pub(super) fn has_workers(&self) -> bool {
        let has_turned = |worker: &Figures| worker.shell.turns.value() > 0;
        self.workers.iter().all(has_turned)
    }

    fn has_all_names(&self) -> bool {
        let seen = self.names.seen();
        let mut wanted = self.wanted.iter();
        wanted.all(|name| seen.peers.contains_key(name))
    }
}
