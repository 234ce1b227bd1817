//! Reading `baton.toml`.
//!
//! [`Config::parse`] turns the text of a configuration file into a [`Config`], or into the list of
//! *all* mistakes in it, each with file, line, column, what is wrong and what to write instead.
//! Unknown keys are mistakes. Whatever the input, it never panics.
//!
//! Only values are checked: no name is resolved, no port is opened and no file is read here.

mod account;
mod admin;
mod alias;
mod balancing;
mod bandwidth;
mod check;
mod cluster;
pub mod destination;
mod dns;
mod health;
mod limits;
mod log;
mod mistake;
mod node;
mod overload;
mod peer;
mod policy;
mod pool;
mod rates;
mod section;
mod sip;
mod suggest;
#[cfg(test)]
mod tests;
mod timers;
mod tls;
mod transport;
mod zone;

pub use self::policy::{Policy, PolicyAccess, PolicyListen, PolicyScheme};
pub use account::Account;
pub use admin::{Admin, SOCKET, Wanted};
pub use balancing::Balancing;
pub use cluster::Members;
pub use dns::Dns;
pub use limits::Limits;
pub use log::{CallLines, Level, Log};
pub use mistake::Mistake;
pub use node::{Gather, Node};
pub use overload::Overload;
pub use peer::{Peer, PeerAt};
pub use rates::Rates;
pub use sip::{Listen, Sip};
pub use timers::Timers;
pub use tls::{PeerTls, Tls, TlsClientCertificate, TlsVerify, TlsVersion};
pub use transport::{ListenTransport, PeerTransport};
pub use zone::{User, Zone};

use balancer::bandwidth::BandwidthSettings;
use balancer::{AliasSettings, HealthSettings, PoolSettings};
use mistake::Findings;
use section::Section;
use toml::de::DeTable;

/// The configuration of one node, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Counts those that this node has taken over, from 0; it stands in no file.
    pub number: u64,
    /// `[node]`: this process.
    pub node: Node,
    /// `[sip]`: where SIP is spoken.
    pub sip: Sip,
    /// `[timers]`: the times of RFC 3261.
    pub timers: Timers,
    /// `[limits]`: the maximum of everything.
    pub limits: Limits,
    /// `[overload]`: when this node has too much to do.
    pub overload: Overload,
    /// `[rates]`: how often one source may begin something.
    pub rates: Rates,
    /// `[[zone]]`: where calls come from; empty means from anywhere.
    pub zones: Vec<Zone>,
    /// `[[alias]]`: what may be dialled; empty means anything.
    pub aliases: Vec<AliasSettings>,
    /// `[[pool]]`: groups of peers.
    pub pools: Vec<PoolSettings>,
    /// `[tls]`: certificates.
    pub tls: Tls,
    /// `[[peer]]`: where calls are sent; never empty.
    pub peers: Vec<Peer>,
    /// `[health]`: when a peer is taken out of service and put back.
    pub health: HealthSettings,
    /// `[log]`: what is written down.
    pub log: Log,
    /// `[admin]`: where the node is watched and told what to do.
    pub admin: Admin,
    /// `[dns]`: where names are looked up.
    pub dns: Dns,
    /// `[policy]`: the service that a VCS asks.
    pub policy: Policy,
    /// `[bandwidth]`: how much of the network calls may use; none where there is no such table.
    pub bandwidth: Option<BandwidthSettings>,
    /// `[cluster]`: the other members; none where there is no such table.
    pub cluster: Option<Members>,
}

/// A value and the byte offset where it stands in the file, so that later checks can point at it.
#[derive(Clone, Debug)]
struct Placed<T> {
    at: usize,
    value: T,
}

