//! The caller: places calls and judges what comes back.

use super::Agent;
use super::call::{Call, Clock};
use super::context::{Context, Counts, Packet, Step, Timers};
use super::plan::{Outcome, Plan};
use super::received::{Received, show};
use super::text::Echo;
use signaling::Transport;
use signaling::sip::message::{Index, Limits, Method};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

/// What a caller is told once.
#[derive(Clone, Debug)]
pub struct CallerSettings {
    /// Its own address, as it stands in Via and Contact.
    pub local: SocketAddr,
    /// Where calls are sent: the server under test.
    pub target: SocketAddr,
    /// UDP, or TCP where the owner carries bytes in order and loses none.
    pub transport: Transport,
    /// Protocol clocks.
    pub timers: Timers,
    /// Of tags, branches and Call-IDs.
    pub seed: u64,
    /// What tells the names of this run from those of others with the same seed: a server remembers the calls of the
    /// last run for a while. 0 where a run is to be the same to the octet.
    pub run: u64,
    /// Call `n` dials `sip:room-N@example.com` with `N = n % rooms`.
    pub rooms: u64,
}

/// Places calls by [`Plan`]s and reports an [`Outcome`] for each.
pub struct Caller {
    settings: CallerSettings,
    index: Index,
    state: State,
}

struct State {
    desk: Context<Clock>,
    calls: BTreeMap<u64, Call>,
    live: usize,
    next: u64,
    outcomes: VecDeque<Outcome>,
    /// Who is up, if the owner wants to be told.
    answered: Option<VecDeque<u64>>,
}

impl Caller {
    /// A caller without calls.
    #[must_use]
    pub fn new(settings: CallerSettings) -> Self {
        let desk = Context::new(
            settings.local,
            settings.transport,
            settings.timers,
            [settings.seed, settings.run],
        );
        let state = State {
            desk,
            calls: BTreeMap::new(),
            live: 0,
            next: 0,
            outcomes: VecDeque::new(),
            answered: None,
        };
        Self {
            settings,
            index: Index::new(Limits::default()),
            state,
        }
    }

    /// The same, with calls that count from `first`: the callers of one world then share no number.
    #[must_use]
    pub fn numbered_from(mut self, first: u64) -> Self {
        self.state.next = first;
        self
    }

    /// Its own address.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.settings.local
    }

    /// Sends the INVITE of the next call and gives its number; numbers count from 0, unless told otherwise.
    pub fn place(&mut self, now: Instant, plan: Plan) -> u64 {
        let room = self.state.next.checked_rem(self.settings.rooms);
        let uri = format!("sip:room-{}@example.com", room.unwrap_or(0));
        self.place_to(now, plan, self.settings.target, uri)
    }

    /// The same to a server and a URI of the owner's choice.
    pub fn place_to(&mut self, now: Instant, plan: Plan, target: SocketAddr, uri: String) -> u64 {
        let state = &mut self.state;
        let number = state.next;
        state.next += 1;
        state.live += 1;
        state.desk.counts.calls += 1;
        let call = Call::begin(&mut state.desk, now, number, plan, target, uri);
        state.calls.insert(number, call);
        number
    }

    /// Gives up a call that is not answered yet, whatever its plan says; a 2xx that crosses the CANCEL is acknowledged
    /// and hung up. Nothing happens to a call that is up or over.
    pub fn cancel(&mut self, now: Instant, number: u64) {
        if let Some(call) = self.state.calls.get_mut(&number) {
            call.cancel(&mut self.state.desk, now);
        }
    }

    /// Calls the peer itself, so that names of its own leg are no leak.
    #[must_use]
    pub fn direct(mut self) -> Self {
        self.state.desk.set_direct();
        self
    }

    /// Keeps the number of each call that is answered for [`Caller::poll_answered`].
    #[must_use]
    pub fn telling_answers(mut self) -> Self {
        self.state.answered = Some(VecDeque::new());
        self
    }

    /// The next call that is up, if the owner wants to be told.
    pub fn poll_answered(&mut self) -> Option<u64> {
        self.state.answered.as_mut()?.pop_front()
    }

    /// Hangs up a call that is up, whatever its plan says; nothing happens to any other.
    pub fn hang_up(&mut self, now: Instant, number: u64) {
        if let Some(call) = self.state.calls.get_mut(&number) {
            call.hang_up(&mut self.state.desk, now);
        }
    }

    /// The next call that is over.
    pub fn poll_outcome(&mut self) -> Option<Outcome> {
        self.state.outcomes.pop_front()
    }

    /// Numbers of the calls that are not over, in order.
    pub fn live_numbers(&self) -> impl Iterator<Item = u64> {
        self.state
            .calls
            .iter()
            .filter(|(_, call)| call.is_live())
            .map(|(number, _)| *number)
    }

    /// Numbers of the calls that are answered and not hung up, in order.
    pub fn up_numbers(&self) -> impl Iterator<Item = u64> {
        self.state
            .calls
            .iter()
            .filter(|(_, call)| call.is_up())
            .map(|(number, _)| *number)
    }

    /// Keeps every message of this call from now on.
    pub fn watch(&mut self, number: u64) {
        self.state.desk.watch(number);
    }

    /// The messages of the watched call.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        self.state.desk.steps()
    }
}

