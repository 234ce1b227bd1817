//! Many names looked after: asked before their answers grow old, and told when they change.
//!
//! The owner sends each [`Output::Ask`] to the name service and tells what came of it with
//! [`Book::handle_answer`], a time-out too: a question never stays without an end.

use super::answers::{Answers, Times};
use super::shares::Draws;
use super::{Answer, Destination, Location, Moment, Progress, Question, Rules, locate};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// Names somebody who is looked after; chosen by the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u32);

/// What a book wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask the name service.
    Ask(Question),
    /// [`Book::location`] has something new: other targets, none any more, or the first ones.
    Located(WatchId),
}

/// All that is looked after.
#[derive(Debug)]
pub struct Book {
    rules: Rules,
    answers: Answers,
    watches: BTreeMap<WatchId, Watch>,
    asked: BTreeSet<Question>,
    outputs: VecDeque<Output>,
    draws: Draws,
}

#[derive(Debug)]
struct Watch {
    destination: Destination,
    location: Option<Location>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Answers are waited for.
    Asking(Moment),
    /// What is known holds until then; `None`: for ever.
    Known {
        until: Option<Instant>,
        since: Instant,
    },
}

impl Watch {
    /// Whether a location leads to fewer places than what is known.
    fn is_less(&self, location: &Location) -> bool {
        let known = self.location.as_ref();
        known.is_some_and(|known| location.targets.len() < known.targets.len())
    }
}

impl Book {
    /// Nobody is looked after yet.
    #[must_use]
    pub fn new(rules: Rules, times: Times) -> Self {
        Self {
            answers: Answers::new(times, rules.limits, rules.seed),
            watches: BTreeMap::new(),
            asked: BTreeSet::new(),
            outputs: VecDeque::new(),
            draws: Draws(rules.seed ^ 0x5eed),
            rules,
        }
    }

    /// Goes by other rules and times from now on, and looks after nobody yet. What was answered so
    /// far is asked again, and is of use only where that fails.
    pub fn reconfigure(&mut self, now: Instant, rules: Rules, times: Times) {
        self.answers.reconfigure(now, times, rules.limits);
        self.rules = rules;
        self.watches.clear();
        self.outputs
            .retain(|output| matches!(output, Output::Ask(_)));
    }

    /// Looks after somebody from now on; an earlier one of this id is forgotten.
    pub fn watch(&mut self, now: Instant, id: WatchId, destination: Destination) {
        let moment = Moment {
            at: now,
            since: now,
        };
        let state = State::Asking(moment);
        self.watches.insert(
            id,
            Watch {
                destination,
                location: None,
                state,
            },
        );
        self.advance(now, id);
    }

    /// Looks after somebody no longer.
    pub fn forget(&mut self, id: WatchId) {
        self.watches.remove(&id);
    }

    /// Asks anew although the answers still hold: all targets failed (RFC 3263 §4.3 has no more to
    /// offer, and what the name says may have changed). Not twice within `gap`.
    pub fn refresh(&mut self, now: Instant, id: WatchId, gap: Duration) {
        let Some(watch) = self.watches.get_mut(&id) else {
            return;
        };
        match watch.state {
            State::Known {
                until: Some(until),
                since,
            } if now >= since + gap => {
                // Every answer counts as old but those that come from now on.
                let at = until.max(now) + self.answers.longest() * 2;
                watch.state = State::Asking(Moment { at, since: now });
                self.advance(now, id);
            }
            // A name that no server is asked for says the same again.
            State::Known { .. } | State::Asking(_) => {}
        }
    }

    /// What came of a question.
    pub fn handle_answer(&mut self, now: Instant, question: Question, answer: Answer) {
        self.asked.remove(&question);
        self.answers.handle_answer(now, question, answer);
        let asking = |watch: &Watch| matches!(watch.state, State::Asking(_));
        let waiting = self.watches.iter().filter(|(_, watch)| asking(watch));
        let waiting: Vec<WatchId> = waiting.map(|(id, _)| *id).collect();
        for id in waiting {
            self.advance(now, id);
        }
    }

    /// Time has passed: what will soon be old is asked again.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = self
            .watches
            .iter()
            .filter_map(|(id, watch)| match watch.state {
                State::Known {
                    until: Some(until), ..
                } if until <= now => {
                    // All answers that end with the location are renewed in one go.
                    let ends = watch
                        .location
                        .as_ref()
                        .and_then(|location| location.expires);
                    Some((*id, ends.unwrap_or(now).max(now)))
                }
                State::Known { .. } | State::Asking(_) => None,
            });
        for (id, at) in due.collect::<Vec<_>>() {
            if let Some(watch) = self.watches.get_mut(&id) {
                watch.state = State::Asking(Moment { at, since: now });
            }
            self.advance(now, id);
        }
    }

    /// When [`Book::handle_timeout`] is wanted.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let untils = self.watches.values().filter_map(|watch| match watch.state {
            State::Known { until, .. } => until,
            State::Asking(_) => None,
        });
        untils.min()
    }

    /// The next thing that the book wants.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Where somebody is; `None` until that is known for the first time.
    #[must_use]
    pub fn location(&self, id: WatchId) -> Option<&Location> {
        self.watches.get(&id)?.location.as_ref()
    }

    /// Walks as far as the answers reach.
    fn advance(&mut self, now: Instant, id: WatchId) {
        let Some(watch) = self.watches.get_mut(&id) else {
            return;
        };
        let State::Asking(moment) = watch.state else {
            return;
        };
        let whole = Moment {
            at: moment.since + self.answers.longest() * 2,
            since: moment.since,
        };
        match locate(&watch.destination, &self.rules, &self.answers, moment) {
            Progress::Ask(questions) => {
                debug_assert!(!questions.is_empty(), "a walk that waits must ask");
                for question in questions {
                    if self.asked.insert(question.clone()) {
                        self.outputs.push_back(Output::Ask(question));
                    }
                }
            }
            Progress::Located(location) if watch.is_less(&location) && moment != whole => {
                // An old answer may lead to hosts that are gone, as when SRV was changed and still
                // holds here: only answers that are all new take a target away.
                watch.state = State::Asking(whole);
                self.advance(now, id);
            }
            Progress::Located(location) => {
                let until = location
                    .expires
                    .map(|end| renewal(now, end, &location, &mut self.draws));
                watch.state = State::Known { until, since: now };
                let said =
                    |known: &Location| (known.targets.clone(), known.why_none, known.is_stale);
                let is_new = watch.location.as_ref().map(said) != Some(said(&location));
                watch.location = Some(location);
                if is_new {
                    self.outputs.push_back(Output::Located(id));
                }
            }
        }
    }
}

/// When to ask again: after 80 to 95 parts in a hundred of the time that is left, so that nobody
/// waits for an answer and several nodes do not ask together. A retry has its own spread already.
fn renewal(now: Instant, end: Instant, location: &Location, draws: &mut Draws) -> Instant {
    let left = end.saturating_duration_since(now);
    if location.is_stale || location.why_none.is_some() {
        return end;
    }
    let parts = u32::try_from(80 + draws.below(16)).unwrap_or(80);
    now + left / 100 * parts
}

#[cfg(test)]
mod tests;
