//! Seeded random numbers (SplitMix64): the same seed gives the same calls, tags and choices.
//!
//! Not for secrets: tags of an agent may be guessed, which is of no concern on a loopback.

use std::time::Duration;

/// A small generator; copies go on alike.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator for this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.bits().checked_rem(end).unwrap_or(0)
    }

    /// True this many times in a thousand.
    pub fn permille(&mut self, share: u64) -> bool {
        self.below(1000) < share
    }

    /// A time from zero to `longest`.
    pub fn up_to(&mut self, longest: Duration) -> Duration {
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(nanos.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_is_one_sequence() {
        let mut left = Random::new(7);
        let mut right = Random::new(7);
        let mut other = Random::new(8);
        for _ in 0..100 {
            assert_eq!(left.bits(), right.bits());
        }
        assert_ne!(left.bits(), other.bits());
        assert_eq!(left.below(0), 0);
        assert!(left.up_to(Duration::from_millis(3)) <= Duration::from_millis(3));
    }
}
