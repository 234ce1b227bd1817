//! Calls at a steady rate, and what became of them.
//!
//! The rate is open: a slow server does not make calls begin later. Only `concurrent_max`, if it is reached, does.

use crate::agent::{Agent, Caller, Counts, Outcome, Plan};
use crate::drive::{Gauge, PeerReport, Wire};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

/// The longest latency that is told apart: one minute, in microseconds.
const MICROSECONDS_MAX: u64 = 60_000_000;
/// The shortest wait between two looks at how many calls are due.
const TICK: Duration = Duration::from_millis(1);
/// How long the last messages may take to arrive once all calls are over.
const SETTLE: Duration = Duration::from_millis(300);
/// How long the last transactions may take if messages were lost: 64*T1 and a little.
const SETTLE_MAX: Duration = Duration::from_secs(33);
/// Calls begun in one go, so that answers are read in between.
const BURST_MAX: u64 = 64;

/// What a caller is to do.
pub struct Load {
    /// Calls that begin each second.
    pub rate: u32,
    /// Calls in all.
    pub calls: u64,
    /// Most calls at one time; beyond it calls wait for others to end.
    pub concurrent_max: usize,
    /// The script of each call by its number.
    pub plan: Box<dyn FnMut(u64) -> Plan + Send>,
}

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load")
            .field("rate", &self.rate)
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}

impl Load {
    /// Calls that are due after this time.
    fn due(&self, elapsed: Duration) -> u64 {
        let due = elapsed.as_micros().saturating_mul(u128::from(self.rate)) / 1_000_000;
        // One at once: a rate of 1/s begins with a call.
        u64::try_from(due)
            .unwrap_or(u64::MAX)
            .saturating_add(1)
            .min(self.calls)
    }
}

/// What became of the calls so far.
#[derive(Debug)]
pub struct Tally {
    /// Calls begun.
    pub offered: u64,
    /// Calls that ended as planned after a 2xx.
    pub answered: u64,
    /// Calls that ended by a CANCEL, as planned.
    pub cancelled: u64,
    /// Calls that went otherwise, by what was wrong.
    pub failed: BTreeMap<String, u64>,
    /// How much later than due a call began, at worst: what this machine could not keep up with.
    pub lag_max: Duration,
    /// INVITE to the first 18x, in microseconds.
    pub ringing: Histogram<u64>,
    /// INVITE to the 2xx, in microseconds.
    pub setup: Histogram<u64>,
}

impl Tally {
    /// Nothing yet.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            offered: 0,
            answered: 0,
            cancelled: 0,
            failed: BTreeMap::new(),
            lag_max: Duration::ZERO,
            ringing: histogram()?,
            setup: histogram()?,
        })
    }

    /// Adds one call.
    pub fn add(&mut self, outcome: &Outcome) {
        record(&mut self.ringing, outcome.ringing_after);
        record(&mut self.setup, outcome.answered_after);
        if !outcome.is_as_planned() {
            let why = match (&outcome.error, outcome.status) {
                (Some(error), _) => error.clone(),
                (None, Some(status)) => format!("refused with {status}"),
                (None, None) => "no final response".to_owned(),
            };
            *self.failed.entry(why).or_default() += 1;
        } else if outcome.is_cancelled() {
            self.cancelled += 1;
        } else {
            self.answered += 1;
        }
    }

    /// Calls that failed, for whatever reason.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Calls that are over.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.answered + self.cancelled + self.failures()
    }
}

/// An empty histogram of microseconds.
pub fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, MICROSECONDS_MAX, 3).map_err(io::Error::other)
}

fn record(histogram: &mut Histogram<u64>, time: Option<Duration>) {
    if let Some(time) = time {
        histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(MICROSECONDS_MAX));
    }
}

/// A percentile in milliseconds, for people; a dash if nothing was recorded.
#[must_use]
pub fn milliseconds(histogram: &Histogram<u64>, percentile: f64) -> String {
    if histogram.is_empty() {
        return "-".to_owned();
    }
    let micros = histogram.value_at_percentile(percentile);
    format!("{}.{:02} ms", micros / 1000, micros % 1000 / 10)
}

