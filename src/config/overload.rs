//! `[overload]`: when a node has too much to do, and what it says then.

use super::section::Section;
use std::time::Duration;

/// When a node has too much to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overload {
    /// `wait_target_ms`: how long a message may wait to be taken in.
    pub wait_target: Duration,
    /// `wait_interval_ms`: how long messages must wait longer than that to be overload.
    pub wait_interval: Duration,
    /// `invites_per_second`: new calls in a second; 0 is no limit but the load.
    pub invites_per_second: u32,
    /// `invites_burst`: and at once.
    pub invites_burst: u32,
    /// `refusals_per_second`: new calls that are refused in a second; others are dropped.
    pub refusals_per_second: u32,
    /// `refusals_burst`: and at once.
    pub refusals_burst: u32,
    /// `retry_after_seconds_min`: the shortest Retry-After of a 503.
    pub retry_after_seconds_min: u32,
    /// `retry_after_seconds_max`: the longest.
    pub retry_after_seconds_max: u32,
}

pub(super) const KEYS: &[&str] = &[
    "wait_target_ms",
    "wait_interval_ms",
    "invites_per_second",
    "invites_burst",
    "refusals_per_second",
    "refusals_burst",
    "retry_after_seconds_min",
    "retry_after_seconds_max",
];

impl Default for Overload {
    fn default() -> Self {
        Self {
            wait_target: Duration::from_millis(20),
            wait_interval: Duration::from_millis(100),
            invites_per_second: 0,
            invites_burst: 1_000,
            refusals_per_second: 20_000,
            refusals_burst: 2_000,
            retry_after_seconds_min: 5,
            retry_after_seconds_max: 14,
        }
    }
}

impl Overload {
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Self {
        let default = Self::default();
        let overload = Self {
            wait_target: section.milliseconds("wait_target_ms", 1..=400, default.wait_target),
            wait_interval: section.milliseconds(
                "wait_interval_ms",
                1..=10_000,
                default.wait_interval,
            ),
            invites_per_second: section.number(
                "invites_per_second",
                0..=1_000_000,
                default.invites_per_second,
            ),
            invites_burst: section.number("invites_burst", 1..=1_000_000, default.invites_burst),
            refusals_per_second: section.number(
                "refusals_per_second",
                0..=1_000_000,
                default.refusals_per_second,
            ),
            refusals_burst: section.number("refusals_burst", 1..=1_000_000, default.refusals_burst),
            retry_after_seconds_min: section.number(
                "retry_after_seconds_min",
                1..=3_600,
                default.retry_after_seconds_min,
            ),
            retry_after_seconds_max: section.number(
                "retry_after_seconds_max",
                1..=3_600,
                default.retry_after_seconds_max,
            ),
        };
        let (least, most) = (
            overload.retry_after_seconds_min,
            overload.retry_after_seconds_max,
        );
        if least > most {
            let at = ["retry_after_seconds_min", "retry_after_seconds_max"]
                .into_iter()
                .find_map(|key| section.value(key));
            let at = at.map_or_else(|| section.at(), |value| value.span().start);
            let message = format!(
                "`retry_after_seconds_min` ({least}) is more than `retry_after_seconds_max` \
                 ({most}); write at most `retry_after_seconds_min = {most}`, or raise the other"
            );
            section.findings().add(at, message);
        }
        overload
    }
}
