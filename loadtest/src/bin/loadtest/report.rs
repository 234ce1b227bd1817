//! What is printed: a line a second and a summary, or one JSON object.

use super::Judgement;
use hdrhistogram::Histogram;
use loadtest::load::{Tally, milliseconds};
use std::collections::BTreeMap;
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
        "{second:>5} s  offered {:>8}  live {live:>7}  answered {:>8}  failed {:>5}  p99 INVITE-200 {}",
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
        ("INVITE to 180", &tally.ringing),
        ("INVITE to 200", &tally.setup),
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
        "repeated: {} by the caller, {} by the peer; {} and {} came twice; {} ACKs missing; calls began at most {} ms late",
        judgement.caller.repeated,
        judgement.peer.repeated,
        judgement.caller.absorbed,
        judgement.peer.absorbed,
        judgement.acks_missing,
        tally.lag_max.as_millis(),
    )?;
    if tally.lag_max > LAG_WORTH_TELLING {
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
         \"repeated\":{{\"caller\":{},\"peer\":{}}},\"lag_max_us\":{},\"ringing_us\":{},\"setup_us\":{}}}",
        judgement.is_good(),
        tally.offered,
        tally.answered,
        tally.failures(),
        object(&tally.failed),
        judgement.complaint_count,
        judgement.acks_missing,
        judgement.caller.repeated,
        judgement.peer.repeated,
        tally.lag_max.as_micros(),
        percentiles(&tally.ringing),
        percentiles(&tally.setup),
    )
}

/// Counts by name as JSON writes them.
pub(super) fn object(counts: &BTreeMap<String, u64>) -> String {
    let members: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{}:{count}", quoted(name)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A histogram as JSON writes it.
pub(super) fn percentiles(histogram: &Histogram<u64>) -> String {
    let at = |percentile| histogram.value_at_percentile(percentile);
    format!(
        "{{\"count\":{},\"p50\":{},\"p90\":{},\"p99\":{},\"max\":{}}}",
        histogram.len(),
        at(50.0),
        at(90.0),
        at(99.0),
        histogram.max()
    )
}

/// A text as JSON writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control < ' ' => {
                quoted += &format!("\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted_for_json() {
        assert_eq!(
            quoted("a \"b\" \\ \r\n é"),
            "\"a \\\"b\\\" \\\\ \\u000d\\u000a é\""
        );
    }
}
