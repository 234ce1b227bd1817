//! One call of a caller, from INVITE to the last response (RFC 3261 §9, §12, §13.2, §15, §17.1).
//!
//! Plain on purpose: it judges Baton, so it shares nothing with Baton's own transactions and dialogs.

mod checks;
mod endings;
mod messages;
mod prack;

use super::CALLER_MARK;
use super::context::{Context, Repeat};
use super::inside::{self, Inside, Names};
use super::plan::{Ending, Outcome, Plan, Side};
use super::received::{Received, after, show};
use super::timed::Terms;
use prack::Prack;
use signaling::sip::message::Method;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The clocks of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Clock {
    /// Repeat the BYE (timer E).
    Bye,
    /// The plan says to cancel.
    Cancel,
    /// Repeat the CANCEL (timer E).
    CancelRepeat,
    /// Nothing repeated comes any more.
    Forget,
    /// No final response (timers B and F, patience).
    GiveUp,
    /// The hold time is over.
    Hold,
    /// Of what goes on inside the dialog.
    Inside(inside::Clock),
    /// Repeat the INVITE (timer A).
    Invite,
    /// Repeat the PRACK (timer E).
    Prack,
    /// No answer to it (timer F).
    PrackGiveUp,
}

impl From<inside::Clock> for Clock {
    fn from(clock: inside::Clock) -> Self {
        Self::Inside(clock)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// INVITE sent, nothing heard.
    Calling,
    /// A provisional response came.
    Proceeding,
    /// A 2xx came and was acknowledged.
    Up,
    /// BYE sent, not answered yet.
    HangingUp,
    /// Reported; only repeats are answered.
    Over,
}

/// The dialog after a 2xx.
#[derive(Debug)]
struct Dialog {
    to: Vec<u8>,
    tag: Vec<u8>,
    target_uri: Vec<u8>,
    target: SocketAddr,
    ack: Vec<u8>,
    bye_branch: String,
    /// The number in CSeq of the other side's BYE.
    remote_bye: Option<u32>,
    inside: Inside,
}

pub(super) struct Call {
    number: u64,
    plan: Plan,
    stage: Stage,
    outbound: SocketAddr,
    uri: String,
    from: Vec<u8>,
    to: Vec<u8>,
    call_id: String,
    branch: String,
    begun: Instant,
    up_since: Option<Instant>,
    invite: Option<Repeat>,
    cancel: Option<Repeat>,
    bye: Option<Repeat>,
    cancel_is_due: bool,
    early_tag: Vec<u8>,
    /// The number in CSeq of the last request before the call was up.
    cseq: u32,
    prack: Option<Prack>,
    status: Option<u16>,
    failure_ack: Vec<u8>,
    dialog: Option<Dialog>,
    ringing_after: Option<Duration>,
    answered_after: Option<Duration>,
    hung_up_by: Option<Side>,
    error: Option<String>,
}

type Desk = Context<Clock>;

impl Call {
    /// Sends the INVITE.
    pub(super) fn begin(
        desk: &mut Desk,
        now: Instant,
        number: u64,
        plan: Plan,
        outbound: SocketAddr,
        uri: String,
    ) -> Self {
        let call_id = format!("{}-{number}", desk.name(CALLER_MARK));
        let tag = desk.name(CALLER_MARK);
        let branch = format!("z9hG4bK{}", desk.name(CALLER_MARK));
        let mut call = Self {
            number,
            plan,
            stage: Stage::Calling,
            outbound,
            from: format!("\"Caller {number}\" <sip:call-{number}@example.com>;tag={tag}")
                .into_bytes(),
            to: format!("<{uri}>").into_bytes(),
            uri,
            call_id,
            branch,
            begun: now,
            up_since: None,
            invite: None,
            cancel: None,
            bye: None,
            cancel_is_due: false,
            early_tag: Vec::new(),
            cseq: 1,
            prack: None,
            status: None,
            failure_ack: Vec::new(),
            dialog: None,
            ringing_after: None,
            answered_after: None,
            hung_up_by: None,
            error: None,
        };
        let invite = desk.repeat(outbound, call.invite(desk), desk.timers.t1_64());
        desk.first(now, [number, number], &invite, Clock::Invite);
        desk.alarms
            .set(number, Clock::GiveUp, now + desk.timers.t1_64());
        if let Ending::Cancel { after } = plan.ending {
            desk.alarms.set(number, Clock::Cancel, now + after);
        }
        call.invite = Some(invite);
        call
    }

