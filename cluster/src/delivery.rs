//! What one member has been told of this node's figures, and what of that it has confirmed.
//!
//! A figure that changed is told at once, at most every 20 ms, and told again until the member says
//! that it has it. With nothing to say, the member hears five times a second that this node is there;
//! one that is missed hears it more often, so that both find each other soon when a cut heals.

use crate::wire::{ENTRIES_MAX, Heard};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Changes within this time travel together.
pub(crate) const TICK: Duration = Duration::from_millis(20);
/// When an unconfirmed figure is told again; doubled each time.
const REPEAT: Duration = Duration::from_millis(40);
/// The longest silence toward a member that may wait to hear that it has caught up.
const HEARTBEAT_UNHEARD: Duration = Duration::from_millis(100);
/// Updates in one tick; the rest waits for the next.
const BURST: usize = 32;
/// Updates that may be confirmed: as many as a receiver remembers.
const REMEMBERED: usize = 64;

/// How often a member is told what it may know already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The longest silence.
    pub(crate) heartbeat: Duration,
    /// The longest time until a figure is told again.
    pub(crate) repeat_max: Duration,
}

/// The telling of one member.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// The number of the last update.
    sequence: u64,
    rows: Vec<Row>,
    /// Rows that are not confirmed.
    open: usize,
    /// Rows that a member which knew nothing has not confirmed once.
    backlog: usize,
    sent: VecDeque<Sent>,
    /// Something is to be said in the next tick.
    news: bool,
    last: Option<Instant>,
    repeat: Option<Duration>,
    /// The first update of ours that the member knows; 0 while it has not said so.
    first: u64,
    /// The first update that said that the member has caught up; 0 for none.
    said_at: u64,
    /// Whether the member has heard so. It may wait for it.
    is_heard: bool,
}

/// One of this node's figures.
#[derive(Clone, Copy, Debug)]
struct Row {
    state: State,
    /// Counted in the backlog.
    in_backlog: bool,
}

/// A figure as far as the member knows it.
#[derive(Clone, Copy, Debug)]
enum State {
    /// It has the present value, or the value is nought and it was never told another.
    Confirmed,
    /// It has changed since it was told.
    Changed,
    /// First told with this number, and last at this time.
    Told(u64, Instant),
}

#[derive(Debug)]
struct Sent {
    sequence: u64,
    rows: Vec<usize>,
}

impl Delivery {
    /// A telling whose first number is above `floor`: a member that was listed before has heard all up to
    /// that.
    pub(crate) fn above(floor: u64) -> Self {
        Self {
            sequence: floor,
            ..Self::default()
        }
    }

    /// The number of the last update.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// A row's value has changed.
    pub(crate) fn change(&mut self, row: usize) {
        if self.rows.len() <= row {
            self.rows.resize(row + 1, Row::new(false));
        }
        if let Some(row) = self.rows.get_mut(row) {
            if matches!(row.state, State::Confirmed) {
                self.open += 1;
            }
            row.state = State::Changed;
            self.news = true;
        }
    }

    /// Something else than a row is to be said.
    pub(crate) fn speak(&mut self) {
        self.news = true;
    }

    /// The member knows nothing any more: it has been started again. `used` says of each row whether
    /// it was ever used: of such a one the member may have heard something since.
    pub(crate) fn forget(&mut self, used: impl Iterator<Item = bool>) {
        self.rows.clear();
        self.rows.extend(used.map(Row::new));
        self.open = self.count_open();
        self.backlog = self.open;
        self.sent.clear();
        self.news = true;
        self.repeat = None;
        self.first = 0;
        self.said_at = 0;
        self.is_heard = false;
    }

    /// The member says which update of ours is the first that it knows. True: it has forgotten what
    /// it knew before.
    pub(crate) fn knows_since(&mut self, first: u64) -> bool {
        let forgot = self.first != 0 && first != self.first;
        self.first = first;
        forgot
    }

    /// Whether the member knows all that was in use when it began to hear.
    pub(crate) fn has_caught_up(&self) -> bool {
        self.backlog == 0
    }

    /// The update with this number says that the member has caught up.
    pub(crate) fn said_caught_up(&mut self, sequence: u64) {
        debug_assert!(self.has_caught_up());
        if self.said_at == 0 {
            self.said_at = sequence;
        }
    }

