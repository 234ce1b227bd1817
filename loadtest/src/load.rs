//! Calls at their times, and what became of them.
//!
//! The schedule is open: a slow server does not make calls begin later. Only `concurrent_max`, if it is reached, does.
//! Latencies count from when a call was due, so that what keeps calls from beginning is part of them; how late calls
//! began is told beside.

use crate::agent::{Agent, Caller, Counts, Outcome, Plan};
use crate::arrivals::Arrivals;
use crate::drive::{Gauge, PeerReport, Wire};
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The longest latency that is told apart: one minute, in microseconds.
const MICROSECONDS_MAX: u64 = 60_000_000;
/// How long the last messages may take to arrive once all calls are over.
const SETTLE: Duration = Duration::from_millis(300);
/// How long the last transactions may take if messages were lost: 64*T1 and a little.
const SETTLE_MAX: Duration = Duration::from_secs(33);
/// Calls begun in one go, so that answers are read in between.
const BURST_MAX: u64 = 64;

/// What a caller is to do.
pub struct Load {
    /// When calls begin.
    pub arrivals: Arrivals,
    /// Most calls at one time; beyond it calls wait for others to end.
    pub concurrent_max: usize,
    /// The script of each call by its number.
    pub plan: Box<dyn FnMut(u64) -> Plan + Send>,
    /// Once it is true no call begins any more, and those that live are hung up.
    pub stop: Option<Arc<AtomicBool>>,
}

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load")
            .field("arrivals", &self.arrivals)
            .finish_non_exhaustive()
    }
}

impl Load {
    /// So many calls, so many of them each second, all by one script.
    #[must_use]
    pub fn constant(calls: u64, rate: u32, plan: Plan) -> Self {
        Self {
            arrivals: Arrivals::constant(calls, f64::from(rate)),
            concurrent_max: usize::MAX,
            plan: Box::new(move |_| plan),
            stop: None,
        }
    }

    fn is_to_stop(&self) -> bool {
        // Relaxed: a word on its own.
        self.stop
            .as_ref()
            .is_some_and(|stop| stop.load(Ordering::Relaxed))
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
    /// How much later than due calls began, in microseconds: what this program or machine could not keep up with.
    pub lag: Histogram<u64>,
    /// From when a call was due to the first 18x, in microseconds.
    pub ringing: Histogram<u64>,
    /// From when a call was due to the 2xx, in microseconds.
    pub setup: Histogram<u64>,
    /// From the INVITE to the first 18x, in microseconds: without what the generator was late.
    pub ringing_alone: Histogram<u64>,
    /// Of calls that are not over: how late they began.
    lags: HashMap<u64, Duration>,
}

impl Tally {
    /// Nothing yet.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            offered: 0,
            answered: 0,
            cancelled: 0,
            failed: BTreeMap::new(),
            lag: histogram()?,
            ringing: histogram()?,
            setup: histogram()?,
            ringing_alone: histogram()?,
            lags: HashMap::new(),
        })
    }

    /// A call of this number has begun, so much later than it was due.
    pub fn begin(&mut self, number: u64, lag: Duration) {
        self.offered += 1;
        record(&mut self.lag, Some(lag));
        self.lags.insert(number, lag);
    }

    /// Adds one call that is over.
    pub fn add(&mut self, outcome: &Outcome) {
        let lag = self.lags.remove(&outcome.number).unwrap_or_default();
        record(&mut self.ringing_alone, outcome.ringing_after);
        record(
            &mut self.ringing,
            outcome.ringing_after.map(|after| after + lag),
        );
        record(
            &mut self.setup,
            outcome.answered_after.map(|after| after + lag),
        );
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
    while !load.arrivals.is_over() || caller.live() > 0 {
        if load.is_to_stop() && !load.arrivals.is_over() {
            load.arrivals.stop();
            end_all(caller);
        }
        begin_what_is_due(wire, caller, load, &mut tally, start).await?;
        let next_second = start + Duration::from_secs(seconds);
        wire.turn(caller, wake(load, caller, start).min(next_second))
            .await?;
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

/// Ends all calls that live, answered or not.
pub(crate) fn end_all(caller: &mut Caller) {
    let now = Instant::now();
    let live: Vec<u64> = caller.live_numbers().collect();
    for number in live {
        caller.cancel(now, number);
        caller.hang_up(now, number);
    }
}

/// When to look again: at the next call, unless it has to wait for another one's end.
fn wake(load: &Load, caller: &Caller, start: Instant) -> Instant {
    let far = Instant::now() + Duration::from_secs(1);
    match load.arrivals.next_due() {
        Some(due) if caller.live() < load.concurrent_max => {
            start.checked_add(due).map_or(far, |due| due.min(far))
        }
        _ => far,
    }
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
    for _ in 0..BURST_MAX {
        if caller.live() >= load.concurrent_max {
            break;
        }
        let Some(due) = load.arrivals.take(elapsed) else {
            break;
        };
        let plan = (load.plan)(tally.offered);
        let now = Instant::now();
        let number = caller.place(now, plan);
        tally.begin(number, now.saturating_duration_since(start + due));
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

    #[test]
    fn latencies_count_from_when_a_call_was_due() {
        let mut tally = Tally::new().unwrap();
        tally.begin(0, Duration::from_millis(20));
        let ringing_after = Some(Duration::from_millis(5));
        tally.add(&Outcome {
            ringing_after,
            ..outcome(Some(200), None)
        });
        let times = [
            &tally.lag,
            &tally.ringing_alone,
            &tally.ringing,
            &tally.setup,
        ];
        let times = times.map(|times| times.max() / 1000);
        assert_eq!(times, [20, 5, 25, 32]);
        assert!(tally.lags.is_empty());
    }
}
