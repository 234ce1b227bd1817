//! Which calls share a conference, in which pools the peers are, and what the operator wants of them meanwhile.

use super::{MS, Scenario, index, pick};
use balancer::Operator;
use loadtest::agent::Random;
use std::time::Duration;

/// How many rooms callers dial where calls share nothing.
const ROOMS: u64 = 10;

/// The calls of a world share conferences: the callers dial one of few rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meetings {
    /// How many aliases there are.
    pub rooms: u64,
    /// Whether room 1 is another way into conference 0 that cannot begin it.
    pub has_guests: bool,
    /// Callers at one time in one conference.
    pub participants_max: Option<u32>,
}

/// What the operator wants of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// When.
    pub at: Duration,
    /// Of which peer.
    pub peer: usize,
    /// What.
    pub operator: Operator,
}

impl Meetings {
    /// The conference of a call, and whether the call may begin it.
    #[must_use]
    pub fn conference_of(&self, call: u64) -> (u64, bool) {
        match call.checked_rem(self.rooms).unwrap_or(0) {
            1 if self.has_guests => (0, false),
            room => (room, true),
        }
    }
}

impl Scenario {
    /// How many aliases the callers dial.
    #[must_use]
    pub fn rooms(&self) -> u64 {
        self.meetings.map_or(ROOMS, |meetings| meetings.rooms)
    }
}

/// Adds all this to some worlds. The random numbers are of their own, so that everything else stays as it is.
pub(super) fn add(scenario: &mut Scenario, end: Duration) {
    let random = &mut Random::new(scenario.seed ^ 0x0c0f_fee0_0c0f_fee0);
    if random.permille(400) {
        scenario.meetings = Some(Meetings {
            rooms: 1 + random.below(4),
            has_guests: random.permille(250),
            participants_max: random
                .permille(250)
                .then(|| u32::try_from(1 + random.below(4)).unwrap_or(1)),
        });
    }
    if random.permille(250) {
        for peer in &mut scenario.peers {
            peer.pool = u8::from(random.permille(400));
            peer.new_limit = peer
                .sessions_max
                .saturating_sub(u32::try_from(random.below(4)).unwrap_or(0));
        }
    }
    if random.permille(200) {
        let words = [Operator::Ready, Operator::Drain, Operator::Maint];
        let mut orders: Vec<Order> = (0..=random.below(8))
            .map(|_| Order {
                at: random.up_to(end.saturating_sub(MS * 20_000)),
                peer: index(random, scenario.peers.len()),
                operator: pick(random, &words),
            })
            .collect();
        orders.sort_by_key(|order| order.at);
        scenario.orders = orders;
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
        assert!(worlds(&|world| {
            let rooms = world.meetings.map(|meetings| meetings.rooms);
            rooms.is_some_and(|rooms| rooms < world.calls.len() as u64)
        }));
        assert!(worlds(
            &|world| world.meetings.is_some() && !world.deaths.is_empty()
        ));
        assert!(worlds(
            &|world| world.meetings.is_some() && world.peers.len() > 2
        ));
        assert!(worlds(&|world| {
            let mut meetings = world.meetings.iter();
            meetings.any(|meetings| meetings.has_guests && meetings.rooms > 1)
        }));
        assert!(worlds(&|world| {
            let mut meetings = world.meetings.iter();
            meetings.any(|meetings| meetings.participants_max.is_some())
        }));
        for operator in [Operator::Drain, Operator::Maint] {
            assert!(worlds(&|world| {
                let mut orders = world.orders.iter();
                orders.any(|order| order.operator == operator)
            }));
        }
        assert!(worlds(&|world| {
            let has = |pool| world.peers.iter().any(|peer| peer.pool == pool);
            has(0) && has(1)
        }));
    }

    #[test]
    fn a_guest_alias_leads_to_the_first_conference() {
        let meetings = Meetings {
            rooms: 3,
            has_guests: true,
            participants_max: None,
        };
        assert_eq!(meetings.conference_of(1000), (0, false));
        assert_eq!(meetings.conference_of(2), (2, true));
        assert_eq!(meetings.conference_of(3), (0, true));
    }
}
