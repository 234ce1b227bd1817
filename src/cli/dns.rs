//! `baton dns check NAME`: where calls to a name would go, and how that was found (SIP-13).
//!
//! The same procedure as the node's, with every question, answer and conclusion told.

use super::operate::Output;
use super::{FAILURE, USAGE};
use crate::config::{Config, Dns, destination};
use crate::observe::json::Json;
use crate::shell::names::{self, Lookup};
use signaling::sip::locate::{Answer, Data, Location, Record, Rules, Service, Step, Target};
use std::io::{self, Write};
use std::time::Duration;

/// Looks a name up and tells how; the exit code says whether there is a target.
pub(super) fn check(
    name: &str,
    config: Option<&Config>,
    form: Output,
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
            return Ok(USAGE);
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
        Output::Table => tell(&text, &rules, &lookup, location, out)?,
        Output::Json => writeln!(out, "{}", json(&text, &lookup, location))?,
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

fn json(name: &str, lookup: &Lookup, location: &Location) -> Json {
    let step = |step: &Step| match step {
        Step::Asked(question, answer) => {
            let answer = lines(answer).into_iter().map(Json::Text).collect();
            let question = Json::text(question.to_string());
            Json::Object(vec![("question", question), ("answer", Json::List(answer))])
        }
        Step::Concluded(section, text) => Json::Object(vec![
            ("section", Json::text(*section)),
            ("text", Json::text(text)),
        ]),
    };
    let target = |target: &Target| {
        let host = target.host.as_ref().map(ToString::to_string);
        Json::Object(vec![
            ("transport", Json::text(target.service.as_str())),
            ("address", Json::text(target.address.to_string())),
            ("host", host.map_or(Json::Null, Json::Text)),
            ("priority", whole(target.priority.map(u64::from))),
        ])
    };
    let servers = lookup.servers.iter();
    let servers = servers.map(|server| Json::text(server.to_string()));
    let why = location.why_none.map(|why| why.to_string());
    let seconds_left = left(lookup, location).map(|left| left.as_secs());
    Json::Object(vec![
        ("name", Json::text(name)),
        ("servers", Json::List(servers.collect())),
        (
            "steps",
            Json::List(location.steps.iter().map(step).collect()),
        ),
        (
            "targets",
            Json::List(location.targets.iter().map(target).collect()),
        ),
        ("reason", why.map_or(Json::Null, Json::Text)),
        ("seconds_left", whole(seconds_left)),
    ])
}

fn whole(number: Option<u64>) -> Json {
    number.map_or(Json::Null, Json::from)
}
