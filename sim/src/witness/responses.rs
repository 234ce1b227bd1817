//! The responses of the node: whether somebody asked, and whether they say what they may.

use super::exchanges::is_carried;
use super::leg::{Answer, Came, Dialog, Leg};
use super::requests::COPIES_MAX;
use super::{Due, Witness};
use crate::place::{Place, Side};
use crate::seen::Seen;
use balancer::Operator;
use signaling::sip::message::Method;
use std::time::Duration;

impl Witness {
    pub(super) fn response_went(
        &mut self,
        now: Duration,
        (number, side): (u64, Side),
        response: &Seen,
        bytes: &[u8],
    ) -> Result<(), String> {
        let id = response.transaction();
        self.answered
            .push((number, side, id.clone(), response.status));
        let patience = self.timers.t1_64();
        let call = self.calls.get_mut(&number).ok_or("no such call")?;
        // A node that takes no calls refuses without keeping anything (RFC 3261 §8.2.7).
        let is_stateless = call.peer.is_none() && response.status == 503;
        let leg = call.leg_mut(side).ok_or("there is no such leg")?;
        let came = leg.came.get_mut(&id).ok_or("no such request came")?;
        if came.cseq != response.cseq || came.their_tag != response.from_tag {
            return Err("CSeq or From are not those of the request".into());
        }
        let is_new = again(came, now, patience, response, bytes)?;
        // As it refuses what is for a dialog that is over, or out of order.
        let is_stateless = is_stateless || [481, 500].contains(&response.status);
        if !is_new && came.is_acknowledged && !is_stateless {
            return Err("repeated though its ACK came".into());
        }
        let is_inside = leg.invite != id && is_carried(response.method);
        let is_repeated_success =
            response.method == Method::Invite && response.is_success() && !is_inside;
        let dialog = leg.dialogs.get(&response.from_tag);
        if is_repeated_success && dialog.is_some_and(Dialog::is_confirmed) {
            return Err("repeated though its ACK came".into());
        }
        if !is_new {
            return Ok(());
        }
        match (response.method, response.is_final()) {
            _ if is_inside => self.inside_answered(now, (number, side), response)?,
            (Method::Invite, true) => self.invite_answered(now, (number, side), response)?,
            (Method::Invite, false) => self.check_provisional(number, response)?,
            (Method::Bye, true) => check_bye_answer(leg, response)?,
            (Method::Cancel, true) if [200, 481].contains(&response.status) => {}
            (Method::Cancel, true) => return Err("a CANCEL gets 200 or 481 (§9.2)".into()),
            (_, true) => {}
            (_, false) => return Err("a provisional answer to what is no INVITE".into()),
        }
        if response.is_final() {
            let leg = self
                .calls
                .get_mut(&number)
                .and_then(|call| call.leg_mut(side));
            if let Some(came) = leg.and_then(|leg| leg.came.get_mut(&id)) {
                came.answer = Some(Answer {
                    status: response.status,
                    bytes: bytes.to_vec(),
                    at: now,
                    copies: 1,
                });
            }
        }
        Ok(())
    }

    /// The first final answer to the caller's INVITE.
    fn invite_answered(
        &mut self,
        now: Duration,
        (number, side): (u64, Side),
        response: &Seen,
    ) -> Result<(), String> {
        if side == Side::Peer {
            return Err("peers do not invite".into());
        }
        self.check_reason(now, number, response)?;
        let leg = self
            .calls
            .get_mut(&number)
            .and_then(|call| call.caller.as_mut())
            .ok_or("there is no caller leg")?;
        if !response.is_success() {
            return Ok(());
        }
        leg.dialogs
            .insert(response.from_tag.clone(), Dialog::new(now, 0, true));
        leg.agreed(now, response, false);
        // Whatever came at the last moment: the caller was told of it.
        let peer = self
            .calls
            .get_mut(&number)
            .and_then(|call| call.peer.as_mut());
        if let Some(peer) = peer
            && let Some(winner) = peer.winner().map(<[u8]>::to_vec)
            && let Some(dialog) = peer.dialogs.get_mut(&winner)
        {
            dialog.is_owed = true;
        }
        Ok(())
    }

