//! The requests of the node: whether there was a reason for each.

use super::leg::{Leg, Went};
use super::{Call, Witness};
use crate::finding::Fault;
use crate::place::{Place, Side};
use crate::seen::{Seen, text};
use loadtest::agent::{CALLER_MARK, PEER_MARK};
use signaling::sip::message::Method;
use std::time::Duration;

/// How often an INVITE is sent in 64*T1 (RFC 3261 §17.1.1.2): at 0, T1, 3*T1 ... 63*T1.
pub(super) const INVITES_MAX: u32 = 7;
/// How often any other request or an answer is sent in 64*T1 (§17.1.2.2, §17.2.1, §13.3.1.4): after 0, 1, 3, 7 times T1,
/// then every T2.
pub(super) const COPIES_MAX: u32 = 11;

impl Witness {
    /// The node sent a message.
    pub(crate) fn sent(
        &mut self,
        now: Duration,
        to: Place,
        message: &Seen,
        bytes: &[u8],
    ) -> Result<(), Fault> {
        if message.is_request && message.method == Method::Options {
            let fault = |what| Fault::of_world(format!("OPTIONS sent to {to}: {what}"));
            return self.probe_went(now, to, message, bytes).map_err(fault);
        }
        self.note_failures(now);
        let focus = self.focus(to, message);
        let result = self.sent_in_call(now, to, message, bytes);
        self.unfocus(focus);
        result
    }

    fn sent_in_call(
        &mut self,
        now: Duration,
        to: Place,
        message: &Seen,
        bytes: &[u8],
    ) -> Result<(), Fault> {
        let Some(number) = self.call_of(to, message) else {
            return Err(Fault::of_world(format!(
                "{} sent to {to} belongs to no call there",
                message.title()
            )));
        };
        self.touch(now, number);
        let side = to.side().unwrap_or(Side::Peer);
        let fault = |what: String| {
            Fault::of_call(number, format!("{} sent to {to}: {what}", message.title()))
        };
        let is_reliable = self.transport(to).is_reliable();
        let opens = side == Side::Peer
            && message.is_request
            && !self.peer_legs.contains_key(&message.call_id);
        if opens {
            if message.method != Method::Invite {
                return Err(fault("a peer leg begins with INVITE".into()));
            }
            self.check_peer(now, to).map_err(fault)?;
            self.check_choice(now, number, to).map_err(fault)?;
            let last = self.calls.get(&number).and_then(|call| call.peer.as_ref());
            let is_dead = last.is_some_and(|leg| self.may_be_dead(leg.agent));
            let is_away = last.is_some_and(|leg| self.may_be_away(now, number, leg.agent));
            let call = (self.calls.get_mut(&number))
                .ok_or_else(|| fault("no such call was placed".into()))?;
            call.make_past(now, to, (self.timers.t1 * 4, is_dead, is_away))
                .map_err(fault)?;
            let invite = call.caller.as_ref().and_then(Leg::invite_came);
            let begun_at = invite.map_or(now, |invite| invite.at);
            if self.draining_since.is_some_and(|since| begun_at > since) {
                return Err(fault("a new call, and the node takes none".into()));
            }
            call.peer = Some(Leg::new(to, is_reliable, message));
            self.peer_legs.insert(message.call_id.clone(), number);
        }
        let call = (self.calls.get_mut(&number)).ok_or_else(|| fault("no such call".into()))?;
        check_names(call, side, message, self.is_v6).map_err(fault)?;
        let leg = call
            .leg(side)
            .ok_or_else(|| fault("there is no such leg".into()))?;
        if leg.agent != to {
            return Err(fault(format!("this leg is {}'s", leg.agent)));
        }
        if message.is_request {
            let users = self
                .branches
                .entry(message.branch.clone())
                .or_insert_with(|| (message.call_id.clone(), message.cseq));
            if *users != (message.call_id.clone(), message.cseq) {
                return Err(fault("its branch was used for another request".into()));
            }
            if message.method == Method::Ack {
                let ack = (number, side, message.to_tag.clone());
                self.acknowledged.push(ack);
            }
            let patience = self.timers.t1_64();
            let of = (number, side);
            self.check_early_end(now, of, message).map_err(fault)?;
            let call = (self.calls.get_mut(&number)).ok_or_else(|| fault("no such call".into()))?;
            if call.leg(side).is_some_and(|leg| leg.is_inside(message)) {
                return self.carried(now, of, message, bytes).map_err(fault);
            }
            request_went(call, now, (side, patience), message, bytes).map_err(fault)
        } else {
            self.response_went(now, (number, side), message, bytes)
                .map_err(fault)
        }
    }
}

/// Nothing of one leg is seen on the other, and bodies come from there unchanged.
fn check_names(call: &mut Call, side: Side, message: &Seen, is_v6: bool) -> Result<(), String> {
    let foreign_mark = match side {
        Side::Caller => PEER_MARK,
        Side::Peer => CALLER_MARK,
    };
    if message.mentions(foreign_mark) {
        return Err("it holds a name of the other leg".into());
    }
    if let Some(other) = call.leg(side.other()) {
        let address = other.agent.address(is_v6).to_string();
        if message.mentions(&address) {
            return Err(format!("it holds {address}, an address of the other leg"));
        }
        let own_names = other.own_tags.iter().chain([&other.call_id]);
        for name in own_names.map(|name| text(name)) {
            if message.mentions(&name) {
                return Err(format!("it holds {name}, a name of the other leg"));
            }
        }
    }
    let is_known = message.body.is_empty()
        || call
            .leg(side.other())
            .is_some_and(|other| other.bodies.contains(&message.body));
    if !is_known {
        return Err("its body is not one that came on the other leg".into());
    }
    let own_tag = if message.is_request {
        &message.from_tag
    } else {
        &message.to_tag
    };
    if let (false, Some(leg)) = (own_tag.is_empty(), call.leg_mut(side)) {
        leg.own_tags.insert(own_tag.clone());
    }
    Ok(())
}

