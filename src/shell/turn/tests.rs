//! Turns of one worker in this thread: what it waits for before it says that it is done.

use super::*;
use crate::config::Config;
use crate::node::{Recording, Worker};
use crate::shell::control::Orders;
use crate::shell::counters::Counters;
use crate::shell::listeners::{self, Bound};
use crate::shell::settings;
use crate::shell::tls::Tls;
use crate::shell::wishes::Wishes;
use signaling::Hop;
use std::net::{Ipv4Addr, UdpSocket};

fn config() -> Config {
    let text = "[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[[peer]]\nname = \"peer\"\n\
                at = \"udp:127.0.0.1:9\"\nsessions_max = 8\n";
    Config::parse(text, "test.toml").unwrap()
}

/// A worker with one UDP listener.
fn turns() -> (Turns, Arc<Control>) {
    let (turns, control, _) = turns_with_settings();
    (turns, control)
}

/// The same, and what its core was told.
fn turns_with_settings() -> (Turns, Arc<Control>, signaling::Settings) {
    let config = config();
    let listen = config.sip.listen.first().unwrap();
    let mut listeners = vec![listeners::open(listen, 1, 65_536).unwrap()];
    let core = settings::settings(&config, 1, &listeners).unwrap();
    let (now, limits) = (Instant::now(), settings::tcp_limits(&config));
    let balancer = settings::balancer(&config, &Wishes::default(), now).unwrap();
    let worker = Worker::new(
        Arc::new(core.clone()),
        limits.message,
        balancer,
        Arc::default(),
        now,
    );
    let inbox = Arc::new(Inbox::new(16, 65_536).unwrap());
    let control = Arc::new(Control::new(vec![Arc::clone(&inbox)]));
    let counters = Arc::new(Counters::default());
    let intake = Intake::new(0, worker, Arc::clone(&counters), Arc::clone(&control));
    let Some(Bound::Udp(socket)) = listeners.first_mut().unwrap().sockets.pop() else {
        panic!("one UDP socket")
    };
    let doors = Doors::new(vec![Door::Udp(Udp::new(socket, ListenerId(0)))], inbox).unwrap();
    let tcp = Tcp::new(
        0,
        Vec::new(),
        tcp::Common {
            connections: Arc::new(tcp::Shared::new(limits.connections)),
            tls: Arc::new(Tls::new(&config).unwrap()),
            access: Arc::default(),
        },
        limits,
        doors.epoll(),
        counters,
    );
    let gather = Gather::new(None, now);
    let turns = Turns::new(intake, doors, tcp, gather, Arc::clone(&control));
    (turns, control, core)
}

#[test]
fn a_draining_worker_waits_for_datagrams_that_the_kernel_did_not_take() {
    let (mut turns, control) = turns();
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    receiver
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let Some(Door::Udp(udp)) = turns.doors.doors.first_mut() else {
        panic!("one UDP listener")
    };
    udp.keep_for_later(receiver.local_addr().unwrap(), b"late");
    control.advance(Phase::Draining);
    turns.turn(Instant::now()).unwrap();
    assert_eq!(control.phase(), Phase::Draining, "a datagram is still here");
    while control.phase() == Phase::Draining {
        turns.wait().unwrap();
        turns.turn(Instant::now()).unwrap();
    }
    let mut bytes = [0; 16];
    assert_eq!(receiver.recv(&mut bytes).unwrap(), 4, "it was sent first");
}

#[test]
fn orders_reach_a_worker_whose_ring_is_full() {
    let (mut turns, control, settings) = turns_with_settings();
    let inbox = Arc::clone(&turns.doors.inbox);
    let parcel = || Parcel::Message {
        source: Hop {
            transport: Transport::Udp,
            listener: ListenerId(0),
            remote: (Ipv4Addr::LOCALHOST, 9).into(),
            connection: None,
            identity: None,
        },
        framing: Framing::Datagram,
        bytes: Vec::new(),
    };
    while inbox.put(parcel()).is_ok() {}
    let limits = settings::tcp_limits(&config());
    control.post(Orders {
        settings,
        limits,
        recording: Recording::Off,
    });
    assert!(!control.is_obeyed());
    turns.turn(Instant::now()).unwrap();
    assert!(control.is_obeyed());
}

#[test]
fn a_draining_worker_without_anything_ends_at_once() {
    let (mut turns, control) = turns();
    control.advance(Phase::Draining);
    turns.turn(Instant::now()).unwrap();
    assert_eq!(control.phase(), Phase::Stopping);
}

#[test]
fn what_a_turn_had_no_time_for_is_not_slept_on() {
    let (mut turns, _) = turns();
    turns.unsaid = true;
    // It would wait for ever: nothing happens on the socket.
    turns.wait().unwrap();
    turns.turn(Instant::now()).unwrap();
    assert!(!turns.unsaid, "the turn had nothing to say");
}
