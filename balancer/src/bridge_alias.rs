//! What conferences are called on one peer: `6001{number}@bridges.example.com` (POLICY.md section 8.4).
//!
//! Policy answers send calls to such an alias, and when it comes back its form alone says that it is
//! ours: another member may have handed it out a moment ago.

use std::fmt;

/// The alias of any conference on one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeAlias {
    before: Box<str>,
    after: Box<str>,
}

/// Why a text is no such alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BridgeAliasError {
    /// Something in it cannot stand in an alias.
    #[error("it has a character that no alias may have")]
    Character,
    /// A digit follows the number: nobody could tell where that ends.
    #[error("no digit may follow {{number}}")]
    DigitAfter,
    /// Nothing, or too much.
    #[error("it is too long")]
    Length,
    /// The number stands nowhere, or twice.
    #[error("it has {{number}} once, where the number of the conference stands")]
    Number,
    /// Nothing before the number: every number would be ours.
    #[error("the prefix of the peer stands before {{number}}")]
    Prefix,
}

const NUMBER: &str = "{number}";
/// Octets of the text.
const LENGTH_MAX: usize = 200;
/// Digits of a number that is ours.
const DIGITS_MAX: usize = 10;

impl BridgeAlias {
    /// Reads `6001{number}@bridges.example.com`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, BridgeAliasError> {
        let (before, after) = text.split_once(NUMBER).ok_or(BridgeAliasError::Number)?;
        if after.contains(NUMBER) {
            return Err(BridgeAliasError::Number);
        }
        if before.is_empty() {
            return Err(BridgeAliasError::Prefix);
        }
        if after.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(BridgeAliasError::DigitAfter);
        }
        if text.len() > LENGTH_MAX {
            return Err(BridgeAliasError::Length);
        }
        let is_legal = |octet: u8| octet.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&octet);
        if !before.bytes().chain(after.bytes()).all(is_legal) {
            return Err(BridgeAliasError::Character);
        }
        let lower = |text: &str| text.to_ascii_lowercase().into_boxed_str();
        Ok(Self {
            before: lower(before),
            after: lower(after),
        })
    }

    /// The number in an alias of this form.
    #[must_use]
    pub fn number_in(&self, alias: &str) -> Option<u64> {
        let is = |part: &str, wanted: &str| part.eq_ignore_ascii_case(wanted);
        let (before, rest) = alias.split_at_checked(self.before.len())?;
        let at = rest.len().checked_sub(self.after.len())?;
        let (digits, after) = rest.split_at_checked(at)?;
        let is_number = (1..=DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|octet| octet.is_ascii_digit());
        if is_number && is(before, &self.before) && is(after, &self.after) {
            digits.parse().ok()
        } else {
            None
        }
    }

    /// Whether there is a text that is an alias of both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let is_begun_by = |longer: &Self, shorter: &Self| {
            let rest = longer.before.strip_prefix(&*shorter.before);
            rest.is_some_and(|rest| rest.bytes().all(|octet| octet.is_ascii_digit()))
        };
        self.after == other.after && (is_begun_by(self, other) || is_begun_by(other, self))
    }

    pub(crate) fn prefix_len(&self) -> usize {
        self.before.len()
    }

    /// Writes the alias of one conference.
    pub fn write(&self, number: u32, out: &mut String) {
        out.push_str(&self.before);
        out.push_str(&number.to_string());
        out.push_str(&self.after);
    }
}

impl fmt::Display for BridgeAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{NUMBER}{}", self.before, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_known_again() {
        let alias = BridgeAlias::new("6001{number}@Bridges.example.com").expect("right");
        let mut text = String::new();
        alias.write(u32::MAX, &mut text);
        assert_eq!(text, "60014294967295@bridges.example.com");
        assert_eq!(alias.number_in(&text), Some(u64::from(u32::MAX)));
        assert_eq!(
            alias.number_in("600112345@BRIDGES.example.com"),
            Some(12345)
        );
        for other in [
            "6001@bridges.example.com",
            "6002101@bridges.example.com",
            "6001x@bridges.example.com",
            "6001101@bridges.example.org",
            "6001101",
            "600112345678901@bridges.example.com",
            "",
            "\u{e4}",
        ] {
            assert_eq!(alias.number_in(other), None, "{other}");
        }
        let number = BridgeAlias::new("77{number}").expect("right");
        assert_eq!(number.number_in("77123"), Some(123));
    }

    #[test]
    fn aliases_meet_where_only_digits_tell_them_apart() {
        let alias = |text| BridgeAlias::new(text).expect("right");
        let one = alias("6001{number}@X");
        for other in ["6001{number}@x", "600{number}@x", "60017{number}@x"] {
            let other = alias(other);
            assert!(one.meets(&other) && other.meets(&one), "{other}");
        }
        for other in [
            "6002{number}@x",
            "6001-{number}@x",
            "6001{number}",
            "600{number}@y",
        ] {
            let other = alias(other);
            assert!(!one.meets(&other) && !other.meets(&one), "{other}");
        }
    }

    #[test]
    fn what_could_not_be_known_again_is_refused() {
        for (text, wanted) in [
            ("6001", BridgeAliasError::Number),
            ("6001{number}{number}", BridgeAliasError::Number),
            ("{number}@x", BridgeAliasError::Prefix),
            ("6001{number}5@x", BridgeAliasError::DigitAfter),
            ("60 01{number}", BridgeAliasError::Character),
            (
                &format!("6{{number}}@{}", "x".repeat(200)),
                BridgeAliasError::Length,
            ),
        ] {
            assert_eq!(BridgeAlias::new(text), Err(wanted), "{text}");
        }
    }
}
