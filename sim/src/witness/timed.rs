//! Session timers (RFC 4028), leg by leg: refreshed when they are to be and not before, answered as agreed, and the call is
//! hung up when a session is over, and not before.

use super::leg::{Leg, Went};
use super::{Call, Witness};
use crate::finding::Fault;
use crate::place::Side;
use crate::seen::{Seen, TransactionId};
use signaling::sip::message::Method;
use std::time::Duration;

/// How long the node may put a refresh off that was refused for the moment, or could not be sent.
const AGAIN: Duration = Duration::from_secs(15);
/// RFC 4028 §10: who does not refresh hangs up so long before the end, at most.
const EARLY: Duration = Duration::from_secs(32);

/// The session timer of one leg.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    interval: Duration,
    /// Whether the node refreshes.
    is_ours: bool,
    /// When it was agreed last.
    since: Duration,
    /// When the node refreshed last.
    asked_at: Option<Duration>,
}

impl Timer {
    /// The terms of a 2xx of a request that the node sent, or that it got.
    fn of(now: Duration, success: &Seen, we_asked: bool) -> Option<Self> {
        let (_, value) = success.head.split_once("\r\nSession-Expires: ")?;
        let value = value.lines().next()?;
        let (seconds, refresher) = value.split_once(";refresher=").unwrap_or((value, "uac"));
        Some(Self {
            interval: Duration::from_secs(seconds.trim().parse().ok()?),
            is_ours: (refresher.trim() == "uac") == we_asked,
            since: now,
            asked_at: None,
        })
    }

    /// Before this nobody hangs up because of it.
    fn ends_at(&self) -> Duration {
        self.since + self.interval - EARLY.min(self.interval / 3)
    }
}

impl Leg {
    /// A response came: a provisional of the INVITE, its first 2xx, or the first 2xx to a request of the node's own.
    pub(super) fn response_said(
        &mut self,
        now: Duration,
        response: &Seen,
        (is_new, cseq): (bool, u32),
    ) {
        let is_of_first = response.transaction() == self.invite;
        if is_of_first && !response.is_final() {
            self.provisional_came(cseq, response);
        }
        let begins = is_of_first && self.dialogs.is_empty();
        let is_of_session = matches!(response.method, Method::Invite | Method::Update);
        let refreshes = is_new && !is_of_first && is_of_session;
        if response.is_success() && (begins || refreshes) {
            self.agreed(now, response, true);
        }
    }

    /// A 2xx says what holds from now on.
    pub(super) fn agreed(&mut self, now: Duration, success: &Seen, we_asked: bool) {
        self.timer = Timer::of(now, success, we_asked);
    }

    /// Whether this request of the node is a refresh that is due: only the node has a reason for it.
    pub(super) fn is_due_refresh(&self, now: Duration, slack: Duration, request: &Seen) -> bool {
        let is_refresh = matches!(request.method, Method::Invite | Method::Update)
            && request.mentions("\r\nSession-Expires: ");
        let timer = self.timer.filter(|timer| timer.is_ours && is_refresh);
        timer.is_some_and(|timer| now + slack >= timer.since + timer.interval / 2)
    }

    /// A refresh went.
    pub(super) fn refreshed(&mut self, now: Duration, id: TransactionId, went: Went) {
        if let Some(timer) = &mut self.timer {
            timer.asked_at = Some(now);
        }
        self.went.insert(id, went);
    }
}

impl Witness {
    /// No session was forgotten.
    pub(super) fn check_timers(&self, now: Duration) -> Result<(), Fault> {
        for (number, call) in &self.calls {
            let legs = [&call.caller, &call.peer].into_iter().flatten();
            for leg in legs {
                self.check_timer(now, call, leg)
                    .map_err(|what| Fault::of_call(*number, what))?;
            }
        }
        Ok(())
    }

    fn check_timer(&self, now: Duration, call: &Call, leg: &Leg) -> Result<(), String> {
        let Some(timer) = leg.timer.filter(|_| self.is_punctual && !call.is_ending()) else {
            return Ok(());
        };
        if now > timer.since + timer.interval + self.slack {
            return Err(format!(
                "the session with {} is over, and nobody hung up",
                leg.agent
            ));
        }
        let half = timer.since + timer.interval / 2;
        let is_missed = timer.asked_at.is_none_or(|at| at < timer.since);
        if timer.is_ours && is_missed && now > half + AGAIN + self.slack {
            return Err(format!("the session with {} was not refreshed", leg.agent));
        }
        Ok(())
    }

    /// The node hangs up: not before a session is over, where nothing else is a reason.
    pub(super) fn check_early_end(
        &self,
        now: Duration,
        (number, side): (u64, Side),
        bye: &Seen,
    ) -> Result<(), String> {
        let call = self.calls.get(&number);
        let Some(call) = call.filter(|_| bye.method == Method::Bye) else {
            return Ok(());
        };
        let legs = [&call.caller, &call.peer].into_iter().flatten();
        let timers = || legs.clone().filter_map(|leg| leg.timer);
        let is_told = legs.clone().any(|leg| {
            let mut dialogs = leg.dialogs.values();
            dialogs.any(|dialog| dialog.bye_came.is_some())
        });
        let others = legs.clone().any(|leg| {
            let mut dialogs = leg.dialogs.values();
            Some(leg.agent) != call.leg(side).map(|leg| leg.agent)
                && dialogs.any(|dialog| dialog.bye_went.is_some())
        });
        // What never came to be, or is of a fork or a peer that did not win, is ended at once.
        let is_up = call.caller.as_ref().is_some_and(|leg| {
            let mut dialogs = leg.dialogs.values();
            dialogs.any(super::leg::Dialog::is_confirmed)
        });
        let winner = call.peer.as_ref().and_then(Leg::winner);
        let is_past = call.leg(side).is_some_and(|leg| leg.is_past);
        let is_winner = side == Side::Caller || winner == Some(bye.to_tag.as_slice());
        let is_main = is_winner && !is_past;
        let is_timed = is_up && is_main && timers().count() > 0;
        let has_no_reason = !call.is_disturbed
            && !call.is_cancelled
            && call.seat.is_none()
            && !is_told
            && !others
            && !call.is_ending();
        let is_over = timers().any(|timer| now + self.slack >= timer.ends_at());
        if is_timed && has_no_reason && !is_over {
            return Err("no session is over, and nobody hung up".into());
        }
        Ok(())
    }
}
