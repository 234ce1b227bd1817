//! Calls that are up for minutes and keep session timers (RFC 4028) on one leg or on both: refreshed by the ends, by the node,
//! or by nobody.

use super::{Fate, MS, Scenario, pick};
use loadtest::agent::{Acts, Ending, MIN_SE, Random, Timed, Verdict};

/// Adds them to some worlds. The random numbers are of their own, so that everything else stays as it is.
pub(super) fn add(scenario: &mut Scenario) {
    let random = &mut Random::new(scenario.seed ^ 0x7143_d000_0000_0007);
    if !random.permille(150) {
        return;
    }
    for script in &mut scenario.calls {
        let is_plain = script.behaviour.verdict == Verdict::Answer
            && script.fate == Fate::Lives
            && matches!(
                script.plan.ending,
                Ending::CallerHangsUp | Ending::EitherHangsUp | Ending::PeerHangsUp
            );
        if !is_plain || random.permille(400) {
            continue;
        }
        let hold = MS * 100_000 + random.up_to(MS * 300_000);
        script.plan.hold = hold;
        (script.plan.acts, script.behaviour.acts) = (Acts::default(), Acts::default());
        let either = random.permille(700);
        let drawn = [timed(random), timed(random)];
        script.plan.timed = drawn[0].filter(|_| either || random.permille(500));
        script.behaviour.timed = drawn[1];
        let ends = [script.plan.timed, script.behaviour.timed];
        let is_forgotten = ends
            .iter()
            .flatten()
            .any(|end| end.refreshes && end.forgets);
        if is_forgotten {
            // The node hangs up, sooner or later than they would.
            script.plan.ending = Ending::EitherHangsUp;
        }
        if script.plan.ending != Ending::CallerHangsUp {
            script.behaviour.hang_up = Some(hold);
        }
    }
}

fn timed(random: &mut Random) -> Option<Timed> {
    let seconds = pick(random, &[MIN_SE, 120, 180, 1800]);
    let timed = Timed {
        seconds,
        refreshes: random.permille(500),
        takes_update: random.permille(500),
        forgets: random.permille(150),
    };
    random.permille(800).then_some(timed)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::time::Duration;

    /// The worlds of every `cargo test` hold each kind of refresh, at both ends.
    pub(in crate::scenario) fn assert_every_kind(scenarios: &[Scenario]) {
        let scripts: Vec<_> = scenarios.iter().flat_map(|world| &world.calls).collect();
        for is_caller in [false, true] {
            for (refreshes, other) in [(true, false), (true, true), (false, false), (false, true)] {
                let has = scripts.iter().filter(|script| {
                    let timed = if is_caller {
                        script.plan.timed
                    } else {
                        script.behaviour.timed
                    };
                    timed.is_some_and(|timed| {
                        let way = if refreshes {
                            timed.forgets
                        } else {
                            timed.takes_update
                        };
                        timed.refreshes == refreshes && way == other
                    }) && script.plan.hold > Duration::from_secs(100)
                });
                assert!(has.count() >= 5, "{is_caller} {refreshes} {other}");
            }
        }
    }
}
