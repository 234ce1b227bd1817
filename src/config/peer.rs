//! `[[peer]]`: where calls are sent.

use super::Placed;
use super::balancing::Balancing;
use super::mistake::Findings;
use super::section::{Root, Section, is_written, kind};
use super::tls::PeerTls;
use super::transport::{self, PeerTransport};
use balancer::PoolSettings;
use std::net::SocketAddr;
use toml::Spanned;
use toml::de::DeValue;

/// A Conductor or a conference bridge that calls are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `name`: how the peer is called in logs and figures; no two peers share one.
    pub name: String,
    /// The transport of `at`.
    pub transport: PeerTransport,
    /// The address of `at`.
    pub address: SocketAddr,
    /// `sessions_max`: how many sessions it takes; 0 sends it no call.
    pub sessions_max: u32,
    /// How it takes part in the choice.
    pub balancing: Balancing,
    /// `tls_ca`, `tls_name` and `tls_verify`: what its certificate must be.
    pub tls: PeerTls,
}

pub(super) const KEYS: &[&str] = &[
    "name",
    "at",
    "sessions_max",
    "pool",
    "new_limit",
    "existing_limit",
    "weight",
    "tags",
    "state",
    "tls_ca",
    "tls_name",
    "tls_verify",
];

pub(super) const EXAMPLE: &str = "udp:192.0.2.10:5060";

/// The peers in the order of the file; `None` for each that could not be read, which is noted.
pub(super) fn read(
    root: &Root<'_>,
    pools: &[Option<Placed<PoolSettings>>],
    findings: &mut Findings<'_>,
) -> Vec<Option<Placed<Peer>>> {
    let Some(value) = root.value("peer") else {
        return Vec::new();
    };
    if let DeValue::Array(entries) = value.get_ref() {
        let entries = entries.iter().filter(|entry| is_written(entry));
        return entries
            .map(|entry| read_entry(entry, pools, findings))
            .collect();
    }
    let message = if value.get_ref().is_table() {
        "there may be several peers; write `[[peer]]`".to_owned()
    } else {
        let found = kind(value.get_ref());
        format!("`peer` is {found}; write `[[peer]]` above the keys of each peer")
    };
    findings.add(value.span().start, message);
    vec![None]
}

fn read_entry<'t>(
    entry: &'t Spanned<DeValue<'t>>,
    pools: &[Option<Placed<PoolSettings>>],
    findings: &mut Findings<'_>,
) -> Option<Placed<Peer>> {
    let at = entry.span().start;
    let DeValue::Table(table) = entry.get_ref() else {
        let found = kind(entry.get_ref());
        findings.add(
            at,
            format!("a peer is {found}; write `[[peer]]` above the keys of each"),
        );
        return None;
    };
    let mut section = Section::open("peer", Placed { at, value: table }, KEYS, findings);
    let name = section.text_required("name", "bridge-1");
    let name = name.filter(|name| section.name("name", name));
    let address = section.text_required("at", EXAMPLE);
    let sessions_max = section.number_required("sessions_max", 0..=1_000_000_000, 100);
    let balancing = Balancing::read(&mut section, pools, sessions_max);
    let tls = PeerTls::read(&mut section);
    let address = address.and_then(|text| read_address(&text, findings));
    let (transport, address) = address?;
    let peer = Peer {
        name: name?.value.to_owned(),
        transport,
        address,
        sessions_max: sessions_max?,
        balancing,
        tls,
    };
    Some(Placed { at, value: peer })
}

fn read_address(
    text: &Placed<&str>,
    findings: &mut Findings<'_>,
) -> Option<(PeerTransport, SocketAddr)> {
    let why = match transport::parse(text.value, &transport::PEER) {
        Err(why) => why,
        Ok((_, address)) if address.ip().is_unspecified() || address.ip().is_multicast() => {
            let ip = address.ip();
            format!("no call can be sent to {ip}; write the peer's address, such as `{EXAMPLE}`")
        }
        Ok((_, address)) if address.port() == 0 => {
            format!("no call can be sent to port 0; write the peer's port, such as `{EXAMPLE}`")
        }
        Ok(parsed) => return Some(parsed),
    };
    findings.add(text.at, why);
    None
}
