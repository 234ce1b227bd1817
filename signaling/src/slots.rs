//! A slab whose keys carry a generation, so that a late key never finds the slot's next tenant.

/// Names one entry of [`Slots`] for as long as it lives, and nothing afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The position; at most 24 bits, so that it fits a token.
    pub slot: u32,
    /// Counts the tenants of the position.
    pub generation: u32,
}

struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

/// Entries by index; freed slots are used again, most recently freed first (their cache lines are
/// warm).
pub struct Slots<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    limit: usize,
    first_generation: u32,
}

/// The largest number of slots: tokens hold 24 bits of slot.
pub const SLOTS_MAX: usize = 1 << 24;

impl<T> Slots<T> {
    /// At most `limit` entries; generations start at `first_generation` (taken from the node's
    /// seed, so that two runs of a node do not make the same tokens).
    #[must_use]
    pub fn new(limit: usize, first_generation: u32) -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            limit: limit.min(SLOTS_MAX),
            first_generation,
        }
    }

    /// How many entries live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether nothing lives here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether one more entry fits.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.len() < self.limit
    }

    /// How many slots there are, with an entry or without.
    pub(crate) fn slots(&self) -> usize {
        self.entries.len()
    }

    /// The entry of a slot, if one lives there.
    pub(crate) fn at(&self, slot: u32) -> Option<(Key, &T)> {
        let entry = self.entries.get(slot as usize)?;
        let generation = entry.generation;
        let value = entry.value.as_ref()?;
        Some((Key { slot, generation }, value))
    }

    /// Another limit from now on. Entries beyond a lower one stay until they are removed.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(SLOTS_MAX);
    }

    /// Puts a value in; `None` when the table is full.
    pub fn insert(&mut self, value: T) -> Option<Key> {
        self.insert_with(|_| value)
    }

    /// Puts in a value that wants to know its own key; `None`, and nothing made, when the table is
    /// full.
    pub fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Option<Key> {
        if !self.has_room() {
            return None;
        }
        if let Some(slot) = self.free.pop() {
            let entry = self.entries.get_mut(slot as usize)?;
            debug_assert!(entry.value.is_none(), "a free slot has no tenant");
            let key = Key {
                slot,
                generation: entry.generation,
            };
            entry.value = Some(make(key));
            return Some(key);
        }
        let slot = u32::try_from(self.entries.len()).ok()?;
        let key = Key {
            slot,
            generation: self.first_generation,
        };
        self.entries.push(Entry {
            generation: key.generation,
            value: Some(make(key)),
        });
        Some(key)
    }

    /// The entry of `key`, if it still lives.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        let entry = self.entries.get(key.slot as usize)?;
        if entry.generation == key.generation {
            entry.value.as_ref()
        } else {
            None
        }
    }

    /// The entry of `key`, if it still lives, to change.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let entry = self.entries.get_mut(key.slot as usize)?;
        if entry.generation == key.generation {
            entry.value.as_mut()
        } else {
            None
        }
    }

    /// Takes the entry out and ends its generation.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.get_mut(key.slot as usize)?;
        if entry.generation != key.generation {
            return None;
        }
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(key.slot);
        Some(value)
    }

    /// The keys of all that lives, in slot order.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        let slots = self.entries.iter().zip(0u32..);
        slots
            .filter(|(entry, _)| entry.value.is_some())
            .map(|(entry, slot)| Key {
                slot,
                generation: entry.generation,
            })
    }

    /// All that lives, in slot order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|entry| entry.value.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_key_finds_nothing() {
        let mut slots = Slots::new(8, 7);
        let first = slots.insert("a").expect("room");
        assert_eq!(slots.remove(first), Some("a"));
        let second = slots.insert("b").expect("room");
        assert_eq!(first.slot, second.slot);
        assert_ne!(first, second);
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get(second), Some(&"b"));
    }

    #[test]
    fn a_lower_limit_lets_the_entries_be_and_no_more_in() {
        let mut slots = Slots::new(3, 0);
        let keys: Vec<Key> = (0..3).filter_map(|n| slots.insert(n)).collect();
        slots.set_limit(2);
        assert_eq!((slots.len(), slots.has_room()), (3, false));
        assert_eq!(slots.remove(keys[0]), Some(0));
        assert!(slots.insert(9).is_none(), "two are the limit now");
        assert_eq!(slots.remove(keys[1]), Some(1));
        assert!(slots.insert(9).is_some());
        slots.set_limit(9);
        assert!(slots.has_room());
    }

    #[test]
    fn the_limit_holds_and_room_comes_back() {
        let mut slots = Slots::new(2, 0);
        let a = slots.insert(1).expect("room");
        slots.insert(2).expect("room");
        assert!(!slots.has_room());
        assert_eq!(slots.insert(3), None);
        slots.remove(a);
        assert!(slots.has_room());
        assert_eq!(slots.len(), 1);
        assert!(slots.insert(3).is_some());
    }
}
