//! What is asked of the node beside calls: more than it can take for a while, and settings that change.

use super::{MS, Scenario, index, pick};
use loadtest::agent::Random;
use std::time::Duration;

/// Messages wait too long before they are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// From when on.
    pub from: Duration,
    /// Until when.
    pub until: Duration,
}

/// Other settings are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// When.
    pub at: Duration,
    /// The peer that is closed for new calls from then on; until the next one.
    pub closed: Option<usize>,
}

/// Adds it to some worlds. The random numbers are of their own, so that everything else stays as it is.
pub(super) fn add(scenario: &mut Scenario, last: Duration) {
    let random = &mut Random::new(scenario.seed ^ 0x5741_1a00_0000_0006);
    if random.permille(200) {
        let mut at = Duration::ZERO;
        for _ in 0..=random.below(3) {
            let from = at + random.up_to(last / 2 + MS * 50);
            let longest = pick(random, &[300, 2000, 20_000]);
            at = from + random.up_to(MS * longest);
            scenario.crowds.push(Crowd { from, until: at });
        }
        if scenario.drain_at.is_none() && random.permille(200) {
            scenario.drain_at = Some(random.up_to(last + MS));
        }
    }
    if random.permille(200) {
        let mut reloads: Vec<Reload> = (0..=random.below(5))
            .map(|_| Reload {
                at: random.up_to(last + MS * 200),
                closed: (random.permille(750)).then(|| index(random, scenario.peers.len())),
            })
            .collect();
        reloads.sort_by_key(|reload| reload.at);
        scenario.reloads = reloads;
    }
}

impl Scenario {
    /// How long messages wait at this time before they are taken in.
    #[must_use]
    pub fn wait(&self, at: Duration) -> Duration {
        let is_crowded = |crowd: &Crowd| (crowd.from..crowd.until).contains(&at);
        if self.crowds.iter().any(is_crowded) {
            MS * 50
        } else {
            Duration::ZERO
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The worlds of every `cargo test` hold each of this.
    pub(in crate::scenario) fn assert_every_kind(scenarios: &[Scenario]) {
        let worlds = |wanted: &dyn Fn(&Scenario) -> bool| {
            scenarios.iter().filter(|world| wanted(world)).count() >= 5
        };
        let is_crowded = |world: &Scenario| !world.crowds.is_empty();
        assert!(worlds(
            &|world| is_crowded(world) && world.drain_at.is_some()
        ));
        assert!(worlds(&|world| is_crowded(world) && world.workers > 1));
        assert!(worlds(&|world| {
            let mut reloads = world.reloads.iter();
            reloads.any(|reload| reload.closed.is_some())
        }));
    }
}
