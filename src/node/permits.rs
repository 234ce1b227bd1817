//! The sessions that attempts hold, each until its attempt is over; and the other addresses of a peer, which an attempt
//! that reached nobody leaves to the next one, together with its session.

use balancer::{Permit, Target};
use signaling::Attempt;
use signaling::slots::Key;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The permits of one worker.
#[derive(Debug, Default)]
pub(super) struct Permits {
    /// Of the last attempt of each call, by the call's slot.
    last: Vec<Option<Held>>,
    /// Of attempts that were given up and are not over: of few calls, and not for long. Those without a permit left it
    /// to an attempt at another address of their peer.
    given_up: BTreeMap<Attempt, Option<Permit>>,
    /// Calls whose last attempt left an address, since the core was asked last for what it wants.
    left: Vec<Key>,
}

/// What one attempt holds.
#[derive(Debug)]
pub(super) struct Held {
    attempt: Attempt,
    pub(super) permit: Permit,
    pub(super) way: Way,
    stage: Stage,
}

/// The addresses of the peer, in the order in which they are tried.
#[derive(Clone, Debug)]
pub(super) struct Way {
    targets: Arc<[Target]>,
    /// Which of them is the first.
    start: usize,
    /// How many were tried before this one.
    tried: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The attempt is on its way, or its call stands.
    Open,
    /// Nobody answers at this address, and the next one may be tried; the attempt is not over.
    Unanswered,
    /// The same, and the attempt is over.
    Left,
}

impl Way {
    /// From this one on.
    pub(super) fn new(targets: Arc<[Target]>, start: usize) -> Self {
        Self {
            targets,
            start,
            tried: 0,
        }
    }

    /// The address that is tried now.
    pub(super) fn target(&self) -> Option<Target> {
        let count = self.targets.len().max(1);
        let at = (self.start + self.tried) % count;
        self.targets.get(at).copied()
    }

    /// How many were tried before.
    pub(super) fn tried(&self) -> usize {
        self.tried
    }

    /// How many there are; none where the address is not of the peer's own list.
    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    fn has_more(&self) -> bool {
        self.tried + 1 < self.targets.len()
    }
}

impl Permits {
    pub(super) fn hold(&mut self, attempt: Attempt, permit: Permit, way: Way) {
        let slot = attempt.call.slot as usize;
        if self.last.len() <= slot {
            self.last.resize_with(slot + 1, || None);
        }
        let held = Held {
            attempt,
            permit,
            way,
            stage: Stage::Open,
        };
        if let Some(place) = self.last.get_mut(slot) {
            // What was there is an attempt that was given up, of this call or of one that is over.
            if let Some(mut earlier) = place.replace(held).filter(|held| held.stage != Stage::Left)
            {
                debug_assert!(earlier.attempt != attempt, "an attempt has one permit");
                earlier.permit.give_up();
                self.given_up.insert(earlier.attempt, Some(earlier.permit));
            }
        }
    }

    /// What an attempt holds, if it is the last one of its call.
    pub(super) fn held(&mut self, attempt: Attempt) -> Option<&mut Held> {
        let held = self.last.get_mut(attempt.call.slot as usize)?.as_mut();
        held.filter(|held| held.attempt == attempt)
    }

    /// Whether an attempt is not over.
    pub(super) fn is_open(&self, attempt: Attempt) -> bool {
        let held = self.last.get(attempt.call.slot as usize);
        let held = held.and_then(Option::as_ref);
        let is_last = held.is_some_and(|held| held.attempt == attempt && held.stage != Stage::Left);
        is_last || self.given_up.contains_key(&attempt)
    }

    /// The permit of an attempt that has one.
    pub(super) fn of(&mut self, attempt: Attempt) -> Option<&mut Permit> {
        match self.last.get_mut(attempt.call.slot as usize) {
            Some(Some(held)) if held.attempt == attempt => Some(&mut held.permit),
            Some(_) | None => self.given_up.get_mut(&attempt)?.as_mut(),
        }
    }

    /// That of the last attempt of a call.
    pub(super) fn of_call(&self, call: Key) -> Option<&Permit> {
        let held = self.last.get(call.slot as usize)?.as_ref()?;
        (held.attempt.call == call).then_some(&held.permit)
    }

    /// Nobody answers this attempt. Whether there is another address, which keeps the permit.
    pub(super) fn leave_address(&mut self, attempt: Attempt) -> bool {
        let held = self.held(attempt).filter(|held| held.way.has_more());
        if let Some(held) = held {
            held.stage = Stage::Unanswered;
            return true;
        }
        false
    }

    /// The peer answered after all: it stays at this address.
    pub(super) fn stay(&mut self, attempt: Attempt) {
        if let Some(held) = self.held(attempt) {
            held.stage = Stage::Open;
        }
    }

    /// The next attempt of a call whose last one left an address: at the next one, with its permit.
    pub(super) fn next_address(&mut self, attempt: Attempt) -> Option<&mut Held> {
        let held = self.last.get_mut(attempt.call.slot as usize)?.as_mut()?;
        if held.attempt.call != attempt.call || held.stage == Stage::Open {
            return None;
        }
        if held.stage == Stage::Unanswered {
            self.given_up.insert(held.attempt, None);
        }
        held.attempt = attempt;
        held.stage = Stage::Open;
        held.way.tried += 1;
        Some(held)
    }

    /// The attempt is over: its permit goes back, unless it is for the next address.
    pub(super) fn release(&mut self, attempt: Attempt) {
        match self.last.get_mut(attempt.call.slot as usize) {
            Some(place) if place.as_ref().is_some_and(|held| held.attempt == attempt) => {
                match place {
                    Some(held) if held.stage == Stage::Unanswered => {
                        held.stage = Stage::Left;
                        self.left.push(attempt.call);
                    }
                    Some(_) | None => *place = None,
                }
            }
            Some(_) | None => drop(self.given_up.remove(&attempt)),
        }
    }

    /// Nobody asked for the next address of those that left theirs: their permits go back.
    pub(super) fn give_back_left(&mut self) {
        for call in std::mem::take(&mut self.left) {
            if let Some(place) = self.last.get_mut(call.slot as usize)
                && let Some(held) = place
                && held.attempt.call == call
                && held.stage == Stage::Left
            {
                *place = None;
            }
        }
    }

    /// How many are held. Looks at every slot.
    pub(super) fn count(&self) -> usize {
        self.last.iter().flatten().count() + self.given_up.len()
    }
}
