//! The worlds of every `cargo test`: 256 seeds, and that a seed replays exactly.

#![expect(clippy::panic, reason = "a finding fails the test, with its ladder")]

use sim::scenario::Scenario;
use sim::sweep;
use sim::world::{Figures, Watch, World};

/// Split, so that the test runner may use more than one core.
fn quarter(number: u64) {
    for seed in number * 64..(number + 1) * 64 {
        if let Err(finding) = sweep::run(seed) {
            panic!("{finding}");
        }
    }
}

#[test]
fn nothing_is_found_in_the_first_quarter() {
    quarter(0);
}

#[test]
fn nothing_is_found_in_the_second_quarter() {
    quarter(1);
}

#[test]
fn nothing_is_found_in_the_third_quarter() {
    quarter(2);
}

#[test]
fn nothing_is_found_in_the_fourth_quarter() {
    quarter(3);
}

fn replayed(seed: u64) -> (String, Figures) {
    let watch = Watch {
        messages: true,
        ..Watch::default()
    };
    let mut world = World::new(Scenario::of(seed), watch);
    match world.run() {
        Ok(figures) => (world.ladder(None), figures),
        Err(finding) => panic!("{finding}"),
    }
}

#[test]
fn a_seed_replays_byte_for_byte() {
    for seed in 0..24 {
        let (ladder, figures) = replayed(seed);
        let (ladder_again, figures_again) = replayed(seed);
        assert_eq!((&ladder, figures), (&ladder_again, figures_again));
        assert!(ladder.contains("INVITE sip:"), "the ladder shows messages");
        // Watching changes nothing.
        let unwatched = World::new(Scenario::of(seed), Watch::default()).run();
        assert_eq!(unwatched.ok(), Some(figures));
    }
    assert_ne!(replayed(1).1.fingerprint, replayed(2).1.fingerprint);
}
