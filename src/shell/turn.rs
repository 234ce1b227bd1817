//! The loop of one worker: wait, take in, let time pass, send; over and over.
//!
//! The thread belongs to the worker alone. It sleeps in its own epoll and nowhere else, so a turn costs one wake-up, one
//! `recvmmsg` for each socket with datagrams, one `sendmmsg` for each socket that sends and one write for each connection
//! that does, whatever it carries (docs/decisions/0003-workers-and-wake-ups.md).

use super::control::{Control, Phase};
use super::gather::Gather;
use super::inbox::{Inbox, Parcel};
use super::intake::{Failure, Intake};
use super::kernel::batch::{Inbound, Outbound};
use super::kernel::epoll::{Epoll, Events, Interest};
use super::load::Load;
use super::record;
use super::tcp::{self, Tcp};
use super::udp::Udp;
use crate::node::PeerChange;
use balancer::PeerState;
use signaling::sip::message::{Framing, is_new_invite};
use signaling::{ListenerId, Transport};
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// Parcels taken in one turn, so that they do not hold up the sockets.
const PARCELS_MAX: usize = 256;
/// How often in one turn failures of sending may lead to new messages, whose sending may fail.
const SENDINGS_MAX: usize = 8;

/// How long a worker that has to wait for another's ring leaves it alone.
const STALL: Duration = Duration::from_micros(500);

/// Words under which epoll watches what is no connection.
const BELL: u64 = u64::MAX;
const LISTENERS: u64 = 0xff << 56;

/// One worker's socket of one listener.
pub(super) enum Door {
    Tcp(TcpListener),
    Udp(Udp),
}

/// What one worker waits for. It is put together before the worker's thread starts, because that may fail.
pub(super) struct Doors {
    epoll: Arc<Epoll>,
    /// By [`ListenerId`].
    doors: Vec<Door>,
    inbox: Arc<Inbox>,
}

impl Doors {
    pub(super) fn new(doors: Vec<Door>, inbox: Arc<Inbox>) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(inbox.bell(), BELL, Interest::Read)?;
        for (door, token) in doors.iter().zip(LISTENERS..) {
            epoll.add(door.descriptor(), token, Interest::Read)?;
        }
        Ok(Self {
            epoll: Arc::new(epoll),
            doors,
            inbox,
        })
    }

    pub(super) fn epoll(&self) -> Arc<Epoll> {
        Arc::clone(&self.epoll)
    }
}

impl Door {
    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Udp(udp) => udp.descriptor(),
        }
    }
}

/// The loop and all that it owns.
pub(super) struct Turns {
    intake: Intake,
    doors: Doors,
    tcp: Tcp,
    inbound: Inbound,
    outbound: Outbound,
    events: Events,
    gather: Gather,
    control: Arc<Control>,
    phase: Phase,
    /// Of the orders that it goes by.
    generation: u64,
    load: Load,
    /// Whether this worker said that it has nothing left to do.
    finished: bool,
    /// Whether the last turn left something to say.
    unsaid: bool,
    failures: Vec<Failure>,
}

impl Turns {
    pub(super) fn new(
        intake: Intake,
        doors: Doors,
        tcp: Tcp,
        gather: Gather,
        control: Arc<Control>,
    ) -> Self {
        Self {
            intake,
            doors,
            tcp,
            inbound: Inbound::new(),
            outbound: Outbound::new(),
            events: Events::new(),
            gather,
            control,
            phase: Phase::Running,
            generation: 0,
            load: Load::default(),
            finished: false,
            unsaid: false,
            failures: Vec::new(),
        }
    }

    /// Serves until the node stops.
    pub(super) fn run(mut self) -> io::Result<()> {
        while self.phase != Phase::Stopping {
            self.wait()?;
            self.turn(Instant::now())?;
        }
        Ok(())
    }

    /// One turn, in the order of urgency.
    fn turn(&mut self, now: Instant) -> io::Result<()> {
        self.intake.counters.turns.add(1);
        let (waited, has_lost) = self.load.turn_begins(now);
        self.intake.worker.handle_load(now, waited, has_lost);
        // 1. The way out and new orders: they must not wait for a lull.
        self.follow_phase(now);
        self.follow_orders(now);
        // 2. What other workers have already read, and what they had no room for.
        self.take_parcels(now);
        self.intake.hand_over_waiting();
        // 3. Timers, so that floods do not starve them.
        self.let_time_pass(now);
        // 4. Sockets as epoll lists them, a batch or an accept queue each; then connections, one read each.
        self.serve_ready(now);
        self.tcp.read_queued(now, &mut self.intake);
        // 5. Everything that the turn wants said.
        self.send(now)?;
        let messages = self.intake.finish();
        self.gather.count(now, messages);
        self.settle();
        self.load.turn_ended(now, Instant::now());
        Ok(())
    }

