//! The sessions that attempts hold, each until its attempt is over.

use balancer::Permit;
use signaling::Attempt;
use signaling::slots::Key;
use std::collections::BTreeMap;

/// The permits of one worker.
#[derive(Debug, Default)]
pub(super) struct Permits {
    /// Of the last attempt of each call, by the call's slot.
    last: Vec<Option<(Attempt, Permit)>>,
    /// Of attempts that were given up and are not over: of few calls, and not for long.
    given_up: BTreeMap<Attempt, Permit>,
}

impl Permits {
    pub(super) fn hold(&mut self, attempt: Attempt, permit: Permit) {
        let slot = attempt.call.slot as usize;
        if self.last.len() <= slot {
            self.last.resize_with(slot + 1, || None);
        }
        if let Some(place) = self.last.get_mut(slot) {
            // What was there is an attempt that was given up, of this call or of one that is over.
            if let Some((earlier, mut held)) = place.replace((attempt, permit)) {
                debug_assert!(earlier != attempt, "an attempt has one permit");
                held.give_up();
                self.given_up.insert(earlier, held);
            }
        }
    }

    pub(super) fn of(&mut self, attempt: Attempt) -> Option<&mut Permit> {
        match self.last.get_mut(attempt.call.slot as usize) {
            Some(Some((holder, permit))) if *holder == attempt => Some(permit),
            Some(_) | None => self.given_up.get_mut(&attempt),
        }
    }

    /// That of the last attempt of a call.
    pub(super) fn of_call(&self, call: Key) -> Option<&Permit> {
        let (attempt, permit) = self.last.get(call.slot as usize)?.as_ref()?;
        (attempt.call == call).then_some(permit)
    }

    /// The attempt is over: its permit goes back.
    pub(super) fn release(&mut self, attempt: Attempt) {
        match self.last.get_mut(attempt.call.slot as usize) {
            Some(place) if place.as_ref().is_some_and(|(holder, _)| *holder == attempt) => {
                *place = None;
            }
            Some(_) | None => drop(self.given_up.remove(&attempt)),
        }
    }

    /// How many are held. Looks at every slot.
    pub(super) fn count(&self) -> usize {
        self.last.iter().flatten().count() + self.given_up.len()
    }
}
