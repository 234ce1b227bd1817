//! The health of one peer as a state machine without I/O that fits into one word.
//!
//! Any worker may report at any moment, so the whole state is one atomic word (`vitals.rs`): a
//! report reads it, computes the next one here and puts that back if nobody was faster. Reactive:
//! one hard failure of a call takes a peer out at once. Proactive: probes decide when it comes
//! back, and find out what dies while nobody calls. To come back a peer must answer
//! several probes and be well for a while (X-13, against flapping); then it starts slowly.

use crate::moment::millis;
use crate::settings::{HealthSettings, Operator};

/// All there is to know about whether a peer may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) state: State,
    /// Soft failures and bad probes in a row; Failed: bad probes since.
    failures: u8,
    /// Good probes in a row while Checking.
    good: u8,
    /// How often the time between probes was doubled.
    doublings: u8,
    /// Active: when the slow start is over. Checking: when the hold-down is over. Failed: when a
    /// call may try the peer ([`NEVER`] where probes decide). Paused: when the pause is over.
    until: u64,
    pub(crate) operator: Operator,
    /// Whether the peer has told figures of its own, which a choice must look at.
    pub(crate) is_reported: bool,
}

/// What a peer is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// In service.
    Active,
    /// It answers again, and must go on to do so for a while.
    Checking,
    /// Out of service.
    Failed,
    /// It asked to be left alone for a time.
    Paused,
}

/// What was seen of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It answered a call.
    Good,
    /// It could not be reached by a call, or was silent.
    Hard,
    /// It asked for a pause of so many milliseconds.
    Pause(u64),
    /// It did not answer a probe, or badly.
    ProbeBad,
    /// It answered a probe.
    ProbeGood,
    /// It answered a call with a failure of its own.
    Soft,
}

/// So many bad probes of a Failed peer, one after another, confirm that it is gone.
const DEAD_AFTER: u8 = 4;
/// A time that does not come.
const NEVER: u64 = (1 << TIME_BITS) - 1;
const TIME_BITS: u32 = 44;
const COUNT_BITS: u32 = 5;
/// The bit below the time.
const REPORTED: u64 = 1 << (63 - TIME_BITS);
const COUNT_MAX: u8 = (1 << COUNT_BITS) - 1;

/// [`HealthSettings`] in the units that the state machine counts in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) probe: bool,
    pub(crate) probe_interval: u64,
    pub(crate) slow_start: u64,
    pub(crate) report_age_max: u64,
    down_after: u8,
    up_after: u8,
    hold_down: u64,
    back_off: [u64; 2],
    pause_max: u64,
}

impl Rules {
    pub(crate) fn new(settings: &HealthSettings) -> Self {
        Self {
            probe: settings.probe,
            probe_interval: millis(settings.probe_interval),
            slow_start: millis(settings.slow_start),
            report_age_max: millis(settings.report_age_max),
            down_after: settings.down_after.clamp(1, COUNT_MAX),
            up_after: settings.up_after.clamp(1, COUNT_MAX),
            hold_down: millis(settings.hold_down),
            back_off: settings.back_off.map(millis),
            pause_max: millis(settings.pause_max),
        }
    }

    /// The time between two probes after so many doublings, before jitter.
    fn back_off(&self, doublings: u8) -> u64 {
        let [first, last] = self.back_off;
        first
            .checked_shl(doublings.into())
            .filter(|time| time >> doublings == first)
            .map_or(last, |time| time.min(last))
            .max(1)
    }
}

impl Health {
    /// A peer that nothing bad is known of.
    pub(crate) const fn new(operator: Operator) -> Self {
        Self {
            state: State::Active,
            failures: 0,
            good: 0,
            doublings: 0,
            until: 0,
            operator,
            is_reported: false,
        }
    }

    /// The same without anything bad that was known.
    const fn fresh(self) -> Self {
        Self {
            is_reported: self.is_reported,
            ..Self::new(self.operator)
        }
    }

    /// Whether a call may be sent there as far as health goes, whatever the operator wants.
    pub(crate) const fn is_well(self, now: u64) -> bool {
        match self.state {
            State::Active => true,
            State::Checking => false,
            State::Failed | State::Paused => now >= self.until,
        }
    }

