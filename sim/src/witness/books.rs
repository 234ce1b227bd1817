//! After every step: what was due in it was done, the legs of each call agree, and the sessions in use are those of calls.

use super::leg::{Dialog, Leg};
use super::{Call, Due, Witness};
use crate::finding::Fault;
use crate::node::Holdings;
use crate::place::{Place, Side};
use std::time::Duration;

impl Witness {
    /// A step is over: what was due in it must have been done, and the books must balance.
    pub(crate) fn settle(&mut self, now: Duration, holdings: Holdings) -> Result<(), Fault> {
        for due in std::mem::take(&mut self.due) {
            self.check_due(now, &due, &holdings)?;
        }
        self.answered.clear();
        self.acknowledged.clear();
        self.check_timers(now)?;
        let is_still = self.touched.is_empty() && self.held.as_ref() == Some(&holdings);
        for number in std::mem::take(&mut self.touched) {
            if let Some(call) = self.calls.get(&number) {
                call.check_standing()
                    .map_err(|what| Fault::of_call(number, what))?;
            }
        }
        if is_still {
            return Ok(());
        }
        self.check_sessions(&holdings)?;
        self.held = Some(holdings);
        Ok(())
    }

    fn check_due(&self, now: Duration, due: &Due, holdings: &Holdings) -> Result<(), Fault> {
        if self.is_done(now, due, holdings) {
            return Ok(());
        }
        let (number, what) = match due {
            Due::Acknowledged(number, ..) => (number, "a final response got no ACK".into()),
            Due::Answer(number, _, id) => (number, format!("a {} got no answer", id.1)),
            Due::Cancelled(number, _) => {
                (number, "a peer that rings too late got no CANCEL".into())
            }
            Due::Ended(number, _) => (number, "a 2xx that came too late got no BYE".into()),
            Due::Final(number) => (number, "a cancelled INVITE got no final answer".into()),
            Due::Crowded(number) => (number, "refused by a conference that has room".into()),
            Due::Full(number) => {
                let sessions = &holdings.sessions;
                let what = format!("refused for want of room, and there is some: {sessions:?}");
                (number, what)
            }
            Due::Overloaded(number) => {
                let ([calls, ..], most) = (holdings.occupancy, self.calls_max);
                let what = format!("refused with {calls} calls of {most} in one worker");
                (number, what)
            }
            Due::Shed(number) => {
                let what = "a new call was taken though messages wait too long";
                (number, what.into())
            }
            Due::Placed(number) => {
                let what = "an INVITE went to no peer and was not refused";
                (number, what.into())
            }
            Due::Next(number, _) => {
                let what = "after a refusal no other peer was asked, and the caller heard nothing";
                (number, what.into())
            }
            Due::Relayed(number, status) => {
                let what = format!("the peer's {status} was not passed on to the caller");
                (number, what)
            }
        };
        Err(Fault::of_call(*number, what))
    }

    fn is_done(&self, now: Duration, due: &Due, holdings: &Holdings) -> bool {
        match due {
            Due::Acknowledged(number, side, tag) => {
                let mut sent = self.acknowledged.iter();
                sent.any(|(call, on, of)| call == number && on == side && of == tag)
            }
            Due::Answer(number, side, id) => {
                let mut sent = self.answered.iter();
                sent.any(|(call, on, of, _)| call == number && on == side && of == id)
            }
            Due::Cancelled(number, call_id) => {
                let mut legs = self.peer_legs_of(*number);
                legs.any(|leg| leg.call_id == *call_id && leg.has_cancel())
            }
            Due::Ended(number, tag) => {
                let mut legs = self.peer_legs_of(*number);
                legs.any(|leg| leg.dialogs.get(tag).is_some_and(Dialog::is_over))
            }
            Due::Next(number, legs) => {
                let call = self.calls.get(number);
                call.is_some_and(|call| call.past.len() > *legs)
                    || self.final_status(*number).is_some()
            }
            Due::Final(number) => self.final_status(*number).is_some(),
            Due::Crowded(number) => {
                let most = self.meetings.and_then(|meetings| meetings.participants_max);
                most.is_some_and(|most| self.maybe_there(now, *number) >= most as usize)
            }
            Due::Full(number) => {
                let mut sessions = (0u8..).zip(&holdings.sessions);
                sessions.all(|(number, [used, _])| self.is_closed(Place::Peer(number), *used))
                    || self.is_shut_out(now, *number, &holdings.sessions)
            }
            Due::Overloaded(_) => {
                let [calls, ..] = holdings.occupancy;
                calls >= self.calls_max
            }
            Due::Shed(number) => self.final_status(*number) == Some(503),
            Due::Placed(number) => {
                let call = self.calls.get(number);
                call.is_some_and(|call| call.peer.is_some()) || self.final_status(*number).is_some()
            }
            Due::Relayed(number, status) => {
                let mut sent = self.answered.iter();
                sent.any(|(call, side, id, with)| {
                    call == number && *side == Side::Caller && id.1 == "INVITE" && with == status
                }) || ((200..300).contains(status) && self.has_left(*number))
            }
        }
    }

