//! What came to the node, and what is due for it.

use super::exchanges::is_carried;
use super::leg::{Came, Dialog, Leg};
use super::responses::heard_as;
use super::{Call, Due, Witness};
use crate::place::{Place, Side};
use crate::seen::Seen;
use signaling::sip::message::Method;
use std::time::Duration;

impl Witness {
    /// A message reached the node.
    pub(crate) fn delivered(&mut self, now: Duration, from: Place, message: &Seen) {
        let focus = self.focus(from, message);
        self.delivered_in_call(now, from, message);
        self.unfocus(focus);
    }

    fn delivered_in_call(&mut self, now: Duration, from: Place, message: &Seen) {
        let (Some(number), Some(side)) = (self.call_of(from, message), from.side()) else {
            return;
        };
        self.touch(now, number);
        let is_reliable = self.transport(from).is_reliable();
        let is_new = side == Side::Caller
            && message.is_request
            && message.method == Method::Invite
            && (self.calls.get(&number)).is_some_and(|call| call.caller.is_none());
        if is_new {
            self.check_load(now, number);
        }
        let Some(call) = self.calls.get_mut(&number) else {
            return;
        };
        let is_invite = message.is_request && message.method == Method::Invite;
        if side == Side::Caller && is_invite && call.caller.is_none() {
            call.caller = Some(Leg::new(from, is_reliable, message));
            self.due.push(Due::Placed(number));
        }
        let is_open = call.is_open() && !call.is_past(side);
        let Some(leg) = call.leg_mut(side) else {
            return;
        };
        if !message.body.is_empty() {
            leg.bodies.insert(message.body.clone());
        }
        if message.method == Method::Ack {
            ack_came(leg, message);
        } else if message.is_request {
            request_came(&mut self.due, call, now, (number, side), message);
        } else {
            let patience = self.timers.t1_64();
            // Who gives up tells the caller in the same breath.
            let given_up_at = leg
                .given_up_at(patience)
                .filter(|until| now >= *until && !is_open);
            let is_owed = given_up_at.is_none();
            response_came(&mut self.due, call, (now, is_owed), (number, side), message);
            // For as long again, a peer that answers after all is told to stop; just before and just behind both are right.
            let is_late = given_up_at.is_some_and(|until| {
                now >= until + self.slack && now + self.slack < until + patience
            });
            if is_late && self.is_punctual {
                self.late_response_came(number, message);
            }
        }
    }
}

impl Witness {
    /// A response came when nobody waited for it any more.
    fn late_response_came(&mut self, number: u64, response: &Seen) {
        let leg = self.calls.get(&number).and_then(|call| call.peer.as_ref());
        let Some(leg) = leg.filter(|leg| response.transaction() == leg.invite) else {
            return;
        };
        let Some(invite) = leg.invite_went() else {
            return;
        };
        // RFC 6026 §7.2: behind a final that came in time nothing more is expected.
        if invite.final_at.is_some() {
            return;
        }
        let tag = response.to_tag.clone();
        if response.is_success() {
            self.due.push(Due::Ended(number, tag));
        } else if response.is_final() {
            self.due.push(Due::Acknowledged(number, Side::Peer, tag));
        } else if !invite.is_answered() {
            let call_id = response.call_id.clone();
            self.due.push(Due::Cancelled(number, call_id));
        }
    }
}

fn ack_came(leg: &mut Leg, ack: &Seen) {
    if leg.inside_ack_came(ack) {
        return;
    }
    let is_of_refusal = ack.branch == leg.invite.0;
    if is_of_refusal {
        let id = leg.invite.clone();
        if let Some(invite) = leg.came.get_mut(&id) {
            invite.is_acknowledged |= invite.answer.is_some();
        }
    } else if let Some(dialog) = leg.dialogs.get_mut(&ack.from_tag) {
        // One that comes after the end confirms nothing any more.
        dialog.ack_came |= !dialog.is_over();
    }
}

