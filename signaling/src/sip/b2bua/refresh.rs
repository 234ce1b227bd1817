//! Session timers at work (RFC 4028 §7 to §10): refreshes of ours and their answers, refreshes of
//! the other side that need nobody else, and the end of a session that nobody refreshed.

use super::call::Call;
use super::session_timer::{self, Agreed, Due, Refreshing, Session, Wish};
use super::side::{Side, Stage};
use super::{answer, extensions, headers, request};
use crate::context::Alarm;
use crate::core::Core;
use crate::hop::Hop;
use crate::record::End;
use crate::sip::dialog::contact::{Features, write_contact};
use crate::sip::message::{HeaderName, MediaType, Message, Method, MinSe, Refresher};
use crate::sip::reject::Cause;
use crate::sip::transaction::client::{Event, Purpose, TwoHundred};
use crate::slots::Key;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a refresh waits that could not be sent, or was refused.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// RFC 3261 §14.1: who made the Call-ID waits 2.1 to 4 seconds after a 491, the other one up to 2.
const GLARE_OWNER_MIN: u64 = 2_100;
const GLARE_SPAN: u64 = 1_900;
/// Room for Contact, Allow, Session-Expires, Min-SE, Supported.
const ADDED_MAX: usize = 768;

impl Call {
    pub(crate) fn session(&self, side: Side) -> &Session {
        match side {
            Side::Caller => &self.sessions.caller,
            Side::Peer => &self.sessions.peer,
        }
    }

    pub(crate) fn session_mut(&mut self, side: Side) -> &mut Session {
        match side {
            Side::Caller => &mut self.sessions.caller,
            Side::Peer => &mut self.sessions.peer,
        }
    }

    /// Whether an INVITE of our own is under way on a leg.
    pub(crate) fn is_refreshing_by_invite(&self) -> bool {
        [Side::Caller, Side::Peer].into_iter().any(|side| {
            let refreshing = self.session(side).refreshing;
            refreshing.is_some_and(|refreshing| refreshing.is_invite)
        })
    }
}

impl Core {
    /// A leg's session is refreshed, on these terms; `we` says which end of the transaction we
    /// were.
    pub(crate) fn start_session(
        &mut self,
        now: Instant,
        (key, side): (Key, Side),
        agreed: Option<Agreed>,
        we: Refresher,
    ) {
        if let Some(call) = self.calls.get_mut(key) {
            call.session_mut(side).start(now, agreed, we);
            self.arm_session(key, side);
        }
    }

    /// A side says what it allows; where UPDATE is kept out of what its zone says, it allows none.
    pub(crate) fn hear_allow(&mut self, key: Key, side: Side, message: &Message<'_>) {
        let settings = Arc::clone(&self.context.settings);
        if let Some(call) = self.calls.get_mut(key) {
            let zone = call.way(side).zone(&settings);
            let zone = zone.filter(|_| side == Side::Caller);
            call.session_mut(side).heard_from(message, zone);
        }
    }

    /// SDP goes out on a leg, and holds: it is kept if a refresh of ours will have to repeat it.
    pub(crate) fn keep_sdp(&mut self, key: Key, side: Side, message: &Message<'_>) {
        if let Some(sdp) = self.sdp_to_repeat(key, side, message)
            && let Some(call) = self.calls.get_mut(key)
        {
            call.session_mut(side).sdp = Some(sdp);
        }
    }

    /// The SDP of a message for a leg, if a refresh of ours there will have to repeat it once it
    /// holds. Before the 2xx nobody knows who refreshes.
    pub(crate) fn sdp_to_repeat(
        &self,
        key: Key,
        side: Side,
        message: &Message<'_>,
    ) -> Option<Box<[u8]>> {
        let call = self.calls.get(key)?;
        let session = call.session(side);
        let is_wanted = match (call.stage(side), side) {
            (Stage::Early, Side::Caller) => {
                let times = self.context.settings.session;
                call.sessions.wants_early_sdp(times)
            }
            (Stage::Early, Side::Peer) => !session.allows_update,
            (Stage::Answered | Stage::Established | Stage::Over, _) => session.wants_sdp(),
        };
        (is_wanted && is_sdp(message)).then(|| message.body().into())
    }

