//! PRACK, as a caller sends it (RFC 3262 §4): one for each reliable provisional, repeated until it is answered.

use super::{Call, Clock, Desk, Stage};
use crate::agent::CALLER_MARK;
use crate::agent::context::Repeat;
use crate::agent::received::Received;
use std::time::Instant;

/// The PRACK of the last reliable provisional.
#[derive(Debug)]
pub(super) struct Prack {
    rseq: u32,
    branch: String,
    pub(super) repeat: Repeat,
}

impl Call {
    /// A reliable provisional: the first copy gets its PRACK.
    pub(super) fn acknowledge_reliable(
        &mut self,
        desk: &mut Desk,
        now: Instant,
        response: &Received<'_>,
        rseq: u32,
    ) {
        if !self.plan.takes_reliable {
            self.fault(desk, "a reliable provisional that was not asked for");
            return;
        }
        if self.prack.as_ref().is_some_and(|prack| rseq <= prack.rseq) {
            desk.counts.absorbed += 1;
            return;
        }
        let (uri, target) = match response.contact() {
            Ok((uri, target)) => (uri.to_vec(), target),
            Err(what) => {
                self.fault(desk, &what);
                return;
            }
        };
        let branch = format!("z9hG4bK{}", desk.name(CALLER_MARK));
        self.cseq += 1;
        let of = (branch.as_str(), self.cseq);
        let mut text = self.request(desk, "PRACK", &uri, response.to(), of);
        text.header("RAck", format!("{rseq} 1 INVITE").as_bytes());
        let repeat = desk.repeat(target, text.end(b""), desk.timers.t2);
        desk.first(now, [self.number, self.number], &repeat, Clock::Prack);
        desk.alarms
            .set(self.number, Clock::PrackGiveUp, now + desk.timers.t1_64());
        self.prack = Some(Prack {
            rseq,
            branch,
            repeat,
        });
    }

    /// Whether the PRACK has this branch.
    pub(super) fn asked_by_prack(&self, branch: &[u8]) -> bool {
        let prack = self.prack.as_ref();
        prack.is_some_and(|prack| prack.branch.as_bytes() == branch)
    }

    pub(super) fn handle_prack_response(&mut self, desk: &mut Desk, status: u16) {
        if status < 200 {
            return;
        }
        for clock in [Clock::Prack, Clock::PrackGiveUp] {
            desk.alarms.clear(self.number, clock);
        }
        // Whoever ends the INVITE ends the dialog with it.
        let is_refused = self.status.is_some_and(|status| status >= 300);
        let has_hung_up = matches!(self.stage, Stage::HangingUp | Stage::Over);
        let is_over = self.cancel.is_some() || is_refused || has_hung_up;
        if status != 200 && !(is_over && matches!(status, 481 | 487 | 500)) {
            self.fault(desk, &format!("the PRACK got {status}"));
        }
    }
}
