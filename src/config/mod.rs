//! Reading `baton.toml`.
//!
//! [`Config::parse`] turns the text of a configuration file into a [`Config`], or into the list of
//! *all* mistakes in it, each with file, line, column, what is wrong and what to write instead.
//! Unknown keys are mistakes. Whatever the input, it never panics.
//!
//! Only values are checked: no name is resolved, no port is opened and no file is read here.

mod admin;
mod check;
mod limits;
mod log;
mod mistake;
mod node;
mod overload;
mod peer;
mod rates;
mod section;
mod sip;
mod suggest;
#[cfg(test)]
mod tests;
mod timers;
mod transport;
mod zone;

pub use admin::{Admin, SOCKET, Wanted};
pub use limits::Limits;
pub use log::{Level, Log};
pub use mistake::Mistake;
pub use node::{Gather, Node};
pub use overload::Overload;
pub use peer::Peer;
pub use rates::Rates;
pub use sip::{Listen, Sip};
pub use timers::Timers;
pub use transport::{ListenTransport, PeerTransport};
pub use zone::Zone;

use mistake::Findings;
use section::Section;
use toml::de::DeTable;

/// The configuration of one node, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
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
    /// `[[peer]]`: where calls are sent; never empty.
    pub peers: Vec<Peer>,
    /// `[log]`: what is written down.
    pub log: Log,
    /// `[admin]`: where the node is watched and told what to do.
    pub admin: Admin,
}

/// A value and the byte offset where it stands in the file, so that later checks can point at it.
#[derive(Clone, Debug)]
struct Placed<T> {
    at: usize,
    value: T,
}

/// Every table of the file and its keys: the whole vocabulary of a configuration.
const TABLES: [(&str, &[&str]); 11] = [
    ("node", node::KEYS),
    ("sip", sip::KEYS),
    ("sip.listen", sip::LISTEN_KEYS),
    ("timers", timers::KEYS),
    ("limits", limits::KEYS),
    ("overload", overload::KEYS),
    ("rates", rates::KEYS),
    ("zone", zone::KEYS),
    ("peer", peer::KEYS),
    ("log", log::KEYS),
    ("admin", admin::KEYS),
];

/// The tables that stand at the top of the file.
const ROOT_KEYS: &[&str] = &[
    "node", "sip", "timers", "limits", "overload", "rates", "zone", "peer", "log", "admin",
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
        let timers = Timers::read(&mut root.table("timers", timers::KEYS, &mut findings));
        let limits = Limits::read(&mut root.table("limits", limits::KEYS, &mut findings));
        let overload = Overload::read(&mut root.table("overload", overload::KEYS, &mut findings));
        let rates = rates::read(&mut root.table("rates", rates::KEYS, &mut findings));
        let zones = zone::read(&root, &mut findings);
        let peers = peer::read(&root, &mut findings);
        let log = Log::read(&mut root.table("log", log::KEYS, &mut findings));
        let admin = Admin::read(&mut root.table("admin", admin::KEYS, &mut findings));
        check::listens(&root, &listens, &mut findings);
        check::peers(&root, &peers, &listens, &mut findings);

        let mistakes = findings.into_mistakes();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let listen: Vec<Listen> = listens.into_iter().flatten().map(|l| l.value).collect();
        let peers: Vec<Peer> = peers.into_iter().flatten().map(|p| p.value).collect();
        debug_assert!(
            !listen.is_empty(),
            "a configuration without a listener was accepted"
        );
        debug_assert!(
            !peers.is_empty(),
            "a configuration without a peer was accepted"
        );
        Ok(Self {
            node,
            sip: Sip {
                listen,
                unknown_sources,
            },
            timers,
            limits,
            overload,
            rates,
            zones,
            peers,
            log,
            admin,
        })
    }
}
