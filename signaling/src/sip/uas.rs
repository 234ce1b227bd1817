//! What becomes of a request that comes in (RFC 3261 §8.2): repeats, CANCEL and ACK to their
//! INVITE, in-dialog requests to their leg, new ones inspected in the RFC's order and then begun or
//! refused.

use super::admit::Verdict;
use super::b2bua::call::{Call, With};
use super::b2bua::extensions::asks_too_much;
use super::b2bua::offer::{Offer, has_hops_left};
use super::b2bua::session_timer::Wish;
use super::b2bua::side::Side;
use super::b2bua::{answer, caller_leg, peer_leg, reinvite};
use super::dialog::Dialog;
use super::message::{Fault, HeaderName, Message, Method, NameAddr, Scheme, Uri, Via};
use super::reject::{self, Cause};
use super::token::{self, Kind, Token};
use super::transaction::key;
use super::transaction::server::Opened;
use crate::access::{Source, Zone, ZoneId};
use crate::core::Core;
use crate::hop::Hop;
use crate::output::{ATTEMPTS_MAX, Attempt, Output};
use crate::overload::Room;
use crate::slots::Key;
use std::sync::Arc;
use std::time::Instant;

impl Core {
    pub(crate) fn handle_request(&mut self, now: Instant, source: Hop, message: &Message<'_>) {
        if let Some(fault) = message.fault() {
            return self.refuse_malformed(now, source, message, fault);
        }
        let Ok(via) = Via::parse(message.top_via()) else {
            return self.refuse_malformed(now, source, message, Fault::BadVia);
        };
        let reply = key::reply_hop(&via, source);
        match message.method() {
            Method::Ack => self.handle_ack(now, source, message),
            Method::Cancel => self.handle_cancel(now, source, reply, message),
            Method::Bye
            | Method::Info
            | Method::Invite
            | Method::Message
            | Method::Notify
            | Method::Options
            | Method::Other
            | Method::Prack
            | Method::Publish
            | Method::Refer
            | Method::Register
            | Method::Subscribe
            | Method::Update => {
                let index = key::of_request(&self.context.mint, message);
                match self.servers.find(index) {
                    Some(server) => self.handle_request_again(now, source, server),
                    None => self.handle_new_request(now, (source, reply), message, index),
                }
            }
        }
    }

    /// The leg that a tag of ours names.
    pub(crate) fn leg_of(&self, tag: &[u8]) -> Option<Token> {
        self.context.mint.read(Kind::CallerLeg, tag).or_else(|| {
            let mut numbers = 0..ATTEMPTS_MAX;
            let mint = &self.context.mint;
            numbers.find_map(|number| mint.read_nth(Kind::PeerLeg, tag, number))
        })
    }

    /// A request once more: its answer is repeated, unless somebody else plays it back.
    fn handle_request_again(&mut self, now: Instant, source: Hop, server: Key) {
        if self.is_from_side_of(source, server) {
            self.servers
                .handle_request_again(&mut self.context, now, server);
        }
    }

    fn refuse_malformed(&mut self, now: Instant, source: Hop, message: &Message<'_>, fault: Fault) {
        // §17: an ACK is never answered; and who may not call is not told why it cannot be read.
        // A peer that is in no zone is none of those: what it sends belongs to a call.
        let method = message.method();
        let is_peer = self.context.settings.access.source(&source) == Source::Peer;
        let is_answered = method != Method::Ack
            && (is_peer || matches!(self.context.admit(now, &source, method), Verdict::Admit(_)));
        if is_answered {
            reject::answer_stateless(&mut self.context, message, source, Cause::Malformed(fault));
        } else {
            self.context.counters.dropped_malformed.add_one();
        }
    }

    fn handle_ack(&mut self, now: Instant, source: Hop, message: &Message<'_>) {
        if let Some(server) = self
            .servers
            .find(key::of_invite(&self.context.mint, message))
            && !self.servers.is_accepted(server)
        {
            // Of a refusal: from the side that was refused, whoever else may know the branch.
            if !self.is_from_side_of(source, server) {
                return;
            }
            self.servers.handle_ack(&mut self.context, now, server);
            return;
        }
        let Some(tag) = message.to_tag() else {
            self.context.counters.dropped_unmatched_request.add_one();
            return;
        };
        // The ACK of an answer that we gave without keeping anything.
        if self.context.mint.read(Kind::Stateless, tag).is_some() {
            return;
        }
        match self.find_leg(source, message, tag) {
            Some((leg, call)) => {
                // §13.3.1.4: the ACK has its INVITE's CSeq; another one is of a re-INVITE.
                let is_of_first = leg == Kind::CallerLeg
                    && self
                        .calls
                        .get(call)
                        .is_some_and(|call| call.caller.invite_cseq == message.cseq());
                if is_of_first {
                    let with = With {
                        message: Some(message),
                        server: None,
                    };
                    self.caller_input(now, call, caller_leg::Input::Ack, with);
                } else if let Some(side) = Side::of(leg) {
                    self.reinvite_acknowledged(now, (side, call), message);
                }
            }
            None => self.context.counters.dropped_unmatched_request.add_one(),
        }
    }

