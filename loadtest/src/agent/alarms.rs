//! The clocks of all calls of one agent: when each goes off, exactly, and which is next.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

/// Deadlines by call and clock. Each clock of a call is set to one time or to none.
#[derive(Debug)]
pub(super) struct Alarms<C> {
    queue: BTreeSet<(Instant, u64, C)>,
    set: HashMap<u64, Vec<(C, Instant)>>,
}

impl<C: Copy + Ord> Alarms<C> {
    pub(super) fn new() -> Self {
        Self {
            queue: BTreeSet::new(),
            set: HashMap::new(),
        }
    }

    /// Sets a clock, whatever it was set to before.
    pub(super) fn set(&mut self, call: u64, clock: C, at: Instant) {
        let clocks = self.set.entry(call).or_default();
        if let Some(entry) = clocks.iter_mut().find(|entry| entry.0 == clock) {
            self.queue.remove(&(entry.1, call, clock));
            entry.1 = at;
        } else {
            clocks.push((clock, at));
        }
        self.queue.insert((at, call, clock));
    }

    /// Stops a clock, if it runs.
    pub(super) fn clear(&mut self, call: u64, clock: C) {
        let Some(clocks) = self.set.get_mut(&call) else {
            return;
        };
        if let Some(place) = clocks.iter().position(|entry| entry.0 == clock) {
            let (_, at) = clocks.swap_remove(place);
            self.queue.remove(&(at, call, clock));
        }
        if clocks.is_empty() {
            self.set.remove(&call);
        }
    }

    /// Stops all clocks of a call.
    pub(super) fn clear_all(&mut self, call: u64) {
        for (clock, at) in self.set.remove(&call).unwrap_or_default() {
            self.queue.remove(&(at, call, clock));
        }
    }

    /// When the next clock goes off.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|first| first.0)
    }

    /// Takes one clock that has gone off.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(u64, C)> {
        let (at, call, clock) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.clear(call, clock);
        Some((call, clock))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_clock_has_one_time_and_goes_off_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut alarms = Alarms::new();
        alarms.set(1, 'a', at(10));
        alarms.set(1, 'a', at(30));
        alarms.set(1, 'b', at(20));
        alarms.set(2, 'a', at(5));
        alarms.clear(2, 'a');
        alarms.clear(2, 'z');
        assert_eq!(alarms.next(), Some(at(20)));
        assert_eq!(alarms.pop(at(19)), None);
        assert_eq!(alarms.pop(at(40)), Some((1, 'b')));
        assert_eq!(alarms.pop(at(40)), Some((1, 'a')));
        assert_eq!(alarms.pop(at(40)), None);
        assert!(alarms.is_empty() && alarms.set.is_empty());
    }

    #[test]
    fn clearing_a_call_leaves_the_others() {
        let start = Instant::now();
        let mut alarms = Alarms::new();
        alarms.set(1, 'a', start);
        alarms.set(1, 'b', start);
        alarms.set(2, 'a', start);
        alarms.clear_all(1);
        assert_eq!(alarms.pop(start), Some((2, 'a')));
        assert!(alarms.is_empty());
    }
}
