//! `baton dns check NAME`: where calls to a name would go, and how that was found (SIP-13).
//!
//! The same procedure as the node's, with every question, answer and conclusion told.

use super::FAILURE;
use crate::config::{Config, Dns, destination};
use crate::shell::names::{self, Lookup};
use signaling::sip::locate::{Answer, Data, Location, Record, Rules, Service, Step};
use std::io::{self, Write};
use std::time::Duration;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Looks a name up and tells how; the exit code says whether there is a target.
pub(super) fn check(
    name: &str,
    config: Option<&Config>,
    form: Form,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let text = if name.contains(':') {
        name.to_owned()
    } else {
        format!("sip:{name}")
    };
    let destination = match destination::parse(&text) {
        Ok(destination) => destination,
        Err(why) => {
            writeln!(err, "baton: {why}")?;
            return Ok(super::USAGE);
        }
    };
    let (rules, dns) = match config {
        Some(config) => (names::rules(config, 0), config.dns.clone()),
        None => (names::rules_of_all(), Dns::default()),
    };
    let lookup = match names::look_up(&[destination], &rules, &dns) {
        Ok(lookup) => lookup,
        Err(error) => {
            writeln!(err, "baton: {error:#}")?;
            return Ok(FAILURE);
        }
    };
    let Some(location) = lookup.locations.first() else {
        return Ok(FAILURE);
    };
    match form {
        Form::Text => tell(&text, &rules, &lookup, location, out)?,
        Form::Json => writeln!(out, "{}", json(&text, &lookup, location))?,
    }
    Ok(if location.targets.is_empty() {
        FAILURE
    } else {
        0
    })
}

fn tell(
    name: &str,
    rules: &Rules,
    lookup: &Lookup,
    location: &Location,
    out: &mut dyn Write,
) -> io::Result<()> {
    let servers: Vec<String> = lookup.servers.iter().map(ToString::to_string).collect();
    let servers = if servers.is_empty() {
        "none known".to_owned()
    } else {
        servers.join(", ")
    };
    writeln!(out, "{name}, asked of: {servers}")?;
    let unspoken = Service::ALL
        .into_iter()
        .filter(|service| !rules.spoken.families(*service).any());
    for service in unspoken {
        writeln!(out, "no listener speaks {service}: it is not asked for")?;
    }
    for step in &location.steps {
        match step {
            Step::Asked(question, answer) => {
                writeln!(out, "{question}?")?;
                for line in lines(answer) {
                    writeln!(out, "    {line}")?;
                }
            }
            Step::Concluded(section, text) => writeln!(out, "[{section}] {text}")?,
        }
    }
    match location.why_none {
        Some(why) => writeln!(out, "no target: {why}")?,
        None => writeln!(out, "targets, in the order in which they are tried:")?,
    }
    for (target, number) in location.targets.iter().zip(1..) {
        write!(out, "{number:>4}. {target}")?;
        if let Some(host) = &target.host {
            write!(out, "  {host}")?;
        }
        if let Some(priority) = target.priority {
            write!(out, "  priority {priority}")?;
        }
        writeln!(out)?;
    }
    if let Some(left) = left(lookup, location) {
        writeln!(out, "this holds for {} s", left.as_secs())?;
    }
    Ok(())
}

fn lines(answer: &Answer) -> Vec<String> {
    match answer {
        Answer::Records(records) => {
            let line = |record: &Record| format!("{} {}", record.ttl.as_secs(), record.data);
            let mut lines: Vec<String> = records.iter().map(line).collect();
            let is_alias = |record: &Record| matches!(record.data, Data::Alias(_));
            // Servers rotate what they say; an alias stays before what it leads to.
            if !records.iter().any(is_alias) {
                lines.sort();
            }
            lines
        }
        Answer::Absent { exists: true, .. } => vec!["no such record".to_owned()],
        Answer::Absent { exists: false, .. } => vec!["no such name".to_owned()],
        Answer::Failed(failure) => vec![format!("failed: {failure}")],
    }
}

fn left(lookup: &Lookup, location: &Location) -> Option<Duration> {
    let expires = location.expires?;
    Some(expires.saturating_duration_since(lookup.at))
}

fn json(name: &str, lookup: &Lookup, location: &Location) -> String {
    let steps = location.steps.iter().map(|step| match step {
        Step::Asked(question, answer) => format!(
            "{{\"question\":{},\"answer\":{}}}",
            quoted(&question.to_string()),
            list(lines(answer).iter().map(|line| quoted(line)))
        ),
        Step::Concluded(section, text) => {
            format!(
                "{{\"section\":{},\"text\":{}}}",
                quoted(section),
                quoted(text)
            )
        }
    });
    let targets = location.targets.iter().map(|target| {
        let host = target.host.as_ref().map(ToString::to_string);
        format!(
            "{{\"transport\":{},\"address\":{},\"host\":{},\"priority\":{}}}",
            quoted(target.service.as_str()),
            quoted(&target.address.to_string()),
            host.map_or_else(|| "null".to_owned(), |host| quoted(&host)),
            number(target.priority.map(u64::from))
        )
    });
    let why = location.why_none.map(|why| quoted(&why.to_string()));
    format!(
        "{{\"name\":{},\"servers\":{},\"steps\":{},\"targets\":{},\"reason\":{},\"seconds_left\":{}}}",
        quoted(name),
        list(
            lookup
                .servers
                .iter()
                .map(|server| quoted(&server.to_string()))
        ),
        list(steps),
        list(targets),
        why.unwrap_or_else(|| "null".to_owned()),
        number(left(lookup, location).map(|left| left.as_secs()))
    )
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "null".to_owned(), |number| number.to_string())
}

/// A JSON string (RFC 8259 §7).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control < ' ' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(control)));
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
    fn strings_of_json() {
        assert_eq!(quoted("a \"b\" \\ \n é"), "\"a \\\"b\\\" \\\\ \\u000a é\"");
    }
}
