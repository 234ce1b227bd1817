//! Who gets how much: places in the table, octets of a turn, room in another worker's ring.

use super::*;
use crate::shell::inbox::Parcel;
use crate::shell::tcp::connection::Merit;
use std::collections::HashSet;
use std::net::Ipv4Addr;

impl World {
    /// Accepts the connections that wait at a listener of ours.
    fn accept(&mut self, socket: &TcpListener) -> bool {
        self.tcp.accept(Instant::now(), socket, ListenerId(0))
    }

    /// A connection that somebody made to us.
    fn accepted(&mut self, socket: &TcpListener) -> (TcpStream, Key) {
        let client = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(self.accept(socket));
        let remote = client.local_addr().unwrap();
        let key = self.tcp.table.to(ListenerId(0), remote).expect("room");
        (client, key)
    }

    fn merit(&self, key: Key, now: Instant) -> Option<Merit> {
        let connection = self.tcp.table.get(key)?;
        connection.merit(now).map(|(merit, _)| merit)
    }

    /// Serves what is ready until a condition holds.
    fn turn_until(&mut self, condition: impl Fn(&Self) -> bool) {
        while !condition(self) {
            self.turn();
        }
    }
}

/// A listener of ours: it never blocks.
fn ours() -> TcpListener {
    let socket = listener();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn options(call_id: &str) -> Vec<u8> {
    format!(
        "OPTIONS sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5190;branch=z9hG4bK{call_id}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:a@example.com>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

#[test]
fn connections_for_answers_are_counted_against_who_asked() {
    let mut world = World::with(64, 3, 1);
    let listeners: Vec<TcpListener> = (0..10).map(|_| listener()).collect();
    for listener in &listeners {
        world.send(listener.local_addr().unwrap(), b"SIP/2.0 200 OK", None);
        world.flush();
        assert!(world.tcp.table.len() <= 3, "the oldest gives way");
    }
    assert_eq!(world.tcp.counters.connections_reclaimed.value(), 7);
    let remote = listener();
    world.send(remote.local_addr().unwrap(), b"INVITE", Some(sender()));
    world.flush();
    assert_eq!(
        world.tcp.table.len(),
        4,
        "a request is not kept from its peer"
    );
}

#[test]
fn connections_for_answers_and_accepted_ones_are_one_count() {
    let mut world = World::with(64, 3, 1);
    let socket = ours();
    let mut clients: Vec<(TcpStream, Key)> = (0..3).map(|_| world.accepted(&socket)).collect();
    for (number, (client, _)) in clients.iter_mut().enumerate() {
        client.write_all(&options(&number.to_string())).unwrap();
    }
    world.turn_until(|world| world.intake.messages() == 3);
    let elsewhere = listener();
    world.send(elsewhere.local_addr().unwrap(), b"SIP/2.0 200 OK", None);
    assert_eq!(
        world.tcp.table.len(),
        3,
        "all three have earned their place"
    );
    assert_eq!(world.tcp.counters.connections_refused.value(), 1);
    let (_client, key) = clients.pop().unwrap();
    world.tcp.fail(key, Trouble::Refused);
    world.send(elsewhere.local_addr().unwrap(), b"SIP/2.0 200 OK", None);
    assert_eq!(world.tcp.table.len(), 3);
}

#[test]
fn a_few_places_are_kept_for_requests() {
    let mut world = World::with(16, 16, 1);
    let socket = ours();
    let mut clients: Vec<(TcpStream, Key)> = (0..14).map(|_| world.accepted(&socket)).collect();
    for (number, (client, _)) in clients.iter_mut().enumerate() {
        client.write_all(&options(&number.to_string())).unwrap();
    }
    world.turn_until(|world| world.intake.messages() == 14);
    let late = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    assert!(world.accept(&socket));
    assert_eq!(
        world.tcp.table.len(),
        14,
        "nobody gives way, nobody comes in"
    );
    assert_eq!(world.tcp.counters.connections_refused.value(), 1);
    drop(late);
    let remotes: Vec<TcpListener> = (0..2).map(|_| listener()).collect();
    // Not for those that end calls of callers.
    for _ in 0..2 {
        world.send(remotes[0].local_addr().unwrap(), b"BYE", Some(sender()));
        world.flush();
        assert_eq!(world.tcp.table.len(), 14);
        assert_eq!(world.failures.len(), 1);
        world.failures.clear();
    }
    let peer = remotes[0].local_addr().unwrap().ip();
    let access = Arc::new(Access::default().with_located([peer]));
    world.tcp.set_access(&access);
    for remote in &remotes {
        world.send(remote.local_addr().unwrap(), b"INVITE", Some(sender()));
    }
    assert_eq!(world.tcp.table.len(), 16);
    assert!(world.failures.is_empty());
    // One more finds none, which says nothing of its peer.
    let third = listener();
    world.send(third.local_addr().unwrap(), b"INVITE", Some(sender()));
    world.flush();
    assert_eq!(world.failures, [sender().fails(Trouble::Local)]);
}

#[test]
fn the_one_that_has_earned_least_gives_way() {
    let mut world = World::with(16, 16, 1);
    let socket = ours();
    let remote = listener();
    let (mut proven, proven_key) = world.accepted(&socket);
    proven.write_all(&options("proven")).unwrap();
    let (mut partial, partial_key) = world.accepted(&socket);
    partial.write_all(&options("partial")).unwrap();
    partial.write_all(b"OPTIONS sip:").unwrap();
    let (mut ended, ended_key) = world.accepted(&socket);
    ended.write_all(&options("ended")).unwrap();
    world.turn_until(|world| world.intake.messages() == 3);
    ended.shutdown(std::net::Shutdown::Write).unwrap();
    let is_ended = |world: &World| {
        let connection = world.tcp.table.get(ended_key).unwrap();
        matches!(connection.stage, Stage::Ended { .. })
    };
    world.turn_until(is_ended);
    let (_first, first_key) = world.accepted(&socket);
    let (_second, second_key) = world.accepted(&socket);
    world.send(remote.local_addr().unwrap(), b"SIP/2.0 200 OK", None);
    let answer_key = world
        .tcp
        .table
        .to(ListenerId(0), remote.local_addr().unwrap());
    let peer = listener();
    world.send(peer.local_addr().unwrap(), b"INVITE", Some(sender()));
    let now = Instant::now();
    assert_eq!(
        world.merit(answer_key.unwrap(), now),
        Some(Merit::Answering)
    );
    assert_eq!(world.merit(proven_key, now), None);
    let later = now + Duration::from_secs(32);
    assert_eq!(world.merit(proven_key, later), Some(Merit::Unused));
    let order = [
        first_key,
        second_key,
        answer_key.unwrap(),
        ended_key,
        partial_key,
    ];
    for key in order {
        assert_eq!(world.tcp.table.least_earned(now, None), Some(key));
        world.tcp.fail(key, Trouble::Refused);
    }
    assert_eq!(world.tcp.table.least_earned(now, None), None);
    drop((peer, proven));
}

#[test]
fn a_full_table_is_compared_part_by_part() {
    let mut world = World::with(512, 512, 1);
    let socket = ours();
    let made: Vec<(TcpStream, Key)> = (0..200).map(|_| world.accepted(&socket)).collect();
    let now = Instant::now();
    // All have earned as little; the first 128 are compared, then the others and some of the first.
    let oldest = |world: &mut World| world.tcp.table.least_earned(now, None);
    assert_eq!(oldest(&mut world), Some(made[0].1));
    assert_eq!(oldest(&mut world), Some(made[0].1));
    let source = Source::of([127, 0, 0, 1].into());
    for (_, key) in &made {
        let least = world.tcp.table.least_earned(now, Some(source));
        assert_eq!(least, Some(*key), "each of its own source");
        world.tcp.fail(*key, Trouble::Refused);
    }
    assert_eq!(world.tcp.table.least_earned(now, Some(source)), None);
    assert_eq!(oldest(&mut world), None);
}

#[test]
fn a_turn_reads_so_much_and_goes_on_where_it_stopped() {
    let mut world = World::with(64, 64, 1);
    let socket = ours();
    let mut clients: Vec<(TcpStream, Key)> = (0..32).map(|_| world.accepted(&socket)).collect();
    let pings = b"\r\n\r\n".repeat(READ_MAX / 8);
    for (client, _) in &mut clients {
        client.write_all(&pings).unwrap();
    }
    let all = (clients.len() * pings.len()) as u64;
    let most = (TURN_OCTETS_MAX + READ_MAX) as u64;
    let read = |world: &World| world.tcp.counters.stream_octets_in.value();
    let mut served: HashSet<Key> = HashSet::new();
    while read(&world) < all {
        let before = read(&world);
        let waiting: Vec<Key> = world.tcp.unread.iter().copied().collect();
        world.turn();
        assert!(read(&world) - before <= most, "no turn reads more");
        let left: HashSet<Key> = world.tcp.unread.iter().copied().collect();
        let first = waiting.first().filter(|_| read(&world) > before);
        assert!(
            first.is_none_or(|key| !left.contains(key)),
            "who waited longest comes first"
        );
        served.extend(waiting.iter().filter(|key| !left.contains(key)));
    }
    assert!(!served.is_empty(), "it did not fit into one turn");
}

#[test]
fn what_finds_a_ring_full_waits_and_keeps_its_order() {
    let mut world = World::with(16, 16, 2);
    let socket = ours();
    let (mut client, _) = world.accepted(&socket);
    let names: Vec<String> = (0..200).map(|number| format!("call-{number}")).collect();
    for name in &names {
        client.write_all(&options(name)).unwrap();
    }
    let mut handed_over: Vec<Parcel> = Vec::new();
    let mut stalls = 0;
    loop {
        if world.intake.is_stalled() {
            stalls += 1;
            client.write_all(b"\r\n\r\n").unwrap();
            let before = world.tcp.counters.stream_octets_in.value();
            world.turn();
            let read = world.tcp.counters.stream_octets_in.value() - before;
            assert_eq!(read, 0, "nothing is read meanwhile");
        } else if world.intake.messages() < names.len() {
            world.turn();
        } else if handed_over.len() as u64 == world.tcp.counters.handed_over.value() {
            break;
        }
        handed_over.extend(std::iter::from_fn(|| world.inboxes[1].take()));
        world.intake.hand_over_waiting();
    }
    let came = handed_over.iter().map(|parcel| match parcel {
        Parcel::Message { bytes, .. } => String::from_utf8(bytes.clone()).unwrap(),
        Parcel::Errand(_) | Parcel::Write { .. } | Parcel::Failed { .. } => {
            panic!("{parcel:?}")
        }
    });
    let mut rest = names.iter();
    for text in came {
        let is_it = |name: &&String| text.contains(&format!("Call-ID: {name}\r\n"));
        assert!(rest.any(|name| is_it(&name)), "in order, each once: {text}");
    }
    assert!(stalls > 0 && handed_over.len() > RING);
    assert_eq!(world.tcp.counters.dropped_ring_full.value(), 0);
}

#[test]
fn a_full_ring_stops_only_the_streams_that_wait_for_it() {
    let mut world = World::with(16, 16, 2);
    let socket = ours();
    let (mut client, _) = world.accepted(&socket);
    let mut number = 0;
    while !world.intake.is_stalled() {
        number += 1;
        client
            .write_all(&options(&format!("call-{number}")))
            .unwrap();
        world.turn();
    }
    client.write_all(b"\r\n\r\n").unwrap();
    let before = world.tcp.counters.stream_octets_in.value();
    world.turn();
    assert_eq!(world.tcp.counters.stream_octets_in.value(), before);
    let (mut other, _) = world.accepted(&socket);
    other.write_all(b"\r\n\r\n").unwrap();
    world.turn_until(|world| world.tcp.counters.stream_octets_in.value() > before);
    assert!(world.intake.is_stalled());
    // Once the ring has room the first one goes on.
    while world.inboxes[1].take().is_some() {}
    world.intake.hand_over_waiting();
    world.turn_until(|world| world.tcp.counters.stream_octets_in.value() >= before + 8);
}

#[test]
fn pings_of_somebody_who_does_not_read_are_not_answered() {
    let mut world = World::new();
    let listener = listener();
    let remote = listener.local_addr().unwrap();
    let mut peer = world.connected(&listener);
    peer.write_all(&b"\r\n\r\n".repeat(100)).unwrap();
    world.turn();
    expect(&mut peer, b"\r\n");
    peer.set_nonblocking(true).unwrap();
    assert!(peer.read(&mut [0; 8]).is_err(), "one answer for a hundred");
    peer.set_nonblocking(false).unwrap();
    while world.tcp.is_flushed() {
        world.send(remote, &[b'x'; 50_000], None);
        world.flush();
    }
    let key = world.tcp.table.to(ListenerId(0), remote).unwrap();
    for _ in 0..10 {
        let before = world.tcp.counters.stream_octets_in.value();
        peer.write_all(&b"\r\n\r\n".repeat(100)).unwrap();
        world.turn_until(|world| world.tcp.counters.stream_octets_in.value() > before);
    }
    let mut octets = vec![0; 1 << 20];
    let connection = world.tcp.table.get(key).unwrap();
    let mut unsent = connection.unsent_octets();
    while unsent > 0 {
        let count = peer.read(&mut octets).unwrap();
        assert!(!octets[..count].contains(&b'\n'), "no pong was added");
        world.turn();
        unsent = world.tcp.table.get(key).unwrap().unsent_octets();
    }
}

#[test]
fn octets_may_stay_unacknowledged_for_so_long() {
    let mut world = World::new();
    let (socket, remote) = (ours(), listener());
    let (_client, accepted) = world.accepted(&socket);
    let _peer = world.connected(&remote);
    let made = world
        .tcp
        .table
        .to(ListenerId(0), remote.local_addr().unwrap());
    for key in [accepted, made.unwrap()] {
        let connection = world.tcp.table.get(key).unwrap();
        let socket = connection.descriptor();
        let timeout = SockRef::from(&socket).tcp_user_timeout().unwrap();
        assert_eq!(timeout, Some(UNHEARD_MAX));
    }
}

#[test]
fn a_listener_that_cannot_accept_pauses() {
    let mut world = World::new();
    // It does not listen: EINVAL.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    let now = Instant::now();
    assert!(!world.accept(&socket.into()));
    assert_eq!(world.tcp.counters.accepts_paused.value(), 1);
    assert!(!world.tcp.may_accept_again(now));
    let again = world.tcp.poll_timeout().expect("it is asked again");
    assert!(world.tcp.may_accept_again(again));
    assert!(!world.tcp.may_accept_again(again), "once");
}

#[test]
fn after_a_reset_everything_that_did_not_arrive_is_sent_again() {
    let mut world = World::new();
    let narrow = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    narrow.set_recv_buffer_size(4096).unwrap();
    narrow
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    narrow.listen(8).unwrap();
    let listener = TcpListener::from(narrow);
    let remote = listener.local_addr().unwrap();
    let peer = world.connected(&listener);
    let texts: Vec<Vec<u8>> = (0..40u8).map(|number| vec![b'A' + number; 1000]).collect();
    for text in &texts {
        world.send(remote, text, None);
        world.flush();
    }
    assert!(world.tcp.is_flushed(), "the kernel took it all");
    drop(peer);
    world.turn_until(|world| world.tcp.counters.connections_made.value() == 2);
    let mut fresh = accept(&listener);
    let mut octets = Vec::new();
    while octets.last() != Some(&(b'A' + 39)) || octets.len() % 1000 != 0 {
        let mut more = [0; 4096];
        let count = fresh.read(&mut more).unwrap();
        assert!(count > 0, "the last message comes");
        octets.extend_from_slice(&more[..count]);
    }
    let came: Vec<&[u8]> = octets.chunks(1000).collect();
    assert!(came.len() > 10, "{} came", came.len());
    let first = usize::from(came[0][0] - b'A');
    for (text, expected) in came.iter().zip(&texts[first..]) {
        assert_eq!(text, expected, "in order, each whole");
    }
}