    /// The member is there again: it is told soon what it missed.
    pub(crate) fn hurry(&mut self) {
        self.repeat = None;
        self.news = true;
    }

    /// The member has applied these updates.
    pub(crate) fn confirm(&mut self, heard: Heard) {
        let mut confirmed = false;
        let was_behind = !self.has_caught_up();
        let rows = &mut self.rows;
        let (open, backlog) = (&mut self.open, &mut self.backlog);
        self.sent.retain(|sent| {
            if !heard.holds(sent.sequence) {
                return true;
            }
            for row in &sent.rows {
                let Some(row) = rows.get_mut(*row) else {
                    continue;
                };
                if std::mem::take(&mut row.in_backlog) {
                    *backlog -= 1;
                }
                if matches!(row.state, State::Told(first, _) if sent.sequence >= first) {
                    row.state = State::Confirmed;
                    *open -= 1;
                    confirmed = true;
                }
            }
            false
        });
        if confirmed {
            self.repeat = None;
        }
        self.news |= was_behind && self.has_caught_up();
        self.is_heard |= self.said_at != 0 && heard.sequence >= self.said_at;
        debug_assert_eq!(self.open, self.count_open());
        debug_assert!(self.backlog <= self.rows.len());
    }

    /// When something is to be said.
    pub(crate) fn due(&self, pace: Pace) -> Option<Instant> {
        let heartbeat = if self.is_heard {
            pace.heartbeat
        } else {
            pace.heartbeat.min(HEARTBEAT_UNHEARD)
        };
        let pause = if self.news {
            TICK
        } else if self.open > 0 {
            self.repeat.unwrap_or(REPEAT).min(heartbeat)
        } else {
            heartbeat
        };
        self.last.map(|last| last + pause)
    }

    /// What is to be said now: one list of rows for each update, with its number. Always one at
    /// least, which may be empty.
    pub(crate) fn updates(&mut self, now: Instant, pace: Pace) -> Vec<(u64, Vec<usize>)> {
        let repeat = self.repeat.unwrap_or(REPEAT);
        let is_repeated = |row: &Row| matches!(row.state, State::Told(_, at) if now >= at + repeat);
        let is_due = |row: &Row| matches!(row.state, State::Changed) || is_repeated(row);
        if self.rows.iter().any(is_repeated) {
            self.repeat = Some((repeat * 2).min(pace.repeat_max));
        }
        let due = self.rows.iter().enumerate().filter(|(_, row)| is_due(row));
        let mut due: Vec<usize> = due
            .map(|(row, _)| row)
            .take(ENTRIES_MAX * BURST + 1)
            .collect();
        self.news = due.len() > ENTRIES_MAX * BURST;
        due.truncate(ENTRIES_MAX * BURST);
        self.last = Some(now);
        let mut updates = Vec::new();
        let mut rest = &due[..];
        loop {
            let (rows, behind) = rest.split_at(rest.len().min(ENTRIES_MAX));
            rest = behind;
            updates.push(self.number(rows, now));
            if rest.is_empty() {
                break;
            }
        }
        updates
    }

    /// Gives an update its number and remembers what it says.
    fn number(&mut self, rows: &[usize], now: Instant) -> (u64, Vec<usize>) {
        self.sequence += 1;
        for row in rows {
            if let Some(row) = self.rows.get_mut(*row) {
                // Whichever telling of the present value is confirmed, it is known: where the way is
                // long, there have been others since.
                let first = match row.state {
                    State::Told(first, _) => first,
                    State::Changed | State::Confirmed => self.sequence,
                };
                row.state = State::Told(first, now);
            }
        }
        if !rows.is_empty() {
            if self.sent.len() == REMEMBERED {
                self.sent.pop_front();
            }
            self.sent.push_back(Sent {
                sequence: self.sequence,
                rows: rows.to_vec(),
            });
        }
        (self.sequence, rows.to_vec())
    }

    fn count_open(&self) -> usize {
        let is_open = |row: &&Row| !matches!(row.state, State::Confirmed);
        self.rows.iter().filter(is_open).count()
    }
}

