//! Requests inside a dialog, carried from one leg to the other: each once, with its words and its body, and one final
//! answer to each, which is that of the other end or has a reason of its own (docs/decisions/0005).

use super::leg::{Came, Leg, Went};
use super::requests::{COPIES_MAX, INVITES_MAX};
use super::{Call, Due, Witness};
use crate::place::Side;
use crate::seen::{Seen, TransactionId};
use signaling::sip::message::Method;
use std::time::Duration;

/// For so long after an INVITE or UPDATE, or its answer, another one may be told to wait.
const GLARE: Duration = Duration::from_secs(40);

/// Whether requests of this method are carried from one leg to the other.
pub(super) fn is_carried(method: Method) -> bool {
    matches!(
        method,
        Method::Info
            | Method::Invite
            | Method::Message
            | Method::Notify
            | Method::Prack
            | Method::Refer
            | Method::Subscribe
            | Method::Update
    )
}

impl Leg {
    /// Whether this is a request inside the dialog that is to be carried across.
    pub(super) fn is_inside(&self, request: &Seen) -> bool {
        is_carried(request.method) && request.transaction() != self.invite
    }

    /// The INVITE inside the dialog that was sent or that came with this number in CSeq.
    fn reinvite<T>(
        invites: &std::collections::BTreeMap<TransactionId, T>,
        first: &TransactionId,
        fits: impl Fn(&T) -> bool,
    ) -> Option<TransactionId> {
        let mut found = invites
            .iter()
            .filter(|(id, invite)| id.1 == "INVITE" && *id != first && fits(invite));
        found.next().map(|(id, _)| id.clone())
    }

    /// An ACK came: whether it is that of an INVITE inside the dialog.
    pub(super) fn inside_ack_came(&mut self, ack: &Seen) -> bool {
        let fits = |came: &Came| came.cseq == ack.cseq;
        let Some(id) = Self::reinvite(&self.came, &self.invite, fits) else {
            return false;
        };
        if let Some(came) = self.came.get_mut(&id) {
            came.is_acknowledged |= came.answer.is_some();
        }
        true
    }

    /// An ACK went: whether it is that of an INVITE inside the dialog, and has a reason.
    pub(super) fn inside_ack_went(&mut self, ack: &Seen) -> Result<bool, String> {
        let fits = |went: &Went| went.cseq == ack.cseq;
        let Some(id) = Self::reinvite(&self.went, &self.invite, fits) else {
            return Ok(false);
        };
        let Some(went) = self.went.get_mut(&id) else {
            return Ok(false);
        };
        let is_of_refusal = ack.branch == id.0;
        let is_due = (went.finals.iter()).any(|(status, _)| (*status >= 300) == is_of_refusal);
        if !is_due {
            return Err("no such final answer to the INVITE inside the dialog came".into());
        }
        went.is_acknowledged = true;
        Ok(true)
    }

    /// A CANCEL of an INVITE inside the dialog.
    pub(super) fn cancels_inside(&self, cancel: &Seen) -> bool {
        let id = (cancel.branch.clone(), "INVITE".to_owned());
        let went = self.went.get(&id).filter(|_| id != self.invite);
        went.is_some_and(|went| went.cseq == cancel.cseq && went.provisional_at.is_some())
    }
}

