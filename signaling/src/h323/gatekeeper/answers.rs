//! What was answered lately: who repeats a request gets the same bytes (H.225.0 §7.1).

use siphasher::sip::SipHasher13;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(10);

/// What a repetition has in common with the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey {
    pub(crate) source: SocketAddr,
    pub(crate) sequence_number: u32,
    /// The number of the alternative.
    pub(crate) kind: u8,
}

/// A table of fixed size; an answer that falls where another one is takes its place.
#[derive(Debug)]
pub(crate) struct Answers {
    places: Vec<Option<Answer>>,
    seed: u64,
}

#[derive(Debug)]
struct Answer {
    key: RequestKey,
    at: Instant,
    octets: Vec<u8>,
}

impl Answers {
    pub(crate) fn new(places: usize, seed: u64) -> Self {
        let places = std::iter::repeat_with(|| None).take(places.max(1));
        Self {
            places: places.collect(),
            seed,
        }
    }

    /// What was answered to this request.
    pub(crate) fn find(&self, key: &RequestKey, now: Instant) -> Option<&[u8]> {
        let answer = self.places.get(self.place(key))?.as_ref()?;
        let is_fresh = now.saturating_duration_since(answer.at) < KEPT;
        (answer.key == *key && is_fresh).then_some(&answer.octets)
    }

    /// Keeps an answer, in the room of the one that was there.
    pub(crate) fn keep(&mut self, key: RequestKey, octets: &[u8], now: Instant) {
        let place = self.place(&key);
        let Some(slot) = self.places.get_mut(place) else {
            return;
        };
        let mut kept = slot.take().map(|answer| answer.octets).unwrap_or_default();
        kept.clear();
        kept.extend_from_slice(octets);
        *slot = Some(Answer {
            key,
            at: now,
            octets: kept,
        });
    }

    fn place(&self, key: &RequestKey) -> usize {
        let mut hasher = SipHasher13::new_with_keys(self.seed, 0);
        key.hash(&mut hasher);
        let count = u64::try_from(self.places.len()).unwrap_or(1);
        usize::try_from(hasher.finish() % count).unwrap_or(0)
    }
}
