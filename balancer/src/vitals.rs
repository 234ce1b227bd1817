//! What is known and counted of one peer: a handful of atomics, kept by name from board to board.
//!
//! What a choice reads lies in the first 64 bytes, so that looking at a peer costs one cache line.

use crate::health::{Event, Health, Rules};
use crate::report::{Cause, Reported, Source};
use crate::sessions::{Counts, Seen};
use crate::settings::Operator;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

/// The state of one peer that outlives every board.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Vitals {
    pub(crate) counts: Counts,
    /// [`Health`] as bits.
    health: AtomicU64,
    /// Sessions that the peer reports beyond those that we count (or, below zero, that we count
    /// and the peer does not know): the correction that is added to what is taken.
    correction: AtomicI32,
    /// Room that the peer reports.
    room: AtomicU32,
    /// Sessions that other members of the cluster use of it, as they say.
    elsewhere: AtomicU32,
    /// Conferences that live on it.
    pub(crate) conferences: AtomicU32,
    /// When the next probe is due.
    pub(crate) probe_due: AtomicU64,
    /// How often it was chosen, by [`Reason`].
    chosen: [AtomicU64; Reason::ALL.len()],
    /// Calls that had to leave it, by [`Cause`].
    failovers: [AtomicU64; Cause::ALL.len()],
    /// What it last said of itself: sessions in use, when and by which way.
    reported_in_use: AtomicU32,
    reported_at: AtomicU64,
    reported_by: AtomicU32,
    /// Differences between reported and counted of the last three reports.
    drifts: [AtomicI32; 3],
}

/// Why a peer was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its conference is there.
    Conference,
    /// Another peer failed before for the same call.
    Failover,
    /// Its figures were the best.
    Figures,
    /// A decision made before for somebody else holds its session.
    Lease,
}

impl Reason {
    /// All, in the order of the figures.
    pub const ALL: [Self; 4] = [Self::Conference, Self::Failover, Self::Figures, Self::Lease];

    /// As a metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conference => "conference",
            Self::Failover => "failover",
            Self::Figures => "figures",
            Self::Lease => "lease",
        }
    }
}

/// What [`Vitals::room`] holds when the peer said nothing.
const ROOM_UNKNOWN: u32 = u32::MAX;
/// What [`Vitals::reported_in_use`] holds when the peer said nothing.
const USE_UNKNOWN: u32 = u32::MAX;

// Relaxed throughout: each word stands for itself, and nothing else is published by it.
impl Vitals {
    pub(crate) fn new(operator: Operator) -> Self {
        Self {
            counts: Counts::new(),
            health: AtomicU64::new(Health::new(operator).to_bits()),
            correction: AtomicI32::new(0),
            room: AtomicU32::new(ROOM_UNKNOWN),
            elsewhere: AtomicU32::new(0),
            conferences: AtomicU32::new(0),
            probe_due: AtomicU64::new(0),
            chosen: Default::default(),
            failovers: Default::default(),
            reported_in_use: AtomicU32::new(USE_UNKNOWN),
            reported_at: AtomicU64::new(0),
            reported_by: AtomicU32::new(0),
            drifts: Default::default(),
        }
    }

    /// How far a peer that may be chosen has got with its slow start, in parts of 1,024; `None`:
    /// its health or the operator is against it.
    #[inline]
    pub(crate) fn strength(&self, now: u64, rules: &Rules) -> Option<u64> {
        let bits = self.health.load(Ordering::Relaxed);
        if Health::is_plain(bits, Health::plain_bound(now)) {
            return Some(1_024);
        }
        let health = Health::from_bits(bits);
        let serves = health.operator == Operator::Ready && health.is_well(now);
        serves.then(|| health.strength(now, rules))
    }

