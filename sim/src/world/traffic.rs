//! Messages on their way: from agents to the node, from the node to agents, and what befalls them.

use super::{Failure, World};
use crate::finding::Fault;
use crate::net::Packet;
use crate::node::Sent;
use crate::place::Place;
use crate::sabotage::Saboteur;
use crate::scenario::{Fate, thawed};
use crate::seen::Seen;
use signaling::sip::message::Method;
use signaling::{ConnectionId, Ticket, Transport};
use std::rc::Rc;
use std::time::Duration;

/// How long it takes to notice that a connection cannot be made.
const REFUSED_AFTER: Duration = Duration::from_millis(3);

impl World {
    /// The next call is placed.
    pub(super) fn place_call(&mut self) -> Result<(), Fault> {
        let Some(script) = self.scenario.calls.get(self.placed).copied() else {
            return Ok(());
        };
        self.placed += 1;
        let caller = Place::Caller(u8::try_from(script.caller).unwrap_or(u8::MAX));
        match script.fate {
            Fate::CallerGoneAfter(after) => {
                self.gone.insert((script.number, caller), self.now + after);
            }
            Fate::PeerGoneAfter(after) => {
                for peer in (0u8..).take(self.scenario.peers.len()) {
                    let gone = (script.number, Place::Peer(peer));
                    self.gone.insert(gone, self.now + after);
                }
            }
            Fate::CallerGoneAtBye | Fate::CallerGoneAtFinal | Fate::Lives | Fate::PeerGoneAtBye => {
            }
        }
        let now = self.base + self.now;
        let number = self.agents.place(now, script.caller, script.plan);
        debug_assert_eq!(number, Some(script.number), "callers count as scenarios do");
        self.collect_agent(caller)
    }

    /// Takes what an agent wants sent and what it has to say.
    pub(super) fn collect_agent(&mut self, place: Place) -> Result<(), Fault> {
        let mut packets = Vec::new();
        let mut complaints = Vec::new();
        if let Some(agent) = self.agents.agent(place) {
            packets.extend(std::iter::from_fn(|| agent.poll_output()));
            complaints.extend(std::iter::from_fn(|| agent.poll_complaint()));
        }
        for packet in packets {
            self.send_to_node(place, packet)?;
        }
        for complaint in complaints {
            self.witness.complaint(place, &complaint)?;
        }
        for outcome in self.agents.outcomes(place) {
            self.witness.outcome(&outcome)?;
        }
        Ok(())
    }

    fn send_to_node(&mut self, from: Place, packet: loadtest::agent::Packet) -> Result<(), Fault> {
        if Place::of(packet.to) != Some(Place::Node) {
            let what = format!("{from} was told to send to {}", packet.to);
            return Err(Fault::of_world(what));
        }
        let transport = self.transport_of(from);
        let message = Rc::new(self.read(transport, &packet.bytes)?);
        let connection = match transport {
            Transport::Tcp | Transport::Tls => self.net.streams.with(self.now, from),
            Transport::Udp => None,
        };
        let is_cut = transport.is_reliable() && connection.is_none();
        let packet = self.packet(
            [from, Place::Node],
            (transport, connection),
            &message,
            packet.bytes,
        );
        self.send(packet, is_cut);
        Ok(())
    }

    /// A packet arrives.
    pub(super) fn arrive(&mut self) -> Result<(), Fault> {
        let Some(packet) = self.net.pop() else {
            return Ok(());
        };
        if self.is_gone(packet.call, packet.agent()) {
            return Ok(());
        }
        if packet.is_to_node() {
            self.arrive_at_node(&packet)
        } else {
            self.arrived(&packet, "");
            self.witness.reached(packet.to, &packet.message);
            let (now, from) = (self.base + self.now, self.address(Place::Node));
            if let Some(agent) = self.agents.agent(packet.to) {
                agent.handle_message(now, from, &packet.bytes);
            }
            self.collect_agent(packet.to)
        }
    }

    fn arrive_at_node(&mut self, packet: &Packet) -> Result<(), Fault> {
        self.tell_load();
        self.witness
            .delivered(self.now, packet.from, &packet.message);
        let worker = self.receiving_worker(packet);
        let source = (packet.from, packet.transport, packet.connection);
        let now = self.base + self.now;
        let fault = |what| Fault {
            call: packet.call,
            what,
        };
        let owner = self
            .node
            .handle_message(now, worker, source, &packet.bytes)
            .map_err(fault)?;
        if self.ladder.is_some() && self.node.workers() > 1 {
            self.arrived(packet, &format!("worker {owner}, came at {worker}"));
        } else {
            self.arrived(packet, "");
        }
        self.collect_node(owner)
    }

