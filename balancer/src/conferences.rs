//! Which conference lives on which peer.
//!
//! The directory maps a conference's name to its [`Seating`]: one peer, and who sits there. A
//! conference that is being set up has its seating already, *pending*, so that callers of the same
//! millisecond follow the first one; the first 2xx *settles* it. A pending seating may be replaced
//! by another one when its peer fails, a settled one only when its peer is gone; whoever settles
//! first wins. A seating without seats is over for good, and its entry goes with the last seat.

use crate::board::PeerId;
use crate::table::{Change, Table};
use crate::vitals::Vitals;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Conferences by name.
#[derive(Debug)]
pub(crate) struct Directory {
    seatings: Table<Arc<Seating>>,
}

/// A conference on one peer.
#[derive(Debug)]
pub(crate) struct Seating {
    name: Arc<str>,
    pub(crate) peer: PeerId,
    vitals: Arc<Vitals>,
    directory: Arc<Directory>,
    /// Calls that hold a place, answered or not. At 0 it is over, and stays so.
    seats: AtomicU32,
    /// Calls that were answered.
    participants: AtomicU32,
    /// A peer has answered: the conference lives there.
    settled: AtomicBool,
}

impl Drop for Seating {
    fn drop(&mut self) {
        self.vitals.conferences.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One place in a conference; given back on drop.
#[derive(Debug)]
pub(crate) struct Seat {
    seating: Arc<Seating>,
    is_participant: bool,
}

/// Whether a seating may still be replaced, asked until the answer takes effect.
pub(crate) type MayReplace = fn(&Seating) -> bool;

/// The conference has as many callers as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

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
    /// Where it lives, or is being set up.
    pub peer: PeerId,
    /// Calls that were answered.
    pub participants: u32,
    /// Calls that hold a place, answered or not.
    pub seats: u32,
    /// Whether a peer has answered.
    pub is_settled: bool,
}

impl Directory {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seatings: Table::new(seed),
        }
    }

    /// A seat in the conference as it is now, if there is one.
    pub(crate) fn seat(&self, name: &str, seats_max: u32) -> Option<Result<Seat, Full>> {
        let seating = self.seatings.get(name)?;
        let seats = |seats| (seats > 0 && seats < seats_max).then(|| seats + 1);
        // Relaxed, here and below: the counts stand for themselves.
        let taken = seating
            .seats
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, seats);
        match taken {
            Ok(_) => Some(Ok(Seat {
                seating,
                is_participant: false,
            })),
            Err(0) => None,
            Err(_) => Some(Err(Full)),
        }
    }

    /// Opens a conference on a peer, with one seat: where there is none, or in the place of
    /// `instead`, as long as that is still there and may be replaced.
    pub(crate) fn open(
        self: &Arc<Self>,
        name: &str,
        (peer, vitals): (PeerId, &Arc<Vitals>),
        instead: Option<(&Seat, MayReplace)>,
    ) -> Option<Seat> {
        vitals.conferences.fetch_add(1, Ordering::Relaxed);
        let seating = Arc::new(Seating {
            name: Arc::from(name),
            peer,
            vitals: Arc::clone(vitals),
            directory: Arc::clone(self),
            seats: AtomicU32::new(1),
            participants: AtomicU32::new(0),
            settled: AtomicBool::new(false),
        });
        let mut is_open = false;
        self.seatings.change(name, |current| {
            is_open = match (current, instead) {
                (None, _) => true,
                (Some(current), _) if current.is_over() => true,
                (Some(current), Some((old, may_replace))) => {
                    Arc::ptr_eq(current, &old.seating) && may_replace(current)
                }
                (Some(_), None) => false,
            };
            if is_open {
                Change::Put(Arc::clone(&seating))
            } else {
                Change::Keep
            }
        });
        is_open.then_some(Seat {
            seating,
            is_participant: false,
        })
    }

    /// Conferences known.
    pub(crate) fn len(&self) -> usize {
        self.seatings.len()
    }

    /// All conferences, by name.
    pub(crate) fn figures(&self) -> Vec<ConferenceFigures> {
        let seatings = self.seatings.values();
        let mut figures: Vec<_> = seatings.iter().map(|seating| seating.figures()).collect();
        figures.sort_by(|a, b| a.name.cmp(&b.name));
        figures
    }

    /// One conference.
    pub(crate) fn find(&self, name: &str) -> Option<ConferenceFigures> {
        let seating = self.seatings.get(name)?;
        (!seating.is_over()).then(|| seating.figures())
    }
}

impl Seating {
    pub(crate) fn is_settled(&self) -> bool {
        // Relaxed: who asks whether it may be replaced asks again when the table has changed, and
        // the change of the table (`Seat::settle`) comes after the flag and orders it.
        self.settled.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.seats.load(Ordering::Relaxed) == 0
    }

    /// A seat for a call that was answered, whatever the maximum: it is there already.
    fn participant(this: Arc<Self>) -> Option<Seat> {
        let seats = |seats| (seats > 0).then(|| seats + 1);
        this.seats
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, seats)
            .ok()?;
        this.participants.fetch_add(1, Ordering::Relaxed);
        Some(Seat {
            seating: this,
            is_participant: true,
        })
    }

    fn figures(&self) -> ConferenceFigures {
        ConferenceFigures {
            name: Arc::clone(&self.name),
            peer: self.peer,
            participants: self.participants.load(Ordering::Relaxed),
            seats: self.seats.load(Ordering::Relaxed),
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
        if seating.seats.fetch_sub(1, Ordering::Relaxed) == 1 {
            let seatings = &seating.directory.seatings;
            seatings.change(&seating.name, |current| match current {
                Some(current) if Arc::ptr_eq(current, &self.seating) => Change::Remove,
                Some(_) | None => Change::Keep,
            });
        }
    }
}

impl Seat {
    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&self.seating.name)
    }

    pub(crate) fn seating(&self) -> &Seating {
        &self.seating
    }

    /// The call was answered. The first one settles where the conference is.
    pub(crate) fn confirm(&mut self) -> Confirmation {
        if !self.is_participant {
            self.is_participant = true;
            self.seating.participants.fetch_add(1, Ordering::Relaxed);
        }
        if self.seating.settled.swap(true, Ordering::Relaxed) {
            return Confirmation::Here;
        }
        loop {
            let Some(other) = self.settle() else {
                return Confirmation::Here;
            };
            if other.peer != self.seating.peer {
                return Confirmation::Elsewhere(other.peer);
            }
            // The same peer after all: sit with the others there. If they all left meanwhile, look
            // again.
            if let Some(seat) = Seating::participant(other) {
                *self = seat;
                return Confirmation::Here;
            }
        }
    }

    /// Puts this seating into the directory unless another one is settled there, which is then what
    /// comes out. It is put there anew even if it is there already, so that whoever is about to
    /// replace it notices and looks again.
    fn settle(&self) -> Option<Arc<Seating>> {
        let mut settled = None;
        let seating = &self.seating;
        seating.directory.seatings.change(&seating.name, |current| {
            settled = current
                .filter(|other| !Arc::ptr_eq(other, seating))
                .filter(|other| other.is_settled() && !other.is_over())
                .map(Arc::clone);
            if settled.is_some() {
                Change::Keep
            } else {
                Change::Put(Arc::clone(seating))
            }
        });
        settled
    }
}