    /// Whether it is in full service and has told nothing of itself, so that what is counted here is
    /// all there is to look at. `bound` is that of [`Health::plain_bound`].
    #[inline]
    pub(crate) fn is_plain(&self, bound: u64) -> bool {
        Health::is_plain(self.health.load(Ordering::Relaxed), bound)
    }

    pub(crate) fn health(&self) -> Health {
        Health::from_bits(self.health.load(Ordering::Relaxed))
    }

    /// Lets `change` have its way with the health. What it was and what it is.
    pub(crate) fn change_health(&self, change: impl Fn(Health) -> Health) -> (Health, Health) {
        let mut before = self.health.load(Ordering::Relaxed);
        loop {
            let health = Health::from_bits(before);
            let next = change(health);
            match self.health.compare_exchange_weak(
                before,
                next.to_bits(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return (health, next),
                Err(now) => before = now,
            }
        }
    }

    /// An event changes the health, and a failure brings the next probe forward or back.
    pub(crate) fn observe(&self, event: Event, now: u64, rules: &Rules) -> (Health, Health) {
        self.change_health(|health| health.after(event, now, rules))
    }

    /// Sessions in use as far as a choice is concerned: taken here and by other members, corrected by
    /// what the peer reports.
    #[inline]
    pub(crate) fn used(&self, seen: Seen) -> u32 {
        let known = seen.taken().saturating_add(self.elsewhere());
        match self.correction.load(Ordering::Relaxed) {
            0 => known,
            correction => known.saturating_add_signed(correction).max(seen.reserved()),
        }
    }

    /// Sessions that other members use of it.
    pub(crate) fn elsewhere(&self) -> u32 {
        self.elsewhere.load(Ordering::Relaxed)
    }

    /// Other members use so many sessions of it.
    pub(crate) fn set_elsewhere(&self, sessions: u32) {
        self.elsewhere.store(sessions, Ordering::Relaxed);
        let is_reported = self.reported_by.load(Ordering::Relaxed) != 0;
        self.change_health(|health| health.with_report(is_reported || sessions > 0));
    }

    /// `limit`, or less if the peer reports less room.
    #[inline]
    pub(crate) fn limit(&self, limit: u32) -> u32 {
        limit.min(self.room.load(Ordering::Relaxed))
    }

    pub(crate) fn count_chosen(&self, reason: Reason) {
        let [conference, failover, figures, lease] = &self.chosen;
        let counter = match reason {
            Reason::Conference => conference,
            Reason::Failover => failover,
            Reason::Figures => figures,
            Reason::Lease => lease,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether nothing is held of it.
    pub(crate) fn is_idle(&self) -> bool {
        self.counts.seen().taken() == 0 && self.conferences() == 0
    }

    /// Conferences that live on it.
    pub(crate) fn conferences(&self) -> u32 {
        self.conferences.load(Ordering::Relaxed)
    }

    pub(crate) fn chosen(&self) -> [u64; Reason::ALL.len()] {
        self.chosen
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed))
    }

    pub(crate) fn count_failover(&self, cause: Cause) {
        if let Some(counter) = self.failovers.get(cause.index()) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn failovers(&self) -> [u64; Cause::ALL.len()] {
        self.failovers
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed))
    }

    /// Reconciles what the peer says of itself with what is counted here.
    pub(crate) fn reconcile(&self, reported: Reported, now: u64) {
        self.reported_at.store(now, Ordering::Relaxed);
        self.reported_by
            .store(reported.source.number(), Ordering::Relaxed);
        self.change_health(|health| health.with_report(true));
        // One figure may come alone; the other holds as long as the peer reports at all.
        if let Some(room) = reported.sessions_max {
            self.room.store(room, Ordering::Relaxed);
        }
        let Some(in_use) = reported.in_use else {
            return;
        };
        self.reported_in_use.store(in_use, Ordering::Relaxed);
        let drift = drift(in_use, self.counts.seen(), self.elsewhere());
        let [newest, middle, oldest] = &self.drifts;
        oldest.store(middle.load(Ordering::Relaxed), Ordering::Relaxed);
        middle.store(newest.load(Ordering::Relaxed), Ordering::Relaxed);
        newest.store(drift, Ordering::Relaxed);
        // What the peer has beyond our count, others put there: it counts at once. What we count
        // and the peer does not know may be a report that crossed a call on its way; only what
        // stays through three reports is a leak of ours, and is then no longer held against the
        // peer.
        let least = |a: i32, b: &AtomicI32| a.max(b.load(Ordering::Relaxed));
        let correction = [middle, oldest].into_iter().fold(drift, least);
        let correction = if drift >= 0 { drift } else { correction.min(0) };
        self.correction.store(correction, Ordering::Relaxed);
    }