    /// Whether probes have confirmed that a Failed peer is gone: one call that was not answered is a
    /// reason to send no more, but none to end those that it may still answer.
    pub(crate) const fn is_dead(self, rules: &Rules) -> bool {
        match self.state {
            State::Failed => rules.probe && self.failures >= DEAD_AFTER,
            State::Active | State::Checking | State::Paused => false,
        }
    }

    /// How far a peer that came back has got, in parts of 1,024.
    pub(crate) const fn strength(self, now: u64, rules: &Rules) -> u64 {
        match self.state {
            State::Active if now < self.until && rules.slow_start > 0 => {
                let left = self.until - now;
                let left = if left < rules.slow_start {
                    left
                } else {
                    rules.slow_start
                };
                1_024 - 1_024 * left / rules.slow_start
            }
            State::Active | State::Checking | State::Failed | State::Paused => 1_024,
        }
    }

    /// The time until the next probe, before jitter.
    pub(crate) fn probe_interval(self, rules: &Rules) -> u64 {
        match self.state {
            State::Active | State::Paused => rules.probe_interval,
            State::Checking => rules.back_off(0),
            State::Failed => rules.back_off(self.doublings),
        }
    }

    /// The state after `event`.
    pub(crate) fn after(self, event: Event, now: u64, rules: &Rules) -> Self {
        let current = self.settled(now);
        match (current.state, event) {
            (State::Active | State::Paused, Event::Good | Event::ProbeGood) => Self {
                failures: 0,
                doublings: 0,
                ..current
            },
            (State::Active | State::Paused, Event::Hard) => current.failed(now, 0, rules),
            (State::Active | State::Paused, Event::Soft | Event::ProbeBad) => {
                let failures = current.failures.saturating_add(1).min(COUNT_MAX);
                if failures >= rules.down_after {
                    current.failed(now, 0, rules)
                } else {
                    Self {
                        failures,
                        ..current
                    }
                }
            }
            (State::Active | State::Paused, Event::Pause(time)) => current.paused(now, time, rules),
            // A call that was under way before the peer failed may still be answered: probes decide.
            (State::Checking, Event::Good | Event::Pause(_)) => current,
            (State::Checking, Event::Hard | Event::Soft | Event::ProbeBad) => {
                current.failed(now, current.doublings.saturating_add(1), rules)
            }
            (State::Checking, Event::ProbeGood) => {
                let good = current.good.saturating_add(1).min(COUNT_MAX);
                Self { good, ..current }.back_if_well(now, rules)
            }
            (State::Failed, Event::Good) if current.is_well(now) => current.back(now, rules),
            (State::Failed, Event::Hard | Event::Soft) if current.is_well(now) => {
                current.failed(now, current.doublings.saturating_add(1), rules)
            }
            // Without probes a call has tried it: it lives, and wants to be left alone.
            (State::Failed, Event::Pause(time)) if current.is_well(now) => {
                current.fresh().paused(now, time, rules)
            }
            (State::Failed, Event::Good | Event::Hard | Event::Soft | Event::Pause(_)) => current,
            (State::Failed, Event::ProbeBad) => Self {
                failures: current.failures.saturating_add(1).min(COUNT_MAX),
                ..current.failed(now, current.doublings.saturating_add(1), rules)
            },
            (State::Failed, Event::ProbeGood) => Self {
                state: State::Checking,
                failures: 0,
                good: 1,
                until: now + rules.hold_down,
                ..current
            }
            .back_if_well(now, rules),
        }
    }

    /// The same under what the operator wants now.
    pub(crate) const fn with_operator(self, operator: Operator) -> Self {
        Self { operator, ..self }
    }

    /// The same with figures of the peer's own, or without.
    pub(crate) const fn with_report(self, is_reported: bool) -> Self {
        Self {
            is_reported,
            ..self
        }
    }

