//! Requests inside a dialog, as one end of it asks and answers them (RFC 3261 §12.2 and §14, RFC 3311, RFC 6086): one
//! question at a time of each end, several on their way at once where both ask.
//!
//! An end answers what it is asked, at once or a little later, or with 488; while its own INVITE or UPDATE is on its way,
//! or the ACK of its last 2xx is, it answers the other end's with 491 (§14.1 and RFC 5407 §3.1.5).

mod checks;
mod session;

use super::act::{ActKind, Acts};
use super::context::{Context, Repeat};
use super::received::Received;
use super::sdp;
use super::text::{Echo, Text, via};
use super::timed::{Terms, Timed};
use signaling::sip::message::Method;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Bodies of each end, by their order: so many can be told apart.
const BODIES: u8 = 16;

/// The body of an INFO (RFC 5168), which asks for a whole picture.
const PICTURE: &[u8] = b"<?xml version=\"1.0\"?><media_control><vc_primitive><to_encoder>\
<picture_fast_update/></to_encoder></vc_primitive></media_control>\r\n";

/// The clocks of what goes on inside a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Clock {
    /// The act of this number is due.
    Act(u8),
    /// The answer to the other end's request is due.
    Answer,
    /// Repeat the 2xx or refusal of the other end's INVITE.
    AnswerRepeat,
    /// No ACK for it.
    AnswerGiveUp,
    /// Repeat the request.
    Repeat,
    /// No answer to it.
    GiveUp,
    /// The session is to be refreshed.
    Refresh,
    /// The session is over, and nobody refreshed it.
    Expired,
}

/// How the dialog is called and reached, as its messages say it.
pub(super) struct Names {
    pub(super) number: u64,
    pub(super) id: u64,
    pub(super) from: Vec<u8>,
    pub(super) to: Vec<u8>,
    pub(super) call_id: Vec<u8>,
    pub(super) target_uri: Vec<u8>,
    pub(super) target: SocketAddr,
    pub(super) contact: String,
    pub(super) mark: &'static str,
}

/// A request of ours.
#[derive(Debug)]
struct Asked {
    branch: String,
    cseq: u32,
    kind: ActKind,
    repeat: Repeat,
    is_answered: bool,
    ack: Option<Vec<u8>>,
}

/// A request of the other end.
#[derive(Debug)]
struct Asker {
    branch: Vec<u8>,
    cseq: u32,
    method: Method,
    echo: Echo,
    /// 0 until it is answered.
    status: u16,
    has_offer: bool,
    answer: Option<Repeat>,
    is_acknowledged: bool,
    /// What it says of the session timer, where that is kept.
    refresh: Option<Terms>,
}

/// What goes on inside one dialog.
#[derive(Debug)]
pub(super) struct Inside {
    is_caller: bool,
    acts: Acts,
    cseq: u32,
    cseq_came: Option<u32>,
    bodies: u8,
    asked: Vec<Asked>,
    askers: Vec<Asker>,
    is_over: bool,
    timed: Option<Timed>,
    /// The interval that holds, and whether this end refreshes.
    session: Option<(u32, bool)>,
}

impl Inside {
    /// `cseq`: the number of the last request that this end has sent.
    pub(super) fn new(is_caller: bool, cseq: u32, acts: Acts) -> Self {
        Self {
            is_caller,
            acts,
            cseq,
            cseq_came: None,
            bodies: 0,
            asked: Vec::new(),
            askers: Vec::new(),
            is_over: false,
            timed: None,
            session: None,
        }
    }

    /// The call is up.
    pub(super) fn begin<C: Copy + Ord + From<Clock>>(
        &self,
        desk: &mut Context<C>,
        now: Instant,
        id: u64,
    ) {
        for (number, act) in (0u8..).zip(&self.acts) {
            if let Some(act) = act {
                desk.alarms
                    .set(id, Clock::Act(number).into(), now + act.after);
            }
        }
    }

    /// The number in CSeq of the next request.
    pub(super) fn next_cseq(&mut self) -> u32 {
        self.cseq += 1;
        self.cseq
    }

    /// A request came before the call was up.
    pub(super) fn heard(&mut self, cseq: u32) {
        self.cseq_came = self.cseq_came.max(Some(cseq));
    }

