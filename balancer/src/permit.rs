//! The right to sessions of a peer and to a seat in a conference. Both go back on drop, whatever
//! the reason.

use crate::board::{Board, PeerId};
use crate::conferences::{Confirmation, Seat};
use crate::grounds::Grounds;
use crate::place::NoPlace;
use crate::sessions::Seen;
use crate::vitals::Vitals;
use std::sync::Arc;

/// What one call holds.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once reserves nothing"]
pub struct Permit {
    peer: PeerId,
    sessions: u32,
    is_reserved: bool,
    vitals: Arc<Vitals>,
    seat: Option<Seat>,
    grounds: Option<Grounds>,
}

impl Permit {
    /// For sessions that were taken and reserved already.
    pub(crate) fn of(peer: PeerId, vitals: &Arc<Vitals>, sessions: u32) -> Self {
        Self {
            peer,
            sessions,
            is_reserved: true,
            vitals: Arc::clone(vitals),
            seat: None,
            grounds: None,
        }
    }

    pub(crate) fn with_seat(mut self, seat: Seat) -> Self {
        debug_assert!(self.seat.is_none(), "a call sits in one conference");
        self.seat = Some(seat);
        self
    }

    /// A second permit at the same peer, with a seat in the same conference: for a call that is to take
    /// the place of this one. It has no other peer to go to, so that only the peer's own maximum binds
    /// it.
    ///
    /// # Errors
    /// The peer has no session left.
    pub fn beside(&self, sessions_max: u32) -> Result<Self, NoPlace> {
        let counts = &self.vitals.counts;
        let has_room = |seen: Seen| seen.taken().saturating_add(self.sessions) <= sessions_max;
        if !counts.take_if(self.sessions, has_room) {
            return Err(NoPlace::NoCapacity);
        }
        let permit = Self::of(self.peer, &self.vitals, self.sessions);
        match self.seat.as_ref().map(Seat::beside) {
            None => Ok(permit),
            Some(Some(seat)) => Ok(permit.with_seat(seat)),
            // Nobody sits there any more: the call is none of the conference's.
            Some(None) => Ok(permit),
        }
    }

    /// Notes on what the decision was made.
    pub(crate) fn note(&mut self, grounds: Grounds) {
        self.grounds = Some(grounds);
    }

    /// Why this peer, with which figures at that moment, and why not the others: with the names of
    /// this board. Empty where nothing was noted.
    #[must_use]
    pub fn why(&self, board: &Board) -> String {
        let grounds = self.grounds.as_ref();
        grounds.map_or_else(String::new, |grounds| grounds.text(board))
    }

    /// The peer that the sessions are of.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// The name of the conference that the call is for.
    #[must_use]
    pub fn conference(&self) -> Option<Arc<str>> {
        self.seat.as_ref().map(Seat::name)
    }

    /// The number of the conference that the call is for.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        self.seat.as_ref().map(Seat::number)
    }

    /// Whether the call is for a conference of which it is not known yet where it is: when it is answered, another
    /// peer may have been first.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.seat.as_ref().is_some_and(Seat::is_unsettled)
    }

    /// The call went on to another peer: until the attempt is over its sessions are held, but its
    /// place in the conference keeps nobody else out.
    pub fn give_up(&mut self) {
        if let Some(seat) = &mut self.seat {
            seat.give_up();
        }
    }

    /// The peer answered the call with 2xx: the sessions are in use, and the caller takes part in
    /// the conference. A second time changes nothing.
    pub fn confirm(&mut self) -> Confirmation {
        if std::mem::replace(&mut self.is_reserved, false) {
            self.vitals.counts.confirm(self.sessions);
        }
        self.seat.as_mut().map_or(Confirmation::Here, Seat::confirm)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.vitals
            .counts
            .give_back(self.sessions, self.is_reserved);
    }
}
