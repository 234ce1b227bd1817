//! Nonces: made without keeping anything, checked by a hash with the node's secret, and each count
//! taken once (RFC 7616 §3.3, §3.4).
//!
//! A nonce is 50 hexadecimal letters: the worker, the second and the number of its making, and a
//! check of 128 bits. What is kept is a window of counts for nonces that were used rightly, in a
//! table of fixed size; a nonce that lost its place there is stale, which costs the user agent one
//! more round and lets nobody in twice.

use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

const PAYLOAD_LETTERS: usize = 18;
const CHECK_OCTETS: usize = 16;
/// Letters of a nonce.
pub const LENGTH: usize = PAYLOAD_LETTERS + 2 * CHECK_OCTETS;
/// How long a nonce may be used.
const LIFE: Duration = Duration::from_secs(300);
/// Nonces in use at one time; a power of two.
const WINDOWS: usize = 4096;
/// How far back a count may come late: requests overtake each other over UDP.
const LATE_MAX: u32 = 64;

/// A nonce's text.
pub type Text = [u8; LENGTH];

/// What a nonce and its count are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Good, and taken now.
    Good,
    /// Of ours, but too old, forgotten, or this count was there before.
    Stale,
    /// Not of ours.
    Unknown,
}

/// The counts of one nonce that were used.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// Second and number of the nonce; 0 is nobody's.
    id: u64,
    highest: u32,
    /// Bit `n`: the count `highest - n` was used.
    used: u64,
}

/// The nonces of one worker.
pub struct Nonces {
    secret: [u64; 2],
    worker: u8,
    base: Instant,
    made: u32,
    windows: Vec<Window>,
}

impl Nonces {
    /// Nothing made and nothing used.
    #[must_use]
    pub fn new(secret: [u64; 2], worker: u8, now: Instant) -> Self {
        Self {
            secret,
            worker,
            base: now,
            made: 0,
            windows: Vec::new(),
        }
    }

    /// A new one.
    pub fn make(&mut self, now: Instant) -> Text {
        self.made = self.made.wrapping_add(1);
        let id = u64::from(self.second(now)) << 32 | u64::from(self.made);
        let mut text = [0; LENGTH];
        let mut octets = [0; LENGTH / 2];
        let payload = std::iter::once(self.worker).chain(id.to_be_bytes());
        let all = payload.chain(self.check(self.worker, id));
        for (place, octet) in octets.iter_mut().zip(all) {
            *place = octet;
        }
        for (pair, octet) in text.chunks_exact_mut(2).zip(octets) {
            for (letter, value) in pair.iter_mut().zip([octet >> 4, octet & 15]) {
                *letter = HEX.get(usize::from(value)).copied().unwrap_or(b'0');
            }
        }
        text
    }

    /// Whether a text is a nonce of ours that may be used now; takes nothing.
    #[must_use]
    pub fn look(&self, now: Instant, text: &[u8]) -> Worth {
        let Some((worker, id)) = self.read(text) else {
            return Worth::Unknown;
        };
        let made = u32::try_from(id >> 32).unwrap_or(0);
        let age = self.second(now).wrapping_sub(made);
        if worker != self.worker || u64::from(age) > LIFE.as_secs() {
            return Worth::Stale;
        }
        Worth::Good
    }

    /// Takes a count of a nonce, once.
    pub fn take(&mut self, now: Instant, text: &[u8], count: u32) -> Worth {
        let worth = self.look(now, text);
        let Some((_, id)) = self.read(text).filter(|_| worth == Worth::Good) else {
            return worth;
        };
        if self.windows.is_empty() {
            self.windows = vec![Window::default(); WINDOWS];
        }
        let place = usize::try_from(id).unwrap_or(0) & (WINDOWS - 1);
        let Some(window) = self.windows.get_mut(place) else {
            return Worth::Stale;
        };
        // A place only ever goes to a younger nonce, so the older one is not let in again.
        if window.id > id || count == 0 {
            return Worth::Stale;
        }
        if window.id < id {
            *window = Window {
                id,
                highest: count,
                used: 1,
            };
            return Worth::Good;
        }
        if count > window.highest {
            let step = count - window.highest;
            window.used = window.used.checked_shl(step).unwrap_or(0) | 1;
            window.highest = count;
            return Worth::Good;
        }
        let late = window.highest - count;
        let bit = 1_u64.checked_shl(late).unwrap_or(0);
        if late >= LATE_MAX || window.used & bit != 0 {
            return Worth::Stale;
        }
        window.used |= bit;
        Worth::Good
    }