    /// The other end has sent a BYE: what it waits for gets no other answer than this (§15.1.2).
    pub(super) fn end<C: Copy + Ord + From<Clock>>(
        &mut self,
        desk: &mut Context<C>,
        now: Instant,
        names: &Names,
    ) {
        self.is_over = true;
        for clock in [
            Clock::Answer,
            Clock::Repeat,
            Clock::GiveUp,
            Clock::Refresh,
            Clock::Expired,
        ] {
            desk.alarms.clear(names.id, clock.into());
        }
        let open = self.askers.iter().position(|asker| asker.status == 0);
        if let Some(at) = open {
            self.answer(desk, now, (names, at), 487);
        }
    }

    /// Takes a request other than BYE and CANCEL that fits the dialog, or an ACK of one that came inside it.
    pub(super) fn handle_request<C: Copy + Ord + From<Clock>>(
        &mut self,
        desk: &mut Context<C>,
        now: Instant,
        names: &Names,
        request: &Received<'_>,
    ) {
        if request.method() == Method::Ack {
            self.acknowledged(desk, names, request);
            return;
        }
        let branch = request.branch();
        if let Some(asker) = self.askers.iter().find(|asker| asker.branch == branch) {
            desk.counts.absorbed += 1;
            if let Some(answer) = &asker.answer {
                desk.send(now, names.number, answer.to, answer.bytes.clone());
            }
            return;
        }
        if let Some(what) = self.wrong(names.number, request) {
            desk.complain(Some(names.number), &what);
        }
        self.askers.push(Asker {
            branch: branch.to_vec(),
            cseq: request.cseq(),
            method: request.method(),
            echo: Echo::of(request, desk.transport),
            status: 0,
            has_offer: !request.body().is_empty(),
            answer: None,
            is_acknowledged: false,
            refresh: self.session.and_then(|_| Terms::of(request)),
        });
        let at = self.askers.len() - 1;
        let is_late = self.cseq_came.is_some_and(|last| request.cseq() <= last);
        self.cseq_came = self.cseq_came.max(Some(request.cseq()));
        if let Some(status) = self.refusal(at, is_late) {
            self.answer(desk, now, (names, at), status);
        } else if desk.random.permille(300) && request.method() == Method::Invite {
            let later = desk.random.up_to(Duration::from_millis(400));
            desk.alarms.set(names.id, Clock::Answer.into(), now + later);
            let echo = Echo::of(request, desk.transport);
            let trying = echo.response(100, "", "", b"");
            desk.send(now, names.number, echo.reply_to, trying);
        } else {
            self.agree(desk, now, (names, at));
        }
    }

    /// Takes a CANCEL of an INVITE that came inside the dialog (§9.2); whether it is one.
    pub(super) fn handle_cancel<C: Copy + Ord + From<Clock>>(
        &mut self,
        desk: &mut Context<C>,
        now: Instant,
        names: &Names,
        cancel: &Received<'_>,
    ) -> bool {
        let branch = cancel.branch();
        let mut askers = self.askers.iter();
        let Some(at) = askers.position(|asker| asker.branch == branch) else {
            return false;
        };
        let echo = Echo::of(cancel, desk.transport);
        let answer = echo.response(200, "", "", b"");
        desk.send(now, names.number, echo.reply_to, answer);
        if self.askers.get(at).is_some_and(|asker| asker.status == 0) {
            desk.alarms.clear(names.id, Clock::Answer.into());
            self.answer(desk, now, (names, at), 487);
        }
        true
    }

    /// The status that a request has to be refused with.
    fn refusal(&self, at: usize, is_late: bool) -> Option<u16> {
        let asker = self.askers.get(at)?;
        let is_of_session = |method: Method| matches!(method, Method::Invite | Method::Update);
        let asks = self.asked.iter().any(|asked| {
            let is_of_session = matches!(asked.kind.method(), "INVITE" | "UPDATE");
            is_of_session && !asked.is_answered
        });
        let owes = self.askers.iter().enumerate().any(|(of, other)| {
            let waits_for_ack = other.method == Method::Invite && !other.is_acknowledged;
            of != at && (other.status == 0 || (waits_for_ack && (200..300).contains(&other.status)))
        });
        if self.is_over {
            Some(481)
        } else if is_late {
            Some(500)
        } else if is_of_session(asker.method) && (asks || owes) {
            Some(491)
        } else {
            None
        }
    }

