//! A scenario at work, and how it ended.

use super::assertion::{Assertion, Figures};
use super::file::{Scenario, Vcs};
use super::sample::{Counts, Sample, Sampler};
use crate::agent::{Agent, Caller, CallerSettings, Plan, Timers};
use crate::arrivals::Arrivals;
use crate::bridges::{BridgeReport, Bridges};
use crate::drive::{Gauge, Socket, Wire, new_run, runtime};
use crate::load::{self, Load};
use crate::vcs;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How a scenario ended.
#[derive(Debug)]
pub struct Ending {
    /// All that was measured.
    pub figures: Figures,
    /// Each assertion, and whether it holds.
    pub judged: Vec<(Assertion, bool)>,
    /// Why calls failed.
    pub failures: BTreeMap<String, u64>,
    /// Second by second.
    pub samples: Vec<Sample>,
    /// The peers.
    pub peers: Vec<PeerEnd>,
    /// What was wrong in messages, the first of it.
    pub complaints: Vec<String>,
    /// Whether somebody ended it before its time.
    pub was_interrupted: bool,
}

/// One peer at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerEnd {
    /// Its prefix or its address.
    pub name: String,
    /// Calls that it was asked to take.
    pub calls: u64,
    /// Messages that came while it was a black hole.
    pub unheard: u64,
    /// Whether it died.
    pub is_dead: bool,
}

impl Ending {
    /// Whether it was played to its end and every assertion holds.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.was_interrupted && self.judged.iter().all(|(_, holds)| *holds)
    }
}

/// What is measured of either kind of caller.
struct Measured {
    figures: Figures,
    failures: BTreeMap<String, u64>,
    samples: Vec<Sample>,
    complaints: Vec<String>,
    complaint_count: u64,
    caller: crate::agent::Counts,
}

/// Plays it on sockets of this machine; `watch` is told of each second. Ends early if `stop` is set.
///
/// # Errors
/// What keeps it from being played.
pub fn play(
    scenario: &Scenario,
    stop: &Arc<AtomicBool>,
    watch: &mut dyn FnMut(&Sample),
) -> anyhow::Result<Ending> {
    let mut bridges = Bridges::default();
    for peer in &scenario.peers {
        bridges.start(scenario.target.0, peer)?;
    }
    std::thread::sleep(scenario.warm_up);
    let start = Instant::now();
    let measured = match &scenario.vcs {
        None => runtime()?.block_on(plain(scenario, &bridges, stop, watch))?,
        Some(vcs) => runtime()?.block_on(searched(scenario, vcs, &bridges, stop, watch))?,
    };
    let seconds = start.elapsed().as_secs_f64();
    Ok(judge(scenario, measured, bridges.stop()?, (stop, seconds)))
}

fn arrivals(scenario: &Scenario) -> Arrivals {
    Arrivals::new(scenario.phases.iter().copied(), scenario.seed)
}