    /// The workers are told how long what comes now has waited.
    fn tell_load(&mut self) {
        if self.scenario.crowds.is_empty() {
            return;
        }
        let waited = self.scenario.wait(self.now);
        self.witness.load(self.now, waited);
        if !self.saboteur.as_ref().is_some_and(Saboteur::hides_load) {
            self.node.handle_load(self.base + self.now, waited);
        }
    }

    /// Datagrams come to any worker; a connection belongs to one.
    fn receiving_worker(&mut self, packet: &Packet) -> usize {
        let workers = self.node.workers() as u64;
        let turn = match packet.connection {
            Some(connection) => connection.0.get().checked_rem(workers).unwrap_or(0),
            None => self.random.below(workers),
        };
        usize::try_from(turn).unwrap_or(0)
    }

    /// Takes what a worker wants sent.
    pub(super) fn collect_node(&mut self, worker: usize) -> Result<(), Fault> {
        for sent in self.node.collect(self.base + self.now, worker) {
            let instead = match &mut self.saboteur {
                Some(saboteur) => saboteur.instead_of(sent),
                None => vec![sent],
            };
            for sent in instead {
                self.send_to_agent(worker, sent)?;
            }
        }
        Ok(())
    }

    fn send_to_agent(&mut self, worker: usize, sent: Sent) -> Result<(), Fault> {
        let transport = sent.hop.transport;
        let message = Rc::new(self.read(transport, &sent.bytes)?);
        let living = sent
            .hop
            .connection
            .and_then(|id| self.net.streams.agent_of(id));
        let to = match (transport, living) {
            (Transport::Tcp | Transport::Tls, Some(agent)) => agent,
            (Transport::Tcp | Transport::Tls | Transport::Udp, _) => Place::of(sent.hop.remote)
                .filter(|place| place.side().is_some())
                .ok_or_else(|| {
                    let what = format!("{} sent to {}: nobody", message.title(), sent.hop.remote);
                    Fault::of_world(what)
                })?,
        };
        let listener_fits = sent.hop.listener.0 == u8::from(transport.is_reliable());
        // A probe that guessed the transport wrong: nobody listens there.
        let is_probe = message.is_request && message.method == Method::Options;
        if is_probe && listener_fits && transport != self.transport_of(to) {
            if let (true, Some(ticket)) = (transport.is_reliable(), sent.ticket) {
                self.refuse(worker, ticket, to, message);
            }
            return Ok(());
        }
        if !listener_fits || transport != self.transport_of(to) {
            let what = format!(
                "{} sent to {to} over {transport} from listener {}",
                message.title(),
                sent.hop.listener.0
            );
            return Err(Fault::of_world(what));
        }
        self.witness.sent(self.now, to, &message, &sent.bytes)?;
        let connection = match transport {
            Transport::Tcp | Transport::Tls => self.net.streams.with(self.now, to),
            Transport::Udp => None,
        };
        let is_cut = transport.is_reliable() && connection.is_none();
        let packet = self.packet(
            [Place::Node, to],
            (transport, connection),
            &message,
            sent.bytes,
        );
        let is_refused = self.send(packet, is_cut);
        if let (true, Some(ticket)) = (is_refused, sent.ticket) {
            self.refuse(worker, ticket, to, message);
        }
        Ok(())
    }

    /// A worker is to hear that a message could not be sent.
    fn refuse(&mut self, worker: usize, ticket: Ticket, to: Place, message: Rc<Seen>) {
        let failure = Failure {
            worker,
            ticket,
            to,
            message,
        };
        let at = thawed(&self.scenario.freezes, self.now + REFUSED_AFTER);
        self.failed += 1;
        self.failures.insert((at, self.failed), failure);
    }

    /// A worker hears that a message could not be sent.
    pub(super) fn fail(&mut self, now: std::time::Instant) -> Result<(), Fault> {
        let Some((_, failure)) = self.failures.pop_first() else {
            return Ok(());
        };
        self.witness.failed(self.now, failure.to, &failure.message);
        let call = self.witness.call_of(failure.to, &failure.message);
        let what = format!(
            "node hears: {} to {} could not be sent",
            failure.message.title(),
            failure.to
        );
        self.note(call, &what);
        self.node
            .handle_transport_error(now, failure.worker, failure.ticket);
        self.collect_node(failure.worker)
    }

    /// The next outage begins.
    pub(super) fn break_connection(&mut self) {
        let Some(outage) = self.scenario.outages.get(self.outages).copied() else {
            return;
        };
        self.outages += 1;
        let number = u8::try_from(outage.number).unwrap_or(u8::MAX);
        let agent = if outage.of_caller {
            Place::Caller(number)
        } else {
            Place::Peer(number)
        };
        let seconds = (outage.until - outage.from).as_secs_f64();
        self.note(
            None,
            &format!("the connection with {agent} breaks, and stays so for {seconds:.3} s"),
        );
        for packet in self.net.cut(agent, outage.until) {
            if let Some(call) = packet.call {
                self.witness.disturb(call);
            }
            self.note(
                packet.call,
                &format!("lost by it: {}", packet.message.title()),
            );
        }
    }

