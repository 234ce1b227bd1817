//! The table of server transactions: requests we got and the answers we gave them (RFC 3261 §17.2).

use super::head::Head;
use super::{Action, Clocks, Timer, invite_server, key, non_invite_server};
use crate::context::{Alarm, Context};
use crate::hop::{Hop, ListenerId};
use crate::outbox::Span;
use crate::pool::Buffer;
use crate::sip::message::{Message, Writer};
use crate::sip::token::Kind;
use crate::slots::{Key, Slots};
use crate::wheel::TimerHandle;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Instant;

#[derive(Clone, Copy, Debug)]
enum Machine {
    Invite(invite_server::State),
    Other(non_invite_server::State),
}

/// One transaction.
pub(crate) struct Server {
    machine: Machine,
    /// When the request came.
    begun: Instant,
    index: u64,
    /// Where answers go.
    hop: Hop,
    head: Head,
    /// The last answer, to be repeated. Empty in an INVITE's Proceeding means the 100, which the
    /// head alone makes.
    response: Buffer,
    clocks: Clocks,
    alarm: Option<TimerHandle>,
    /// What an INVITE opened.
    opened: Option<Opened>,
    /// Of an INVITE that opened a call: what its copies by other ways share with it.
    origin: Option<u64>,
}

/// What an INVITE opened, which a CANCEL ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// A call.
    Call(Key),
    /// An exchange: it came inside a dialog.
    Exchange(Key),
}

/// Room for a status line and whatever a short answer adds to the head.
const SHORT_ANSWER: usize = 320;
/// What is said where the answer cannot be.
const TOO_LARGE: u16 = 500;

pub(crate) struct Servers {
    slots: Slots<Server>,
    calls_max: usize,
    by_key: HashMap<u64, Key, BuildHasherDefault<Hashed>>,
    /// Calls, by what a copy of their INVITE would share.
    by_origin: HashMap<u64, Key, BuildHasherDefault<Hashed>>,
}

/// The keys are keyed hashes already ([`key`]): hashing them again would gain nothing.
#[derive(Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(false, "only u64 keys are hashed, not {} bytes", bytes.len());
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

impl Servers {
    pub(crate) fn new(limit: usize, first_generation: u32) -> Self {
        Self {
            slots: Slots::new(limit, first_generation),
            calls_max: limit - limit / 4,
            by_key: HashMap::default(),
            by_origin: HashMap::default(),
        }
    }

    /// Another limit from now on; what lives goes on.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.slots.set_limit(limit);
        self.calls_max = limit - limit / 4;
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The transaction with this key (§17.2.3).
    pub(crate) fn find(&self, index: u64) -> Option<Key> {
        self.by_key.get(&index).copied()
    }

    /// Whether the table and its keys have the same size.
    pub(crate) fn is_consistent(&self) -> bool {
        self.slots.len() == self.by_key.len()
    }

    /// Whether a final answer is still being repeated.
    pub(crate) fn is_repeating(&self) -> bool {
        self.slots
            .values()
            .any(|server| server.clocks.repeat.is_some())
    }

    /// The listener that answers leave from.
    pub(crate) fn listener(&self, key: Key) -> Option<ListenerId> {
        Some(self.slots.get(key)?.hop.listener)
    }

    /// Where answers to the request go: to the side that it came from.
    pub(crate) fn hop(&self, key: Key) -> Option<Hop> {
        Some(self.slots.get(key)?.hop)
    }

    /// Whether one more INVITE may be taken: the last quarter of the table is for BYE and CANCEL.
    pub(crate) fn has_room_for_calls(&self) -> bool {
        self.slots.len() < self.calls_max
    }

    /// What this INVITE opened.
    pub(crate) fn opened_by(&self, key: Key) -> Option<Opened> {
        self.slots.get(key)?.opened
    }

    /// Remembers the call that this INVITE opened, and what its copies share with it.
    pub(crate) fn set_call(&mut self, key: Key, call: Key, origin: u64) {
        if let Some(server) = self.slots.get_mut(key) {
            server.opened = Some(Opened::Call(call));
            server.origin = Some(origin);
            self.by_origin.insert(origin, key);
        }
    }

    /// Whether a call of this origin is being set up or was accepted here (RFC 3261 §8.2.2.2). One
    /// that was refused may be tried again by another way.
    pub(crate) fn has_origin(&self, origin: u64) -> bool {
        let server = self
            .by_origin
            .get(&origin)
            .and_then(|key| self.slots.get(*key));
        server.is_some_and(|server| {
            matches!(
                server.machine,
                Machine::Invite(invite_server::State::Proceeding | invite_server::State::Accepted)
            )
        })
    }

    /// Remembers the exchange that this INVITE opened.
    pub(crate) fn set_exchange(&mut self, key: Key, exchange: Key) {
        if let Some(server) = self.slots.get_mut(key) {
            server.opened = Some(Opened::Exchange(exchange));
        }
    }

