//! Whether a worker has more to do than it can, and which INVITEs it has refused for that.
//!
//! The owner tells how long messages waited before they were taken in. The rule is that of CoDel
//! (RFC 8289): a wait above the target is overload only when it lasts, since a burst is worked off
//! by itself; what waited in the kernel's queue is seen again and again as long as more comes than
//! goes. While it lasts, new INVITEs are refused as long as the wait is above the target, so that
//! what runs is served and the wait stays near the target (docs/decisions/0011-overload.md).

use crate::access::rates::{Bucket, Rate};
use std::ops::Range;
use std::time::{Duration, Instant};

/// When too much is too much, and what is said then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverloadSettings {
    /// The longest wait that is nobody's fault.
    pub wait_target: Duration,
    /// How long the wait must stay above the target to be overload.
    pub wait_interval: Duration,
    /// New INVITEs that this worker takes; 0 is no limit but its own load.
    pub invites: Rate,
    /// New INVITEs that it refuses; those beyond it are dropped. 0 is no limit.
    pub refusals: Rate,
    /// The shortest Retry-After, in seconds.
    pub retry_after_min: u32,
    /// The longest.
    pub retry_after_max: u32,
}

impl Default for OverloadSettings {
    fn default() -> Self {
        Self {
            wait_target: Duration::from_millis(20),
            wait_interval: Duration::from_millis(100),
            invites: Rate::UNLIMITED,
            refusals: Rate {
                per_second: 20_000,
                burst: 2_000,
            },
            retry_after_min: 5,
            retry_after_max: 14,
        }
    }
}

impl OverloadSettings {
    /// A Retry-After out of the range, from a number that is random for each request.
    pub(crate) fn retry_after(&self, random: u64) -> u32 {
        let spread = self.retry_after_max.saturating_sub(self.retry_after_min);
        let more = random % (u64::from(spread) + 1);
        self.retry_after_min + u32::try_from(more).unwrap_or(0)
    }
}

/// What a worker's load looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Messages do not wait, or only began to.
    Calm,
    /// New INVITEs are refused; there was need of it at that time, for the last time so far.
    Shedding(Instant),
}

/// What an INVITE meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// There is room.
    Free,
    /// It is refused.
    Refuse,
    /// More are refused than is worth the time: it is dropped.
    Drop,
}

/// How many intervals without need end the overload.
const CALM_INTERVALS: u32 = 10;
/// Which part of the interval a long wait must last to be overload while there is overload anyway.
const AGAIN: u32 = 4;
/// Refused INVITEs that are remembered, and those of them that share a place; powers of two.
const REFUSED: usize = 8192;
const SHARERS: usize = 4;
/// How long a refused INVITE may be repeated: 64*T1 with the usual T1.
const REPEATS: Duration = Duration::from_secs(32);

pub(crate) struct Overload {
    settings: OverloadSettings,
    state: State,
    /// Since when messages wait too long; none when the last one did not.
    long_since: Option<Instant>,
    is_needed: bool,
    taken: Bucket,
    refusals: Bucket,
    base: Instant,
    /// Keys of the INVITEs that were refused, each with the millisecond after `base`.
    refused: Vec<(u64, u32)>,
}

impl Overload {
    pub(crate) fn new(settings: OverloadSettings, now: Instant) -> Self {
        Self {
            settings,
            state: State::Calm,
            long_since: None,
            is_needed: false,
            taken: Bucket::full(settings.invites, 0),
            refusals: Bucket::full(settings.refusals, 0),
            base: now,
            refused: Vec::new(),
        }
    }

    /// The oldest message taken in now had waited so long; `has_lost`: others before it found no
    /// room to wait.
    pub(crate) fn observe(&mut self, now: Instant, waited: Duration, has_lost: bool) {
        let OverloadSettings {
            wait_target,
            wait_interval,
            ..
        } = self.settings;
        self.long_since = (waited > wait_target).then(|| self.long_since.unwrap_or(now));
        let patience = match self.state {
            State::Calm => wait_interval,
            // A short stall of the machine is not the overload come back.
            State::Shedding(_) => wait_interval / AGAIN,
        };
        let lasted = self
            .long_since
            .map(|since| now.saturating_duration_since(since));
        self.is_needed = has_lost || lasted.is_some_and(|lasted| lasted >= patience);
        let calm = wait_interval * CALM_INTERVALS;
        self.state = match self.state {
            State::Calm | State::Shedding(_) if self.is_needed => State::Shedding(now),
            State::Shedding(last) if now.saturating_duration_since(last) < calm => {
                State::Shedding(last)
            }
            State::Calm | State::Shedding(_) => State::Calm,
        };
    }