    pub(super) fn is_live(&self) -> bool {
        self.stage != Stage::Over
    }

    pub(super) fn is_up(&self) -> bool {
        self.stage == Stage::Up
    }

    pub(super) fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Takes a response; gives the outcome if the call is over by it.
    pub(super) fn handle_response(
        &mut self,
        desk: &mut Desk,
        now: Instant,
        response: &Received<'_>,
    ) -> Option<Outcome> {
        if let Err(what) = self.check_response(desk, response) {
            self.fault(desk, &what);
        }
        let branch = response.branch();
        let is_of_bye = self
            .dialog
            .as_ref()
            .is_some_and(|dialog| branch == dialog.bye_branch.as_bytes());
        let method = response.method();
        if method == Method::Invite && branch == self.branch.as_bytes() {
            return self.handle_invite_response(desk, now, response);
        }
        if method == Method::Prack && self.asked_by_prack(branch) {
            self.handle_prack_response(desk, response.status());
            return None;
        }
        if method == Method::Bye && is_of_bye {
            return self.handle_bye_response(desk, now, response.status());
        }
        if let (Some(names), Some(dialog)) = (self.names(desk), self.dialog.as_mut())
            && dialog.inside.handle_response(desk, now, &names, response)
        {
            return None;
        }
        if method == Method::Cancel && branch == self.branch.as_bytes() {
            self.handle_cancel_response(desk, response.status());
        } else {
            let what = format!(
                "{} for a {method} never sent: {}",
                response.status(),
                show(branch)
            );
            self.fault(desk, &what);
        }
        None
    }

    fn handle_invite_response(
        &mut self,
        desk: &mut Desk,
        now: Instant,
        response: &Received<'_>,
    ) -> Option<Outcome> {
        let status = response.status();
        match (self.stage, status) {
            (Stage::Calling | Stage::Proceeding, 100..=199) => {
                self.proceed(desk, now, response);
                None
            }
            (Stage::Calling | Stage::Proceeding, 200..=299) => self.accept(desk, now, response),
            (Stage::Calling | Stage::Proceeding, _) => {
                self.status = Some(status);
                self.failure_ack = self.ack_for_failure(desk, response);
                desk.send(now, self.number, self.outbound, self.failure_ack.clone());
                desk.counts.refused += 1;
                Some(self.finish(desk, now))
            }
            (Stage::Up | Stage::HangingUp | Stage::Over, 100..=199) => {
                desk.counts.absorbed += 1;
                None
            }
            (Stage::Up | Stage::HangingUp | Stage::Over, _) => {
                self.acknowledge_again(desk, now, response);
                None
            }
        }
    }

    fn proceed(&mut self, desk: &mut Desk, now: Instant, response: &Received<'_>) {
        desk.alarms.clear(self.number, Clock::Invite);
        if self.stage == Stage::Calling {
            self.stage = Stage::Proceeding;
            desk.alarms
                .set(self.number, Clock::GiveUp, now + desk.timers.patience);
        }
        if response.status() > 100 {
            self.ringing_after.get_or_insert(now - self.begun);
            self.check_tag(desk, response);
            if !response.body().is_empty() {
                self.check_sdp(desk, response);
            }
            if let Some(rseq) = response.rseq() {
                self.acknowledge_reliable(desk, now, response, rseq);
            }
        }
        if self.cancel_is_due {
            self.send_cancel(desk, now);
        }
    }

