//! Worlds of members: 256 seeds in every `cargo test`, and bugs on purpose that must be found.

#![expect(clippy::panic, reason = "a finding fails the test")]

use sim::members::{Sabotage, run};

/// Split, so that the test runner may use more than one core.
fn half(seeds: std::ops::Range<u64>) {
    let (mut admitted, mut refused, mut beyond, mut attacks) = (0, 0, 0, 0);
    for seed in seeds {
        match run(seed, None) {
            Ok(figures) => {
                admitted += figures.admitted;
                refused += figures.refused;
                attacks += figures.attacks;
                beyond = figures.beyond_kbps.max(beyond);
            }
            Err(finding) => panic!("{finding}"),
        }
    }
    assert!(admitted > 5_000 && refused > 5_000, "{admitted}, {refused}");
    assert!(attacks > 500, "{attacks}");
    assert!(beyond > 0, "limits are tried");
}

#[test]
fn nothing_is_found_in_the_first_half() {
    half(0..128);
}

#[test]
fn nothing_is_found_in_the_second_half() {
    half(128..256);
}

#[test]
fn each_bug_on_purpose_is_found() {
    for sabotage in [
        Sabotage::Deaf,
        Sabotage::NeverLess,
        Sabotage::Forgetful,
        Sabotage::Hasty,
        Sabotage::Late,
    ] {
        let found = (0..256).any(|seed| run(seed, Some(sabotage)).is_err());
        assert!(found, "{sabotage:?}");
    }
}

#[test]
fn a_seed_replays() {
    for seed in 0..8 {
        assert_eq!(run(seed, None).ok(), run(seed, None).ok());
    }
}
