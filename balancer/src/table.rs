//! A map from texts to values that many threads read and change without a lock.
//!
//! Parts of the map are immutable and each behind its own `ArcSwap`. A look-up loads one part and
//! searches it. A change makes the part anew and puts it in place if nobody was faster, and else
//! looks again: whatever [`Table::change`] was told of the value still holds when its answer takes
//! effect. Changes are for what is rare (a conference begins or ends), look-ups for every call.

use arc_swap::ArcSwap;
use siphasher::sip::SipHasher13;
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;

/// Values by text.
#[derive(Debug)]
pub(crate) struct Table<V> {
    parts: Box<[ArcSwap<Part<V>>]>,
    /// Texts come from the network: nobody else knows which part they are in.
    key: [u64; 2],
}

type Part<V> = BTreeMap<Arc<str>, V>;

/// What becomes of a value.
#[derive(Clone, Debug)]
pub(crate) enum Change<V> {
    Keep,
    Put(V),
    Remove,
}

/// Parts: a change copies one of them, so that with 100,000 values it copies some hundred.
const PARTS: usize = 1_024;

impl<V: Clone> Table<V> {
    pub(crate) fn new(seed: u64) -> Self {
        let part = || ArcSwap::from_pointee(Part::new());
        Self {
            parts: std::iter::repeat_with(part).take(PARTS).collect(),
            key: [seed, seed.rotate_left(32) ^ 0x6a09_e667_f3bc_c908],
        }
    }

    pub(crate) fn get(&self, text: &str) -> Option<V> {
        self.part(text)?.load().get(text).cloned()
    }

    /// Lets `decide` see the value and say what becomes of it. It may be asked several times; what
    /// it said last is what counts, and that was said of the value as it was until then.
    pub(crate) fn change(&self, text: &str, mut decide: impl FnMut(Option<&V>) -> Change<V>) {
        let Some(part) = self.part(text) else {
            return;
        };
        let mut current = part.load();
        loop {
            let next = match decide(current.get(text)) {
                Change::Keep => return,
                Change::Put(value) => {
                    let mut next = Part::clone(&current);
                    match next.get_mut(text) {
                        Some(place) => *place = value,
                        None => drop(next.insert(Arc::from(text), value)),
                    }
                    next
                }
                Change::Remove => {
                    let mut next = Part::clone(&current);
                    next.remove(text);
                    next
                }
            };
            let before = part.compare_and_swap(&*current, Arc::new(next));
            if Arc::ptr_eq(&before, &current) {
                return;
            }
            current = before;
        }
    }

    /// All values, in no order that means anything.
    pub(crate) fn values(&self) -> Vec<V> {
        let mut values = Vec::new();
        for part in &self.parts {
            values.extend(part.load().values().cloned());
        }
        values
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.load().len()).sum()
    }

    fn part(&self, text: &str) -> Option<&ArcSwap<Part<V>>> {
        let [first, second] = self.key;
        let mut hasher = SipHasher13::new_with_keys(first, second);
        hasher.write(text.as_bytes());
        let [low, high, ..] = hasher.finish().to_le_bytes();
        self.parts
            .get(usize::from(u16::from_le_bytes([low, high])) % PARTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_found_and_removed() {
        let table = Table::new(1);
        for number in 0..5_000u32 {
            table.change(&number.to_string(), |_| Change::Put(number));
        }
        assert_eq!((table.len(), table.get("4711")), (5_000, Some(4_711)));
        table.change("4711", |value| {
            assert_eq!(value, Some(&4_711));
            Change::Put(0)
        });
        assert_eq!(table.get("4711"), Some(0));
        table.change("17", |_| Change::Keep);
        table.change("4711", |_| Change::Remove);
        table.change("none", |_| Change::Remove);
        assert_eq!(
            (table.len(), table.get("4711"), table.get("none")),
            (4_999, None, None)
        );
        assert_eq!(table.values().iter().sum::<u32>(), 4_999 * 2_500 - 4_711);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test is about threads")]
    fn no_change_is_lost() {
        let table = Arc::new(Table::new(1));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let table = Arc::clone(&table);
                std::thread::spawn(move || {
                    for round in 0..2_000 {
                        let text = ["a", "b"][round % 2];
                        table.change(text, |sum| Change::Put(sum.copied().unwrap_or(0) + 1));
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        assert_eq!((table.get("a"), table.get("b")), (Some(4_000), Some(4_000)));
    }
}
