//! One worker's TCP and the other side of its connections, on loopback and in one thread, so that each test decides what
//! the worker sees before it writes.

mod limits;

use super::*;
use crate::config::Config;
use crate::node::Worker;
use crate::shell::control::Control;
use crate::shell::inbox::Inbox;
use crate::shell::kernel::epoll::Events;
use balancer::{Balancer, PeerSettings, Target};
use signaling::sip::message::Framing;
use signaling::{Settings, Timers, Transport};
use std::io::{Read, Write};

/// No event takes longer, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Parcels in the ring of a worker.
const RING: usize = 16;

struct World {
    tcp: Tcp,
    epoll: Arc<Epoll>,
    events: Events,
    intake: Intake,
    inboxes: Vec<Arc<Inbox>>,
    failures: Vec<Failure>,
}

impl World {
    fn new() -> Self {
        Self::with(4, 4, 1)
    }

    /// A node of so many workers, of which this is the first.
    fn with(connections: usize, connections_per_source: usize, workers: u8) -> Self {
        let inboxes: Vec<Arc<Inbox>> = (0..workers)
            .map(|_| Arc::new(Inbox::new(RING, 1 << 20).unwrap()))
            .collect();
        let counters = Arc::new(Counters::default());
        let control = Arc::new(Control::new(inboxes.clone()));
        let intake = Intake::new(0, worker_of(workers), Arc::clone(&counters), control);
        let limits = Limits {
            connections,
            connections_per_source,
            idle: Duration::from_secs(60),
            ping: Duration::from_secs(20),
            slow_sender: Duration::from_secs(5),
            handshake: Duration::from_secs(5),
            message: MessageLimits::default(),
        };
        let epoll = Arc::new(Epoll::new().unwrap());
        let locals = vec![Local {
            address: IpAddr::from([127, 0, 0, 1]),
            tls: None,
        }];
        let common = Common {
            connections: Arc::new(Shared::new(limits.connections)),
            tls: Arc::new(Tls::new(&config()).unwrap()),
            access: Arc::default(),
        };
        let tcp = Tcp::new(0, locals, common, limits, Arc::clone(&epoll), counters);
        Self {
            tcp,
            epoll,
            events: Events::new(),
            intake,
            inboxes,
            failures: Vec::new(),
        }
    }

    fn send(&mut self, remote: SocketAddr, text: &[u8], sender: Option<Sender>) {
        let hop = Hop {
            transport: Transport::Tcp,
            listener: ListenerId(0),
            remote,
            connection: None,
            identity: None,
        };
        self.tcp.send(Instant::now(), hop, sender, text);
    }

    fn flush(&mut self) {
        self.tcp.flush(Instant::now(), &mut self.failures);
    }

    /// Serves what is ready, once something is.
    fn turn(&mut self) {
        let now = Instant::now();
        self.epoll.wait(&mut self.events, Some(PATIENCE)).unwrap();
        assert!(!self.events.is_empty(), "nothing happens");
        for position in 0.. {
            let Some(ready) = self.events.ready(position) else {
                break;
            };
            self.tcp.ready(now, ready);
        }
        self.tcp.read_queued(now, &mut self.intake);
        self.flush();
    }

    /// A connection to a listener on which nothing waits.
    fn connected(&mut self, listener: &TcpListener) -> TcpStream {
        self.send(listener.local_addr().unwrap(), b"hello", None);
        self.flush();
        self.turn();
        let mut peer = accept(listener);
        expect(&mut peer, b"hello");
        peer
    }
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer
}

fn expect(peer: &mut TcpStream, text: &[u8]) {
    let mut octets = vec![0; text.len()];
    peer.read_exact(&mut octets).unwrap();
    assert_eq!(octets, text);
}