impl Agent for Caller {
    fn handle_message(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        self.state.desk.counts.received += 1;
        match Received::read(&mut self.index, from, bytes) {
            Ok(message) => self.state.handle(now, &message, bytes),
            Err(what) => self
                .state
                .desk
                .complain(None, &format!("unreadable ({what}): {}", show(bytes))),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some((number, clock)) = self.state.desk.alarms.pop(now) {
            self.state.handle_alarm(now, number, clock);
        }
    }

    fn poll_output(&mut self) -> Option<Packet> {
        self.state.desk.packets.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.state.desk.alarms.next()
    }

    fn poll_complaint(&mut self) -> Option<String> {
        self.state.desk.pop_complaint()
    }

    fn complaints(&self) -> u64 {
        self.state.desk.complaint_count()
    }

    fn counts(&self) -> Counts {
        self.state.desk.counts
    }

    fn live(&self) -> usize {
        self.state.live
    }

    fn is_quiet(&self) -> bool {
        let state = &self.state;
        let is_quiet =
            state.calls.is_empty() && state.desk.packets.is_empty() && state.outcomes.is_empty();
        debug_assert!(
            !state.calls.is_empty() || state.desk.alarms.is_empty(),
            "a clock of no call"
        );
        is_quiet
    }
}

impl State {
    fn handle(&mut self, now: Instant, message: &Received<'_>, bytes: &[u8]) {
        let Some((number, call)) = find(&mut self.calls, message.call_id()) else {
            self.handle_stray(now, message);
            return;
        };
        self.desk.note(now, number, message.source, bytes);
        let was_up = call.is_up();
        let outcome = if message.is_request() {
            call.handle_request(&mut self.desk, now, message)
        } else {
            call.handle_response(&mut self.desk, now, message)
        };
        if let (Some(answered), true, false) = (&mut self.answered, call.is_up(), was_up) {
            answered.push_back(number);
        }
        self.report(outcome);
    }

    fn handle_stray(&mut self, now: Instant, message: &Received<'_>) {
        let method = message.method();
        if !message.is_request() || method == Method::Ack {
            let kind = if message.is_request() {
                "an ACK"
            } else {
                "a response"
            };
            self.desk.complain(
                None,
                &format!("{kind} for no call of ours: {}", show(message.head())),
            );
            return;
        }
        let status = if method == Method::Options { 200 } else { 481 };
        let echo = Echo::of(message, self.desk.transport);
        let tag = self.desk.name("stray");
        self.desk.send(
            now,
            u64::MAX,
            echo.reply_to,
            echo.response(status, &tag, "", b""),
        );
        if status == 481 {
            self.desk.complain(
                None,
                &format!("a {method} for no call of ours: {}", show(message.head())),
            );
        }
    }

    fn handle_alarm(&mut self, now: Instant, number: u64, clock: Clock) {
        if clock == Clock::Forget {
            self.calls.remove(&number);
            return;
        }
        let Some(call) = self.calls.get_mut(&number) else {
            debug_assert!(false, "a clock of no call");
            return;
        };
        let outcome = call.handle_alarm(&mut self.desk, now, clock);
        self.report(outcome);
    }

    fn report(&mut self, outcome: Option<Outcome>) {
        if let Some(outcome) = outcome {
            self.live -= 1;
            self.outcomes.push_back(outcome);
        }
    }
}

/// The call of a Call-ID of ours: its number stands at the end.
fn find<'a>(calls: &'a mut BTreeMap<u64, Call>, call_id: &[u8]) -> Option<(u64, &'a mut Call)> {
    let digits = call_id.rsplit(|byte| *byte == b'-').next()?;
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let call = calls.get_mut(&number)?;
    (call.call_id().as_bytes() == call_id).then_some((number, call))
}
