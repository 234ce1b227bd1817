//! How many sessions of a peer are in use: one atomic, and the permit that gives back what it took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The session count of one peer, shared by all workers and carried from board to board.
#[derive(Debug)]
#[repr(align(128))]
pub struct Sessions {
    maximum: u32,
    in_use: AtomicU32,
}

impl Sessions {
    /// A peer with room for so many.
    #[must_use]
    pub fn new(maximum: u32) -> Self {
        Self {
            maximum,
            in_use: AtomicU32::new(0),
        }
    }

    /// Room in all.
    #[must_use]
    pub fn maximum(&self) -> u32 {
        self.maximum
    }

    /// Sessions taken, confirmed by an answer or not.
    #[must_use]
    pub fn in_use(&self) -> u32 {
        // Relaxed: a figure to choose by; `take` is what decides.
        self.in_use.load(Ordering::Relaxed)
    }

    /// Sessions that may still be taken.
    #[must_use]
    pub fn available(&self) -> u32 {
        self.maximum.saturating_sub(self.in_use())
    }

    /// Takes a session if one is free.
    #[must_use]
    pub fn take(self: &Arc<Self>) -> Option<Permit> {
        // Relaxed: only the count itself is agreed on; no other memory is published by it.
        self.in_use
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                (used < self.maximum).then(|| used + 1)
            })
            .ok()
            .map(|_| Permit {
                sessions: Arc::clone(self),
            })
    }
}

/// One session taken; it goes back when this is dropped, whatever the reason.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once reserves nothing"]
pub struct Permit {
    sessions: Arc<Sessions>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let before = self.sessions.in_use.fetch_sub(1, Ordering::Relaxed);
        debug_assert!(before > 0, "a permit gives back what it took");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_the_maximum_and_back_on_drop() {
        let sessions = Arc::new(Sessions::new(2));
        let first = sessions.take().expect("free");
        let second = sessions.take().expect("free");
        assert!(sessions.take().is_none());
        assert_eq!(sessions.available(), 0);
        drop(first);
        assert_eq!(sessions.in_use(), 1);
        drop(second);
        assert_eq!(sessions.available(), 2);
    }
}
