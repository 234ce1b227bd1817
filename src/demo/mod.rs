//! `baton demo`: real SIP calls on this machine, through a real node, with everything to see.
//!
//! Two fake bridges, a caller and the node, each with a socket of its own on 127.0.0.1. The agents are those of the
//! load generator, on threads of their own; the node is the one that `baton run` starts. Nothing is simulated but the
//! people: every message is a datagram through the kernel.

mod ladder;
mod report;
mod script;

use crate::cli::DemoArgs;
use crate::config::Config;
use crate::shell::{self, Handle};
use anyhow::{Context, anyhow, bail, ensure};
use loadtest::agent::{Agent, Caller, CallerSettings, PeerSettings, Timers};
use loadtest::arrivals::Arrivals;
use loadtest::drive::{self, PeerReport, PeerThread, Socket, Wire};
use loadtest::load::{self, Load, Tally};
use signaling::Transport;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Of so many calls one after another, the first is a plain one.
const STORIES: u64 = 20;
/// The same names in every run: who looks twice sees the same calls.
const SEED: u64 = 3261;
/// Conference rooms that are dialled.
const ROOMS: u64 = 40;

/// A fake bridge: its name, its room, its thread.
struct Bridge {
    name: &'static str,
    sessions_max: u32,
    local: SocketAddr,
    thread: PeerThread,
}

/// What a bridge left behind.
struct Played {
    name: &'static str,
    report: PeerReport,
}

/// Runs the demo and prints its lines.
///
/// # Errors
/// Something could not be started, or a call failed.
pub fn run(args: DemoArgs) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    // From the middle, when everything is warm.
    let shown = calls(args) / 2 / STORIES * STORIES;
    // The calls of a second live for most of a second: room for all of them, too little on one bridge alone.
    let bridges = [
        Bridge::start("bridge-1", args.rate.max(20), shown)?,
        Bridge::start("bridge-2", (args.rate * 2 / 3).max(14), shown)?,
    ];
    let (node, target) = start_node(&bridges)?;
    let socket = Socket::listen(Transport::Udp, loopback())?;
    let local = socket.local_addr()?;
    let mut caller = Caller::new(CallerSettings {
        local,
        target,
        transport: Transport::Udp,
        timers: Timers::default(),
        seed: SEED,
        run: drive::new_run(),
        rooms: ROOMS,
    });
    caller.watch(shown);
    report::opening(&mut out, args, [local, target], &bridges)?;
    let play = play(&mut out, args, socket, &mut caller, &bridges);
    let tally = drive::runtime()?.block_on(play)?;
    let mut played = Vec::new();
    for Bridge { name, thread, .. } in bridges {
        played.push(Played {
            name,
            report: thread.stop()?,
        });
    }
    report::summary(&mut out, &tally, &played, &node)?;
    node.stop();
    node.join()?;
    show_call(&mut out, &caller, &played)?;
    judge(&mut out, &tally, &mut caller, &played)
}

impl Bridge {
    fn start(name: &'static str, sessions_max: u32, shown: u64) -> anyhow::Result<Self> {
        let socket = Socket::listen(Transport::Udp, loopback())?;
        let local = socket.local_addr()?;
        let settings = PeerSettings {
            chooser: Box::new(|asked| script::behaviour(asked.number)),
            ..PeerSettings::answering(local, SEED ^ u64::from(local.port()), Duration::ZERO)
        };
        let thread = PeerThread::start(name, socket, settings, Some(shown))?;
        Ok(Self {
            name,
            sessions_max,
            local,
            thread,
        })
    }
}

fn calls(args: DemoArgs) -> u64 {
    u64::from(args.rate) * u64::from(args.seconds)
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Starts the node as `baton run` would from this configuration, and gives its address.
fn start_node(bridges: &[Bridge]) -> anyhow::Result<(Handle, SocketAddr)> {
    let mut text = "[node]\nname = \"demo\"\n[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n".to_owned();
    for Bridge {
        name,
        local,
        sessions_max,
        ..
    } in bridges
    {
        text += &format!(
            "[[peer]]\nname = \"{name}\"\nat = \"udp:{local}\"\nsessions_max = {sessions_max}\n"
        );
    }
    let config = Config::parse(&text, "demo.toml").map_err(|mistakes| {
        anyhow!(
            "{}",
            mistakes
                .first()
                .map_or_else(String::new, ToString::to_string)
        )
    })?;
    let node = shell::start(config).context("the node does not start")?;
    let (_, address) = *node
        .addresses()
        .first()
        .context("the node has no listener")?;
    Ok((node, address))
}

/// Places all calls and waits for their ends.
async fn play(
    out: &mut impl Write,
    args: DemoArgs,
    socket: Socket,
    caller: &mut Caller,
    bridges: &[Bridge],
) -> anyhow::Result<Tally> {
    let mut wire = Wire::new(socket)?;
    let mut load = Load {
        arrivals: Arrivals::constant(calls(args), f64::from(args.rate)),
        concurrent_max: usize::MAX,
        plan: Box::new(script::plan),
        stop: None,
    };
    let tally = load::run(&mut wire, caller, &mut load, |second, tally, caller| {
        report::second(out, second, tally, caller.live(), bridges)
    });
    let tally = tally.await?;
    let gauges: Vec<_> = bridges.iter().map(|bridge| bridge.thread.gauge()).collect();
    load::settle(&mut wire, caller, &gauges).await?;
    report::second(out, u64::MAX, &tally, caller.live(), bridges)?;
    Ok(tally)
}

fn show_call(out: &mut impl Write, caller: &Caller, played: &[Played]) -> io::Result<()> {
    let Some(Played { name, report }) =
        played.iter().find(|played| !played.report.steps.is_empty())
    else {
        return Ok(());
    };
    writeln!(
        out,
        "\nOne of these calls, message by message, as its two ends saw it:\n"
    )?;
    ladder::write(out, caller.steps(), &report.steps, name)?;
    writeln!(
        out,
        "\nTwo calls, joined by Baton. Neither side hears the other's names; the SDP passes untouched:\n"
    )?;
    ladder::write_legs(out, caller.steps(), &report.steps)
}

/// Says what to try next if all went well, and what went wrong if not.
fn judge(
    out: &mut impl Write,
    tally: &Tally,
    caller: &mut Caller,
    played: &[Played],
) -> anyhow::Result<()> {
    let mut complaints: Vec<String> = std::iter::from_fn(|| caller.poll_complaint()).collect();
    complaints.extend(
        played
            .iter()
            .flat_map(|played| played.report.complaint_texts.iter().cloned()),
    );
    let bridges_complain: u64 = played.iter().map(|played| played.report.complaints).sum();
    for complaint in complaints.iter().take(10) {
        writeln!(out, "  wrong: {complaint}")?;
    }
    ensure!(
        tally.failures() == 0,
        "{} of {} calls failed",
        tally.failures(),
        tally.offered
    );
    let wrong = caller.complaints() + bridges_complain;
    ensure!(wrong == 0, "{wrong} messages were not as they must be");
    for Played { name, report } in played {
        if let Some(what) = load::left_over(report, &caller.counts()) {
            bail!("{name}: {what}");
        }
    }
    report::closing(out)?;
    Ok(())
}
