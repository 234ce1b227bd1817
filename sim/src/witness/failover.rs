//! One call at several peers, one after another (TRUNK.md section 4): when another one may be asked, and which answer
//! the caller is due.

use super::leg::{Leg, Went};
use super::{Call, Witness};
use crate::place::{Place, Side};
use crate::seen::Seen;
use std::time::Duration;

/// Attempts of one call.
const ATTEMPTS_MAX: usize = 3;
/// How long a peer that failed is left alone at least.
const HOLD_DOWN: Duration = Duration::from_secs(5);
/// Refusals that lead to the next peer, unless it was ringing.
const NEXT_ON: [u16; 8] = [408, 480, 486, 500, 502, 503, 504, 600];

/// An earlier leg of a call that is being looked at in the place of the last one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Focus {
    call: u64,
    leg: usize,
}

impl Witness {
    /// Looks at the leg that a message belongs to, if it is an earlier one.
    pub(super) fn focus(&mut self, agent: Place, message: &Seen) -> Option<Focus> {
        let number = self.call_of(agent, message)?;
        let call = self.calls.get_mut(&number)?;
        let mut past = call.past.iter();
        let leg = past.position(|leg| leg.call_id == message.call_id)?;
        let focus = Focus { call: number, leg };
        call.swap(focus);
        Some(focus)
    }

    pub(super) fn unfocus(&mut self, focus: Option<Focus>) {
        if let Some(focus) = focus
            && let Some(call) = self.calls.get_mut(&focus.call)
        {
            call.swap(focus);
        }
    }

    /// All peer legs of a call.
    pub(super) fn peer_legs_of(&self, number: u64) -> impl Iterator<Item = &Leg> {
        let call = self.calls.get(&number);
        call.into_iter()
            .flat_map(|call| call.past.iter().chain(&call.peer))
    }

