//! What is used of one subzone or pipe: an atomic word that no two threads take beyond its limit.
//!
//! Values are sums, so that a word that went away and came back is the same word. What a reservation
//! takes on the way to being refused can refuse another that would have fitted; it never admits one
//! that does not fit.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

/// Stands for no limit.
pub(crate) const UNLIMITED: u64 = u64::MAX;

/// Use and limit of one resource, in kbit/s; carried from network to network by name.
///
/// Alone on its cache line: two threads that use other resources do not meet.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Counter {
    /// What calls here use.
    own: AtomicU64,
    /// What the other members use, as last told.
    remote: AtomicU64,
    limit: AtomicU64,
}

impl Counter {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            own: AtomicU64::new(0),
            remote: AtomicU64::new(0),
            limit: AtomicU64::new(limit),
        }
    }

    // Relaxed, here and below: only the words themselves are agreed on; no other memory is published
    // by them. A limit or a remote use that changes meanwhile counts for the next look.
    pub(crate) fn own(&self) -> u64 {
        self.own.load(Ordering::Relaxed)
    }

    pub(crate) fn remote(&self) -> u64 {
        self.remote.load(Ordering::Relaxed)
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub(crate) fn set_remote(&self, kbps: u64) {
        self.remote.store(kbps, Ordering::Relaxed);
    }

    /// What is left.
    pub(crate) fn available(&self) -> u64 {
        let used = self.own().saturating_add(self.remote());
        self.limit().saturating_sub(used)
    }

    /// Takes as much if it is left.
    #[inline]
    pub(crate) fn take(&self, kbps: u64) -> bool {
        let room = self.limit().saturating_sub(self.remote());
        let mut own = self.own();
        loop {
            let Some(next) = own.checked_add(kbps).filter(|next| *next <= room) else {
                return false;
            };
            let exchanged =
                self.own
                    .compare_exchange_weak(own, next, Ordering::Relaxed, Ordering::Relaxed);
            match exchanged {
                Ok(_) => return true,
                Err(now) => own = now,
            }
        }
    }

    /// Gives back what was taken.
    #[inline]
    pub(crate) fn give_back(&self, kbps: u64) {
        let before = self.own.fetch_sub(kbps, Ordering::Relaxed);
        debug_assert!(before >= kbps, "only what was taken goes back");
    }
}

#[cfg(test)]
mod tests;
