//! Limits that are hit are told in the log once in a while, with how often. The workers only count;
//! nothing here is on the way of a call.

use crate::shell::view::View;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tracing::warn;

/// How often limits that were hit are told.
const INTERVAL: Duration = Duration::from_secs(10);

/// Counters that grow when somebody wants more than a limit allows, or more than there is.
const LIMITS: [&str; 9] = [
    "accepts_paused",
    "connections_reclaimed",
    "connections_refused",
    "datagrams_dropped_at_sending",
    "datagrams_dropped_by_kernel",
    "dropped_limit",
    "dropped_overload",
    "dropped_ring_full",
    "refused_overload",
];

/// What was seen last.
#[derive(Default)]
pub(super) struct Watch {
    limits: BTreeMap<&'static str, u64>,
    told_at: Option<Instant>,
}

impl Watch {
    /// Looks, and says what is new.
    pub(super) fn look(&mut self, view: &View, now: Instant) {
        if self
            .told_at
            .is_none_or(|at| now.saturating_duration_since(at) >= INTERVAL)
        {
            self.told_at = Some(now);
            self.look_at_limits(view);
        }
    }

    fn look_at_limits(&mut self, view: &View) {
        let figures = || view.figures.iter();
        let core = figures().flat_map(|figures| figures.core.each());
        let shell = figures().flat_map(|figures| figures.shell.each());
        let mut sums = BTreeMap::new();
        for (name, count) in core.chain(shell).filter(|(name, _)| LIMITS.contains(name)) {
            *sums.entry(name).or_default() += count;
        }
        for (limit, sum) in &sums {
            let before = self.limits.get(limit).copied().unwrap_or_default();
            if *sum > before {
                let (times, seconds) = (sum - before, INTERVAL.as_secs());
                warn!(limit, times, seconds, "a limit was hit");
            }
        }
        self.limits = sums;
    }
}
