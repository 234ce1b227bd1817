//! `[timers]`: the times of RFC 3261.

use super::section::Section;
use std::time::Duration;

/// How long Baton waits and repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// `t1_ms`: the round-trip estimate (RFC 3261 §17.1.1.1); timers B, F and H are 64 times this.
    pub t1: Duration,
    /// `t2_ms`: the longest time between repetitions (§17.1.2.2).
    pub t2: Duration,
    /// `t4_ms`: how long a message may stay in the network (§17.1.2.2).
    pub t4: Duration,
    /// `ring_seconds`: how long a peer may ring (timer C, §16.6 step 11).
    pub ring_seconds_max: Duration,
    /// `ping_seconds`: how long a connection that we made may be quiet before a ping keeps it alive (RFC
    /// 5626 §4.4.1); zero for never.
    pub ping_seconds: Duration,
}

pub(super) const KEYS: &[&str] = &["t1_ms", "t2_ms", "t4_ms", "ring_seconds", "ping_seconds"];

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            ring_seconds_max: Duration::from_secs(181),
            ping_seconds: Duration::ZERO,
        }
    }
}

impl Timers {
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Self {
        let default = Self::default();
        let timers = Self {
            t1: section.milliseconds("t1_ms", 10..=10_000, default.t1),
            t2: section.milliseconds("t2_ms", 10..=60_000, default.t2),
            t4: section.milliseconds("t4_ms", 10..=60_000, default.t4),
            // §16.6 step 11 asks more than three minutes of a proxy. A back-to-back user agent may
            // give up earlier, as any caller may (§9.1), so less is allowed and more the default.
            ring_seconds_max: section.seconds("ring_seconds", 1..=3_600, default.ring_seconds_max),
            ping_seconds: section.seconds("ping_seconds", 0..=3_600, default.ping_seconds),
        };
        if timers.t1 > timers.t2 {
            let (t1, t2) = (timers.t1.as_millis(), timers.t2.as_millis());
            let at = ["t1_ms", "t2_ms"]
                .into_iter()
                .find_map(|key| section.value(key));
            let at = at.map_or_else(|| section.at(), |value| value.span().start);
            section.findings().add(
                at,
                format!(
                    "`t1_ms` ({t1}) is longer than `t2_ms` ({t2}), which bounds its doubling; \
                     write at most `t1_ms = {t2}`, or raise `t2_ms`"
                ),
            );
        }
        timers
    }
}
