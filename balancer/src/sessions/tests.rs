//! One thread, and a model of several.

#[cfg(not(loom))]
mod alone {
    use super::super::*;

    #[test]
    fn what_is_taken_is_reserved_until_confirmed_and_goes_back() {
        let counts = Counts::new();
        assert!(counts.take_if(2, |seen| seen.taken() + 2 <= 3));
        assert!(!counts.take_if(2, |seen| seen.taken() + 2 <= 3));
        assert_eq!((counts.seen().taken(), counts.seen().reserved()), (2, 2));
        counts.confirm(2);
        assert_eq!((counts.seen().taken(), counts.seen().reserved()), (2, 0));
        assert!(counts.take_if(1, |_| true));
        counts.give_back(1, true);
        counts.give_back(2, false);
        assert_eq!(counts.seen(), Seen(0));
    }

    #[test]
    fn a_choice_on_old_figures_takes_nothing() {
        let counts = Counts::new();
        let seen = counts.seen();
        assert!(counts.take_seen(seen, 1));
        assert!(!counts.take_seen(seen, 1));
        assert_eq!(counts.seen().taken(), 1);
        let full = Seen::of(u32::MAX, 0);
        assert!(!counts.take_seen(full, 1) && full.plus(1).is_none());
    }
}

/// Every order of the steps of two or three threads (`make loom`).
#[cfg(loom)]
mod model {
    use super::super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// What a choice does: read all, take of the one that has least, and else again.
    fn choose(peers: &[Counts; 2]) -> usize {
        loop {
            let seen = peers.each_ref().map(Counts::seen);
            let least = usize::from(seen[1].taken() < seen[0].taken());
            if peers[least].take_seen(seen[least], 1) {
                return least;
            }
        }
    }

    #[test]
    fn equal_peers_differ_by_one_at_most() {
        loom::model(|| {
            let peers = Arc::new([Counts::new(), Counts::new()]);
            let threads = [(); 2].map(|()| {
                let peers = Arc::clone(&peers);
                thread::spawn(move || {
                    choose(&peers);
                    choose(&peers);
                })
            });
            for thread in threads {
                thread.join().unwrap();
            }
            let taken = peers.each_ref().map(|peer| peer.seen().taken());
            assert_eq!(taken, [2, 2]);
        });
    }

    #[test]
    fn the_last_session_is_taken_once_and_goes_back() {
        loom::model(|| {
            let peer = Arc::new(Counts::new());
            let threads = [(); 2].map(|()| {
                let peer = Arc::clone(&peer);
                thread::spawn(move || {
                    let taken = peer.take_if(1, |seen| seen.taken() < 1);
                    assert!(peer.seen().taken() <= 1);
                    if taken {
                        peer.confirm(1);
                        peer.give_back(1, false);
                    }
                    taken
                })
            });
            let taken = threads.map(|thread| thread.join().unwrap());
            assert!(taken.contains(&true));
            assert_eq!(peer.seen(), Seen(0));
        });
    }

    #[test]
    fn confirming_and_giving_back_lose_nothing() {
        loom::model(|| {
            let peer = Arc::new(Counts::new());
            assert!(peer.take_if(2, |_| true));
            let other = Arc::clone(&peer);
            let thread = thread::spawn(move || {
                other.confirm(1);
                other.give_back(1, false);
            });
            let seen = peer.seen();
            let took = peer.take_seen(seen, 3);
            peer.give_back(1, true);
            thread.join().unwrap();
            let rest = if took { 3 } else { 0 };
            assert_eq!(peer.seen(), Seen::of(rest, rest));
        });
    }
}
