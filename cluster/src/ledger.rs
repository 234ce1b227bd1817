//! What all other members use, by what they told.
//!
//! A value is replaced only by one with a higher number, so that the order of arrival does not
//! matter. Keys that this node does not know are kept too: a reload may bring them.

use crate::figure::{Figure, Key};
use siphasher::sip::SipHasher13;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;

/// Keys of all members together.
const ROWS_MAX: usize = 16_384;
/// The weight of a member whose use counts wholly.
pub(crate) const WHOLE: u64 = 1_024;

/// The last figures of each member, and their sums.
#[derive(Debug)]
pub(crate) struct Ledger {
    rows: HashMap<Key, usize, Keyed>,
    sums: Vec<Sum>,
    members: Vec<Column>,
    changed: VecDeque<usize>,
}

#[derive(Debug)]
struct Sum {
    key: Key,
    used: u64,
    /// Whether it waits in `changed`.
    changed: bool,
}

/// What one member told, by row.
#[derive(Debug)]
struct Column {
    weight: u64,
    told: Vec<Told>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Told {
    sequence: u64,
    used: u64,
}

impl Ledger {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rows: HashMap::with_hasher(Keyed(seed)),
            sums: Vec::new(),
            members: Vec::new(),
            changed: VecDeque::new(),
        }
    }

    /// A column for one more member, behind all others.
    pub(crate) fn add_member(&mut self) {
        self.members.push(Column {
            weight: 0,
            told: Vec::new(),
        });
    }

    /// Takes a member's column away; those behind it move up.
    pub(crate) fn remove_member(&mut self, member: usize) {
        self.weigh(member, 0);
        if member < self.members.len() {
            self.members.remove(member);
        }
    }

    /// A member told a figure with this number. False: there is no room for its key.
    pub(crate) fn tell(&mut self, member: usize, sequence: u64, figure: Figure) -> bool {
        let Some(row) = self.row(figure.key) else {
            return false;
        };
        let Some(column) = self.members.get_mut(member) else {
            return false;
        };
        if column.told.len() <= row {
            column.told.resize(row + 1, Told::default());
        }
        if let Some(told) = column.told.get_mut(row)
            && told.sequence < sequence
        {
            let before = told.used;
            *told = Told {
                sequence,
                used: figure.used,
            };
            if before != figure.used {
                self.add_up(row);
            }
        }
        true
    }

    /// How much of a member's use counts, in parts of [`WHOLE`].
    pub(crate) fn weigh(&mut self, member: usize, weight: u64) {
        debug_assert!(weight <= WHOLE);
        let Some(column) = self.members.get_mut(member) else {
            return;
        };
        if column.weight != weight {
            column.weight = weight;
            self.add_up_all(member);
        }
    }

    /// A member has been started again: what it tells from now on replaces what it told before,
    /// whatever the numbers. Until it has told all, the old counts, so that calls which live on under
    /// the new start are never missed in between.
    pub(crate) fn renew(&mut self, member: usize) {
        if let Some(column) = self.members.get_mut(member) {
            column.told.iter_mut().for_each(|told| told.sequence = 0);
        }
    }

    /// A member that was started again has told all: what only its old start told is void.
    pub(crate) fn settle(&mut self, member: usize) {
        let Some(column) = self.members.get_mut(member) else {
            return;
        };
        let mut void = Vec::new();
        for (row, told) in column.told.iter_mut().enumerate() {
            if told.sequence == 0 && told.used != 0 {
                told.used = 0;
                void.push(row);
            }
        }
        void.into_iter().for_each(|row| self.add_up(row));
    }

    /// The next key whose sum has changed.
    pub(crate) fn next_changed(&mut self) -> Option<Figure> {
        let row = self.changed.pop_front()?;
        let sum = self.sums.get_mut(row)?;
        sum.changed = false;
        Some(Figure {
            key: sum.key,
            used: sum.used,
        })
    }

    /// All sums that are not zero.
    pub(crate) fn sums(&self) -> impl Iterator<Item = Figure> {
        self.sums
            .iter()
            .filter(|sum| sum.used != 0)
            .map(|sum| Figure {
                key: sum.key,
                used: sum.used,
            })
    }

    fn row(&mut self, key: Key) -> Option<usize> {
        if let Some(row) = self.rows.get(&key) {
            return Some(*row);
        }
        let row = self.sums.len();
        if row == ROWS_MAX {
            return None;
        }
        self.rows.insert(key, row);
        self.sums.push(Sum {
            key,
            used: 0,
            changed: false,
        });
        Some(row)
    }

    fn add_up_all(&mut self, member: usize) {
        let rows = self
            .members
            .get(member)
            .map_or(0, |column| column.told.len());
        for row in 0..rows {
            self.add_up(row);
        }
    }

    /// The sum of a row anew. No differences are added up, so that none can be lost.
    fn add_up(&mut self, row: usize) {
        let used = self.members.iter().fold(0_u64, |sum, column| {
            let told = column.told.get(row).map_or(0, |told| told.used);
            sum.saturating_add(weighed(told, column.weight))
        });
        let Some(sum) = self.sums.get_mut(row) else {
            return;
        };
        if sum.used == used {
            return;
        }
        sum.used = used;
        if !sum.changed {
            sum.changed = true;
            self.changed.push_back(row);
        }
    }
}