fn request_came(
    dues: &mut Vec<Due>,
    call: &mut Call,
    now: Duration,
    (number, side): (u64, Side),
    request: &Seen,
) {
    let id = request.transaction();
    let Some(leg) = call.leg_mut(side) else {
        return;
    };
    let came = leg
        .came
        .entry(id.clone())
        .and_modify(|came| came.copies += 1)
        .or_insert_with(|| Came::new(now, request));
    // RFC 6026 §7.1: after a 2xx the INVITE is absorbed; after the ACK of a refusal as well.
    let is_absorbed = came.is_acknowledged
        || (request.method == Method::Invite
            && came
                .status()
                .is_some_and(|status| (200..300).contains(&status)));
    let waits_for_other_end = leg.invite != id && is_carried(request.method);
    let is_due = !waits_for_other_end || request.method == Method::Invite;
    if !is_absorbed && is_due {
        dues.push(Due::Answer(number, side, id.clone()));
    }
    if request.method == Method::Bye
        && let Some(dialog) = leg.dialogs.get_mut(&request.from_tag)
    {
        dialog.bye_came.get_or_insert(id);
    }
    let is_unanswered = leg
        .invite_came()
        .is_some_and(|invite| invite.answer.is_none());
    let ends_invite =
        side == Side::Caller && matches!(request.method, Method::Bye | Method::Cancel);
    if ends_invite && is_unanswered {
        call.is_cancelled = true;
        dues.push(Due::Final(number));
    }
}

fn response_came(
    dues: &mut Vec<Due>,
    call: &mut Call,
    (now, is_owed): (Duration, bool),
    (number, side): (u64, Side),
    response: &Seen,
) {
    let is_open = call.is_open() && !call.is_past(side);
    let legs = call.past.len();
    let Some(leg) = call.leg_mut(side) else {
        return;
    };
    let is_of_invite = response.method == Method::Invite;
    let Some(went) = leg.went.get_mut(&response.transaction()) else {
        return;
    };
    let is_first = !went.is_answered();
    went.first_at.get_or_insert(now);
    if !response.is_final() {
        went.provisionals.insert(response.status);
        if response.status > 100 || went.provisional_at.is_none() {
            went.provisional_at = Some(now);
        }
        if response.status > 100 {
            went.rang_at = Some(now);
        }
        went.rings |= is_owed;
    } else {
        let is_known = went.finals.iter().any(|(_, tag)| *tag == response.to_tag);
        if !is_known {
            went.finals.push((response.status, response.to_tag.clone()));
        }
        if is_owed {
            went.final_at.get_or_insert(now);
        }
    }
    let cseq = went.cseq;
    let is_ours = went.passes.is_none();
    leg.response_said(now, response, (is_first && is_ours, cseq));
    if !is_of_invite {
        return;
    }
    if response.transaction() != leg.invite {
        if response.is_final() {
            Witness::inside_final_came(dues, number, side, response);
        }
        return;
    }
    if response.is_success() {
        // What was asked in the early dialog counts.
        let cseq = leg.last_cseq(&response.to_tag, cseq);
        leg.dialogs
            .entry(response.to_tag.clone())
            .or_insert_with(|| Dialog::new(now, cseq, is_owed));
    }
    if !is_owed {
        return;
    }
    // RFC 3261 §17.1.1.2 and §13.2.2.4: an ACK for every copy, from the one on that was acknowledged first; a fork that
    // did not win and a refusal are acknowledged at once.
    let is_acknowledged = leg
        .dialogs
        .get(&response.to_tag)
        .is_some_and(|dialog| dialog.acks_went > 0);
    let is_fork = leg.winner().is_some_and(|winner| winner != response.to_tag);
    if response.status >= 300 || (response.is_success() && (is_acknowledged || is_fork)) {
        dues.push(Due::Acknowledged(number, side, response.to_tag.clone()));
    }
    // A 100 is for one hop alone (RFC 3261 §16.7 step 5).
    if side == Side::Peer && is_first && is_open && response.status > 100 {
        dues.push(if leg.goes_on_after(response.status) {
            Due::Next(number, legs)
        } else {
            Due::Relayed(number, heard_as(response.status))
        });
    }
}
