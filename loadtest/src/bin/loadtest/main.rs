//! The load generator: a caller and a peer around a server on this machine.
//!
//! It judges as much as it measures: a call counts as good only if every message of both legs is as RFC 3261 and the
//! script ask (see `loadtest::agent`). It calls nobody but this machine.
#![forbid(unsafe_code)]

mod establish;
mod interrupts;
mod memory;
mod options;
mod report;
mod scenario;
mod vcs;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use loadtest::agent::{Agent, Caller, CallerSettings, Counts, PeerSettings, Timers};
use loadtest::drive::{self, PeerReport, PeerThread, Socket, Wire};
use loadtest::load::{self, Tally};
use options::{CommandLine, Options, Role, Target};
use std::io::{self, Write};
use std::process::ExitCode;

/// Nothing could be measured, as with a wrong command line.
const UNABLE: u8 = 2;

/// All that is known at the end.
struct Judgement {
    tally: Tally,
    caller: Counts,
    peer: Counts,
    acks_missing: u64,
    left_over: Option<String>,
    complaint_count: u64,
    complaints: Vec<String>,
}

impl Judgement {
    fn new(tally: Tally, mut caller: Caller, peer: PeerReport) -> Self {
        let complaint_count = caller.complaints() + peer.complaints;
        let left_over = load::left_over(&peer, &caller.counts());
        let complaints = std::iter::from_fn(|| caller.poll_complaint());
        let complaints = complaints.chain(peer.complaint_texts).collect();
        Self {
            tally,
            caller: caller.counts(),
            peer: peer.counts,
            acks_missing: peer.acks_missing,
            left_over,
            complaint_count,
            complaints,
        }
    }

    fn is_good(&self) -> bool {
        let all_good = self.tally.failures() == 0 && self.tally.finished() == self.tally.offered;
        all_good && self.complaint_count == 0 && self.left_over.is_none()
    }
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let ended = match (&line.role, &line.calls) {
        (Some(Role::Run(options)), _) => scenario::run(options),
        (Some(Role::Vcs(options)), _) => vcs::play(options),
        (None, Some(options)) => run(options),
        (None, None) => CommandLine::command()
            .error(ErrorKind::MissingRequiredArgument, "--target is missing")
            .exit(),
    };
    ended.unwrap_or_else(|error| {
        // An error here means that standard error was closed: nobody is left to tell.
        drop(writeln!(io::stderr(), "loadtest: {error:#}"));
        ExitCode::from(UNABLE)
    })
}

fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let Target {
        transport,
        address: server,
    } = options.target();
    let peer_socket = options.peer_socket()?;
    let run = drive::new_run();
    let settings = PeerSettings {
        transport: options.peer().transport,
        run,
        max_forwards: if options.direct { 70 } else { 69 },
        ..PeerSettings::answering(
            options.peer().address,
            options.seed.wrapping_add(1),
            options.answer(),
        )
    };
    let peer = PeerThread::start("peer", peer_socket, settings, None)?;
    let socket = options.caller_socket()?;
    let mut caller = Caller::new(CallerSettings {
        local: socket.local_addr()?,
        target: server,
        transport,
        timers: Timers::default(),
        seed: options.seed,
        run,
        rooms: 1000,
    });
    if options.direct {
        caller = caller.direct();
    }
    let mut out = io::stdout().lock();
    let tally = if options.json {
        drive::runtime()?.block_on(play(&mut io::sink(), options, socket, &mut caller, &peer))?
    } else {
        drive::runtime()?.block_on(play(&mut out, options, socket, &mut caller, &peer))?
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
    socket: Socket,
    caller: &mut Caller,
    peer: &PeerThread,
) -> anyhow::Result<Tally> {
    let mut wire = Wire::new(socket)?;
    let mut load = options.load();
    if options.establish.is_none() {
        load.stop = Some(interrupts::heed()?);
    }
    let tally = if options.establish.is_some() {
        establish::run(out, options, &mut wire, caller, &mut load).await?
    } else {
        load::run(&mut wire, caller, &mut load, |second, tally, caller| {
            report::second(out, second, tally, caller.live())
        })
        .await?
    };
    load::settle(&mut wire, caller, &[peer.gauge()]).await?;
    Ok(tally)
}