/// A part of a use, rounded up: what is held is never held too low.
fn weighed(used: u64, weight: u64) -> u64 {
    if weight == WHOLE {
        return used;
    }
    let parts = u128::from(used) * u128::from(weight);
    u64::try_from(parts.div_ceil(u128::from(WHOLE))).unwrap_or(u64::MAX)
}

/// Keys come from the network, from members only; the hasher is keyed all the same.
#[derive(Clone, Copy, Debug)]
struct Keyed(u64);

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, !self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key(id: u32) -> Key {
        Key {
            kind: crate::Kind::Bandwidth,
            id,
        }
    }

    fn sums(ledger: &Ledger) -> BTreeMap<u32, u64> {
        ledger.sums().map(|sum| (sum.key.id, sum.used)).collect()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Tell(usize, u64, u32, u64),
        Weigh(usize, u64),
        Renew(usize),
        Settle(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            8 => (0_usize..3, 1_u64..30, 0_u32..5, 0_u64..1_000)
                .prop_map(|(member, sequence, id, used)| Step::Tell(member, sequence, id, used)),
            2 => (0_usize..3, prop_oneof![Just(0), Just(512), Just(WHOLE)])
                .prop_map(|(member, weight)| Step::Weigh(member, weight)),
            1 => (0_usize..3).prop_map(Step::Renew),
            1 => (0_usize..3).prop_map(Step::Settle),
        ];
        prop::collection::vec(step, 0..80)
    }

    proptest! {
        #[test]
        fn adds_up_like_a_naive_table(steps in steps()) {
            let mut ledger = Ledger::new(1);
            (0..3).for_each(|_| ledger.add_member());
            let mut told: BTreeMap<(usize, u32), (u64, u64)> = BTreeMap::new();
            let mut weights = [0; 3];
            let mut announced: BTreeMap<u32, u64> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Tell(member, sequence, id, used) => {
                        let figure = Figure { key: key(id), used };
                        prop_assert!(ledger.tell(member, sequence, figure));
                        let now = told.entry((member, id)).or_default();
                        if now.0 < sequence {
                            *now = (sequence, used);
                        }
                    }
                    Step::Weigh(member, weight) => {
                        ledger.weigh(member, weight);
                        weights[member] = weight;
                    }
                    Step::Renew(member) => {
                        ledger.renew(member);
                        let of_it = told.iter_mut().filter(|((of, _), _)| *of == member);
                        of_it.for_each(|(_, (sequence, _))| *sequence = 0);
                    }
                    Step::Settle(member) => {
                        ledger.settle(member);
                        told.retain(|(of, _), (sequence, _)| *of != member || *sequence > 0);
                    }
                }
                while let Some(figure) = ledger.next_changed() {
                    announced.insert(figure.key.id, figure.used);
                }
                let mut right: BTreeMap<u32, u64> = BTreeMap::new();
                for ((member, id), (_, used)) in &told {
                    *right.entry(*id).or_default() += (used * weights[*member]).div_ceil(WHOLE);
                }
                right.retain(|_, used| *used != 0);
                prop_assert_eq!(&sums(&ledger), &right);
                announced.retain(|_, used| *used != 0);
                prop_assert_eq!(&announced, &right, "each change is announced");
            }
        }
    }

    #[test]
    fn the_table_has_an_end_and_sums_do_not_wrap() {
        let mut ledger = Ledger::new(1);
        (0..2).for_each(|_| ledger.add_member());
        (0..2).for_each(|member| ledger.weigh(member, WHOLE));
        for id in 0..u32::try_from(ROWS_MAX).unwrap() {
            assert!(ledger.tell(
                0,
                1,
                Figure {
                    key: key(id),
                    used: u64::MAX
                }
            ));
        }
        let beyond = Figure {
            key: key(u32::MAX),
            used: 1,
        };
        assert!(!ledger.tell(0, 1, beyond));
        assert!(ledger.tell(
            1,
            1,
            Figure {
                key: key(7),
                used: u64::MAX
            }
        ));
        assert_eq!(sums(&ledger)[&7], u64::MAX);
        ledger.remove_member(0);
        assert_eq!(
            sums(&ledger),
            BTreeMap::from([(7, u64::MAX)]),
            "the other moved up"
        );
    }
}