    /// Whether messages wait longer than they should, for longer than a burst.
    pub(crate) fn is_shedding(&self) -> bool {
        self.is_needed
    }

    /// Whether a new INVITE with this key is taken. A repeat of one that was refused is refused too.
    pub(crate) fn room(&mut self, now: Instant, key: u64) -> Room {
        let at = self.milliseconds(now);
        let (invites, refusals) = (self.settings.invites, self.settings.refusals);
        let is_refused =
            self.is_shedding() || self.was_refused(key, at) || !takes(&mut self.taken, invites, at);
        if !is_refused {
            return Room::Free;
        }
        if !takes(&mut self.refusals, refusals, at) {
            return Room::Drop;
        }
        self.remember(key, at);
        Room::Refuse
    }

    fn was_refused(&self, key: u64, at: u32) -> bool {
        let mut sharers = self.refused.get(place(key)).unwrap_or_default().iter();
        sharers.any(|(known, since)| {
            *known == key && u128::from(at.wrapping_sub(*since)) < REPEATS.as_millis()
        })
    }

    fn remember(&mut self, key: u64, at: u32) {
        // Taken once, when the first INVITE is refused: most workers never need it.
        if self.refused.is_empty() {
            self.refused = vec![(0, 0); REFUSED];
        }
        if self.was_refused(key, at) {
            return;
        }
        let sharers = self.refused.get_mut(place(key)).unwrap_or_default();
        // An empty one, else the oldest.
        let age = |(known, since): &(u64, u32)| (*known == 0, at.wrapping_sub(*since));
        if let Some(entry) = sharers.iter_mut().max_by_key(|entry| age(entry)) {
            *entry = (key, at);
        }
    }

    fn milliseconds(&self, now: Instant) -> u32 {
        let elapsed = now.saturating_duration_since(self.base).as_millis();
        u32::try_from(elapsed & u128::from(u32::MAX)).unwrap_or(0)
    }
}

fn takes(bucket: &mut Bucket, rate: Rate, at: u32) -> bool {
    rate.per_second == 0 || bucket.take(rate, at)
}

