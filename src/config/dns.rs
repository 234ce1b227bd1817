//! `[dns]`: where names are looked up, and for how long an answer is used.

use super::Placed;
use super::mistake::Findings;
use super::section::{Section, is_written, kind};
use signaling::sip::locate::{Name, Prefer, Times};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// Where names are looked up, and for how long an answer is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// `servers`: whom to ask, in this order; empty: those of `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// `timeout_ms`: how long one try may take.
    pub timeout: Duration,
    /// `attempts`: how often each question is asked before it has failed.
    pub attempts: usize,
    /// `prefer`: the address family that is tried first where a host has both.
    pub prefer: Prefer,
    /// How long answers are used.
    pub times: Times,
    /// `[[dns.host]]`: names that no server is asked for.
    pub hosts: BTreeMap<Name, Vec<IpAddr>>,
}

pub(super) const KEYS: &[&str] = &[
    "servers",
    "timeout_ms",
    "attempts",
    "prefer",
    "ttl_seconds_min",
    "ttl_seconds_max",
    "negative_seconds_max",
    "stale_seconds_max",
    "host",
];
pub(super) const HOST_KEYS: &[&str] = &["name", "addresses"];

/// The port of name servers.
const PORT: u16 = 53;
const HOST_EXAMPLE: &str = "bridge-1.example.com";

impl Default for Dns {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(2),
            attempts: 2,
            prefer: Prefer::Ipv6,
            times: Times::default(),
            hosts: BTreeMap::new(),
        }
    }
}

impl Dns {
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Self {
        let default = Self::default();
        let families = [("ipv6", Prefer::Ipv6), ("ipv4", Prefer::Ipv4)];
        Self {
            servers: read_servers(section),
            timeout: section.milliseconds("timeout_ms", 100..=30_000, default.timeout),
            attempts: section.number("attempts", 1..=10, default.attempts),
            prefer: section.choice("prefer", &families, default.prefer),
            times: read_times(section, default.times),
            hosts: read_hosts(section),
        }
    }
}

fn read_times(section: &mut Section<'_, '_, '_>, default: Times) -> Times {
    let times = Times {
        ttl_min: section.seconds("ttl_seconds_min", 1..=3_600, default.ttl_min),
        ttl_max: section.seconds("ttl_seconds_max", 1..=604_800, default.ttl_max),
        negative_max: section.seconds("negative_seconds_max", 1..=86_400, default.negative_max),
        stale_max: section.seconds("stale_seconds_max", 0..=31_536_000, default.stale_max),
        ..default
    };
    if times.ttl_min > times.ttl_max {
        let (least, most) = (times.ttl_min.as_secs(), times.ttl_max.as_secs());
        let written = ["ttl_seconds_min", "ttl_seconds_max"];
        let at = written.into_iter().find_map(|key| section.value(key));
        let at = at.map_or_else(|| section.at(), |value| value.span().start);
        let message = format!(
            "`ttl_seconds_min` ({least}) is more than `ttl_seconds_max` ({most}); write at most \
             `ttl_seconds_min = {most}`"
        );
        section.findings().add(at, message);
    }
    times
}

/// `"192.0.2.53"` or `"192.0.2.53:5353"`, IPv6 addresses with a port in brackets.
fn read_servers(section: &mut Section<'_, '_, '_>) -> Vec<SocketAddr> {
    let Some(value) = section.value("servers") else {
        return Vec::new();
    };
    let Some(entries) = list(value, "servers", "[\"192.0.2.53\"]", section.findings()) else {
        return Vec::new();
    };
    let mut servers = Vec::new();
    for (entry, text) in texts(entries) {
        let parsed = text.and_then(|text| {
            let plain = text.parse().map(|ip: IpAddr| SocketAddr::new(ip, PORT));
            plain.or_else(|_| text.parse::<SocketAddr>()).ok()
        });
        match parsed.filter(|server| !server.ip().is_unspecified() && server.port() != 0) {
            Some(server) => servers.push(server),
            None => section.findings().add(
                entry.span().start,
                "a name server is an address, such as `\"192.0.2.53\"` or `\"192.0.2.53:5353\"`",
            ),
        }
    }
    servers
}

