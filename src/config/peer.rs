//! `[[peer]]`: where calls are sent.

use super::Placed;
use super::account::Account;
use super::balancing::Balancing;
use super::destination;
use super::mistake::Findings;
use super::section::{Root, Section, is_written, kind};
use super::tls::PeerTls;
use super::transport::{self, PeerTransport};
use balancer::{PoolSettings, UNKNOWN};
use signaling::sip::locate::Destination;
use std::fmt;
use std::net::SocketAddr;
use toml::Spanned;
use toml::de::DeValue;

/// A Conductor or a conference bridge that calls are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `name`: how the peer is called in logs and figures; no two peers share one.
    pub name: String,
    /// `at` and `lookup`: where it is.
    pub at: PeerAt,
    /// `sessions_max`: how many sessions it takes; 0 sends it no call, [`UNKNOWN`] is not a number.
    pub sessions_max: u32,
    /// How it takes part in the choice.
    pub balancing: Balancing,
    /// `tls_ca`, `tls_name` and `tls_verify`: what its certificate must be.
    pub tls: PeerTls,
    /// `realm`, `user` and `password`: who we are to it, if it asks.
    pub account: Option<Account>,
}

/// Where a peer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerAt {
    /// At an address.
    Address {
        /// How it is reached.
        transport: PeerTransport,
        /// Where it is.
        address: SocketAddr,
    },
    /// Where its name leads; one peer, whatever that is.
    Name(Destination),
    /// At each host that the name leads to stands a peer of its own (`lookup = "srv"`).
    Set {
        /// The name.
        destination: Destination,
        /// `peers_max`: how many hosts are used.
        peers_max: usize,
    },
}

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lookup {
    Host,
    Srv,
}

pub(super) const KEYS: &[&str] = &[
    "name",
    "at",
    "lookup",
    "peers_max",
    "sessions_max",
    "pool",
    "new_limit",
    "existing_limit",
    "weight",
    "tags",
    "state",
    "alias",
    "tls_ca",
    "tls_name",
    "tls_verify",
    "realm",
    "user",
    "password",
];
/// As a VCS does: 15 peers of a service record, up to 30 (FEATURES.md X-19).
const PEERS_MAX: usize = 15;
const PEERS_MOST: usize = 30;

pub(super) const EXAMPLE: &str = "udp:192.0.2.10:5060";

impl PeerAt {
    /// The name that is looked up, if it is one.
    #[must_use]
    pub fn destination(&self) -> Option<&Destination> {
        match self {
            Self::Address { .. } => None,
            Self::Name(destination) | Self::Set { destination, .. } => Some(destination),
        }
    }
}

impl fmt::Display for PeerAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address, .. } => write!(f, "{address}"),
            Self::Name(destination) | Self::Set { destination, .. } => {
                write!(f, "{}", destination::Written(destination))
            }
        }
    }
}

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
    let text = section.text_required("at", EXAMPLE);
    let words = [("host", Lookup::Host), ("srv", Lookup::Srv)];
    let lookup = section.choice("lookup", &words, Lookup::Host);
    let peers_max = section.number("peers_max", 1..=PEERS_MOST, PEERS_MAX);
    let sessions_max = read_sessions_max(&mut section);
    let balancing = Balancing::read(&mut section, pools, sessions_max);
    let tls = PeerTls::read(&mut section);
    let account_at = section.value("realm").map(|value| value.span().start);
    let account = Account::read(&mut section);
    let lookup_at = section.value("lookup").map(|value| value.span().start);
    let place = text.and_then(|text| read_place(&text, findings));
    let place = match (place?, lookup) {
        (PeerAt::Name(destination), Lookup::Srv) => PeerAt::Set {
            destination,
            peers_max,
        },
        (place @ PeerAt::Address { .. }, Lookup::Srv) => {
            let message = "`lookup = \"srv\"` is for a name, such as `at = \
                           \"sip:bridges.example.com\"`: take it out";
            findings.add(lookup_at.unwrap_or(at), message);
            place
        }
        (place, Lookup::Host | Lookup::Srv) => place,
    };
    if account.is_some() && !matches!(place, PeerAt::Address { .. }) {
        let message = "an account is for a peer at an address, so that nobody else is told of it: \
                       write the address in `at`, or take `realm` out";
        findings.add(account_at.unwrap_or(at), message);
    }
    let peer = Peer {
        name: name?.value.to_owned(),
        at: place,
        sessions_max: sessions_max?,
        balancing,
        tls,
        account,
    };
    Some(Placed { at, value: peer })
}

/// A number, or the word for one that nobody knows.
fn read_sessions_max(section: &mut Section<'_, '_, '_>) -> Option<u32> {
    let value = section.value("sessions_max");
    if value.is_some_and(|value| value.get_ref().as_str() == Some("unknown")) {
        return Some(UNKNOWN);
    }
    section.number_required("sessions_max", 0..=1_000_000_000, 100)
}

fn read_place(text: &Placed<&str>, findings: &mut Findings<'_>) -> Option<PeerAt> {
    if destination::is_name(text.value) {
        return match destination::parse(text.value) {
            Ok(destination) => Some(PeerAt::Name(destination)),
            Err(why) => {
                findings.add(text.at, why);
                None
            }
        };
    }
    let why = match transport::parse(text.value, &transport::PEER) {
        Err(why) => why,
        Ok((_, address)) if address.ip().is_unspecified() || address.ip().is_multicast() => {
            let ip = address.ip();
            format!("no call can be sent to {ip}; write the peer's address, such as `{EXAMPLE}`")
        }
        Ok((_, address)) if address.port() == 0 => {
            format!("no call can be sent to port 0; write the peer's port, such as `{EXAMPLE}`")
        }
        Ok((transport, address)) => return Some(PeerAt::Address { transport, address }),
    };
    findings.add(text.at, why);
    None
}
