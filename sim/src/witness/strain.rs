//! Overload and changed settings: while messages wait too long new calls are refused, and nothing else changes; a peer
//! that is closed gets no new call.

use super::{Due, Witness};
use crate::scenario::Scenario;
use crate::seen::{Seen, number_in};
use std::time::Duration;

/// A wait that is nobody's fault (docs/overload.md).
const TARGET: Duration = Duration::from_millis(20);
/// For so long it has to last before it counts; and a quarter of it soon after.
const INTERVAL: Duration = Duration::from_millis(100);
/// What a refusal may say of when to come again, in seconds.
const RETRY_AFTER: std::ops::RangeInclusive<u64> = 5..=14;

impl Witness {
    /// What comes now has waited so long.
    pub(crate) fn load(&mut self, now: Duration, waited: Duration) {
        self.crowded_since = (waited > TARGET).then(|| self.crowded_since.unwrap_or(now));
    }

    /// Whether new calls may be refused for what there is to do.
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded_since.is_some()
    }

    /// The node takes other settings over.
    pub(crate) fn reload(&mut self, scenario: &Scenario, closed: Option<usize>) {
        self.peers.clone_from(&scenario.peers);
        if let Some(peer) = closed.and_then(|closed| self.peers.get_mut(closed)) {
            peer.new_limit = 0;
        }
    }

    /// A new call came: it is to be refused if messages wait too long for long enough.
    pub(super) fn check_load(&mut self, now: Duration, number: u64) {
        let since = self.crowded_since;
        if since.is_some_and(|since| now >= since + INTERVAL) {
            self.due.push(Due::Shed(number));
        }
    }

    /// Whether a refusal of a new call for what there is to do is right.
    pub(super) fn is_shed(&self, now: Duration, refusal: &Seen) -> Result<bool, String> {
        let since = self.crowded_since;
        if since.is_none_or(|since| now < since + INTERVAL / 4) {
            return Ok(false);
        }
        match number_in(&refusal.head, "Retry-After: ") {
            Some(seconds) if RETRY_AFTER.contains(&seconds) => Ok(true),
            other => Err(format!("refused for overload with Retry-After {other:?}")),
        }
    }
}