impl Witness {
    /// The node sends a request inside the dialog of one leg: it came on the other one, and goes but once.
    pub(super) fn carried(
        &mut self,
        now: Duration,
        (number, side): (u64, Side),
        request: &Seen,
        bytes: &[u8],
    ) -> Result<(), String> {
        let call = self.calls.get_mut(&number).ok_or("no such call")?;
        let id = request.transaction();
        let leg = call.leg_mut(side).ok_or("there is no such leg")?;
        let is_reliable = leg.is_reliable;
        if let Some(went) = leg.went.get_mut(&id) {
            return went.repeated(request, bytes, is_reliable);
        }
        if request.method == Method::Prack && !leg.fits_rack(request) {
            return Err("its RAck is that of no provisional that came (RFC 3262 §7.2)".into());
        }
        let dialog = leg.dialogs.get_mut(&request.to_tag);
        if dialog.as_ref().is_some_and(|dialog| dialog.is_over()) {
            return Err("the dialog is over".into());
        }
        let early = leg.early.get_mut(&request.to_tag);
        let early = early.filter(|_| request.method == Method::Prack);
        let cseq_out = dialog.map(|dialog| &mut dialog.cseq_out).or(early);
        let cseq_out = cseq_out.ok_or("there is no such dialog")?;
        if request.cseq <= *cseq_out {
            return Err(format!("CSeq does not go up from {cseq_out}"));
        }
        *cseq_out = request.cseq;
        let other = call.leg_mut(side.other()).ok_or("there is no other leg")?;
        let first = other.invite.clone();
        let is_alone = !other.came.iter().any(|(came, waits)| {
            let waits_for_it = waits.passed_as.is_none() && waits.answer.is_none();
            came.1 == request.method_text && *came != first && waits_for_it && !waits.refreshes
        });
        let slack = self.slack;
        if is_alone
            && let Some(leg) = call.leg_mut(side)
            && leg.is_due_refresh(now, slack, request)
        {
            leg.refreshed(now, id, Went::new(now, request, bytes));
            return Ok(());
        }
        let other = call.leg_mut(side.other()).ok_or("there is no other leg")?;
        let mut asked = other.came.iter_mut().filter(|(came, waits)| {
            let is_same = came.1 == request.method_text && **came != first;
            is_same && waits.passed_as.is_none() && waits.answer.is_none()
        });
        let (came, waits) = asked
            .find(|(_, waits)| waits.body == request.body)
            .ok_or("no such request came on the other leg")?;
        let hops = waits.max_forwards.map(|hops| hops.saturating_sub(1));
        if hops != request.max_forwards {
            return Err(format!("Max-Forwards {hops:?} would be due"));
        }
        waits.passed_as = Some(id.clone());
        let of = came.clone();
        if let Some(leg) = call.leg_mut(side) {
            let mut went = Went::new(now, request, bytes);
            went.passes = Some(of);
            leg.went.insert(id, went);
        }
        Ok(())
    }

    /// The node answers a request inside a dialog.
    pub(super) fn inside_answered(
        &mut self,
        now: Duration,
        (number, side): (u64, Side),
        response: &Seen,
    ) -> Result<(), String> {
        let call = self.calls.get(&number).ok_or("no such call")?;
        let (Some(leg), Some(other)) = (call.leg(side), call.leg(side.other())) else {
            return Ok(());
        };
        let id = response.transaction();
        let came = leg.came.get(&id).ok_or("no such request came")?;
        let status = response.status;
        // RFC 4028: what only refreshes needs nobody else.
        if came.refreshes && came.passed_as.is_none() && status == 200 {
            if !response.mentions("\r\nSession-Expires: ") {
                return Err("it agrees on no session".into());
            }
            if let Some(leg) = (self.calls.get_mut(&number)).and_then(|call| call.leg_mut(side)) {
                leg.agreed(now, response, false);
            }
            return Ok(());
        }
        let passed = came.passed_as.as_ref().and_then(|id| other.went.get(id));
        if !response.is_final() {
            let is_told = |went: &Went| went.provisionals.contains(&status);
            return if status == 100 || passed.is_some_and(is_told) {
                Ok(())
            } else {
                Err("nobody sent such a response".into())
            };
        }
        let heard = passed.and_then(|went| went.finals.first());
        if let Some((heard, _)) = heard {
            return if *heard == status || (call.is_ending() && [481, 487].contains(&status)) {
                Ok(())
            } else {
                Err(format!("the other end answered {heard}"))
            };
        }
        let is_silent = passed.is_some_and(|went| {
            let rings = went.provisional_at.map(|at| at + self.timers.ring);
            let until = rings.unwrap_or_else(|| went.at + self.timers.t1_64());
            went.failed_at.is_some() || now + self.slack >= until.min(went.at + self.timers.ring)
        });
        let is_right = match status {
            408 | 504 => is_silent,
            481 | 487 => call.is_ending() || !call.has_dialogs(),
            491 => call.has_glare(now, &id),
            // Too many at once, or a number in CSeq that is not above the last one.
            // Or a repeat so late that its transaction is forgotten.
            500 => came.passed_as.is_none() || now + self.slack >= came.at + self.timers.t1_64(),
            _ => false,
        };
        if is_right {
            Ok(())
        } else {
            Err("that is not what the other end answered, and has no reason".into())
        }
    }

