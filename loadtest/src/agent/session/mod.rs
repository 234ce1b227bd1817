//! One call at a peer, from the INVITE it was sent to the last response (RFC 3261 §9.2, §13.3, §15, §17.2).

mod dialogs;
mod reliable;

use super::behaviour::{Behaviour, Verdict};
use super::context::{Context, Repeat, check_common};
use super::inside::{self, Inside, Names};
use super::received::{Received, after, show};
use super::text::{Echo, transport_parameter};
use super::timed::Terms;
use super::{CALLER_MARK, PEER_MARK, sdp};
use reliable::Rung;
use signaling::sip::message::{HeaderName, Method};
use std::net::SocketAddr;
use std::time::Instant;

/// The clocks of a session; the number says which of its dialogs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Clock {
    /// Repeat the 2xx (RFC 3261 §13.3.1.4).
    Answer(u8),
    /// Repeat the BYE (timer E).
    Bye(u8),
    /// No answer to our BYE (timer F).
    ByeGiveUp(u8),
    /// Nothing repeated comes any more.
    Forget,
    /// No ACK for a 2xx.
    GiveUp(u8),
    /// The script says to hang up.
    HangUp(u8),
    /// Of what goes on inside the dialog.
    Inside(inside::Clock),
    /// Repeat the refusal (timer G).
    Refusal,
    /// No ACK for the refusal (timer H).
    RefusalGiveUp,
    /// Ring.
    Ring,
    /// Repeat the reliable provisional (RFC 3262 §3).
    Rung,
    /// No PRACK for it.
    RungGiveUp,
    /// Answer or refuse.
    Verdict,
}

impl From<inside::Clock> for Clock {
    fn from(clock: inside::Clock) -> Self {
        Self::Inside(clock)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No final response yet.
    Waiting,
    /// Refused, not acknowledged yet.
    Refused,
    /// Answered; the dialogs go their ways.
    Answered,
    /// Only repeats are answered.
    Over,
}

/// What one 2xx began.
#[derive(Debug)]
struct Dialog {
    tag: String,
    answer: Repeat,
    is_acknowledged: bool,
    is_over: bool,
    bye: Option<(String, Repeat)>,
    bye_cseq: Option<u32>,
}

pub(super) struct Session {
    id: u64,
    number: u64,
    stage: Stage,
    behaviour: Behaviour,
    echo: Echo,
    branch: Vec<u8>,
    uri: Vec<u8>,
    from: Vec<u8>,
    to: Vec<u8>,
    call_id: Vec<u8>,
    cseq: u32,
    target_uri: Vec<u8>,
    target: SocketAddr,
    has_offer: bool,
    tag: String,
    last_response: Vec<u8>,
    refusal: Option<Repeat>,
    /// Whether the caller takes reliable provisionals, the one that was sent, and whether the answer waits for its PRACK.
    takes_reliable: bool,
    /// The interval that the caller's side offers.
    offered: Option<Terms>,
    rung: Option<Rung>,
    is_held_back: bool,
    dialogs: Vec<Dialog>,
    /// What goes on inside the dialog of a call that was not forked.
    inside: Inside,
}

type Desk = Context<Clock>;

impl Session {
    /// Takes an INVITE that begins a call.
    pub(super) fn begin(
        desk: &mut Desk,
        now: Instant,
        id: u64,
        [number, max_forwards]: [u64; 2],
        behaviour: Behaviour,
        invite: &Received<'_>,
    ) -> Self {
        if let Err(what) = check_invite(invite, desk.foreign(CALLER_MARK), [number, max_forwards]) {
            desk.complain(Some(number), &what);
        }
        let (target_uri, target) = match invite.contact() {
            Ok((uri, target)) => (uri.to_vec(), target),
            Err(what) => {
                desk.complain(Some(number), &what);
                (Vec::new(), invite.source)
            }
        };
        let mut session = Self {
            id,
            number,
            stage: Stage::Waiting,
            behaviour,
            echo: Echo::of(invite, desk.transport),
            branch: invite.branch().to_vec(),
            uri: invite.request_uri().to_vec(),
            from: invite.from().to_vec(),
            to: invite.to().to_vec(),
            call_id: invite.call_id().to_vec(),
            cseq: invite.cseq(),
            target_uri,
            target,
            has_offer: !invite.body().is_empty(),
            tag: desk.name(PEER_MARK),
            last_response: Vec::new(),
            refusal: None,
            takes_reliable: invite.lists(HeaderName::Supported, b"100rel"),
            offered: Terms::of(invite),
            rung: None,
            is_held_back: false,
            dialogs: Vec::new(),
            inside: Inside::new(false, 0, behaviour.acts),
        };
        session.open(desk, now);
        session
    }

