//! Locating SIP servers (RFC 3263 §4): from a name to the addresses, ports and transports to try, in
//! order.
//!
//! [`locate`] is the whole procedure as one function of what is known: it gives the location, or
//! the questions whose answers it still needs. Called again with more answers it goes further; it
//! keeps nothing. [`Answers`] remembers what the name service said and for how long, and keeps it
//! when the service fails. [`Book`] looks after many names: it asks before answers grow old and
//! says what has changed. Nothing here sends a query: whoever owns a book does, and tells it.

mod answers;
mod book;
mod name;
mod records;
mod shares;
mod walk;
#[cfg(test)]
mod zone;

pub use answers::{Answers, Times};
pub use book::{Book, Output, WatchId};
pub use name::Name;
pub use records::{Answer, Data, Failure, Kind, Naptr, Question, Record, Srv};
pub use walk::{Moment, Progress, locate};

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// What a server offers SIP over: the resolution services of RFC 3263 §4.1 that Baton speaks, the
/// best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// SIPS+D2T: TLS over TCP.
    SipsD2t,
    /// SIP+D2T: TCP.
    SipD2t,
    /// SIP+D2U: UDP.
    SipD2u,
}

/// Which address families a transport is spoken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Families {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

/// What this node speaks: what no listener could send is neither asked for nor given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// TLS over TCP.
    pub sips_d2t: Families,
    /// TCP.
    pub sip_d2t: Families,
    /// UDP.
    pub sip_d2u: Families,
}

/// Which address family is tried first where a host has both (RFC 6724).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// IPv4.
    Ipv4,
    /// IPv6, as RFC 6724 §2.1 does.
    #[default]
    Ipv6,
}

/// The maximum of what answers can make grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Names that are each another one's alias, one after the other.
    pub aliases: usize,
    /// Answers that are remembered.
    pub answers: usize,
    /// Questions for one location.
    pub questions: usize,
    /// Records of one answer.
    pub records: usize,
    /// Targets of one location.
    pub targets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            aliases: 8,
            answers: 4_096,
            questions: 96,
            records: 64,
            targets: 64,
        }
    }
}

/// What locating goes by, whoever is located.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// What this node speaks.
    pub spoken: Spoken,
    /// Which address family is tried first.
    pub prefer: Prefer,
    /// Addresses of names that no server is asked for.
    pub hosts: BTreeMap<Name, Vec<IpAddr>>,
    /// The maximum of everything.
    pub limits: Limits,
    /// Where shares among equals begin; another one on each node.
    pub seed: u64,
}

/// Who is to be located: the parts of a SIP URI that matter for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// TARGET in RFC 3263 §4: `maddr`, or else the host.
    pub host: Host,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// The transport, where one is written.
    pub service: Option<Service>,
    /// Whether the scheme is `sips`: nothing but TLS will do.
    pub is_sips: bool,
}

/// An address needs no locating, a name does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A numeric address.
    Address(IpAddr),
    /// A host name or a domain.
    Name(Name),
}

/// One place to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Over what.
    pub service: Service,
    /// Where.
    pub address: SocketAddr,
    /// The host whose address it is; `None` where an address was given.
    pub host: Option<Name>,
    /// The SRV priority, if it came from an SRV record.
    pub priority: Option<u16>,
}

/// What came of locating somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Where to try, in this order; never twice the same.
    pub targets: Vec<Target>,
    /// Why there is no target; `None` if there is one.
    pub why_none: Option<NoTarget>,
    /// Whether answers were used that are past their time, since the name service fails.
    pub is_stale: bool,
    /// Until when it holds; `None` for ever, where no server was asked.
    pub expires: Option<Instant>,
    /// How it was found.
    pub steps: Vec<Step>,
}

/// Why nobody is located.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTarget {
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// The name exists and has no address.
    NoAddress,
    /// SRV says that the service is decidedly not offered (RFC 2782, target `.`).
    NotOffered,
    /// There are targets, but none that a listener of this node could send to.
    NotSpoken,
    /// The name service does not answer.
    NoAnswer,
}

/// One step on the way, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A question, and what is known of it.
    Asked(Question, Answer),
    /// What was concluded, and by which section of RFC 3263 (or another, which is named).
    Concluded(&'static str, String),
}

impl Service {
    /// All, the best first.
    pub const ALL: [Self; 3] = [Self::SipsD2t, Self::SipD2t, Self::SipD2u];

    /// The labels before a domain (RFC 3263 §4.1).
    #[must_use]
    pub fn labels(self) -> &'static str {
        match self {
            Self::SipsD2t => "_sips._tcp",
            Self::SipD2t => "_sip._tcp",
            Self::SipD2u => "_sip._udp",
        }
    }

    /// The port where none is written (RFC 3261 §19.1.2).
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::SipsD2t => 5061,
            Self::SipD2t | Self::SipD2u => 5060,
        }
    }

    /// The service field of a NAPTR record (RFC 3263 §4.1).
    #[must_use]
    pub fn naptr(self) -> &'static str {
        match self {
            Self::SipsD2t => "SIPS+D2T",
            Self::SipD2t => "SIP+D2T",
            Self::SipD2u => "SIP+D2U",
        }
    }

    /// The transport as configurations write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SipsD2t => "tls",
            Self::SipD2t => "tcp",
            Self::SipD2u => "udp",
        }
    }
}

impl Families {
    /// Whether it is spoken at all.
    #[must_use]
    pub fn any(self) -> bool {
        self.v4 || self.v6
    }

    /// Whether it is spoken to this address.
    #[must_use]
    pub fn reach(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => self.v4,
            IpAddr::V6(_) => self.v6,
        }
    }
}

impl Spoken {
    /// Over which families a service is spoken.
    #[must_use]
    pub fn families(&self, service: Service) -> Families {
        match service {
            Service::SipsD2t => self.sips_d2t,
            Service::SipD2t => self.sip_d2t,
            Service::SipD2u => self.sip_d2u,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.address)
    }
}

impl fmt::Display for NoTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchName => "the name does not exist",
            Self::NoAddress => "the name has no address",
            Self::NotOffered => "the domain does not offer the service",
            Self::NotSpoken => "no listener speaks what the name offers",
            Self::NoAnswer => "the name service does not answer",
        })
    }
}