    /// Sleeps until there is something to do.
    fn wait(&mut self) -> io::Result<()> {
        let moment = if self.intake.is_stalled() {
            // Connections that are ready are not read now, so epoll would not wait.
            Some(STALL)
        } else if self.tcp.has_unread() {
            None
        } else {
            self.gather.moment()
        };
        if let Some(moment) = moment {
            thread::sleep(moment);
            self.doors
                .epoll
                .wait(&mut self.events, Some(Duration::ZERO))?;
            if !self.events.is_empty() {
                self.intake.counters.turns_gathered.add(1);
                return Ok(());
            }
        }
        let inbox = Arc::clone(&self.doors.inbox);
        // Phase and orders are looked at after the inbox is told of our sleep: who changes them later rings.
        let may_sleep = inbox.sleep()
            && self.control.phase() == self.phase
            && self.control.generation() == self.generation
            && !self.has_more_to_do();
        let patience = if may_sleep {
            self.patience()
        } else {
            Some(Duration::ZERO)
        };
        let waited = self.doors.epoll.wait(&mut self.events, patience);
        inbox.awake();
        waited
    }

    /// Whether the last turn left something that needs no event.
    fn has_more_to_do(&self) -> bool {
        self.unsaid
            || !self.failures.is_empty()
            || self.intake.is_stalled()
            || self.tcp.has_unread()
    }

