//! A call: two legs, and the carrying out of what their machines ask for.

use super::answer::{self, Answering};
use super::attempt::{Progress, Search};
use super::headers::Way;
use super::offer::Offer;
use super::replaces::Refer;
use super::request::Lent;
use super::session_timer::Sessions;
use super::side::Side;
use super::transfer::Transfer;
use super::{caller_leg, peer_leg, request};
use crate::access::{Access, ZoneId};
use crate::context::Alarm;
use crate::core::Core;
use crate::hop::Hop;
use crate::outbox::Span;
use crate::output::Replaced;
use crate::pool::Buffer;
use crate::record::End;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Message, Method};
use crate::sip::reject::Cause;
use crate::sip::token::Kind;
use crate::sip::transaction::client::Purpose;
use crate::slots::Key;
use crate::wheel::TimerHandle;
use std::time::{Duration, Instant};

/// One call.
pub(crate) struct Call {
    pub(crate) caller: Caller,
    pub(crate) peer: Peer,
    /// Released when the caller has its final answer.
    pub(crate) offer: Offer,
    pub(crate) source: Hop,
    /// When the INVITE came.
    pub(crate) begun: Instant,
    /// When the caller last heard more than 100, or began: timer C counts from there, whichever peer rings.
    pub(crate) rings_from: Instant,
    /// Whether the caller was told that it rings, or more.
    is_heard: bool,
    /// The first of the requests that are being carried across.
    pub(crate) exchanges: Option<Key>,
    pub(crate) sessions: Sessions,
    /// REFERs that went across.
    pub(crate) refers: Vec<Refer>,
    /// A REFER that ended here.
    pub(crate) transfer: Option<Box<Transfer>>,
    /// Whether there was one.
    pub(crate) was_referred: bool,
    /// The call whose place this one takes.
    pub(crate) replaced: Option<Box<Replaced>>,
    /// The zone of the source, when the call began.
    pub(crate) zone: Option<ZoneId>,
    /// From the first choice on; released with the offer.
    pub(crate) search: Option<Box<Search>>,
    /// What the caller is told when there is no answer to be had.
    cause: Cause,
    /// The caller was told what only this peer can go on from: SDP, or a reliable provisional.
    pub(crate) is_bound: bool,
    /// What ended it, and when.
    pub(crate) end: Option<(End, Instant)>,
}

/// The caller leg.
pub(crate) struct Caller {
    pub(crate) state: caller_leg::State,
    pub(crate) dialog: Dialog,
    /// CSeq of the INVITE, which its ACK repeats.
    pub(crate) invite_cseq: u32,
    pub(crate) server: Key,
    pub(crate) reply: Hop,
    /// The 2xx as it was sent, while it is repeated.
    success: Buffer,
    interval: Duration,
    gives_up_at: Option<Instant>,
    alarm: Option<TimerHandle>,
    /// When a 2xx was sent.
    pub(crate) answered: Option<Instant>,
    /// The attempt that made this leg, if it took the place of the caller's own, and whether its
    /// owner waits for its end.
    pub(crate) seated: Option<(u8, bool)>,
}

/// The peer leg.
pub(crate) struct Peer {
    pub(crate) state: peer_leg::State,
    pub(crate) dialog: Option<Dialog>,
    pub(crate) client: Option<Key>,
    pub(crate) hop: Option<Hop>,
    pub(crate) progress: Progress,
    pub(crate) alarm: Option<TimerHandle>,
}

/// What an input comes with.
#[derive(Clone, Copy, Default)]
pub(crate) struct With<'a> {
    /// The message that it is about.
    pub(crate) message: Option<&'a Message<'a>>,
    /// The server transaction of that message, if it is a request that wants an answer.
    pub(crate) server: Option<Key>,
}

impl Call {
    /// The call of a new INVITE, in its server transaction.
    pub(crate) fn new(
        now: Instant,
        (server, invite_cseq, dialog): (Key, u32, Dialog),
        offer: Offer,
        (source, reply): (Hop, Hop),
        zone: Option<ZoneId>,
    ) -> Self {
        Self {
            caller: Caller {
                state: caller_leg::State::Inviting,
                invite_cseq,
                dialog,
                server,
                reply,
                success: Buffer::default(),
                interval: Duration::ZERO,
                gives_up_at: None,
                alarm: None,
                answered: None,
                seated: None,
            },
            peer: Peer {
                state: peer_leg::State::Idle,
                dialog: None,
                client: None,
                hop: None,
                // The owner is asked as soon as the call is there.
                progress: Progress {
                    is_asked: true,
                    ..Progress::default()
                },
                alarm: None,
            },
            offer,
            source,
            begun: now,
            rings_from: now,
            is_heard: false,
            exchanges: None,
            sessions: Sessions::default(),
            refers: Vec::new(),
            transfer: None,
            was_referred: false,
            replaced: None,
            zone,
            search: None,
            cause: Cause::NoPeerAnswered,
            is_bound: false,
            end: None,
        }
    }

