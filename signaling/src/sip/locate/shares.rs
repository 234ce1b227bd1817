//! Which of several equals comes first: the weights of RFC 2782, and an order of addresses.
//!
//! Both orders depend on a seed and on what is ordered, and on nothing else: a server that answers
//! in another order each time does not make calls wander (who found an address stays with it),
//! while nodes with different seeds spread over what is offered.

use super::Srv;
use siphasher::sip::SipHasher13;
use std::hash::{Hash, Hasher};

/// Orders the SRV records of one service (RFC 2782): lower priorities first; within a priority
/// each next one is drawn with the probability of its weight among those left.
pub(super) fn ordered(mut records: Vec<&Srv>, seed: u64) -> Vec<&Srv> {
    // Weights of 0 stand first, as RFC 2782 asks; what follows only makes the order certain.
    records.sort_by_key(|srv| (srv.priority, srv.weight != 0, &srv.target, srv.port));
    let mut draws = Draws(seed);
    let mut order = Vec::with_capacity(records.len());
    for group in records.chunk_by(|one, other| one.priority == other.priority) {
        let mut left = group.to_vec();
        while !left.is_empty() {
            let drawn = left.remove(draw(&left, &mut draws));
            order.push(drawn);
        }
    }
    debug_assert_eq!(order.len(), records.len());
    order
}

/// The place of the next record among those left.
fn draw(left: &[&Srv], draws: &mut Draws) -> usize {
    let total: u64 = left.iter().map(|srv| u64::from(srv.weight)).sum();
    // RFC 2782: a number from 0 to the sum, both included; the first running sum that reaches it.
    let number = draws.below(total + 1);
    let mut running = 0;
    let reached = left.iter().position(|srv| {
        running += u64::from(srv.weight);
        running >= number
    });
    debug_assert!(reached.is_some(), "the last running sum is the total");
    reached.unwrap_or(0)
}

/// A number that stands for `what` under this seed.
pub(super) fn rank(seed: u64, what: &impl Hash) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(seed, 0);
    what.hash(&mut hasher);
    hasher.finish()
}

/// Numbers from a seed (splitmix64).
#[derive(Clone, Copy, Debug)]
pub(super) struct Draws(pub(super) u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(end);
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Name;
    use super::*;
    use proptest::prelude::*;

    fn srv(priority: u16, weight: u16, host: usize) -> Srv {
        let name = Name::new(&format!("host{host}.example"));
        Srv {
            priority,
            weight,
            port: 5060,
            target: name,
        }
    }

    fn first_share(records: &[Srv], host: usize, draws: u64) -> f64 {
        let wanted = records.get(host).expect("there");
        let hits = (0..draws)
            .filter(|seed| {
                let order = ordered(records.iter().collect(), rank(*seed, &"share"));
                order.first() == Some(&wanted)
            })
            .count();
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let share = hits as f64 / draws as f64;
        share
    }

    #[test]
    fn shares_follow_weights_and_zero_is_rare() {
        let records = [
            srv(10, 60, 0),
            srv(10, 30, 1),
            srv(10, 10, 2),
            srv(10, 0, 3),
            srv(20, 99, 4),
        ];
        for (host, share) in [(0, 0.594), (1, 0.297), (2, 0.099), (3, 0.0099), (4, 0.0)] {
            let found = first_share(&records, host, 20_000);
            assert!(
                (found - share).abs() < 0.015,
                "host {host}: {found}, not {share}"
            );
        }
    }

    proptest! {
        #[test]
        fn first_of_two_has_its_weight_s_share(one in 1_u16..=1000, other in 1_u16..=1000) {
            let records = [srv(0, one, 0), srv(0, other, 1)];
            // "From 0 to the sum, both included": one more chance for the one that stands first.
            let total = f64::from(one) + f64::from(other) + 1.0;
            let expected = (f64::from(one) + 1.0) / total;
            let found = first_share(&records, 0, 2_000);
            prop_assert!((found - expected).abs() < 0.06, "{found}, not {expected}");
        }

        #[test]
        fn every_record_once_and_priorities_in_order(
            fields in prop::collection::vec((0_u16..4, any::<u16>()), 0..20),
            seed in any::<u64>(),
        ) {
            let records: Vec<Srv> = fields
                .iter()
                .enumerate()
                .map(|(host, (priority, weight))| srv(*priority, *weight, host))
                .collect();
            let order = ordered(records.iter().collect(), seed);
            prop_assert!(order.is_sorted_by_key(|srv| srv.priority));
            let mut hosts: Vec<_> = order.iter().map(|srv| srv.target.clone()).collect();
            hosts.sort();
            hosts.dedup();
            prop_assert_eq!(hosts.len(), records.len());
            // The server's order changes nothing.
            prop_assert_eq!(order, ordered(records.iter().rev().collect(), seed));
        }
    }
}
