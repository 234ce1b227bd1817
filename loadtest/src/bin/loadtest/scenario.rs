//! `loadtest run FILE`: a scenario, judged by its assertions.

use super::interrupts;
use anyhow::Context;
use clap::Args;
use loadtest::json::{array, object, quoted};
use loadtest::scenario::{Ending, Sample, Scenario, html, play};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Plays a scenario: who calls, who takes the calls, and what must hold at the end stand in a file of TOML.
///
/// Exit status: 0 if it was played to its end and every assertion holds, 1 if not, 2 if it could not be played. The
/// first Ctrl-C ends the calls and tells what there is, the second ends the program.
#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// The scenario, such as loadtest/scenarios/trunk-2000.toml
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Another server than the scenario names, such as udp:127.0.0.1:5070
    #[arg(long, value_name = "TRANSPORT:ADDRESS:PORT", value_parser = super::options::target)]
    target: Option<super::options::Target>,
    /// Another seed than the scenario's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write a page with plots, which opens from disk
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print one JSON object at the end and nothing else
    #[arg(long)]
    json: bool,
    /// Read the scenario, and play nothing
    #[arg(long)]
    check: bool,
}

pub(super) fn run(options: &RunOptions) -> anyhow::Result<ExitCode> {
    let file = options.file.display();
    let text = fs::read_to_string(&options.file).with_context(|| format!("{file}"))?;
    let mut scenario = Scenario::read(&text).with_context(|| format!("{file}"))?;
    if let Some(seed) = options.seed {
        scenario.seed = seed;
    }
    if let Some(target) = options.target {
        scenario.target = (target.transport, target.address);
    }
    let mut out = io::stdout().lock();
    if options.check {
        writeln!(out, "{file}: good")?;
        return Ok(ExitCode::SUCCESS);
    }
    let stop = interrupts::heed()?;
    if !options.json {
        writeln!(out, "{}", scenario.about)?;
    }
    let mut told = Ok(());
    let ending = play(&scenario, &stop, &mut |sample| {
        if !options.json && told.is_ok() {
            told = second(&mut out, sample);
        }
    })?;
    told?;
    if let Some(page) = &options.html {
        let name = options.file.file_stem().unwrap_or_default();
        let html = html(&name.to_string_lossy(), &scenario, &ending);
        fs::write(page, html).with_context(|| format!("{}", page.display()))?;
    }
    if options.json {
        writeln!(out, "{}", json(&ending))?;
    } else {
        summary(&mut out, &ending)?;
    }
    Ok(if ending.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn second(out: &mut impl Write, sample: &Sample) -> io::Result<()> {
    let [p50, p99, _] = sample.latency_us.map(milliseconds);
    writeln!(
        out,
        "{:>5} s  begun {:>8}  live {:>7}  answered {:>8}  failed {:>6}  p50 {p50} ms  p99 {p99} ms",
        sample.second, sample.offered, sample.live, sample.answered, sample.failed
    )?;
    out.flush()
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{:02}", micros / 1000, micros % 1000 / 10)
}

fn summary(out: &mut impl Write, ending: &Ending) -> io::Result<()> {
    for (name, value) in &ending.figures {
        writeln!(out, "{name:<18} {value:.3}")?;
    }
    for peer in &ending.peers {
        let fate = if peer.is_dead { "  died" } else { "" };
        writeln!(
            out,
            "peer {}: {} calls, {} messages unheard{fate}",
            peer.name, peer.calls, peer.unheard
        )?;
    }
    for (why, count) in &ending.failures {
        writeln!(out, "  failed: {count} x {why}")?;
    }
    for complaint in ending.complaints.iter().take(20) {
        writeln!(out, "  wrong: {complaint}")?;
    }
    for (assertion, holds) in &ending.judged {
        let word = if *holds { "holds" } else { "DOES NOT HOLD" };
        let value = ending.figures.get(assertion.figure);
        let value = value.map_or_else(|| "not measured".into(), |value| format!("{value:.3}"));
        writeln!(out, "{assertion}: {word} ({value})")?;
    }
    let verdict = if ending.was_interrupted {
        "ended before its time"
    } else if ending.is_good() {
        "every assertion holds"
    } else {
        "FAILED"
    };
    writeln!(out, "{verdict}")
}

fn json(ending: &Ending) -> String {
    let judged = ending.judged.iter().map(|(assertion, holds)| {
        let assertion = quoted(&assertion.to_string());
        format!("{{\"assertion\":{assertion},\"holds\":{holds}}}")
    });
    let peers = ending.peers.iter().map(|peer| {
        format!(
            "{{\"name\":{},\"calls\":{},\"unheard\":{},\"died\":{}}}",
            quoted(&peer.name),
            peer.calls,
            peer.unheard,
            peer.is_dead
        )
    });
    let samples = ending.samples.iter().map(|sample| {
        let [p50, p99, max] = sample.latency_us;
        format!(
            "{{\"second\":{},\"offered\":{},\"answered\":{},\"failed\":{},\"live\":{},\"p50_us\":{p50},\"p99_us\":{p99},\"max_us\":{max},\"peers\":{:?}}}",
            sample.second, sample.offered, sample.answered, sample.failed, sample.live, sample.peers
        )
    });
    format!(
        "{{\"ok\":{},\"interrupted\":{},\"figures\":{},\"assertions\":{},\"failures\":{},\"peers\":{},\"complaints\":{},\"samples\":{}}}",
        ending.is_good(),
        ending.was_interrupted,
        object(&ending.figures),
        array(judged),
        object(&ending.failures),
        array(peers),
        array(ending.complaints.iter().map(|text| quoted(text))),
        array(samples)
    )
}