    /// What ends it; the first word counts.
    pub(crate) fn ends(&mut self, now: Instant, end: End) {
        self.end.get_or_insert((end, now));
    }

    /// Whether a request on the caller leg may come this way: from where the INVITE came, from its
    /// zone, or from where the caller said that it is (Contact or Record-Route).
    pub(crate) fn is_from_caller(&self, access: &Access, hop: &Hop) -> bool {
        access.is_same_side(&self.source, hop)
            || is_at(&self.caller.dialog, hop)
            || (self.caller.seated.is_some() && access.is_peer(hop))
    }

    /// Whether a request on the peer leg may come this way: from where the INVITE went, from any
    /// address of a peer, or from where the peer said that it is.
    pub(crate) fn is_from_peer(&self, access: &Access, hop: &Hop) -> bool {
        access.is_peer(hop)
            || self
                .peer
                .hop
                .is_some_and(|known| access.is_same_side(&known, hop))
            || self
                .peer
                .dialog
                .as_ref()
                .is_some_and(|dialog| is_at(dialog, hop))
    }
}

/// Whether a hop leads to where the dialog's own requests go.
fn is_at(dialog: &Dialog, hop: &Hop) -> bool {
    dialog.hop.remote.ip().to_canonical() == hop.remote.ip().to_canonical()
}