    /// A report that is too old counts no more.
    pub(crate) fn forget_old_report(&self, now: u64, rules: &Rules) {
        let age = now.saturating_sub(self.reported_at.load(Ordering::Relaxed));
        if self.reported_by.load(Ordering::Relaxed) != 0 && age > rules.report_age_max {
            self.reported_by.store(0, Ordering::Relaxed);
            let elsewhere = self.elsewhere();
            self.change_health(|health| health.with_report(elsewhere > 0));
            self.correction.store(0, Ordering::Relaxed);
            self.room.store(ROOM_UNKNOWN, Ordering::Relaxed);
            self.reported_in_use.store(USE_UNKNOWN, Ordering::Relaxed);
            for drift in &self.drifts {
                drift.store(0, Ordering::Relaxed);
            }
        }
    }

    /// When the last report will be too old to count.
    pub(crate) fn report_over(&self, rules: &Rules) -> Option<u64> {
        let at = self.reported_at.load(Ordering::Relaxed);
        (self.reported_by.load(Ordering::Relaxed) != 0).then(|| at + rules.report_age_max + 1)
    }

    /// What the peer last said of itself, and how long ago in milliseconds.
    pub(crate) fn reported(&self, now: u64) -> Option<(Reported, u64)> {
        let source = Source::from_number(self.reported_by.load(Ordering::Relaxed))?;
        let known = |value: u32| (value != u32::MAX).then_some(value);
        let reported = Reported {
            source,
            in_use: known(self.reported_in_use.load(Ordering::Relaxed)),
            sessions_max: known(self.room.load(Ordering::Relaxed)),
        };
        let age = now.saturating_sub(self.reported_at.load(Ordering::Relaxed));
        Some((reported, age))
    }

    /// Reported minus counted at the last report.
    pub(crate) fn drift(&self) -> i32 {
        let [newest, ..] = &self.drifts;
        newest.load(Ordering::Relaxed)
    }
}

