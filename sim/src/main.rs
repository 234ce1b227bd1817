//! `sim`: replays one world with its ladder, or tries many.

use anyhow::{Context, ensure};
use clap::Parser;
use sim::scenario::Scenario;
use sim::sweep::{Sweep, sweep};
use sim::world::{Watch, World};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

/// Seeds tried when nothing else is asked for; those of `cargo test`.
const SEEDS: &str = "0..256";
/// After so many findings a sweep has found enough.
const FINDINGS_MAX: usize = 20;

/// The virtual world: a node, fake callers and peers, and a network that loses, delays, doubles and reorders.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Args {
    /// Replay one world and print its ladder
    #[arg(long, value_name = "N", conflicts_with_all = ["seeds", "for_seconds"])]
    seed: Option<u64>,
    /// Only the lines of this call
    #[arg(long, value_name = "N", requires = "seed")]
    call: Option<u64>,
    /// Whole messages, not only their first words
    #[arg(long, requires = "seed")]
    messages: bool,
    /// Try these worlds: `A..B`, `A..` or a number of them
    #[arg(long, value_name = "A..B")]
    seeds: Option<String>,
    /// Try worlds until the time is up, from the first of --seeds on
    #[arg(long, value_name = "S")]
    for_seconds: Option<u64>,
    /// Worlds of members that tell each other what they use, instead of worlds of calls
    #[arg(long, conflicts_with_all = ["call", "messages", "for_seconds", "threads"])]
    members: bool,
    /// Threads; all cores but one if not given, and at most 2
    #[arg(long, value_name = "T")]
    threads: Option<usize>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let mut out = io::stdout().lock();
    let is_clean = match args.seed {
        _ if args.members => try_members(&mut out, &args)?,
        Some(seed) => replay(&mut out, seed, &args)?,
        None => try_many(&mut out, &args)?,
    };
    Ok(if is_clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Whether nothing was found.
fn replay(out: &mut impl Write, seed: u64, args: &Args) -> anyhow::Result<bool> {
    let scenario = Scenario::of(seed);
    let only = args.call.map(|call| format!("call {call}:"));
    for line in scenario.to_string().lines() {
        let is_other = line.starts_with("call ")
            && only
                .as_ref()
                .is_some_and(|only| !line.starts_with(only.as_str()));
        if !is_other {
            writeln!(out, "{line}")?;
        }
    }
    writeln!(out)?;
    let watch = Watch {
        ladder: true,
        messages: args.messages,
        sabotage: None,
    };
    let mut world = World::new(scenario, watch);
    let result = world.run();
    write!(out, "{}", world.ladder(args.call))?;
    match result {
        Ok(figures) => {
            writeln!(out, "seed {seed}: nothing found, {figures:?}")?;
            Ok(true)
        }
        Err(finding) => {
            // The whole ladder stands above.
            let finding = sim::Finding {
                ladder: String::new(),
                ..finding
            };
            writeln!(out, "{finding}")?;
            Ok(false)
        }
    }
}

/// Whether nothing was found.
fn try_many(out: &mut impl Write, args: &Args) -> anyhow::Result<bool> {
    let seeds = args.seeds.as_deref();
    let all = if args.for_seconds.is_some() {
        "0.."
    } else {
        SEEDS
    };
    let (first, end) = range(seeds.unwrap_or(all))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args
        .threads
        .unwrap_or_else(|| cores.saturating_sub(1).clamp(1, 2));
    ensure!((1..=2).contains(&threads), "--threads is 1 or 2");
    ensure!(
        end < u64::MAX || args.for_seconds.is_some(),
        "an open range needs --for-seconds"
    );
    let harvest = sweep(
        &Sweep {
            first,
            end,
            at_most: args.for_seconds.map(Duration::from_secs),
            threads,
            findings_max: FINDINGS_MAX,
        },
        out,
    )?;
    Ok(harvest.findings.is_empty())
}

/// Whether nothing was found.
fn try_members(out: &mut impl Write, args: &Args) -> anyhow::Result<bool> {
    let (first, end) = match args.seed {
        Some(seed) => (seed, seed.saturating_add(1)),
        None => range(args.seeds.as_deref().unwrap_or(SEEDS))?,
    };
    ensure!(end < u64::MAX, "--members needs a range with an end");
    let (mut findings, mut admitted, mut datagrams) = (0, 0, 0);
    for seed in first..end {
        match sim::members::run(seed, None) {
            Ok(figures) => {
                admitted += figures.admitted;
                datagrams += figures.datagrams;
            }
            Err(finding) => {
                findings += 1;
                writeln!(out, "{finding}")?;
            }
        }
        if findings == FINDINGS_MAX {
            break;
        }
    }
    writeln!(
        out,
        "{} worlds of members, {admitted} calls, {datagrams} datagrams: {findings} findings",
        end - first
    )?;
    Ok(findings == 0)
}

/// `A..B`, `A..` or `COUNT`.
fn range(text: &str) -> anyhow::Result<(u64, u64)> {
    let number = |text: &str| {
        text.trim()
            .parse::<u64>()
            .with_context(|| format!("--seeds: {text:?} is no number"))
    };
    match text.split_once("..") {
        None => Ok((0, number(text)?)),
        Some((first, "")) => Ok((number(first)?, u64::MAX)),
        Some((first, end)) => {
            let (first, end) = (number(first)?, number(end)?);
            ensure!(first < end, "--seeds: {text} holds none");
            Ok((first, end))
        }
    }
}
