//! The little JSON that reports need.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::fmt::Display;

/// A text.
#[must_use]
pub fn quoted(text: &str) -> String {
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

/// Figures by name.
#[must_use]
pub fn object<K: AsRef<str>, V: Display>(figures: &BTreeMap<K, V>) -> String {
    let members = figures.iter();
    let members = members.map(|(name, value)| format!("{}:{value}", quoted(name.as_ref())));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// Values that are JSON already.
#[must_use]
pub fn array(values: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", values.into_iter().collect::<Vec<_>>().join(","))
}

/// A histogram.
#[must_use]
pub fn percentiles(histogram: &Histogram<u64>) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted() {
        assert_eq!(
            quoted("a \"b\" \\ \r\n é"),
            "\"a \\\"b\\\" \\\\ \\u000d\\u000a é\""
        );
        let figures = BTreeMap::from([("a", 1.5), ("b", 2.0)]);
        assert_eq!(object(&figures), "{\"a\":1.5,\"b\":2}");
        assert_eq!(array(["1".into(), "{}".into()]), "[1,{}]");
    }
}
