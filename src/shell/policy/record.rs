//! One line in the log for each decision; for scanners, who dial what nobody knows, so many a second
//! and no more.

use balancer::Snapshot;
use policy::{Decided, Outcome, Request};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// What was written and what was left out.
#[derive(Debug)]
pub(super) struct Record {
    base: Instant,
    /// The second since `base` (high half), and the lines about misses in it (low half).
    misses: AtomicU64,
    left_out: AtomicU64,
    /// The second of the last warning.
    warned: AtomicU64,
}

/// Lines about misses in one second.
const MISSES_MAX: u64 = 10;
/// Characters of an alias in the log.
const ALIAS_MAX: usize = 128;

impl Default for Record {
    fn default() -> Self {
        Self {
            base: Instant::now(),
            misses: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            warned: AtomicU64::new(0),
        }
    }
}

impl Record {
    pub(super) fn write(
        &self,
        balancer: &Snapshot<'_>,
        request: &Request<'_>,
        decided: &Decided<'_>,
        took: Duration,
    ) {
        if decided.outcome == Outcome::Missed && !self.may_miss(self.base.elapsed().as_secs()) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            info!(
                left_out,
                "policy: decisions for unknown aliases that are not written down"
            );
        }
        if let Some(rule) = decided.gave_up
            && self.may_warn(self.base.elapsed().as_secs())
        {
            warn!(
                rule,
                "a pattern took too many steps: a rule that rejects rejects then, any other does not fit"
            );
        }
        let peer = decided.peer.and_then(|peer| balancer.peer_name(peer));
        let alias: String = request.alias().chars().take(ALIAS_MAX).collect();
        info!(
            outcome = decided.outcome.as_str(),
            status = decided.status,
            kind = ?request.kind,
            ?alias,
            rule = decided.rule,
            peer,
            call = ?short(&request.global_serial),
            on_vcs = ?short(&request.local_serial),
            microseconds = took.as_micros(),
            "policy"
        );
    }

    /// Whether there was no warning in this second yet.
    fn may_warn(&self, second: u64) -> bool {
        // Seconds are counted from 1, so that the first one differs from none.
        self.warned.swap(second + 1, Ordering::Relaxed) != second + 1
    }

    /// Whether there is room for a line about a miss in this second.
    fn may_miss(&self, second: u64) -> bool {
        let next = |word: u64| {
            let written = if word >> 32 == second {
                word & u64::from(u32::MAX)
            } else {
                0
            };
            (written < MISSES_MAX).then_some((second << 32) | (written + 1))
        };
        self.misses
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .is_ok()
    }
}

/// A serial, or as much of what claims to be one.
fn short(serial: &str) -> &str {
    let mut ends = serial.char_indices().map(|(at, _)| at);
    ends.nth(40)
        .and_then(|end| serial.get(..end))
        .unwrap_or(serial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_are_few_in_each_second() {
        let record = Record::default();
        for second in [0, 1, 5] {
            let written = (0..50).filter(|_| record.may_miss(second)).count();
            assert_eq!(written, 10, "{second}");
        }
        let warned = [0, 0, 0, 7, 7].map(|second| record.may_warn(second));
        assert_eq!(warned, [true, false, false, true, false]);
        assert_eq!(short("094f761c"), "094f761c");
        assert_eq!(short(&"\u{e4}".repeat(90)).chars().count(), 40);
    }
}
