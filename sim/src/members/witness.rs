//! Knows the truth, and says what must not be.

use super::scenario::{CALL_KBPS, Scenario};
use super::world::{Call, World};
use cluster::{Cluster, Key, Presence, Silence};
use std::collections::BTreeMap;
use std::time::Duration;

/// Changes within this time travel together (`docs/wire/member-update.md`).
const TICK: Duration = Duration::from_millis(20);
/// After this time of quiet all know all.
pub(super) const QUIET: Duration = Duration::from_secs(2);

impl World {
    /// No more than the limit is admitted, and what others could not know of yet.
    pub(super) fn check_limit(&mut self, new: &Call) -> Result<(), String> {
        let total = (0..self.scenario.nodes)
            .map(|node| self.used(node, new.resource))
            .sum::<u64>();
        let beyond = total.saturating_sub(self.scenario.limit_kbps);
        self.figures.beyond_kbps = self.figures.beyond_kbps.max(beyond);
        // Told within a tick; under loss told again and again within the time of quiet.
        let told_within = if self.scenario.lost == 0 {
            TICK + self.scenario.delay_max + Duration::from_millis(3)
        } else {
            QUIET
        };
        let now = self.now;
        // Who was away has asked all others since; they may not have heard all of it.
        let blurred = self.blurred_since.filter(|_| self.away != Some(new.node));
        let since = (now - told_within).min(blurred.unwrap_or(now));
        self.recent
            .retain(|call| call.admitted + Duration::from_secs(60) > now);
        let unknown = self.recent.iter().filter(|call| {
            call.resource == new.resource && call.node != new.node && call.admitted > since
        });
        let excused = unknown.count() as u64 * CALL_KBPS + self.of_the_silent(new);
        if beyond > excused {
            return Err(format!(
                "{beyond} kbit/s beyond the limit, {excused} excused"
            ));
        }
        Ok(())
    }

    /// What members use that are missed for so long that it need not count.
    fn of_the_silent(&self, new: &Call) -> u64 {
        let was_away = self.away == Some(new.node);
        if self.scenario.silence_is_short() && self.blurred_since.is_some() && !was_away {
            let others = (0..self.scenario.nodes).filter(|node| *node != new.node);
            return others.map(|node| self.used(node, new.resource)).sum();
        }
        0
    }

    /// Every member knows what all others use.
    pub(super) fn all_know_all(&self) -> Result<(), String> {
        for (at, node) in self.nodes.iter().enumerate() {
            // Where half of all is lost, fifteen in a row are now and then.
            let unlucky = |member: cluster::MemberStatus| member.presence != Presence::Fresh;
            if self.scenario.lost == 500 && node.cluster.members(self.now).any(unlucky) {
                continue;
            }
            let known = sums(&node.cluster);
            let told: BTreeMap<Key, u64> = node
                .elsewhere
                .iter()
                .filter(|(_, used)| **used != 0)
                .map(|(k, u)| (*k, *u))
                .collect();
            let mut right = BTreeMap::new();
            for (resource, key) in self.keys.iter().enumerate() {
                let others = (0..self.nodes.len()).filter(|other| *other != at);
                let used: u64 = others.map(|other| self.used(other, resource)).sum();
                if used != 0 {
                    right.insert(*key, used);
                }
            }
            if known != right || told != right {
                return Err(format!(
                    "node {at} knows {known:?}, told its owner {told:?}, right is {right:?}; {:?}",
                    node.cluster.members(self.now).collect::<Vec<_>>()
                ));
            }
        }
        Ok(())
    }
}

impl Scenario {
    /// Whether a member may be missed for so long that its use counts less.
    fn silence_is_short(&self) -> bool {
        match self.silence {
            Silence::Hold(time) => time < Duration::from_secs(20),
            Silence::Decay(_) | Silence::Release => true,
        }
    }
}

pub(super) fn sums(cluster: &Cluster) -> BTreeMap<Key, u64> {
    cluster
        .elsewhere()
        .map(|figure| (figure.key, figure.used))
        .collect()
}
