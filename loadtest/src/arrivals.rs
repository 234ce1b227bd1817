//! When calls are to begin: an open schedule, decided by seed alone and not by how fast anybody answers.

use crate::agent::Random;
use std::collections::VecDeque;
use std::time::Duration;

/// How calls come during a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// One after the other, always as far apart.
    Constant {
        /// Each second.
        rate: f64,
    },
    /// Each on its own (exponential gaps).
    Poisson {
        /// Each second, in the mean.
        rate: f64,
    },
    /// So many in the same instant, then nothing until the next time.
    Burst {
        /// How many.
        calls: u64,
        /// From one burst to the next.
        every: Duration,
    },
    /// None.
    Pause,
}

/// A shape and how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// How calls come.
    pub shape: Shape,
    /// For how long.
    pub lasts: Duration,
}

/// The times at which calls begin, from the start, in order.
#[derive(Debug)]
pub struct Arrivals {
    phases: VecDeque<Phase>,
    /// When the phase in front began.
    began: Duration,
    /// How many the phase in front has given.
    given: u64,
    /// The last time that a Poisson phase gave, from its beginning.
    last: Duration,
    left: u64,
    random: Random,
    next: Option<Duration>,
}

impl Arrivals {
    /// Those of these phases, one after the other; `seed` decides what is left to chance.
    #[must_use]
    pub fn new(phases: impl IntoIterator<Item = Phase>, seed: u64) -> Self {
        let mut arrivals = Self {
            phases: phases.into_iter().collect(),
            began: Duration::ZERO,
            given: 0,
            last: Duration::ZERO,
            left: u64::MAX,
            random: Random::new(seed),
            next: None,
        };
        arrivals.next = arrivals.compute();
        arrivals
    }

    /// The first of them only.
    #[must_use]
    pub fn at_most(mut self, calls: u64) -> Self {
        self.left = calls.min(self.left);
        if self.left == 0 {
            self.next = None;
        }
        self
    }

    /// So many calls at a steady rate.
    #[must_use]
    pub fn constant(calls: u64, rate: f64) -> Self {
        let phase = Phase {
            shape: Shape::Constant { rate },
            lasts: Duration::MAX,
        };
        Self::new([phase], 0).at_most(calls)
    }

    /// When the next call is to begin.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.next
    }

    /// Whether no call is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.next.is_none()
    }

    /// Takes the next call if it is due after this time.
    pub fn take(&mut self, elapsed: Duration) -> Option<Duration> {
        let due = self.next.filter(|due| *due <= elapsed)?;
        self.left -= 1;
        self.next = if self.left == 0 { None } else { self.compute() };
        Some(due)
    }

    /// No further call.
    pub fn stop(&mut self) {
        self.next = None;
        self.left = 0;
        self.phases.clear();
    }

    fn compute(&mut self) -> Option<Duration> {
        loop {
            let phase = *self.phases.front()?;
            let offset = match phase.shape {
                Shape::Constant { rate } => seconds(to_f64(self.given) / rate),
                Shape::Poisson { rate } => {
                    self.last = self.last.saturating_add(seconds(-self.unit().ln() / rate));
                    self.last
                }
                Shape::Burst { calls, every } => {
                    let burst = self.given.checked_div(calls).unwrap_or(u64::MAX);
                    seconds(every.as_secs_f64() * to_f64(burst))
                }
                Shape::Pause => Duration::MAX,
            };
            if offset < phase.lasts {
                self.given += 1;
                return Some(self.began.saturating_add(offset));
            }
            self.began = self.began.saturating_add(phase.lasts);
            self.phases.pop_front();
            (self.given, self.last) = (0, Duration::ZERO);
        }
    }

    /// More than 0, at most 1.
    fn unit(&mut self) -> f64 {
        const STEPS: u64 = 1 << 52;
        to_f64(self.random.below(STEPS) + 1) / to_f64(STEPS)
    }
}

/// Seconds as a time; what cannot be one is never.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Counts of calls are far below what stays exact.
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn all(mut arrivals: Arrivals) -> Vec<Duration> {
        std::iter::from_fn(|| arrivals.take(Duration::MAX)).collect()
    }

    fn phase(shape: Shape, ms: u32) -> Phase {
        Phase {
            shape,
            lasts: MS * ms,
        }
    }

    #[test]
    fn phases_follow_each_other() {
        let phases = [
            phase(Shape::Constant { rate: 200.0 }, 20),
            phase(Shape::Pause, 30),
            phase(
                Shape::Burst {
                    calls: 2,
                    every: MS * 10,
                },
                15,
            ),
            phase(Shape::Constant { rate: 0.0 }, 10),
        ];
        let times: Vec<u128> = all(Arrivals::new(phases, 1))
            .iter()
            .map(Duration::as_millis)
            .collect();
        assert_eq!(times, [0, 5, 10, 15, 50, 50, 60, 60]);
    }

    #[test]
    fn calls_are_taken_when_they_are_due() {
        let mut arrivals = Arrivals::constant(3, 100.0);
        assert_eq!(arrivals.take(MS * 5), Some(Duration::ZERO));
        assert_eq!(arrivals.take(MS * 5), None);
        assert_eq!(arrivals.next_due(), Some(MS * 10));
        assert_eq!(arrivals.take(MS * 25), Some(MS * 10));
        assert_eq!(arrivals.take(MS * 25), Some(MS * 20));
        assert!(arrivals.is_over());
        assert_eq!(arrivals.take(Duration::MAX), None);
        let mut stopped = Arrivals::constant(3, 100.0);
        stopped.stop();
        assert!(stopped.is_over());
        assert!(Arrivals::constant(0, 1.0).is_over());
    }

    #[test]
    fn chance_has_its_rate_and_its_seed() {
        let shape = Shape::Poisson { rate: 1000.0 };
        let times = all(Arrivals::new([phase(shape, 10_000)], 7));
        assert!((9_700..10_300).contains(&times.len()), "{}", times.len());
        assert!(times.is_sorted());
        assert_eq!(times, all(Arrivals::new([phase(shape, 10_000)], 7)));
        assert_ne!(times, all(Arrivals::new([phase(shape, 10_000)], 8)));
        // Of exponential gaps 63 in a hundred are shorter than the mean.
        let gaps = times
            .windows(2)
            .filter(|pair| pair[1] - pair[0] < MS)
            .count();
        assert!(
            (6_000..6_600).contains(&(gaps * 10_000 / times.len())),
            "{gaps}"
        );
    }
}
