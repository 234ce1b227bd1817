//! What must hold at the end: `failed = 0`, `p99_ms < 5`, `spread <= 1`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Figures by name, as a run ends.
pub type Figures = BTreeMap<&'static str, f64>;

/// All names that a figure may have, and what they mean.
pub const NAMES: [(&str, &str); 23] = [
    ("answered", "calls that ended as planned after a 2xx"),
    ("answered_percent", "of the calls that began"),
    ("complaints", "messages that were not as they should be"),
    ("defaults", "times that the Default CPL was executed"),
    (
        "elsewhere",
        "calls that did not arrive at the promised peer",
    ),
    ("failed", "calls, or searches, that did not go as planned"),
    ("failed_percent", "of the calls that began"),
    (
        "goodput",
        "calls answered a second, from the start to the end of the last one",
    ),
    (
        "lag_p99_ms",
        "how much later than due calls began: the generator's own part",
    ),
    ("left", "calls left at peers, and answers without an ACK"),
    (
        "max_ms",
        "the longest time from when a call was due to its first 18x",
    ),
    ("offered", "calls, or searches, that began"),
    ("p50_ms", "from when a call was due to its first 18x"),
    ("p999_ms", "the same, of 999 in a thousand"),
    ("p99_ms", "the same, of 99 in a hundred"),
    ("policy_p50_ms", "from a policy request to its decision"),
    ("policy_p99_ms", "the same, of 99 in a hundred"),
    ("promised", "calls that arrived at the promised peer"),
    ("rejected", "searches that policy refused"),
    (
        "repeated_percent",
        "repeated messages of all that the generator sent",
    ),
    ("seconds", "from the start to the end of the last call"),
    (
        "setup_p99_ms",
        "from when a call was due to its 2xx, of 99 in a hundred",
    ),
    (
        "spread",
        "calls of the busiest peer less those of the idlest, among peers that lived",
    ),
];

/// One line of `assert`.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    /// One of [`NAMES`].
    pub figure: &'static str,
    comparison: Comparison,
    limit: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    AtLeast,
    AtMost,
    Equal,
    Less,
    More,
}

impl Comparison {
    fn as_str(self) -> &'static str {
        match self {
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
            Self::Equal => "=",
            Self::Less => "<",
            Self::More => ">",
        }
    }
}

impl Assertion {
    /// Whether it holds; a figure that nothing was measured for holds nothing.
    #[must_use]
    pub fn holds(&self, figures: &Figures) -> bool {
        let Some(value) = figures.get(self.figure).copied() else {
            return false;
        };
        match self.comparison {
            Comparison::AtLeast => value >= self.limit,
            Comparison::AtMost => value <= self.limit,
            // Counts are whole; nobody asks this of a time.
            Comparison::Equal => (value - self.limit).abs() < 1e-9,
            Comparison::Less => value < self.limit,
            Comparison::More => value > self.limit,
        }
    }
}

impl FromStr for Assertion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let (Some(name), Some(sign), Some(limit), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(format!("{text:?}: write such as \"failed = 0\""));
        };
        let Some((figure, _)) = NAMES.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "no figure is called {name:?}; there are {}",
                known.join(", ")
            ));
        };
        let comparison = match sign {
            ">=" => Comparison::AtLeast,
            "<=" => Comparison::AtMost,
            "=" => Comparison::Equal,
            "<" => Comparison::Less,
            ">" => Comparison::More,
            other => {
                return Err(format!(
                    "{other:?} compares nothing; write =, <, <=, > or >="
                ));
            }
        };
        let limit = limit
            .parse()
            .map_err(|_| format!("{limit:?} is no number"))?;
        Ok(Self {
            figure,
            comparison,
            limit,
        })
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {}",
            self.figure,
            self.comparison.as_str(),
            self.limit
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_judged() {
        let figures = Figures::from([("failed", 0.0), ("p99_ms", 4.5), ("spread", 1.0)]);
        for (text, holds) in [
            ("failed = 0", true),
            ("failed > 0", false),
            ("p99_ms < 5", true),
            ("p99_ms < 4.5", false),
            ("p99_ms <= 4.5", true),
            ("spread >= 1", true),
            ("spread >= 2", false),
            ("goodput > 0", false),
        ] {
            let assertion: Assertion = text.parse().unwrap();
            assert_eq!(assertion.holds(&figures), holds, "{text}");
            assert_eq!(assertion.to_string(), text);
        }
        for text in [
            "failed",
            "failed == 0",
            "faild = 0",
            "failed = none",
            "failed = 0 or 1",
        ] {
            assert!(text.parse::<Assertion>().is_err(), "{text}");
        }
        assert!(NAMES.is_sorted());
    }
}