    /// Sends a packet, unless its call has lost the agent at its other end. Whether its sender is told that it cannot be.
    fn send(&mut self, packet: Packet, is_cut: bool) -> bool {
        for byte in &packet.bytes {
            self.fingerprint = (self.fingerprint ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
        let is_gone = self.is_gone(packet.call, packet.agent());
        self.let_die(&packet);
        let (call, ends) = (packet.call, [packet.from, packet.to]);
        let (title, bytes) = (packet.message.title(), self.kept(&packet.bytes));
        let (marks, is_refused) = if is_gone {
            ("GONE".to_owned(), false)
        } else if is_cut {
            self.disturb(call);
            ("CUT".to_owned(), true)
        } else {
            let fortune = self.net.send(self.now, packet);
            if fortune.is_lost {
                self.disturb(call);
            }
            (fortune.marks, fortune.is_refused)
        };
        if let Some(ladder) = &mut self.ladder {
            ladder.sent(self.now, ends, call, (&title, &marks), &bytes);
        }
        is_refused
    }

    /// Whoever is to die at this message dies when it is sent.
    fn let_die(&mut self, packet: &Packet) {
        let message = &packet.message;
        let Some(call) = packet.call else { return };
        let Some(script) = self.scenario.script(call) else {
            return;
        };
        let is_bye = message.is_request && message.method == Method::Bye;
        let is_final =
            !message.is_request && message.method == Method::Invite && message.is_final();
        let dies = match (script.fate, packet.to) {
            (Fate::CallerGoneAtBye, Place::Caller(_)) | (Fate::PeerGoneAtBye, Place::Peer(_)) => {
                is_bye
            }
            (Fate::CallerGoneAtFinal, Place::Caller(_)) => is_final,
            _ => false,
        };
        if dies {
            self.gone.entry((call, packet.to)).or_insert(self.now);
        }
    }

    fn is_gone(&mut self, call: Option<u64>, agent: Place) -> bool {
        if let Place::Peer(peer) = agent
            && self.scenario.is_dead(usize::from(peer), self.now)
        {
            self.disturb(call);
            return true;
        }
        let gone = call.and_then(|call| self.gone.get(&(call, agent)));
        let is_gone = gone.is_some_and(|since| *since <= self.now);
        if is_gone {
            self.disturb(call);
        }
        is_gone
    }

    fn disturb(&mut self, call: Option<u64>) {
        if let Some(call) = call {
            self.witness.disturb(call);
        }
    }

    fn packet(
        &self,
        [from, to]: [Place; 2],
        (transport, connection): (Transport, Option<ConnectionId>),
        message: &Rc<Seen>,
        bytes: Vec<u8>,
    ) -> Packet {
        let agent = if from == Place::Node { to } else { from };
        Packet {
            from,
            to,
            transport,
            connection,
            call: self.witness.call_of(agent, message),
            message: Rc::clone(message),
            bytes,
        }
    }

    fn arrived(&mut self, packet: &Packet, marks: &str) {
        if let Some(ladder) = &mut self.ladder {
            let ends = [packet.from, packet.to];
            ladder.arrived(
                self.now,
                ends,
                packet.call,
                (&packet.message.title(), marks),
            );
        }
    }

    /// The bytes of a message, if the ladder wants them.
    fn kept(&self, bytes: &[u8]) -> Vec<u8> {
        if self.ladder.is_some() {
            bytes.to_vec()
        } else {
            Vec::new()
        }
    }

    pub(super) fn read(&mut self, transport: Transport, bytes: &[u8]) -> Result<Seen, Fault> {
        Seen::read(&mut self.index, transport, bytes).map_err(|what| {
            let text = String::from_utf8_lossy(bytes);
            Fault::of_world(format!("a message that cannot be read ({what}): {text}"))
        })
    }

    pub(super) fn transport_of(&self, place: Place) -> Transport {
        let found = match place {
            Place::Caller(number) => self.scenario.callers.get(usize::from(number)).copied(),
            Place::Peer(number) => {
                let peer = self.scenario.peers.get(usize::from(number));
                peer.map(|peer| peer.transport)
            }
            Place::Node | Place::Stranger => None,
        };
        found.unwrap_or(Transport::Udp)
    }

    fn address(&self, place: Place) -> std::net::SocketAddr {
        place.address(self.scenario.is_v6)
    }
}
