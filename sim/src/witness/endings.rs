//! When all is quiet: what the node owed to each call, and whether it was done.

use super::leg::{Came, Dialog, Leg, Went};
use super::requests::{COPIES_MAX, INVITES_MAX};
use super::{Call, Witness};
use crate::finding::Fault;
use crate::node::Holdings;
use std::collections::BTreeSet;
use std::time::Duration;

impl Witness {
    /// The world is quiet: nothing may be left, and every call must have ended by the book.
    pub(crate) fn finish(&self, holdings: &Holdings) -> Result<(), Fault> {
        let mut unheard = 0;
        let mut meetings = BTreeSet::new();
        for (number, call) in &self.calls {
            self.check_call(call)
                .map_err(|what| Fault::of_call(*number, format!("when all is quiet: {what}")))?;
            unheard += usize::from(call.is_unheard());
            let conference = call.seat.map(|seat| seat.conference);
            meetings.extend(conference.filter(|_| call.is_unheard()));
        }
        let in_use: u32 = holdings.sessions.iter().map(|[used, _]| used).sum();
        // Those that were begun anew elsewhere are not known any more.
        let [conferences, seats] = holdings.conferences.unwrap_or_default();
        if holdings.occupancy != [unheard, 0, 0, 0, 0, unheard, unheard, 0]
            || in_use as usize != unheard
            || conferences > meetings.len()
            || seats > unheard
        {
            return Err(Fault::of_world(format!(
                "all is quiet, and there are left (calls, client and server transactions, timers, attempts, permits) {:?}, \
                 sessions {:?}, {conferences} conferences with {seats} seats; {unheard} calls could not be known to be \
                 over",
                holdings.occupancy, holdings.sessions
            )));
        }
        Ok(())
    }

    fn check_call(&self, call: &Call) -> Result<(), String> {
        if !call.is_reported {
            return Err("the caller does not know what became of it".into());
        }
        let Some(caller) = &call.caller else {
            // No INVITE ever arrived.
            return match &call.peer {
                Some(_) => Err("a peer leg without a caller leg".into()),
                None => Ok(()),
            };
        };
        let invite = caller.invite_came().ok_or("a leg without an INVITE")?;
        self.check_answered(call, caller, invite)?;
        for peer in call.past.iter().chain(&call.peer) {
            let invite = peer.invite_went().ok_or("a leg without an INVITE")?;
            check_invite_over(peer, invite, (self.timers.t1_64(), self.is_punctual))?;
        }
        let legs = [Some(caller), call.peer.as_ref()].into_iter().flatten();
        for leg in legs.chain(&call.past) {
            self.check_inside(call, leg)?;
            if !call.is_unheard() {
                check_dialogs(leg, call.is_cancelled)?;
            }
            if self.is_punctual {
                check_patience(leg)?;
            }
        }
        Ok(())
    }

    /// The caller's INVITE got its final answer, in time, and often enough for a lossy network.
    fn check_answered(&self, call: &Call, leg: &Leg, invite: &Came) -> Result<(), String> {
        let answer = invite
            .answer
            .as_ref()
            .ok_or("the INVITE never got a final answer")?;
        let asked = call.peer.as_ref().and_then(Leg::invite_went);
        let until = asked.map_or(invite.at, |asked| {
            let calling = asked.at + self.timers.t1_64();
            let rings = call.rings_from().filter(|_| asked.provisional_at.is_some());
            rings.map_or(calling, |from| calling.max(from + self.timers.ring))
        });
        if self.is_punctual && answer.at > until + self.slack {
            return Err(format!(
                "the final answer came at {:?}, not later than {until:?} was due",
                answer.at
            ));
        }
        let is_success = (200..300).contains(&answer.status);
        let is_heard = if is_success {
            leg.dialogs.values().any(Dialog::is_confirmed)
        } else {
            // A refusal without state is sent again only when the INVITE is.
            invite.is_acknowledged || (answer.status == 503 && call.peer.is_none())
        };
        let is_repeated = is_success || !leg.is_reliable;
        let is_short = self.is_punctual && answer.copies < COPIES_MAX;
        if is_repeated && !is_heard && is_short {
            return Err(format!(
                "no ACK came, and the {} was sent only {} times",
                answer.status, answer.copies
            ));
        }
        Ok(())
    }
}