    fn handle_cancel(&mut self, now: Instant, source: Hop, reply: Hop, message: &Message<'_>) {
        let own = key::of_request(&self.context.mint, message);
        if let Some(server) = self.servers.find(own) {
            return self.handle_request_again(now, source, server);
        }
        let invite = self
            .servers
            .find(key::of_invite(&self.context.mint, message));
        // §9.2: an INVITE that is gone, or was refused without a trace, is one that does not exist; and
        // a CANCEL comes from where its INVITE came from (§9.1), whoever else may know the branch.
        let opened = invite
            .filter(|invite| self.is_from_side_of(source, *invite))
            .and_then(|invite| self.servers.opened_by(invite));
        let Some(opened) = opened else {
            return self.refuse_without_dialog(now, source, message);
        };
        let tag = match opened {
            Opened::Call(call) => answer::caller_tag(&self.context, call),
            Opened::Exchange(exchange) => self.exchange_tag(exchange),
        };
        match self
            .servers
            .open(&mut self.context, now, message, (source, reply), own)
        {
            Some(server) => {
                answer::accept(&mut self.context, &mut self.servers, now, server, &tag);
            }
            None => reject::accept_stateless(&mut self.context, message, source),
        }
        match opened {
            Opened::Call(call) => {
                self.caller_input(now, call, caller_leg::Input::Cancel, With::default());
            }
            Opened::Exchange(exchange) => {
                self.reinvite_input(now, exchange, reinvite::Input::Cancel, None);
            }
        }
    }

    fn handle_new_request(
        &mut self,
        now: Instant,
        hops: (Hop, Hop),
        message: &Message<'_>,
        index: u64,
    ) {
        let (source, _) = hops;
        let refused = match message.to_tag() {
            Some(tag) => self
                .handle_in_dialog(now, hops, (message, tag), index)
                .err(),
            None => match self.context.admit(now, &source, message.method()) {
                Verdict::Admit(zone) => self
                    .handle_admitted(now, hops, message, (index, zone))
                    .err(),
                Verdict::Drop => None,
                Verdict::Refuse(cause) => Some(cause),
            },
        };
        if refused == Some(Cause::NoDialog) {
            self.refuse_without_dialog(now, source, message);
        } else if let Some(cause) = refused {
            if cause == Cause::Overloaded {
                self.context.counters.dropped_limit.add_one();
            }
            reject::answer_stateless(&mut self.context, message, source, cause);
        }
    }

    /// 481 (§12.2.2, §9.2), unless a stranger asks too often.
    fn refuse_without_dialog(&mut self, now: Instant, source: Hop, message: &Message<'_>) {
        if self.context.may_hear(now, &source) {
            reject::answer_stateless(&mut self.context, message, source, Cause::NoDialog);
        } else {
            self.context.counters.dropped_unmatched_request.add_one();
        }
    }

    /// A request outside a dialog whose source may send it.
    fn handle_admitted(
        &mut self,
        now: Instant,
        hops: (Hop, Hop),
        message: &Message<'_>,
        (index, zone): (u64, Option<ZoneId>),
    ) -> Result<(), Cause> {
        if message.method() == Method::Invite {
            // Before anything is read in it: a refusal must cost little.
            match self.context.overload.room(now, index) {
                Room::Free => {}
                Room::Refuse => {
                    self.context.counters.refused_overload.add_one();
                    let cause = Cause::Overloaded;
                    reject::answer_stateless(&mut self.context, message, hops.0, cause);
                    return Ok(());
                }
                Room::Drop => {
                    self.context.counters.dropped_overload.add_one();
                    return Ok(());
                }
            }
        }
        let policy = zone.and_then(|zone| self.context.settings.access.zone(zone));
        inspect(message, policy)?;
        if self.is_draining && !(self.keeps_promises && message.method() == Method::Invite) {
            return Err(Cause::Draining);
        }
        let times = self.context.settings.session;
        if message.method() == Method::Invite && Wish::of(message).is_too_short(times) {
            return Err(Cause::SessionTooShort);
        }
        if message.method() == Method::Options {
            return self.look_up(message, hops.0, zone);
        }
        if !self.context.is_authentic(now, hops.0, message, zone) {
            return Ok(());
        }
        self.begin_call(now, hops, message, (index, zone))
    }

