//! What the policy service counts.

use policy::Outcome;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters of all doors together.
#[derive(Debug, Default)]
pub(in crate::shell) struct Figures {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    refusals: [AtomicU64; Refusal::ALL.len()],
    durations: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
    status_polls: AtomicU64,
    connections: AtomicU64,
    connections_refused: AtomicU64,
    handshakes_failed: AtomicU64,
    handshakes_gave_way: AtomicU64,
    patterns_gave_up: AtomicU64,
}

/// Why a request got no decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    BadRequest,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    TooSlow,
    Unauthorized,
    Unavailable,
}

impl Refusal {
    const ALL: [Self; 7] = [
        Self::BadRequest,
        Self::MethodNotAllowed,
        Self::NotFound,
        Self::TooLarge,
        Self::TooSlow,
        Self::Unauthorized,
        Self::Unavailable,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotFound => "not_found",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Unauthorized => "unauthorized",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Seconds from a request's body to its answer.
pub(in crate::shell) const BOUNDS: [f64; 8] = [
    0.000_005, 0.000_01, 0.000_05, 0.000_1, 0.001, 0.01, 0.1, 1.0,
];

// Relaxed throughout: the counts stand for themselves.
impl Figures {
    pub(super) fn decided(&self, outcome: Outcome, took: Duration) {
        let known = Outcome::ALL.iter().zip(&self.outcomes);
        for (_, count) in known.filter(|(known, _)| **known == outcome) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let seconds = took.as_secs_f64();
        let range = BOUNDS.iter().position(|bound| seconds <= *bound);
        if let Some(count) = self.durations.get(range.unwrap_or(BOUNDS.len())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        let known = Refusal::ALL.iter().zip(&self.refusals);
        for (_, count) in known.filter(|(known, _)| **known == refusal) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn polled(&self) {
        self.status_polls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn accepted(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused_connection(&self) {
        self.connections_refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed_handshake(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// The oldest handshake under way was given up for another one.
    pub(super) fn gave_way(&self) {
        self.handshakes_gave_way.fetch_add(1, Ordering::Relaxed);
    }

    /// A pattern of a rule took too many steps.
    pub(super) fn gave_up(&self) {
        self.patterns_gave_up.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests by what came of them.
    pub(in crate::shell) fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let outcomes = Outcome::ALL.iter().zip(&self.outcomes);
        let refusals = Refusal::ALL.iter().zip(&self.refusals);
        outcomes
            .map(|(outcome, count)| (outcome.as_str(), count))
            .chain(refusals.map(|(refusal, count)| (refusal.as_str(), count)))
            .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    /// How many decisions took how long, and their sum in seconds.
    pub(in crate::shell) fn durations(&self) -> (Vec<u64>, f64) {
        let counts = self.durations.iter();
        let counts = counts.map(|count| count.load(Ordering::Relaxed)).collect();
        let sum = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed));
        (counts, sum.as_secs_f64())
    }

    /// What else happened.
    pub(in crate::shell) fn events(&self) -> [(&'static str, u64); 6] {
        [
            ("connection_accepted", &self.connections),
            ("connection_refused", &self.connections_refused),
            ("handshake_failed", &self.handshakes_failed),
            ("handshake_gave_way", &self.handshakes_gave_way),
            ("pattern_gave_up", &self.patterns_gave_up),
            ("status_poll", &self.status_polls),
        ]
        .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_and_refusal_is_counted_under_its_name() {
        let figures = Figures::default();
        for outcome in Outcome::ALL {
            figures.decided(outcome, Duration::from_micros(7));
        }
        for refusal in Refusal::ALL {
            figures.refused(refusal);
        }
        figures.decided(Outcome::Placed, Duration::from_secs(2));
        let requests: Vec<_> = figures.requests().collect();
        assert_eq!(requests.len(), Outcome::ALL.len() + Refusal::ALL.len());
        for (name, count) in requests {
            assert_eq!(count, if name == "placed" { 2 } else { 1 }, "{name}");
        }
        let (counts, sum) = figures.durations();
        assert_eq!(counts, [0, 6, 0, 0, 0, 0, 0, 0, 1]);
        assert!(sum > 2.0 && sum < 2.001, "{sum}");
    }
}