/// Every table of the file and its keys: the whole vocabulary of a configuration.
const TABLES: [(&str, &[&str]); 27] = [
    ("node", node::KEYS),
    ("sip", sip::KEYS),
    ("sip.listen", sip::LISTEN_KEYS),
    ("timers", timers::KEYS),
    ("limits", limits::KEYS),
    ("overload", overload::KEYS),
    ("rates", rates::KEYS),
    ("zone", zone::KEYS),
    ("alias", alias::KEYS),
    ("pool", pool::KEYS),
    ("tls", tls::KEYS),
    ("peer", peer::KEYS),
    ("health", health::KEYS),
    ("log", log::KEYS),
    ("admin", admin::KEYS),
    ("dns", dns::KEYS),
    ("dns.host", dns::HOST_KEYS),
    ("policy", policy::KEYS),
    ("policy.listen", policy::LISTEN_KEYS),
    ("policy.rule", policy::RULE_KEYS),
    ("bandwidth", bandwidth::KEYS),
    ("bandwidth.subzone", bandwidth::SUBZONE_KEYS),
    ("bandwidth.pipe", bandwidth::PIPE_KEYS),
    ("bandwidth.link", bandwidth::LINK_KEYS),
    ("bandwidth.rule", bandwidth::RULE_KEYS),
    ("cluster", cluster::KEYS),
    ("cluster.member", cluster::MEMBER_KEYS),
];

/// The tables that stand at the top of the file.
const ROOT_KEYS: &[&str] = &[
    "node",
    "sip",
    "timers",
    "limits",
    "overload",
    "rates",
    "zone",
    "tls",
    "alias",
    "pool",
    "peer",
    "health",
    "log",
    "admin",
    "dns",
    "policy",
    "bandwidth",
    "cluster",
];

impl Config {
    /// Reads the text of a configuration file; `file_name` is only shown in mistakes.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, Vec<Mistake>> {
        let mut findings = Findings::new(text, file_name);
        let (root, syntax_errors) = DeTable::parse_recoverable(text);
        for error in &syntax_errors {
            let at = error.span().map_or(text.len(), |span| span.start);
            findings.add_syntax(at, error.message());
        }

        let root = Section::root(root.get_ref(), &mut findings);
        let node = Node::read(&mut root.table("node", node::KEYS, &mut findings));
        let mut section = root.table("sip", sip::KEYS, &mut findings);
        let listens = sip::read(&mut section);
        let unknown_sources = sip::read_unknown_sources(&mut section);
        let session = sip::read_session(&mut section);
        let refer = sip::read_refer(&mut section);
        let timers = Timers::read(&mut root.table("timers", timers::KEYS, &mut findings));
        let limits = Limits::read(&mut root.table("limits", limits::KEYS, &mut findings));
        let overload = Overload::read(&mut root.table("overload", overload::KEYS, &mut findings));
        let rates = rates::read(&mut root.table("rates", rates::KEYS, &mut findings));
        let zones = zone::read(&root, &mut findings);
        let tls = Tls::read(&mut root.table("tls", tls::KEYS, &mut findings));
        let pools = pool::read(&root, &mut findings);
        let aliases = alias::read(&root, &pools, &zones, &mut findings);
        let peers = peer::read(&root, &pools, &mut findings);
        let health = health::read(&mut root.table("health", health::KEYS, &mut findings));
        let log = Log::read(&mut root.table("log", log::KEYS, &mut findings));
        let admin = Admin::read(&mut root.table("admin", admin::KEYS, &mut findings));
        let dns = Dns::read(&mut root.table("dns", dns::KEYS, &mut findings));
        let policy = Policy::read(&mut root.table("policy", policy::KEYS, &mut findings));
        let bandwidth = bandwidth::read(&root, &zones, &mut findings);
        let cluster = cluster::read(&root, &node.name, &mut findings);
        check::policy(&root, (&policy, &tls), &peers, &mut findings);
        check::listens(&root, &listens, &mut findings);
        check::peers(&root, &peers, &listens, &mut findings);
        check::pools(&pools, &peers, &mut findings);
        tls::check(&tls, &listens, &peers, &mut findings);

        let mistakes = findings.into_mistakes();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let listen: Vec<Listen> = listens.into_iter().flatten().map(|l| l.value).collect();
        let peers: Vec<Peer> = peers.into_iter().flatten().map(|p| p.value).collect();
        debug_assert!(
            !listen.is_empty() && !peers.is_empty(),
            "a configuration without a listener or a peer was accepted"
        );
        Ok(Self {
            number: 0,
            node,
            sip: Sip {
                listen,
                unknown_sources,
                session,
                refer,
            },
            timers,
            limits,
            overload,
            rates,
            zones,
            aliases,
            pools: pools.into_iter().flatten().map(|p| p.value).collect(),
            tls,
            peers,
            health,
            log,
            admin,
            dns,
            policy,
            bandwidth,
            cluster,
        })
    }
}
