//! Plots as SVG, drawn here: a report opens from disk, without a network and without a script.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 28.0;
/// Colours that are told apart in print and by most eyes.
const COLOURS: [&str; 8] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31",
];

/// One line of a plot: its name and a value for each second from 1.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) values: Vec<f64>,
}

/// How values are laid out from the bottom to the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero.
    Linear,
    /// Decade by decade, from a tenth.
    Logarithmic,
}

/// What a logarithmic plot begins with.
const LEAST: f64 = 0.1;

impl Scale {
    /// The upper end for these values.
    fn top(self, most: f64) -> f64 {
        match self {
            Self::Linear => ceiling(most),
            Self::Logarithmic => 10_f64.powf(most.max(1.0).log10().ceil()),
        }
    }

    /// How far up a value stands, from 0 to 1.
    fn height(self, value: f64, top: f64) -> f64 {
        match self {
            Self::Linear => value / top,
            Self::Logarithmic => (value.max(LEAST) / LEAST).log10() / (top / LEAST).log10(),
        }
    }

    /// The values that have a line of their own.
    fn marks(self, top: f64) -> Vec<f64> {
        match self {
            Self::Linear => (0..=4)
                .map(|quarter| top * f64::from(quarter) / 4.0)
                .collect(),
            Self::Logarithmic => {
                let decades = std::iter::successors(Some(LEAST), |mark| Some(mark * 10.0));
                decades.take_while(|mark| *mark <= top * 1.01).collect()
            }
        }
    }
}

/// Text as it may stand in XML.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(' '),
            control if control < ' ' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Values over the seconds of a run.
pub(super) fn lines(unit: &str, scale: Scale, series: &[Series]) -> String {
    let seconds = series.iter().map(|line| line.values.len()).max();
    let seconds = seconds.unwrap_or(0).max(1);
    let values = series.iter().flat_map(|line| line.values.iter().copied());
    let top = scale.top(values.fold(0.0, f64::max));
    let x = |second: usize| LEFT + (WIDTH - LEFT - RIGHT) * of(second, seconds);
    let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * scale.height(value, top);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">"
    );
    for value in scale.marks(top) {
        let at = y(value);
        svg += &format!(
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\" class=\"grid\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" class=\"axis\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            short(value)
        );
    }
    for tick in 0..=5_usize {
        let second = seconds * tick / 5;
        svg += &format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"axis\" text-anchor=\"middle\">{second} s</text>",
            x(second),
            HEIGHT - 8.0
        );
    }
    for (line, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        let mut points = String::new();
        for (place, value) in line.values.iter().enumerate() {
            // Writing to a String does not fail.
            let _written = write!(points, "{:.1},{:.1} ", x(place + 1), y(*value));
        }
        svg += &format!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" points=\"{}\"/>",
            points.trim_end()
        );
        // A line of one point is none.
        if let [only] = line.values.as_slice() {
            svg += &format!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\" fill=\"{colour}\"/>",
                x(1),
                y(*only)
            );
        }
    }
    svg += "</svg>";
    let legend = series
        .iter()
        .zip(COLOURS.iter().cycle())
        .map(|(line, colour)| {
            format!(
                "<span><i style=\"background:{colour}\"></i>{}</span>",
                escaped(&line.name)
            )
        });
    let legend: String = legend.collect();
    format!(
        "<figure>{svg}<figcaption>{} {legend}</figcaption></figure>",
        escaped(unit)
    )
}

/// Counts beside each other.
pub(super) fn bars(rows: &[(String, u64)]) -> String {
    let most = rows.iter().map(|(_, count)| *count).max();
    let most = to_f64(most.unwrap_or(0).max(1));
    let rows = rows.iter().map(|(name, count)| {
        format!(
            "<tr><td>{}</td><td class=\"n\">{count}</td><td class=\"bar\"><i style=\"width:{:.1}%\"></i></td></tr>",
            escaped(name),
            to_f64(*count) / most * 100.0
        )
    });
    let rows: String = rows.collect();
    format!("<table>{rows}</table>")
}

/// The next round number at or above: 1, 2 or 5 with zeros.
fn ceiling(value: f64) -> f64 {
    let mut step = 1e-3;
    while step < 1e12 {
        for factor in [1.0, 2.0, 5.0] {
            if value <= step * factor {
                return step * factor;
            }
        }
        step *= 10.0;
    }
    value
}

fn short(value: f64) -> String {
    if value >= 10_000.0 {
        format!("{:.0}k", value / 1_000.0)
    } else if value >= 10.0 || value == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

fn of(part: usize, all: usize) -> f64 {
    to_f64(u64::try_from(part).unwrap_or(0)) / to_f64(u64::try_from(all).unwrap_or(1))
}

/// Counts are far below what stays exact.
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        let values = [0.0, 0.4, 3.0, 5.0, 5.1, 1_999.0, 20_001.0];
        let ends = values.map(ceiling);
        assert_eq!(ends[2..], [5.0, 5.0, 10.0, 2_000.0, 50_000.0]);
        assert!(ends[0] > 0.0 && (ends[1] - 0.5).abs() < 1e-9);
    }

    #[test]
    fn decades_stand_equally_far_apart() {
        let scale = Scale::Logarithmic;
        let top = scale.top(2_042.0);
        assert_eq!(top, 10_000.0);
        assert_eq!(scale.marks(top).len(), 6);
        for (value, height) in [
            (0.0, 0.0),
            (0.1, 0.0),
            (1.0, 0.2),
            (10.0, 0.4),
            (10_000.0, 1.0),
        ] {
            assert!((scale.height(value, top) - height).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn a_plot_has_its_lines_and_escapes_its_names() {
        let series = ["a<b", "c"].map(|name| Series {
            name: name.into(),
            values: vec![1.0, 2.0],
        });
        let plot = lines("calls", Scale::Linear, &series);
        assert_eq!(plot.matches("<polyline").count(), 2);
        assert!(plot.contains("a&lt;b") && !plot.contains("NaN"), "{plot}");
        assert!(!lines("calls", Scale::Logarithmic, &[]).contains("NaN"));
        assert!(bars(&[("x&y".into(), 3)]).contains("x&amp;y</td><td class=\"n\">3<"));
    }
}