    fn read(&self, text: &[u8]) -> Option<(u8, u64)> {
        if text.len() != LENGTH {
            return None;
        }
        let mut octets = [0; LENGTH / 2];
        for (octet, pair) in octets.iter_mut().zip(text.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *octet = value(*high)? << 4 | value(*low)?;
        }
        let (worker, rest) = octets.split_first()?;
        let (id, check) = rest.split_first_chunk::<8>()?;
        let id = u64::from_be_bytes(*id);
        let differences = self
            .check(*worker, id)
            .iter()
            .zip(check)
            .fold(0, |sum, (ours, theirs)| sum | (ours ^ theirs));
        (differences == 0).then_some((*worker, id))
    }

    fn check(&self, worker: u8, id: u64) -> [u8; CHECK_OCTETS] {
        let mut hash = Sha256::new();
        hash.update(b"nonce");
        for part in self.secret {
            hash.update(part.to_be_bytes());
        }
        hash.update([worker]);
        hash.update(id.to_be_bytes());
        let mut check = [0; CHECK_OCTETS];
        for (place, octet) in check.iter_mut().zip(hash.finalize()) {
            *place = octet;
        }
        check
    }

    fn second(&self, now: Instant) -> u32 {
        let seconds = now.saturating_duration_since(self.base).as_secs();
        u32::try_from(seconds & u64::from(u32::MAX)).unwrap_or(0)
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn value(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an instant to start from")]
        Instant::now()
    }

    #[test]
    fn ours_are_known_and_others_are_not() {
        let now = start();
        let mut nonces = Nonces::new([1, 2], 3, now);
        let text = nonces.make(now);
        assert_eq!(nonces.look(now, &text), Worth::Good);
        assert_ne!(text, nonces.make(now), "each is new");
        let other_run = Nonces::new([1, 3], 3, now);
        assert_eq!(other_run.look(now, &text), Worth::Unknown);
        let other_worker = Nonces::new([1, 2], 4, now);
        assert_eq!(other_worker.look(now, &text), Worth::Stale);
        for position in 0..LENGTH {
            let mut forged = text;
            forged[position] = if forged[position] == b'0' { b'1' } else { b'0' };
            assert_eq!(nonces.look(now, &forged), Worth::Unknown);
        }
        assert_eq!(nonces.look(now, b""), Worth::Unknown);
        assert_eq!(nonces.look(now, &text[1..]), Worth::Unknown);
    }

    #[test]
    fn a_nonce_grows_old() {
        let now = start();
        let mut nonces = Nonces::new([1, 2], 0, now);
        let text = nonces.make(now);
        assert_eq!(nonces.take(now + LIFE, &text, 1), Worth::Good);
        let late = now + LIFE + Duration::from_secs(1);
        assert_eq!(nonces.take(late, &text, 2), Worth::Stale);
    }

    #[test]
    fn each_count_is_good_once() {
        let now = start();
        let mut nonces = Nonces::new([1, 2], 0, now);
        let text = nonces.make(now);
        let mut take = |count| nonces.take(now, &text, count);
        assert_eq!(take(0), Worth::Stale, "counts begin with 1");
        assert_eq!(take(1), Worth::Good);
        assert_eq!(take(1), Worth::Stale);
        assert_eq!(take(3), Worth::Good);
        assert_eq!(take(2), Worth::Good, "late, and not yet there");
        assert_eq!(take(2), Worth::Stale);
        assert_eq!(take(100), Worth::Good);
        assert_eq!(take(36), Worth::Stale, "too late to be known");
        assert_eq!(take(37), Worth::Good);
        assert_eq!(take(u32::MAX), Worth::Good);
        assert_eq!(take(100), Worth::Stale);
    }

    #[test]
    fn whoever_loses_the_place_is_stale_for_good() {
        let now = start();
        let mut nonces = Nonces::new([1, 2], 0, now);
        let old = nonces.make(now);
        assert_eq!(nonces.take(now, &old, 1), Worth::Good);
        let mut young = old;
        for _ in 0..WINDOWS {
            young = nonces.make(now);
        }
        assert_eq!(nonces.take(now, &young, 1), Worth::Good);
        assert_eq!(nonces.take(now, &old, 1), Worth::Stale);
        assert_eq!(nonces.take(now, &old, 2), Worth::Stale);
    }

    proptest! {
        #[test]
        fn no_count_is_good_twice(counts in proptest::collection::vec(0u32..200, 0..100)) {
            let now = start();
            let mut nonces = Nonces::new([1, 2], 0, now);
            let text = nonces.make(now);
            let mut used = HashSet::new();
            for count in counts {
                if nonces.take(now, &text, count) == Worth::Good {
                    prop_assert!(used.insert(count));
                }
            }
        }
    }
}
