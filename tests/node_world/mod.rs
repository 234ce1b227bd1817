//! The workers of one node without sockets: what comes from an address goes in, what they send comes out.
#![allow(dead_code, reason = "each test uses its own part of this module")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a world that breaks fails its test"
)]

use balancer::{AliasSettings, Balancer, PeerSettings, Role, Target};
use baton::node::Worker;
use signaling::access::{Access, Prefix, Rates, Strangers, Zone};
use signaling::counters::Counters;
use signaling::sip::message::{Framing, HeaderName, Index, Limits, Message};
use signaling::{Hop, Listener, ListenerId, Settings, Ticket, Timers, Transport, Trouble};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) const NODE: &str = "192.0.2.5:5060";
pub(crate) const CALLER: &str = "192.0.2.1:5060";
/// Peers by number.
pub(crate) const PEERS: [&str; 3] = ["192.0.2.9:5080", "192.0.2.10:5080", "192.0.2.11:5080"];

/// One message that the node sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) to: SocketAddr,
    pub(crate) text: String,
    worker: usize,
    ticket: Option<Ticket>,
    pub(crate) connect_patience: Option<Duration>,
}

pub(crate) struct World {
    pub(crate) workers: Vec<Worker>,
    pub(crate) balancer: Arc<Balancer>,
    pub(crate) now: Instant,
    /// Everything that was sent and not yet taken.
    pub(crate) sent: Vec<Sent>,
    /// The INVITE that a peer got last by [`World::establish`].
    pub(crate) invited: String,
}

/// A peer at these of [`PEERS`].
pub(crate) fn peer(name: &str, addresses: &[&str], sessions_max: u32) -> PeerSettings {
    let target = |address: &&str| Target {
        transport: balancer::Transport::Udp,
        remote: address.parse().unwrap(),
    };
    PeerSettings::at(name, addresses.iter().map(target).collect(), sessions_max)
}

/// Every alias is a conference of its own.
pub(crate) fn meetings() -> AliasSettings {
    AliasSettings {
        name: "meet".into(),
        pattern: "(.*)@.*".into(),
        priority: 1,
        conference: Some("\\1".into()),
        role: Role::Participant,
        fallback: false,
        may_create: true,
        participants_max: None,
        pools: Vec::new(),
        tags: Vec::new(),
        zones: Vec::new(),
    }
}

impl World {
    pub(crate) fn new(workers: u8, settings: &balancer::Settings) -> Self {
        Self::referring(workers, settings, signaling::ReferMode::Forward)
    }

    /// The same, and this becomes of a REFER.
    pub(crate) fn referring(
        workers: u8,
        settings: &balancer::Settings,
        refer: signaling::ReferMode,
    ) -> Self {
        let now = Instant::now();
        let balancer = Arc::new(Balancer::new(settings, 7, now).unwrap());
        let zone = Zone::new("edge", vec!["192.0.2.0/29".parse().unwrap()]);
        let peers = PEERS.map(|peer| Prefix::of(peer.parse::<SocketAddr>().unwrap().ip()));
        let access = Access::new(vec![zone], peers, Strangers::Refuse, Rates::default());
        let access = Arc::new(access);
        let workers = (0..workers).map(|worker| {
            let settings = Settings {
                worker,
                workers,
                secret: [3, 4],
                timers: Timers::default(),
                calls_max: 100,
                transactions_max: 1_000,
                exchanges_max: 100,
                exchanges_per_call_max: 8,
                session: signaling::SessionTimes::default(),
                refer,
                listeners: vec![Listener {
                    transport: Transport::Udp,
                    local: NODE.parse().unwrap(),
                    advertised: NODE.into(),
                }],
                kept_octets_max: usize::MAX,
                access: Arc::clone(&access),
                overload: signaling::overload::OverloadSettings::default(),
            };
            let counters = Arc::new(Counters::default());
            let limits = Limits::default();
            Worker::new(
                Arc::new(settings),
                limits,
                Arc::clone(&balancer),
                counters,
                now,
            )
        });
        Self {
            workers: workers.collect(),
            balancer,
            now,
            sent: Vec::new(),
            invited: String::new(),
        }
    }

