//! Time as the atomics hold it: milliseconds since the balancer was made.

use std::time::{Duration, Instant};

/// Where the milliseconds begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(Instant);

impl Epoch {
    pub(crate) fn new(now: Instant) -> Self {
        Self(now)
    }

    /// Milliseconds from the beginning to `now`; 0 for what was before.
    pub(crate) fn millis(self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.0))
    }

    /// The moment that lies so many milliseconds after the beginning, unless that is beyond what a
    /// clock can say.
    pub(crate) fn instant(self, millis: u64) -> Option<Instant> {
        self.0.checked_add(Duration::from_millis(millis))
    }
}

/// Whole milliseconds of a duration.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
