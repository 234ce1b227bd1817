//! The report of a scenario as one page.

use super::assertion::NAMES;
use super::chart::{Scale, Series, bars, escaped, lines};
use super::file::Scenario;
use super::play::Ending;
use super::sample::Sample;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:820px;margin:2em auto;padding:0 1em;color:#222}\
h1{font-size:1.5em}h2{font-size:1.1em;margin-top:1.8em}figure{margin:0}svg{width:100%;height:auto}\
.grid{stroke:#ddd}.axis{font-size:11px;fill:#666}figcaption{color:#666;font-size:13px}\
figcaption span{margin-left:1em;white-space:nowrap}figcaption i{display:inline-block;width:.8em;height:.8em;margin-right:.3em}\
table{border-collapse:collapse;width:100%}td{padding:.15em .6em .15em 0;border-bottom:1px solid #eee;vertical-align:top}\
.n{text-align:right;font-variant-numeric:tabular-nums}.bar{width:35%}.bar i{display:block;height:.8em;margin-top:.4em;background:#d55e00}\
.good{color:#00754a}.bad{color:#b3261e;font-weight:600}";

/// The whole page. It needs nothing beside it.
#[must_use]
pub fn html(name: &str, scenario: &Scenario, ending: &Ending) -> String {
    let verdict = if ending.is_good() {
        "<span class=\"good\">every assertion holds</span>"
    } else if ending.was_interrupted {
        "<span class=\"bad\">ended before its time</span>"
    } else {
        "<span class=\"bad\">FAILED</span>"
    };
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{0}</title><style>{STYLE}</style>\
         <h1>{0}: {verdict}</h1><p>{1} Seed {2}.</p>",
        escaped(name),
        escaped(&scenario.about),
        scenario.seed
    );
    page += "<h2>Assertions</h2>";
    page += &assertions(ending);
    page += &plots(ending);
    page += &peer_table(ending);
    page += "<h2>Failures by cause</h2>";
    let failures: Vec<(String, u64)> = ending.failures.clone().into_iter().collect();
    page += &if failures.is_empty() {
        "<p>None.</p>".to_owned()
    } else {
        bars(&failures)
    };
    if !ending.complaints.is_empty() {
        page += "<h2>What was wrong in messages</h2><ul>";
        for complaint in ending.complaints.iter().take(20) {
            page += &format!("<li>{}</li>", escaped(complaint));
        }
        page += "</ul>";
    }
    page += "<h2>Figures</h2>";
    page += &figures(ending);
    page += "</html>\n";
    page
}

/// All that is drawn over the seconds of the run.
fn plots(ending: &Ending) -> String {
    let samples = &ending.samples;
    let mut page = "<h2>Rate</h2>".to_owned();
    let rate = [
        ("begun", each_second(samples, |sample| sample.offered)),
        (
            "answered and ended well",
            each_second(samples, |sample| sample.answered),
        ),
        ("failed", each_second(samples, |sample| sample.failed)),
    ];
    page += &lines("calls a second", Scale::Linear, &rate.map(named));
    page += "<h2>Latency</h2>";
    let latency = [("p50", 0), ("p99", 1), ("longest", 2)].map(|(name, place)| {
        let values = samples.iter().map(|sample| {
            let micros = sample.latency_us.get(place).copied();
            to_f64(micros.unwrap_or_default()) / 1000.0
        });
        named((name, values.collect()))
    });
    page += &lines(
        "milliseconds, from when a call was due, of the calls of each second",
        Scale::Logarithmic,
        &latency,
    );
    page += "<h2>Calls under way</h2>";
    let under_way = samples.iter().map(|sample| to_f64(sample.live));
    page += &lines(
        "calls",
        Scale::Linear,
        &[named(("with the caller", under_way.collect()))],
    );
    page += "<h2>Sessions at each peer</h2>";
    let peers = ending.peers.iter().enumerate().map(|(place, peer)| {
        let values = samples.iter().map(|sample| {
            let live = sample.peers.get(place).copied();
            to_f64(live.unwrap_or_default())
        });
        named((&peer.name, values.collect()))
    });
    page += &lines("calls", Scale::Linear, &peers.collect::<Vec<_>>());
    page
}

fn assertions(ending: &Ending) -> String {
    let rows = ending.judged.iter().map(|(assertion, holds)| {
        let value = ending.figures.get(assertion.figure);
        let value = value.map_or_else(|| "not measured".to_owned(), |value| number(*value));
        let (class, word) = if *holds {
            ("good", "holds")
        } else {
            ("bad", "does not hold")
        };
        format!(
            "<tr><td>{}</td><td class=\"n\">{value}</td><td class=\"{class}\">{word}</td></tr>",
            escaped(&assertion.to_string())
        )
    });
    let rows: String = rows.collect();
    format!("<table>{rows}</table>")
}

fn peer_table(ending: &Ending) -> String {
    let rows = ending.peers.iter().map(|peer| {
        let fate = match (peer.is_dead, peer.unheard) {
            (true, _) => "died".to_owned(),
            (false, 0) => String::new(),
            (false, unheard) => format!("{unheard} messages unheard"),
        };
        format!(
            "<tr><td>{}</td><td class=\"n\">{} calls</td><td>{fate}</td></tr>",
            escaped(&peer.name),
            peer.calls
        )
    });
    let rows: String = rows.collect();
    format!("<table>{rows}</table>")
}

fn figures(ending: &Ending) -> String {
    let rows = ending.figures.iter().map(|(name, value)| {
        let meaning = NAMES.iter().find(|(known, _)| known == name);
        let meaning = meaning.map_or("", |(_, meaning)| *meaning);
        format!(
            "<tr><td>{name}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            number(*value),
            escaped(meaning)
        )
    });
    let rows: String = rows.collect();
    format!("<table>{rows}</table>")
}

/// Counts as they are, others with three digits behind the point.
pub(super) fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

fn named((name, values): (&str, Vec<f64>)) -> Series {
    Series {
        name: name.to_owned(),
        values,
    }
}

/// What came in each second, of a count that only grows.
fn each_second(samples: &[Sample], count: impl Fn(&Sample) -> u64) -> Vec<f64> {
    let mut last = 0;
    let values = samples.iter().map(|sample| {
        let now = count(sample);
        let grown = now.saturating_sub(last);
        last = now;
        to_f64(grown)
    });
    values.collect()
}

/// Counts are far below what stays exact.
fn to_f64(count: u64) -> f64 {
    count as f64
}
