//! Questions on the wire: hickory sends them and reads the answers, and neither remembers nor
//! decides anything.

use super::system;
use crate::config::Dns;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ServerOrderingStrategy,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name as WireName, RData, Record as WireRecord, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use signaling::sip::locate::{Answer, Data, Failure, Kind, Name, Naptr, Question, Record, Srv};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::timeout;

/// One set of servers, and how they are asked.
pub(crate) struct Wire {
    resolver: Option<TokioResolver>,
    servers: Vec<SocketAddr>,
    /// Where those of the system stood, if they are asked.
    seen: Option<system::Seen>,
    /// How long all tries of one question may take together.
    patience: Duration,
}

impl Wire {
    /// Asks the servers of the configuration, or else those of the system.
    pub(crate) fn new(dns: &Dns) -> Self {
        let (servers, seen) = if dns.servers.is_empty() {
            let (servers, seen) = system::servers();
            (servers, Some(seen))
        } else {
            (dns.servers.clone(), None)
        };
        let tries = u32::try_from(dns.attempts).unwrap_or(u32::MAX);
        Self {
            resolver: resolver(dns, &servers),
            servers,
            seen,
            patience: dns.timeout.saturating_mul(tries.saturating_add(1)),
        }
    }

    /// Who is asked.
    pub(crate) fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// Whether the system names its servers anew since these were read.
    pub(crate) fn is_outdated(&self) -> bool {
        self.seen.as_ref().is_some_and(system::Seen::is_outdated)
    }

    /// Asks; whatever happens there is an answer in the end.
    pub(crate) async fn ask(&self, question: &Question) -> Answer {
        let Some(resolver) = &self.resolver else {
            return Answer::Failed(Failure::Unreachable);
        };
        // The dot at the end: no search list is gone through.
        let Ok(name) = WireName::from_ascii(format!("{}.", question.name)) else {
            return Answer::Failed(Failure::Refused);
        };
        let kind = match question.kind {
            Kind::A => RecordType::A,
            Kind::Aaaa => RecordType::AAAA,
            Kind::Naptr => RecordType::NAPTR,
            Kind::Srv => RecordType::SRV,
        };
        match timeout(self.patience, resolver.lookup(name, kind)).await {
            Ok(Ok(lookup)) => Answer::Records(lookup.answers().iter().filter_map(record).collect()),
            Ok(Err(error)) => refusal(&error),
            Err(_) => Answer::Failed(Failure::Timeout),
        }
    }
}

fn resolver(dns: &Dns, servers: &[SocketAddr]) -> Option<TokioResolver> {
    if servers.is_empty() {
        return None;
    }
    let servers = servers.iter().map(|server| {
        let at = |mut connection: ConnectionConfig| {
            connection.port = server.port();
            connection
        };
        // TCP for what does not fit a datagram (RFC 7766).
        let connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
        NameServerConfig::new(server.ip(), true, connections)
    });
    let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.timeout = dns.timeout;
    options.attempts = dns.attempts.saturating_sub(1);
    // What is remembered is remembered in one place only, and by one set of rules.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    options.num_concurrent_reqs = 1;
    builder.build().ok()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "another crate's enum that may grow: what is not an answer is a failure"
)]
fn refusal(error: &NetError) -> Answer {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            let ttl = none.negative_ttl.map(|ttl| Duration::from_secs(ttl.into()));
            if none.response_code == ResponseCode::NXDomain {
                return Answer::Absent { exists: false, ttl };
            }
            if none.response_code == ResponseCode::NoError {
                return Answer::Absent { exists: true, ttl };
            }
            Answer::Failed(Failure::Refused)
        }
        NetError::Timeout => Answer::Failed(Failure::Timeout),
        NetError::Io(_) | NetError::NoConnections => Answer::Failed(Failure::Unreachable),
        _ => Answer::Failed(Failure::Refused),
    }
}

/// A record of a kind that is asked for, or an alias on the way to one; none of any other kind.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "another crate's enum of all kinds of records"
)]
fn record(record: &WireRecord) -> Option<Record> {
    let data = match &record.data {
        RData::A(address) => Data::Address(IpAddr::V4(address.0)),
        RData::AAAA(address) => Data::Address(IpAddr::V6(address.0)),
        RData::CNAME(alias) => Data::Alias(name(&alias.0)?),
        RData::NAPTR(naptr) => Data::Naptr(Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags),
            services: text(&naptr.services),
            has_regexp: !naptr.regexp.is_empty(),
            replacement: name(&naptr.replacement),
        }),
        RData::SRV(srv) => {
            let target = name(&srv.target);
            // A target that is no host name is not the root, which would mean something else.
            if target.is_none() && !srv.target.is_root() {
                return None;
            }
            Data::Srv(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target,
            })
        }
        _ => return None,
    };
    let ttl = Duration::from_secs(record.ttl.into());
    Some(Record { ttl, data })
}

fn name(name: &WireName) -> Option<Name> {
    Name::new(&name.to_ascii())
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