impl Call {
    /// Whether the call is up as far as the node can know: what the agents said of its end was lost, every time, and no
    /// session timer (RFC 4028) tells.
    fn is_unheard(&self) -> bool {
        let is_up = |leg: &Option<Leg>| {
            let mut dialogs = leg.iter().flat_map(|leg| leg.dialogs.values());
            let is_timed = leg.as_ref().is_some_and(|leg| leg.timer.is_some());
            !is_timed && dialogs.any(|dialog| dialog.is_real() && !dialog.is_over())
        };
        let is_told = [&self.caller, &self.peer].into_iter().flatten().any(|leg| {
            let mut ends = leg.dialogs.values();
            ends.any(|dialog| dialog.bye_came.is_some())
        });
        self.is_disturbed && !is_told && is_up(&self.caller) && is_up(&self.peer)
    }
}

/// The INVITE of a peer leg was answered and acknowledged, or cancelled, or sent as often as it may be.
fn check_invite_over(
    leg: &Leg,
    invite: &Went,
    (patience, is_punctual): (Duration, bool),
) -> Result<(), String> {
    if invite.failed_at.is_some() || leg.superseded_at.is_some() {
        return Ok(());
    }
    let is_refused = invite
        .finals
        .first()
        .is_some_and(|(status, _)| *status >= 300);
    let is_in_time = invite
        .final_at
        .is_some_and(|at| invite.rings || at < invite.at + patience);
    if is_refused && is_in_time && !invite.is_acknowledged {
        return Err("the peer's refusal was not acknowledged".into());
    }
    if !invite.is_answered() && invite.rings && !leg.has_cancel() {
        return Err("the peer rang, and nobody cancelled".into());
    }
    let is_silent = !invite.is_answered() && invite.provisional_at.is_none();
    if is_silent && !leg.is_reliable && is_punctual && invite.copies < INVITES_MAX {
        return Err(format!(
            "nothing came, and the INVITE was sent only {} times",
            invite.copies
        ));
    }
    Ok(())
}

/// Each 2xx was acknowledged, and what it began was ended.
fn check_dialogs(leg: &Leg, is_cancelled: bool) -> Result<(), String> {
    for dialog in leg.dialogs.values().filter(|dialog| dialog.is_real()) {
        let is_ours = leg.invite_went().is_some();
        let is_excused = was_hung_up(dialog) && !is_cancelled;
        if is_ours && dialog.acks_went == 0 && !is_excused {
            return Err(format!("{}'s 2xx was not acknowledged", leg.agent));
        }
        if !dialog.is_over() {
            return Err(format!("nobody hung up with {}", leg.agent));
        }
    }
    Ok(())
}

/// A BYE may come before the caller's ACK does; then nothing is left to acknowledge.
fn was_hung_up(dialog: &Dialog) -> bool {
    dialog.bye_came.is_some() && dialog.bye_went.is_none()
}

/// What the other side never answered was sent as often as it may be, over datagrams.
fn check_patience(leg: &Leg) -> Result<(), String> {
    // What is carried across may be given up when the call ends.
    let others = leg
        .went
        .iter()
        .filter(|(id, went)| **id != leg.invite && went.passes.is_none())
        // Nor is a refresh repeated when its session is over.
        .filter(|(id, _)| !matches!(id.1.as_str(), "INVITE" | "UPDATE"));
    for ((_, method), went) in others {
        let is_silent = !went.is_answered() && went.failed_at.is_none();
        if is_silent && !leg.is_reliable && went.copies < COPIES_MAX {
            return Err(format!(
                "nothing came, and the {method} was sent only {} times",
                went.copies
            ));
        }
    }
    Ok(())
}