    /// The same health under new rules.
    pub(crate) fn under(self, now: u64, rules: &Rules) -> Self {
        match (self.state, rules.probe) {
            (State::Failed, true) => Self {
                until: NEVER,
                ..self
            },
            (State::Failed, false) if self.until == NEVER => Self {
                until: now + rules.back_off(self.doublings),
                ..self
            },
            // Nobody would send the probes that it waits for.
            (State::Checking, false) => self.back(now, rules),
            (State::Active | State::Checking | State::Failed | State::Paused, _) => self,
        }
    }

    /// A pause that is over is none.
    fn settled(self, now: u64) -> Self {
        match self.state {
            State::Paused if now >= self.until => Self {
                state: State::Active,
                until: 0,
                ..self
            },
            State::Active | State::Checking | State::Failed | State::Paused => self,
        }
    }

    fn failed(self, now: u64, doublings: u8, rules: &Rules) -> Self {
        let doublings = doublings.min(COUNT_MAX);
        Self {
            state: State::Failed,
            failures: 0,
            good: 0,
            doublings,
            until: if rules.probe {
                NEVER
            } else {
                now + rules.back_off(doublings)
            },
            ..self
        }
    }

    /// Left alone for so long; a pause is never cut short by a second one.
    fn paused(self, now: u64, time: u64, rules: &Rules) -> Self {
        let earlier = match self.state {
            State::Paused => self.until,
            State::Active | State::Checking | State::Failed => 0,
        };
        Self {
            state: State::Paused,
            until: (now + time.min(rules.pause_max)).max(earlier),
            ..self
        }
    }

    fn back_if_well(self, now: u64, rules: &Rules) -> Self {
        if self.good >= rules.up_after && now >= self.until {
            self.back(now, rules)
        } else {
            self
        }
    }

    fn back(self, now: u64, rules: &Rules) -> Self {
        Self {
            until: now + rules.slow_start,
            ..self.fresh()
        }
    }

    /// Whether bits stand for a peer in full service that has told nothing of itself: what nearly all
    /// are nearly always, told without taking the word apart. `bound` is that of [`Health::plain_bound`].
    #[inline]
    pub(crate) const fn is_plain(bits: u64, bound: u64) -> bool {
        // Active and Ready are 0.
        bits & (REPORTED | 0xf) == 0 && bits <= bound
    }

    /// The greatest word of a peer whose slow start is over.
    #[inline]
    pub(crate) const fn plain_bound(now: u64) -> u64 {
        now << (64 - TIME_BITS) | ((1 << (64 - TIME_BITS)) - 1)
    }

    /// As one word: state 2 bits, operator 2, three counts of 5, reported 1, time 44.
    pub(crate) const fn to_bits(self) -> u64 {
        let state = match self.state {
            State::Active => 0,
            State::Checking => 1,
            State::Failed => 2,
            State::Paused => 3,
        };
        let operator = match self.operator {
            Operator::Ready => 0,
            Operator::Drain => 1,
            Operator::Maint => 2,
        };
        let until = if self.until < NEVER {
            self.until
        } else {
            NEVER
        };
        let mut bits = state | operator << 2;
        bits |= (self.failures as u64) << 4;
        bits |= (self.good as u64) << (4 + COUNT_BITS);
        bits |= (self.doublings as u64) << (4 + 2 * COUNT_BITS);
        if self.is_reported {
            bits |= REPORTED;
        }
        bits | until << (64 - TIME_BITS)
    }

    /// What [`Health::to_bits`] made.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self {
            state: match bits & 3 {
                0 => State::Active,
                1 => State::Checking,
                2 => State::Failed,
                _ => State::Paused,
            },
            operator: match bits >> 2 & 3 {
                0 => Operator::Ready,
                1 => Operator::Drain,
                _ => Operator::Maint,
            },
            failures: count(bits >> 4),
            good: count(bits >> (4 + COUNT_BITS)),
            doublings: count(bits >> (4 + 2 * COUNT_BITS)),
            until: bits >> (64 - TIME_BITS),
            is_reported: bits & REPORTED != 0,
        }
    }
}

const fn count(bits: u64) -> u8 {
    let [low, ..] = bits.to_le_bytes();
    low & COUNT_MAX
}

#[cfg(test)]
mod tests;
