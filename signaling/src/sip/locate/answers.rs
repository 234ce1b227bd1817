//! What the name service said, for as long as it said, and longer while it says nothing.
//!
//! A record's time to live is held between a floor and a ceiling. When a question fails, the answer
//! before it goes on being used (RFC 8767): a name service that is down must not take the peers
//! with it. An answer that there is nothing is an answer: it replaces what was there before.

use super::shares::Draws;
use super::{Answer, Limits, Moment, Question};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long answers are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// No record is asked for again sooner.
    pub ttl_min: Duration,
    /// No record is believed longer.
    pub ttl_max: Duration,
    /// That there is nothing is believed no longer.
    pub negative_max: Duration,
    /// For how long after its time an answer is used while the service fails.
    pub stale_max: Duration,
    /// After a failure, the first wait; each further one is twice as long.
    pub retry_min: Duration,
    /// The longest wait after a failure.
    pub retry_max: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            ttl_min: Duration::from_secs(5),
            ttl_max: Duration::from_secs(86_400),
            negative_max: Duration::from_secs(60),
            stale_max: Duration::from_secs(7 * 86_400),
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_secs(30),
        }
    }
}

/// What is known of one question.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) answer: Answer,
    /// Until when nobody asks again.
    pub(super) fresh_until: Instant,
    /// Whether the answer is past its time, and used because the service fails.
    pub(super) is_stale: bool,
    /// When the service last answered or failed.
    asked_at: Instant,
    /// Until when the answer may be used although the service fails.
    usable_until: Instant,
    /// Failures since the last answer.
    failures: u32,
}

/// All that is known of all questions.
#[derive(Clone, Debug)]
pub struct Answers {
    entries: BTreeMap<Question, Entry>,
    times: Times,
    limits: Limits,
    draws: Draws,
}

impl Answers {
    /// Nothing is known yet. The seed spreads the retries of several nodes.
    #[must_use]
    pub fn new(times: Times, limits: Limits, seed: u64) -> Self {
        Self {
            entries: BTreeMap::new(),
            times,
            limits,
            draws: Draws(seed),
        }
    }

    /// What came of a question.
    pub fn handle_answer(&mut self, now: Instant, question: Question, answer: Answer) {
        let before = self.entries.remove(&question);
        let entry = match answer {
            Answer::Records(mut records) => {
                records.truncate(self.limits.records);
                let ttl = records.iter().map(|record| record.ttl).min();
                let ttl = ttl.unwrap_or_default();
                let ttl = ttl.min(self.times.ttl_max).max(self.times.ttl_min);
                self.fresh(now, Answer::Records(records), ttl)
            }
            Answer::Absent { ttl, .. } => {
                let ttl = ttl.unwrap_or(self.times.negative_max);
                let ttl = ttl.min(self.times.negative_max).max(self.times.ttl_min);
                self.fresh(now, answer, ttl)
            }
            Answer::Failed(_) => self.failed(now, before, answer),
        };
        self.make_room();
        self.entries.insert(question, entry);
        debug_assert!(self.entries.len() <= self.limits.answers.max(1));
    }

    /// What is known of a question. `None`: it must be asked.
    pub(super) fn known(&self, question: &Question, moment: Moment) -> Option<&Entry> {
        let entry = self.entries.get(question)?;
        let is_new = entry.asked_at >= moment.since;
        (is_new || entry.fresh_until > moment.at).then_some(entry)
    }

    /// Goes by other times, and has everything asked again.
    pub(super) fn reconfigure(&mut self, now: Instant, times: Times, limits: Limits) {
        for entry in self.entries.values_mut() {
            entry.fresh_until = entry.fresh_until.min(now);
        }
        self.times = times;
        self.limits = limits;
    }

    /// No answer holds longer than this.
    pub(super) fn longest(&self) -> Duration {
        self.times
            .ttl_max
            .max(self.times.negative_max)
            .max(self.times.retry_max * 2)
    }

    fn fresh(&self, now: Instant, answer: Answer, ttl: Duration) -> Entry {
        Entry {
            answer,
            fresh_until: now + ttl,
            is_stale: false,
            asked_at: now,
            usable_until: now + ttl + self.times.stale_max,
            failures: 0,
        }
    }

    /// The answer of before, for as long as it may serve; else the failure itself.
    fn failed(&mut self, now: Instant, before: Option<Entry>, failure: Answer) -> Entry {
        let failures = before.as_ref().map_or(0, |entry| entry.failures);
        let fresh_until = now + self.wait(failures);
        let served = before
            .filter(|entry| !matches!(entry.answer, Answer::Failed(_)) && entry.usable_until > now);
        let (answer, usable_until, is_stale) = match served {
            Some(entry) => (entry.answer, entry.usable_until, true),
            None => (failure, now, false),
        };
        Entry {
            answer,
            fresh_until,
            is_stale,
            asked_at: now,
            usable_until,
            failures: failures.saturating_add(1),
        }
    }

    /// How long to wait after one more failure: doubled each time, and up to a quarter more, so
    /// that what failed together is not asked together again.
    fn wait(&mut self, failures: u32) -> Duration {
        let doubled = self.times.retry_min.saturating_mul(1 << failures.min(16));
        let wait = doubled.min(self.times.retry_max);
        let quarter = u64::try_from(wait.as_micros() / 4).unwrap_or(u64::MAX - 1);
        wait + Duration::from_micros(self.draws.below(quarter + 1))
    }

    /// Forgets what must be asked again soonest when there is no room for one more.
    fn make_room(&mut self) {
        while self.entries.len() >= self.limits.answers.max(1) {
            let soonest = self
                .entries
                .iter()
                .min_by_key(|(_, entry)| entry.fresh_until);
            let Some(question) = soonest.map(|(question, _)| question.clone()) else {
                return;
            };
            self.entries.remove(&question);
        }
    }
}

#[cfg(test)]
mod tests;
