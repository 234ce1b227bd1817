//! Many seeds, one after another or on several threads.

use crate::finding::Finding;
use crate::scenario::Scenario;
use crate::world::{Figures, Watch, World};
use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a sweep says how far it is.
const PROGRESS: Duration = Duration::from_secs(60);

/// Which seeds, for how long, on how many threads.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// The first seed.
    pub first: u64,
    /// The seed behind the last one.
    pub end: u64,
    /// When to stop at the latest.
    pub at_most: Option<Duration>,
    /// Threads.
    pub threads: usize,
    /// So many findings are enough.
    pub findings_max: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Harvest {
    /// Seeds run.
    pub seeds: u64,
    /// Everything counted, summed up; the fingerprint is that of no seed.
    pub figures: Figures,
    /// What was found, by seed.
    pub findings: Vec<Finding>,
}

/// Runs one seed; a finding comes with its ladder.
///
/// # Errors
/// What was found.
pub fn run(seed: u64) -> Result<Figures, Box<Finding>> {
    let scenario = Scenario::of(seed);
    match World::new(scenario.clone(), Watch::default()).run() {
        Ok(figures) => Ok(figures),
        // Only a world with a finding is worth a ladder.
        Err(first) => {
            let watch = Watch {
                ladder: true,
                ..Watch::default()
            };
            let again = World::new(scenario, watch).run();
            Err(Box::new(again.err().unwrap_or_else(|| Finding {
                what: format!("{} (and not again when replayed)", first.what),
                ..first
            })))
        }
    }
}

/// Runs many seeds.
///
/// # Errors
/// The output cannot be written.
pub fn sweep(sweep: &Sweep, out: &mut impl Write) -> io::Result<Harvest> {
    let started = Instant::now();
    let next = AtomicU64::new(sweep.first);
    let is_over = AtomicBool::new(false);
    let harvest = Mutex::new(Harvest::default());
    let mut reported = 0;
    std::thread::scope(|scope| -> io::Result<()> {
        let work = || {
            while !is_over.load(Ordering::Relaxed) {
                // Relaxed: every thread gets another seed, and nothing else depends on the order.
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= sweep.end {
                    return;
                }
                let result = run(seed);
                harvest
                    .lock()
                    .expect("worlds guard their panics")
                    .add(result);
            }
        };
        let threads: Vec<_> = (0..sweep.threads.max(1))
            .map(|_| scope.spawn(work))
            .collect();
        let mut said_at = started;
        while !threads
            .iter()
            .all(std::thread::ScopedJoinHandle::is_finished)
        {
            std::thread::sleep(Duration::from_millis(20));
            let so_far = harvest.lock().expect("worlds guard their panics");
            for finding in so_far.findings.iter().skip(reported) {
                writeln!(out, "{finding}\n")?;
            }
            reported = so_far.findings.len();
            if said_at.elapsed() >= PROGRESS {
                said_at = Instant::now();
                report(out, &so_far, started.elapsed())?;
            }
            let is_late = sweep
                .at_most
                .is_some_and(|at_most| started.elapsed() >= at_most);
            if is_late || reported >= sweep.findings_max {
                is_over.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    })?;
    let mut harvest = harvest.into_inner().map_err(io::Error::other)?;
    for finding in harvest.findings.iter().skip(reported) {
        writeln!(out, "{finding}\n")?;
    }
    harvest.findings.sort_by_key(|finding| finding.seed);
    report(out, &harvest, started.elapsed())?;
    Ok(harvest)
}

fn report(out: &mut impl Write, harvest: &Harvest, time: Duration) -> io::Result<()> {
    let figures = harvest.figures;
    writeln!(
        out,
        "{:.0} s: {} seeds, {} calls, {} messages, {} lost, {} doubled, {} held up, {} findings",
        time.as_secs_f64(),
        harvest.seeds,
        figures.calls,
        figures.messages,
        figures.lost,
        figures.doubled,
        figures.held_up,
        harvest.findings.len()
    )?;
    out.flush()
}

impl Harvest {
    fn add(&mut self, result: Result<Figures, Box<Finding>>) {
        self.seeds += 1;
        match result {
            Ok(figures) => {
                let sum = &mut self.figures;
                sum.calls += figures.calls;
                sum.messages += figures.messages;
                sum.lost += figures.lost;
                sum.doubled += figures.doubled;
                sum.held_up += figures.held_up;
                sum.steps += figures.steps;
            }
            Err(finding) => self.findings.push(*finding),
        }
    }
}
