//! Which conference lives on which peer.
//!
//! The directory maps a conference's name to its [`Seating`]: one peer, and who sits there. A
//! conference that is being set up has its seating already, *pending*, so that callers of the same
//! millisecond follow the first one; the first 2xx *settles* it. A pending seating may be replaced
//! by another one when its peer fails, a settled one only when its peer is gone; whoever settles
//! first wins. A seating without seats is over for good, and its entry goes with the last seat.
//!
//! What a seating is changes only under the lock of its entry; no guard of the map leaves a function
//! of this file, and nothing is dropped under one that would ask the map again (decision 16).

use crate::board::PeerId;
use crate::health::State;
use crate::keyed::Keyed;
use crate::vitals::Vitals;
use dashmap::{DashMap, Entry};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Conferences by name.
#[derive(Debug)]
pub(crate) struct Directory {
    seatings: DashMap<Arc<str>, Arc<Seating>, Keyed>,
    /// Names of those that live, by their numbers. Changed under the lock of a seating's entry or under
    /// none, and never the other way round.
    names: DashMap<u32, Arc<str>, Keyed>,
    /// The number of the next conference.
    next: AtomicU32,
}

/// The least number: small ones look like extensions.
const FIRST_NUMBER: u32 = 100_000;
/// Where the first one may lie beyond that. Not at the same place after each start: a bridge may still
/// have a conference of the last run.
const FIRST_NUMBERS: u64 = 800_000;

/// Locks of the map: told, since it would ask the machine how many processors it has.
pub(crate) const SHARDS: usize = 64;

/// A conference on one peer.
#[derive(Debug)]
pub(crate) struct Seating {
    name: Arc<str>,
    /// The rule of the dial plan by which it began.
    rule: Option<Arc<str>>,
    /// Which conference it is, in the aliases of its peer.
    pub(crate) number: u32,
    pub(crate) peer: PeerId,
    vitals: Arc<Vitals>,
    directory: Arc<Directory>,
    seats: Seats,
    /// Calls that were answered.
    participants: AtomicU32,
    /// [`Phase`]; written under the lock of its entry only.
    phase: AtomicU8,
}

/// What a conference is called, and the rule of the dial plan by which it begins.
#[derive(Debug)]
pub(crate) struct Opening<'n> {
    pub(crate) name: &'n str,
    pub(crate) rule: Option<Arc<str>>,
}

/// What a seating is to the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// In the directory; no call was answered there.
    Pending = 0,
    /// In the directory; a call was answered: the conference lives there.
    Settled = 1,
    /// Another seating took its place.
    Replaced = 2,
}

impl Drop for Seating {
    fn drop(&mut self) {
        self.directory.names.remove(&self.number);
        self.vitals.conferences.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Who holds a place in a seating, in one word: all (low half), and those of them whose call went on
/// to another peer (high half). At no place at all it is over, and stays so.
#[derive(Debug)]
struct Seats(AtomicU64);

/// One given-up place in [`Seats`].
const GIVEN_UP: u64 = 1 << 32;

// Relaxed throughout: the counts stand for themselves.
impl Seats {
    fn one() -> Self {
        Self(AtomicU64::new(1))
    }

    fn are_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) & (GIVEN_UP - 1) == 0
    }

    /// Those that count.
    fn count(&self) -> u32 {
        Self::counted(self.0.load(Ordering::Relaxed))
    }

    fn counted(word: u64) -> u32 {
        let all = word & (GIVEN_UP - 1);
        u32::try_from(all.saturating_sub(word >> 32)).unwrap_or(u32::MAX)
    }

    /// One more, if they are not over and `fits` says so of those that count.
    fn take(&self, fits: impl Fn(u32) -> bool) -> Result<(), NoSeat> {
        let more = |word: u64| {
            let lives = word & (GIVEN_UP - 1) > 0;
            (lives && fits(Self::counted(word))).then(|| word + 1)
        };
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        match taken {
            Ok(_) => Ok(()),
            Err(word) if word & (GIVEN_UP - 1) == 0 => Err(NoSeat::Over),
            Err(_) => Err(NoSeat::Full),
        }
    }

    /// One less; whether it was the last one.
    fn give_back(&self, given_up: bool) -> bool {
        let one = if given_up { GIVEN_UP + 1 } else { 1 };
        let before = self.0.fetch_sub(one, Ordering::Relaxed);
        before & (GIVEN_UP - 1) == 1
    }

    fn give_up(&self) {
        self.0.fetch_add(GIVEN_UP, Ordering::Relaxed);
    }

