//! The load generator: a caller and a peer around a server on this machine.
//!
//! It judges as much as it measures: a call counts as good only if every message of both legs is as RFC 3261 and the
//! script ask (see `loadtest::agent`). It calls nobody but this machine.
#![forbid(unsafe_code)]

mod establish;
mod memory;
mod options;
mod report;

use anyhow::Context;
use clap::Parser;
use loadtest::agent::{Agent, Caller, CallerSettings, Counts, PeerSettings, Timers};
use loadtest::drive::{self, PeerReport, PeerThread, Wire};
use loadtest::load::{self, Tally};
use options::Options;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long the last messages may take to arrive once all calls are over.
const SETTLE: Duration = Duration::from_millis(300);

/// All that is known at the end.
struct Judgement {
    tally: Tally,
    caller: Counts,
    peer: Counts,
    acks_missing: u64,
    complaint_count: u64,
    complaints: Vec<String>,
}

impl Judgement {
    fn new(tally: Tally, mut caller: Caller, peer: PeerReport) -> Self {
        let complaints = std::iter::from_fn(|| caller.poll_complaint());
        let complaints = complaints.chain(peer.complaint_texts).collect();
        Self {
            tally,
            caller: caller.counts(),
            peer: peer.counts,
            acks_missing: peer.acks_missing,
            complaint_count: caller.complaints() + peer.complaints,
            complaints,
        }
    }

    fn is_good(&self) -> bool {
        self.tally.failures() + self.complaint_count + self.acks_missing == 0
            && self.tally.finished() == self.tally.offered
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let peer_socket = drive::bind(options.peer)
        .with_context(|| format!("cannot take calls on {}", options.peer))?;
    let settings =
        PeerSettings::answering(options.peer, options.seed.wrapping_add(1), options.answer());
    let peer = PeerThread::start("peer", peer_socket, settings, None)?;
    let socket = drive::bind(SocketAddr::new(options.target.address.ip(), 0))?;
    let mut caller = Caller::new(CallerSettings {
        local: socket.local_addr()?,
        target: options.target.address,
        transport: options.target.transport,
        timers: Timers::default(),
        seed: options.seed,
        rooms: 1000,
    });
    let mut out = io::stdout().lock();
    let tally = if options.json {
        drive::runtime()?.block_on(play(&mut io::sink(), &options, socket, &mut caller))?
    } else {
        drive::runtime()?.block_on(play(&mut out, &options, socket, &mut caller))?
    };
    let judgement = Judgement::new(tally, caller, peer.stop()?);
    if options.json {
        report::json(&mut out, &judgement)?;
    } else {
        report::summary(&mut out, &judgement)?;
    }
    Ok(if judgement.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn play(
    out: &mut impl Write,
    options: &Options,
    socket: std::net::UdpSocket,
    caller: &mut Caller,
) -> anyhow::Result<Tally> {
    let mut wire = Wire::new(socket)?;
    let mut load = options.load();
    let tally = if options.establish.is_some() {
        establish::run(out, options, &mut wire, caller, &mut load).await?
    } else {
        load::run(&mut wire, caller, &mut load, |second, tally, caller| {
            report::second(out, second, tally, caller.live())
        })
        .await?
    };
    let settled = Instant::now() + SETTLE;
    while Instant::now() < settled {
        wire.turn(caller, settled).await?;
    }
    Ok(tally)
}
