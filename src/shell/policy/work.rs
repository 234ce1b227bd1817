//! What is under way on one connection, and since when nothing is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Requests of one connection.
pub(super) struct Work {
    base: Instant,
    under_way: AtomicUsize,
    /// When one began or ended last, in milliseconds since `base`.
    last: AtomicU64,
}

/// One request; it ends when this goes.
pub(super) struct Begun(Arc<Work>);

// Relaxed throughout: the figures stand for themselves.
impl Work {
    pub(super) fn new() -> Self {
        Self {
            base: Instant::now(),
            under_way: AtomicUsize::new(0),
            last: AtomicU64::new(0),
        }
    }

    pub(super) fn begin(this: &Arc<Self>) -> Begun {
        this.under_way.fetch_add(1, Ordering::Relaxed);
        this.note();
        Begun(Arc::clone(this))
    }

    /// Waits until nothing was under way for so long.
    pub(super) async fn rests(&self, time: Duration) {
        loop {
            let until = self.last() + time;
            if Instant::now() < until {
                sleep_until(until).await;
            } else if self.under_way.load(Ordering::Relaxed) == 0 {
                return;
            } else {
                // What is under way has a deadline of its own.
                self.note();
            }
        }
    }

    fn last(&self) -> Instant {
        self.base + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    fn note(&self) {
        let now = self.base.elapsed().as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
        self.0.note();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_something_under_way_does_not_rest() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let work = Arc::new(Work::new());
            let time = Duration::from_millis(20);
            let begun = Work::begin(&work);
            let rest = tokio::time::timeout(4 * time, work.rests(time)).await;
            assert!(rest.is_err(), "a request is under way");
            drop(begun);
            work.rests(time).await;
        });
    }
}
