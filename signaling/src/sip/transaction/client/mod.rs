//! The table of client transactions: requests we sent and the answers that belong to them (RFC 3261
//! §17.1).

mod challenged;
pub(crate) mod hop_by_hop;
mod invite;

use super::{Action, Clocks, Timer, invite_client, key::MAGIC_COOKIE, non_invite_client};
use crate::context::{Alarm, Context};
use crate::hop::Hop;
use crate::output::{Attempt, Outcome, Ticket};
use crate::pool::Buffer;
use crate::sip::b2bua::side::Side;
use crate::sip::message::{Message, Method, Writer};
use crate::sip::token::{self, Kind, Text};
use crate::slots::{Key, Slots};
use crate::wheel::TimerHandle;
pub(crate) use challenged::Challenged;
use hop_by_hop::acknowledge;
pub(crate) use invite::TwoHundred;
use invite::is_answer_to;
use std::time::Instant;

/// Why a request was sent: who is told of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// BYE to the caller of this call.
    ByeToCaller(Key),
    /// BYE to a peer whose 2xx came when its attempt had been given up.
    ByeToLate(Attempt),
    /// BYE to the peer of this call.
    ByeToPeer(Key),
    /// A request that is carried from one leg of a call to the other.
    Exchange(Key),
    /// Nobody waits: a CANCEL, or the BYE of a dialog that a fork made.
    Forgotten,
    /// The INVITE of this attempt.
    Invite(Attempt),
    /// A NOTIFY that tells a side of this call how its REFER goes.
    Notice(Key, Side),
    /// The probe of a peer.
    Probe(u32),
    /// An UPDATE of ours that refreshes the session on a leg of a call.
    Refresh(Key, Side),
    /// An INVITE of ours that does so.
    RefreshByInvite(Key, Side),
    /// An INVITE that is carried from one leg of a call to the other.
    Reinvite(Key),
    /// The INVITE to the target of a REFER.
    Transfer(Attempt),
    /// The re-INVITE that brings the target's offer to the side of this call that stays.
    TransferOffer(Key),
}

#[derive(Clone, Copy, Debug)]
enum Machine {
    /// The user has given up; a peer that answers after all is still told to stop.
    Abandoned,
    Invite(invite_client::State),
    Other(non_invite_client::State),
}

/// One transaction.
pub(crate) struct Client {
    machine: Machine,
    purpose: Purpose,
    hop: Hop,
    /// Where the ACK of the 2xx that won went.
    ack_hop: Option<Hop>,
    clocks: Clocks,
    alarm: Option<TimerHandle>,
    /// What is repeated: the request until it is answered, then an INVITE's ACK.
    message: Buffer,
    /// The transaction of the CANCEL that went after this INVITE; it shares the branch.
    cancel: Option<Key>,
    /// Hash of the tag of the 2xx that won, and of others that were sent a BYE.
    winner: Option<u64>,
    strays: [u64; STRAYS],
    /// The last number in CSeq of what was asked before the INVITE had its answer.
    cseq_early: u32,
    /// The attempt was given up for another one, and its owner waits to hear that it is over.
    owes_end: bool,
    /// It answers a challenge; a second one is not answered.
    is_answer: bool,
    /// It asks for the interval that a 422 wanted; a second one is passed on.
    is_longer: bool,
}

/// What the transaction user is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// This answer is for you.
    Response,
    /// Nobody answered: to the user it is a 408 (§8.1.3.1).
    Timeout,
    /// It could not be sent: to the user it is a 503 (§8.1.3.1).
    TransportError,
}

/// How many forks that lost are remembered, so that each gets one BYE.
const STRAYS: usize = 4;

/// What became of a response.
pub(crate) enum Matched {
    /// Absorbed, or nobody's: counted.
    Absorbed,
    /// A 2xx to an INVITE that was given up.
    Late(Late),
    /// The user hears of it.
    Tell(Key, Purpose),
}

/// A 2xx that nobody waits for: from a fork that did not win, or from a peer that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Late {
    /// Whose INVITE it was.
    pub(crate) purpose: Purpose,
    /// Where the INVITE went.
    pub(crate) hop: Hop,
    /// Whether its BYE has not been sent yet.
    pub(crate) with_bye: bool,
    /// Whose owner waits for the end of that BYE.
    pub(crate) attempt: Option<Attempt>,
    /// The highest number in CSeq that may have been used with it.
    pub(crate) cseq: u32,
}

pub(crate) struct Clients {
    slots: Slots<Client>,
    calls_max: usize,
}

