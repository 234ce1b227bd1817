//! How often a time fell into each range: a histogram of fixed ranges, counted by one thread and read
//! by anybody.

use crate::counters::Counter;
use std::time::Duration;

/// Ends of the ranges in seconds; beyond the last one there is one more.
pub const BOUNDS: [f64; 15] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// The counts.
#[derive(Debug, Default)]
pub struct Times {
    counts: [Counter; BOUNDS.len() + 1],
    microseconds: Counter,
}

impl Times {
    pub(crate) fn count(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let range = BOUNDS.iter().take_while(|bound| seconds > **bound).count();
        if let Some(counter) = self.counts.get(range) {
            counter.add_one();
        }
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.add(microseconds);
    }

    /// How many fell into each range.
    #[must_use]
    pub fn counts(&self) -> [u64; BOUNDS.len() + 1] {
        self.counts.each_ref().map(Counter::value)
    }

    /// All of them together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.microseconds.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_range_below_it() {
        let times = Times::default();
        for millis in [0, 1, 2, 1_000, 60_000] {
            times.count(Duration::from_millis(millis));
        }
        let counts = times.counts();
        assert_eq!(counts.iter().sum::<u64>(), 5);
        assert_eq!(counts[..3], [1, 1, 1]);
        assert_eq!((counts[10], counts[15]), (1, 1));
        assert_eq!(times.sum(), Duration::from_millis(61_003));
    }
}
