//! Requests inside a dialog, carried from one leg to the other and their answers back.
//!
//! The server transaction on one leg and the client transaction on the other are two; an
//! [`Exchange`] joins them. Each leg counts its own CSeq (RFC 3261 §12.2). What is carried is what
//! [`headers::ALLOW`] names; the contents are the ends' to judge. The INVITE among these requests
//! is [`super::reinvite`]'s.

use super::call::Call;
use super::exchange::Exchange;
use super::session_change::Reinvite;
use super::session_timer::{Agreed, Wish};
use super::side::{Side, Stage};
use super::{answer, caller_leg, extensions, headers, peer_leg, reinvite, request};
use crate::core::Core;
use crate::hop::Hop;
use crate::outbox::Span;
use crate::record::End;
use crate::settings::ReferMode;
use crate::sip::message::{Message, Method, Refresher};
use crate::sip::reject::Cause;
use crate::sip::token::{Kind, Text};
use crate::sip::transaction::client::{Event, Purpose};
use crate::slots::Key;
use std::sync::Arc;
use std::time::Instant;

impl Core {
    /// Carries a request of one leg to the other.
    pub(crate) fn carry(
        &mut self,
        now: Instant,
        (from, key): (Side, Key),
        hops: (Hop, Hop),
        message: &Message<'_>,
        index: u64,
    ) -> Result<(), Cause> {
        // What the message alone decides comes first: each repeat of it hears the same.
        let method = message.method();
        if method == Method::Other {
            return Err(Cause::MethodUnknown);
        }
        if !headers::is_carried(method) {
            return Err(Cause::MethodNotAllowed);
        }
        if message.max_forwards() == Some(0) {
            return Err(Cause::TooManyHops);
        }
        let call = self.calls.get(key).ok_or(Cause::NoDialog)?;
        let policy = call.way(from.other()).zone(&self.context.settings);
        let refer = policy.and_then(|zone| zone.refer);
        let refer = refer.unwrap_or(self.context.settings.refer);
        let is_unknown = || self.refers_to_unknown(message);
        if method == Method::Refer && (refer == ReferMode::Refuse || is_unknown()) {
            return Err(Cause::Declined);
        }
        if extensions::asks_too_much(message, policy.filter(|_| from == Side::Caller)) {
            return Err(Cause::UnsupportedExtension);
        }
        let wish = Wish::of(message);
        if refreshes_target(method) && wish.is_too_short(self.context.settings.session) {
            return Err(Cause::SessionTooShort);
        }
        let call = self.calls.get_mut(key).ok_or(Cause::NoDialog)?;
        // Before its number in CSeq counts, for the same reason.
        if [Side::Caller, Side::Peer]
            .map(|side| call.stage(side))
            .contains(&Stage::Over)
        {
            return Err(Cause::NoDialog);
        }
        let dialog = call.dialog_mut(from).ok_or(Cause::NoDialog)?;
        if !dialog.takes_cseq(message.cseq()) {
            return Err(Cause::OutOfOrder);
        }
        // From here on its number counts, and a repeat would not find it new: a transaction keeps what was
        // said.
        match self.carry_counted(now, (from, key), hops, (message, index), refer) {
            Ok(()) => Ok(()),
            // Without room there is none for a refusal either.
            Err(cause @ Cause::Overloaded) => Err(cause),
            Err(cause) => self.refuse_for_now(now, (from, key), hops, (message, index), cause),
        }
    }

