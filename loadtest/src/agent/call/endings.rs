//! How a call ends: CANCEL (RFC 3261 §9.1), BYE from either side (§15).

use super::{Call, Clock, Desk, Stage};
use crate::agent::PEER_MARK;
use crate::agent::context::check_common;
use crate::agent::plan::{Ending, Outcome, Side};
use crate::agent::received::Received;
use crate::agent::text::Echo;
use signaling::sip::message::Method;
use std::time::Instant;

impl Call {
    pub(super) fn handle_cancel_response(&mut self, desk: &mut Desk, status: u16) {
        match status {
            100..=199 => {}
            200 => desk.alarms.clear(self.number, Clock::CancelRepeat),
            // RFC 3261 §9.2: whoever has forgotten the INVITE, having answered it, may say so.
            481 if self.status.is_some() => desk.alarms.clear(self.number, Clock::CancelRepeat),
            _ => {
                desk.alarms.clear(self.number, Clock::CancelRepeat);
                self.fault(desk, &format!("the CANCEL got {status}"));
            }
        }
    }

    pub(super) fn handle_bye_response(
        &mut self,
        desk: &mut Desk,
        now: Instant,
        status: u16,
    ) -> Option<Outcome> {
        if self.stage != Stage::HangingUp {
            desk.counts.absorbed += 1;
            return None;
        }
        let crossed = self
            .dialog
            .as_ref()
            .is_some_and(|dialog| dialog.remote_bye.is_some());
        match status {
            100..=199 => return None,
            200 => {}
            481 if crossed => {}
            _ => self.fault(desk, &format!("the BYE got {status}")),
        }
        Some(self.finish(desk, now))
    }

    /// Takes a request within the call.
    pub(in crate::agent) fn handle_request(
        &mut self,
        desk: &mut Desk,
        now: Instant,
        request: &Received<'_>,
    ) -> Option<Outcome> {
        if let Err(what) = check_common(request, desk.foreign(PEER_MARK)) {
            self.fault(desk, &what);
        }
        if request.method() == Method::Cancel
            && let (Some(names), Some(dialog)) = (self.names(desk), self.dialog.as_mut())
            && dialog.inside.handle_cancel(desk, now, &names, request)
        {
            return None;
        }
        let echo = Echo::of(request, desk.transport);
        let is_bye = request.method() == Method::Bye;
        let fits = self.dialog.as_ref().is_some_and(|dialog| {
            request.tag_of_to() == self.tag() && request.tag_of_from() == dialog.tag
        });
        if fits && !is_bye && request.method() != Method::Options {
            if let (Some(names), Some(dialog)) = (self.names(desk), self.dialog.as_mut()) {
                dialog.inside.handle_request(desk, now, &names, request);
            }
            return None;
        }
        let status = match (is_bye, fits) {
            (true, true) => 200,
            (true, false) => 481,
            (false, _) if request.method() == Method::Options => 200,
            (false, _) => 501,
        };
        let answer = echo.response(status, "", "", b"");
        desk.send(now, self.number, echo.reply_to, answer);
        if status != 200 {
            self.fault(
                desk,
                &format!("a {} that is not of this call: {status}", request.method()),
            );
        }
        if status != 200 || !is_bye {
            return None;
        }
        self.hung_up_on(desk, now, request.cseq())
    }

    fn hung_up_on(&mut self, desk: &mut Desk, now: Instant, cseq: u32) -> Option<Outcome> {
        let dialog = self.dialog.as_mut()?;
        match dialog.remote_bye {
            Some(first) if first == cseq => {
                desk.counts.absorbed += 1;
                return None;
            }
            Some(_) => {
                self.fault(desk, "a second BYE with another CSeq");
                return None;
            }
            None => dialog.remote_bye = Some(cseq),
        }
        if let (Some(names), Some(dialog)) = (self.names(desk), self.dialog.as_mut()) {
            dialog.inside.end(desk, now, &names);
        }
        match self.stage {
            Stage::Up => {
                desk.counts.hung_up_on += 1;
                self.hung_up_by = Some(Side::Remote);
                let early = self
                    .up_since
                    .is_some_and(|since| now < since + self.plan.hold);
                if self.plan.ending == Ending::CallerHangsUp && early {
                    self.fault(desk, "hung up on before the hold time was over");
                }
                Some(self.finish(desk, now))
            }
            // Both BYEs crossed; ours is still to be answered.
            Stage::HangingUp => None,
            Stage::Over => None,
            Stage::Calling | Stage::Proceeding => {
                debug_assert!(false, "a dialog exists from the 2xx on");
                None
            }
        }
    }

    /// Gives the call up from outside its plan, which then says so.
    pub(in crate::agent) fn cancel(&mut self, desk: &mut Desk, now: Instant) {
        if matches!(self.stage, Stage::Calling | Stage::Proceeding) {
            let after = now - self.begun;
            self.plan.ending = Ending::Cancel { after };
            desk.alarms.set(self.number, Clock::Cancel, now);
        }
    }

    pub(super) fn send_cancel(&mut self, desk: &mut Desk, now: Instant) {
        if self.cancel.is_some() {
            return;
        }
        // RFC 3261 §9.1: URI, Call-ID, To, the number in CSeq and From as in the INVITE, and its Via alone.
        let cancel = self.request(
            desk,
            "CANCEL",
            self.uri.as_bytes(),
            &self.to,
            (&self.branch, 1),
        );
        let cancel = desk.repeat(self.outbound, cancel.end(b""), desk.timers.t2);
        desk.first(
            now,
            [self.number, self.number],
            &cancel,
            Clock::CancelRepeat,
        );
        desk.alarms
            .set(self.number, Clock::GiveUp, now + desk.timers.t1_64());
        desk.counts.cancelled += 1;
        self.cancel = Some(cancel);
    }

    /// Sends the BYE of a call that is up.
    pub(in crate::agent) fn hang_up(&mut self, desk: &mut Desk, now: Instant) {
        if self.stage != Stage::Up {
            return;
        }
        let Some(names) = self.names(desk) else {
            return;
        };
        let Some(dialog) = &mut self.dialog else {
            return;
        };
        dialog.inside.end(desk, now, &names);
        let cseq = dialog.inside.next_cseq();
        let Some(dialog) = &self.dialog else { return };
        let bye = self.request(
            desk,
            "BYE",
            &dialog.target_uri,
            &dialog.to,
            (&dialog.bye_branch, cseq),
        );
        let bye = desk.repeat(dialog.target, bye.end(b""), desk.timers.t2);
        desk.first(now, [self.number, self.number], &bye, Clock::Bye);
        desk.alarms.clear(self.number, Clock::Hold);
        desk.alarms
            .set(self.number, Clock::GiveUp, now + desk.timers.t1_64());
        self.bye = Some(bye);
        self.hung_up_by = Some(Side::Local);
        self.stage = Stage::HangingUp;
    }
}
