//! The probes of the node (TRUNK.md section 3): OPTIONS to its peers, not too often, and no call.

use super::Witness;
use super::requests::COPIES_MAX;
use crate::place::{Place, Side};
use crate::seen::{Seen, TransactionId};
use balancer::Operator;
use std::time::Duration;

/// The shortest time between a probe of a peer and the next but one: the first step of the back-off, with its jitter. One
/// in between may come early, when a call found the peer dead.
const PAUSE_MIN: Duration = Duration::from_millis(790);

/// A probe of a peer.
#[derive(Debug)]
pub(super) struct Probed {
    id: TransactionId,
    at: Duration,
    bytes: Vec<u8>,
    copies: u32,
}

impl Witness {
    pub(super) fn probe_went(
        &mut self,
        now: Duration,
        to: Place,
        probe: &Seen,
        bytes: &[u8],
    ) -> Result<(), String> {
        if to.side() != Some(Side::Peer) || !probe.to_tag.is_empty() {
            return Err("nobody asked for it".into());
        }
        if probe.max_forwards.is_none_or(|hops| hops == 0 || hops > 70) {
            return Err(format!("Max-Forwards is {:?}", probe.max_forwards));
        }
        let id = probe.transaction();
        let is_reliable = self.transport(to).is_reliable();
        let is_worked_on = self.operator(to) == Operator::Maint;
        let probes = self.probes.entry(to).or_default();
        if let Some(again) = probes.iter_mut().find(|probed| probed.id == id) {
            again.copies += 1;
            if again.bytes != bytes {
                return Err("repeated with other words".into());
            }
            if is_reliable || again.copies > COPIES_MAX {
                return Err(format!("copy {}", again.copies));
            }
            return Ok(());
        }
        let before = probes.iter().rev().nth(1).map(|probed| probed.at);
        if is_worked_on {
            return Err("the operator works on it".into());
        }
        if self.is_punctual && before.is_some_and(|at| now + self.slack < at + PAUSE_MIN) {
            return Err(format!("the last but one went at {before:?}"));
        }
        probes.push(Probed {
            id,
            at: now,
            bytes: bytes.to_vec(),
            copies: 1,
        });
        Ok(())
    }
}