/// The least configuration: no TLS.
fn config() -> Config {
    let text = "[sip]\nlisten = [\"tcp:127.0.0.1:0\"]\n[[peer]]\nname = \"peer\"\n\
                at = \"tcp:127.0.0.1:9\"\nsessions_max = 8\n";
    Config::parse(text, "test.toml").unwrap()
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// A worker that sends every call to one peer over TCP.
fn worker() -> Worker {
    worker_of(1)
}

fn worker_of(workers: u8) -> Worker {
    let local = SocketAddr::from(([127, 0, 0, 1], 5060));
    let listener = signaling::Listener {
        transport: Transport::Tcp,
        local,
        advertised: local.to_string(),
    };
    let settings = Settings {
        worker: 0,
        workers,
        secret: [1, 2],
        timers: Timers::default(),
        calls_max: 8,
        transactions_max: 8,
        exchanges_max: 8,
        exchanges_per_call_max: 8,
        session: signaling::SessionTimes::default(),
        refer: signaling::ReferMode::default(),
        listeners: vec![listener],
        kept_octets_max: usize::MAX,
        access: Arc::default(),
        overload: signaling::overload::OverloadSettings::default(),
    };
    let target = Target {
        transport: balancer::Transport::Tcp,
        remote: SocketAddr::from(([127, 0, 0, 1], 5180)),
    };
    let peers = balancer::Settings {
        peers: vec![PeerSettings::new("peer", target, 8)],
        ..balancer::Settings::default()
    };
    let now = Instant::now();
    let balancer = Arc::new(Balancer::new(&peers, 1, now).expect("right"));
    let limits = MessageLimits::default();
    Worker::new(Arc::new(settings), limits, balancer, Arc::default(), now)
}

/// Somebody who waits for the answer to a request: only a core makes tickets.
fn sender() -> Sender {
    let invite = b"INVITE sip:meet@example.com SIP/2.0\r\n\
        Via: SIP/2.0/TCP 127.0.0.1:5190;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
        From: <sip:a@example.com>;tag=1\r\nTo: <sip:meet@example.com>\r\nCall-ID: 1\r\n\
        CSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.1:5190>\r\nContent-Length: 0\r\n\r\n";
    let source = Hop {
        transport: Transport::Tcp,
        listener: ListenerId(0),
        remote: SocketAddr::from(([127, 0, 0, 1], 5190)),
        connection: None,
        identity: None,
    };
    let (mut worker, now) = (worker(), Instant::now());
    assert_eq!(
        worker.handle_message(now, source, invite, Framing::Stream),
        None
    );
    let transmits = std::iter::from_fn(|| worker.poll_output(now));
    let ticket = transmits.filter_map(|transmit| transmit.ticket).last();
    Sender {
        worker: 0,
        ticket: ticket.expect("the peer's INVITE"),
        connect_patience: None,
    }
}

#[test]
fn messages_of_a_turn_wait_for_the_connection_and_go_in_one_write() {
    let mut world = World::new();
    let listener = listener();
    let remote = listener.local_addr().unwrap();
    for text in [&b"one "[..], b"two ", b"three"] {
        world.send(remote, text, Some(sender()));
    }
    world.flush();
    assert_eq!(world.tcp.counters.connections_made.value(), 0);
    world.turn();
    assert_eq!(world.tcp.counters.connections_made.value(), 1);
    let mut peer = accept(&listener);
    assert_eq!(peer.peer_addr().unwrap().ip(), IpAddr::from([127, 0, 0, 1]));
    expect(&mut peer, b"one two three");
    assert!(world.failures.is_empty() && world.tcp.is_flushed());
}

#[test]
fn what_cannot_be_connected_fails() {
    let mut world = World::new();
    let remote = listener().local_addr().unwrap();
    world.send(remote, b"one", Some(sender()));
    world.send(remote, b"two", None);
    world.send(remote, b"three", Some(sender()));
    world.flush();
    if world.failures.is_empty() {
        world.turn();
    }
    assert_eq!(
        world.failures,
        [sender().fails(Trouble::Refused); 2],
        "nobody waits for the second"
    );
    assert_eq!(world.tcp.table.len(), 0);
}

/// Nobody's connection is accepted there any more. What keeps it so, and the address.
fn silent_listener() -> ((Socket, Vec<TcpStream>), SocketAddr) {
    // A full accept queue answers nothing: a backlog of 0 holds one connection, and two fill it for certain.
    let silent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    silent
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    silent.listen(0).unwrap();
    let remote = silent.local_addr().unwrap().as_socket().unwrap();
    let source = IpAddr::from([127, 0, 0, 1]);
    let fillers = (0..4).map(|_| begin_connecting(source, remote).unwrap());
    let fillers = fillers.collect();
    ((silent, fillers), remote)
}

#[test]
fn a_connection_that_nobody_answers_is_given_up() {
    let mut world = World::new();
    let (_silent, remote) = silent_listener();
    let (_other, other_silent) = silent_listener();
    let patient = Sender {
        connect_patience: Some(Duration::from_secs(3_600)),
        ..sender()
    };
    let before = Instant::now();
    world.send(other_silent, b"zero", Some(patient));
    world.send(remote, b"one", Some(sender()));
    world.flush();
    let deadline = world.tcp.poll_timeout().expect("connecting ends some time");
    assert!(
        deadline < before + Duration::from_secs(3_000),
        "the shortest patience first"
    );
    world
        .tcp
        .handle_timeout(deadline - Duration::from_millis(1));
    world.flush();
    assert!(world.failures.is_empty(), "its time is not over");
    world
        .tcp
        .handle_timeout(deadline.max(Instant::now() + CONNECT_PATIENCE));
    world.flush();
    assert_eq!(world.failures, [sender().fails(Trouble::Silent)]);
    world
        .tcp
        .handle_timeout(before + Duration::from_secs(3_590));
    world.flush();
    assert_eq!(
        world.failures.len(),
        1,
        "the pool of that peer is more patient"
    );
    world
        .tcp
        .handle_timeout(Instant::now() + Duration::from_secs(3_600));
    world.flush();
    assert_eq!(world.failures.len(), 2);
}

#[test]
fn a_request_written_to_a_closed_connection_goes_over_a_new_one() {
    let mut world = World::new();
    let listener = listener();
    let peer = world.connected(&listener);
    drop(peer);
    // Its end is not read yet when the next message is written: the other side resets.
    world.send(listener.local_addr().unwrap(), b"again", Some(sender()));
    world.flush();
    while world.tcp.counters.connections_made.value() < 2 {
        world.turn();
    }
    expect(&mut accept(&listener), b"again");
    assert!(world.failures.is_empty());
}

#[test]
fn after_the_end_of_a_connection_requests_take_a_new_one_at_once() {
    let mut world = World::new();
    let listener = listener();
    let peer = world.connected(&listener);
    drop(peer);
    world.turn();
    assert_eq!(world.tcp.table.len(), 0, "all that was written has arrived");
    world.send(listener.local_addr().unwrap(), b"next", Some(sender()));
    world.flush();
    world.turn();
    expect(&mut accept(&listener), b"next");
}

#[test]
fn a_request_is_sent_twice_at_most() {
    let mut world = World::new();
    let listener = listener();
    let remote = listener.local_addr().unwrap();
    drop(world.connected(&listener));
    world.send(remote, b"again", Some(sender()));
    world.flush();
    drop(listener);
    while world.failures.is_empty() {
        world.turn();
    }
    assert_eq!(world.failures, [sender().fails(Trouble::Refused)]);
    assert_eq!(world.tcp.table.len(), 0);
}

#[test]
fn a_peer_that_does_not_read_is_dropped() {
    let mut world = World::new();
    let listener = listener();
    let remote = listener.local_addr().unwrap();
    let _peer = world.connected(&listener);
    let chunk = vec![b'x'; 60_000];
    while world.tcp.counters.connections_congested.value() == 0 {
        world.send(remote, &chunk, Some(sender()));
        world.flush();
    }
    assert!(world.failures.len() > 1, "whoever waits is told");
    assert_eq!(world.tcp.table.len(), 0);
}

#[test]
fn what_does_not_fit_is_written_when_the_peer_reads() {
    let mut world = World::new();
    let listener = listener();
    let remote = listener.local_addr().unwrap();
    let mut peer = world.connected(&listener);
    let mut sent = Vec::new();
    while world.tcp.is_flushed() {
        let chunk = vec![b'a' + u8::try_from(sent.len() / 50_000 % 26).unwrap(); 50_000];
        world.send(remote, &chunk, Some(sender()));
        world.flush();
        sent.extend_from_slice(&chunk);
    }
    let reader = std::thread::spawn(move || {
        let mut octets = vec![0; sent.len()];
        peer.read_exact(&mut octets).unwrap();
        assert!(octets == sent, "each octet once and in order");
        peer
    });
    while !world.tcp.is_flushed() {
        world.turn();
    }
    reader.join().unwrap();
    assert!(world.failures.is_empty());
}

#[test]
fn what_takes_too_long_is_closed() {
    let mut world = World::new();
    let listener = listener();
    let (idle, slow, lingering) = (
        world.tcp.limits.idle,
        world.tcp.limits.slow_sender,
        LINGER + SWEEP,
    );
    let mut peer = world.connected(&listener);
    peer.write_all(b"OPTIONS sip:a SIP/2.0\r\n").unwrap();
    world.turn();
    let began = Instant::now();
    world.tcp.handle_timeout(began + slow / 2);
    world.flush();
    assert_eq!(world.tcp.counters.connections_too_slow.value(), 0);
    world.tcp.handle_timeout(began + slow);
    world.flush();
    assert_eq!(world.tcp.counters.connections_too_slow.value(), 1);
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0, "our end is shut");
    world.tcp.handle_timeout(began + slow + lingering);
    assert_eq!(
        world.tcp.table.len(),
        0,
        "and the other one is not waited for"
    );

    let mut peer = world.connected(&listener);
    let began = Instant::now();
    world.tcp.handle_timeout(began + idle);
    world.flush();
    assert_eq!(world.tcp.counters.connections_idle.value(), 1);
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
    drop(peer);
    world.turn();
    assert_eq!(world.tcp.table.len(), 0, "both ends are shut");
    assert_eq!(
        world.tcp.poll_timeout(),
        Some(began + idle + SWEEP),
        "one last look"
    );
    world.tcp.handle_timeout(began + idle + SWEEP);
    assert_eq!(world.tcp.poll_timeout(), None);
}

#[test]
fn a_quiet_connection_that_we_made_is_kept_alive() {
    let mut world = World::new();
    let listener = listener();
    let remote = listener.local_addr().unwrap();
    world.send(remote, b"hello", Some(sender()));
    world.flush();
    world.turn();
    let mut peer = accept(&listener);
    expect(&mut peer, b"hello");
    let (began, ping) = (Instant::now(), world.tcp.limits.ping);
    let pinged = |world: &World| world.tcp.counters.connections_pinged.value();
    world.tcp.handle_timeout(began + ping / 2);
    assert_eq!(pinged(&world), 0);
    for round in 1..=4 {
        // Four times this is longer than a connection may be idle.
        world.tcp.handle_timeout(began + ping * round);
        world.flush();
        expect(&mut peer, b"\r\n\r\n");
        assert_eq!(pinged(&world), u64::from(round));
    }
    assert_eq!(world.tcp.counters.connections_idle.value(), 0);
    // Its pong is no message, and is not answered.
    peer.write_all(b"\r\n").unwrap();
    world.turn();
    assert!(world.tcp.is_flushed());
}
