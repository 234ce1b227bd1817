//! How it went, second by second.

use hdrhistogram::Histogram;
use std::io;

/// One second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which, from 1.
    pub second: u64,
    /// Calls that began, so far.
    pub offered: u64,
    /// Calls that went well, so far.
    pub answered: u64,
    /// Calls that did not, so far.
    pub failed: u64,
    /// Calls under way.
    pub live: u64,
    /// Latency in this second, in microseconds: p50, p99 and the longest; zero where nothing was measured.
    pub latency_us: [u64; 3],
    /// Calls under way at each peer.
    pub peers: Vec<u64>,
}

/// Counts so far: offered, answered, failed, live.
pub(super) type Counts = [u64; 4];

/// Takes a sample each second.
pub(super) struct Sampler {
    last: Histogram<u64>,
    pub(super) samples: Vec<Sample>,
}

impl Sampler {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            last: crate::load::histogram()?,
            samples: Vec::new(),
        })
    }

    /// `latencies` are all so far; those of the second are what is new.
    pub(super) fn take(
        &mut self,
        second: u64,
        [offered, answered, failed, live]: Counts,
        latencies: &Histogram<u64>,
        peers: Vec<u64>,
    ) -> Sample {
        let mut recent = latencies.clone();
        // Both are of the same make, and the last one is part of this one.
        let latency_us = if recent.subtract(&self.last).is_ok() && !recent.is_empty() {
            [50.0, 99.0, 100.0].map(|percentile| recent.value_at_percentile(percentile))
        } else {
            [0; 3]
        };
        self.last = latencies.clone();
        let sample = Sample {
            second,
            offered,
            answered,
            failed,
            live,
            latency_us,
            peers,
        };
        self.samples.push(sample.clone());
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_own_latency() {
        let mut all = crate::load::histogram().unwrap();
        let mut sampler = Sampler::new().unwrap();
        all.record(1_000).unwrap();
        assert_eq!(
            sampler.take(1, [1, 1, 0, 0], &all, vec![]).latency_us,
            [1_000; 3]
        );
        all.record(5_000).unwrap();
        let second = sampler.take(2, [2, 2, 0, 0], &all, vec![]).latency_us;
        assert!(
            second.iter().all(|value| (4_990..5_010).contains(value)),
            "{second:?}"
        );
        assert_eq!(
            sampler.take(3, [2, 2, 0, 0], &all, vec![]).latency_us,
            [0; 3]
        );
    }
}
