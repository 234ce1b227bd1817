//! What is printed: a line a second and a summary, or one JSON object.

use super::Judgement;
use loadtest::json::{object, percentiles};
use loadtest::load::{Tally, milliseconds};
use std::io::{self, Write};
use std::time::Duration;

/// A delay of the generator itself beyond which its figures are doubtful.
const LAG_WORTH_TELLING: Duration = Duration::from_millis(250);

/// The line of one second.
pub(super) fn second(
    out: &mut impl Write,
    second: u64,
    tally: &Tally,
    live: usize,
) -> io::Result<()> {
    writeln!(
        out,
        "{second:>5} s  offered {:>8}  live {live:>7}  answered {:>8}  failed {:>5}  p99 due-200 {}",
        tally.offered,
        tally.answered,
        tally.failures(),
        milliseconds(&tally.setup, 99.0),
    )?;
    out.flush()
}

/// The end, for people.
pub(super) fn summary(out: &mut impl Write, judgement: &Judgement) -> io::Result<()> {
    let tally = &judgement.tally;
    writeln!(
        out,
        "offered {}  answered {}  failed {}",
        tally.offered,
        tally.answered,
        tally.failures()
    )?;
    for (why, count) in &tally.failed {
        writeln!(out, "  {count} x {why}")?;
    }
    for (what, histogram) in [
        ("due to 180   ", &tally.ringing),
        ("INVITE to 180", &tally.ringing_alone),
        ("due to 200   ", &tally.setup),
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
    writeln!(
        out,
        "repeated: {} by the caller, {} by the peer; {} and {} came twice; {} ACKs missing; calls began late by p50 {}, p99 {}, at most {}",
        judgement.caller.repeated,
        judgement.peer.repeated,
        judgement.caller.absorbed,
        judgement.peer.absorbed,
        judgement.acks_missing,
        milliseconds(&tally.lag, 50.0),
        milliseconds(&tally.lag, 99.0),
        milliseconds(&tally.lag, 100.0),
    )?;
    if Duration::from_micros(tally.lag.max()) > LAG_WORTH_TELLING {
        writeln!(
            out,
            "this machine did not keep the rate: latencies say little"
        )?;
    }
    if let Some(what) = &judgement.left_over {
        writeln!(out, "  wrong: {what}")?;
    }
    for complaint in judgement.complaints.iter().take(20) {
        writeln!(out, "  wrong: {complaint}")?;
    }
    writeln!(
        out,
        "{}",
        if judgement.is_good() {
            "every call went as planned"
        } else {
            "FAILED"
        }
    )
}

/// The end, for programs.
pub(super) fn json(out: &mut impl Write, judgement: &Judgement) -> io::Result<()> {
    let tally = &judgement.tally;
    writeln!(
        out,
        "{{\"ok\":{},\"offered\":{},\"answered\":{},\"failed\":{},\"reasons\":{},\"complaints\":{},\"acks_missing\":{},\
         \"repeated\":{{\"caller\":{},\"peer\":{}}},\"lag_us\":{},\"ringing_us\":{},\"ringing_alone_us\":{},\"setup_us\":{}}}",
        judgement.is_good(),
        tally.offered,
        tally.answered,
        tally.failures(),
        object(&tally.failed),
        judgement.complaint_count,
        judgement.acks_missing,
        judgement.caller.repeated,
        judgement.peer.repeated,
        percentiles(&tally.lag),
        percentiles(&tally.ringing),
        percentiles(&tally.ringing_alone),
        percentiles(&tally.setup),
    )
}
