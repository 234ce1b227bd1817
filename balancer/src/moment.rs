//! Time as the atomics hold it: milliseconds since the balancer was made. And what looks like
//! chance, and is not.

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

/// Whole milliseconds of a duration, without a division of 128 bits.
#[inline]
pub(crate) fn millis(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_mul(1_000)
        .saturating_add(duration.subsec_millis().into())
}

/// A number that looks like chance (the last step of SplitMix64).
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}
