//! Whether the workers' loops turn: what `/livez` says.
//!
//! An idle worker sleeps until something comes. So each is woken once a second, and whoever has not
//! turned for long after that hangs.

use super::routes::Desk;
use super::watch::Watch;
use crate::shell::view::View;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often workers are woken.
const BEAT: Duration = Duration::from_secs(1);
/// Over how many beats calls are counted.
const BEATS: usize = 10;
/// How long a loop may not have turned.
const PATIENCE: Duration = Duration::from_secs(5);

/// When each worker was last seen to turn.
pub(super) struct Pulse {
    start: Instant,
    workers: Box<[Seen]>,
    /// Calls begun a second, as the bits of a number.
    begun_per_second: AtomicU64,
}

/// Written and read by the main thread alone; atomics because tasks may move between threads.
#[derive(Default)]
struct Seen {
    turns: AtomicU64,
    at_millis: AtomicU64,
}

impl Pulse {
    pub(super) fn new(workers: usize, now: Instant) -> Self {
        Self {
            start: now,
            workers: (0..workers).map(|_| Seen::default()).collect(),
            begun_per_second: AtomicU64::new(0),
        }
    }

    /// Wakes and watches the workers as long as the doors are open.
    pub(super) async fn keep(desk: Arc<Desk>) {
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut begun, mut watch) = (VecDeque::new(), Watch::default());
        loop {
            beats.tick().await;
            let now = Instant::now();
            desk.pulse.look(&desk.view, now);
            watch.look(&desk.view, now);
            desk.pulse.count(&mut begun, now, desk.view.calls_begun());
            desk.view.control.wake_all();
        }
    }

    /// Calls begun a second, over the last few seconds.
    pub(super) fn begun_per_second(&self) -> f64 {
        // Relaxed: see `hanging`.
        f64::from_bits(self.begun_per_second.load(Ordering::Relaxed))
    }

    fn count(&self, counts: &mut VecDeque<(Instant, u64)>, now: Instant, begun: u64) {
        counts.push_back((now, begun));
        if counts.len() > BEATS {
            counts.pop_front();
        }
        let Some((since, before)) = counts.front() else {
            return;
        };
        let seconds = now.saturating_duration_since(*since).as_secs_f64();
        let more = u32::try_from(begun - before).map_or(f64::MAX, f64::from);
        let rate = if seconds > 0.0 { more / seconds } else { 0.0 };
        // Relaxed: see `hanging`.
        self.begun_per_second
            .store(rate.to_bits(), Ordering::Relaxed);
    }

    /// The workers that hang, by number.
    pub(super) fn hanging(&self, view: &View, now: Instant) -> Vec<usize> {
        self.look(view, now);
        let now = self.millis(now);
        let patience = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
        let is_late = |seen: &Seen| {
            // Relaxed: a time to compare, which orders nothing.
            now.saturating_sub(seen.at_millis.load(Ordering::Relaxed)) > patience
        };
        let workers = self.workers.iter().enumerate();
        workers
            .filter(|(_, seen)| is_late(seen))
            .map(|(worker, _)| worker)
            .collect()
    }

    fn look(&self, view: &View, now: Instant) {
        let now = self.millis(now);
        for (seen, figures) in self.workers.iter().zip(&view.figures) {
            let turns = figures.shell.turns.value();
            // Relaxed: see `hanging`.
            if seen.turns.swap(turns, Ordering::Relaxed) != turns {
                seen.at_millis.store(now, Ordering::Relaxed);
            }
        }
    }

    fn millis(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