    fn count_again(&self) {
        self.0.fetch_sub(GIVEN_UP, Ordering::Relaxed);
    }
}

/// One place in a conference; given back on drop.
#[derive(Debug)]
pub(crate) struct Seat {
    seating: Arc<Seating>,
    is_participant: bool,
    is_given_up: bool,
}

/// Whether a seating may still be replaced, asked until the answer takes effect.
pub(crate) type MayReplace = fn(&Seating) -> bool;

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSeat {
    /// The conference has as many callers as it may.
    Full,
    /// The last one has left.
    Over,
}

/// Whether a call that was answered is where its conference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// It is, or there is no conference.
    Here,
    /// Another caller of the conference was answered first, by this peer. The call should follow.
    Elsewhere(PeerId),
}

/// A conference as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceFigures {
    /// Its name.
    pub name: Arc<str>,
    /// Its number, in the aliases of its peer.
    pub number: u32,
    /// Where it lives, or is being set up.
    pub peer: PeerId,
    /// Calls that were answered.
    pub participants: u32,
    /// Calls that hold a place, answered or not, without those that went on to another peer.
    pub seats: u32,
    /// Whether a peer has answered.
    pub is_settled: bool,
}

fn first_number(seed: u64) -> u32 {
    FIRST_NUMBER + u32::try_from(seed % FIRST_NUMBERS).unwrap_or(0)
}

impl Directory {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seatings: DashMap::with_hasher_and_shard_amount(Keyed::new(seed), SHARDS),
            names: DashMap::with_hasher_and_shard_amount(Keyed::new(seed), SHARDS),
            next: AtomicU32::new(first_number(seed)),
        }
    }

    /// The conference as it is now, unless it is over.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Seating>> {
        let seating = Arc::clone(&*self.seatings.get(name)?);
        (!seating.is_over()).then_some(seating)
    }

    /// The conference of this number, as long as anybody has a place by it; that it lives elsewhere and under
    /// another number by now makes no difference.
    pub(crate) fn numbered(&self, number: u64) -> Option<Arc<Seating>> {
        let number = u32::try_from(number).ok()?;
        let name = Arc::clone(&*self.names.get(&number)?);
        self.find(&name)
    }

    /// A number that no conference has.
    pub(crate) fn next_number(&self) -> u32 {
        // Relaxed: the numbers stand for themselves.
        let number = || self.next.fetch_add(1, Ordering::Relaxed);
        std::iter::repeat_with(number)
            .find(|number| *number >= FIRST_NUMBER && !self.names.contains_key(number))
            .unwrap_or(FIRST_NUMBER)
    }

    /// Opens a conference on a peer, with one seat: where there is none, or in the place of
    /// `instead`, as long as that is still there and may be replaced.
    pub(crate) fn open(
        self: &Arc<Self>,
        opening: &Opening<'_>,
        (peer, vitals): (PeerId, &Arc<Vitals>),
        instead: Option<(&Arc<Seating>, MayReplace)>,
    ) -> Option<Seat> {
        vitals.conferences.fetch_add(1, Ordering::Relaxed);
        let name: Arc<str> = Arc::from(opening.name);
        let seating = Arc::new(Seating {
            name: Arc::clone(&name),
            rule: opening.rule.clone(),
            number: self.next_number(),
            peer,
            vitals: Arc::clone(vitals),
            directory: Arc::clone(self),
            seats: Seats::one(),
            participants: AtomicU32::new(0),
            phase: AtomicU8::new(Phase::Pending as u8),
        });
        match self.seatings.entry(name) {
            Entry::Vacant(entry) => drop(entry.insert(Arc::clone(&seating))),
            Entry::Occupied(mut entry) => {
                let current = entry.get();
                let is_old = |(old, may_replace): (&Arc<Seating>, MayReplace)| {
                    Arc::ptr_eq(current, old) && may_replace(current)
                };
                if !current.is_over() && !instead.is_some_and(is_old) {
                    return None;
                }
                current.set(Phase::Replaced);
                entry.insert(Arc::clone(&seating));
            }
        }
        self.names.insert(seating.number, Arc::clone(&seating.name));
        Some(Seat::of(seating))
    }

    /// Puts a seating into its place, settled, unless another one is settled there whose peer is well:
    /// that is then what comes out.
    fn settle(&self, seating: &Arc<Seating>) -> Option<Arc<Seating>> {
        match self.seatings.entry(Arc::clone(&seating.name)) {
            Entry::Vacant(entry) => {
                seating.set(Phase::Settled);
                drop(entry.insert(Arc::clone(seating)));
            }
            Entry::Occupied(mut entry) => {
                let current = entry.get();
                if !Arc::ptr_eq(current, seating) {
                    if current.is_settled() && !current.is_over() && !current.is_lost() {
                        return Some(Arc::clone(current));
                    }
                    current.set(Phase::Replaced);
                    entry.insert(Arc::clone(seating));
                }
                seating.set(Phase::Settled);
            }
        }
        None
    }

    /// Conferences known.
    pub(crate) fn len(&self) -> usize {
        self.seatings.len()
    }

    /// All conferences, by name.
    pub(crate) fn figures(&self) -> Vec<ConferenceFigures> {
        let seatings = self.seatings.iter();
        let mut figures: Vec<_> = seatings.map(|seating| seating.figures()).collect();
        figures.sort_by(|a, b| a.name.cmp(&b.name));
        figures
    }
}