    /// Answers what may be answered with 2xx, nearly always with it.
    fn agree<C: Copy + Ord + From<Clock>>(
        &mut self,
        desk: &mut Context<C>,
        now: Instant,
        (names, at): (&Names, usize),
    ) {
        let asker = self.askers.get(at);
        let method = asker.map(|asker| asker.method);
        let status = match method {
            Some(Method::Invite | Method::Update)
                if asker.is_some_and(|asker| asker.refresh.is_some()) =>
            {
                200
            }
            Some(Method::Invite | Method::Update) if desk.random.permille(150) => 488,
            Some(Method::Refer) => 603,
            Some(_) | None => 200,
        };
        self.answer(desk, now, (names, at), status);
    }

    fn answer<C: Copy + Ord + From<Clock>>(
        &mut self,
        desk: &mut Context<C>,
        now: Instant,
        (names, at): (&Names, usize),
        status: u16,
    ) {
        let Some(asker) = self.askers.get_mut(at) else {
            return;
        };
        asker.status = status;
        let is_of_session = matches!(asker.method, Method::Invite | Method::Update);
        let is_bare = asker.method == Method::Update && !asker.has_offer;
        let refresh = asker.refresh.filter(|_| status == 200 && is_of_session);
        let (contact, body) = if status == 200 && is_bare {
            (names.contact.as_str(), Vec::new())
        } else if status == 200 && is_of_session {
            let body = sdp::of_inside(names.number, self.is_caller, self.bodies % BODIES);
            self.bodies = self.bodies.wrapping_add(1);
            (names.contact.as_str(), body)
        } else {
            ("", Vec::new())
        };
        let terms = refresh.map(Terms::text).unwrap_or_default();
        let requires = refresh.filter(|terms| terms.by_uac).map(|_| "timer");
        let headers = [
            ("Contact", contact),
            ("Session-Expires", terms.as_str()),
            ("Require", requires.unwrap_or_default()),
        ];
        let bytes = asker.echo.response_with(status, "", &headers, &body);
        let answer = desk.repeat(asker.echo.reply_to, bytes, desk.timers.t2);
        desk.send(now, names.number, answer.to, answer.bytes.clone());
        let is_invite = asker.method == Method::Invite;
        let is_repeated = is_invite && (status == 200 || !desk.transport.is_reliable());
        asker.answer = Some(answer);
        if let (Some(terms), Some(timed)) = (refresh, self.timed) {
            self.keep(desk, now, names.id, (timed, terms, false));
        }
        if is_repeated {
            let (again, end) = (now + desk.timers.t1, now + desk.timers.t1_64());
            desk.alarms.set(names.id, Clock::AnswerRepeat.into(), again);
            desk.alarms.set(names.id, Clock::AnswerGiveUp.into(), end);
        }
    }

    fn acknowledged<C: Copy + Ord + From<Clock>>(
        &mut self,
        desk: &mut Context<C>,
        names: &Names,
        ack: &Received<'_>,
    ) {
        let mut askers = self.askers.iter_mut();
        let found = askers.find(|asker| asker.method == Method::Invite && asker.cseq == ack.cseq());
        let Some(asker) = found.filter(|asker| asker.status >= 200) else {
            desk.complain(Some(names.number), "an ACK of no INVITE inside the dialog");
            return;
        };
        if std::mem::replace(&mut asker.is_acknowledged, true) {
            desk.counts.absorbed += 1;
            return;
        }
        let (status, has_offer) = (asker.status, asker.has_offer);
        for clock in [Clock::AnswerRepeat, Clock::AnswerGiveUp] {
            desk.alarms.clear(names.id, clock.into());
        }
        let is_right = if status == 200 && !has_offer {
            self.is_theirs(names.number, ack.body())
        } else {
            ack.body().is_empty()
        };
        // Where a BYE was faster the ACK is the node's own.
        if !is_right && !self.is_over {
            let what = "the body of the ACK is not what the other end sends";
            desk.complain(Some(names.number), what);
        }
    }

