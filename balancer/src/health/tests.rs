//! The table of TRUNK.md sections 3 and 4, pair by pair.

use super::*;
use std::time::Duration;

fn rules() -> Rules {
    Rules::new(&HealthSettings::default())
}

fn fresh() -> Health {
    Health::new(Operator::Ready)
}

/// Puts events in, each at its time in milliseconds.
fn run(start: Health, rules: &Rules, events: &[(u64, Event)]) -> Health {
    events.iter().fold(start, |health, (now, event)| {
        let after = health.after(*event, *now, rules);
        assert_eq!(Health::from_bits(after.to_bits()), after);
        let is_plain = after.state == State::Active
            && after.operator == Operator::Ready
            && after.strength(*now, rules) == 1_024;
        let bound = Health::plain_bound(*now);
        assert_eq!(Health::is_plain(after.to_bits(), bound), is_plain);
        let reported = after.with_report(true);
        assert!(!Health::is_plain(reported.to_bits(), bound));
        assert_eq!(Health::from_bits(reported.to_bits()), reported);
        assert!(reported.after(*event, *now, rules).is_reported);
        after
    })
}

#[test]
fn one_hard_failure_takes_a_peer_out() {
    let failed = run(fresh(), &rules(), &[(10, Event::Hard)]);
    assert_eq!(failed.state, State::Failed);
    assert!(!failed.is_well(u64::from(u32::MAX)));
}

#[test]
fn three_soft_failures_in_a_row_do_too() {
    use Event::{Good, ProbeBad, ProbeGood, Soft};
    let well = [(1, Soft), (2, ProbeBad), (3, Good), (4, Soft), (5, Soft)];
    let well = run(fresh(), &rules(), &well);
    assert_eq!(well.state, State::Active);
    let probed = run(well, &rules(), &[(6, ProbeGood), (7, Soft), (8, Soft)]);
    assert_eq!(probed.state, State::Active);
    assert_eq!(run(probed, &rules(), &[(9, ProbeBad)]).state, State::Failed);
}

#[test]
fn back_after_two_good_probes_and_the_hold_down() {
    use Event::{Hard, ProbeGood};
    let checking = run(fresh(), &rules(), &[(0, Hard), (1_000, ProbeGood)]);
    assert_eq!(checking.state, State::Checking);
    assert!(!checking.is_well(1_000));
    let still = run(
        checking,
        &rules(),
        &[(2_000, ProbeGood), (5_999, ProbeGood)],
    );
    assert_eq!(still.state, State::Checking);
    let back = run(still, &rules(), &[(6_000, ProbeGood)]);
    assert_eq!(back.state, State::Active);
    // Long well, but seen well only once more: the second probe is what counts.
    let late = run(checking, &rules(), &[(60_000, ProbeGood)]);
    assert_eq!(late.state, State::Active);
    assert_eq!(back.strength(6_000, &rules()), 0);
    assert_eq!(back.strength(11_000, &rules()), 512);
    assert_eq!(back.strength(16_000, &rules()), 1_024);
}