fn read_hosts(section: &mut Section<'_, '_, '_>) -> BTreeMap<Name, Vec<IpAddr>> {
    let mut hosts = BTreeMap::new();
    let Some(value) = section.value("host") else {
        return hosts;
    };
    let Some(entries) = value.get_ref().as_array() else {
        let message = "there may be several hosts; write `[[dns.host]]`";
        section.findings().add(value.span().start, message);
        return hosts;
    };
    for entry in entries.iter().filter(|entry| is_written(entry)) {
        let Some((at, name, addresses)) = read_host(entry, section.findings()) else {
            continue;
        };
        if hosts.contains_key(&name) {
            let message = format!("`{name}` has its addresses already; put them into one list");
            section.findings().add(at, message);
            continue;
        }
        hosts.insert(name, addresses);
    }
    hosts
}

fn read_host<'t>(
    entry: &'t Spanned<DeValue<'t>>,
    findings: &mut Findings<'_>,
) -> Option<(usize, Name, Vec<IpAddr>)> {
    let at = entry.span().start;
    let Some(table) = entry.get_ref().as_table() else {
        let found = kind(entry.get_ref());
        findings.add(
            at,
            format!("a host is {found}; write `[[dns.host]]` above its keys"),
        );
        return None;
    };
    let table = Placed { at, value: table };
    let mut section = Section::open("dns.host", table, HOST_KEYS, findings);
    let text = section.text_required("name", HOST_EXAMPLE);
    let addresses = read_addresses(&mut section);
    let text = text?;
    let name = Name::new(text.value);
    if name.is_none() {
        let message = format!(
            "`{}` is no host name; write it like `{HOST_EXAMPLE}`",
            text.value
        );
        section.findings().add(text.at, message);
    }
    Some((at, name?, addresses?))
}

fn read_addresses(section: &mut Section<'_, '_, '_>) -> Option<Vec<IpAddr>> {
    const EXAMPLE: &str = "[\"192.0.2.10\"]";
    let at = section.at();
    let Some(value) = section.value("addresses") else {
        let message = format!("`[[dns.host]]` needs `addresses`, such as `addresses = {EXAMPLE}`");
        section.findings().add_absent(at, message);
        return None;
    };
    let entries = list(value, "addresses", EXAMPLE, section.findings())?;
    let mut addresses = Vec::new();
    for (entry, text) in texts(entries) {
        let usable = |ip: &IpAddr| !ip.is_unspecified() && !ip.is_multicast();
        match text.and_then(|text| text.parse().ok()).filter(usable) {
            Some(address) => addresses.push(address),
            None => {
                let message = "an address of a host is written like `\"192.0.2.10\"`";
                section.findings().add(entry.span().start, message);
                return None;
            }
        }
    }
    if addresses.is_empty() {
        let message = format!("the host has no address; write `addresses = {EXAMPLE}`");
        section.findings().add(value.span().start, message);
        return None;
    }
    Some(addresses)
}

fn list<'t>(
    value: &'t Spanned<DeValue<'t>>,
    key: &str,
    example: &str,
    findings: &mut Findings<'_>,
) -> Option<&'t [Spanned<DeValue<'t>>]> {
    let entries = value.get_ref().as_array();
    if entries.is_none() {
        let found = kind(value.get_ref());
        let message = format!("`{key}` is {found}; it takes a list: `{key} = {example}`");
        findings.add(value.span().start, message);
    }
    entries.map(|entries| &**entries)
}

fn texts<'t>(
    entries: &'t [Spanned<DeValue<'t>>],
) -> impl Iterator<Item = (&'t Spanned<DeValue<'t>>, Option<&'t str>)> {
    let written = entries.iter().filter(|entry| is_written(entry));
    written.map(|entry| (entry, entry.get_ref().as_str()))
}
