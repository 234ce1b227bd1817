//! TLS handshakes that are under way (RELIABILITY.md R13): so many and no more. When another one begins,
//! the oldest that is not done gives way: who means it is done in a moment.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// At one time.
pub(super) const HANDSHAKES_MAX: usize = 256;

/// Those under way, the oldest first; shared by all doors.
#[derive(Clone, Default)]
pub(super) struct Handshakes(Arc<Mutex<VecDeque<Arc<Notify>>>>);

/// One of them; over when this goes.
pub(super) struct UnderWay {
    all: Handshakes,
    given_way: Arc<Notify>,
}

impl Handshakes {
    /// One more, and whether another one had to give way.
    pub(super) fn begin(&self) -> (UnderWay, bool) {
        let given_way = Arc::new(Notify::new());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = if all.len() >= HANDSHAKES_MAX {
            all.pop_front()
        } else {
            None
        };
        all.push_back(Arc::clone(&given_way));
        drop(all);
        if let Some(oldest) = &oldest {
            oldest.notify_one();
        }
        let under_way = UnderWay {
            all: self.clone(),
            given_way,
        };
        (under_way, oldest.is_some())
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl UnderWay {
    /// Waits until this one has to give way.
    pub(super) async fn gives_way(&self) {
        self.given_way.notified().await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| !Arc::ptr_eq(other, &self.given_way));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way() {
        let all = Handshakes::default();
        let mut under_way: Vec<_> = (0..HANDSHAKES_MAX).map(|_| all.begin()).collect();
        assert!(under_way.iter().all(|(_, is_full)| !is_full));
        let (last, is_full) = all.begin();
        assert!(is_full);
        let (first, _) = under_way.remove(0);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(first.gives_way());
        drop(first);
        assert_eq!(all.count(), HANDSHAKES_MAX);
        drop((last, under_way));
        assert_eq!(all.count(), 0);
    }
}
