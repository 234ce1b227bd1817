//! The sessions that attempts hold, each until its attempt is over; and the other addresses of a peer, which an attempt
//! that reached nobody leaves to the next one, together with its session.

use balancer::{PeerId, Permit, Target};
use signaling::Attempt;
use signaling::slots::Key;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// The permits of one worker.
#[derive(Debug, Default)]
pub(super) struct Permits {
    /// Of the last attempt of each call, by the call's slot.
    last: Vec<Option<Held>>,
    /// Of attempts that are not the last one and not over: of few calls, and not for long.
    given_up: BTreeMap<Attempt, GivenUp>,
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

/// What is kept of an attempt that is not the last one of its call.
#[derive(Debug)]
struct GivenUp {
    /// None where that stays with, or went to, an attempt at another address of the peer.
    permit: Option<Permit>,
    peer: PeerId,
    target: Option<Target>,
}

/// The addresses of the peer, in the order in which they are tried.
#[derive(Clone, Debug)]
pub(super) struct Way {
    targets: Arc<[Target]>,
    /// Which of them is the first.
    start: usize,
    /// How many come before this one, and before the one that is tried next.
    at: usize,
    next: usize,
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
            at: 0,
            next: 1,
        }
    }

    /// The address of the attempt.
    pub(super) fn target(&self) -> Option<Target> {
        self.in_order(self.at)
    }

    /// The address that is tried next, and how many were tried before.
    pub(super) fn next(&self) -> Option<(Target, usize)> {
        let more = self.next < self.targets.len();
        Some((self.in_order(self.next).filter(|_| more)?, self.next))
    }

    /// How many there are; none where the address is not of the peer's own list.
    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    fn in_order(&self, place: usize) -> Option<Target> {
        let at = (self.start + place) % self.targets.len().max(1);
        self.targets.get(at).copied()
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
                let given_up = GivenUp {
                    peer: earlier.permit.peer(),
                    target: earlier.way.target(),
                    permit: Some(earlier.permit),
                };
                self.given_up.insert(earlier.attempt, given_up);
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
            Some(_) | None => self.given_up.get_mut(&attempt)?.permit.as_mut(),
        }
    }

    /// The peer of an attempt that is not over.
    pub(super) fn peer(&self, attempt: Attempt) -> Option<PeerId> {
        match self.last.get(attempt.call.slot as usize) {
            Some(Some(held)) if held.attempt == attempt => Some(held.permit.peer()),
            Some(_) | None => Some(self.given_up.get(&attempt)?.peer),
        }
    }

    /// The same, to look at.
    pub(super) fn seen(&self, attempt: Attempt) -> Option<&Permit> {
        match self.last.get(attempt.call.slot as usize) {
            Some(Some(held)) if held.attempt == attempt => Some(&held.permit),
            Some(_) | None => self.given_up.get(&attempt)?.permit.as_ref(),
        }
    }

    /// The address of an attempt, if its peer has several, and whether there are others to try.
    pub(super) fn address(&self, attempt: Attempt) -> Option<(SocketAddr, bool)> {
        let held = self.last.get(attempt.call.slot as usize)?.as_ref()?;
        let target = if held.attempt == attempt {
            held.way.target()
        } else {
            self.given_up.get(&attempt)?.target
        };
        let is_of_call = held.attempt.call == attempt.call;
        let target = target.filter(|_| held.way.len() > 1)?;
        Some((target.remote, is_of_call && held.way.next().is_some()))
    }

    /// Nobody answers this attempt: the next address may be tried, with its permit.
    pub(super) fn leave_address(&mut self, attempt: Attempt) {
        if let Some(held) = self.held(attempt) {
            held.stage = Stage::Unanswered;
        }
    }

    /// The peer answered after all: it stays at this address.
    pub(super) fn stay(&mut self, attempt: Attempt) {
        if let Some(held) = self.held(attempt) {
            held.stage = Stage::Open;
        }
    }

    /// What the last attempt of a call holds, if that left its address.
    pub(super) fn leaving(&self, call: Key) -> Option<&Held> {
        let held = self.last.get(call.slot as usize)?.as_ref()?;
        (held.attempt.call == call && held.stage != Stage::Open).then_some(held)
    }

    /// The next address of the last attempt of a call was chosen for this attempt. Once that is under way it has the
    /// permit; else the one before keeps it, which may be answered yet.
    pub(super) fn try_next_address(&mut self, attempt: Attempt, is_under_way: bool) {
        let Some(Some(held)) = self.last.get_mut(attempt.call.slot as usize) else {
            debug_assert!(
                false,
                "an address is left by an attempt that holds a permit"
            );
            return;
        };
        let way = &mut held.way;
        let (before, now) = (way.target(), way.in_order(way.next));
        let (behind, target) = if is_under_way {
            way.at = way.next;
            let left = std::mem::replace(&mut held.stage, Stage::Open);
            let earlier = std::mem::replace(&mut held.attempt, attempt);
            ((left == Stage::Unanswered).then_some(earlier), before)
        } else {
            (Some(attempt), now)
        };
        held.way.next += 1;
        let given_up = GivenUp {
            permit: None,
            peer: held.permit.peer(),
            target,
        };
        if let Some(behind) = behind {
            self.given_up.insert(behind, given_up);
        }
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

    /// How many are held, and attempts without one of their own. Looks at every slot.
    pub(super) fn count(&self) -> [usize; 2] {
        let given_up = self.given_up.values();
        let with = given_up.filter(|it| it.permit.is_some()).count();
        let held = self.last.iter().flatten().count() + with;
        [held, self.given_up.len() - with]
    }
}
