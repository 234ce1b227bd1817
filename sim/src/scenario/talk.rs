//! What the ends of calls ask each other while the calls are up: some of it at the same moment from both.

use super::{MS, Scenario, pick};
use loadtest::agent::{Act, ActKind, Acts, Random, Verdict};
use std::time::Duration;

/// Adds it to some worlds. The random numbers are of their own, so that everything else stays as it is.
pub(super) fn add(scenario: &mut Scenario) {
    let random = &mut Random::new(scenario.seed ^ 0x7a1c_7a1c_0000_0005);
    if !random.permille(450) {
        return;
    }
    for script in &mut scenario.calls {
        if script.behaviour.verdict != Verdict::Answer || random.permille(300) {
            continue;
        }
        let within = script.plan.hold.min(MS * 6000) + MS * 20;
        script.plan.acts = acts(random, within);
        script.behaviour.acts = acts(random, within);
        if random.permille(300) {
            // Both at the same moment, or nearly so.
            let kind = pick(random, &[ActKind::ReInvite, ActKind::Update]);
            let first = Act {
                after: random.up_to(within),
                kind,
            };
            let second = Act {
                after: first.after + random.up_to(MS * 30),
                kind: pick(random, &[ActKind::ReInvite, ActKind::Update]),
            };
            (script.plan.acts[0], script.behaviour.acts[0]) = (Some(first), Some(second));
        }
    }
}

fn acts(random: &mut Random, within: Duration) -> Acts {
    let mut acts = Acts::default();
    let count = random.below(acts.len() as u64 + 1);
    for (act, _) in acts.iter_mut().zip(0..count) {
        *act = Some(Act {
            after: random.up_to(within),
            kind: pick(random, &ActKind::ALL),
        });
    }
    acts
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The worlds of every `cargo test` hold each kind of request, from both ends.
    pub(in crate::scenario) fn assert_every_kind(scenarios: &[Scenario]) {
        let scripts: Vec<_> = scenarios.iter().flat_map(|world| &world.calls).collect();
        for kind in ActKind::ALL {
            let has = |acts: &Acts| acts.iter().flatten().any(|act| act.kind == kind);
            let callers = scripts.iter().filter(|script| has(&script.plan.acts));
            let peers = scripts.iter().filter(|script| has(&script.behaviour.acts));
            assert!(callers.count() >= 20 && peers.count() >= 20, "{kind:?}");
        }
    }
}
