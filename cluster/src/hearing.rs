//! What has been heard of one member: which of its starts, and which numbers of it, so that nothing
//! is heard twice.

use crate::counters::Dropped;
use crate::wire::Heard;

/// How far behind the highest number an update may come in.
const WINDOW: u64 = 64;

/// One member's numbers as far as they were heard.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hearing {
    /// The start of the member whose updates are applied.
    epoch: u64,
    /// A later start that it claims and has not proven.
    claimed: u64,
    /// The first number applied of it.
    first: u64,
    /// The highest number applied.
    highest: u64,
    /// Bit n: `highest` less n + 1 was applied.
    before: u64,
    /// The newest update that was written for our present start, applied or not.
    newest: (u64, u64),
}

impl Hearing {
    /// What the member is told of it. A start that it claims is told back to it: an update that then
    /// names our present start was written since, and is no repetition of an old one.
    pub(crate) fn heard(&self) -> Heard {
        if self.claimed > self.epoch {
            return Heard {
                epoch: self.claimed,
                ..Heard::default()
            };
        }
        Heard {
            epoch: self.epoch,
            first: self.first,
            sequence: self.highest,
            before: self.before,
        }
    }

    /// Whether the start that is heard is the latest that is claimed: what the member was told before
    /// it, it does not know.
    pub(crate) fn is_settled(&self) -> bool {
        self.epoch != 0 && self.claimed <= self.epoch
    }

    /// Judges an update's start. `proven`: it names our present one.
    pub(crate) fn judge(&mut self, epoch: u64, proven: bool) -> Result<(), Dropped> {
        if epoch < self.epoch || epoch == 0 {
            return Err(Dropped::Epoch);
        }
        if !proven {
            self.claimed = self.claimed.max(epoch);
            return Err(Dropped::Unproven);
        }
        Ok(())
    }

    /// Whether an update whose start is in order is newer than all before it: only such a one says
    /// how its sender is now.
    pub(crate) fn is_newest(&mut self, epoch: u64, sequence: u64) -> bool {
        let newest = (epoch, sequence) > self.newest;
        self.newest = self.newest.max((epoch, sequence));
        newest
    }

    /// Whether an update of the present start was applied before, or is too old to know.
    pub(crate) fn knows(&self, epoch: u64, sequence: u64) -> bool {
        let heard = Heard {
            epoch: self.epoch,
            first: self.first,
            sequence: self.highest,
            before: self.before,
        };
        epoch == self.epoch && (heard.holds(sequence) || sequence + WINDOW < self.highest)
    }

    /// What the member told is not known any more; it is to tell it anew.
    pub(crate) fn forget_values(&mut self) {
        self.first = 0;
    }

    /// Takes the number of an update whose start is in order. True: it is the first of a new start,
    /// so that all that was told before is void.
    pub(crate) fn take(&mut self, epoch: u64, sequence: u64) -> Result<bool, Dropped> {
        debug_assert!(epoch >= self.epoch, "judged before");
        if sequence == 0 {
            return Err(Dropped::Malformed);
        }
        if epoch > self.epoch {
            *self = Self {
                epoch,
                claimed: self.claimed.max(epoch),
                first: sequence,
                highest: sequence,
                before: 0,
                newest: self.newest,
            };
            return Ok(true);
        }
        if self.first == 0 {
            self.first = sequence;
        }
        if sequence > self.highest {
            let ahead = sequence - self.highest;
            let shifted = if ahead < WINDOW {
                self.before << ahead
            } else {
                0
            };
            let last = if ahead <= WINDOW { 1 << (ahead - 1) } else { 0 };
            self.before = shifted | last;
            self.highest = sequence;
            return Ok(false);
        }
        let behind = self.highest - sequence;
        if behind == 0 || behind > WINDOW || self.before >> (behind - 1) & 1 == 1 {
            return Err(Dropped::Replay);
        }
        self.before |= 1 << (behind - 1);
        Ok(false)
    }
}

impl Heard {
    /// Whether the number was applied.
    pub(crate) fn holds(self, sequence: u64) -> bool {
        match self.sequence.checked_sub(sequence) {
            None => false,
            Some(0) => true,
            Some(behind) => behind <= WINDOW && self.before >> (behind - 1) & 1 == 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn each_number_is_taken_once_and_told_back(
            numbers in prop::collection::vec(1_u64..200, 1..300),
        ) {
            let mut hearing = Hearing::default();
            let mut taken = BTreeSet::new();
            for number in numbers {
                let highest = taken.last().copied().unwrap_or(0);
                let right = if taken.contains(&number) || number + WINDOW < highest {
                    Err(Dropped::Replay)
                } else {
                    Ok(taken.is_empty())
                };
                prop_assert_eq!(hearing.knows(3, number), right.is_err());
                prop_assert_eq!(hearing.take(3, number), right);
                if right.is_ok() {
                    taken.insert(number);
                }
                let highest = taken.last().copied().unwrap_or(0);
                for asked in 0..250 {
                    let known = taken.contains(&asked) && asked + WINDOW >= highest;
                    prop_assert_eq!(hearing.heard().holds(asked), known, "{}", asked);
                }
            }
        }
    }

    #[test]
    fn a_start_must_be_proven_and_none_comes_back() {
        let mut hearing = Hearing::default();
        assert_eq!(
            hearing.judge(0, true),
            Err(Dropped::Epoch),
            "no start at all"
        );
        assert_eq!(hearing.judge(5, false), Err(Dropped::Unproven));
        assert_eq!(hearing.heard().epoch, 5, "told back");
        assert_eq!(hearing.judge(5, true), Ok(()));
        assert_eq!(hearing.take(5, 9), Ok(true));
        assert_eq!(hearing.judge(4, true), Err(Dropped::Epoch));
        assert_eq!(hearing.judge(6, false), Err(Dropped::Unproven));
        assert_eq!(
            hearing.heard(),
            Heard {
                epoch: 6,
                ..Heard::default()
            },
            "nothing of the new start was applied"
        );
        assert_eq!(
            hearing.judge(5, true),
            Ok(()),
            "the old one still counts until then"
        );
        assert_eq!(hearing.take(6, 1), Ok(true));
        assert_eq!(hearing.take(6, 1), Err(Dropped::Replay));
        assert_eq!(hearing.take(6, 0), Err(Dropped::Malformed));
        assert!(hearing.is_newest(6, 1));
        assert!(!hearing.is_newest(6, 1));
        assert!(!hearing.is_newest(5, 9));
        assert!(hearing.is_newest(7, 1));
    }
}