    /// Carries a request whose number in CSeq was taken.
    fn carry_counted(
        &mut self,
        now: Instant,
        (from, key): (Side, Key),
        hops: (Hop, Hop),
        (message, index): (&Message<'_>, u64),
        refer: ReferMode,
    ) -> Result<(), Cause> {
        self.check_turn(key, from, message)?;
        let method = message.method();
        if method == Method::Refer && refer == ReferMode::Terminate {
            return self.accept_refer(now, (from, key), hops, message, index);
        }
        let rack = if method == Method::Prack {
            Some(self.translated_rack(key, from, message)?)
        } else {
            None
        };
        if refreshes_target(method) {
            self.retarget(key, from, message);
            self.hear_allow(key, from, message);
        }
        let is_refresh = message.body().is_empty() && Wish::of(message).seconds.is_some();
        if method == Method::Update && is_refresh {
            return self.answer_refresh(now, (from, key), hops, message, index);
        }
        self.begin_exchange(now, (from, key), hops, message, (index, rack))
    }

    fn refuse_for_now(
        &mut self,
        now: Instant,
        (from, key): (Side, Key),
        hops: (Hop, Hop),
        (message, index): (&Message<'_>, u64),
        cause: Cause,
    ) -> Result<(), Cause> {
        let server = self
            .servers
            .open(&mut self.context, now, message, hops, index)
            .ok_or(Cause::Overloaded)?;
        let tag = self.leg_token(key, from);
        let refused = (server, cause);
        answer::own(&mut self.context, &mut self.servers, now, refused, &tag);
        Ok(())
    }

    /// Whether both legs can take the request now.
    fn check_turn(&self, key: Key, from: Side, message: &Message<'_>) -> Result<(), Cause> {
        let call = self.calls.get(key).ok_or(Cause::NoDialog)?;
        match (call.stage(from), call.stage(from.other())) {
            (Stage::Over, _) | (_, Stage::Over) => return Err(Cause::NoDialog),
            // Without an early dialog there is nobody to ask yet. A second INVITE waits for the
            // answer to the first (§14.2).
            (Stage::Early, _) | (_, Stage::Early) => {
                return match (message.method(), &call.peer.dialog) {
                    (Method::Invite, _) if from == Side::Peer => Err(Cause::Glare),
                    (Method::Invite, _) | (_, None) => Err(Cause::Busy),
                    (_, Some(_)) => Ok(()),
                };
            }
            (Stage::Answered | Stage::Established, Stage::Answered | Stage::Established) => {}
        }
        if call.is_half() {
            return Err(Cause::Busy);
        }
        let changes_session = refreshes_target(message.method());
        if changes_session && (call.is_refreshing_by_invite() || call.is_offering()) {
            return Err(Cause::Glare);
        }
        let is_confirmed = call.stage(Side::Caller) == Stage::Established
            && call.stage(Side::Peer) == Stage::Established;
        let has_offer = !message.body().is_empty();
        match message.method() {
            // RFC 5407 §3.1.5: the ACK of the 2xx is still on its way.
            Method::Invite if !is_confirmed => Err(Cause::Glare),
            Method::Update if has_offer && !is_confirmed => Err(Cause::Glare),
            Method::Invite | Method::Update => {
                let mut others = self.exchanges.of(call);
                others.try_for_each(|(_, other)| {
                    match other.stands_against(from, message.method(), has_offer) {
                        Some(cause) => Err(cause),
                        None => Ok(()),
                    }
                })
            }
            Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Info
            | Method::Message
            | Method::Notify
            | Method::Options
            | Method::Other
            | Method::Prack
            | Method::Publish
            | Method::Refer
            | Method::Register
            | Method::Subscribe => Ok(()),
        }
    }

    /// §12.2.2: a target refresh says where the requests of this leg go from now on.
    pub(crate) fn retarget(&mut self, key: Key, side: Side, message: &Message<'_>) {
        let settings = Arc::clone(&self.context.settings);
        if let Some(dialog) = self
            .calls
            .get_mut(key)
            .and_then(|call| call.dialog_mut(side))
        {
            dialog.retarget(&settings, message);
        }
    }

    fn begin_exchange(
        &mut self,
        now: Instant,
        (from, key): (Side, Key),
        hops: (Hop, Hop),
        message: &Message<'_>,
        (index, rack): (u64, Option<(u32, u32)>),
    ) -> Result<(), Cause> {
        // The last quarter of the tables is for BYE and CANCEL.
        if !self.servers.has_room_for_calls() || !self.clients.has_room_for_calls() {
            return Err(Cause::Overloaded);
        }
        let tag = self.leg_token(key, from);
        let sdp = self.sdp_to_repeat(key, from.other(), message);
        let call = self.calls.get_mut(key).ok_or(Cause::NoDialog)?;
        let server = self
            .servers
            .open(&mut self.context, now, message, hops, index)
            .ok_or(Cause::Overloaded)?;
        let exchange = Exchange {
            call: key,
            from,
            method: message.method(),
            has_offer: !message.body().is_empty(),
            server,
            wish: Wish::of(message),
            sdp,
            reinvite: None,
            next: None,
        };
        let Some(exchange) = self.exchanges.open(call, exchange) else {
            self.context.counters.dropped_limit.add_one();
            let refused = (server, Cause::Busy);
            answer::own(&mut self.context, &mut self.servers, now, refused, &tag);
            return Ok(());
        };
        let is_invite = message.method() == Method::Invite;
        if is_invite {
            self.servers.set_exchange(server, exchange);
            self.servers.send_trying(&mut self.context, server);
        }
        if self.ask(now, exchange, message, rack).is_none() {
            self.refuse_exchange(now, exchange, Cause::Overloaded);
        }
        Ok(())
    }

    /// Sends the request to the leg that is asked.
    fn ask(
        &mut self,
        now: Instant,
        key: Key,
        message: &Message<'_>,
        rack: Option<(u32, u32)>,
    ) -> Option<()> {
        let is_invite = message.method() == Method::Invite;
        let (call, to) = self.exchanges.get(key)?.asked();
        let purpose = if is_invite {
            Purpose::Reinvite(key)
        } else {
            Purpose::Exchange(key)
        };
        let session = refreshes_target(message.method()).then(|| self.wish_for(call, to));
        let translated = self.translated_lines(call, to.other(), message);
        let contact = headers::has_contact(message.method()).then(|| self.leg_token(call, to));
        let calls = self.calls.get_mut(call)?;
        let way = calls.way(to);
        let dialog = calls.dialog_mut(to)?;
        let (context, clients) = (&mut self.context, &mut self.clients);
        let client = request::carry(
            context,
            clients,
            now,
            (purpose, &mut *dialog),
            request::Carried {
                message,
                contact,
                translated: &translated,
                rack,
                way,
                session,
            },
        )?;
        let cseq_out = dialog.cseq_local;
        if calls.stage(to) == Stage::Early
            && let Some(invite) = calls.peer.client
        {
            self.clients.count_early(invite, cseq_out);
        }
        if is_invite {
            let reinvite = Reinvite::new(client, message.cseq(), cseq_out);
            self.exchanges.get_mut(key)?.reinvite = Some(reinvite);
        }
        if message.method() == Method::Refer {
            self.keep_refer(call, to.other(), message.cseq(), cseq_out);
        }
        Some(())
    }

    /// The request that was carried across has an answer, or gets none.
    pub(crate) fn exchange_event(
        &mut self,
        now: Instant,
        key: Key,
        event: Event,
        message: Option<&Message<'_>>,
    ) {
        let Some(exchange) = self.exchanges.get(key) else {
            return;
        };
        let (call, method, server) = (exchange.call, exchange.method, exchange.server);
        match (event, message) {
            // RFC 4320 §4.1: only 100 is a provisional of such a request, and it is of one hop.
            (Event::Response, Some(message)) if message.status() < 200 => {}
            (Event::Response, Some(message)) => {
                self.relay_exchange(now, key, message);
                if refreshes_target(method) && message.status() < 300 {
                    self.session_changed(now, key, message);
                } else if message.status() < 300 {
                    self.sdp_accepted(key);
                }
                self.end_exchange(key);
                if ends_dialog(method, message.status()) {
                    self.hang_up(now, call);
                }
            }
            (Event::TransportError, _) => self.refuse_exchange(now, key, Cause::NoPeerAnswered),
            (Event::Timeout | Event::Response, _) => {
                // RFC 4320 §4.2: nobody is told 408; who asked has waited as long as we have.
                self.servers.forget(&mut self.context, server);
                self.end_exchange(key);
                if ends_dialog(method, 408) {
                    self.hang_up(now, call);
                }
            }
        }
    }

    /// A 2xx to an INVITE or UPDATE refreshes the session and the target on both legs.
    pub(crate) fn session_changed(&mut self, now: Instant, key: Key, message: &Message<'_>) {
        let Some(exchange) = self.exchanges.get(key) else {
            return;
        };
        let (from, (call, to)) = (exchange.from, exchange.asked());
        let agreed = exchange.wish.agree(self.context.settings.session);
        self.retarget(call, to, message);
        self.hear_allow(call, to, message);
        self.start_session(now, (call, from), agreed, Refresher::Uas);
        self.keep_sdp(call, from, message);
        self.start_session(now, (call, to), Agreed::of(message), Refresher::Uac);
        self.sdp_accepted(key);
    }

    /// A 2xx: the SDP of the request holds (RFC 3261 §14.1: a refusal leaves the session as it was).
    fn sdp_accepted(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else {
            return;
        };
        let (sdp, (call, to)) = (exchange.sdp.take(), exchange.asked());
        let Some(call) = self.calls.get_mut(call).filter(|_| sdp.is_some()) else {
            return;
        };
        if call.stage(to) == Stage::Early || call.session(to).wants_sdp() {
            call.session_mut(to).sdp = sdp;
        }
    }

    /// What an INVITE or UPDATE says about the session timer of the leg that it goes to.
    pub(crate) fn wish_for(&self, call: Key, side: Side) -> (u32, Option<Refresher>) {
        let times = self.context.settings.session;
        let session = self.calls.get(call).map(|call| call.session(side));
        match session.filter(|session| session.seconds > 0) {
            Some(session) => (session.seconds, session.refresher()),
            // A refresh of ours by re-INVITE would need the SDP kept.
            None => (times.expires, Some(Refresher::Uas)),
        }
    }

    /// Passes an answer on to the one who asked.
    pub(crate) fn relay_exchange(
        &mut self,
        now: Instant,
        key: Key,
        message: &Message<'_>,
    ) -> Option<Span> {
        let exchange = self.exchanges.get(key)?;
        let call = self.calls.get(exchange.call)?;
        let dialog = call.dialog(exchange.from)?;
        let tag = self.leg_token(exchange.call, exchange.from);
        let to = answer::Answering {
            server: exchange.server,
            tag,
            hop: dialog.hop,
            way: call.way(exchange.from),
            begins: false,
            session: exchange.wish.agree(self.context.settings.session),
        };
        answer::relay(&mut self.context, &mut self.servers, now, to, message)
    }

    fn refuse_exchange(&mut self, now: Instant, key: Key, cause: Cause) {
        let Some(exchange) = self.exchanges.get(key) else {
            return;
        };
        let tag = self.leg_token(exchange.call, exchange.from);
        let refused = (exchange.server, cause);
        answer::own(&mut self.context, &mut self.servers, now, refused, &tag);
        self.end_exchange(key);
    }

    pub(crate) fn end_exchange(&mut self, key: Key) {
        self.stop_waiting_for_reinvite(key);
        let call = self.exchanges.get(key).map(|exchange| exchange.call);
        let call = call.and_then(|call| self.calls.get_mut(call));
        self.exchanges.close(call, key);
    }

    /// Our tag towards the one who asked.
    pub(crate) fn exchange_tag(&self, key: Key) -> Text {
        match self.exchanges.get(key) {
            Some(exchange) => self.leg_token(exchange.call, exchange.from),
            None => self.context.token(Kind::Stateless, key),
        }
    }

    /// When a leg ends: who still waits for an answer hears that there is none (§15.1.2).
    pub(crate) fn end_exchanges_if_over(&mut self, now: Instant, key: Key) {
        let is_over = |call: &&Call| {
            call.stage(Side::Caller) == Stage::Over || call.stage(Side::Peer) == Stage::Over
        };
        if self.calls.get(key).is_some_and(|call| is_over(&call)) {
            self.stop_sessions(now, key);
            self.abandon_transfer(now, key);
            self.cut_exchanges(now, key);
        }
    }

    /// Whatever is under way between the legs has no answer any more.
    pub(crate) fn cut_exchanges(&mut self, now: Instant, key: Key) {
        while let Some(exchange) = self.calls.get(key).and_then(|call| call.exchanges) {
            let is_invite = self.exchanges.reinvite_mut(exchange).is_some();
            if is_invite {
                self.reinvite_input(now, exchange, reinvite::Input::HangUp, None);
            } else {
                self.refuse_exchange(now, exchange, Cause::Cancelled);
            }
        }
    }

    /// Ends both legs of a call, as if each had heard of the other's end.
    pub(crate) fn hang_up(&mut self, now: Instant, key: Key) {
        use super::call::With;
        if let Some(call) = self.calls.get_mut(key) {
            call.ends(now, End::HungUp);
        }
        self.caller_input(now, key, caller_leg::Input::PeerHangup, With::default());
        self.peer_input(now, key, peer_leg::Input::CallerHangup, With::default());
    }
}

/// Whether a request, and its 2xx, says anew where requests go (RFC 3261 §12.2.2, RFC 3311 §5.1).
fn refreshes_target(method: Method) -> bool {
    matches!(method, Method::Invite | Method::Update)
}

/// Whether this answer ends the dialog (§12.2.1.2, as RFC 5057 §5.3 narrows it: only where the
/// request was about the session itself).
fn ends_dialog(method: Method, status: u16) -> bool {
    matches!(method, Method::Invite | Method::Update) && matches!(status, 408 | 481)
}
