//! A page of figures: the Prometheus text format 0.0.4, or OpenMetrics 1.0 for those who ask for it.

use super::metrics::{Kind, Metric};
use std::fmt::{self, Display, Write};

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text.
    Text,
    /// OpenMetrics.
    OpenMetrics,
}

/// The figures of one scrape, family by family.
#[derive(Debug)]
pub struct Page {
    format: Format,
    text: String,
}

/// The samples of one metric.
#[derive(Debug)]
pub struct Family<'p> {
    page: &'p mut Page,
    metric: &'static Metric,
}

impl Format {
    /// What an `Accept` header asks for.
    #[must_use]
    pub fn wanted(accept: &str) -> Self {
        // Whoever can read OpenMetrics and lists it prefers it: Prometheus itself does so.
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// Its media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            text: String::with_capacity(16 * 1024),
        }
    }

    /// Begins a metric. Each is begun once on a page: its samples stand together.
    pub fn family(&mut self, metric: &'static Metric) -> Family<'_> {
        let (name, kind) = match (self.format, metric.kind) {
            (Format::OpenMetrics, Kind::Counter) => (without(metric.name, "_total"), "counter"),
            (Format::OpenMetrics, Kind::Info) => (without(metric.name, "_info"), "info"),
            (Format::Text, Kind::Counter) => (metric.name, "counter"),
            (Format::Text, Kind::Info) | (_, Kind::Gauge) => (metric.name, "gauge"),
            (_, Kind::Histogram) => (metric.name, "histogram"),
        };
        let head = format!("# HELP {name} {}\n# TYPE {name} {kind}\n", metric.help);
        debug_assert!(
            !self.text.contains(&format!("# TYPE {name} ")),
            "{name} is begun twice"
        );
        self.text.push_str(&head);
        Family { page: self, metric }
    }

    /// The whole page.
    #[must_use]
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn put(&mut self, part: fmt::Arguments<'_>) {
        let written = self.text.write_fmt(part);
        debug_assert!(written.is_ok(), "a text grows without failing");
    }
}

impl Family<'_> {
    /// One sample: the values of its labels in the order of the metric, then the figure.
    pub fn sample(&mut self, labels: &[&str], value: impl Display) {
        self.line("", labels, None, &value);
    }

    /// The samples of a histogram: how many values fell into each range, the last one beyond all
    /// bounds, and their sum.
    pub fn histogram(&mut self, labels: &[&str], bounds: &[f64], counts: &[u64], sum: f64) {
        debug_assert_eq!(bounds.len() + 1, counts.len(), "the last range is open");
        let mut total = 0;
        let bounds = bounds.iter().copied().chain([f64::INFINITY]);
        for (bound, count) in bounds.zip(counts) {
            total += count;
            self.line("_bucket", labels, Some(bound), &total);
        }
        self.line("_sum", labels, None, &sum);
        self.line("_count", labels, None, &total);
    }

    fn line(&mut self, suffix: &str, labels: &[&str], bound: Option<f64>, value: &dyn Display) {
        let Self { page, metric } = self;
        debug_assert_eq!(labels.len(), metric.labels.len(), "{}", metric.name);
        page.put(format_args!("{}{suffix}", metric.name));
        let mut separator = '{';
        for (name, value) in metric.labels.iter().zip(labels) {
            page.put(format_args!("{separator}{name}=\"{}\"", Escaped(value)));
            separator = ',';
        }
        match bound {
            Some(f64::INFINITY) => page.put(format_args!("{separator}le=\"+Inf\"}}")),
            Some(bound) => page.put(format_args!("{separator}le=\"{bound:?}\"}}")),
            None if separator == ',' => page.put(format_args!("}}")),
            None => {}
        }
        page.put(format_args!(" {value}\n"));
    }
}

fn without(name: &'static str, suffix: &str) -> &'static str {
    name.strip_suffix(suffix).unwrap_or(name)
}

/// The value of a label as it stands between quotes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static REQUESTS: Metric = Metric {
        name: "requests_total",
        kind: Kind::Counter,
        help: "Requests.",
        labels: &["method"],
    };
    static SECONDS: Metric = Metric {
        name: "seconds",
        kind: Kind::Histogram,
        help: "Seconds.",
        labels: &[],
    };
    static BUILD: Metric = Metric {
        name: "build_info",
        kind: Kind::Info,
        help: "Build.",
        labels: &["version"],
    };

    fn page(format: Format) -> String {
        let mut page = Page::new(format);
        let mut family = page.family(&REQUESTS);
        family.sample(&["INVITE"], 7);
        family.sample(&["a\"\\\n"], 0);
        page.family(&SECONDS)
            .histogram(&[], &[0.5, 1.0], &[1, 2, 3], 9.25);
        page.family(&BUILD).sample(&["1"], 1);
        page.finish()
    }

    #[test]
    fn prometheus_text() {
        let expected = "# HELP requests_total Requests.\n# TYPE requests_total counter\n\
             requests_total{method=\"INVITE\"} 7\nrequests_total{method=\"a\\\"\\\\\\n\"} 0\n\
             # HELP seconds Seconds.\n# TYPE seconds histogram\n\
             seconds_bucket{le=\"0.5\"} 1\nseconds_bucket{le=\"1.0\"} 3\n\
             seconds_bucket{le=\"+Inf\"} 6\nseconds_sum 9.25\nseconds_count 6\n\
             # HELP build_info Build.\n# TYPE build_info gauge\nbuild_info{version=\"1\"} 1\n";
        assert_eq!(page(Format::Text), expected);
    }

    #[test]
    fn open_metrics_names_families_and_ends() {
        let text = page(Format::OpenMetrics);
        assert!(text.contains("# TYPE requests counter\nrequests_total{"));
        assert!(text.contains("# TYPE build info\nbuild_info{"));
        assert!(text.ends_with("\n# EOF\n"));
    }

    #[test]
    fn open_metrics_is_for_those_who_ask() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3";
        assert_eq!(Format::wanted(prometheus), Format::OpenMetrics);
        assert_eq!(Format::wanted("*/*"), Format::Text);
        assert_eq!(Format::wanted(""), Format::Text);
    }
}