    /// Opens the transaction of a request; `None` when the table is full.
    pub(crate) fn open(
        &mut self,
        context: &mut Context,
        now: Instant,
        message: &Message<'_>,
        (source, reply): (Hop, Hop),
        index: u64,
    ) -> Option<Key> {
        if !self.slots.has_room() {
            return None;
        }
        let machine = if key::is_of_invite(message.method()) {
            Machine::Invite(invite_server::State::Proceeding)
        } else {
            Machine::Other(non_invite_server::State::Trying)
        };
        let key = self.slots.insert(Server {
            machine,
            begun: now,
            index,
            hop: reply,
            head: Head::of(message, &source, &mut context.pool),
            response: Buffer::default(),
            clocks: Clocks::default(),
            alarm: None,
            opened: None,
            origin: None,
        })?;
        self.by_key.insert(index, key);
        Some(key)
    }

    /// The request once more: its last answer goes out again.
    pub(crate) fn handle_request_again(&mut self, context: &mut Context, now: Instant, key: Key) {
        context.counters.retransmissions_in.add_one();
        let Some(server) = self.slots.get(key) else {
            return;
        };
        match server.machine {
            Machine::Invite(_) => self.step_invite(context, now, key, invite_server::Input::Invite),
            Machine::Other(_) => {
                self.step_other(context, now, key, non_invite_server::Input::Request);
            }
        }
    }

    /// An ACK that belongs to this INVITE: it ends the repeats of a non-2xx final.
    pub(crate) fn handle_ack(&mut self, context: &mut Context, now: Instant, key: Key) {
        self.step_invite(context, now, key, invite_server::Input::Ack);
    }

    /// A timer of this transaction went off.
    pub(crate) fn handle_alarm(&mut self, context: &mut Context, now: Instant, key: Key) {
        let Some(server) = self.slots.get_mut(key) else {
            return;
        };
        server.alarm = None;
        let Some(timer) = server.clocks.due(now) else {
            arm(server, key, context);
            return;
        };
        match server.machine {
            Machine::Invite(_) => {
                let input = match timer {
                    Timer::G => invite_server::Input::TimerG,
                    Timer::H => invite_server::Input::TimerH,
                    Timer::I => invite_server::Input::TimerI,
                    Timer::L => invite_server::Input::TimerL,
                    Timer::A
                    | Timer::B
                    | Timer::D
                    | Timer::E
                    | Timer::F
                    | Timer::J
                    | Timer::K
                    | Timer::M => return,
                };
                self.step_invite(context, now, key, input);
            }
            // Timer J is the only one of figure 8.
            Machine::Other(_) => {
                self.step_other(context, now, key, non_invite_server::Input::TimerJ);
            }
        }
    }

    /// Sends the 100 of an INVITE (§8.2.6.1: no tag).
    pub(crate) fn send_trying(&self, context: &mut Context, key: Key) {
        if let Some(server) = self.slots.get(key) {
            trying(server, context);
        }
    }

    /// Sends an answer: `write` gets the head to repeat. The span is returned for a user that
    /// repeats a 2xx itself; `None`: it was not sent, and in the place of a final one went 500.
    pub(crate) fn respond(
        &mut self,
        context: &mut Context,
        now: Instant,
        (key, status): (Key, u16),
        room: usize,
        write: impl FnOnce(&mut Writer<'_>, &Head),
    ) -> Option<Span> {
        let server = self.slots.get_mut(key)?;
        // A final answer takes the head away: there is no second one.
        if server.head.is_released() {
            debug_assert!(false, "a request is finally answered once");
            return None;
        }
        let head = &server.head;
        let room = head.room() + SHORT_ANSWER + room;
        let sent = context.send(server.hop, None, room, |writer| write(writer, head));
        if let Some(transmit) = sent {
            self.said(context, now, (key, status), transmit.span);
            return Some(transmit.span);
        }
        // An answer that outgrows its room: whoever asked is not left without a final one.
        let tag = context.token(Kind::Stateless, key);
        let room = head.room() + SHORT_ANSWER;
        let short = |writer: &mut Writer<'_>| {
            writer.status_line(TOO_LARGE, b"Server Internal Error");
            head.write(writer, Some(&tag));
            writer.body(b"");
        };
        if status >= 200
            && let Some(transmit) = context.send(server.hop, None, room, short)
        {
            self.said(context, now, (key, TOO_LARGE), transmit.span);
        }
        None
    }