    /// A new INVITE: 100 at once, and the owner is asked for a peer.
    fn begin_call(
        &mut self,
        now: Instant,
        (source, reply): (Hop, Hop),
        message: &Message<'_>,
        (index, zone): (u64, Option<ZoneId>),
    ) -> Result<(), Cause> {
        let has_room = self.calls.has_room()
            && self.servers.has_room_for_calls()
            && self.clients.has_room_for_calls();
        if !has_room {
            return Err(Cause::Overloaded);
        }
        // As its offer, to be repeated to the peer, and as the head of the answers.
        let kept = 3 * message.bytes().len();
        if self.context.pool.held() + kept > self.context.settings.kept_octets_max {
            self.context.counters.refused_kept_octets.add_one();
            return Err(Cause::Overloaded);
        }
        let origin = self.origin(message);
        if self.servers.has_origin(origin) || self.is_loop(message) {
            return Err(Cause::LoopDetected);
        }
        let replaces = self.translated_replaces(&source, message)?;
        let server = self
            .servers
            .open(&mut self.context, now, message, (source, reply), index)
            .ok_or(Cause::Overloaded)?;
        let (replaced, line) = replaces.unzip();
        let settings = Arc::clone(&self.context.settings);
        let policy = zone.and_then(|zone| settings.access.zone(zone));
        let line = line.unwrap_or_default();
        let offer = Offer::of(message, policy, &line, &mut self.context.pool);
        let mint = self.context.mint;
        let worker = settings.worker;
        let call = self
            .calls
            .insert_with(|key| {
                let tag = mint.write(Token {
                    kind: Kind::CallerLeg,
                    worker,
                    key,
                });
                let dialog = Dialog::of_invite(&settings, message, &tag, reply);
                let names = (server, message.cseq(), dialog);
                Call::new(now, names, offer, (source, reply), zone)
            })
            .ok_or(Cause::Overloaded)?;
        if let Some(call) = self.calls.get_mut(call) {
            call.sessions.hear_invite(message, policy);
            call.replaced = replaced.map(Box::new);
        }
        self.servers.set_call(server, call, origin);
        self.context.counters.calls_begun.add_one();
        self.servers.send_trying(&mut self.context, server);
        self.context
            .outputs
            .push_back(Output::Choose(Attempt { call, number: 0 }));
        Ok(())
    }

