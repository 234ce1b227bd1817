//! Whether a worker waits a moment before a round, so that more datagrams share it.
//!
//! A round has a price of its own (a wake-up and three system calls), whatever it carries. While messages are dense the
//! worker sleeps a fixed moment and then takes all that came; while they are sparse it is woken by each one and nothing is
//! delayed. Timers of SIP count in hundreds of milliseconds and do not feel the moment.

use super::kernel::batch::BATCH;
use std::time::{Duration, Instant};

/// How long messages are counted before the next verdict.
const WINDOW: Duration = Duration::from_millis(4);
/// Messages expected in one moment that make it worth waiting.
const WORTH: u128 = 2;

/// Counts messages and says whether they are dense.
#[derive(Debug)]
pub(super) struct Gather {
    /// `None`: never wait.
    moment: Option<Duration>,
    window_start: Instant,
    messages: u32,
    dense: bool,
    /// Whether the last round could not take all that had come.
    full: bool,
}

impl Gather {
    pub(super) fn new(moment: Option<Duration>, now: Instant) -> Self {
        Self {
            moment,
            window_start: now,
            messages: 0,
            dense: false,
            full: false,
        }
    }

    /// Counts the messages of a round that woke at `now`.
    pub(super) fn count(&mut self, now: Instant, messages: usize) {
        let Some(moment) = self.moment else { return };
        self.full = messages >= BATCH;
        self.messages = self
            .messages
            .saturating_add(u32::try_from(messages).unwrap_or(u32::MAX));
        let window = now.saturating_duration_since(self.window_start);
        if window >= WINDOW {
            let expected = u128::from(self.messages) * moment.as_nanos() / window.as_nanos();
            self.dense = expected >= WORTH;
            self.window_start = now;
            self.messages = 0;
        }
    }

    /// How long to wait before the next round; `None` for not at all.
    pub(super) fn moment(&self) -> Option<Duration> {
        if self.dense && !self.full {
            self.moment
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_micros(250);

    fn after(rounds: u32, messages: usize, every: Duration) -> Option<Duration> {
        let start = Instant::now();
        let mut gather = Gather::new(Some(MOMENT), start);
        for round in 1..=rounds {
            gather.count(start + every * round, messages);
        }
        gather.moment()
    }

    #[test]
    fn waits_only_while_messages_are_dense() {
        assert_eq!(
            after(1000, 1, Duration::from_millis(1)),
            None,
            "1,000 a second"
        );
        assert_eq!(
            after(1000, 1, Duration::from_micros(70)),
            Some(MOMENT),
            "14,000 a second"
        );
        assert_eq!(
            after(100, 64, Duration::from_secs(1)),
            None,
            "a burst a second"
        );
    }

    #[test]
    fn stops_with_the_first_round_after_a_pause() {
        let start = Instant::now();
        let mut gather = Gather::new(Some(MOMENT), start);
        for round in 1..=100 {
            gather.count(start + Duration::from_micros(50) * round, 1);
        }
        assert_eq!(gather.moment(), Some(MOMENT));
        gather.count(start + Duration::from_millis(50), 1);
        assert_eq!(gather.moment(), None);
    }

    #[test]
    fn does_not_wait_while_more_is_there_than_a_round_takes() {
        let every = Duration::from_micros(500);
        assert_eq!(after(100, BATCH - 1, every), Some(MOMENT));
        assert_eq!(after(100, BATCH, every), None);
    }

    #[test]
    fn never_waits_when_told_so() {
        let start = Instant::now();
        let mut gather = Gather::new(None, start);
        gather.count(start + WINDOW, 100_000);
        assert_eq!(gather.moment(), None);
    }
}