    fn open(&mut self, desk: &mut Desk, now: Instant) {
        match self.behaviour.verdict {
            Verdict::Silence => {
                self.finish(desk, now);
                return;
            }
            Verdict::RingOn => {}
            Verdict::Answer | Verdict::AnswerTwice | Verdict::Refuse(_) => {
                desk.alarms
                    .set(self.id, Clock::Verdict, now + self.behaviour.after);
            }
        }
        if self.behaviour.trying {
            // RFC 3261 §8.2.6.2: a 100 needs no tag.
            self.respond(desk, now, 100, "", b"");
        }
        if let Some(ringing) = self.behaviour.ringing {
            if ringing.is_zero() {
                self.ring(desk, now);
            } else {
                desk.alarms.set(self.id, Clock::Ring, now + ringing);
            }
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.stage != Stage::Over
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn call_id(&self) -> &[u8] {
        &self.call_id
    }

    /// Takes a message of this call.
    pub(super) fn handle(&mut self, desk: &mut Desk, now: Instant, message: &Received<'_>) {
        if self.behaviour.verdict == Verdict::Silence {
            return;
        }
        if let Err(what) = check_common(message, desk.foreign(CALLER_MARK)) {
            desk.complain(Some(self.number), &what);
        }
        if message.is_request() && message.method() == Method::Prack {
            self.handle_prack(desk, now, message);
            return;
        }
        if self.handle_inside(desk, now, message) {
            return;
        }
        match (message.is_request(), message.method()) {
            (true, Method::Ack) => self.handle_ack(desk, now, message),
            (true, Method::Bye) => self.handle_bye(desk, now, message),
            (true, Method::Cancel) => self.handle_cancel(desk, now, message),
            (true, Method::Invite) => self.handle_invite_again(desk, now, message),
            (false, Method::Bye) => self.handle_bye_response(desk, now, message),
            (true, method) => {
                let echo = Echo::of(message, desk.transport);
                let status = if method == Method::Options { 200 } else { 501 };
                desk.send(
                    now,
                    self.number,
                    echo.reply_to,
                    echo.response(status, "", "", b""),
                );
            }
            (false, method) => desk.complain(
                Some(self.number),
                &format!("a response to a {method} that was never sent"),
            ),
        }
    }

    /// Takes what belongs inside the dialog; whether it does.
    fn handle_inside(&mut self, desk: &mut Desk, now: Instant, message: &Received<'_>) -> bool {
        let Some(names) = self.names(desk) else {
            return false;
        };
        if !message.is_request() {
            return self.inside.handle_response(desk, now, &names, message);
        }
        if message.method() == Method::Cancel {
            return self.inside.handle_cancel(desk, now, &names, message);
        }
        let is_ours = self.place(message.tag_of_to()) == Some(0)
            && message.tag_of_from() == self.caller_tag();
        let method = message.method();
        let is_other = matches!(method, Method::Bye | Method::Options);
        let is_first_ack = method == Method::Ack && message.cseq() == self.cseq;
        let is_inside = !is_other && !is_first_ack;
        if is_ours && is_inside {
            self.inside.handle_request(desk, now, &names, message);
        }
        is_ours && is_inside
    }

    /// How the dialog of a call that was not forked is called.
    fn names(&self, desk: &Desk) -> Option<Names> {
        let dialog = self.dialogs.first()?;
        let mut from = self.to.clone();
        from.extend_from_slice(b";tag=");
        from.extend_from_slice(dialog.tag.as_bytes());
        Some(Names {
            number: self.number,
            id: self.id,
            from,
            to: self.from.clone(),
            call_id: self.call_id.clone(),
            target_uri: self.target_uri.clone(),
            target: self.target,
            contact: self.contact(desk),
            mark: PEER_MARK,
        })
    }

    fn handle_invite_again(&self, desk: &mut Desk, now: Instant, invite: &Received<'_>) {
        if invite.branch() == self.branch {
            desk.counts.absorbed += 1;
            // RFC 3261 §17.2.1, RFC 6026 §7.1: repeated while Proceeding or Completed, absorbed once Accepted.
            if self.dialogs.is_empty() && !self.last_response.is_empty() {
                desk.send(
                    now,
                    self.number,
                    self.echo.reply_to,
                    self.last_response.clone(),
                );
            }
            return;
        }
        let echo = Echo::of(invite, desk.transport);
        let status = if invite.tag_of_to().is_empty() {
            482
        } else {
            488
        };
        desk.send(
            now,
            self.number,
            echo.reply_to,
            echo.response(status, &self.tag, "", b""),
        );
        desk.complain(
            Some(self.number),
            &format!("another INVITE in the same call: {status}"),
        );
    }

    fn handle_ack(&mut self, desk: &mut Desk, now: Instant, ack: &Received<'_>) {
        if ack.cseq() != self.cseq {
            desk.complain(
                Some(self.number),
                "the number in CSeq of the ACK is not that of the INVITE",
            );
        }
        if let Some(place) = self.place(ack.tag_of_to()) {
            self.acknowledge_dialog(desk, now, place, ack);
            return;
        }
        let is_for_refusal = self.refusal.is_some() && ack.tag_of_to() == self.tag.as_bytes();
        if !is_for_refusal {
            desk.complain(
                Some(self.number),
                &format!("an ACK that fits no response: {}", show(ack.head())),
            );
            return;
        }
        if ack.branch() != self.branch {
            desk.complain(
                Some(self.number),
                "the ACK for a refusal has not the branch of its INVITE",
            );
        }
        if self.stage == Stage::Refused {
            self.finish(desk, now);
        } else {
            desk.counts.absorbed += 1;
        }
    }

    fn handle_cancel(&mut self, desk: &mut Desk, now: Instant, cancel: &Received<'_>) {
        let echo = Echo::of(cancel, desk.transport);
        let fits = cancel.branch() == self.branch && cancel.cseq() == self.cseq;
        let status = if fits { 200 } else { 481 };
        desk.send(
            now,
            self.number,
            echo.reply_to,
            echo.response(status, &self.tag, "", b""),
        );
        if !fits {
            desk.complain(Some(self.number), "a CANCEL that fits no INVITE");
            return;
        }
        if cancel.request_uri() != self.uri || cancel.to() != self.to || cancel.from() != self.from
        {
            desk.complain(
                Some(self.number),
                "URI, To and From of the CANCEL are not those of the INVITE",
            );
        }
        if self.stage == Stage::Waiting {
            desk.counts.cancelled += 1;
            self.refuse(desk, now, 487);
        }
    }

    /// One of the clocks has gone off.
    pub(super) fn handle_alarm(&mut self, desk: &mut Desk, now: Instant, clock: Clock) {
        let ids = [self.number, self.id];
        match clock {
            Clock::Ring if self.stage == Stage::Waiting => self.ring(desk, now),
            Clock::Rung => {
                if let Some(rung) = &mut self.rung {
                    desk.again(now, ids, &mut rung.repeat, clock);
                }
            }
            Clock::RungGiveUp => {
                desk.alarms.clear(self.id, Clock::Rung);
                // RFC 3262 §3: "SHOULD reject the original request with a 5xx response".
                if self.stage == Stage::Waiting {
                    self.refuse(desk, now, 500);
                }
            }
            Clock::Verdict if self.stage == Stage::Waiting => self.decide(desk, now),
            Clock::Refusal => {
                if let Some(refusal) = &mut self.refusal {
                    desk.again(now, ids, refusal, clock);
                }
            }
            Clock::RefusalGiveUp => {
                desk.counts.acks_missing += 1;
                self.finish(desk, now);
            }
            Clock::Answer(place) => {
                if let Some(dialog) = self.dialog(place) {
                    desk.again(now, ids, &mut dialog.answer, clock);
                }
            }
            Clock::Bye(place) => {
                if let Some((_, bye)) = self.dialog(place).and_then(|dialog| dialog.bye.as_mut()) {
                    desk.again(now, ids, bye, clock);
                }
            }
            Clock::GiveUp(place) => {
                // RFC 3261 §13.3.1.4: without an ACK the session is to be ended by a BYE.
                desk.alarms.clear(self.id, Clock::Answer(place));
                self.hang_up(desk, now, place);
            }
            Clock::ByeGiveUp(place) => {
                desk.complain(Some(self.number), "the BYE got no answer");
                self.end_dialog(desk, now, place);
            }
            Clock::Inside(clock) => {
                let is_up = self.dialogs.first().is_some_and(|dialog| !dialog.is_over);
                if is_up
                    && let Some(names) = self.names(desk)
                    && self.inside.handle_alarm(desk, now, &names, clock)
                {
                    self.hang_up(desk, now, 0);
                }
            }
            Clock::HangUp(place) => self.hang_up(desk, now, place),
            Clock::Forget | Clock::Ring | Clock::Verdict => {}
        }
    }

    /// 2xx that were not acknowledged, and a refusal that waits for its ACK.
    pub(super) fn acks_missing(&self) -> u64 {
        let dialogs = self.dialogs.iter().filter(|dialog| !dialog.is_acknowledged);
        let refused = u64::from(self.stage == Stage::Refused);
        dialogs.map(|_| 1).sum::<u64>() + refused
    }

    fn ring(&mut self, desk: &mut Desk, now: Instant) {
        let tag = self.tag.clone();
        if self.behaviour.rings_reliably && self.takes_reliable {
            self.ring_reliably(desk, now);
        } else if self.behaviour.early_media {
            self.respond(desk, now, 183, &tag, &sdp::of_peer(self.number, 0));
        } else {
            self.respond(desk, now, 180, &tag, b"");
        }
    }

    fn decide(&mut self, desk: &mut Desk, now: Instant) {
        let answers = matches!(
            self.behaviour.verdict,
            Verdict::Answer | Verdict::AnswerTwice
        );
        // RFC 3262 §5: not before what it offered or answered was acknowledged; here never before.
        if answers && self.waits_for_prack() {
            self.is_held_back = true;
            return;
        }
        match self.behaviour.verdict {
            Verdict::Answer => self.answer(desk, now, 1),
            Verdict::AnswerTwice => self.answer(desk, now, 2),
            Verdict::Refuse(status) => self.refuse(desk, now, status),
            Verdict::RingOn | Verdict::Silence => debug_assert!(false, "no clock was set for this"),
        }
    }

    fn answer(&mut self, desk: &mut Desk, now: Instant, forks: u8) {
        self.stage = Stage::Answered;
        desk.counts.answered += 1;
        desk.alarms.clear(self.id, Clock::Ring);
        for place in 0..forks {
            // The first fork is the one that rang.
            let tag = if place == 0 {
                self.tag.clone()
            } else {
                desk.name(PEER_MARK)
            };
            let bytes = self.accepted(desk, &tag, place);
            if let (Some(timed), Some(terms)) = (self.behaviour.timed, self.terms()) {
                let kept = (timed, terms, false);
                self.inside.keep(desk, now, self.id, kept);
            }
            let answer = desk.repeat(self.echo.reply_to, bytes, desk.timers.t2);
            desk.first(now, [self.number, self.id], &answer, Clock::Answer(place));
            // RFC 3261 §13.3.1.4: a 2xx is repeated over TCP too.
            desk.alarms
                .set(self.id, Clock::Answer(place), now + desk.timers.t1);
            desk.alarms
                .set(self.id, Clock::GiveUp(place), now + desk.timers.t1_64());
            let (bye, bye_cseq) = (None, None);
            self.dialogs.push(Dialog {
                tag,
                answer,
                is_acknowledged: false,
                is_over: false,
                bye,
                bye_cseq,
            });
        }
    }

    /// A 2xx.
    fn accepted(&self, desk: &Desk, tag: &str, place: u8) -> Vec<u8> {
        let contact = self.contact(desk);
        let terms = self.terms();
        let requires = terms.filter(|terms| terms.by_uac).map(|_| "timer");
        let says = terms.map(Terms::text).unwrap_or_default();
        // Who takes no UPDATE has to say what it takes.
        let allow = match self.behaviour.timed {
            Some(timed) if timed.takes_update => "INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE",
            Some(_) => "INVITE, ACK, CANCEL, OPTIONS, BYE",
            None => "",
        };
        let headers = [
            ("Contact", contact.as_str()),
            ("Allow", allow),
            ("Session-Expires", says.as_str()),
            ("Require", requires.unwrap_or_default()),
        ];
        let body = sdp::of_peer(self.number, place);
        self.echo.response_with(200, tag, &headers, &body)
    }

    /// What the 2xx says of the session timer.
    fn terms(&self) -> Option<Terms> {
        let (timed, offered) = (self.behaviour.timed?, self.offered?);
        Some(Terms {
            seconds: timed.seconds.min(offered.seconds),
            by_uac: !timed.refreshes,
        })
    }

    fn refuse(&mut self, desk: &mut Desk, now: Instant, status: u16) {
        self.stage = Stage::Refused;
        desk.counts.refused += 1;
        desk.alarms.clear_all(self.id);
        let bytes = self.echo.response(status, &self.tag, "", b"");
        self.last_response.clone_from(&bytes);
        let refusal = desk.repeat(self.echo.reply_to, bytes, desk.timers.t2);
        desk.first(now, [self.number, self.id], &refusal, Clock::Refusal);
        desk.alarms
            .set(self.id, Clock::RefusalGiveUp, now + desk.timers.t1_64());
        self.refusal = Some(refusal);
    }

    /// Sends a provisional response and keeps it for repeated INVITEs.
    fn respond(&mut self, desk: &mut Desk, now: Instant, status: u16, tag: &str, sdp: &[u8]) {
        let contact = if status == 100 {
            String::new()
        } else {
            self.contact(desk)
        };
        self.last_response = self.echo.response(status, tag, &contact, sdp);
        desk.send(
            now,
            self.number,
            self.echo.reply_to,
            self.last_response.clone(),
        );
    }

    fn finish(&mut self, desk: &mut Desk, now: Instant) {
        self.stage = Stage::Over;
        desk.alarms.clear_all(self.id);
        desk.alarms
            .set(self.id, Clock::Forget, now + desk.timers.linger());
    }

    fn contact(&self, desk: &Desk) -> String {
        let transport = transport_parameter(desk.transport);
        format!("<sip:{PEER_MARK}{}@{}{transport}>", self.id, desk.local)
    }

    fn caller_tag(&self) -> &[u8] {
        after(&self.from, b";tag=").unwrap_or_default()
    }
}

fn check_invite(
    invite: &Received<'_>,
    foreign_mark: Option<&str>,
    [number, max_forwards]: [u64; 2],
) -> Result<(), String> {
    check_common(invite, foreign_mark)?;
    if invite.max_forwards().map(u64::from) != Some(max_forwards) {
        return Err(format!(
            "Max-Forwards is {:?} where {max_forwards} is due",
            invite.max_forwards()
        ));
    }
    if !invite.body().is_empty() && !invite.carries_sdp(&sdp::of_caller(number)) {
        return Err("the body of the INVITE is not what the caller sends".into());
    }
    if !invite.tag_of_to().is_empty() {
        return Err("an INVITE within a dialog that does not exist".into());
    }
    Ok(())
}