    /// A message comes from an address, at the first worker.
    pub(crate) fn hear(&mut self, from: &str, text: &str) {
        let source = Hop {
            transport: Transport::Udp,
            listener: ListenerId(0),
            remote: from.parse().unwrap(),
            connection: None,
            identity: None,
        };
        let (now, bytes) = (self.now, text.as_bytes());
        let mut next = self.workers[0].handle_message(now, source, bytes, Framing::Datagram);
        for _ in 0..self.workers.len() {
            let Some(worker) = next else { break };
            let worker = &mut self.workers[usize::from(worker)];
            next = worker.handle_handover(now, source, bytes, Framing::Datagram);
        }
        assert_eq!(next, None, "a message goes round once");
        self.collect();
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let due = self.workers.iter().filter_map(Worker::poll_timeout);
            let due = due.min().filter(|at| *at <= until);
            self.now = due.unwrap_or(until).max(self.now);
            for worker in &mut self.workers {
                worker.handle_timeout(self.now);
            }
            self.collect();
            if due.is_none() {
                return;
            }
        }
    }

    /// Time passes, and nobody takes what is to be sent: that comes with what is heard next, in one turn.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        for worker in &mut self.workers {
            worker.handle_timeout(self.now);
        }
    }

    fn collect(&mut self) {
        for (number, worker) in self.workers.iter_mut().enumerate() {
            while let Some(transmit) = worker.poll_output(self.now) {
                self.sent.push(Sent {
                    to: transmit.hop.remote,
                    text: String::from_utf8_lossy(worker.bytes(transmit.span)).into_owned(),
                    worker: number,
                    ticket: transmit.ticket,
                    connect_patience: transmit.connect_patience,
                });
            }
            worker.sent();
        }
    }

    /// The last message that begins so and went to this address.
    pub(crate) fn last(&self, to: &str, start: &str) -> Option<Sent> {
        let to = to.parse().unwrap();
        let mut sent = self.sent.iter().rev();
        sent.find(|sent| sent.to == to && sent.text.starts_with(start))
            .cloned()
    }

    /// The same, which must be there; all that was sent is forgotten.
    pub(crate) fn expect(&mut self, to: &str, start: &str) -> Sent {
        let Some(found) = self.last(to, start) else {
            let all: Vec<_> = self
                .sent
                .iter()
                .map(|sent| (sent.to, first_line(&sent.text)))
                .collect();
            panic!("no {start} went to {to}, but {all:?}");
        };
        self.sent.clear();
        found
    }

    /// A message could not be sent.
    pub(crate) fn fail(&mut self, sent: &Sent) {
        self.fail_for(sent, Trouble::Refused);
    }

    /// The same, for this reason.
    pub(crate) fn fail_for(&mut self, sent: &Sent, trouble: Trouble) {
        let ticket = sent.ticket.unwrap();
        self.workers[sent.worker].handle_transport_error(self.now, ticket, trouble);
        self.collect();
    }

    /// The state of a peer, as operators read it.
    pub(crate) fn state(&self, name: &str) -> &'static str {
        let figures = self.balancer.figures(self.now);
        let peer = figures.iter().find(|peer| peer.name == name).unwrap();
        peer.state.as_str()
    }

    /// What lives in the first worker, or is held: see [`Worker::occupancy`].
    pub(crate) fn occupancy(&self) -> [usize; 8] {
        self.workers[0].occupancy()
    }

    /// Sessions in use, by peer.
    pub(crate) fn in_use(&self) -> Vec<u32> {
        let board = self.balancer.board();
        board.peers().iter().map(balancer::Peer::in_use).collect()
    }

    /// A call from the caller with this Call-ID is set up at the peer that it goes to; its To tag, and the address of the
    /// peer.
    pub(crate) fn establish(&mut self, call_id: &str) -> (String, String) {
        self.hear(CALLER, &invite(call_id, "meet", ""));
        let mut sent = self.sent.iter();
        let invite = sent
            .find(|sent| sent.text.starts_with("INVITE "))
            .unwrap()
            .clone();
        let peer = invite.to.to_string();
        self.invited.clone_from(&invite.text);
        self.hear(&peer, &answer(&invite.text, "200 OK"));
        let accepted = self.expect(CALLER, "SIP/2.0 200");
        let tag = to_tag(&accepted.text);
        self.hear(CALLER, &request("ACK", call_id, &format!(";tag={tag}"), ""));
        self.expect(&peer, "ACK ");
        (tag, peer)
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A new INVITE of the caller to a conference.
pub(crate) fn invite(call_id: &str, alias: &str, lines: &str) -> String {
    let body = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n";
    format!(
        "INVITE sip:{alias}@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK-{call_id};rport\r\n\
         Max-Forwards: 15\r\nFrom: <sip:room@example.com>;tag=t{call_id}\r\nTo: <sip:{alias}@example.com>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:room@{CALLER}>\r\n{lines}\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// ACK, BYE or CANCEL of the caller.
pub(crate) fn request(method: &str, call_id: &str, to_tag: &str, lines: &str) -> String {
    let (cseq, branch) = match method {
        "CANCEL" => (1, call_id.to_owned()),
        "ACK" => (1, format!("ack-{call_id}")),
        _ => (2, format!("{method}-{call_id}")),
    };
    format!(
        "{method} sip:meet@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK-{branch};rport\r\n\
         Max-Forwards: 15\r\nFrom: <sip:room@example.com>;tag=t{call_id}\r\nTo: <sip:meet@example.com>{to_tag}\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{lines}Content-Length: 0\r\n\r\n"
    )
}

/// An answer of whoever a request went to.
pub(crate) fn answer(request: &str, status: &str) -> String {
    let mut index = Index::new(Limits::default());
    let message = index.read(request.as_bytes(), Framing::Datagram);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let via = message.header(HeaderName::Via).map(text).unwrap();
    let tag = if status.starts_with("100") || message.to_tag().is_some() {
        ""
    } else {
        ";tag=peer"
    };
    format!(
        "SIP/2.0 {status}\r\nVia: {via}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {} {}\r\n\
         Contact: <sip:bridge@{}>\r\nContent-Length: 0\r\n\r\n",
        text(message.from()),
        text(message.to()),
        text(message.call_id()),
        message.cseq(),
        text(message.cseq_method_text()),
        asked(&message),
    )
}

/// Host and port of the Request-URI.
fn asked(message: &Message<'_>) -> String {
    let uri = String::from_utf8_lossy(message.request_uri()).into_owned();
    uri.rsplit('@').next().unwrap_or_default().to_owned()
}

/// The To tag of a message.
pub(crate) fn to_tag(text: &str) -> String {
    let mut index = Index::new(Limits::default());
    let message = index.read(text.as_bytes(), Framing::Datagram);
    String::from_utf8_lossy(message.to_tag().unwrap_or_default()).into_owned()
}

/// The Call-ID of a message.
pub(crate) fn call_id(text: &str) -> String {
    let mut index = Index::new(Limits::default());
    let message = index.read(text.as_bytes(), Framing::Datagram);
    String::from_utf8_lossy(message.call_id()).into_owned()
}