    /// What came inside the dialogs of a leg was answered, and what went was acknowledged.
    pub(super) fn check_inside(&self, call: &Call, leg: &Leg) -> Result<(), String> {
        let inside = leg
            .came
            .iter()
            .filter(|(id, came)| **id != leg.invite && is_carried(came.method));
        for (id, came) in inside {
            // RFC 4320 §4.2: where the other end says nothing to a request that is no INVITE, neither does the node.
            let is_owed = came.method == Method::Invite || !call.is_disturbed;
            if is_owed && came.answer.is_none() {
                return Err(format!("the {} inside the dialog got no answer", id.1));
            }
        }
        let invites = (leg.went.iter()).filter(|(id, _)| **id != leg.invite && id.1 == "INVITE");
        for (_, went) in invites {
            let first = went.finals.first();
            if let Some((status, _)) = first
                && !went.is_acknowledged
                && !call.is_disturbed
            {
                return Err(format!("the {status} inside the dialog got no ACK"));
            }
        }
        Ok(())
    }

    /// A final answer to an INVITE inside the dialog came: a refusal gets its ACK at once.
    pub(super) fn inside_final_came(dues: &mut Vec<Due>, number: u64, side: Side, response: &Seen) {
        if response.status >= 300 {
            dues.push(Due::Acknowledged(number, side, response.to_tag.clone()));
        }
    }
}

impl Call {
    /// Whether somebody has hung up, or has forgotten the dialog (RFC 5057).
    pub(super) fn is_ending(&self) -> bool {
        let mut legs = [&self.caller, &self.peer].into_iter().flatten();
        legs.any(|leg| {
            let is_lost = |(id, went): (&TransactionId, &Went)| {
                let is_of_session = matches!(id.1.as_str(), "INVITE" | "UPDATE");
                let mut finals = went.finals.iter();
                *id != leg.invite
                    && is_of_session
                    && finals.any(|(status, _)| [408, 481].contains(status))
            };
            let mut dialogs = leg.dialogs.values();
            dialogs.any(super::leg::Dialog::is_over) || leg.went.iter().any(is_lost)
        })
    }

    /// Whether both legs have a dialog.
    fn has_dialogs(&self) -> bool {
        let mut legs = [&self.caller, &self.peer].into_iter();
        legs.all(|leg| leg.as_ref().is_some_and(|leg| !leg.dialogs.is_empty()))
    }

    /// Whether an INVITE or UPDATE other than this one is, or was just now, under way on any leg; the first INVITE counts
    /// until its ACK.
    fn has_glare(&self, now: Duration, this: &TransactionId) -> bool {
        let is_of_session = |method: &str| matches!(method, "INVITE" | "UPDATE");
        let mut legs = [&self.caller, &self.peer].into_iter().flatten();
        legs.any(|leg| {
            let is_other = |id: &TransactionId| id != this && is_of_session(&id.1);
            let came = leg.came.iter().any(|(id, came)| {
                let is_near = now <= came.at + GLARE;
                is_other(id) && is_near && !(came.is_acknowledged && *id == leg.invite)
            });
            let went = leg
                .went
                .iter()
                .any(|(id, went)| is_other(id) && now <= went.at + GLARE && !went.is_answered());
            let waits = leg.dialogs.values().any(|dialog| !dialog.is_confirmed());
            came || went || waits
        })
    }
}

impl Went {
    /// The same request again: the same words, not too often, and not once it was answered.
    fn repeated(&mut self, request: &Seen, bytes: &[u8], is_reliable: bool) -> Result<(), String> {
        self.copies += 1;
        if self.bytes != bytes {
            return Err("repeated with other words".into());
        }
        let is_invite = request.method == Method::Invite;
        if self.is_answered() || (is_invite && self.provisional_at.is_some()) {
            return Err("repeated though it was answered".into());
        }
        let most = match (is_reliable, is_invite) {
            (true, _) => 1,
            (false, true) => INVITES_MAX,
            (false, false) => COPIES_MAX,
        };
        if self.copies > most {
            return Err(format!("copy {}, {most} are the most", self.copies));
        }
        Ok(())
    }
}