    /// Takes a response; whether it is to a request of ours.
    pub(super) fn handle_response<C: Copy + Ord + From<Clock>>(
        &mut self,
        desk: &mut Context<C>,
        now: Instant,
        names: &Names,
        response: &Received<'_>,
    ) -> bool {
        let branch = response.branch();
        let mut asked = self.asked.iter();
        let Some(at) = asked.position(|asked| asked.branch.as_bytes() == branch) else {
            return false;
        };
        let status = response.status();
        let is_invite = response.method() == Method::Invite;
        let Some(asked) = self.asked.get_mut(at) else {
            return false;
        };
        if status < 200 {
            if is_invite {
                desk.alarms.clear(names.id, Clock::Repeat.into());
            }
            return true;
        }
        let is_first = !std::mem::replace(&mut asked.is_answered, true);
        if is_first {
            for clock in [Clock::Repeat, Clock::GiveUp] {
                desk.alarms.clear(names.id, clock.into());
            }
        } else {
            desk.counts.absorbed += 1;
        }
        let (kind, cseq) = (asked.kind, asked.cseq);
        if is_first && let Some(what) = self.wrong_answer(names.number, kind, response) {
            desk.complain(Some(names.number), &what);
        }
        if is_first && kind == ActKind::Refresh {
            self.refreshed(desk, now, names, response);
        }
        if is_invite {
            let ack = self.ack(desk, names, (at, cseq), status);
            desk.send(now, names.number, names.target, ack);
        }
        true
    }

    /// The ACK of a final answer to our INVITE; always the same one.
    fn ack<C: Copy + Ord>(
        &mut self,
        desk: &mut Context<C>,
        names: &Names,
        (at, cseq): (usize, u32),
        status: u16,
    ) -> Vec<u8> {
        let known = self.asked.get(at).and_then(|asked| asked.ack.clone());
        if let Some(ack) = known {
            return ack;
        }
        let is_delayed = self
            .asked
            .get(at)
            .is_some_and(|asked| asked.kind == ActKind::ReInviteDelayed);
        let body = if is_delayed && status < 300 {
            self.bodies = self.bodies.wrapping_add(1);
            sdp::of_inside(names.number, self.is_caller, (self.bodies - 1) % BODIES)
        } else {
            Vec::new()
        };
        let branch = match self.asked.get(at) {
            Some(asked) if status >= 300 => asked.branch.clone(),
            Some(_) | None => format!("z9hG4bK{}", desk.name(names.mark)),
        };
        let text = request(desk, names, "ACK", (&branch, cseq));
        let ack = text.end(&body);
        if let Some(asked) = self.asked.get_mut(at) {
            asked.ack = Some(ack.clone());
        }
        ack
    }

    /// One of the clocks has gone off. Whether the end gives the dialog up.
    pub(super) fn handle_alarm<C: Copy + Ord + From<Clock>>(
        &mut self,
        desk: &mut Context<C>,
        now: Instant,
        names: &Names,
        clock: Clock,
    ) -> bool {
        let ids = [names.number, names.id];
        match clock {
            Clock::Refresh => self.refresh(desk, now, names),
            Clock::Expired => {
                desk.complain(Some(names.number), "nobody refreshed the session");
                return true;
            }
            Clock::Act(number) => {
                let act = self.acts.get(usize::from(number)).copied().flatten();
                if let Some(act) = act {
                    self.act(desk, now, names, act.kind);
                }
            }
            Clock::Answer => {
                let open = self.askers.iter().position(|asker| asker.status == 0);
                if let Some(at) = open {
                    self.agree(desk, now, (names, at));
                }
            }
            Clock::AnswerRepeat => {
                let mut askers = self.askers.iter_mut().rev();
                let unheard = askers.find(|asker| {
                    asker.method == Method::Invite && asker.status >= 200 && !asker.is_acknowledged
                });
                if let Some(answer) = unheard.and_then(|asker| asker.answer.as_mut()) {
                    desk.again(now, ids, answer, clock.into());
                }
            }
            // RFC 3261 §14.2: as if the first 2xx had got no ACK.
            Clock::AnswerGiveUp => {
                desk.alarms.clear(names.id, Clock::AnswerRepeat.into());
                let mut askers = self.askers.iter().rev();
                let last = askers.find(|asker| asker.method == Method::Invite);
                return last.is_some_and(|asker| asker.status == 200 && !asker.is_acknowledged);
            }
            Clock::Repeat => {
                if let Some(asked) = self.asked.last_mut().filter(|asked| !asked.is_answered) {
                    desk.again(now, ids, &mut asked.repeat, clock.into());
                }
            }
            Clock::GiveUp => {
                desk.alarms.clear(names.id, Clock::Repeat.into());
                if let Some(asked) = self.asked.last_mut() {
                    asked.is_answered = true;
                    let what = format!("no final response to {}", asked.kind.method());
                    desk.complain(Some(names.number), &what);
                }
            }
        }
        false
    }