/// Calls without a question before.
async fn plain(
    scenario: &Scenario,
    bridges: &Bridges,
    stop: &Arc<AtomicBool>,
    watch: &mut dyn FnMut(&Sample),
) -> anyhow::Result<Measured> {
    let (transport, target) = scenario.target;
    let socket = Socket::towards(transport, target)?;
    let mut caller = Caller::new(CallerSettings {
        local: socket.local_addr()?,
        target,
        transport,
        timers: Timers::default(),
        seed: scenario.seed,
        run: new_run(),
        rooms: scenario.calls.rooms,
    });
    let mut wire = Wire::new(socket)?;
    let mut load = Load {
        arrivals: arrivals(scenario),
        concurrent_max: usize::try_from(scenario.calls.concurrent)?,
        stop: Some(Arc::clone(stop)),
        ..Load::constant(
            0,
            1,
            Plan::plain(Duration::from_millis(scenario.calls.hold_ms)),
        )
    };
    let mut sampler = Sampler::new()?;
    let start = Instant::now();
    let tally = load::run(
        &mut wire,
        &mut caller,
        &mut load,
        |second, tally, caller| {
            let live = u64::try_from(caller.live()).unwrap_or(u64::MAX);
            let counts: Counts = [tally.offered, tally.answered, tally.failures(), live];
            watch(&sampler.take(second, counts, &tally.ringing, live_at(bridges)));
            Ok(())
        },
    )
    .await?;
    let seconds = start.elapsed().as_secs_f64();
    let gauges: Vec<&Gauge> = bridges.gauges().map(|(_, gauge)| gauge).collect();
    load::settle(&mut wire, &mut caller, &gauges).await?;
    let mut figures = Figures::from([
        ("offered", to_f64(tally.offered)),
        ("answered", to_f64(tally.answered)),
        ("failed", to_f64(tally.failures())),
        ("goodput", to_f64(tally.answered) / seconds),
    ]);
    latencies(&mut figures, &tally.ringing);
    put(&mut figures, "setup_p99_ms", &tally.setup, 99.0);
    put(&mut figures, "lag_p99_ms", &tally.lag, 99.0);
    Ok(Measured {
        figures,
        failures: tally.failed.clone(),
        samples: sampler.samples,
        complaint_count: caller.complaints(),
        complaints: std::iter::from_fn(|| caller.poll_complaint()).collect(),
        caller: caller.counts(),
    })
}

/// Calls by a VCS that asks before.
async fn searched(
    scenario: &Scenario,
    vcs: &Vcs,
    bridges: &Bridges,
    stop: &Arc<AtomicBool>,
    watch: &mut dyn FnMut(&Sample),
) -> anyhow::Result<Measured> {
    let (transport, target) = scenario.target;
    let mut sampler = Sampler::new()?;
    let start = Instant::now();
    let socket = Socket::towards(transport, target)?;
    let mut each_second = |second: u64, tally: &vcs::Tally| {
        let failed = tally.finished() - tally.answered;
        let live = tally.searches - tally.finished();
        let counts: Counts = [tally.searches, tally.answered, failed, live];
        watch(&sampler.take(second, counts, &tally.search, live_at(bridges)));
    };
    let settings = settings(scenario, vcs, stop);
    let report = vcs::run(settings, (transport, socket), bridges, &mut each_second).await?;
    let seconds = start.elapsed().as_secs_f64();
    let tally = &report.tally;
    let mut failures = tally.failed.clone();
    for (what, count) in tally.wrong.iter().chain(&tally.unusable) {
        *failures.entry(what.clone()).or_default() += count;
    }
    let failed: u64 = failures.values().sum();
    let rejected: u64 = tally.rejected.values().sum();
    for (what, count) in &tally.rejected {
        failures.insert(format!("rejected by policy: {what}"), *count);
    }
    let mut figures = Figures::from([
        ("offered", to_f64(tally.searches)),
        ("answered", to_f64(tally.answered)),
        ("failed", to_f64(failed)),
        ("goodput", to_f64(tally.answered) / seconds),
        ("rejected", to_f64(rejected)),
        ("promised", to_f64(report.promised)),
        (
            "elsewhere",
            to_f64(report.elsewhere_count + report.unpromised),
        ),
        ("defaults", to_f64(tally.defaults)),
    ]);
    latencies(&mut figures, &tally.search);
    put(&mut figures, "setup_p99_ms", &tally.search, 99.0);
    put(&mut figures, "policy_p50_ms", &tally.decision, 50.0);
    put(&mut figures, "policy_p99_ms", &tally.decision, 99.0);
    let mut complaints = report.elsewhere;
    complaints.extend(report.complaints);
    Ok(Measured {
        figures,
        failures,
        samples: sampler.samples,
        complaints,
        complaint_count: report.complaint_count,
        caller: report.caller,
    })
}

