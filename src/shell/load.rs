//! How long messages waited for a worker, as far as its sockets tell: the measure of its load.

use std::time::{Duration, Instant};

/// A pause between two turns after which the first one's waits say nothing of now.
const PAUSE: Duration = Duration::from_millis(20);

/// The waits of one worker.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// The longest wait of this turn's datagrams.
    oldest: Duration,
    /// Whether the kernel dropped others.
    has_lost: bool,
    /// When the last turn began and ended.
    last_turn: Option<(Instant, Instant)>,
}

impl Load {
    /// The oldest datagram of a batch had waited so long.
    pub(super) fn batch(&mut self, waited: Duration, has_lost: bool) {
        self.oldest = self.oldest.max(waited);
        self.has_lost |= has_lost;
    }

    /// A turn ends.
    pub(super) fn turn_ended(&mut self, start: Instant, end: Instant) {
        self.last_turn = Some((start, end));
    }

    /// A turn begins: how long the oldest message of the turn before had waited, or may have, and whether the kernel
    /// dropped datagrams. Streams do not tell; what was ready waited for that whole turn at most.
    pub(super) fn turn_begins(&mut self, now: Instant) -> (Duration, bool) {
        let oldest = std::mem::take(&mut self.oldest);
        let has_lost = std::mem::take(&mut self.has_lost);
        let waited = match self.last_turn {
            Some((start, end)) if now.saturating_duration_since(end) < PAUSE => {
                oldest.max(end.saturating_duration_since(start))
            }
            Some(_) | None => Duration::ZERO,
        };
        (waited, has_lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_longest_wait_of_a_turn_counts() {
        let start = Instant::now();
        let mut load = Load::default();
        assert_eq!(load.turn_begins(start), (Duration::ZERO, false));
        load.batch(30 * MS, false);
        load.batch(Duration::ZERO, true);
        // The turn itself was short, which hides nothing.
        load.turn_ended(start, start + MS);
        assert_eq!(load.turn_begins(start + MS), (30 * MS, true));
        load.turn_ended(start + MS, start + 6 * MS);
        assert_eq!(load.turn_begins(start + 6 * MS), (5 * MS, false));
    }

    #[test]
    fn a_pause_ends_what_waited_before() {
        let start = Instant::now();
        let mut load = Load::default();
        load.batch(30 * MS, false);
        load.turn_ended(start, start + MS);
        assert_eq!(load.turn_begins(start + 21 * MS), (Duration::ZERO, false));
    }
}