#[test]
fn who_flaps_waits_longer() {
    use Event::{Hard, ProbeBad, ProbeGood};
    let rules = rules();
    let mut health = run(fresh(), &rules, &[(0, Hard)]);
    let mut waits = vec![health.probe_interval(&rules)];
    for now in 1..40 {
        health = run(health, &rules, &[(now, ProbeBad)]);
        waits.push(health.probe_interval(&rules));
    }
    assert_eq!(
        waits[..7],
        [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
    );
    assert!(waits[7..].iter().all(|wait| *wait == 30_000));
    let checking = run(health, &rules, &[(50, ProbeGood)]);
    assert_eq!(checking.probe_interval(&rules), 1_000);
    let again = run(checking, &rules, &[(51, ProbeBad)]);
    assert_eq!(
        (again.state, again.probe_interval(&rules)),
        (State::Failed, 30_000)
    );
}

#[test]
fn a_pause_is_over_by_itself() {
    use Event::{Good, Hard, Pause, ProbeGood};
    let rules = rules();
    let paused = run(
        fresh(),
        &rules,
        &[(0, Pause(5_000)), (1, Good), (2, ProbeGood)],
    );
    assert_eq!(paused.state, State::Paused);
    assert!(!paused.is_well(4_999) && paused.is_well(5_000));
    let shorter = run(paused, &rules, &[(10, Pause(100))]);
    assert!(
        !shorter.is_well(4_999),
        "a pause is not cut short by a second one"
    );
    let long = run(paused, &rules, &[(10, Pause(u64::MAX / 2))]);
    assert!(long.is_well(300_010), "a pause has a maximum");
    assert_eq!(run(paused, &rules, &[(10, Hard)]).state, State::Failed);
    assert_eq!(run(paused, &rules, &[(5_000, Good)]).state, State::Active);
}

#[test]
fn without_probes_a_call_tries_a_failed_peer_after_a_time() {
    use Event::{Good, Hard};
    let rules = Rules::new(&HealthSettings {
        probe: false,
        ..HealthSettings::default()
    });
    let failed = run(fresh(), &rules, &[(0, Hard), (1, Hard), (2, Good)]);
    assert_eq!(failed.state, State::Failed);
    assert!(!failed.is_well(999) && failed.is_well(1_000));
    let again = run(failed, &rules, &[(1_000, Hard)]);
    assert!(!again.is_well(2_999) && again.is_well(3_000));
    assert_eq!(run(again, &rules, &[(3_000, Good)]).state, State::Active);
}

#[test]
fn without_probes_a_failed_peer_that_a_call_tries_may_ask_for_a_pause() {
    use Event::{Good, Hard, Pause};
    let rules = Rules::new(&HealthSettings {
        probe: false,
        ..HealthSettings::default()
    });
    let failed = run(fresh(), &rules, &[(0, Hard)]);
    // Of a call that was under way before it failed: that says nothing new.
    let early = run(failed, &rules, &[(500, Pause(60_000))]);
    assert_eq!(early, failed);
    let paused = run(failed, &rules, &[(1_000, Pause(60_000))]);
    assert_eq!(paused.state, State::Paused);
    assert!(!paused.is_well(60_999) && paused.is_well(61_000));
    assert_eq!(run(paused, &rules, &[(61_000, Good)]).state, State::Active);
    // With probes it is they who decide.
    let probing = Rules::new(&HealthSettings::default());
    let failed = run(fresh(), &probing, &[(0, Hard)]);
    let asked = run(failed, &probing, &[(1_000, Pause(60_000))]);
    assert_eq!(asked.state, State::Failed);
}

#[test]
fn new_rules_leave_no_peer_stuck() {
    use Event::{Hard, ProbeGood};
    let probing = rules();
    let silent = Rules::new(&HealthSettings {
        probe: false,
        ..HealthSettings::default()
    });
    let failed = run(fresh(), &probing, &[(0, Hard)]);
    assert!(failed.under(100, &silent).is_well(1_100));
    assert!(
        !failed
            .under(100, &silent)
            .under(100, &probing)
            .is_well(1_100)
    );
    let checking = run(failed, &probing, &[(0, ProbeGood)]);
    assert_eq!(checking.under(9, &silent).state, State::Active);
    assert_eq!(checking.under(9, &probing), checking);
}

#[test]
fn back_off_never_wraps() {
    let rules = Rules::new(&HealthSettings {
        back_off: [Duration::from_millis(u64::MAX), Duration::from_secs(9)],
        ..HealthSettings::default()
    });
    for doublings in 0..=COUNT_MAX {
        assert_eq!(rules.back_off(doublings), 9_000);
    }
}

#[test]
fn probes_confirm_that_a_failed_peer_is_dead() {
    use Event::{Hard, ProbeBad, ProbeGood};
    let rules = rules();
    let silent = run(fresh(), &rules, &[(0, Hard), (1_000, ProbeBad)]);
    let silent = run(silent, &rules, &[(3_000, ProbeBad), (7_000, ProbeBad)]);
    assert!(!silent.is_dead(&rules), "a network may be slow for a while");
    let dead = run(silent, &rules, &[(15_000, ProbeBad)]);
    assert!(dead.is_dead(&rules));
    let checking = run(dead, &rules, &[(20_000, ProbeGood)]);
    assert!(!checking.is_dead(&rules));
    // It answered meanwhile: one bad probe says no more than it did at first.
    let mut again = run(checking, &rules, &[(21_000, ProbeBad)]);
    for now in 0..4 {
        assert!(
            !again.is_dead(&rules),
            "{now} bad probes since it failed again"
        );
        again = run(again, &rules, &[(51_000 + now * 30_000, ProbeBad)]);
    }
    assert!(again.is_dead(&rules));
    let unprobed = Rules::new(&HealthSettings {
        probe: false,
        ..HealthSettings::default()
    });
    assert!(
        !dead.under(20_000, &unprobed).is_dead(&unprobed),
        "nobody asks it"
    );
}