impl Row {
    /// A row that the member has yet to hear of, if anything of it is in use.
    fn new(used: bool) -> Self {
        Self {
            state: if used {
                State::Changed
            } else {
                State::Confirmed
            },
            in_backlog: used,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        use std::sync::OnceLock;
        static START: OnceLock<Instant> = OnceLock::new();
        #[expect(clippy::disallowed_methods, reason = "a test tells the time")]
        let start = START.get_or_init(Instant::now);
        *start + Duration::from_millis(ms)
    }

    const FRESH: Pace = Pace {
        heartbeat: Duration::from_millis(200),
        repeat_max: Duration::from_millis(80),
    };
    const MISSED: Pace = Pace {
        heartbeat: Duration::from_millis(100),
        repeat_max: Duration::from_secs(1),
    };

    /// Toward a member that has heard that it has caught up.
    fn heard_delivery() -> Delivery {
        Delivery {
            is_heard: true,
            ..Delivery::default()
        }
    }

    fn heard(sequence: u64) -> Heard {
        Heard {
            epoch: 1,
            first: 1,
            sequence,
            before: 0,
        }
    }

    #[test]
    fn a_change_is_told_until_it_is_confirmed() {
        let mut delivery = heard_delivery();
        delivery.speak();
        assert_eq!(
            delivery.updates(at(0), FRESH),
            [(1, vec![])],
            "an empty update too"
        );
        assert_eq!(delivery.due(FRESH), Some(at(200)));
        delivery.change(3);
        assert_eq!(delivery.due(FRESH), Some(at(20)));
        assert_eq!(delivery.updates(at(20), FRESH), [(2, vec![3])]);
        assert_eq!(delivery.due(FRESH), Some(at(60)));
        delivery.change(1);
        assert_eq!(
            delivery.updates(at(40), FRESH),
            [(3, vec![1])],
            "3 has just been told"
        );
        assert_eq!(delivery.updates(at(100), FRESH), [(4, vec![1, 3])]);
        delivery.confirm(heard(2));
        assert_eq!(
            delivery.open, 1,
            "3 was told again since, but the value is the same"
        );
        delivery.confirm(heard(4));
        assert_eq!((delivery.open, delivery.due(FRESH)), (0, Some(at(300))));
    }

    #[test]
    fn a_deaf_member_is_told_less_and_less_often_and_hears_that_we_are_here() {
        for (pace, right) in [
            (FRESH, vec![0, 40, 120, 200, 280, 360, 440]),
            (MISSED, vec![0, 40, 120, 320, 720, 1_420, 2_420]),
        ] {
            let mut delivery = heard_delivery();
            delivery.change(0);
            let (mut now, mut told, mut spoken) = (at(0), Vec::new(), 0);
            while told.len() < right.len() {
                let updates = delivery.updates(now, pace);
                spoken += 1;
                if updates.iter().any(|(_, rows)| !rows.is_empty()) {
                    told.push((now - at(0)).as_millis());
                }
                now = delivery.due(pace).unwrap();
            }
            assert_eq!(told, right);
            assert!(spoken >= told.len());
        }
    }

    #[test]
    fn much_is_spread_over_updates_and_ticks() {
        let mut delivery = heard_delivery();
        let rows = ENTRIES_MAX * BURST + 5;
        (0..rows).for_each(|row| delivery.change(row));
        let first = delivery.updates(at(0), FRESH);
        assert_eq!(first.len(), BURST);
        assert!(first.iter().all(|(_, rows)| rows.len() == ENTRIES_MAX));
        assert_eq!(
            delivery.due(FRESH),
            Some(at(20)),
            "the rest in the next tick"
        );
        let second = delivery.updates(at(20), FRESH);
        assert_eq!(second, [(33, (rows - 5..rows).collect::<Vec<_>>())]);
        for (sequence, _) in first.iter().chain(&second) {
            delivery.confirm(heard(*sequence));
        }
        assert_eq!(delivery.open, 0);
    }

    #[test]
    fn a_member_that_starts_again_is_told_all_that_is_in_use() {
        let mut delivery = heard_delivery();
        delivery.change(0);
        delivery.change(1);
        delivery.updates(at(0), FRESH);
        delivery.forget([true, false, true].into_iter());
        assert_eq!(delivery.updates(at(20), FRESH), [(2, vec![0, 2])]);
        delivery.confirm(heard(1));
        assert_eq!(delivery.open, 2, "a word about what the old start was told");
        assert!(!delivery.has_caught_up());
        delivery.change(2);
        delivery.confirm(heard(2));
        assert!(delivery.has_caught_up(), "it has had each row once");
        assert_eq!(delivery.open, 1);
    }
}
