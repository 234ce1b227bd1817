//! How many sessions of a peer are taken: one atomic word that never forgets what it lent.
//!
//! The word holds what is taken in all (low half) and how much of that is reserved, which is taken
//! and not yet confirmed by an answer (high half). A choice is made with [`Counts::take_seen`],
//! which succeeds only if nothing changed since the word was read: equal peers then never differ
//! by more than one, however many workers choose at once.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

/// What is taken of one peer, shared by all workers and carried from board to board.
#[derive(Debug)]
pub(crate) struct Counts {
    word: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen(u64);

impl Seen {
    /// Sessions taken, confirmed or not.
    pub(crate) const fn taken(self) -> u32 {
        low(self.0)
    }

    /// Sessions taken and not yet confirmed.
    pub(crate) const fn reserved(self) -> u32 {
        low(self.0 >> 32)
    }

    const fn of(taken: u32, reserved: u32) -> Self {
        Self((reserved as u64) << 32 | taken as u64)
    }

    /// With so many more sessions taken and reserved.
    const fn plus(self, sessions: u32) -> Option<Self> {
        match (
            self.taken().checked_add(sessions),
            self.reserved().checked_add(sessions),
        ) {
            (Some(taken), Some(reserved)) => Some(Self::of(taken, reserved)),
            (None, _) | (_, None) => None,
        }
    }
}

impl Counts {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
        }
    }

    // Relaxed, here and below: only the word itself is agreed on; no other memory is published by
    // it.
    pub(crate) fn seen(&self) -> Seen {
        Seen(self.word.load(Ordering::Relaxed))
    }

    /// Takes and reserves sessions if nothing was taken, confirmed or given back since `seen`.
    pub(crate) fn take_seen(&self, seen: Seen, sessions: u32) -> bool {
        let Some(next) = seen.plus(sessions) else {
            return false;
        };
        self.word
            .compare_exchange(seen.0, next.0, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Takes and reserves sessions as long as `fits` says so of the counts as they are.
    pub(crate) fn take_if(&self, sessions: u32, fits: impl Fn(Seen) -> bool) -> bool {
        let mut seen = self.seen();
        while fits(seen) {
            let Some(next) = seen.plus(sessions) else {
                return false;
            };
            match self.word.compare_exchange_weak(
                seen.0,
                next.0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => seen = Seen(now),
            }
        }
        false
    }

    /// What was reserved is in use.
    pub(crate) fn confirm(&self, sessions: u32) {
        let before = self
            .word
            .fetch_sub(Seen::of(0, sessions).0, Ordering::Relaxed);
        debug_assert!(
            Seen(before).reserved() >= sessions,
            "only what is reserved is confirmed"
        );
    }

    /// Gives back what was taken; `reserved` if it was never confirmed.
    pub(crate) fn give_back(&self, sessions: u32, reserved: bool) {
        let lent = Seen::of(sessions, if reserved { sessions } else { 0 });
        let before = Seen(self.word.fetch_sub(lent.0, Ordering::Relaxed));
        debug_assert!(
            before.taken() >= sessions && before.reserved() >= lent.reserved(),
            "only what was taken goes back"
        );
    }
}

const fn low(word: u64) -> u32 {
    (word & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests;
