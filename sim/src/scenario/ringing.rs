//! Peers that ring reliably, and callers that acknowledge it with PRACK (RFC 3262).

use super::Scenario;
use loadtest::agent::{Offer, Random};

/// Adds it to some worlds. The random numbers are of their own, so that everything else stays as it is.
pub(super) fn add(scenario: &mut Scenario) {
    let random = &mut Random::new(scenario.seed ^ 0x9ac4_0000_0000_0006);
    if !random.permille(350) {
        return;
    }
    for script in &mut scenario.calls {
        script.plan.takes_reliable = random.permille(700);
        let behaviours = script.first.iter_mut().chain([&mut script.behaviour]);
        for behaviour in behaviours {
            behaviour.rings_reliably = random.permille(700);
            // Else the PRACK would have to answer an offer.
            let may_offer = script.plan.offer == Offer::Early;
            behaviour.early_media &= may_offer || !behaviour.rings_reliably;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The worlds of every `cargo test` hold both, together and apart.
    pub(in crate::scenario) fn assert_every_kind(scenarios: &[Scenario]) {
        let scripts: Vec<_> = scenarios.iter().flat_map(|world| &world.calls).collect();
        for takes in [false, true] {
            for rings in [false, true] {
                let has = scripts.iter().filter(|script| {
                    let rings_so = script.behaviour.rings_reliably == rings;
                    script.plan.takes_reliable == takes
                        && rings_so
                        && script.behaviour.ringing.is_some()
                });
                assert!(has.count() >= 50, "takes: {takes}, rings: {rings}");
            }
        }
    }
}