    /// Whether a final of this status is due to the caller now.
    fn check_reason(&mut self, now: Duration, number: u64, response: &Seen) -> Result<(), String> {
        let status = response.status;
        let call = self.calls.get(&number).ok_or("no such call")?;
        let peer = call.peer.as_ref().and_then(Leg::invite_went);
        let is_dead = call
            .peer
            .as_ref()
            .is_some_and(|leg| self.may_be_dead(leg.agent));
        let first = call.answer_due();
        if call.is_cancelled {
            return if status == 487 {
                Ok(())
            } else {
                Err("the caller had cancelled: that is a 487 (§9.2)".into())
            };
        }
        if first.is_some_and(|came| heard_as(came) == status) {
            return Ok(());
        }
        let left_behind = call.peer.as_ref().filter(|leg| leg.is_left_behind());
        if status == 480 && left_behind.is_some_and(|leg| self.may_be_away(now, number, leg.agent))
        {
            return Ok(());
        }
        let Some(invite) = peer else {
            return match status {
                480 => {
                    self.due.push(Due::Full(number));
                    Ok(())
                }
                486 if self.meetings.is_some() => {
                    self.due.push(Due::Crowded(number));
                    Ok(())
                }
                504 if self.are_all_out() => Ok(()),
                503 if self.draining_since.is_some() => Ok(()),
                503 if self.is_shed(now, response)? => Ok(()),
                503 => {
                    self.due.push(Due::Overloaded(number));
                    Ok(())
                }
                _ => Err("no peer was asked".into()),
            };
        };
        let rings = invite.provisional_at.is_some();
        let least = invite.at + self.timers.ring.min(self.timers.t1_64());
        let rang_until = call.rings_from().filter(|_| rings);
        let rang_until = rang_until.map(|from| least.max(from + self.timers.ring));
        match status {
            504 if invite.failed_at.is_some() => Ok(()),
            504 if is_dead => Ok(()),
            504 if rang_until.is_none() && now >= invite.at + self.timers.t1_64() => Ok(()),
            408 if rang_until.is_some_and(|until| now >= until) => Ok(()),
            504 | 408 => Err("the peer still had time".into()),
            _ => Err(format!("the peer's first final is {first:?}")),
        }
    }

    /// Whether a peer may be taken for dead, so that who waits for it is sent away (docs/decisions/0007): it was Failed when
    /// the step began, or gave a reason to be passed over and was probed often enough.
    pub(super) fn may_be_dead(&self, peer: Place) -> bool {
        let probes = self.probes.get(&peer).map_or(0, Vec::len);
        self.is_failed(peer) || (self.troubled.contains(&peer) && probes >= 3)
    }

    /// Whether every peer is known to fail, or taken out by the operator.
    fn are_all_out(&self) -> bool {
        let mut peers = (0u8..).take(self.peers.len()).map(Place::Peer);
        peers.all(|peer| self.troubled.contains(&peer) || self.operator(peer) != Operator::Ready)
    }

    fn check_provisional(&self, number: u64, response: &Seen) -> Result<(), String> {
        let status = response.status;
        let call = self.calls.get(&number).ok_or("no such call")?;
        // RFC 3261 §8.2.6.1: our own, for an INVITE that has just come.
        if status == 100 {
            let is_due = self.due.iter().any(|due| {
                matches!(due, Due::Answer(of, Side::Caller, id) if *of == number && id.1 == "INVITE")
            });
            return if is_due {
                Ok(())
            } else {
                Err("no INVITE came now; a peer's 100 is not passed on (§16.7)".into())
            };
        }
        let asked = call.peer.as_ref().and_then(Leg::invite_went);
        if asked.is_none_or(|invite| !invite.provisionals.contains(&status)) {
            return Err("the peer sent no such response".into());
        }
        let peer = call.peer.as_ref();
        let is_as_reliable = peer.is_some_and(|leg| match response.rseq {
            Some(rseq) => leg.rseqs.contains(&(status, rseq)),
            None => leg.plain.contains(&status),
        });
        if !is_as_reliable {
            return Err("it is not as reliable as the peer's (RFC 3262)".into());
        }
        Ok(())
    }
}

/// A response to what was finally answered before: the same again, or nothing. Whether it is the first of its kind.
fn again(
    came: &mut Came,
    now: Duration,
    patience: Duration,
    response: &Seen,
    bytes: &[u8],
) -> Result<bool, String> {
    let copies_came = came.copies;
    let Some(answer) = &mut came.answer else {
        return Ok(true);
    };
    // A request so late that its transaction is forgotten: whatever a new one gets.
    if now >= answer.at + patience && answer.bytes != bytes && response.status == 481 {
        return Ok(false);
    }
    if !response.is_final() {
        return Err(format!("after a final {}", answer.status));
    }
    if answer.bytes != bytes {
        return Err(format!(
            "a second final answer; the first was {}",
            answer.status
        ));
    }
    answer.copies += 1;
    let most = COPIES_MAX + copies_came;
    if answer.copies > most {
        return Err(format!("copy {}, {most} are the most", answer.copies));
    }
    Ok(false)
}

/// A BYE that ends a dialog gets 200; 481 only if that is over already, or is one of a fork that did not win.
fn check_bye_answer(leg: &Leg, response: &Seen) -> Result<(), String> {
    let id = response.transaction();
    let their_tag = response.from_tag.as_slice();
    let dialog = leg.dialogs.get(their_tag);
    let is_over = dialog.is_none_or(|dialog| {
        !dialog.is_real()
            || dialog.bye_went.is_some()
            || dialog.bye_came.as_ref().is_some_and(|first| *first != id)
    });
    let is_fork = leg.winner().is_some_and(|winner| winner != their_tag);
    match response.status {
        200 if dialog.is_some() => Ok(()),
        481 if is_over || is_fork => Ok(()),
        _ => Err("that is no answer to this BYE".into()),
    }
}

/// The status that the caller hears when a peer refuses with this one: one peer's 503 is not the
/// node's (RFC 3261 §16.7 step 6).
pub(super) fn heard_as(status: u16) -> u16 {
    if status == 503 { 480 } else { status }
}