    /// An answer was sent: the transaction goes on from there.
    fn said(&mut self, context: &mut Context, now: Instant, (key, status): (Key, u16), span: Span) {
        let Some(server) = self.slots.get_mut(key) else {
            return;
        };
        let is_2xx = (200..300).contains(&status);
        let is_final = status >= 200;
        let (repeats, reliable) = match server.machine {
            Machine::Invite(_) => (!is_2xx, server.hop.transport.is_reliable()),
            Machine::Other(_) => (true, server.hop.transport.is_reliable()),
        };
        if repeats && !reliable {
            let kept = context.pool.copy(context.outbox.bytes(span));
            context
                .pool
                .put(std::mem::replace(&mut server.response, kept));
        } else {
            context.pool.put(std::mem::take(&mut server.response));
        }
        if is_final {
            server.head.release(&mut context.pool);
            let times = match server.machine {
                Machine::Invite(_) => &context.counters.invites,
                Machine::Other(_) => &context.counters.requests,
            };
            times.count(now.saturating_duration_since(server.begun));
        }
        match server.machine {
            Machine::Invite(_) => {
                let input = match status {
                    ..200 => invite_server::Input::UserProvisional,
                    200..300 => invite_server::Input::UserSuccess,
                    300.. => invite_server::Input::UserFailure,
                };
                self.step_invite(context, now, key, input);
            }
            Machine::Other(_) => {
                let input = if is_final {
                    non_invite_server::Input::UserFinal
                } else {
                    non_invite_server::Input::UserProvisional
                };
                self.step_other(context, now, key, input);
            }
        }
    }

    /// Drops a transaction that gets no answer at all (RFC 4320 §4.2).
    pub(crate) fn forget(&mut self, context: &mut Context, key: Key) {
        self.remove(context, key);
    }

    /// Sends the 2xx that the user repeats once more (§13.3.1.4).
    pub(crate) fn repeat_success(&self, context: &mut Context, key: Key, bytes: &[u8]) {
        if let Some(server) = self.slots.get(key) {
            context.resend(server.hop, None, bytes);
        }
    }

    /// Whether the INVITE was accepted: then an ACK is the user's (RFC 6026 §7.1).
    pub(crate) fn is_accepted(&self, key: Key) -> bool {
        self.slots.get(key).is_some_and(|server| {
            matches!(
                server.machine,
                Machine::Invite(invite_server::State::Accepted)
            )
        })
    }

    fn step_invite(
        &mut self,
        context: &mut Context,
        now: Instant,
        key: Key,
        input: invite_server::Input,
    ) {
        let Some(server) = self.slots.get_mut(key) else {
            return;
        };
        let Machine::Invite(state) = server.machine else {
            return;
        };
        let (next, actions) = invite_server::step(state, input, server.hop.transport.is_reliable());
        server.machine = Machine::Invite(next);
        if next == invite_server::State::Confirmed && state != next {
            context.pool.put(std::mem::take(&mut server.response));
        }
        self.perform(
            context,
            now,
            key,
            actions,
            next == invite_server::State::Terminated,
        );
    }

    fn step_other(
        &mut self,
        context: &mut Context,
        now: Instant,
        key: Key,
        input: non_invite_server::Input,
    ) {
        let Some(server) = self.slots.get_mut(key) else {
            return;
        };
        let Machine::Other(state) = server.machine else {
            return;
        };
        let (next, actions) = non_invite_server::step(state, input);
        server.machine = Machine::Other(next);
        self.perform(
            context,
            now,
            key,
            actions,
            next == non_invite_server::State::Terminated,
        );
    }

    fn perform(
        &mut self,
        context: &mut Context,
        now: Instant,
        key: Key,
        actions: &[Action],
        over: bool,
    ) {
        let Some(server) = self.slots.get_mut(key) else {
            return;
        };
        let reliable = server.hop.transport.is_reliable();
        let mut at_once = false;
        for action in actions {
            at_once |= server
                .clocks
                .apply(*action, now, &context.settings.timers, reliable);
            if *action == Action::Repeat {
                context.counters.retransmissions_out.add_one();
                if server.response.is_empty() {
                    trying(server, context);
                } else {
                    context.resend(server.hop, None, server.response.as_slice());
                }
            }
        }
        // Timers I and J of zero: what they lead to is Terminated.
        if over || at_once {
            self.remove(context, key);
        } else {
            arm(server, key, context);
        }
    }

    fn remove(&mut self, context: &mut Context, key: Key) {
        let Some(mut server) = self.slots.remove(key) else {
            return;
        };
        self.by_key.remove(&server.index);
        if let Some(origin) = server.origin
            && self.by_origin.get(&origin) == Some(&key)
        {
            self.by_origin.remove(&origin);
        }
        disarm(&mut server, context);
        server.head.release(&mut context.pool);
        context.pool.put(std::mem::take(&mut server.response));
    }
}

fn trying(server: &Server, context: &mut Context) {
    let head = &server.head;
    // Only an INVITE that is still undecided has its head; a stream keeps no final to repeat.
    if matches!(
        server.machine,
        Machine::Invite(invite_server::State::Proceeding)
    ) {
        context.send(server.hop, None, head.room() + SHORT_ANSWER, |writer| {
            writer.status_line(100, b"Trying");
            head.write(writer, None);
            writer.body(b"");
        });
    }
}

fn arm(server: &mut Server, key: Key, context: &mut Context) {
    disarm(server, context);
    server.alarm = server
        .clocks
        .next()
        .map(|at| context.wheel.arm(at, Alarm::Server(key)));
}

fn disarm(server: &mut Server, context: &mut Context) {
    if let Some(handle) = server.alarm.take() {
        context.wheel.cancel(handle);
    }
}
