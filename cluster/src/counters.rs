//! What has been heard, told and dropped.

/// Why a datagram that looked like an update changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// It comes from an address that is no member's.
    Stranger,
    /// It is longer than any update.
    Oversized,
    /// It is shorter than it says, or longer, or no update at all.
    Malformed,
    /// It is in another version of the format.
    Version,
    /// It belongs to another cluster.
    Cluster,
    /// Its sender calls itself what the member at that address is not called.
    Name,
    /// Its code is not that of our key.
    Forged,
    /// More of them came within a second than any member tells.
    Flood,
    /// Its sender has been started again since.
    Epoch,
    /// Its sender does not know our present start: a repetition from before, or its first word.
    Unproven,
    /// Its sender's configuration differs.
    Conflict,
    /// It was heard before, or is too old to know.
    Replay,
}

impl Dropped {
    /// All, in the order of the figures.
    pub const ALL: [Self; 12] = [
        Self::Stranger,
        Self::Oversized,
        Self::Malformed,
        Self::Version,
        Self::Cluster,
        Self::Name,
        Self::Forged,
        Self::Flood,
        Self::Epoch,
        Self::Unproven,
        Self::Conflict,
        Self::Replay,
    ];

    /// As a metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Oversized => "oversized",
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::Cluster => "cluster",
            Self::Name => "name",
            Self::Forged => "forged",
            Self::Flood => "flood",
            Self::Epoch => "epoch",
            Self::Unproven => "unproven",
            Self::Conflict => "conflict",
            Self::Replay => "replay",
        }
    }
}

/// Counts of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Updates told.
    pub told: u64,
    /// Updates heard and applied.
    pub applied: u64,
    /// Figures left out because a member told of more than a table holds.
    pub left_out: u64,
    dropped: [u64; Dropped::ALL.len()],
}

impl Counters {
    /// How many were dropped for this reason.
    #[must_use]
    pub fn dropped(&self, why: Dropped) -> u64 {
        self.dropped.get(why as usize).copied().unwrap_or_default()
    }

    pub(crate) fn drop_one(&mut self, why: Dropped) {
        if let Some(count) = self.dropped.get_mut(why as usize) {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_count_of_its_own() {
        let mut counters = Counters::default();
        for (times, why) in (1..).zip(Dropped::ALL) {
            for _ in 0..times {
                counters.drop_one(why);
            }
        }
        for (times, why) in (1..).zip(Dropped::ALL) {
            assert_eq!(counters.dropped(why), times, "{}", why.as_str());
        }
    }
}