/// Where a key is kept, with those that share its place.
fn place(key: u64) -> Range<usize> {
    let first = usize::try_from(key >> 32).unwrap_or(0) % (REFUSED / SHARERS) * SHARERS;
    first..first + SHARERS
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: u64 = 20;

    struct Stage {
        overload: Overload,
        now: Instant,
    }

    impl Stage {
        fn new(settings: OverloadSettings) -> Self {
            #[expect(clippy::disallowed_methods, reason = "an instant to start from")]
            let now = Instant::now();
            Self {
                overload: Overload::new(settings, now),
                now,
            }
        }

        /// Observes this wait every millisecond for so long.
        fn waits(&mut self, waited: u64, millis: u64) {
            for _ in 0..millis {
                self.now += Duration::from_millis(1);
                let waited = Duration::from_millis(waited);
                self.overload.observe(self.now, waited, false);
            }
        }

        fn room(&mut self, key: u64) -> Room {
            self.overload.room(self.now, key << 32)
        }
    }

    #[test]
    fn a_burst_is_no_overload() {
        let mut stage = Stage::new(OverloadSettings::default());
        stage.waits(TARGET + 10, 90);
        assert_eq!(stage.room(1), Room::Free);
        stage.waits(TARGET, 1);
        stage.waits(TARGET + 10, 90);
        assert_eq!(stage.room(2), Room::Free, "the wait came down in between");
    }

    #[test]
    fn a_long_wait_that_lasts_is() {
        let mut stage = Stage::new(OverloadSettings::default());
        stage.waits(TARGET + 1, 102);
        assert_eq!(stage.room(1), Room::Refuse);
        stage.waits(TARGET, 1);
        assert_eq!(stage.room(2), Room::Free, "while the wait is short");
        stage.waits(TARGET + 1, 20);
        assert_eq!(stage.room(3), Room::Free, "a short stall");
        stage.waits(TARGET + 1, 10);
        assert_eq!(stage.room(4), Room::Refuse, "it is back, and sooner seen");
        stage.waits(0, 1100);
        stage.waits(TARGET + 1, 50);
        assert_eq!(stage.room(5), Room::Free, "after a second it is forgotten");
    }

    #[test]
    fn what_the_kernel_dropped_is_overload_at_once() {
        let mut stage = Stage::new(OverloadSettings::default());
        stage.overload.observe(stage.now, Duration::ZERO, true);
        assert_eq!(stage.room(1), Room::Refuse);
        stage.waits(0, 1);
        assert_eq!(stage.room(2), Room::Free);
    }

    #[test]
    fn too_many_refusals_cost_too_much() {
        let settings = OverloadSettings {
            refusals: Rate {
                per_second: 1000,
                burst: 3,
            },
            ..OverloadSettings::default()
        };
        let mut stage = Stage::new(settings);
        stage.waits(TARGET + 1, 102);
        let rooms: Vec<Room> = (1..=5).map(|key| stage.room(key)).collect();
        assert_eq!(rooms[..3], [Room::Refuse; 3]);
        assert_eq!(rooms[3..], [Room::Drop; 2]);
        stage.waits(TARGET + 1, 2);
        assert_eq!(stage.room(6), Room::Refuse);
    }

    #[test]
    fn a_repeat_of_what_was_refused_is_refused() {
        let mut stage = Stage::new(OverloadSettings::default());
        stage.waits(TARGET + 1, 102);
        assert_eq!(stage.room(1), Room::Refuse);
        stage.waits(0, 31_000);
        assert_eq!(stage.room(1), Room::Refuse);
        assert_eq!(stage.room(2), Room::Free);
        stage.waits(0, 1_500);
        assert_eq!(stage.room(1), Room::Free, "no repeat comes so late");
    }

    #[test]
    fn refused_invites_that_share_a_place_are_all_remembered() {
        let mut stage = Stage::new(OverloadSettings::default());
        stage.waits(TARGET + 1, 102);
        let sharers = || (0..SHARERS as u64).map(|number| 1 + number * REFUSED as u64);
        for key in sharers() {
            assert_eq!(stage.room(key), Room::Refuse);
        }
        stage.waits(0, 1_000);
        for key in sharers() {
            assert_eq!(stage.room(key), Room::Refuse, "{key}");
        }
        // One more pushes the oldest out.
        stage.waits(TARGET + 1, 102);
        assert_eq!(stage.room(1 + 9 * REFUSED as u64), Room::Refuse);
        stage.waits(0, 1_000);
        assert_eq!(stage.room(1), Room::Free);
    }

    #[test]
    fn a_configured_rate_holds() {
        let settings = OverloadSettings {
            invites: Rate {
                per_second: 100,
                burst: 10,
            },
            ..OverloadSettings::default()
        };
        let mut stage = Stage::new(settings);
        let free = |stage: &mut Stage, first: u64| {
            (first..first + 50)
                .filter(|key| stage.room(*key) == Room::Free)
                .count()
        };
        assert_eq!(free(&mut stage, 1), 10);
        stage.waits(0, 50);
        assert_eq!(free(&mut stage, 100), 5);
    }

    #[test]
    fn retry_after_lies_in_its_range() {
        let settings = OverloadSettings {
            retry_after_min: 3,
            retry_after_max: 5,
            ..OverloadSettings::default()
        };
        let all: Vec<u32> = (0..4).map(|random| settings.retry_after(random)).collect();
        assert_eq!(all, [3, 4, 5, 3]);
        let fixed = OverloadSettings {
            retry_after_min: 3,
            retry_after_max: 3,
            ..settings
        };
        assert_eq!(fixed.retry_after(u64::MAX), 3);
    }
}
