//! A hashed timer wheel: all deadlines of one worker, each a doubly linked entry of a slot.
//!
//! Arming and cancelling cost a few nanoseconds and do not depend on how many timers run. A
//! deadline fires at the first [`Wheel::expire`] at or after it, rounded up to a tick; never
//! before. Timers of one tick fire in the order in which they were armed, so a run is reproducible.

use std::time::{Duration, Instant};

/// The granularity: RFC 3261's shortest timer is 500 ms.
pub const TICK: Duration = Duration::from_millis(10);
/// A power of two; one turn is 40.96 s, longer than 64*T1, so that protocol timers are touched
/// once.
const SLOTS: usize = 4096;
const WORDS: usize = SLOTS / 64;
/// The list of what has expired and was not yet taken.
const DUE: u32 = 4096;
const NONE: u32 = u32::MAX;

/// Names an armed timer until it is cancelled or taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerHandle(u32);

#[derive(Clone, Copy)]
struct Node<T> {
    payload: T,
    tick: u64,
    list: u32,
    previous: u32,
    next: u32,
}

#[derive(Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

/// The wheel; `T` says whose timer it is.
pub struct Wheel<T> {
    base: Instant,
    /// Every tick up to and including this one has been looked at.
    cursor: u64,
    nodes: Vec<Node<T>>,
    free: Vec<u32>,
    lists: Vec<List>,
    occupied: [u64; WORDS],
}

impl<T: Copy> Wheel<T> {
    /// An empty wheel that starts at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            base: now,
            cursor: 0,
            nodes: Vec::new(),
            free: Vec::new(),
            lists: vec![
                List {
                    head: NONE,
                    tail: NONE
                };
                SLOTS + 1
            ],
            occupied: [0; WORDS],
        }
    }

    /// How many timers are armed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Whether no timer is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Arms a timer. A deadline in the past fires at the next [`Wheel::expire`].
    pub fn arm(&mut self, deadline: Instant, payload: T) -> TimerHandle {
        let tick = self.tick_at_or_after(deadline).max(self.cursor + 1);
        let node = Node {
            payload,
            tick,
            list: NONE,
            previous: NONE,
            next: NONE,
        };
        let handle = if let Some(index) = self.free.pop() {
            *self.node(index) = node;
            index
        } else {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).expect("fewer than 2^32 timers")
        };
        self.link(handle, slot_of(tick));
        TimerHandle(handle)
    }

    /// Disarms a timer; the handle is dead afterwards.
    pub fn cancel(&mut self, handle: TimerHandle) {
        self.unlink(handle.0);
        self.free.push(handle.0);
    }

    /// Takes the next timer whose time has come; its handle is dead then. Call it until it returns
    /// `None`.
    pub fn expire(&mut self, now: Instant) -> Option<T> {
        self.advance(now);
        let head = self.list(DUE).head;
        if head == NONE {
            return None;
        }
        self.unlink(head);
        self.free.push(head);
        Some(self.node(head).payload)
    }

    /// When to call [`Wheel::expire`] again: not later than the first deadline.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.is_empty() {
            return None;
        }
        if self
            .lists
            .get(DUE as usize)
            .is_some_and(|list| list.head != NONE)
        {
            return Some(self.instant(self.cursor));
        }
        // A slot may hold only timers of a later turn: then the owner comes back early, once a
        // turn, and asks again.
        let first = slot_of(self.cursor + 1) as usize;
        (0..=WORDS)
            .find_map(|step| {
                let index = (first / 64 + step) % WORDS;
                let mut word = self.occupied.get(index).copied().unwrap_or(0);
                let low = !0u64 << (first % 64);
                if step == 0 {
                    word &= low;
                } else if step == WORDS {
                    word &= !low;
                }
                (word != 0).then(|| index * 64 + word.trailing_zeros() as usize)
            })
            .map(|slot| {
                let ahead = (slot + SLOTS - first) % SLOTS;
                self.instant(self.cursor + 1 + ahead as u64)
            })
    }

    /// Moves every timer up to `now` into the due list.
    fn advance(&mut self, now: Instant) {
        let target = now.saturating_duration_since(self.base).as_nanos() / TICK.as_nanos();
        let target = u64::try_from(target).unwrap_or(u64::MAX);
        if target <= self.cursor {
            return;
        }
        let visits = (target - self.cursor).min(SLOTS as u64);
        let mut tick = self.cursor;
        for _ in 0..visits {
            tick += 1;
            let slot = slot_of(tick);
            let word = self
                .occupied
                .get((slot / 64) as usize)
                .copied()
                .unwrap_or(0);
            if word & (1 << (slot % 64)) != 0 {
                self.collect(slot, target);
            }
        }
        self.cursor = target;
    }

    fn collect(&mut self, slot: u32, target: u64) {
        let mut index = self.list(slot).head;
        while index != NONE {
            let node = *self.node(index);
            if node.tick <= target {
                self.unlink(index);
                self.link(index, DUE);
            }
            index = node.next;
        }
    }

    fn link(&mut self, index: u32, list: u32) {
        let tail = self.list(list).tail;
        let node = self.node(index);
        node.list = list;
        node.previous = tail;
        node.next = NONE;
        if tail == NONE {
            self.list(list).head = index;
            if let Some(word) = self.occupied.get_mut((list / 64) as usize) {
                *word |= 1 << (list % 64);
            }
        } else {
            self.node(tail).next = index;
        }
        self.list(list).tail = index;
    }

    fn unlink(&mut self, index: u32) {
        let Node {
            list,
            previous,
            next,
            ..
        } = *self.node(index);
        debug_assert!(list != NONE, "a handle is cancelled or taken once");
        if previous == NONE {
            self.list(list).head = next;
        } else {
            self.node(previous).next = next;
        }
        if next == NONE {
            self.list(list).tail = previous;
        } else {
            self.node(next).previous = previous;
        }
        self.node(index).list = NONE;
        if self.list(list).head == NONE
            && let Some(word) = self.occupied.get_mut((list / 64) as usize)
        {
            *word &= !(1 << (list % 64));
        }
    }

    fn node(&mut self, index: u32) -> &mut Node<T> {
        self.nodes
            .get_mut(index as usize)
            .expect("links and handles name nodes")
    }

    fn list(&mut self, index: u32) -> &mut List {
        self.lists
            .get_mut(index as usize)
            .expect("a slot of the wheel, or DUE")
    }

    fn tick_at_or_after(&self, deadline: Instant) -> u64 {
        let ticks = deadline
            .saturating_duration_since(self.base)
            .as_nanos()
            .div_ceil(TICK.as_nanos());
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    fn instant(&self, tick: u64) -> Instant {
        let nanos = tick.saturating_mul(u64::try_from(TICK.as_nanos()).expect("10 ms"));
        self.base + Duration::from_nanos(nanos)
    }
}

