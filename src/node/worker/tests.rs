//! What the first worker does by itself, without a call.

use super::*;
use balancer::{HealthSettings, Operator, PeerSettings, Request, Target};
use signaling::{Listener, SessionTimes, Timers};
use std::net::SocketAddr;

/// A worker whose balancer knows this peer, and the time at which all begins.
fn worker(peer: PeerSettings, probe: bool) -> (Worker, Arc<Balancer>, Instant) {
    let local = SocketAddr::from(([127, 0, 0, 1], 5060));
    let settings = Settings {
        worker: 0,
        workers: 1,
        secret: [1, 2],
        timers: Timers::default(),
        calls_max: 8,
        transactions_max: 8,
        exchanges_max: 8,
        exchanges_per_call_max: 8,
        session: SessionTimes::default(),
        refer: signaling::ReferMode::default(),
        listeners: vec![Listener {
            transport: Transport::Udp,
            local,
            advertised: local.to_string(),
        }],
        kept_octets_max: usize::MAX,
        access: Arc::default(),
        overload: signaling::overload::OverloadSettings::default(),
    };
    let peers = balancer::Settings {
        peers: vec![peer],
        health: HealthSettings {
            probe,
            ..HealthSettings::default()
        },
        ..balancer::Settings::default()
    };
    let now = Instant::now();
    let balancer = Arc::new(Balancer::new(&peers, 1, now).unwrap());
    let limits = Limits::default();
    let shared = Arc::clone(&balancer);
    let worker = Worker::new(Arc::new(settings), limits, shared, Arc::default(), now);
    (worker, balancer, now)
}

fn target() -> Target {
    Target {
        transport: balancer::Transport::Udp,
        remote: SocketAddr::from(([127, 0, 0, 1], 5180)),
    }
}

/// Runs the worker for so long; how many messages it sent.
fn run(worker: &mut Worker, from: Instant, time: Duration) -> usize {
    let mut sent = 0;
    while let Some(at) = worker.poll_timeout().filter(|at| *at <= from + time) {
        let at = at.max(from);
        worker.handle_timeout(at);
        while worker.poll_output(at).is_some() {
            sent += 1;
        }
        worker.sent();
    }
    sent
}

#[test]
fn a_peer_by_name_is_probed_once_it_has_an_address() {
    let (mut worker, balancer, now) = worker(PeerSettings::at("bridge", Vec::new(), 8), true);
    let time = Duration::from_secs(20);
    assert_eq!(run(&mut worker, now, time), 0);
    let id = balancer.board().peers()[0].id;
    balancer.set_targets(id, &[target()]);
    assert!(run(&mut worker, now + time, time) > 0);
}

#[test]
fn a_peer_that_was_in_maintenance_is_probed_again() {
    let peer = PeerSettings {
        operator: Operator::Maint,
        ..PeerSettings::new("bridge", target(), 8)
    };
    let (mut worker, balancer, now) = worker(peer, true);
    let time = Duration::from_secs(20);
    assert_eq!(run(&mut worker, now, time), 0);
    let id = balancer.board().peers()[0].id;
    balancer.set_operator(now + time, id, Operator::Ready);
    assert!(run(&mut worker, now + time, time) > 0);
}

#[test]
fn leases_end_while_no_call_comes() {
    let (mut worker, balancer, now) = worker(PeerSettings::new("bridge", target(), 8), false);
    let request = Request {
        alias: b"meet@example.com",
        zone: "",
        tried: &[],
        is_audio_only: false,
        now,
    };
    let time = Duration::from_secs(45);
    balancer.lease(&request, "serial", time).unwrap();
    run(&mut worker, now, time - Duration::from_millis(1));
    assert_eq!(balancer.lease_count(), 1);
    run(&mut worker, now, time);
    assert_eq!(balancer.lease_count(), 0);
    // A node that drains waits for those that it knows of, and then for nothing.
    let now = now + time;
    balancer
        .lease(&Request { now, ..request }, "serial", time)
        .unwrap();
    worker.handle_timeout(now + time / 2);
    worker.stop_probing();
    assert_eq!(worker.poll_timeout(), Some(now + time));
    run(&mut worker, now, time);
    assert_eq!((balancer.lease_count(), worker.poll_timeout()), (0, None));
}
