//! `[rates]`: how often one source may begin something.

use super::section::Section;
use signaling::access::{Excess, Rate};

pub use signaling::access::Rates;

pub(super) const KEYS: &[&str] = &[
    "invites_per_second",
    "invites_burst",
    "requests_per_second",
    "requests_burst",
    "refusals_per_second",
    "refusals_burst",
    "guesses_per_second",
    "guesses_burst",
    "excess",
    "sources",
];

/// A burst in thousandths still fits 32 bits.
const RATE_MAX: u32 = 1_000_000;

pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Rates {
    let default = Rates::default();
    let choices = [("refuse", Excess::Refuse), ("drop", Excess::Drop)];
    let mut rate = |per_second, burst, default: Rate| Rate {
        per_second: section.number(per_second, 0..=RATE_MAX, default.per_second),
        burst: section.number(burst, 1..=RATE_MAX, default.burst),
    };
    let invites = rate("invites_per_second", "invites_burst", default.invites);
    let requests = rate("requests_per_second", "requests_burst", default.requests);
    let refusals = rate("refusals_per_second", "refusals_burst", default.refusals);
    let guesses = rate("guesses_per_second", "guesses_burst", default.guesses);
    Rates {
        invites,
        requests,
        refusals,
        guesses,
        excess: section.choice("excess", &choices, default.excess),
        sources_max: section.number("sources", 64..=4_194_304, default.sources_max),
    }
}
