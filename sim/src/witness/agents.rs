//! What the agents say: outcomes and complaints, and which of them a lossy network, a death or a fork excuses.

use super::leg::Leg;
use super::responses::heard_as;
use super::{Call, Witness};
use crate::finding::Fault;
use crate::place::{Place, Side};
use crate::scenario::Script;
use crate::seen::{Seen, number_in};
use loadtest::agent::{CALLER_MARK, Ending, Offer, Outcome, Verdict};
use signaling::sip::message::Method;
use std::time::Duration;

/// The longest that the network holds a message up, with room to spare (`scenario::weather`).
const HELD_UP_MAX: Duration = Duration::from_secs(4);

/// Complaints that have their reason where messages are lost or parties die; in a call of which nothing was lost they are
/// findings.
const EXCUSED_BY_LOSS: [&str; 11] = [
    "after the caller had given up",
    "hung up on before the hold time was over",
    "no final response",
    "nobody refreshed the session",
    "that is not of this call: 481",
    "the BYE got 481",
    "the BYE got no answer",
    "the CANCEL got 481",
    "the PRACK got 504",
    "the other side did not hang up",
    "for no call of ours",
];

impl Witness {
    /// A message of the node reached an agent.
    pub(crate) fn reached(&mut self, to: Place, message: &Seen) {
        let Some(number) = self.call_of(to, message) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&number) else {
            return;
        };
        match to.side() {
            Some(Side::Caller) => {
                let is_final =
                    !message.is_request && message.method == Method::Invite && message.is_final();
                call.final_reached |= is_final && !call.is_reported;
            }
            Some(Side::Peer) if message.is_request && message.method == Method::Bye => {
                call.byes_reached.insert((to, message.to_tag.clone()));
            }
            Some(Side::Peer) | None => {}
        }
    }

    /// Whether a peer has a reason never to have heard that this call is over.
    pub(crate) fn could_not_hear(&self, agent: Place, number: u64) -> bool {
        let Some(call) = self.calls.get(&number) else {
            return false;
        };
        let dialogs = match call.script.behaviour.verdict {
            Verdict::AnswerTwice => 2,
            Verdict::Answer | Verdict::Refuse(_) | Verdict::RingOn | Verdict::Silence => 1,
        };
        let byes = call.byes_reached.iter().filter(|(at, _)| *at == agent);
        agent.side() == Some(Side::Peer) && call.is_disturbed && byes.count() < dialogs
    }

    /// The node was told that this message could not be sent.
    pub(crate) fn failed(&mut self, now: Duration, to: Place, message: &Seen) {
        let Some(number) = self.call_of(to, message) else {
            return;
        };
        let focus = self.focus(to, message);
        let leg = (self.calls.get_mut(&number)).and_then(|call| call.leg_mut(to.side()?));
        if let Some(went) = leg.and_then(|leg| leg.went.get_mut(&message.transaction())) {
            // News of a repeat, when the peer has answered meanwhile, is no news.
            if went.copies <= 1 && !went.rings && !went.is_answered() {
                went.failed_at.get_or_insert(now);
                self.troubled.insert(to);
            }
        }
        self.unfocus(focus);
    }

    /// A caller says what became of a call.
    pub(crate) fn outcome(&mut self, outcome: &Outcome) -> Result<(), Fault> {
        let number = outcome.number;
        let fault = |what: String| Err(Fault::of_call(number, what));
        let given = self.final_status(number);
        let asked = self.calls.get(&number).and_then(|call| call.peer.as_ref());
        let is_dead = asked.is_some_and(|leg| self.may_be_dead(leg.agent));
        let Some(call) = self.calls.get_mut(&number) else {
            return fault("the outcome of a call that was not placed".into());
        };
        if std::mem::replace(&mut call.is_reported, true) {
            return fault("a second outcome".into());
        }
        if outcome.status.is_none() && call.final_reached {
            return fault(format!(
                "the caller overlooked its final answer: {:?}",
                outcome.error
            ));
        }
        if outcome.status.is_some() && outcome.status != given {
            return fault(format!(
                "the caller heard {:?}, the node said {given:?}",
                outcome.status
            ));
        }
        if call.is_disturbed {
            return Ok(());
        }
        if let Some(error) = &outcome.error
            && !is_excused(call, error)
        {
            return fault(format!("nothing was lost, and the caller says: {error}"));
        }
        let status = outcome.status.unwrap_or(0);
        let first = call.script.first.map(|behaviour| Script {
            behaviour,
            ..call.script
        });
        // There was no way to where its conference is.
        let is_left = (call.peer.as_ref()).is_some_and(Leg::is_left_behind);
        let is_due = is_due(&call.script, status)
            || first.is_some_and(|first| is_due(&first, status))
            || (call.peer.is_none() && [480, 486, 503, 504].contains(&status))
            || (is_dead && status == 504)
            || (is_left && status == 480);
        // Timer C goes on from one peer to the next (docs/decisions/0007).
        let went_on = !call.past.is_empty();
        let is_late = status == 408 && (went_on || rings_until(&call.script, self.timers.ring));
        if !is_due && !is_late {
            return fault(format!(
                "nothing was lost, and the outcome of {:?} with {:?} is {status}",
                call.script.plan.ending, call.script.behaviour
            ));
        }
        Ok(())
    }

    /// An agent found something wrong.
    pub(crate) fn complaint(&self, from: Place, what: &str) -> Result<(), Fault> {
        let number = self.call_in(what);
        let call = number.and_then(|number| self.calls.get(&number));
        if call.is_some_and(|call| is_excused(call, what)) {
            return Ok(());
        }
        Err(Fault {
            call: number,
            what: format!("{from} complains: {what}"),
        })
    }

    /// Which call a complaint is about: it says so, or it shows a message with a Call-ID.
    fn call_in(&self, what: &str) -> Option<u64> {
        if let Some(rest) = what.strip_prefix("call ") {
            return number_in(rest, "");
        }
        let call_id = what
            .lines()
            .find_map(|line| line.strip_prefix("Call-ID: "))?
            .trim_end();
        if call_id.starts_with(CALLER_MARK) {
            return call_id.rsplit('-').next()?.parse().ok();
        }
        self.peer_legs.get(call_id.as_bytes()).copied()
    }
}