fn request_went(
    call: &mut Call,
    now: Duration,
    (side, patience): (Side, Duration),
    request: &Seen,
    bytes: &[u8],
) -> Result<(), String> {
    let max_forwards = request
        .max_forwards
        .ok_or("it has no Max-Forwards (RFC 3261 §8.1.1.6)")?;
    if max_forwards == 0 || max_forwards > 70 {
        return Err(format!("Max-Forwards is {max_forwards}"));
    }
    let invited = call.caller.as_ref().and_then(Leg::invite_came);
    let may_invite = invited.is_some_and(|invite| {
        invite.max_forwards.map(|came| came.saturating_sub(1)) == Some(max_forwards)
    });
    let ack_came = call
        .caller
        .as_ref()
        .is_some_and(|leg| leg.dialogs.values().any(|dialog| dialog.ack_came));
    let leg = call.leg_mut(side).ok_or("there is no such leg")?;
    match (request.method, side) {
        (Method::Ack, _) => return ack_went(leg, request, ack_came),
        (Method::Invite, Side::Peer) => {
            if !may_invite {
                return Err(format!("Max-Forwards {max_forwards} was not lowered"));
            }
        }
        (Method::Cancel, _) if leg.cancels_inside(request) => {}
        (Method::Cancel, Side::Peer) => check_cancel(leg, request)?,
        (Method::Bye, _) => check_bye(leg, now, (side, patience), request)?,
        _ => return Err("nobody asked for it".into()),
    }
    let id = request.transaction();
    let is_reliable = leg.is_reliable;
    let Some(went) = leg.went.get_mut(&id) else {
        leg.went.insert(id, Went::new(now, request, bytes));
        return Ok(());
    };
    went.copies += 1;
    if went.bytes != bytes {
        return Err("repeated with other words".into());
    }
    let is_invite = request.method == Method::Invite;
    if went.is_answered() || (is_invite && went.provisional_at.is_some()) {
        return Err("repeated though it was answered".into());
    }
    let most = match (is_reliable, request.method) {
        (true, _) => 1,
        (false, Method::Invite) => INVITES_MAX,
        (false, _) => COPIES_MAX,
    };
    if went.copies > most {
        return Err(format!("copy {}, {most} are the most", went.copies));
    }
    Ok(())
}

fn ack_went(leg: &mut Leg, ack: &Seen, ack_came: bool) -> Result<(), String> {
    if leg.inside_ack_went(ack)? {
        return Ok(());
    }
    let invite = leg.invite_went().ok_or("there was no INVITE")?;
    if ack.cseq != invite.cseq {
        return Err(format!("the INVITE had {} in CSeq", invite.cseq));
    }
    let is_of_refusal = ack.branch == leg.invite.0;
    let is_due = invite
        .finals
        .iter()
        .any(|(status, tag)| *tag == ack.to_tag && (*status >= 300) == is_of_refusal);
    if !is_due {
        return Err("no such final answer came".into());
    }
    let is_past = leg.is_past;
    if let Some(dialog) = leg.dialogs.get_mut(&ack.to_tag) {
        dialog.is_acked_alone |= dialog.acks_went == 0 && (is_past || !ack_came);
        dialog.acks_went += 1;
    }
    let id = leg.invite.clone();
    if let Some(invite) = leg.went.get_mut(&id) {
        invite.is_acknowledged |= is_of_refusal;
    }
    Ok(())
}

fn check_cancel(leg: &Leg, cancel: &Seen) -> Result<(), String> {
    if leg.went.contains_key(&cancel.transaction()) {
        return Ok(());
    }
    let invite = leg.invite_went().ok_or("there was no INVITE")?;
    if leg.invite.0 != cancel.branch || invite.cseq != cancel.cseq {
        return Err("it names no INVITE".into());
    }
    if invite.provisional_at.is_none() {
        return Err("no provisional response came yet (RFC 3261 §9.1)".into());
    }
    if invite.is_answered() {
        return Err("the final response came already (§9.1)".into());
    }
    Ok(())
}

fn check_bye(
    leg: &mut Leg,
    now: Duration,
    (side, patience): (Side, Duration),
    bye: &Seen,
) -> Result<(), String> {
    if leg.went.contains_key(&bye.transaction()) {
        return Ok(());
    }
    let dialog = leg
        .dialogs
        .get_mut(&bye.to_tag)
        .ok_or("there is no such dialog")?;
    if dialog.bye_came.is_some() {
        return Err("the other side hung up already".into());
    }
    if dialog.bye_went.is_some() {
        return Err("a second BYE".into());
    }
    if bye.cseq <= dialog.cseq_out {
        return Err(format!("CSeq does not go up from {}", dialog.cseq_out));
    }
    // RFC 3261 §15: the callee waits for the ACK, or until it has given up on it.
    if side == Side::Caller && !dialog.ack_came && now < dialog.since + patience {
        return Err("the ACK did not come yet (§15)".into());
    }
    if side == Side::Peer && dialog.acks_went == 0 {
        return Err("its 2xx was not acknowledged (§13.2.2.4)".into());
    }
    dialog.cseq_out = bye.cseq;
    dialog.bye_went = Some(bye.transaction());
    Ok(())
}