impl Seating {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    pub(crate) fn is_settled(&self) -> bool {
        // Relaxed: who asks whether it may be replaced asks again under the lock of the entry.
        self.phase.load(Ordering::Relaxed) == Phase::Settled as u8
    }

    /// Only under the lock of its entry.
    fn set(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.seats.are_over()
    }

    /// Whether its peer has failed: the next caller begins the conference anew (docs/balancing.md).
    fn is_lost(&self) -> bool {
        match self.vitals.health().state {
            State::Checking | State::Failed => true,
            State::Active | State::Paused => false,
        }
    }

    /// Seats that count.
    pub(crate) fn seats(&self) -> u32 {
        self.seats.count()
    }

    pub(crate) fn figures(&self) -> ConferenceFigures {
        ConferenceFigures {
            name: Arc::clone(&self.name),
            number: self.number,
            peer: self.peer,
            participants: self.participants.load(Ordering::Relaxed),
            seats: self.seats(),
            is_settled: self.is_settled(),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let seating = &*self.seating;
        if self.is_participant {
            seating.participants.fetch_sub(1, Ordering::Relaxed);
        }
        if seating.seats.give_back(self.is_given_up) {
            let seatings = &seating.directory.seatings;
            seatings.remove_if(&seating.name, |_, current| {
                Arc::ptr_eq(current, &self.seating)
            });
        }
    }
}

impl Seat {
    /// A seat in a conference that has fewer than so many.
    pub(crate) fn take(seating: Arc<Seating>, seats_max: u32) -> Result<Self, NoSeat> {
        seating.seats.take(|seats| seats < seats_max)?;
        Ok(Self::of(seating))
    }

    /// For a seat that was taken already.
    fn of(seating: Arc<Seating>) -> Self {
        Self {
            seating,
            is_participant: false,
            is_given_up: false,
        }
    }

    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&self.seating.name)
    }

    pub(crate) fn number(&self) -> u32 {
        self.seating.number
    }

    pub(crate) fn is_unsettled(&self) -> bool {
        !self.seating.is_settled()
    }

    /// The call went on to another peer; until its attempt here is over the seat is held, but keeps
    /// nobody else out.
    pub(crate) fn give_up(&mut self) {
        if !self.is_participant && !self.is_given_up {
            self.is_given_up = true;
            self.seating.seats.give_up();
        }
    }

    /// A seat for who is to take the place of this one, whatever the maximum.
    pub(crate) fn beside(&self) -> Option<Self> {
        Self::take(Arc::clone(&self.seating), u32::MAX).ok()
    }

    /// The call was answered. The first one settles where the conference is.
    pub(crate) fn confirm(&mut self) -> Confirmation {
        if std::mem::replace(&mut self.is_given_up, false) {
            self.seating.seats.count_again();
        }
        if !self.is_participant {
            self.is_participant = true;
            self.seating.participants.fetch_add(1, Ordering::Relaxed);
        }
        if self.seating.is_settled() {
            return Confirmation::Here;
        }
        loop {
            let Some(other) = self.seating.directory.settle(&self.seating) else {
                return Confirmation::Here;
            };
            if other.peer != self.seating.peer {
                return Confirmation::Elsewhere(other.peer);
            }
            // The same peer after all: sit with the others there, whatever the maximum, since the
            // call is there already. If they all left meanwhile, look again.
            if let Ok(mut seat) = Self::take(other, u32::MAX) {
                seat.is_participant = true;
                seat.seating.participants.fetch_add(1, Ordering::Relaxed);
                *self = seat;
                return Confirmation::Here;
            }
        }
    }
}