/// Reported minus counted, `elsewhere` counted by other members. Whether the peer counts calls that it has not answered yet is not known,
/// so anything between what is confirmed and what is taken agrees.
fn drift(reported: u32, seen: Seen, elsewhere: u32) -> i32 {
    let taken = seen.taken().saturating_add(elsewhere);
    let confirmed = taken.saturating_sub(seen.reserved());
    let difference = |from: u32| i64::from(reported) - i64::from(from);
    let drift = if reported > taken {
        difference(taken)
    } else if reported < confirmed {
        difference(confirmed)
    } else {
        0
    };
    i32::try_from(drift).unwrap_or(if drift < 0 { i32::MIN } else { i32::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::HealthSettings;

    fn reported(in_use: u32) -> Reported {
        Reported {
            source: Source::Options,
            in_use: Some(in_use),
            sessions_max: None,
        }
    }

    fn with_sessions(confirmed: u32, reserved: u32) -> Vitals {
        let vitals = Vitals::new(Operator::Ready);
        assert!(vitals.counts.take_if(confirmed + reserved, |_| true));
        vitals.counts.confirm(confirmed);
        vitals
    }

    #[test]
    fn what_others_put_there_counts_at_once() {
        let vitals = with_sessions(5, 2);
        vitals.reconcile(reported(20), 1);
        assert_eq!(vitals.drift(), 13);
        assert_eq!(vitals.used(vitals.counts.seen()), 20);
        for agrees in 5..=7 {
            vitals.reconcile(reported(agrees), 2);
            assert_eq!((vitals.drift(), vitals.used(vitals.counts.seen())), (0, 7));
        }
    }

    #[test]
    fn what_other_members_use_is_in_use_and_no_drift() {
        let vitals = with_sessions(10, 0);
        vitals.set_elsewhere(5);
        assert_eq!(vitals.used(vitals.counts.seen()), 15);
        assert!(
            !vitals.is_plain(Health::plain_bound(1)),
            "a choice looks at it"
        );
        vitals.reconcile(reported(15), 1);
        assert_eq!((vitals.drift(), vitals.used(vitals.counts.seen())), (0, 15));
        vitals.reconcile(reported(18), 2);
        assert_eq!((vitals.drift(), vitals.used(vitals.counts.seen())), (3, 18));
        // The report gets old; what the others say does not.
        vitals.forget_old_report(90_000, &Rules::new(&HealthSettings::default()));
        assert_eq!(vitals.used(vitals.counts.seen()), 15);
        assert!(!vitals.is_plain(Health::plain_bound(90_000)));
        vitals.set_elsewhere(0);
        assert_eq!(vitals.used(vitals.counts.seen()), 10);
        assert!(vitals.is_plain(Health::plain_bound(90_000)));
    }

    #[test]
    fn a_leak_shows_at_once_and_is_forgiven_after_three_reports() {
        let vitals = with_sessions(10, 0);
        for used in [10, 10, 6] {
            vitals.reconcile(reported(4 + (used - 6) / 4), 1);
            assert!(vitals.drift() < 0);
        }
        vitals.reconcile(reported(4), 4);
        vitals.reconcile(reported(3), 5);
        assert_eq!(vitals.drift(), -7);
        // The least of the last three: 4, 4 and 3 reported.
        assert_eq!(vitals.used(vitals.counts.seen()), 4);
        vitals.reconcile(reported(10), 6);
        assert_eq!(vitals.used(vitals.counts.seen()), 10);
    }

    #[test]
    fn one_figure_does_not_take_the_other_away() {
        let vitals = with_sessions(1, 0);
        let figure = |in_use, sessions_max| Reported {
            source: Source::Api,
            in_use,
            sessions_max,
        };
        vitals.reconcile(figure(None, Some(0)), 0);
        vitals.reconcile(figure(Some(3), None), 1);
        let used = vitals.used(vitals.counts.seen());
        assert_eq!((vitals.limit(100), used), (0, 3));
        vitals.reconcile(figure(None, Some(50)), 2);
        let used = vitals.used(vitals.counts.seen());
        assert_eq!((vitals.limit(100), used), (50, 3));
    }

    #[test]
    fn an_old_report_counts_no_more() {
        let rules = Rules::new(&HealthSettings::default());
        let vitals = with_sessions(1, 0);
        let empty = Reported {
            source: Source::Rai,
            in_use: Some(9),
            sessions_max: Some(0),
        };
        vitals.reconcile(empty, 0);
        assert_eq!(vitals.limit(100), 0);
        vitals.forget_old_report(30_000, &rules);
        assert_eq!(vitals.reported(30_000), Some((empty, 30_000)));
        vitals.forget_old_report(30_001, &rules);
        assert_eq!(vitals.reported(30_001), None);
        assert_eq!(
            (vitals.limit(100), vitals.used(vitals.counts.seen())),
            (100, 1)
        );
    }

    #[test]
    fn what_a_choice_reads_is_one_cache_line() {
        assert!(std::mem::offset_of!(Vitals, conferences) < 64);
        assert_eq!(align_of::<Vitals>(), 128);
    }
}
