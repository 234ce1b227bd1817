//! `loadtest vcs`: an emulated VCS before a policy service and a trunk.

use super::interrupts;
use super::options::{Target, loopback, target};
use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use loadtest::arrivals::Arrivals;
use loadtest::bridges::{Bridge, Bridges};
use loadtest::drive::{Socket, runtime};
use loadtest::json::{object, percentiles};
use loadtest::load::milliseconds;
use loadtest::vcs::form::Kind;
use loadtest::vcs::{Report, ServerReport, Settings, Tally, Url, Verification, run};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Plays a VCS: asks a policy service where each call goes, does what the CPL says, calls over the trunk, and looks
/// whether the call arrives at the peer that was promised.
///
/// Exit status: 0 if every search ended on the promised peer, 1 if not, 2 for a command line that cannot be.
#[derive(Debug, Args)]
pub(super) struct VcsOptions {
    /// An address of the policy service, such as http://127.0.0.1:8080; up to three, in the order of preference
    #[arg(long, value_name = "URL", required = true)]
    policy: Vec<Url>,
    /// The path of decisions
    #[arg(long, value_name = "PATH", default_value = "policy")]
    path: String,
    /// The path of the status
    #[arg(long, value_name = "PATH", default_value = "status")]
    status_path: String,
    /// User name and password
    #[arg(
        long,
        value_name = "USER:PASSWORD",
        env = "LOADTEST_CREDENTIALS",
        hide_env_values = true
    )]
    credentials: Option<String>,
    /// Authorities that may have signed the certificate of an https address
    #[arg(long, value_name = "FILE", conflicts_with = "no_verification")]
    ca: Option<PathBuf>,
    /// Take any certificate
    #[arg(long)]
    no_verification: bool,
    /// Open a connection for each request
    #[arg(long)]
    no_keep_alive: bool,
    /// Where calls are sent, such as udp:127.0.0.1:5060; several, of one transport, are used by turns
    #[arg(long, value_name = "TRANSPORT:ADDRESS:PORT", value_parser = target, required = true)]
    trunk: Vec<Target>,
    /// A bridge that this program plays, and what its aliases begin with, such as 6001=127.0.0.1:5181
    #[arg(long, value_name = "PREFIX=ADDRESS:PORT", value_parser = bridge, required = true)]
    peer: Vec<(String, SocketAddr)>,
    /// Searches in all
    #[arg(long, value_name = "N", default_value_t = 1000)]
    searches: u64,
    /// Searches that begin each second
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    rate: u32,
    /// Most searches at one time; others wait. A policy service may bound the connections of one address
    #[arg(long, value_name = "N", default_value_t = 500)]
    concurrent: u64,
    /// What is dialled; {n} becomes the number of a conference
    #[arg(long, value_name = "ALIAS", default_value = "meet.{n}@example.com")]
    alias: String,
    /// How many conferences are dialled, by turns
    #[arg(long, value_name = "N", default_value_t = 100)]
    conferences: u64,
    /// Ask for Call Policy before each search
    #[arg(long)]
    call_policy: bool,
    /// Ask for User Policy before each search
    #[arg(long)]
    user_policy: bool,
    /// What is executed if no address answers
    #[arg(
        long,
        value_name = "NODE",
        default_value = "<reject status='504' reason='Policy Service Unavailable'/>"
    )]
    default_cpl: String,
    /// How much faster than a VCS its polls (60 s) and time-outs (30 s) are
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = scale)]
    time_scale: f64,
    /// How long each call stays up
    #[arg(long, value_name = "MS", default_value_t = 200)]
    hold_ms: u64,
    /// How long the bridges ring before they answer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    answer_ms: u64,
    /// How long the bridges listen before the first search, so that a server finds them
    #[arg(long, value_name = "MS", default_value_t = 0)]
    warm_up_ms: u64,
    /// Refusals by policy are right too
    #[arg(long)]
    may_reject: bool,
    /// Of what is chosen by chance
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object at the end and nothing else
    #[arg(long)]
    json: bool,
}

impl VcsOptions {
    fn settings(&self, stop: Arc<AtomicBool>) -> Settings {
        let kinds = Kind::IN_ORDER.into_iter().filter(|kind| match kind {
            Kind::Admin => self.call_policy,
            Kind::User => self.user_policy,
            Kind::Search => true,
        });
        let verification = if self.no_verification {
            Some(Verification::Off)
        } else {
            self.ca.clone().map(Verification::On)
        };
        let basic = |text: &String| format!("Basic {}", STANDARD.encode(text));
        Settings {
            policy: self.policy.clone(),
            paths: [self.path.clone(), self.status_path.clone()],
            authorization: self.credentials.as_ref().map(basic),
            verification,
            keeps_connections: !self.no_keep_alive,
            default_cpl: self.default_cpl.clone(),
            kinds: kinds.collect(),
            time_scale: self.time_scale,
            arrivals: Arrivals::constant(self.searches, f64::from(self.rate)),
            concurrent_max: self.concurrent,
            alias: self.alias.clone(),
            conferences: self.conferences,
            hold: Duration::from_millis(self.hold_ms),
            seed: self.seed,
            stop,
            trunks: self.trunk.iter().map(|trunk| trunk.address).collect(),
        }
    }
}

fn bridge(text: &str) -> Result<(String, SocketAddr), String> {
    let (prefix, address) = text
        .split_once('=')
        .filter(|(prefix, _)| !prefix.is_empty())
        .ok_or("write PREFIX=ADDRESS:PORT")?;
    Ok((prefix.to_owned(), loopback(address)?))
}

fn scale(text: &str) -> Result<f64, String> {
    let scale = text.parse().ok();
    let scale = scale.filter(|scale: &f64| (0.001..=10_000.0).contains(scale));
    scale.ok_or_else(|| "a number from 0.001 to 10000".into())
}

