//! What the emulated VCS counts, and how it judges.

use super::servers::ServerReport;
use crate::agent::{Counts, Outcome};
use crate::bridges::BridgeReport;
use crate::load::{histogram, left_over};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

/// Counted while it runs.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Searches begun.
    pub searches: u64,
    /// Searches that led to an answered call.
    pub answered: u64,
    /// Searches that policy refused, by status and reason.
    pub rejected: BTreeMap<String, u64>,
    /// Searches whose calls all failed, by how the last one did.
    pub failed: BTreeMap<String, u64>,
    /// Requests by the kind of policy.
    pub requests: BTreeMap<&'static str, u64>,
    /// How often nobody answered and the Default CPL was executed.
    pub defaults: u64,
    /// Answers that a VCS would not accept, by why.
    pub unusable: BTreeMap<String, u64>,
    /// Branches that came back to an alias that was there before.
    pub loops: u64,
    /// Calls placed, given up because another place answered or it rang too long, and refused.
    pub calls: u64,
    /// See [`Tally::calls`].
    pub given_up: u64,
    /// See [`Tally::calls`].
    pub refused: u64,
    /// Calls with something wrong in their messages, by what.
    pub wrong: BTreeMap<String, u64>,
    /// From the request to its answer, in microseconds, all attempts together.
    pub decision: Histogram<u64>,
    /// From when the search was to begin to when its call was up, in microseconds.
    pub search: Histogram<u64>,
    /// INVITE to 2xx, in microseconds.
    pub setup: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            searches: 0,
            answered: 0,
            rejected: BTreeMap::new(),
            failed: BTreeMap::new(),
            requests: BTreeMap::new(),
            defaults: 0,
            unusable: BTreeMap::new(),
            loops: 0,
            calls: 0,
            given_up: 0,
            refused: 0,
            wrong: BTreeMap::new(),
            decision: histogram()?,
            search: histogram()?,
            setup: histogram()?,
        })
    }

    /// Searches that are over.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.answered + sum(&self.rejected) + sum(&self.failed)
    }

    /// Adds a call that is over; one that was given up may end as it likes.
    pub(super) fn add(&mut self, outcome: &Outcome, was_given_up: bool) {
        if let Some(time) = outcome.answered_after {
            self.setup.saturating_record(micros(time));
        }
        if let Some(error) = &outcome.error {
            *self.wrong.entry(error.clone()).or_default() += 1;
        } else if was_given_up {
            self.given_up += 1;
        } else if !outcome.answered {
            self.refused += 1;
        }
    }
}

pub(super) fn sum(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().sum()
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What is known at the end.
#[derive(Debug)]
pub struct Report {
    /// What was counted.
    pub tally: Tally,
    /// Answered calls that arrived where policy had promised.
    pub promised: u64,
    /// Answered calls that did not: the first of them in words.
    pub elsewhere: Vec<String>,
    /// How many those are.
    pub elsewhere_count: u64,
    /// Answered calls to aliases that are no bridge's.
    pub unpromised: u64,
    /// The addresses of the policy service.
    pub servers: Vec<ServerReport>,
    /// Calls that each bridge took, by its prefix.
    pub bridges: Vec<(String, u64)>,
    /// What the caller counted.
    pub caller: Counts,
    /// What was wrong on the trunk.
    pub complaints: Vec<String>,
    /// How many of those there are.
    pub complaint_count: u64,
}

impl Report {
    /// Adds what the bridges leave behind.
    pub fn add_bridges(&mut self, bridges: Vec<BridgeReport>) {
        for bridge in bridges {
            let name = bridge.name();
            let report = bridge.report;
            let left_over = left_over(&report, &self.caller);
            self.complaint_count += report.complaints + u64::from(left_over.is_some());
            self.complaints.extend(report.complaint_texts);
            self.complaints.extend(left_over);
            self.bridges.push((name, report.counts.calls));
        }
    }

    /// Whether every search led to an answered call on the peer that policy promised, with nothing wrong on the way.
    /// Refusals by policy count as wrong unless they are said to be expected.
    #[must_use]
    pub fn is_good(&self, may_reject: bool) -> bool {
        let tally = &self.tally;
        let is_whole = tally.finished() == tally.searches && sum(&tally.failed) == 0;
        let is_clean = tally.wrong.is_empty() && tally.unusable.is_empty() && tally.loops == 0;
        let is_kept = self.elsewhere_count + self.unpromised + self.complaint_count == 0;
        is_whole && is_clean && is_kept && (may_reject || tally.rejected.is_empty())
    }
}