/// Whether a peer that answers in the end rings so long that timer C may go off before its 200, which the
/// network can hold up, has come.
fn rings_until(script: &Script, timer_c: Duration) -> bool {
    let behaviour = &script.behaviour;
    let rings = behaviour
        .after
        .saturating_sub(behaviour.ringing.unwrap_or_default());
    behaviour.ringing.is_some() && rings + HELD_UP_MAX >= timer_c
}

/// The statuses that this script can lead to when nothing is lost.
fn is_due(script: &Script, status: u16) -> bool {
    let is_cancelled = matches!(script.plan.ending, Ending::Cancel { .. }) && status == 487;
    let behaviour = script.behaviour;
    let nearly = Duration::from_secs(30);
    let is_mute = !behaviour.trying && behaviour.ringing.is_none_or(|ringing| ringing > nearly);
    let is_given_up = is_mute && behaviour.after > nearly && status == 504;
    let is_answer = match behaviour.verdict {
        Verdict::Answer | Verdict::AnswerTwice => status == 200,
        Verdict::Refuse(with) => status == heard_as(with),
        Verdict::RingOn => status == 408,
        Verdict::Silence => status == 504,
    };
    is_cancelled || is_answer || is_given_up
}

fn is_excused(call: &Call, what: &str) -> bool {
    let plan = call.script.plan;
    let is_acked_alone = call.past.iter().chain(&call.peer).any(|leg| {
        let mut dialogs = leg.dialogs.values();
        dialogs.any(|dialog| dialog.is_acked_alone)
    });
    // With a delayed offer the ACK carries the caller's answer; where the caller is gone before its ACK there is none.
    let has_no_answer = plan.offer == Offer::Delayed && is_acked_alone;
    if has_no_answer && what.contains("the body of the ACK is not what the caller sends") {
        return true;
    }
    // Where a BYE is faster than the ACK of an INVITE inside the dialog, the node acknowledges by itself.
    let is_of_inside = what.contains("the body of the ACK is not what the other end sends");
    if is_of_inside && call.is_ending() {
        return true;
    }
    // Who hangs up leaves a PRACK without its answer (§15.1.2).
    if call.is_ending() && what.contains("the PRACK got 48") {
        return true;
    }
    // Answered where the conference is not: the caller is to dial again.
    let is_sent_away = call
        .seat
        .is_some_and(|seat| seat.may_be_sent_away || seat.has_followed);
    if is_sent_away && what.contains("hung up on before the hold time was over") {
        return true;
    }
    // The dialog of a fork that did not win, or of a peer that answered too late, is forgotten as soon as its BYE is sent.
    let is_late = call.past.iter().any(|leg| !leg.dialogs.is_empty());
    let is_forked = is_late || call.script.behaviour.verdict == Verdict::AnswerTwice;
    if is_forked && what.contains("the BYE got 481") {
        return true;
    }
    call.is_disturbed && EXCUSED_BY_LOSS.iter().any(|excused| what.contains(excused))
}