/// What the VCS of a scenario is told.
fn settings(scenario: &Scenario, vcs: &Vcs, stop: &Arc<AtomicBool>) -> vcs::Settings {
    let entry = &vcs.entry;
    let basic = |text: &String| format!("Basic {}", STANDARD.encode(text));
    vcs::Settings {
        policy: vcs.policy.clone(),
        paths: ["policy".into(), "status".into()],
        authorization: entry.credentials.as_ref().map(basic),
        verification: Some(vcs::Verification::Off),
        keeps_connections: true,
        default_cpl: entry.default_cpl.clone(),
        kinds: entry.kinds(),
        time_scale: entry.time_scale,
        arrivals: arrivals(scenario),
        concurrent_max: scenario.calls.concurrent,
        alias: entry.alias.clone(),
        conferences: entry.conferences,
        hold: Duration::from_millis(scenario.calls.hold_ms),
        seed: scenario.seed,
        trunks: vec![scenario.target.1],
        stop: Arc::clone(stop),
    }
}

fn live_at(bridges: &Bridges) -> Vec<u64> {
    bridges.gauges().map(|(_, gauge)| gauge.live()).collect()
}

fn latencies(figures: &mut Figures, histogram: &Histogram<u64>) {
    for (name, percentile) in [
        ("p50_ms", 50.0),
        ("p99_ms", 99.0),
        ("p999_ms", 99.9),
        ("max_ms", 100.0),
    ] {
        put(figures, name, histogram, percentile);
    }
}

/// A percentile in milliseconds; nothing if nothing was measured.
fn put(figures: &mut Figures, name: &'static str, histogram: &Histogram<u64>, percentile: f64) {
    if !histogram.is_empty() {
        let micros = histogram.value_at_percentile(percentile);
        figures.insert(name, to_f64(micros) / 1000.0);
    }
}

fn judge(
    scenario: &Scenario,
    measured: Measured,
    bridges: Vec<BridgeReport>,
    (stop, seconds): (&AtomicBool, f64),
) -> Ending {
    let Measured {
        mut figures,
        failures,
        samples,
        mut complaints,
        mut complaint_count,
        caller,
    } = measured;
    let mut left = 0;
    let mut sent = caller.sent;
    let mut repeated = caller.repeated;
    let mut lived: Vec<u64> = Vec::new();
    for bridge in &bridges {
        let report = &bridge.report;
        complaint_count += report.complaints;
        complaints.extend(report.complaint_texts.iter().cloned());
        sent += report.counts.sent;
        repeated += report.counts.repeated;
        if !report.is_dead {
            lived.push(report.counts.calls);
            left += u64::try_from(report.live).unwrap_or(u64::MAX);
            // As of `load::left_over`: an ACK that was lost is no ACK that was not sent.
            let signs_of_loss = caller.repeated + report.counts.repeated + report.unheard;
            left += report.acks_missing.saturating_sub(signs_of_loss);
        }
    }
    let spread = lived.iter().max().zip(lived.iter().min());
    if let Some((most, least)) = spread {
        figures.insert("spread", to_f64(most - least));
    }
    figures.insert("left", to_f64(left));
    figures.insert("complaints", to_f64(complaint_count));
    figures.insert("repeated_percent", percent(repeated, sent));
    figures.insert("seconds", seconds);
    for (name, part) in [
        ("answered_percent", "answered"),
        ("failed_percent", "failed"),
    ] {
        if let (Some(part), Some(all)) = (figures.get(part), figures.get("offered")) {
            figures.insert(name, part / all.max(1.0) * 100.0);
        }
    }
    let assertions = scenario.assertions.iter();
    let judged = assertions.map(|assertion| (assertion.clone(), assertion.holds(&figures)));
    let judged = judged.collect();
    let peers = bridges.iter().map(|bridge| PeerEnd {
        name: bridge.name(),
        calls: bridge.report.counts.calls,
        unheard: bridge.report.unheard,
        is_dead: bridge.report.is_dead,
    });
    Ending {
        figures,
        judged,
        failures,
        samples,
        peers: peers.collect(),
        complaints,
        // Relaxed: a word on its own.
        was_interrupted: stop.load(Ordering::Relaxed),
    }
}

fn percent(part: u64, all: u64) -> f64 {
    to_f64(part) / to_f64(all.max(1)) * 100.0
}

/// Counts are far below what stays exact.
fn to_f64(count: u64) -> f64 {
    count as f64
}
