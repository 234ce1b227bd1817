//! The words and tables of the demo.

use super::{Bridge, Played, script};
use crate::cli::DemoArgs;
use crate::shell::Handle;
use loadtest::load::{Tally, milliseconds};
use std::io::{self, Write};
use std::net::SocketAddr;

/// What runs where.
pub(super) fn opening(
    out: &mut impl Write,
    args: DemoArgs,
    [caller, node]: [SocketAddr; 2],
    bridges: &[Bridge],
) -> io::Result<()> {
    let DemoArgs { rate, seconds } = args;
    writeln!(
        out,
        "Real SIP over UDP on this machine, through a real Baton node:\n"
    )?;
    writeln!(
        out,
        "  caller     {caller:<18} begins {rate} calls a second for {seconds} s"
    )?;
    writeln!(
        out,
        "  Baton      {node:<18} chooses a bridge for each and joins the two legs"
    )?;
    for Bridge {
        name,
        local,
        sessions_max,
        ..
    } in bridges
    {
        writeln!(
            out,
            "  {name:<10} {local:<18} has room for {sessions_max} calls at a time"
        )?;
    }
    writeln!(out, "\n{}\n", script::IN_WORDS)?;
    write!(
        out,
        "  {:>6} {:>8} {:>8} {:>9} {:>8}",
        "", "begun", "live", "finished", "failed"
    )?;
    for bridge in bridges {
        write!(out, " {:>10}", bridge.name)?;
    }
    writeln!(out)
}

/// The line of one second; `u64::MAX` stands for the end.
pub(super) fn second(
    out: &mut impl Write,
    second: u64,
    tally: &Tally,
    live: usize,
    bridges: &[Bridge],
) -> io::Result<()> {
    let when = if second == u64::MAX {
        "end".to_owned()
    } else {
        format!("{second} s")
    };
    let (begun, finished, failed) = (tally.offered, tally.finished(), tally.failures());
    write!(
        out,
        "  {when:>6} {begun:>8} {live:>8} {finished:>9} {failed:>8}"
    )?;
    for bridge in bridges {
        write!(
            out,
            " {:>10}",
            format!("{} live", bridge.thread.gauge().live())
        )?;
    }
    writeln!(out)?;
    out.flush()
}

/// What became of all calls.
pub(super) fn summary(
    out: &mut impl Write,
    tally: &Tally,
    played: &[Played],
    node: &Handle,
) -> io::Result<()> {
    let latency = |histogram| {
        format!(
            "p50 {}, p99 {}",
            milliseconds(histogram, 50.0),
            milliseconds(histogram, 99.0)
        )
    };
    let shares: Vec<String> = played
        .iter()
        .map(|played| format!("{} took {}", played.name, played.report.counts.calls))
        .collect();
    let sums = node
        .figures()
        .iter()
        .fold([0; 2], |[messages, repeats], figures| {
            let core = &figures.core;
            [
                messages + core.messages_in.value() + core.messages_out.value(),
                repeats + core.retransmissions_out.value(),
            ]
        });
    let [messages, repeats] = sums;
    writeln!(out, "\n  offered        {:>8}", tally.offered)?;
    writeln!(out, "  answered       {:>8}", tally.answered)?;
    writeln!(out, "  cancelled      {:>8}   as planned", tally.cancelled)?;
    writeln!(out, "  failed         {:>8}", tally.failures())?;
    for (why, count) in &tally.failed {
        writeln!(out, "                 {count:>8}   {why}")?;
    }
    writeln!(
        out,
        "  INVITE to 180  {}   (the bridges ring at once: this is Baton)",
        latency(&tally.ringing)
    )?;
    writeln!(
        out,
        "  INVITE to 200  {}   (20 to 80 ms of it are the bridges)",
        latency(&tally.setup)
    )?;
    writeln!(out, "  calls          {}", shares.join(", "))?;
    writeln!(
        out,
        "  messages       {messages} through Baton, {repeats} of them repeated"
    )
}

/// What to try next, as it can be typed.
pub(super) fn closing(out: &mut impl Write) -> io::Result<()> {
    let program = std::env::args().next();
    let program = program.as_deref().unwrap_or("baton");
    writeln!(out, "\nEvery call went as planned. What to try next:\n")?;
    writeln!(out, "  {program} demo --calls-per-second 1000")?;
    writeln!(out, "      the same, busier")?;
    writeln!(out, "  {program} run --config configs/lab-trunk.toml")?;
    writeln!(
        out,
        "      a node that takes calls on 127.0.0.1:5060 and sends them to 127.0.0.1:5180"
    )
}
