//! What is asked of the name service, and what it answers.

use super::Name;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// What kind of record is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Services of a domain and how they are reached (RFC 3403).
    Naptr,
    /// Hosts of a service (RFC 2782).
    Srv,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// About whom.
    pub name: Name,
    /// Which records.
    pub kind: Kind,
}

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// For how long it holds.
    pub ttl: Duration,
    /// What it says.
    pub data: Data,
}

/// What a record says. Text that no rule of ours reads is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A or AAAA.
    Address(IpAddr),
    /// CNAME: the name is another one's alias.
    Alias(Name),
    /// NAPTR.
    Naptr(Naptr),
    /// SRV.
    Srv(Srv),
}

/// A NAPTR record (RFC 3403 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower ones are processed first.
    pub order: u16,
    /// Lower ones are better among those of one order.
    pub preference: u16,
    /// What the rewritten name is: `s` for an SRV name, `a` for a host.
    pub flags: String,
    /// Such as `SIP+D2U`.
    pub services: String,
    /// Whether there is a regular expression, which a record of RFC 3263 never has.
    pub has_regexp: bool,
    /// The name to ask next; `None` for the root.
    pub replacement: Option<Name>,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones are tried first.
    pub priority: u16,
    /// The share among those of one priority.
    pub weight: u16,
    /// The port of the service there.
    pub port: u16,
    /// The host; `None` for the root, which means that the service is decidedly not offered.
    pub target: Option<Name>,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These records, and the aliases that led to them.
    Records(Vec<Record>),
    /// There are none (RFC 2308): the name does not exist, or has no record of this kind.
    Absent {
        /// Whether the name exists.
        exists: bool,
        /// For how long that holds, if the answer said so.
        ttl: Option<Duration>,
    },
    /// Nobody knows.
    Failed(Failure),
}

/// Why a question got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server said that it cannot or will not (SERVFAIL, REFUSED and the like).
    Refused,
    /// No server answered in time.
    Timeout,
    /// No server could be reached, or none is known.
    Unreachable,
}

impl Kind {
    /// The kind as zone files write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Naptr => "NAPTR",
            Self::Srv => "SRV",
        }
    }

    /// Whether a record answers a question of this kind; an alias answers none.
    #[must_use]
    pub fn is_of(self, data: &Data) -> bool {
        match data {
            Data::Address(IpAddr::V4(_)) => self == Self::A,
            Data::Address(IpAddr::V6(_)) => self == Self::Aaaa,
            Data::Alias(_) => false,
            Data::Naptr(_) => self == Self::Naptr,
            Data::Srv(_) => self == Self::Srv,
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

impl fmt::Display for Data {
    /// As zone files write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = |name: &Option<Name>| {
            name.as_ref()
                .map_or_else(|| ".".to_owned(), Name::to_string)
        };
        match self {
            Self::Address(IpAddr::V4(address)) => write!(f, "A {address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "AAAA {address}"),
            Self::Alias(name) => write!(f, "CNAME {name}"),
            Self::Naptr(naptr) => write!(
                f,
                "NAPTR {} {} {:?} {:?} {} {}",
                naptr.order,
                naptr.preference,
                naptr.flags,
                naptr.services,
                if naptr.has_regexp { "(regexp)" } else { "\"\"" },
                root(&naptr.replacement)
            ),
            Self::Srv(srv) => {
                let target = root(&srv.target);
                write!(
                    f,
                    "SRV {} {} {} {target}",
                    srv.priority, srv.weight, srv.port
                )
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "the server cannot answer",
            Self::Timeout => "no answer in time",
            Self::Unreachable => "no server is reached",
        })
    }
}