fn slot_of(tick: u64) -> u32 {
    u32::try_from(tick % SLOTS as u64).expect("below SLOTS")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drain(wheel: &mut Wheel<u32>, now: Instant) -> Vec<u32> {
        std::iter::from_fn(|| wheel.expire(now)).collect()
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs one real instant to start from"
    )]
    fn fires_in_order_never_early_and_not_after_a_cancel() {
        let base = Instant::now();
        let mut wheel = Wheel::new(base);
        let at = |ms| base + Duration::from_millis(ms);
        wheel.arm(at(500), 1);
        let cancelled = wheel.arm(at(500), 2);
        wheel.arm(at(500), 3);
        wheel.arm(at(181_000), 4);
        wheel.cancel(cancelled);
        assert_eq!(wheel.next_deadline(), Some(at(500)));
        assert_eq!(drain(&mut wheel, at(499)), vec![]);
        assert_eq!(drain(&mut wheel, at(500)), vec![1, 3]);
        assert_eq!(drain(&mut wheel, at(180_999)), vec![]);
        assert_eq!(drain(&mut wheel, at(181_000)), vec![4]);
        assert!(wheel.is_empty());
        assert_eq!(wheel.next_deadline(), None);
    }

    proptest! {
        #[test]
        #[expect(clippy::disallowed_methods, reason = "a test needs one real instant to start from")]
        fn agrees_with_a_sorted_list(ops in prop::collection::vec((0u64..120_000, 0u64..3_000, any::<bool>()), 1..200)) {
            let base = Instant::now();
            let mut wheel = Wheel::new(base);
            let mut list: Vec<(u64, u32, TimerHandle)> = Vec::new();
            let mut now = 0u64;
            for (id, (delay, step, cancel)) in (0u32..).zip(ops) {
                let deadline = (now + delay).div_ceil(10) * 10;
                list.push((deadline, id, wheel.arm(base + Duration::from_millis(deadline), id)));
                if cancel && list.len() > 3 {
                    let (_, _, handle) = list.remove(list.len() / 2);
                    wheel.cancel(handle);
                }
                if let Some(next) = wheel.next_deadline() {
                    let earliest = list.iter().map(|t| t.0).min().expect("armed");
                    prop_assert!(next <= base + Duration::from_millis(earliest.max(now + 10)));
                }
                now += step;
                let mut fired: Vec<u32> = drain(&mut wheel, base + Duration::from_millis(now));
                // A deadline at the current tick counts for the next one: it was armed after that
                // tick was looked at.
                let (due, rest): (Vec<_>, Vec<_>) = list.into_iter().partition(|t| fired.contains(&t.1));
                prop_assert!(due.iter().all(|t| t.0 <= now));
                prop_assert!(rest.iter().all(|t| t.0 + 10 > now));
                fired.sort_unstable();
                fired.dedup();
                prop_assert_eq!(fired.len(), due.len());
                list = rest;
            }
            prop_assert_eq!(wheel.len(), list.len());
        }
    }
}