    /// The terms of the caller's INVITE, which this 2xx accepts.
    pub(crate) fn start_caller_session(
        &mut self,
        now: Instant,
        key: Key,
        message: Option<&Message<'_>>,
    ) {
        let times = self.context.settings.session;
        let agreed = self
            .calls
            .get(key)
            .and_then(|call| call.sessions.agree(times));
        self.start_session(now, (key, Side::Caller), agreed, Refresher::Uas);
        if let Some(message) = message {
            self.keep_sdp(key, Side::Caller, message);
        }
    }

    /// The terms of an INVITE of ours that was accepted: on the peer leg the SDP is the offer's.
    pub(crate) fn start_peer_session(&mut self, now: Instant, key: Key, message: &Message<'_>) {
        self.hear_allow(key, Side::Peer, message);
        let agreed = Agreed::of(message);
        self.start_session(now, (key, Side::Peer), agreed, Refresher::Uac);
        if let Some(call) = self.calls.get_mut(key)
            && call.sessions.peer.wants_sdp()
            && !call.offer.sdp().is_empty()
        {
            call.sessions.peer.sdp = Some(call.offer.sdp().into());
        }
    }

    /// The timer of a leg's session went off.
    pub(crate) fn session_alarm(&mut self, now: Instant, key: Key, side: Side) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let session = call.session_mut(side);
        session.alarm = None;
        match session.due(now) {
            Due::End => {
                self.context.counters.sessions_expired.add_one();
                call.ends(now, End::Expired);
                self.hang_up(now, key);
            }
            Due::Nothing => self.arm_session(key, side),
            Due::Refresh => {
                if !self.send_refresh(now, key, side)
                    && let Some(call) = self.calls.get_mut(key)
                {
                    call.session_mut(side).try_again_at(now + AGAIN_AFTER);
                }
                self.arm_session(key, side);
            }
        }
    }

    fn arm_session(&mut self, key: Key, side: Side) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let session = call.session_mut(side);
        let next = session.next();
        if let Some(alarm) = session.alarm.take() {
            self.context.wheel.cancel(alarm);
        }
        let alarm = match side {
            Side::Caller => Alarm::CallerSession(key),
            Side::Peer => Alarm::PeerSession(key),
        };
        session.alarm = next.map(|at| self.context.wheel.arm(at, alarm));
    }

    /// The call is over: nothing is refreshed any more.
    pub(crate) fn stop_sessions(&mut self, now: Instant, key: Key) {
        for side in [Side::Caller, Side::Peer] {
            self.stop_session(now, key, side);
        }
    }

    /// A leg is over.
    pub(crate) fn stop_session(&mut self, now: Instant, key: Key, side: Side) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let session = std::mem::take(call.session_mut(side));
        if let Some(alarm) = session.alarm {
            self.context.wheel.cancel(alarm);
        }
        if let Some(refreshing) = session.refreshing.filter(|refreshing| refreshing.is_invite) {
            self.clients
                .abandon(&mut self.context, now, refreshing.client);
        }
    }

    /// Sends a refresh of ours. Whether it could be sent now.
    fn send_refresh(&mut self, now: Instant, key: Key, side: Side) -> bool {
        let settings = Arc::clone(&self.context.settings);
        let user = self.leg_token(key, side);
        let Some(call) = self.calls.get_mut(key) else {
            return false;
        };
        let is_confirmed = call.stage(Side::Caller) == Stage::Established
            && call.stage(Side::Peer) == Stage::Established;
        // §14.1: not while another INVITE is under way, which will refresh the session as well.
        let is_busy = self
            .exchanges
            .of(call)
            .any(|(_, exchange)| exchange.reinvite.is_some());
        if !is_confirmed || is_busy || call.is_offering() {
            return false;
        }
        let zone = call.way(side).zone(&settings);
        let sdp = call.session_mut(side).sdp.take();
        let features = call.session(side.other()).features.clone();
        // Without SDP an UPDATE is the only one, whatever the other side said of it.
        let is_invite = sdp.is_some() && !call.session(side).allows_update;
        let seconds = call.session(side).seconds;
        let body = sdp.as_deref().unwrap_or(&[]);
        let (method, purpose): (&[u8], _) = if is_invite {
            (b"INVITE", Purpose::RefreshByInvite(key, side))
        } else {
            (b"UPDATE", Purpose::Refresh(key, side))
        };
        let client = call.dialog_mut(side).and_then(|dialog| {
            dialog.cseq_local += 1;
            let dialog = &*dialog;
            let room = dialog.room() + body.len() + ADDED_MAX;
            let to = (purpose, dialog.hop);
            self.clients
                .send(&mut self.context, now, to, room, |writer, branch| {
                    let start = (method, dialog.cseq_local, request::MAX_FORWARDS);
                    dialog.write_start(&settings, writer, start, branch);
                    let features = Features::Kept(&features);
                    write_contact(&settings, writer, &dialog.hop, (&user, features));
                    writer.put(headers::allow(zone));
                    writer.put(extensions::OWN);
                    let wish = (seconds, Some(Refresher::Uac));
                    session_timer::write_wish(writer, settings.session, wish);
                    if !body.is_empty() {
                        writer.put(b"Content-Type: application/sdp\r\n");
                    }
                    writer.body(body);
                })
        });
        let session = call.session_mut(side);
        session.sdp = sdp;
        session.refreshing = client.map(|client| Refreshing { client, is_invite });
        if client.is_some() {
            self.context.counters.sessions_refreshed.add_one();
        }
        client.is_some()
    }

    /// A refresh of ours has an answer, or gets none.
    pub(crate) fn refresh_event(
        &mut self,
        now: Instant,
        (client, key, side): (Key, Key, Side),
        event: Event,
        message: Option<&Message<'_>>,
    ) {
        let is_current = self.calls.get(key).is_some_and(|call| {
            let refreshing = call.session(side).refreshing;
            refreshing.is_some_and(|refreshing| refreshing.client == client)
        });
        match (event, message) {
            (Event::Response, Some(message)) if message.status() < 200 => {}
            (Event::Response, Some(message)) if message.status() < 300 => {
                self.refreshed(now, (client, key, side), is_current, message);
            }
            _ if !is_current => {}
            (Event::Response, Some(message)) => self.refresh_refused(now, (key, side), message),
            // A connection may come back; the end of the session bounds it.
            (Event::TransportError, _) => self.refresh_again(key, side, now + AGAIN_AFTER),
            (Event::Response | Event::Timeout, _) => self.hang_up(now, key),
        }
    }

    fn refreshed(
        &mut self,
        now: Instant,
        (client, key, side): (Key, Key, Side),
        is_current: bool,
        message: &Message<'_>,
    ) {
        let cseq = message.cseq();
        if message.cseq_method() == Method::Invite {
            match self.clients.two_hundred(client, 0) {
                Some(TwoHundred::First) => {
                    let call = self.calls.get(key);
                    if let Some(dialog) = call.and_then(|call| call.dialog(side))
                        && let Some(span) = request::ack(&mut self.context, dialog, cseq, None)
                    {
                        let hop = dialog.hop;
                        self.clients.keep_ack(&mut self.context, client, span, hop);
                    }
                }
                Some(TwoHundred::Again | TwoHundred::Stray { .. }) | None => {
                    return self.clients.repeat_ack(&mut self.context, client);
                }
            }
        }
        if !is_current {
            return;
        }
        self.retarget(key, side, message);
        if let Some(call) = self.calls.get_mut(key) {
            call.session_mut(side).refreshing = None;
        }
        self.hear_allow(key, side, message);
        let agreed = Agreed::of(message);
        self.start_session(now, (key, side), agreed, Refresher::Uac);
    }

    fn refresh_refused(&mut self, now: Instant, (key, side): (Key, Side), message: &Message<'_>) {
        match message.status() {
            // §12.2.1.2: the other side has no such dialog.
            408 | 481 => self.hang_up(now, key),
            // §7.4: it wants a longer interval.
            422 => {
                let min_se = message.header(HeaderName::MinSe);
                let min_se = min_se.and_then(|value| MinSe::parse(value).ok());
                let wanted = min_se.map_or(0, |min| min.seconds);
                let Some(call) = self.calls.get_mut(key) else {
                    return;
                };
                let session = call.session_mut(side);
                // Who refuses without wanting more would refuse at once again.
                let wait = if wanted > session.seconds {
                    Duration::ZERO
                } else {
                    AGAIN_AFTER
                };
                session.seconds = session.seconds.max(wanted);
                self.refresh_again(key, side, now + wait);
            }
            491 => {
                let wait = self.glare_wait(side, message);
                self.refresh_again(key, side, now + wait);
            }
            // §10: the server is in trouble, and may be out of it soon.
            500 | 502..600 => self.refresh_again(key, side, now + AGAIN_AFTER),
            // §10: it would say the same again. An UPDATE without SDP is all that we have where no
            // SDP was kept, and not everybody takes one; but who answers knows the dialog and lives.
            _ => {
                if let Some(call) = self.calls.get_mut(key) {
                    call.session_mut(side).shows_life(now);
                    self.arm_session(key, side);
                }
            }
        }
    }

    /// How long a request of ours waits after a 491 (RFC 3261 §14.1).
    pub(crate) fn glare_wait(&self, side: Side, message: &Message<'_>) -> Duration {
        let cseq = message.cseq().to_be_bytes();
        let spread = self
            .context
            .mint
            .hash(&[message.call_id(), &cseq, b"glare"]);
        let wait = spread % GLARE_SPAN;
        Duration::from_millis(match side {
            Side::Caller => wait,
            Side::Peer => wait + GLARE_OWNER_MIN,
        })
    }

    fn refresh_again(&mut self, key: Key, side: Side, at: Instant) {
        if let Some(call) = self.calls.get_mut(key) {
            call.session_mut(side).try_again_at(at);
            self.arm_session(key, side);
        }
    }

    /// An UPDATE that only refreshes needs nobody else (TRUNK.md section 8).
    pub(crate) fn answer_refresh(
        &mut self,
        now: Instant,
        (side, key): (Side, Key),
        hops: (Hop, Hop),
        message: &Message<'_>,
        index: u64,
    ) -> Result<(), Cause> {
        let server = self
            .servers
            .open(&mut self.context, now, message, hops, index)
            .ok_or(Cause::Overloaded)?;
        let agreed = Wish::of(message).agree(self.context.settings.session);
        let call = self.calls.get(key).ok_or(Cause::NoDialog)?;
        let hop = call.dialog(side).ok_or(Cause::NoDialog)?.hop;
        let tag = self.leg_token(key, side);
        let to = answer::Answering {
            server,
            tag,
            hop,
            way: call.way(side),
            begins: false,
            session: agreed,
        };
        let features = Features::Kept(&call.session(side.other()).features);
        let to = (to, features);
        answer::accept_refresh(&mut self.context, &mut self.servers, now, to);
        self.start_session(now, (key, side), agreed, Refresher::Uas);
        Ok(())
    }
}

/// Whether the body is a session description and nothing else.
pub(crate) fn is_sdp(message: &Message<'_>) -> bool {
    let kind = message.header(HeaderName::ContentType);
    let kind = kind.and_then(|kind| MediaType::parse(kind).ok());
    !message.body().is_empty() && kind.is_some_and(|kind| kind.is("application", "sdp"))
}
