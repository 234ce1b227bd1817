//! Reliable provisionals, as a peer sends them (RFC 3262 §3): one, repeated until its PRACK comes.

use super::{Clock, Desk, Session};
use crate::agent::context::Repeat;
use crate::agent::received::{Received, show};
use crate::agent::sdp;
use crate::agent::text::Echo;
use std::time::Instant;

/// The reliable provisional that was sent.
#[derive(Debug)]
pub(super) struct Rung {
    rseq: u32,
    pub(super) repeat: Repeat,
    /// The branch of its PRACK.
    prack: Option<Vec<u8>>,
}

impl Session {
    pub(super) fn ring_reliably(&mut self, desk: &mut Desk, now: Instant) {
        // Any number: nobody may take it for one of his own.
        let rseq = 1 + u32::try_from(desk.random.below(1 << 30)).unwrap_or(0);
        let (contact, number) = (self.contact(desk), rseq.to_string());
        let headers = [
            ("Contact", contact.as_str()),
            ("Require", "100rel"),
            ("RSeq", number.as_str()),
        ];
        let (status, body) = if self.behaviour.early_media {
            (183, sdp::of_peer(self.number, 0))
        } else {
            (180, Vec::new())
        };
        let bytes = self.echo.response_with(status, &self.tag, &headers, &body);
        self.last_response.clone_from(&bytes);
        let repeat = desk.repeat(self.echo.reply_to, bytes, desk.timers.t1_64());
        desk.first(now, [self.number, self.id], &repeat, Clock::Rung);
        // Over any transport: a hop behind the next one may lose it.
        desk.alarms.set(self.id, Clock::Rung, now + desk.timers.t1);
        desk.alarms
            .set(self.id, Clock::RungGiveUp, now + desk.timers.t1_64());
        let prack = None;
        self.rung = Some(Rung {
            rseq,
            repeat,
            prack,
        });
    }

    pub(super) fn waits_for_prack(&self) -> bool {
        let rung = self.rung.as_ref();
        rung.is_some_and(|rung| rung.prack.is_none())
    }

    pub(super) fn handle_prack(&mut self, desk: &mut Desk, now: Instant, prack: &Received<'_>) {
        let echo = Echo::of(prack, desk.transport);
        let is_ours =
            prack.tag_of_to() == self.tag.as_bytes() && prack.tag_of_from() == self.caller_tag();
        let rung = self.rung.as_mut().filter(|_| is_ours);
        let Some(rung) = rung else {
            desk.send(
                now,
                self.number,
                echo.reply_to,
                echo.response(481, "", "", b""),
            );
            desk.complain(Some(self.number), "a PRACK of no reliable provisional");
            return;
        };
        desk.send(
            now,
            self.number,
            echo.reply_to,
            echo.response(200, "", "", b""),
        );
        match &rung.prack {
            Some(branch) if branch == prack.branch() => {
                desk.counts.absorbed += 1;
                return;
            }
            Some(_) => desk.complain(Some(self.number), "a second PRACK"),
            None => rung.prack = Some(prack.branch().to_vec()),
        }
        let due = format!("{} {} INVITE", rung.rseq, self.cseq);
        if prack.rack() != due.as_bytes() {
            let what = format!("RAck is {} where {due} is due", show(prack.rack()));
            desk.complain(Some(self.number), &what);
        }
        if prack.cseq() <= self.cseq {
            let what = "the CSeq of the PRACK does not go up";
            desk.complain(Some(self.number), what);
        }
        self.inside.heard(prack.cseq());
        for clock in [Clock::Rung, Clock::RungGiveUp] {
            desk.alarms.clear(self.id, clock);
        }
        if std::mem::take(&mut self.is_held_back) && self.stage == super::Stage::Waiting {
            self.decide(desk, now);
        }
    }
}