    fn accept(
        &mut self,
        desk: &mut Desk,
        now: Instant,
        response: &Received<'_>,
    ) -> Option<Outcome> {
        self.check_tag(desk, response);
        self.check_sdp(desk, response);
        self.status = Some(response.status());
        self.answered_after = Some(now - self.begun);
        self.up_since = Some(now);
        desk.counts.answered += 1;
        let crossing =
            self.plan.ending == Ending::CancelCrossing2xx && self.stage == Stage::Proceeding;
        if crossing {
            self.send_cancel(desk, now);
        }
        for clock in [Clock::Invite, Clock::GiveUp, Clock::Cancel] {
            desk.alarms.clear(self.number, clock);
        }
        self.invite = None;
        self.stage = Stage::Up;
        let (target_uri, target) = match response.contact() {
            Ok((uri, target)) => (uri.to_vec(), target),
            Err(what) => {
                self.fault(desk, &what);
                (self.uri.clone().into_bytes(), self.outbound)
            }
        };
        let mut dialog = Dialog {
            to: response.to().to_vec(),
            tag: response.tag_of_to().to_vec(),
            target_uri,
            target,
            ack: Vec::new(),
            bye_branch: format!("z9hG4bK{}", desk.name(CALLER_MARK)),
            remote_bye: None,
            inside: Inside::new(true, self.cseq, self.plan.acts),
        };
        dialog.inside.begin(desk, now, self.number);
        self.keep_session(desk, now, &mut dialog, response);
        dialog.ack = self.ack_for_2xx(desk, &dialog);
        desk.send(now, self.number, dialog.target, dialog.ack.clone());
        self.dialog = Some(dialog);
        match self.plan.ending {
            Ending::Cancel { .. } | Ending::CancelCrossing2xx => self.hang_up(desk, now),
            Ending::CallerHangsUp | Ending::EitherHangsUp => {
                desk.alarms
                    .set(self.number, Clock::Hold, now + self.plan.hold);
            }
            Ending::PeerHangsUp => {
                let patience = self.plan.hold + desk.timers.t1_64();
                desk.alarms.set(self.number, Clock::Hold, now + patience);
            }
        }
        None
    }

    /// The session timer on the terms of the 2xx.
    fn keep_session(
        &mut self,
        desk: &mut Desk,
        now: Instant,
        dialog: &mut Dialog,
        response: &Received<'_>,
    ) {
        let Some(timed) = self.plan.timed else { return };
        match Terms::of(response) {
            Some(terms) if terms.seconds <= timed.seconds && terms.by_uac == timed.refreshes => {
                let kept = (timed, terms, true);
                dialog.inside.keep(desk, now, self.number, kept);
            }
            terms => self.fault(desk, &format!("the terms of the session are {terms:?}")),
        }
    }

    /// A final response after the first: the same one is acknowledged again, another one is wrong.
    fn acknowledge_again(&mut self, desk: &mut Desk, now: Instant, response: &Received<'_>) {
        let status = response.status();
        match (&self.dialog, self.status) {
            (Some(dialog), Some(_)) if (200..300).contains(&status) => {
                if dialog.tag == response.tag_of_to() {
                    desk.counts.absorbed += 1;
                    desk.send(now, self.number, dialog.target, dialog.ack.clone());
                } else {
                    self.fault(desk, "a second 2xx with another To tag");
                }
            }
            (None, Some(first)) if first == status => {
                desk.counts.absorbed += 1;
                desk.send(now, self.number, self.outbound, self.failure_ack.clone());
            }
            (_, Some(first)) => {
                self.fault(desk, &format!("a final {status} after a final {first}"));
            }
            (_, None) => self.fault(
                desk,
                &format!("a final {status} after the caller had given up"),
            ),
        }
    }