pub(super) fn play(options: &VcsOptions) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        options.policy.len() <= 3,
        "a VCS has room for three addresses"
    );
    let trunk = options.trunk.first().context("no trunk is named")?;
    let transport = trunk.transport;
    anyhow::ensure!(
        options
            .trunk
            .iter()
            .all(|other| other.transport == transport),
        "all trunks are to be of one transport"
    );
    let mut bridges = Bridges::default();
    for (prefix, at) in &options.peer {
        let bridge = Bridge {
            answer: Duration::from_millis(options.answer_ms),
            ..Bridge::new(*at, Some(prefix.clone()))
        };
        bridges.start(transport, &bridge)?;
    }
    std::thread::sleep(Duration::from_millis(options.warm_up_ms));
    let stop = interrupts::heed()?;
    let mut out = io::stdout().lock();
    let mut report = runtime()?.block_on(async {
        let socket = Socket::towards(transport, trunk.address)
            .with_context(|| format!("cannot reach {}", trunk.address))?;
        let mut each_second = |second: u64, tally: &Tally| {
            if !options.json {
                // Whoever closed the output does not want to know.
                drop(tell_second(&mut out, second, tally));
            }
        };
        run(
            options.settings(stop),
            (transport, socket),
            &bridges,
            &mut each_second,
        )
        .await
    })?;
    report.add_bridges(bridges.stop()?);
    let is_good = report.is_good(options.may_reject);
    if options.json {
        json(&mut out, &report, is_good)?;
    } else {
        summary(&mut out, &report, is_good)?;
    }
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn tell_second(out: &mut impl Write, second: u64, tally: &Tally) -> io::Result<()> {
    writeln!(
        out,
        "{second:>5} s  searches {:>8}  live {:>6}  answered {:>8}  rejected {:>6}  failed {:>6}  p99 decision {}",
        tally.searches,
        tally.searches - tally.finished(),
        tally.answered,
        tally.rejected.values().sum::<u64>(),
        tally.failed.values().sum::<u64>(),
        milliseconds(&tally.decision, 99.0),
    )?;
    out.flush()
}

fn summary(out: &mut impl Write, report: &Report, is_good: bool) -> io::Result<()> {
    let tally = &report.tally;
    for server in &report.servers {
        tell_server(out, server)?;
    }
    writeln!(
        out,
        "searches {}  answered {}  on the promised peer {}  elsewhere {}  to no peer's alias {}",
        tally.searches, tally.answered, report.promised, report.elsewhere_count, report.unpromised
    )?;
    let requests = tally.requests.iter();
    let requests: Vec<_> = requests
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    writeln!(
        out,
        "asked: {}; {} times the default CPL, {} loops; calls {}, given up {}, refused {}",
        requests.join(", "),
        tally.defaults,
        tally.loops,
        tally.calls,
        tally.given_up,
        tally.refused
    )?;
    for (what, counts) in [
        ("rejected by policy", &tally.rejected),
        ("failed", &tally.failed),
        ("no CPL for a VCS", &tally.unusable),
        ("wrong on the trunk", &tally.wrong),
    ] {
        for (why, count) in counts {
            writeln!(out, "  {what}: {count} x {why}")?;
        }
    }
    for (what, histogram) in [
        ("request to decision", &tally.decision),
        ("INVITE to 200      ", &tally.setup),
        ("due to answered    ", &tally.search),
    ] {
        let at = |percentile| milliseconds(histogram, percentile);
        writeln!(
            out,
            "{what}  p50 {}  p99 {}  max {}",
            at(50.0),
            at(99.0),
            at(100.0)
        )?;
    }
    for (prefix, calls) in &report.bridges {
        writeln!(out, "peer {prefix}: {calls} calls")?;
    }
    for what in report
        .elsewhere
        .iter()
        .chain(report.complaints.iter().take(20))
    {
        writeln!(out, "  wrong: {what}")?;
    }
    writeln!(
        out,
        "{}",
        if is_good {
            "every search ended on the promised peer"
        } else {
            "FAILED"
        }
    )
}

/// In the words of the VCS page.
fn tell_server(out: &mut impl Write, server: &ServerReport) -> io::Result<()> {
    let state = if server.is_active { "Active" } else { "Failed" };
    let figures = &server.figures;
    writeln!(
        out,
        "{}  {state}  polled {} times, {} failed; asked {} times over {} connections",
        server.url, figures.polls, figures.polls_failed, figures.asked, server.connections
    )?;
    for (why, count) in &figures.failed {
        writeln!(out, "  {count} x {why}")?;
    }
    Ok(())
}

fn json(out: &mut impl Write, report: &Report, is_good: bool) -> io::Result<()> {
    let tally = &report.tally;
    let bridges = report.bridges.iter();
    let bridges: BTreeMap<String, u64> = bridges.cloned().collect();
    let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
    writeln!(
        out,
        "{{\"ok\":{is_good},\"searches\":{},\"answered\":{},\"promised\":{},\"elsewhere\":{},\"unpromised\":{},\
         \"rejected\":{},\"failed\":{},\"unusable\":{},\"defaults\":{},\"loops\":{},\"calls\":{},\"complaints\":{},\
         \"peers\":{},\"decision_us\":{},\"setup_us\":{},\"search_us\":{}}}",
        tally.searches,
        tally.answered,
        report.promised,
        report.elsewhere_count,
        report.unpromised,
        object(&tally.rejected),
        object(&tally.failed),
        sum(&tally.unusable),
        tally.defaults,
        tally.loops,
        tally.calls,
        report.complaint_count,
        object(&bridges),
        percentiles(&tally.decision),
        percentiles(&tally.setup),
        percentiles(&tally.search),
    )
}
