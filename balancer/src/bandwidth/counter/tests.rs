//! One counter by itself, and two that are taken together.

#[cfg(not(loom))]
#[test]
fn a_counter_never_goes_beyond_its_limit() {
    use super::{Counter, UNLIMITED};
    let counter = Counter::new(10);
    assert!(counter.take(10) && !counter.take(1) && counter.take(0));
    counter.set_limit(5);
    assert_eq!((counter.available(), counter.take(0)), (0, false));
    counter.give_back(6);
    assert_eq!((counter.available(), counter.take(1)), (1, true));
    counter.set_limit(UNLIMITED);
    counter.set_remote(u64::MAX);
    // What others say must not make numbers turn over.
    assert_eq!((counter.available(), counter.take(1)), (0, false));
    counter.set_remote(0);
    assert!(counter.take(u64::MAX - 5) && !counter.take(1));
}

/// Every order of the steps of two threads (`make loom`).
#[cfg(loom)]
mod model {
    use super::super::Counter;
    use loom::sync::Arc;
    use loom::thread;

    /// Both or none, in ascending order, as a path does.
    fn take(counters: &[Counter; 2], kbps: u64) -> bool {
        if !counters[0].take(kbps) {
            return false;
        }
        let taken = counters[1].take(kbps);
        if !taken {
            counters[0].give_back(kbps);
        }
        taken
    }

    #[test]
    fn two_never_take_more_than_there_is() {
        loom::model(|| {
            let counters = Arc::new([Counter::new(10), Counter::new(6)]);
            let threads = [4, 5].map(|kbps| {
                let counters = Arc::clone(&counters);
                thread::spawn(move || {
                    let taken = take(&counters, kbps);
                    assert!(counters[0].own() <= 10 && counters[1].own() <= 6);
                    if taken { kbps } else { 0 }
                })
            });
            let taken: u64 = threads.map(|thread| thread.join().unwrap()).iter().sum();
            assert!(taken <= 6);
            // Nothing is left of who was refused.
            assert_eq!((counters[0].own(), counters[1].own()), (taken, taken));
            if taken > 0 {
                counters.iter().for_each(|counter| counter.give_back(taken));
            }
            assert_eq!((counters[0].own(), counters[1].own()), (0, 0));
        });
    }

    #[test]
    fn what_others_use_is_not_given_away() {
        loom::model(|| {
            let counter = Arc::new(Counter::new(10));
            counter.set_remote(4);
            let other = Arc::clone(&counter);
            let thread = thread::spawn(move || other.take(4));
            let here = counter.take(4);
            let there = thread.join().unwrap();
            assert!(here ^ there);
            assert_eq!(counter.own(), 4);
        });
    }
}
