//! `baton check FILE`: every mistake in a configuration, or one line that says what it holds.
//!
//! The file is read, and the names of peers are looked up: what is found is worth a warning where it
//! is not what a peer should have. No port is opened.

use super::{FAILURE, USAGE};
use crate::config::{Config, Mistake, Peer, PeerAt};
use crate::shell::names;
use signaling::sip::locate::{Destination, Location, Name};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::Path;

/// Larger files are no configurations: nothing of them is read into memory beyond this.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why there is no configuration.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It was read and has mistakes.
    Mistakes(Vec<Mistake>),
    /// It could not be read.
    Unreadable(String),
}

/// Tells the mistakes of a file, or that there are none; gives the exit code.
/// With `strict`, a warning is a failure.
pub(super) fn check(
    file: &Path,
    strict: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let name = file.display();
    match read(file) {
        Ok(config) => {
            let warnings = warnings(&config);
            for warning in &warnings {
                writeln!(out, "{name}: warning: {warning}")?;
            }
            if strict && !warnings.is_empty() {
                writeln!(out, "{name}: {}", count(warnings.len() as u64, "warning"))?;
                return Ok(FAILURE);
            }
            writeln!(out, "{name}: good: {}", summary(&config))?;
            Ok(0)
        }
        Err(Unusable::Mistakes(mistakes)) => {
            for mistake in &mistakes {
                writeln!(out, "{mistake}")?;
            }
            writeln!(out, "{name}: {}", count(mistakes.len() as u64, "mistake"))?;
            Ok(FAILURE)
        }
        Err(Unusable::Unreadable(why)) => {
            writeln!(err, "baton: {name}: {why}")?;
            Ok(USAGE)
        }
    }
}

/// Reads and checks a configuration file.
pub(super) fn read(file: &Path) -> Result<Config, Unusable> {
    let unreadable = |error: io::Error| Unusable::Unreadable(error.to_string());
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(unreadable)?;
    opened
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Unusable::Unreadable(
            "larger than 1 MiB, so no configuration".to_owned(),
        ));
    }
    let name = file.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => Config::parse(&text, &name).map_err(Unusable::Mistakes),
        Err(error) => {
            let end = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes());
            let message = "not UTF-8 text; save the file as UTF-8";
            Err(Unusable::Mistakes(vec![Mistake::at(
                &name, &text, end, message,
            )]))
        }
    }
}

/// What is wrong with where the names of peers lead now.
fn warnings(config: &Config) -> Vec<String> {
    let named = || {
        config
            .peers
            .iter()
            .filter(|peer| peer.at.destination().is_some())
    };
    let destinations: Vec<Destination> = named()
        .filter_map(|peer| peer.at.destination().cloned())
        .collect();
    if destinations.is_empty() {
        return Vec::new();
    }
    match names::look_up(&destinations, &names::rules(config, 0), &config.dns) {
        Ok(lookup) => named()
            .zip(&lookup.locations)
            .flat_map(|(peer, location)| warnings_of(peer, location))
            .collect(),
        Err(error) => vec![format!("names cannot be looked up: {error:#}")],
    }
}

fn warnings_of(peer: &Peer, location: &Location) -> Vec<String> {
    let name = &peer.name;
    let mut warnings = Vec::new();
    if let Some(why) = location.why_none {
        warnings.push(format!(
            "peer `{name}` at {} has no address: {why}",
            peer.at
        ));
    }
    let mut addresses: BTreeMap<&Name, BTreeSet<IpAddr>> = BTreeMap::new();
    for target in &location.targets {
        if let Some(host) = &target.host {
            addresses
                .entry(host)
                .or_default()
                .insert(target.address.ip());
        }
    }
    for (host, addresses) in addresses {
        let v4 = addresses.iter().filter(|address| address.is_ipv4()).count();
        // FEATURES.md ZON-07: a peer is one system; which of them counts its sessions is unknown.
        if v4 > 1 || addresses.len() - v4 > 1 {
            warnings.push(format!(
                "peer `{name}`: {host} has {} addresses; give each system a name of its own",
                addresses.len()
            ));
        }
    }
    let priorities: BTreeSet<_> = location.targets.iter().map(|t| t.priority).collect();
    if matches!(peer.at, PeerAt::Set { .. }) && priorities.len() > 1 {
        warnings.push(format!(
            "peer `{name}`: its hosts have several SRV priorities, and are equals here; write an \
             entry and a pool for those that are a reserve"
        ));
    }
    warnings
}

fn summary(config: &Config) -> String {
    let sessions = config
        .peers
        .iter()
        .filter(|peer| peer.sessions_max != balancer::UNKNOWN)
        .map(|peer| u64::from(peer.sessions_max))
        .sum();
    format!(
        "{}, {}, {}",
        count(config.sip.listen.len() as u64, "listener"),
        count(config.peers.len() as u64, "peer"),
        count(sessions, "session")
    )
}

fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