    /// Whether a new leg may go to this peer: not right after it failed (TRUNK.md section 4).
    pub(super) fn check_peer(&self, now: Duration, to: Place) -> Result<(), String> {
        let (patience, slack) = (self.timers.t1 * 4, self.slack);
        let legs = self
            .calls
            .values()
            .flat_map(|call| call.past.iter().chain(&call.peer));
        let at_peer = legs.filter(|leg| leg.agent == to);
        let failures = at_peer.filter_map(|leg| leg.failed_at(now, (patience, slack)));
        let last = failures.max();
        match last {
            Some(at) if self.is_punctual && now > at && now + slack < at + HOLD_DOWN => {
                Err(format!("a new call, and the peer failed at {at:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Remembers which peers gave a reason to be passed over.
    pub(super) fn note_failures(&mut self, now: Duration) {
        let patience = self.timers.t1 * 4;
        let legs = self
            .calls
            .values()
            .flat_map(|call| call.past.iter().chain(&call.peer));
        let troubled = legs.filter(|leg| leg.is_troubled(now, patience));
        self.troubled.extend(troubled.map(|leg| leg.agent));
    }
}

impl Call {
    /// Whether the peer leg that is looked at is an earlier one.
    pub(super) fn is_past(&self, side: Side) -> bool {
        side == Side::Peer && self.peer.as_ref().is_some_and(|leg| leg.is_past)
    }

    fn swap(&mut self, focus: Focus) {
        if let (Some(past), Some(peer)) = (self.past.get_mut(focus.leg), &mut self.peer) {
            std::mem::swap(past, peer);
        }
    }

    /// The leg so far becomes an earlier one, if another peer may be asked.
    pub(super) fn make_past(
        &mut self,
        now: Duration,
        to: Place,
        (patience, is_dead, is_away): (Duration, bool, bool),
    ) -> Result<(), String> {
        let is_open = self.is_open() && !self.is_cancelled;
        let Some(last) = &self.peer else {
            return Ok(());
        };
        if !is_open {
            return Err("a second peer, and the caller has its answer".into());
        }
        // Where it was answered and did not stay, nobody failed.
        let left_behind = |leg: &&Leg| leg.is_left_behind();
        let followed = self.past.iter().chain([last]).filter(left_behind).count();
        if self.past.len() + 1 >= ATTEMPTS_MAX + followed {
            return Err(format!("more than {ATTEMPTS_MAX} attempts"));
        }
        let is_away = is_away && last.is_left_behind();
        let was_there = self.past.iter().chain([last]).any(|leg| leg.agent == to);
        if was_there && !is_away {
            return Err("this peer has failed in this call already".into());
        }
        let invite = last.invite_went().ok_or("a leg without an INVITE")?;
        let first = invite.finals.first().map(|(status, _)| *status);
        let is_silent = invite.provisional_at.is_none() && now >= invite.at + patience;
        let is_over = first.is_some_and(|status| last.goes_on_after(status));
        // Who heard 100 and no more of a dead peer goes on.
        let has_rung = invite.provisionals.iter().any(|status| *status > 100);
        let is_left = is_dead && !has_rung;
        let is_lost = first.is_none() && (invite.failed_at.is_some() || is_silent || is_left);
        if !is_over && !is_lost && !is_away {
            return Err("a second peer leg, and the first one has not failed".into());
        }
        if let Some(seat) = self.seat.as_mut().filter(|_| is_away) {
            seat.follows();
        }
        if let Some(mut leg) = self.peer.take() {
            leg.is_past = true;
            leg.superseded_at = (is_lost || is_away).then_some(now);
            self.past.push(leg);
        }
        Ok(())
    }

    /// What timer C counts from (docs/decisions/0007): the last provisional of the peer that is no 100, or the caller's
    /// INVITE, however many peers have died since.
    pub(super) fn rings_from(&self) -> Option<Duration> {
        let begun = self.caller.as_ref().and_then(Leg::invite_came)?.at;
        let invite = self.peer.as_ref().and_then(Leg::invite_went);
        Some(invite.and_then(|invite| invite.rang_at).unwrap_or(begun))
    }

    /// The status that the peers' answers give the caller, as it came from a peer: the last one's, or where that leads to
    /// the next peer the best of all (RFC 3261 §16.7 step 6).
    pub(super) fn answer_due(&self) -> Option<u16> {
        let first = |leg: &Leg| {
            let finals = &leg.invite_went()?.finals;
            finals.first().map(|(status, _)| *status)
        };
        let last = self.peer.as_ref()?;
        if let Some(status) = first(last)
            && !last.is_left_behind()
            && !last.goes_on_after(status)
        {
            return Some(status);
        }
        let legs = self.past.iter().chain([last]);
        // A leg that was given up has no say any more.
        let statuses = legs
            .filter(|leg| leg.superseded_at.is_none() && !leg.is_left_behind())
            .filter_map(first);
        statuses.min_by_key(|status| match status {
            600.. => 0,
            503 => 4,
            401 | 407 | 415 | 420 | 484 => 1,
            400..500 => 2,
            _ => 3,
        })
    }
}

impl Leg {
    /// Whether the peer answered with 2xx, and the node hung up.
    pub(super) fn is_left_behind(&self) -> bool {
        let dialog = self.winning_dialog();
        dialog.is_some_and(|dialog| dialog.bye_went.is_some())
    }

    /// Whether a refusal with this status leads to the next peer.
    pub(super) fn goes_on_after(&self, status: u16) -> bool {
        let rang = |invite: &Went| invite.provisionals.iter().any(|status| *status > 100);
        NEXT_ON.contains(&status) && !self.invite_went().is_some_and(rang)
    }

    /// When the peer was found to be dead: it could not be reached, or said nothing for too long.
    fn failed_at(
        &self,
        now: Duration,
        (patience, slack): (Duration, Duration),
    ) -> Option<Duration> {
        let invite = self.invite_went()?;
        let overdue = invite.at + patience + slack;
        let is_silent = invite.first_at.is_none_or(|at| at > overdue) && now > overdue;
        invite.failed_at.or_else(|| is_silent.then_some(overdue))
    }

    fn is_troubled(&self, now: Duration, patience: Duration) -> bool {
        let refused = |invite: &Went| {
            let mut finals = invite.finals.iter();
            finals.any(|(status, _)| matches!(status, 408 | 500..600))
        };
        self.failed_at(now, (patience, Duration::ZERO)).is_some()
            || self.invite_went().is_some_and(refused)
    }
}