/// Begins the calls, waits until all are over, and tells of each second that passes.
pub async fn run(
    wire: &mut Wire,
    caller: &mut Caller,
    load: &mut Load,
    mut each_second: impl FnMut(u64, &Tally, &Caller) -> io::Result<()>,
) -> io::Result<Tally> {
    let mut tally = Tally::new()?;
    let start = Instant::now();
    let mut seconds = 1;
    while tally.offered < load.calls || caller.live() > 0 {
        begin_what_is_due(wire, caller, load, &mut tally, start).await?;
        let next_second = start + Duration::from_secs(seconds);
        let wake = if tally.offered < load.calls {
            Instant::now() + TICK
        } else {
            next_second
        };
        wire.turn(caller, wake.min(next_second)).await?;
        while let Some(outcome) = caller.poll_outcome() {
            tally.add(&outcome);
        }
        if Instant::now() >= next_second {
            each_second(seconds, &tally, caller)?;
            seconds += 1;
        }
    }
    Ok(tally)
}

/// Begins the calls that are due and not begun, a burst at most.
pub async fn begin_what_is_due(
    wire: &mut Wire,
    caller: &mut Caller,
    load: &mut Load,
    tally: &mut Tally,
    start: Instant,
) -> io::Result<()> {
    let elapsed = start.elapsed();
    let due = load
        .due(elapsed)
        .saturating_sub(tally.offered)
        .min(BURST_MAX);
    for _ in 0..due {
        if caller.live() >= load.concurrent_max {
            break;
        }
        let was_due = Duration::from_secs(tally.offered) / load.rate.max(1);
        tally.lag_max = tally.lag_max.max(elapsed.saturating_sub(was_due));
        let plan = (load.plan)(tally.offered);
        caller.place(Instant::now(), plan);
        tally.offered += 1;
        wire.flush(caller).await?;
    }
    Ok(())
}

/// Waits for what is still under way once all calls of the caller are over, until the peers have no call left either.
pub async fn settle(wire: &mut Wire, caller: &mut Caller, peers: &[&Gauge]) -> io::Result<()> {
    let start = Instant::now();
    let mut until = start + SETTLE;
    loop {
        wire.turn(caller, until).await?;
        let now = Instant::now();
        if now < until {
            continue;
        }
        if peers.iter().all(|gauge| gauge.live() == 0) || now > start + SETTLE_MAX {
            return Ok(());
        }
        until = now + SETTLE;
    }
}

/// What is wrong at a peer beyond its complaints, once all has settled.
///
/// A 2xx stops being repeated when the BYE comes, so that one lost ACK may stay missing: ACKs are wrong to be missing
/// only if there are more of them than signs of loss.
#[must_use]
pub fn left_over(peer: &PeerReport, caller: &Counts) -> Option<String> {
    let signs_of_loss = caller.repeated + peer.counts.repeated;
    if peer.live > 0 {
        return Some(format!("{} calls are left at the peer", peer.live));
    }
    (peer.acks_missing > signs_of_loss)
        .then(|| format!("{} answers of the peer got no ACK", peer.acks_missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: Option<u16>, error: Option<&str>) -> Outcome {
        Outcome {
            number: 0,
            call_id: String::new(),
            plan: Plan::plain(Duration::ZERO),
            answered: status == Some(200),
            status,
            ringing_after: None,
            answered_after: status.map(|_| Duration::from_micros(12_345)),
            hung_up_by: None,
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn calls_are_due_at_their_rate() {
        let plan = Box::new(|_| Plan::plain(Duration::ZERO));
        let load = Load {
            rate: 200,
            calls: 100,
            concurrent_max: 1,
            plan,
        };
        let due = |ms| load.due(Duration::from_millis(ms));
        assert_eq!(
            (due(0), due(4), due(5), due(100), due(1000)),
            (1, 1, 2, 21, 100)
        );
    }

    #[test]
    fn a_tally_tells_what_was_wrong() {
        let mut tally = Tally::new().unwrap();
        for (status, error) in [
            (Some(200), None),
            (Some(503), None),
            (Some(200), Some("odd")),
            (None, None),
        ] {
            tally.add(&outcome(status, error));
        }
        assert_eq!(
            (tally.answered, tally.failures(), tally.finished()),
            (1, 3, 4)
        );
        assert_eq!(
            tally.failed.keys().collect::<Vec<_>>(),
            ["no final response", "odd", "refused with 503"]
        );
        assert_eq!(milliseconds(&tally.setup, 50.0), "12.35 ms");
        assert_eq!(milliseconds(&tally.ringing, 50.0), "-");
    }
}