    /// Whether a call left the peer that had answered it, for where its conference is: it was refused, or goes on.
    fn has_left(&self, number: u64) -> bool {
        let Some(call) = self.calls.get(&number) else {
            return false;
        };
        let is_refused = self
            .final_status(number)
            .is_some_and(|status| status >= 300);
        let last = call.peer.as_ref().filter(|_| is_refused);
        last.or_else(|| call.past.last())
            .is_some_and(Leg::is_left_behind)
    }

    /// Sessions are taken for attempts that are not over, for no others, and never more than there are.
    fn check_sessions(&self, holdings: &Holdings) -> Result<(), Fault> {
        let [calls, _, _, _, _, attempts, permits, without] = holdings.occupancy;
        let in_use: u32 = holdings.sessions.iter().map(|[used, _]| used).sum();
        let legs: usize = (self.calls.values())
            .map(|call| call.past.len() + usize::from(call.is_left()))
            .sum();
        if permits + without != attempts || attempts > calls + legs || in_use as usize != permits {
            return Err(Fault::of_world(format!(
                "{calls} calls with {attempts} attempts hold {permits} permits, {in_use} sessions \
                 are in use"
            )));
        }
        if let Some([_, seats]) = holdings.conferences
            && seats > permits
        {
            return Err(Fault::of_world(format!(
                "{seats} seats in conferences, and {permits} permits"
            )));
        }
        if let Some([used, most]) = holdings.sessions.iter().find(|[used, most]| used > most) {
            return Err(Fault::of_world(format!(
                "{used} sessions in use where {most} are the most"
            )));
        }
        for (number, [used, _]) in (0u8..).zip(&holdings.sessions) {
            let up = self
                .calls
                .values()
                .filter(|call| call.is_up_at(Place::Peer(number)));
            let up = up.count();
            if up > *used as usize {
                return Err(Fault::of_world(format!(
                    "{up} calls are up at peer {}, which has {used} sessions in use",
                    number + 1
                )));
            }
        }
        Ok(())
    }
}

impl Call {
    /// What holds between the legs of a call when nothing is being done.
    fn check_standing(&self) -> Result<(), String> {
        let (Some(caller), Some(peer)) = (&self.caller, &self.peer) else {
            return Ok(());
        };
        let (Some(invited), Some(inviting)) = (caller.invite_came(), peer.invite_went()) else {
            return Ok(());
        };
        let is_refused = invited.status().is_some_and(|status| status >= 300);
        let is_ringing = inviting.rings && !inviting.is_answered() && inviting.failed_at.is_none();
        if is_refused && is_ringing && !peer.has_cancel() {
            return Err("the caller has its answer, the peer rings, and nobody cancels".into());
        }
        let far = peer.winning_dialog();
        let Some(near) = caller.dialogs.values().next() else {
            return check_ended(is_refused, far);
        };
        let Some(far) = far else {
            return Err("the caller was told of a 2xx that no peer sent".into());
        };
        if near.is_over() && !far.is_over() {
            return Err("the caller's dialog is over, and nobody hung up with the peer".into());
        }
        if far.is_over() && near.ack_came && !near.is_over() {
            return Err("the peer's dialog is over, and nobody hung up with the caller".into());
        }
        if near.ack_came && far.acks_went == 0 && far.bye_came.is_none() {
            return Err("the caller's ACK was not passed on".into());
        }
        Ok(())
    }

    /// Whether the caller has its refusal while the peer, which was found dead, has not said its last word.
    fn is_left(&self) -> bool {
        let invite = self.caller.as_ref().and_then(Leg::invite_came);
        let status = invite.and_then(super::leg::Came::status);
        status.is_some_and(|status| status >= 300) && self.peer.is_some()
    }

    /// Whether the call was answered by this peer and nobody hung up.
    pub(super) fn is_up_at(&self, peer: Place) -> bool {
        let leg = self.peer.as_ref().filter(|leg| leg.agent == peer);
        leg.and_then(Leg::winning_dialog)
            .is_some_and(|dialog| !dialog.is_over())
    }
}

/// A 2xx that comes when the caller has been refused is acknowledged and ended at once.
fn check_ended(is_refused: bool, dialog: Option<&Dialog>) -> Result<(), String> {
    let is_left = dialog.is_some_and(|dialog| dialog.acks_went == 0 || !dialog.is_over());
    if is_refused && is_left {
        return Err("the caller was refused, and the peer's 2xx is left as it is".into());
    }
    Ok(())
}
