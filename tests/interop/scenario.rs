//! What a sipp instance plays: one of its built-in scenarios, or one of ours with its gaps filled.
//!
//! Ours stand in `scenarios/`, whole sipp files but for words in double braces: what a test
//! sets, and the times, which follow the T1 that the test plays with.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// A scenario.
#[derive(Clone)]
pub(crate) enum Scenario {
    /// `sipp -sn`.
    BuiltIn(&'static str),
    /// The name and the text of a file of ours.
    Own(String, String),
}

impl Scenario {
    /// The file of this name.
    pub(crate) fn own(name: &str) -> Self {
        let path = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interop/scenarios"
        ))
        .join(format!("{name}.xml"));
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::Own(name.to_owned(), text)
    }

    /// Fills a gap.
    pub(crate) fn with(self, gap: &str, filling: &str) -> Self {
        match self {
            Self::BuiltIn(_) => panic!("a built-in scenario has no gap `{gap}`"),
            Self::Own(name, text) => {
                let gap = format!("{{{{{gap}}}}}");
                assert!(text.contains(&gap), "{name} has no gap {gap}");
                Self::Own(name, text.replace(&gap, filling))
            }
        }
    }

    /// Fills the times: T1, and how long one stays to say again what was said.
    pub(crate) fn with_times(self, t1: Duration, linger: Duration) -> Self {
        match self {
            Self::BuiltIn(_) => self,
            Self::Own(name, text) => {
                let text = text.replace("{{t1}}", &t1.as_millis().to_string());
                let text = text.replace("{{linger}}", &linger.as_millis().to_string());
                Self::Own(name, text)
            }
        }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::BuiltIn(name) => name,
            Self::Own(name, _) => name,
        }
    }
}