impl Clients {
    pub(crate) fn new(limit: usize, first_generation: u32) -> Self {
        Self {
            slots: Slots::new(limit, first_generation),
            calls_max: limit - limit / 4,
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

    /// Whether a request is still being repeated.
    pub(crate) fn is_repeating(&self) -> bool {
        self.slots
            .values()
            .any(|client| client.clocks.repeat.is_some())
    }

    /// Whether one more call may be taken: the last quarter of the table is for BYE and CANCEL.
    pub(crate) fn has_room_for_calls(&self) -> bool {
        self.slots.len() < self.calls_max
    }

    /// Sends a request in a new transaction. `write` is given the branch (without the cookie).
    /// `None`: the table is full or the message too large, and nothing was sent.
    pub(crate) fn send(
        &mut self,
        context: &mut Context,
        now: Instant,
        (purpose, hop): (Purpose, Hop),
        room: usize,
        write: impl FnOnce(&mut Writer<'_>, &Text),
    ) -> Option<Key> {
        let is_invite = matches!(
            purpose,
            Purpose::Invite(_)
                | Purpose::RefreshByInvite(..)
                | Purpose::Reinvite(_)
                | Purpose::Transfer(_)
                | Purpose::TransferOffer(_)
        );
        let machine = if is_invite {
            Machine::Invite(invite_client::State::Calling)
        } else {
            Machine::Other(non_invite_client::State::Trying)
        };
        let client = Client {
            machine,
            purpose,
            hop,
            ack_hop: None,
            clocks: Clocks::default(),
            alarm: None,
            message: Buffer::default(),
            cancel: None,
            winner: None,
            strays: [0; STRAYS],
            cseq_early: 0,
            owes_end: false,
            is_answer: false,
            is_longer: false,
        };
        let Some(key) = self.slots.insert(client) else {
            context.counters.dropped_limit.add_one();
            return None;
        };
        let branch = context.token(Kind::Branch, key);
        let Some(transmit) = context.send(hop, Some(Ticket(key)), room, |writer| {
            write(writer, &branch);
        }) else {
            self.slots.remove(key);
            return None;
        };
        let reliable = hop.transport.is_reliable();
        let client = self.slots.get_mut(key)?;
        // A stream repeats nothing, but an INVITE's first lines are wanted again for its ACK
        // (§17.1.1.3), and what may be challenged, or refused with 422, to be sent once more.
        let bytes = context.outbox.bytes(transmit.span);
        let may_be_asked =
            bytes.starts_with(b"UPDATE ") || context.settings.access.has_account(&hop);
        if !reliable || is_invite || may_be_asked {
            client.message = context.pool.copy(bytes);
        }
        let start = match (is_invite, reliable) {
            (true, false) => invite_client::START,
            (true, true) => invite_client::START_RELIABLE,
            (false, false) => non_invite_client::START,
            (false, true) => non_invite_client::START_RELIABLE,
        };
        for action in start {
            client
                .clocks
                .apply(*action, now, &context.settings.timers, reliable);
        }
        arm(client, key, context);
        Some(key)
    }

    /// Waits no longer than this for the final answer to a request that is no INVITE.
    pub(crate) fn end_at(&mut self, context: &mut Context, key: Key, at: Instant) {
        if let Some(client) = self.slots.get_mut(key) {
            client.clocks.life = Some((Timer::F, at));
            arm(client, key, context);
        }
    }

    /// Finds the transaction of a response (§17.1.3) and takes it one step on.
    pub(crate) fn handle_response(
        &mut self,
        context: &mut Context,
        now: Instant,
        message: &Message<'_>,
    ) -> Matched {
        let Some(mut key) = find(context, message) else {
            return Matched::Absorbed;
        };
        // §17.1.3: the method in CSeq decides between an INVITE and its CANCEL.
        if message.cseq_method() == Method::Cancel
            && let Some(cancel) = self.cancel_of(key)
        {
            key = cancel;
        }
        let Some(client) = self.slots.get_mut(key) else {
            context.counters.dropped_stale_token.add_one();
            return Matched::Absorbed;
        };
        if !is_answer_to(context, client.purpose, message) {
            context.counters.dropped_forged_token.add_one();
            return Matched::Absorbed;
        }
        let status = message.status();
        let event = match client.machine {
            Machine::Abandoned => return self.too_late(context, now, key, message),
            Machine::Invite(_) if message.cseq_method() == Method::Invite => {
                let input = match status {
                    100..=199 => invite_client::Input::Provisional,
                    200..=299 => invite_client::Input::Success,
                    _ => invite_client::Input::Failure,
                };
                self.step_invite(context, now, key, input, Some(message))
            }
            Machine::Invite(_) => {
                context.counters.dropped_unmatched_response.add_one();
                None
            }
            Machine::Other(_) => {
                let input = match status {
                    100..=199 => non_invite_client::Input::Provisional,
                    _ => non_invite_client::Input::Final,
                };
                self.step_other(context, now, key, input)
            }
        };
        match event {
            Some((purpose, Event::Response)) => Matched::Tell(key, purpose),
            Some((_, Event::Timeout | Event::TransportError)) | None => Matched::Absorbed,
        }
    }

    /// A timer of this transaction went off.
    pub(crate) fn handle_alarm(
        &mut self,
        context: &mut Context,
        now: Instant,
        key: Key,
    ) -> Option<(Purpose, Event)> {
        let client = self.slots.get_mut(key)?;
        client.alarm = None;
        let Some(timer) = client.clocks.due(now) else {
            arm(client, key, context);
            return None;
        };
        match client.machine {
            // The peer's session goes back after 64*T1; whatever it says in the next 64*T1 is still
            // cancelled or ended.
            Machine::Abandoned if client.owes_end => {
                client.end_attempt(context);
                self.abandon(context, now, key);
                None
            }
            Machine::Abandoned => {
                self.terminate(context, key);
                None
            }
            Machine::Invite(_) => {
                let input = match timer {
                    Timer::A => invite_client::Input::TimerA,
                    Timer::B => invite_client::Input::TimerB,
                    Timer::D => invite_client::Input::TimerD,
                    Timer::M => invite_client::Input::TimerM,
                    Timer::E
                    | Timer::F
                    | Timer::G
                    | Timer::H
                    | Timer::I
                    | Timer::J
                    | Timer::K
                    | Timer::L => return None,
                };
                self.step_invite(context, now, key, input, None)
            }
            Machine::Other(_) => {
                let input = match timer {
                    Timer::E => non_invite_client::Input::TimerE,
                    Timer::F => non_invite_client::Input::TimerF,
                    Timer::K => non_invite_client::Input::TimerK,
                    Timer::A
                    | Timer::B
                    | Timer::D
                    | Timer::G
                    | Timer::H
                    | Timer::I
                    | Timer::J
                    | Timer::L
                    | Timer::M => {
                        return None;
                    }
                };
                self.step_other(context, now, key, input)
            }
        }
    }

    /// The shell could not send a message of this transaction.
    pub(crate) fn handle_transport_error(
        &mut self,
        context: &mut Context,
        now: Instant,
        key: Key,
    ) -> Option<(Purpose, Event)> {
        let client = self.slots.get(key)?;
        // The first copy of it got through, or its failure would have been told before: that a repeat
        // is refused says nothing about that one, and the transaction's own time decides.
        if client.clocks.interval > context.settings.timers.t1 {
            return None;
        }
        match client.machine {
            Machine::Abandoned => None,
            Machine::Invite(_) => self.step_invite(
                context,
                now,
                key,
                invite_client::Input::TransportError,
                None,
            ),
            Machine::Other(_) => {
                self.step_other(context, now, key, non_invite_client::Input::TransportError)
            }
        }
    }

    fn terminate(&mut self, context: &mut Context, key: Key) {
        let Some(mut client) = self.slots.remove(key) else {
            return;
        };
        disarm(&mut client, context);
        client.end_attempt(context);
        context.pool.put(std::mem::take(&mut client.message));
    }

    fn step_invite(
        &mut self,
        context: &mut Context,
        now: Instant,
        key: Key,
        input: invite_client::Input,
        response: Option<&Message<'_>>,
    ) -> Option<(Purpose, Event)> {
        let client = self.slots.get_mut(key)?;
        let Machine::Invite(state) = client.machine else {
            return None;
        };
        let (next, actions) = invite_client::step(state, input);
        client.machine = Machine::Invite(next);
        if next != state
            && matches!(
                next,
                invite_client::State::Accepted | invite_client::State::Completed
            )
        {
            // The request is not repeated any more; the place is for its ACK.
            let request = std::mem::take(&mut client.message);
            if next == invite_client::State::Completed
                && let Some(response) = response
            {
                client.message = acknowledge(context, client.hop, response, request.as_slice());
            }
            context.pool.put(request);
        } else if actions.contains(&Action::Acknowledge) {
            context.resend(client.hop, None, client.message.as_slice());
        }
        let event = perform(client, context, now, key, actions);
        self.settle(
            context,
            now,
            key,
            event,
            next == invite_client::State::Terminated,
        )
    }

    fn step_other(
        &mut self,
        context: &mut Context,
        now: Instant,
        key: Key,
        input: non_invite_client::Input,
    ) -> Option<(Purpose, Event)> {
        let client = self.slots.get_mut(key)?;
        let Machine::Other(state) = client.machine else {
            return None;
        };
        let (next, actions) = non_invite_client::step(state, input);
        client.machine = Machine::Other(next);
        if next == non_invite_client::State::Completed {
            context.pool.put(std::mem::take(&mut client.message));
        }
        let event = perform(client, context, now, key, actions);
        self.settle(
            context,
            now,
            key,
            event,
            next == non_invite_client::State::Terminated,
        )
    }

    /// After a step: the timer that may have a value of zero, the end, or the next alarm.
    fn settle(
        &mut self,
        context: &mut Context,
        now: Instant,
        key: Key,
        (event, at_once): (Option<Event>, bool),
        over: bool,
    ) -> Option<(Purpose, Event)> {
        let client = self.slots.get_mut(key)?;
        let told = event.map(|event| (client.purpose, event));
        let is_lost = matches!(event, Some(Event::Timeout | Event::TransportError));
        if is_lost && matches!(client.machine, Machine::Invite(_)) {
            self.abandon(context, now, key);
        } else if over {
            self.terminate(context, key);
        } else if at_once {
            disarm(client, context);
            let silent = self.handle_alarm(context, now, key);
            debug_assert!(
                silent.is_none(),
                "timers D and K end a transaction that has reported"
            );
        } else {
            arm(client, key, context);
        }
        told
    }
}

impl Client {
    /// The attempt of this INVITE, if its owner still waits to hear of its end; it is not asked for
    /// twice.
    fn take_attempt(&mut self) -> Option<Attempt> {
        match self.purpose {
            Purpose::Invite(attempt) | Purpose::Transfer(attempt) => {
                std::mem::take(&mut self.owes_end).then_some(attempt)
            }
            Purpose::ByeToCaller(_)
            | Purpose::ByeToLate(_)
            | Purpose::ByeToPeer(_)
            | Purpose::Exchange(_)
            | Purpose::Forgotten
            | Purpose::Notice(..)
            | Purpose::Probe(_)
            | Purpose::Refresh(..)
            | Purpose::RefreshByInvite(..)
            | Purpose::Reinvite(_)
            | Purpose::TransferOffer(_) => None,
        }
    }

    fn end_attempt(&mut self, context: &mut Context) {
        if let Some(attempt) = self.take_attempt() {
            context.report(attempt, Outcome::Over);
        }
    }
}

/// The transaction that a response's top Via names, if the name is ours.
fn find(context: &Context, message: &Message<'_>) -> Option<Key> {
    let branch = message.branch().unwrap_or(&[]);
    let text = branch.strip_prefix(MAGIC_COOKIE).unwrap_or(branch);
    let Some(token) = context.mint.read(Kind::Branch, text) else {
        if token::looks_like_one(text) && context.mint.read(Kind::AckBranch, text).is_none() {
            context.counters.dropped_forged_token.add_one();
        } else {
            context.counters.dropped_unmatched_response.add_one();
        }
        return None;
    };
    Some(token.key)
}

fn perform(
    client: &mut Client,
    context: &mut Context,
    now: Instant,
    key: Key,
    actions: &[Action],
) -> (Option<Event>, bool) {
    let reliable = client.hop.transport.is_reliable();
    let mut event = None;
    let mut at_once = false;
    for action in actions {
        at_once |= client
            .clocks
            .apply(*action, now, &context.settings.timers, reliable);
        match action {
            Action::Repeat => {
                context.counters.retransmissions_out.add_one();
                context.resend(client.hop, Some(Ticket(key)), client.message.as_slice());
            }
            Action::Pass => event = Some(Event::Response),
            Action::InformTimeout => event = Some(Event::Timeout),
            Action::InformTransportError => event = Some(Event::TransportError),
            // Done by the caller, who has the response.
            Action::Acknowledge => {}
            Action::Lengthen(_)
            | Action::LengthenToT2(_)
            | Action::Start(_)
            | Action::StopRepeating => {}
        }
    }
    (event, at_once)
}

fn arm(client: &mut Client, key: Key, context: &mut Context) {
    disarm(client, context);
    client.alarm = client
        .clocks
        .next()
        .map(|at| context.wheel.arm(at, Alarm::Client(key)));
}

fn disarm(client: &mut Client, context: &mut Context) {
    if let Some(handle) = client.alarm.take() {
        context.wheel.cancel(handle);
    }
}