    /// How long there is nothing to do but to wait.
    fn patience(&self) -> Option<Duration> {
        let deadlines = [self.intake.worker.poll_timeout(), self.tcp.poll_timeout()];
        let deadline = deadlines.into_iter().flatten().min()?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    fn follow_phase(&mut self, now: Instant) {
        let phase = self.control.phase();
        match (self.phase, phase) {
            (
                Phase::Running,
                Phase::Maintenance | Phase::Lingering | Phase::Draining | Phase::Stopping,
            ) => self.intake.worker.drain(),
            (Phase::Maintenance, Phase::Running) => self.intake.worker.resume(now),
            // The same phase, or one that is further on the way out.
            (Phase::Running, Phase::Running)
            | (
                Phase::Maintenance,
                Phase::Maintenance | Phase::Lingering | Phase::Draining | Phase::Stopping,
            )
            | (Phase::Lingering | Phase::Draining | Phase::Stopping, _) => {}
        }
        self.phase = phase;
    }

    fn follow_orders(&mut self, now: Instant) {
        let generation = self.control.generation();
        if generation == self.generation {
            return;
        }
        self.generation = generation;
        let worker = self.intake.index();
        if let Some(orders) = self.control.orders() {
            let limits = orders.limits;
            let settings = signaling::Settings {
                worker,
                ..orders.settings.clone()
            };
            self.intake.worker.record_calls(orders.recording);
            self.tcp.set_limits(limits);
            self.intake
                .worker
                .handle_settings(now, Arc::new(settings), limits.message);
        }
        self.control.took(worker, generation);
    }

    fn take_parcels(&mut self, now: Instant) {
        for _ in 0..PARCELS_MAX {
            let Some(parcel) = self.doors.inbox.take() else {
                break;
            };
            match &parcel {
                Parcel::Message {
                    source,
                    framing,
                    bytes,
                } => self.intake.parcel(now, *source, bytes, *framing),
                Parcel::Write { hop, sender, bytes } => self.tcp.send(now, *hop, *sender, bytes),
                Parcel::Errand(errand) => errand.run(now, &mut self.intake),
                Parcel::Failed { ticket, trouble } => {
                    let worker = &mut self.intake.worker;
                    worker.handle_transport_error(now, *ticket, *trouble);
                }
            }
            self.doors.inbox.put_back(parcel);
        }
    }

    fn let_time_pass(&mut self, now: Instant) {
        if self
            .intake
            .worker
            .poll_timeout()
            .is_some_and(|at| at <= now)
        {
            self.intake.worker.handle_timeout(now);
        }
        if self.tcp.poll_timeout().is_some_and(|at| at <= now) {
            let resume = self.tcp.may_accept_again(now);
            self.tcp.handle_timeout(now);
            if resume {
                self.watch_tcp_listeners(Interest::Read);
            }
        }
    }

    fn serve_ready(&mut self, now: Instant) {
        let mut position = 0;
        while let Some(ready) = self.events.ready(position) {
            position += 1;
            match ready.token {
                BELL => self.doors.inbox.heard(),
                token if token >= LISTENERS => {
                    let index = usize::try_from(token - LISTENERS).unwrap_or(usize::MAX);
                    self.serve_door(now, index, ready.writable);
                }
                _ => self.tcp.ready(now, ready),
            }
        }
    }

    fn serve_door(&mut self, now: Instant, index: usize, writable: bool) {
        match self.doors.doors.get_mut(index) {
            Some(Door::Udp(udp)) => {
                let counters = Arc::clone(&self.intake.counters);
                if writable {
                    udp.send_backlog(&mut self.outbound, &counters, &mut self.failures);
                }
                let received = udp.receive(now, &mut self.inbound, &counters);
                self.load.batch(received.waited, received.has_lost);
                if self.intake.worker.is_shedding() {
                    // What runs goes first.
                    self.take_datagrams(now, index, received.count, |bytes| !is_new_invite(bytes));
                    self.take_datagrams(now, index, received.count, is_new_invite);
                } else {
                    self.take_datagrams(now, index, received.count, |_| true);
                }
            }
            Some(Door::Tcp(socket)) => {
                let listener = ListenerId(u8::try_from(index).unwrap_or(u8::MAX));
                if !self.tcp.accept(now, socket, listener) {
                    self.watch_tcp_listeners(Interest::Nothing);
                }
            }
            None => debug_assert!(false, "there is no listener {index}"),
        }
    }

    /// Takes in those datagrams of the batch that are wanted now.
    fn take_datagrams(
        &mut self,
        now: Instant,
        door: usize,
        count: usize,
        is_wanted: impl Fn(&[u8]) -> bool,
    ) {
        let Some(Door::Udp(udp)) = self.doors.doors.get(door) else {
            return;
        };
        let datagrams = (0..count).filter_map(|position| self.inbound.datagram(position));
        for datagram in datagrams.filter(|datagram| is_wanted(datagram.bytes)) {
            let source = udp.source(datagram.source);
            self.intake
                .message(now, source, datagram.bytes, Framing::Datagram);
        }
    }

    /// Sends what the core wants said. A failure is told to the core, which may want to say something else then.
    fn send(&mut self, now: Instant) -> io::Result<()> {
        for _ in 0..SENDINGS_MAX {
            self.distribute(now);
            for (door, token) in self.doors.doors.iter_mut().zip(LISTENERS..) {
                if let Door::Udp(udp) = door {
                    udp.send(&self.intake, &mut self.outbound, &mut self.failures);
                    if let Some(interest) = udp.interest_changed() {
                        self.doors.epoll.change(udp.descriptor(), token, interest)?;
                    }
                }
            }
            self.tcp.flush(now, &mut self.failures);
            self.intake.worker.sent();
            self.unsaid = !self.failures.is_empty();
            if !self.unsaid {
                return Ok(());
            }
            for failure in self.failures.drain(..) {
                self.intake.failure(now, failure);
            }
        }
        Ok(())
    }

    /// Puts each message where it leaves from.
    fn distribute(&mut self, now: Instant) {
        self.tcp.set_access(&self.intake.worker.settings().access);
        while let Some(transmit) = self.intake.worker.poll_output(now) {
            let hop = transmit.hop;
            match hop.transport {
                Transport::Udp => match self.doors.doors.get_mut(usize::from(hop.listener.0)) {
                    Some(Door::Udp(udp)) => {
                        let length = self.intake.worker.bytes(transmit.span).len();
                        udp.push(transmit, length, &self.intake.counters);
                    }
                    Some(Door::Tcp(_)) | None => {
                        debug_assert!(false, "no UDP listener for {hop:?}");
                    }
                },
                Transport::Tcp | Transport::Tls => match hop.connection.map(tcp::owner) {
                    Some(owner) if owner != self.intake.index() => {
                        let refused = self.intake.write_elsewhere(owner, transmit);
                        self.failures.extend(refused);
                    }
                    Some(_) | None => {
                        let sender = self.intake.sender(&transmit);
                        self.tcp
                            .send(now, hop, sender, self.intake.worker.bytes(transmit.span));
                    }
                },
            }
        }
    }

    fn watch_tcp_listeners(&self, interest: Interest) {
        for (door, token) in self.doors.doors.iter().zip(LISTENERS..) {
            if let Door::Tcp(listener) = door {
                let watched = self.doors.epoll.change(listener.as_fd(), token, interest);
                debug_assert!(
                    watched.is_ok(),
                    "a listener is watched from the start: {watched:?}"
                );
            }
        }
    }

    /// Ends a turn: publishes how many calls live, and says once when a draining worker owes nobody
    /// anything: no call, no answer that is repeated until its ACK, nothing to write.
    fn settle(&mut self) {
        while let Some(PeerChange { peer, change }) = self.intake.worker.poll_change() {
            let (from, to) = (change.from.as_str(), change.to.as_str());
            match change.to {
                PeerState::Failed => warn!(peer, from, to, "a peer failed"),
                PeerState::Active
                | PeerState::Checking
                | PeerState::Draining
                | PeerState::Maintenance
                | PeerState::Paused => info!(peer, from, to, "a peer's state changed"),
            }
        }
        while let Some(record) = self.intake.worker.poll_record() {
            record::tell(&record);
        }
        let worker = &self.intake.worker;
        self.intake.counters.calls.set(worker.calls() as u64);
        let [clients, servers] = worker.transactions();
        let counters = &self.intake.counters;
        counters.client_transactions.set(clients as u64);
        counters.server_transactions.set(servers as u64);
        let is_done = self.phase == Phase::Draining && !self.finished;
        let is_flushed = self.doors.doors.iter().all(|door| match door {
            Door::Tcp(_) => self.tcp.is_flushed(),
            Door::Udp(udp) => udp.is_flushed(),
        });
        if is_done && worker.is_settled() && is_flushed && !self.has_more_to_do() {
            self.finished = true;
            self.control.finished();
        }
    }
}

#[cfg(test)]
mod tests;