impl Core {
    /// Something happened to the caller leg.
    pub(crate) fn caller_input(
        &mut self,
        now: Instant,
        key: Key,
        input: caller_leg::Input,
        with: With<'_>,
    ) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let (next, actions) = caller_leg::step(call.caller.state, input);
        if next != call.caller.state
            && let Some(end) = End::of_caller(input)
        {
            call.ends(now, end);
        }
        let was_inviting = call.caller.state == caller_leg::State::Inviting;
        call.caller.state = next;
        if was_inviting && next == caller_leg::State::Answered {
            call.caller.answered = Some(now);
            self.context.counters.calls_answered.add_one();
        } else if was_inviting && next == caller_leg::State::Ended {
            self.context.counters.calls_failed.add_one();
        }
        self.end_exchanges_if_over(now, key);
        if next == caller_leg::State::Ended {
            self.close_seat(key);
        }
        for action in actions {
            self.do_for_caller(now, key, *action, with);
        }
        self.end_if_over(key);
    }

    /// Something happened to the peer leg.
    pub(crate) fn peer_input(
        &mut self,
        now: Instant,
        key: Key,
        input: peer_leg::Input,
        with: With<'_>,
    ) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        if let (Some(message), Some(hop)) = (with.message, call.peer.hop) {
            if matches!(
                input,
                peer_leg::Input::HeldSuccess | peer_leg::Input::Success
            ) {
                self.take_success(key, message, hop);
            }
            if matches!(input, peer_leg::Input::Stays | peer_leg::Input::Success) {
                self.start_peer_session(now, key, message);
            }
        }
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        if input == peer_leg::Input::TooLong && call.peer.state == peer_leg::State::Proceeding {
            call.cause = Cause::RangTooLong;
        }
        let (next, actions) = peer_leg::step(call.peer.state, input);
        if next != call.peer.state
            && let Some(end) = End::of_peer(input)
        {
            call.ends(now, end);
        }
        call.peer.state = next;
        self.end_exchanges_if_over(now, key);
        if next == peer_leg::State::Ended
            || (next == peer_leg::State::Idle && !input.leaves_attempt_open())
        {
            self.close_attempt(key);
        }
        for action in actions {
            self.do_for_peer(now, key, *action, with);
        }
        self.end_if_over(key);
    }

    fn do_for_caller(
        &mut self,
        now: Instant,
        key: Key,
        action: caller_leg::Action,
        with: With<'_>,
    ) {
        use caller_leg::Action;
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let server = call.caller.server;
        match action {
            Action::AcceptBye => self.accept(now, key, Kind::CallerLeg, with),
            Action::RefuseBye => self.refuse(now, key, Kind::CallerLeg, with),
            Action::HangUpPeer => self.peer_input(now, key, peer_leg::Input::CallerHangup, with),
            Action::PassAck => self.peer_input(now, key, peer_leg::Input::CallerAck, with),
            Action::RefuseInvite => {
                let cause = call.cause;
                self.refuse_invite(now, key, server, cause);
            }
            Action::RefuseCancelled => self.refuse_invite(now, key, server, Cause::Cancelled),
            Action::RelayProvisional => {
                self.relay(now, key, with);
                if let Some(message) = with.message {
                    self.note_bond(key, message);
                    self.keep_sdp(key, Side::Caller, message);
                }
            }
            // RFC 3261 §16.7 step 6: one peer's 503 must not make the caller avoid this node.
            Action::RelayFailure if with.message.is_some_and(|message| message.status() == 503) => {
                self.refuse_invite(now, key, server, Cause::PeerUnavailable);
            }
            Action::RelayFailure if with.message.is_none() => self.relay_refusal(now, key),
            Action::RelayFailure => {
                self.relay(now, key, with);
                self.release_offer(key);
            }
            Action::RelaySuccess => self.relay_success(now, key, with),
            Action::SendBye => self.bye_to_caller(now, key, with),
            Action::StopRepeating => self.stop_repeating(key),
        }
    }

    fn do_for_peer(&mut self, now: Instant, key: Key, action: peer_leg::Action, with: With<'_>) {
        use peer_leg::Action;
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let client = call.peer.client;
        match action {
            Action::AcceptBye => self.accept(now, key, Kind::PeerLeg, with),
            Action::RefuseBye => self.refuse(now, key, Kind::PeerLeg, with),
            Action::AbandonInvite => {
                if let Some(client) = client {
                    self.clients.abandon(&mut self.context, now, client);
                }
            }
            Action::AskNext => self.ask_next(now, key),
            Action::EndHeld => self.end_held(now, key),
            Action::GiveUpInvite => self.give_up_invite(now, key),
            Action::HangUpCaller => {
                self.caller_input(now, key, caller_leg::Input::PeerHangup, with);
            }
            Action::RelayProvisional => {
                self.caller_input(now, key, caller_leg::Input::PeerProvisional, with);
            }
            Action::RelaySuccess => {
                self.caller_input(now, key, caller_leg::Input::PeerSuccess, with);
            }
            Action::RelayFailure => {
                self.caller_input(now, key, caller_leg::Input::PeerFailure, with);
            }
            Action::TellNoAnswer => self.caller_input(now, key, caller_leg::Input::NoAnswer, with),
            Action::SendAck => self.ack_to_peer(key, with.message),
            Action::SendOwnAck => self.ack_to_peer(key, None),
            Action::RepeatAck => {
                if let Some(client) = client {
                    self.clients.repeat_ack(&mut self.context, client);
                }
            }
            Action::SendBye => self.bye_to_peer(now, key, with),
            Action::SendCancel => {
                if let Some(client) = client {
                    self.clients.cancel(&mut self.context, now, client);
                }
                let wait = self.context.settings.timers.t1_64();
                self.wait_for_peer(key, now + wait);
            }
            Action::StartRinging => {
                let until = call.rings_until(&self.context.settings.timers);
                self.wait_for_peer(key, until);
            }
            Action::StopWaiting => self.stop_waiting_for_peer(key),
        }
    }

    fn accept(&mut self, now: Instant, key: Key, leg: Kind, with: With<'_>) {
        let tag = self.context.token(leg, key);
        if let Some(server) = with.server {
            answer::accept(&mut self.context, &mut self.servers, now, server, &tag);
        }
    }

    fn refuse(&mut self, now: Instant, key: Key, leg: Kind, with: With<'_>) {
        let tag = self.context.token(leg, key);
        if let Some(server) = with.server {
            answer::own(
                &mut self.context,
                &mut self.servers,
                now,
                (server, Cause::NoDialog),
                &tag,
            );
        }
    }

    pub(crate) fn refuse_invite(&mut self, now: Instant, key: Key, server: Key, cause: Cause) {
        if let Some(call) = self.calls.get_mut(key) {
            call.ends(now, End::Refused(cause.status().0));
        }
        let tag = answer::caller_tag(&self.context, key);
        answer::own(
            &mut self.context,
            &mut self.servers,
            now,
            (server, cause),
            &tag,
        );
        self.release_offer(key);
    }

    fn relay(&mut self, now: Instant, key: Key, with: With<'_>) -> Option<Span> {
        let (call, message) = (self.calls.get_mut(key)?, with.message?);
        if message.status() >= 300 {
            call.ends(now, End::Refused(message.status()));
        } else {
            call.rings_from = now;
        }
        if !call.is_heard && (180..300).contains(&message.status()) {
            call.is_heard = true;
            let time = now.saturating_duration_since(call.begun);
            self.context.counters.setup.count(time);
        }
        let tag = answer::caller_tag(&self.context, key);
        let to = Answering {
            server: call.caller.server,
            tag,
            hop: call.caller.reply,
            way: call.way(Side::Caller),
            begins: true,
            session: call.sessions.agree(self.context.settings.session),
        };
        answer::relay(&mut self.context, &mut self.servers, now, to, message)
    }

    fn relay_success(&mut self, now: Instant, key: Key, with: With<'_>) {
        let span = self.relay(now, key, with);
        self.release_offer(key);
        if span.is_none() {
            return self.success_unsaid(now, key);
        }
        self.start_caller_session(now, key, with.message);
        let timers = self.context.settings.timers;
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        if let Some(span) = span {
            call.caller.success = self.context.pool.copy(self.context.outbox.bytes(span));
        }
        // §13.3.1.4: repeated by the user over any transport, since a hop behind this one may be
        // UDP.
        call.caller.interval = timers.t1;
        call.caller.gives_up_at = Some(now + timers.t1_64());
        call.caller.alarm = Some(self.context.wheel.arm(now + timers.t1, Alarm::Caller(key)));
    }

    /// The 2xx could not be passed on, and the caller has heard 500: the peer is hung up.
    fn success_unsaid(&mut self, now: Instant, key: Key) {
        if let Some(call) = self.calls.get_mut(key) {
            call.caller.state = caller_leg::State::Ended;
            call.caller.answered = None;
        }
        self.peer_input(now, key, peer_leg::Input::CallerHangup, With::default());
    }

    /// The caller leg's timer: repeat the 2xx, or give up.
    pub(crate) fn caller_alarm(&mut self, now: Instant, key: Key) {
        let timers = self.context.settings.timers;
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        call.caller.alarm = None;
        let Some(gives_up_at) = call.caller.gives_up_at else {
            return;
        };
        if now >= gives_up_at {
            self.caller_input(now, key, caller_leg::Input::AckTimeout, With::default());
            return;
        }
        call.caller.interval = (call.caller.interval * 2).min(timers.t2);
        let next = (now + call.caller.interval).min(gives_up_at);
        call.caller.alarm = Some(self.context.wheel.arm(next, Alarm::Caller(key)));
        self.context.counters.retransmissions_out.add_one();
        self.servers.repeat_success(
            &mut self.context,
            call.caller.server,
            call.caller.success.as_slice(),
        );
    }

    pub(crate) fn stop_repeating(&mut self, key: Key) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        call.caller.gives_up_at = None;
        if let Some(alarm) = call.caller.alarm.take() {
            self.context.wheel.cancel(alarm);
        }
        self.context
            .pool
            .put(std::mem::take(&mut call.caller.success));
    }

    fn bye_to_caller(&mut self, now: Instant, key: Key, with: With<'_>) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let way = call.way(Side::Caller);
        let dialog = (Purpose::ByeToCaller(key), &mut call.caller.dialog);
        if request::bye(
            &mut self.context,
            &mut self.clients,
            now,
            dialog,
            with.bye(way),
        )
        .is_none()
        {
            self.caller_input(now, key, caller_leg::Input::ByeDone, With::default());
        }
    }

    fn bye_to_peer(&mut self, now: Instant, key: Key, with: With<'_>) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let way = call.way(Side::Peer);
        let sent = call.peer.dialog.as_mut().and_then(|dialog| {
            let dialog = (Purpose::ByeToPeer(key), dialog);
            request::bye(
                &mut self.context,
                &mut self.clients,
                now,
                dialog,
                with.bye(way),
            )
        });
        if sent.is_none() {
            self.peer_input(now, key, peer_leg::Input::ByeDone, With::default());
        }
    }

    fn ack_to_peer(&mut self, key: Key, from: Option<&Message<'_>>) {
        let Some(call) = self.calls.get(key) else {
            return;
        };
        let (Some(dialog), Some(client)) = (&call.peer.dialog, call.peer.client) else {
            return;
        };
        let cseq = call.peer.progress.invite_cseq();
        let lent = from.map(|message| (message, call.way(Side::Peer)));
        if let Some(span) = request::ack(&mut self.context, dialog, cseq, lent) {
            self.clients
                .keep_ack(&mut self.context, client, span, dialog.hop);
        }
        if let Some(ack) = from {
            self.keep_sdp(key, Side::Peer, ack);
        }
    }

    pub(crate) fn release_offer(&mut self, key: Key) {
        if let Some(call) = self.calls.get_mut(key) {
            call.offer.release(&mut self.context.pool);
            if let Some(search) = call.search.take() {
                self.context.searches.put(search);
            }
        }
    }

    pub(crate) fn set_cause(&mut self, key: Key, cause: Cause) {
        if let Some(call) = self.calls.get_mut(key) {
            call.cause = cause;
        }
    }
}

impl<'a> With<'a> {
    /// The message, if it is a BYE that lends its body and Reason to the BYE of the other leg.
    fn bye(&self, way: Way) -> Option<Lent<'a>> {
        let bye = self
            .message
            .filter(|message| message.is_request() && message.method() == Method::Bye);
        bye.map(|message| (message, way))
    }
}
