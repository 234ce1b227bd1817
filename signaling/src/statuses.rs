//! Sets of final statuses that are no success: 300 to 699, a bit each.

const FIRST: u16 = 300;
const LAST: u16 = 699;

/// Some of the statuses from 300 to 699.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statuses([u64; 7]);

impl Statuses {
    /// These statuses. What is no failure (below 300, above 699) is left out.
    #[must_use]
    pub fn of(list: &[u16]) -> Self {
        let mut set = Self::default();
        for status in list.iter().filter(|status| (FIRST..=LAST).contains(status)) {
            let (word, bit) = place(*status);
            if let Some(word) = set.0.get_mut(word) {
                *word |= bit;
            }
        }
        set
    }

    /// The set of these words: 300 is the lowest bit of the first one.
    #[must_use]
    pub fn of_words(words: [u64; 7]) -> Self {
        Self(words)
    }

    /// Whether a status is one of them.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        let (word, bit) = place(status);
        (FIRST..=LAST).contains(&status) && self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn place(status: u16) -> (usize, u64) {
    let offset = status.saturating_sub(FIRST);
    (usize::from(offset / 64), 1 << (offset % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in_and_nothing_else() {
        let list = [300, 363, 364, 503, 600, 699];
        let set = Statuses::of(&[&list[..], &[0, 200, 299, 700, 65_535]].concat());
        for status in 0..=u16::MAX {
            assert_eq!(set.contains(status), list.contains(&status), "{status}");
        }
        assert_eq!(Statuses::of(&[]), Statuses::default());
    }
}