    /// A request with a To tag (§12.2.2).
    fn handle_in_dialog(
        &mut self,
        now: Instant,
        (source, reply): (Hop, Hop),
        (message, tag): (&Message<'_>, &[u8]),
        index: u64,
    ) -> Result<(), Cause> {
        let Some((leg, call)) = self.find_leg(source, message, tag) else {
            return self.hear_target(now, (source, reply), (message, tag), index);
        };
        match message.method() {
            Method::Bye => {
                // A full table must not keep a call alive: then the answer leaves nothing behind.
                let hops = (source, reply);
                let server = self
                    .servers
                    .open(&mut self.context, now, message, hops, index);
                if server.is_none() {
                    reject::accept_stateless(&mut self.context, message, source);
                }
                let with = With {
                    message: Some(message),
                    server,
                };
                if let Some(side) = Side::of(leg)
                    && self.referrer_leaves(now, call, side)
                {
                    let tag = self.leg_token(call, side);
                    if let Some(server) = server {
                        answer::accept(&mut self.context, &mut self.servers, now, server, &tag);
                    }
                    return Ok(());
                }
                if leg == Kind::CallerLeg {
                    self.caller_input(now, call, caller_leg::Input::Bye, with);
                } else {
                    self.peer_input(now, call, peer_leg::Input::Bye, with);
                }
                Ok(())
            }
            Method::Options => {
                reject::answer_options(&mut self.context, message, source);
                Ok(())
            }
            Method::Ack
            | Method::Cancel
            | Method::Info
            | Method::Invite
            | Method::Message
            | Method::Notify
            | Method::Other
            | Method::Prack
            | Method::Publish
            | Method::Refer
            | Method::Register
            | Method::Subscribe
            | Method::Update => {
                let side = Side::of(leg).ok_or(Cause::NoDialog)?;
                self.carry(now, (side, call), (source, reply), message, index)
            }
        }
    }

    /// The leg that a request's To tag names, if Call-ID and the other tag are right as well and it
    /// comes from that leg's own side.
    fn find_leg(&self, source: Hop, message: &Message<'_>, tag: &[u8]) -> Option<(Kind, Key)> {
        let counters = &self.context.counters;
        let Some(token) = self.leg_of(tag) else {
            if token::looks_like_one(tag) && self.context.mint.read(Kind::Stateless, tag).is_none()
            {
                counters.dropped_forged_token.add_one();
            }
            return None;
        };
        let Some(call) = self.calls.get(token.key) else {
            counters.dropped_stale_token.add_one();
            return None;
        };
        let side = call.side_named(token.kind, message.call_id())?;
        let dialog = call.dialog(side);
        let leg = side.kind();
        (dialog.is_some_and(|dialog| dialog.matches(message))
            && self.is_from_leg(source, leg, token.key))
        .then_some((leg, token.key))
    }

    /// Whether a CANCEL comes from the side that its INVITE came from, or a repeat from that of the
    /// first copy.
    fn is_from_side_of(&self, source: Hop, request: Key) -> bool {
        let access = &self.context.settings.access;
        let is_own = self
            .servers
            .hop(request)
            .is_some_and(|known| access.is_same_side(&known, &source));
        if !is_own {
            self.context.counters.refused_foreign_source.add_one();
        }
        is_own
    }

    /// Whether a message comes from the side of a call that it speaks for: the tags may have been
    /// overheard (TRUNK.md section 5 rule 11).
    fn is_from_leg(&self, source: Hop, leg: Kind, call: Key) -> bool {
        let access = &self.context.settings.access;
        let is_own = self.calls.get(call).is_some_and(|call| match leg {
            Kind::CallerLeg => call.is_from_caller(access, &source),
            Kind::PeerLeg => call.is_from_peer(access, &source),
            Kind::AckBranch | Kind::Branch | Kind::CallId | Kind::Stateless => false,
        });
        if !is_own {
            self.context.counters.refused_foreign_source.add_one();
        }
        is_own
    }
}

/// The inspections of a request outside a dialog, in the order of §8.2 and §16.3.
fn inspect(message: &Message<'_>, zone: Option<&Zone>) -> Result<(), Cause> {
    match message.method() {
        Method::Invite | Method::Options => {}
        Method::Other => return Err(Cause::MethodUnknown),
        // These belong into a dialog, and name none.
        Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Info
        | Method::Prack
        | Method::Update => {
            return Err(Cause::NoDialog);
        }
        // RFC 4475 §3.3.4: an address of record in a scheme that cannot be registered is 400, even
        // where nothing is.
        Method::Register if has_foreign_address(message) => {
            return Err(Cause::Malformed(Fault::BadTo));
        }
        Method::Message
        | Method::Notify
        | Method::Publish
        | Method::Refer
        | Method::Register
        | Method::Subscribe => {
            return Err(Cause::MethodNotAllowed);
        }
    }
    let uri =
        Uri::parse(message.request_uri()).map_err(|_| Cause::Malformed(Fault::BadRequestUri))?;
    match uri.scheme {
        Scheme::Sip | Scheme::Tel => {}
        // RFC 5630 §5.3: without TLS a `sips:` cannot be honoured.
        Scheme::Sips | Scheme::Other => return Err(Cause::UnsupportedScheme),
    }
    // An OPTIONS is answered here and goes no further.
    if message.method() == Method::Invite && !has_hops_left(message) {
        return Err(Cause::TooManyHops);
    }
    // RFC 5393 §5.3.3: a call takes one way at a time; with none left it is refused.
    let breadth = message.header(HeaderName::MaxBreadth);
    if message.method() == Method::Invite && breadth.is_some_and(|value| value.trim_ascii() == b"0")
    {
        return Err(Cause::BreadthExceeded);
    }
    if asks_too_much(message, zone) {
        return Err(Cause::UnsupportedExtension);
    }
    Ok(())
}

/// Whether the To of a REGISTER is neither `sip:`, `sips:` nor `tel:`.
fn has_foreign_address(message: &Message<'_>) -> bool {
    NameAddr::parse(message.to())
        .and_then(|to| Uri::parse(to.uri))
        .is_ok_and(|uri| uri.scheme == Scheme::Other)
}