    /// One of the clocks has gone off.
    pub(super) fn handle_alarm(
        &mut self,
        desk: &mut Desk,
        now: Instant,
        clock: Clock,
    ) -> Option<Outcome> {
        let ids = [self.number, self.number];
        if let Clock::Inside(clock) = clock {
            if let (Stage::Up, Some(names)) = (self.stage, self.names(desk))
                && let Some(dialog) = self.dialog.as_mut()
                && dialog.inside.handle_alarm(desk, now, &names, clock)
            {
                self.hang_up(desk, now);
            }
            return None;
        }
        match (clock, self.stage) {
            (Clock::Invite, Stage::Calling) => repeat(desk, now, ids, self.invite.as_mut(), clock),
            (Clock::CancelRepeat, Stage::Proceeding | Stage::Up | Stage::HangingUp) => {
                repeat(desk, now, ids, self.cancel.as_mut(), clock);
            }
            (Clock::Prack, _) => {
                let prack = self.prack.as_mut().map(|prack| &mut prack.repeat);
                repeat(desk, now, ids, prack, clock);
            }
            (Clock::PrackGiveUp, _) => {
                desk.alarms.clear(self.number, Clock::Prack);
                self.fault(desk, "no final response to PRACK");
            }
            (Clock::Bye, Stage::HangingUp) => repeat(desk, now, ids, self.bye.as_mut(), clock),
            (Clock::Cancel, Stage::Calling) => self.cancel_is_due = true,
            (Clock::Cancel, Stage::Proceeding) => self.send_cancel(desk, now),
            (Clock::Hold, Stage::Up) => {
                if self.plan.ending == Ending::PeerHangsUp {
                    self.fault(desk, "the other side did not hang up");
                }
                self.hang_up(desk, now);
            }
            (Clock::GiveUp, Stage::Calling | Stage::Proceeding | Stage::HangingUp) => {
                self.fault(desk, &format!("no final response while {:?}", self.stage));
                return Some(self.finish(desk, now));
            }
            (Clock::Forget, Stage::Over) => {}
            (clock, stage) => debug_assert!(false, "{clock:?} while {stage:?}"),
        }
        None
    }

    fn finish(&mut self, desk: &mut Desk, now: Instant) -> Outcome {
        debug_assert!(self.stage != Stage::Over, "a call is reported once");
        self.stage = Stage::Over;
        desk.alarms.clear_all(self.number);
        desk.alarms
            .set(self.number, Clock::Forget, now + desk.timers.linger());
        (self.invite, self.cancel, self.bye) = (None, None, None);
        Outcome {
            number: self.number,
            call_id: self.call_id.clone(),
            plan: self.plan,
            answered: self.dialog.is_some(),
            status: self.status,
            ringing_after: self.ringing_after,
            answered_after: self.answered_after,
            hung_up_by: self.hung_up_by,
            error: self.error.clone(),
        }
    }

    /// How the dialog is called, if there is one.
    fn names(&self, desk: &Desk) -> Option<Names> {
        let dialog = self.dialog.as_ref()?;
        Some(Names {
            number: self.number,
            id: self.number,
            from: self.from.clone(),
            to: dialog.to.clone(),
            call_id: self.call_id.clone().into_bytes(),
            target_uri: dialog.target_uri.clone(),
            target: dialog.target,
            contact: self.contact(desk),
            mark: CALLER_MARK,
        })
    }

    fn tag(&self) -> &[u8] {
        after(&self.from, b";tag=").unwrap_or_default()
    }

    fn fault(&mut self, desk: &mut Desk, what: &str) {
        desk.complain(Some(self.number), what);
        self.error.get_or_insert_with(|| what.to_owned());
    }
}

fn repeat(desk: &mut Desk, now: Instant, ids: [u64; 2], repeat: Option<&mut Repeat>, clock: Clock) {
    if let Some(repeat) = repeat {
        desk.again(now, ids, repeat, clock);
    }
}