    /// Asks, unless something is in the way.
    fn act<C: Copy + Ord + From<Clock>>(
        &mut self,
        desk: &mut Context<C>,
        now: Instant,
        names: &Names,
        kind: ActKind,
    ) {
        let waits = self.asked.iter().any(|asked| !asked.is_answered);
        // RFC 3261 §14.1: no INVITE while another one is under way in either direction; the 2xx of ours needs its ACK first.
        let owes = self.askers.iter().any(|asker| {
            asker.status == 0 || (asker.method == Method::Invite && !asker.is_acknowledged)
        });
        if self.is_over || waits || owes {
            return;
        }
        let cseq = self.next_cseq();
        let branch = format!("z9hG4bK{}", desk.name(names.mark));
        let mut text = request(desk, names, kind.method(), (&branch, cseq));
        let bytes = match kind {
            ActKind::Info => text.end_typed("application/media_control+xml", PICTURE),
            ActKind::Message => text.end_typed("text/plain", &text_of(names.number)),
            ActKind::Refer => {
                text.header("Contact", names.contact.as_bytes())
                    .header("Refer-To", b"<sip:elsewhere@example.com>");
                text.end(b"")
            }
            ActKind::Refresh => {
                let (seconds, by_uac) = (self.session.map_or(0, |(seconds, _)| seconds), true);
                let terms = Terms { seconds, by_uac };
                text.header("Contact", names.contact.as_bytes())
                    .header("Supported", b"timer")
                    .header("Session-Expires", terms.text().as_bytes());
                text.end(b"")
            }
            ActKind::ReInviteDelayed => {
                text.header("Contact", names.contact.as_bytes());
                text.end(b"")
            }
            ActKind::ReInvite | ActKind::Update => {
                text.header("Contact", names.contact.as_bytes());
                let order = self.bodies % BODIES;
                self.bodies = self.bodies.wrapping_add(1);
                text.end(&sdp::of_inside(names.number, self.is_caller, order))
            }
        };
        let longest = if kind.method() == "INVITE" {
            desk.timers.t1_64()
        } else {
            desk.timers.t2
        };
        let repeat = desk.repeat(names.target, bytes, longest);
        let ids = [names.number, names.id];
        desk.first(now, ids, &repeat, Clock::Repeat.into());
        // An INVITE that got a 100 may take as long as timer C; nobody here takes longer.
        let patience = desk.timers.patience;
        let end = if kind.method() == "INVITE" {
            now + patience
        } else {
            now + desk.timers.t1_64()
        };
        desk.alarms.set(names.id, Clock::GiveUp.into(), end);
        self.asked.push(Asked {
            branch,
            cseq,
            kind,
            repeat,
            is_answered: false,
            ack: None,
        });
    }
}

/// A request inside the dialog up to its CSeq.
fn request<C: Copy + Ord>(
    desk: &Context<C>,
    names: &Names,
    method: &str,
    (branch, cseq): (&str, u32),
) -> Text {
    let mut text = Text::request(method, &names.target_uri);
    text.common(
        &via(desk.transport, desk.local, branch),
        [&names.from, &names.to, &names.call_id],
        &format!("{cseq} {method}"),
    );
    text
}

/// The body of a MESSAGE, with bytes above 127.
fn text_of(number: u64) -> Vec<u8> {
    format!("call {number} says b\u{e9}la \r\n").into_bytes()
}
