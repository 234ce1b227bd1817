//! The load generator's agents through a real node, over UDP, TCP and TLS: every message of both legs is judged.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;

use baton::config::Config;
use interop::certificates::Certificates;
use interop::stage::Stage;
use loadtest::agent::{
    Agent, Behaviour, Caller, CallerSettings, Ending, Offer, PeerSettings, Plan, Timers,
};
use loadtest::arrivals::Arrivals;
use loadtest::drive::{PeerThread, Socket, Verification, Wire, acceptor, new_run, runtime};
use loadtest::load::{self, Load};
use signaling::Transport;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio_rustls::TlsConnector;

const MS: Duration = Duration::from_millis(1);

fn plan(number: u64) -> Plan {
    let plan = Plan::plain(MS * 100);
    match number % 5 {
        1 => plan.ending(Ending::PeerHangsUp),
        2 => plan.ending(Ending::Cancel { after: MS * 20 }),
        3 => plan.ending(Ending::CancelCrossing2xx),
        4 => plan.offer(Offer::Delayed),
        _ => plan,
    }
}

fn behaviour(number: u64) -> Behaviour {
    match number % 5 {
        1 => Behaviour::answer(MS * 10).hanging_up(MS * 50),
        2 => Behaviour::ring_on(),
        _ => Behaviour::answer(MS * 10),
    }
}

/// With certificates over TLS.
fn every_call_goes_as_planned(transport: Transport, certificates: Option<&Certificates>) {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let peer_socket = match certificates {
        None => Socket::listen(transport, loopback),
        Some(own) => {
            let acceptor = acceptor(&own.certificate, &own.key).unwrap();
            Socket::listen_tls(loopback, (acceptor, connector(own)))
        }
    };
    let peer_socket = peer_socket.unwrap();
    let peer_at = peer_socket.local_addr().unwrap();
    let chooser = Box::new(|asked: loadtest::agent::Asked<'_>| behaviour(asked.number));
    let settings = PeerSettings {
        transport,
        chooser,
        ..PeerSettings::answering(peer_at, 1, Duration::ZERO)
    };
    let peer = PeerThread::start("peer", peer_socket, settings, None).unwrap();
    let scheme = transport.as_str().to_lowercase();
    let tls = certificates
        .map(Certificates::of_a_node)
        .unwrap_or_default();
    let text = format!(
        "[node]\nname = \"load\"\n[sip]\nlisten = [\"{scheme}:{loopback}\"]\n\
         [[peer]]\nname = \"p\"\nat = \"{scheme}:{peer_at}\"\nsessions_max = 1000\n\
         [overload]\nwait_target_ms = 400\nwait_interval_ms = 10_000\n{tls}"
    );
    let node = baton::shell::start(Config::parse(&text, "load.toml").unwrap()).unwrap();
    let target = node.addresses().first().unwrap().1;
    let socket = match certificates {
        None => Socket::towards(transport, target),
        Some(own) => Socket::towards_tls(target, connector(own)),
    };
    let socket = socket.unwrap();
    let local = socket.local_addr().unwrap();
    let timers = Timers::default();
    let mut caller = Caller::new(CallerSettings {
        local,
        target,
        transport,
        timers,
        seed: 2,
        run: new_run(),
        rooms: 3,
    });
    let mut load = Load {
        arrivals: Arrivals::constant(100, 200.0),
        concurrent_max: 1000,
        plan: Box::new(plan),
        stop: None,
    };
    let tally = runtime().unwrap().block_on(async {
        let mut wire = Wire::new(socket)?;
        let tally = load::run(&mut wire, &mut caller, &mut load, |_, _, _| Ok(())).await?;
        load::settle(&mut wire, &mut caller, &[peer.gauge()]).await?;
        std::io::Result::Ok(tally)
    });
    let tally = tally.unwrap();
    node.stop();
    node.join().unwrap();
    let report = peer.stop().unwrap();
    assert_eq!(
        (tally.answered, tally.cancelled, tally.failures()),
        (80, 20, 0),
        "{:?}",
        tally.failed
    );
    let complaints: Vec<String> = std::iter::from_fn(|| caller.poll_complaint()).collect();
    assert_eq!(complaints, [""; 0]);
    assert_eq!(report.complaint_texts, [""; 0]);
    assert_eq!(load::left_over(&report, &caller.counts()), None);
}

fn connector(own: &Certificates) -> TlsConnector {
    let verification = Verification::On(own.authority.clone());
    verification.connector().unwrap()
}

#[test]
fn over_udp() {
    every_call_goes_as_planned(Transport::Udp, None);
}

#[test]
fn over_tcp() {
    every_call_goes_as_planned(Transport::Tcp, None);
}

#[test]
fn over_tls() {
    let stage = Stage::calm("load-tls");
    let certificates = Certificates::new(&stage);
    every_call_goes_as_planned(Transport::Tls, Some(&certificates));
}
