//! The dialogs of a session: one for each 2xx that was sent, until its BYE is answered.

use super::{Clock, Desk, Dialog, Session};
use crate::agent::behaviour::Verdict;
use crate::agent::received::Received;
use crate::agent::text::{Echo, Text, via};
use crate::agent::{PEER_MARK, sdp};
use std::time::Instant;

impl Session {
    pub(super) fn acknowledge_dialog(
        &mut self,
        desk: &mut Desk,
        now: Instant,
        place: u8,
        ack: &Received<'_>,
    ) {
        let wanted = if self.has_offer {
            Vec::new()
        } else {
            sdp::of_caller(self.number)
        };
        let sdp_fits = if self.has_offer {
            ack.body().is_empty()
        } else {
            ack.carries_sdp(&wanted)
        };
        // Of forked answers only one gets the caller's; the other is ended at once.
        if !sdp_fits && self.behaviour.verdict != Verdict::AnswerTwice {
            desk.complain(
                Some(self.number),
                "the body of the ACK is not what the caller sends",
            );
        }
        if ack.branch() == self.branch {
            desk.complain(
                Some(self.number),
                "the ACK for a 2xx has the branch of its INVITE",
            );
        }
        let (id, hang_up) = (self.id, self.behaviour.hang_up);
        let Some(dialog) = self.dialog(place) else {
            return;
        };
        if std::mem::replace(&mut dialog.is_acknowledged, true) {
            desk.counts.absorbed += 1;
            return;
        }
        desk.alarms.clear(id, Clock::Answer(place));
        desk.alarms.clear(id, Clock::GiveUp(place));
        let is_over = dialog.is_over;
        if let (Some(hang_up), false) = (hang_up, is_over) {
            desk.alarms.set(id, Clock::HangUp(place), now + hang_up);
        }
        if !is_over && self.behaviour.verdict != Verdict::AnswerTwice {
            self.inside.begin(desk, now, id);
        }
    }

    pub(super) fn handle_bye(&mut self, desk: &mut Desk, now: Instant, bye: &Received<'_>) {
        let echo = Echo::of(bye, desk.transport);
        let place = self
            .place(bye.tag_of_to())
            .filter(|_| bye.tag_of_from() == self.caller_tag());
        let status = if place.is_some() { 200 } else { 481 };
        desk.send(
            now,
            self.number,
            echo.reply_to,
            echo.response(status, "", "", b""),
        );
        let number = self.number;
        let first_cseq = self.cseq;
        let Some((place, dialog)) = place.and_then(|place| Some((place, self.dialog(place)?)))
        else {
            desk.complain(Some(number), "a BYE that fits no dialog");
            return;
        };
        match dialog.bye_cseq.replace(bye.cseq()) {
            Some(before) if before == bye.cseq() => desk.counts.absorbed += 1,
            Some(_) => desk.complain(Some(number), "a second BYE with another CSeq"),
            None if bye.cseq() <= first_cseq => {
                desk.complain(Some(number), "the CSeq of the BYE does not go up");
            }
            None => {}
        }
        self.end_inside(desk, now, place);
        // With our own BYE on its way, the dialog waits for that one's answer.
        let is_up = |dialog: &mut Dialog| !dialog.is_over && dialog.bye.is_none();
        if self.dialog(place).is_some_and(is_up) {
            desk.counts.hung_up_on += 1;
            self.end_dialog(desk, now, place);
        }
    }

    pub(super) fn handle_bye_response(
        &mut self,
        desk: &mut Desk,
        now: Instant,
        response: &Received<'_>,
    ) {
        let place = (0..2).find(|place| {
            let bye = self
                .dialogs
                .get(usize::from(*place))
                .and_then(|dialog| dialog.bye.as_ref());
            bye.is_some_and(|(branch, _)| branch.as_bytes() == response.branch())
        });
        let number = self.number;
        let Some((place, dialog)) = place.and_then(|place| Some((place, self.dialog(place)?)))
        else {
            desk.complain(Some(number), "a response to a BYE that was never sent");
            return;
        };
        if dialog.is_over {
            desk.counts.absorbed += 1;
            return;
        }
        match response.status() {
            100..=199 => return,
            200 => {}
            481 if dialog.bye_cseq.is_some() => {}
            status => desk.complain(Some(number), &format!("the BYE got {status}")),
        }
        self.end_dialog(desk, now, place);
    }

    pub(super) fn hang_up(&mut self, desk: &mut Desk, now: Instant, place: u8) {
        let branch = format!("z9hG4bK{}", desk.name(PEER_MARK));
        let mut text = Text::request("BYE", &self.target_uri);
        let (target, ids, to, call_id) = (
            self.target,
            [self.number, self.id],
            self.from.clone(),
            self.call_id.clone(),
        );
        let mut from = self.to.clone();
        let Some(dialog) = self.dialog(place) else {
            return;
        };
        if dialog.is_over || dialog.bye.is_some() {
            return;
        }
        from.extend_from_slice(b";tag=");
        from.extend_from_slice(dialog.tag.as_bytes());
        self.end_inside(desk, now, place);
        // Only one of the dialogs has had requests of ours.
        let cseq = if place == 0 {
            self.inside.next_cseq()
        } else {
            1
        };
        let Some(dialog) = self.dialog(place) else {
            return;
        };
        text.common(
            &via(desk.transport, desk.local, &branch),
            [&from, &to, &call_id],
            &format!("{cseq} BYE"),
        );
        let bye = desk.repeat(target, text.end(b""), desk.timers.t2);
        desk.first(now, ids, &bye, Clock::Bye(place));
        desk.alarms
            .set(ids[1], Clock::ByeGiveUp(place), now + desk.timers.t1_64());
        dialog.bye = Some((branch, bye));
    }

    /// Nothing goes on inside this dialog any more.
    fn end_inside(&mut self, desk: &mut Desk, now: Instant, place: u8) {
        if place == 0
            && let Some(names) = self.names(desk)
        {
            self.inside.end(desk, now, &names);
        }
    }

    pub(super) fn end_dialog(&mut self, desk: &mut Desk, now: Instant, place: u8) {
        let id = self.id;
        if let Some(dialog) = self.dialog(place) {
            dialog.is_over = true;
        }
        for clock in [
            Clock::Answer(place),
            Clock::Bye(place),
            Clock::ByeGiveUp(place),
            Clock::GiveUp(place),
            Clock::HangUp(place),
        ] {
            desk.alarms.clear(id, clock);
        }
        if self.dialogs.iter().all(|dialog| dialog.is_over) {
            self.finish(desk, now);
        }
    }

    pub(super) fn place(&self, tag: &[u8]) -> Option<u8> {
        let place = self
            .dialogs
            .iter()
            .position(|dialog| dialog.tag.as_bytes() == tag)?;
        u8::try_from(place).ok()
    }

    pub(super) fn dialog(&mut self, place: u8) -> Option<&mut Dialog> {
        self.dialogs.get_mut(usize::from(place))
    }
}
