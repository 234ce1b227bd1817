//! A reload under load: the real program between the load generator's agents takes new configurations
//! over again and again, and no call is lost.

mod operator_world;
mod program_world;
mod shell_world;

use loadtest::agent::{Agent, Caller, CallerSettings, PeerSettings, Plan, Timers};
use loadtest::drive::{PeerThread, Socket, Wire, new_run, runtime};
use loadtest::load::{self, Load};
use operator_world::{Program, command};
use signaling::Transport;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const CALLS: u64 = 400;

#[test]
fn no_call_is_lost() {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let socket = Socket::listen(Transport::Udp, loopback).expect("a free port");
    let at = socket.local_addr().expect("bound");
    let settings = PeerSettings::answering(at, 1, MS * 5);
    let peer = PeerThread::start("peer", socket, settings, None).expect("a thread");
    // A machine that stands still for a moment is no overload here.
    let config = |sessions_max, t1_ms| {
        format!(
            "[[peer]]\nname = \"peer\"\nat = \"udp:{at}\"\nsessions_max = {sessions_max}\n\
             [timers]\nt1_ms = {t1_ms}\n[overload]\nwait_target_ms = 400\nwait_interval_ms = 10_000\n"
        )
    };
    let program = Program::start_with("reload-load", &config(1_000, 500));
    let socket = Socket::towards(Transport::Udp, program.sip).expect("a free port");
    let mut caller = Caller::new(CallerSettings {
        local: socket.local_addr().expect("bound"),
        target: program.sip,
        transport: Transport::Udp,
        timers: Timers::default(),
        seed: 7,
        run: new_run(),
        rooms: 3,
    });
    let mut load = Load::constant(CALLS, 200, Plan::plain(MS * 300));
    let is_over = AtomicBool::new(false);
    let place = (program.config.as_path(), program.socket.as_path());
    let (tally, reloads) = thread::scope(|scope| {
        let reloads = scope.spawn(|| reload_until(place, &is_over, &config));
        let tally = runtime().expect("a runtime").block_on(async {
            let mut wire = Wire::new(socket)?;
            let tally = load::run(&mut wire, &mut caller, &mut load, |_, _, _| Ok(())).await?;
            load::settle(&mut wire, &mut caller, &[peer.gauge()]).await?;
            std::io::Result::Ok(tally)
        });
        // Relaxed: a word on its own.
        is_over.store(true, Ordering::Relaxed);
        (
            tally.expect("sockets work"),
            reloads.join().expect("no panic"),
        )
    });
    assert!(reloads >= 2, "{reloads} reloads");
    assert_eq!(
        (tally.answered, tally.failures()),
        (CALLS, 0),
        "{:?}",
        tally.failed
    );
    let complaints: Vec<String> = std::iter::from_fn(|| caller.poll_complaint()).collect();
    assert_eq!(complaints, [""; 0]);
    let page = program.get("/metrics").body;
    for sample in [
        format!("baton_config_reloads_total{{outcome=\"success\"}} {reloads}"),
        format!("baton_calls_total{{event=\"answered\"}} {CALLS}"),
        "baton_peer_sessions{peer=\"peer\"} 0".to_owned(),
        "baton_calls_live 0".to_owned(),
    ] {
        assert!(page.lines().any(|line| line == sample), "{sample}: {page}");
    }
    let report = peer.stop().expect("no panic");
    assert_eq!(report.complaint_texts, [""; 0]);
}

/// Takes one configuration after the other over until the load is over; tells how many.
fn reload_until(
    (file, socket): (&Path, &Path),
    is_over: &AtomicBool,
    config: &impl Fn(u32, u32) -> String,
) -> u64 {
    let begin = config(1_000, 500);
    let before = std::fs::read_to_string(file).expect("its configuration");
    let head = before.replace(&begin, "");
    let mut reloads = 0;
    // Relaxed: a word on its own.
    while !is_over.load(Ordering::Relaxed) {
        let sessions_max = 900 + u32::try_from(reloads % 100).unwrap_or(0);
        let text = head.clone() + &config(sessions_max, 500 + sessions_max);
        std::fs::write(file, text).expect("a writable folder");
        let said = command(socket, &["reload"]);
        assert_eq!(said.code, 0, "{said:?}");
        reloads += 1;
    }
    reloads
}
