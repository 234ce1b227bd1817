//! The procedure of RFC 3263 §4, from a destination to its targets.
//!
//! It walks from the start each time and stops where an answer is missing: what it has to say then
//! is which questions to ask. So there is no state to go wrong, and the steps that it tells are
//! those that were really taken.

use super::answers::{Answers, Entry};
use super::shares::{ordered, rank};
use super::{
    Answer, Data, Destination, Host, Kind, Location, Name, Naptr, NoTarget, Prefer, Question,
    Rules, Service, Srv, Step, Target,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

/// Which answers are good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Those that are not older than their time at this instant ...
    pub at: Instant,
    /// ... and those that came since this one, whatever their time.
    pub since: Instant,
}

/// How far a walk came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// These answers are missing; none is asked for twice.
    Ask(Vec<Question>),
    /// It has ended.
    Located(Location),
}

/// Locates `destination` by what is known.
#[must_use]
pub fn locate(
    destination: &Destination,
    rules: &Rules,
    answers: &Answers,
    moment: Moment,
) -> Progress {
    let mut walk = Walk {
        destination,
        rules,
        answers,
        moment,
        missing: Vec::new(),
        questions: 0,
        location: Location {
            targets: Vec::new(),
            why_none: None,
            is_stale: false,
            expires: None,
            steps: Vec::new(),
        },
    };
    let outcome = walk.whole();
    walk.end(outcome)
}

/// What a part of the walk found; its targets are in the location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// At least one target.
    Targets,
    /// None, and why.
    Nothing(NoTarget),
    /// An answer is missing.
    Missing,
}

/// What a question gave.
enum Known<'a> {
    Records(&'a Entry),
    Nothing(NoTarget),
    Missing,
}

struct Walk<'a> {
    destination: &'a Destination,
    rules: &'a Rules,
    answers: &'a Answers,
    moment: Moment,
    missing: Vec<Question>,
    /// Questions needed so far, asked or known.
    questions: usize,
    location: Location,
}

impl<'a> Walk<'a> {
    fn whole(&mut self) -> Found {
        let destination = self.destination;
        match &destination.host {
            Host::Address(address) => self.numeric(*address),
            Host::Name(name) => self.named(name),
        }
    }

    fn end(mut self, outcome: Found) -> Progress {
        if !self.missing.is_empty() {
            return Progress::Ask(self.missing);
        }
        self.location.why_none = match outcome {
            Found::Targets => None,
            Found::Nothing(why) => Some(why),
            // Only a limit leaves something missing that is not asked for.
            Found::Missing if self.location.targets.is_empty() => Some(NoTarget::NoAnswer),
            Found::Missing => None,
        };
        debug_assert_eq!(
            self.location.why_none.is_none(),
            !self.location.targets.is_empty()
        );
        Progress::Located(self.location)
    }

    /// A numeric host: nothing is asked (§4.1, §4.2).
    fn numeric(&mut self, address: IpAddr) -> Found {
        let Some(service) = self.service_unasked() else {
            return self.not_spoken();
        };
        let port = self.port(service);
        self.conclude(
            "4.2",
            format!("{address} is an address: {service}, port {port}"),
        );
        self.add(service, SocketAddr::new(address, port), None, None)
    }

    fn named(&mut self, name: &'a Name) -> Found {
        if self.fixed(name).is_some() {
            return self.addresses_unasked(name, "the name stands in the static map");
        }
        if self.destination.port.is_some() {
            return self.addresses_unasked(name, "a port is given: no SRV");
        }
        // §4.1: the transport of the URI is used.
        if self.destination.service.is_some() {
            return self.by_srv(name);
        }
        self.by_naptr(name)
    }

    /// Addresses of the name itself, over the transport that needs no question.
    fn addresses_unasked(&mut self, name: &Name, why: &str) -> Found {
        let Some(service) = self.service_unasked() else {
            return self.not_spoken();
        };
        let port = self.port(service);
        self.conclude(
            "4.2",
            format!("{why}: addresses of {name}, {service}, port {port}"),
        );
        self.addresses(service, name, port, None)
    }

    /// The transport where nobody is asked for one (§4.1): UDP, or TLS over TCP for `sips`. What
    /// is not spoken here gives way to what is.
    fn service_unasked(&self) -> Option<Service> {
        let spoken = |service: &Service| self.rules.spoken.families(*service).any();
        // The last of the best first: plain UDP, where everything is allowed.
        self.services().iter().copied().rev().find(spoken)
    }

    /// The transports that the URI allows, the best first; `sips` over UDP is not defined.
    fn services(&self) -> &'static [Service] {
        match (self.destination.service, self.destination.is_sips) {
            (None | Some(Service::SipsD2t | Service::SipD2t), true)
            | (Some(Service::SipsD2t), false) => &[Service::SipsD2t],
            (Some(Service::SipD2t), false) => &[Service::SipD2t],
            (Some(Service::SipD2u), false) => &[Service::SipD2u],
            (Some(Service::SipD2u), true) => &[],
            (None, false) => &Service::ALL,
        }
    }

    fn port(&self, service: Service) -> u16 {
        let written = self.destination.port;
        written.unwrap_or_else(|| service.default_port())
    }

    /// §4.1: NAPTR tells the transports and where their SRV records are; without it each transport
    /// that is spoken is asked for.
    fn by_naptr(&mut self, name: &'a Name) -> Found {
        let records = match self.ask(name, Kind::Naptr) {
            Known::Missing => return Found::Missing,
            Known::Records(entry) => self.useful(entry),
            Known::Nothing(NoTarget::NoAnswer) => {
                self.conclude("4.1", "NAPTR is not answered: SRV may be".to_owned());
                Vec::new()
            }
            Known::Nothing(_) => Vec::new(),
        };
        if records.is_empty() {
            self.conclude(
                "4.1",
                "no NAPTR record: SRV of each transport spoken here".to_owned(),
            );
            return self.by_srv(name);
        }
        let mut outcome = Found::Nothing(NoTarget::NoAddress);
        // RFC 3403 §4.1: a higher order is not looked at once a lower one has a match. So nobody
        // who offers TLS first is called in the clear because TLS fails today.
        for order in records.chunk_by(|(_, one), (_, other)| one.order == other.order) {
            let found = order
                .iter()
                .map(|(service, naptr)| self.follow(*service, naptr));
            outcome = joined(found.collect::<Vec<_>>());
            if outcome == Found::Targets || outcome == Found::Missing {
                return outcome;
            }
        }
        outcome
    }

    /// The NAPTR records that lead to a transport that is spoken here, in their order.
    fn useful(&mut self, entry: &'a Entry) -> Vec<(Service, &'a Naptr)> {
        let service = |naptr: &Naptr| {
            let named = |service: &Service| naptr.services.eq_ignore_ascii_case(service.naptr());
            Service::ALL.into_iter().find(named)
        };
        let mut useful = Vec::new();
        for naptr in naptrs(entry) {
            let flags = ["s", "a"]
                .iter()
                .any(|flag| naptr.flags.eq_ignore_ascii_case(flag));
            // Unknown services and flags (E2U+sip, `u`, `se`) are other applications'.
            let Some(service) = service(naptr).filter(|_| flags) else {
                continue;
            };
            let well_formed = !naptr.has_regexp && naptr.replacement.is_some();
            let allowed = service == Service::SipsD2t || !self.destination.is_sips;
            let why = if !well_formed {
                "has no replacement that can be asked"
            } else if !allowed {
                "is not for sips"
            } else if !self.rules.spoken.families(service).any() {
                "is not spoken here"
            } else {
                useful.push((service, naptr));
                continue;
            };
            self.conclude("4.1", format!("{} {why}: left out", service.naptr()));
        }
        useful.sort_by_key(|(service, naptr)| (naptr.order, naptr.preference, *service));
        useful
    }

    fn follow(&mut self, service: Service, naptr: &Naptr) -> Found {
        let Some(name) = &naptr.replacement else {
            return Found::Nothing(NoTarget::NoAddress);
        };
        if naptr.flags.eq_ignore_ascii_case("a") {
            let port = service.default_port();
            self.conclude("4.1", format!("NAPTR: {service} at {name}, port {port}"));
            return self.addresses(service, name, port, None);
        }
        self.conclude("4.1", format!("NAPTR: {service} by SRV {name}"));
        let found = self.hosts(service, name);
        found.unwrap_or(Found::Nothing(NoTarget::NoAddress))
    }

    /// §4.2: SRV for each transport; if none of them has records, the addresses of the name itself.
    fn by_srv(&mut self, name: &Name) -> Found {
        let is_spoken = |service: &Service| self.rules.spoken.families(*service).any();
        let spoken = self.services().iter().copied().filter(is_spoken);
        let spoken: Vec<Service> = spoken.collect();
        if spoken.is_empty() {
            return self.not_spoken();
        }
        let found: Vec<Found> = spoken
            .iter()
            .filter_map(|service| self.hosts(*service, &name.of_service(*service)?))
            .collect();
        // RFC 2782: only where the answer is that there is no SRV at all.
        if found.is_empty() {
            return self.addresses_unasked(name, "no SRV record");
        }
        joined(found)
    }

    /// The hosts of one SRV name, each with its addresses; `None` where it has no SRV record.
    fn hosts(&mut self, service: Service, name: &Name) -> Option<Found> {
        let entry = match self.ask(name, Kind::Srv) {
            Known::Missing => return Some(Found::Missing),
            Known::Nothing(NoTarget::NoAnswer) => return Some(Found::Nothing(NoTarget::NoAnswer)),
            Known::Nothing(_) => return None,
            Known::Records(entry) => entry,
        };
        let order = ordered(srvs(entry).collect(), rank(self.rules.seed, name));
        let mut found = Vec::new();
        for srv in order {
            let Some(host) = &srv.target else {
                self.conclude("RFC 2782", format!("{name} is decidedly not offered"));
                found.push(Found::Nothing(NoTarget::NotOffered));
                continue;
            };
            found.push(self.addresses(service, host, srv.port, Some(srv.priority)));
        }
        Some(joined(found))
    }

    /// The addresses of a host, those of the better family first.
    fn addresses(
        &mut self,
        service: Service,
        host: &Name,
        port: u16,
        priority: Option<u16>,
    ) -> Found {
        let families = self.rules.spoken.families(service);
        if !families.any() {
            return self.not_spoken();
        }
        if let Some(fixed) = self.fixed(host) {
            let list = fixed
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            self.conclude("static", format!("{host} is {list}; no server is asked"));
            let fixed = self.in_order(fixed);
            let add = |address: IpAddr| {
                let address = SocketAddr::new(address, port);
                self.add(service, address, Some(host), priority)
            };
            return joined(fixed.into_iter().map(add).collect());
        }
        let kinds = match self.rules.prefer {
            Prefer::Ipv4 => [(Kind::A, families.v4), (Kind::Aaaa, families.v6)],
            Prefer::Ipv6 => [(Kind::Aaaa, families.v6), (Kind::A, families.v4)],
        };
        // Both are asked before either is waited for.
        let wanted = kinds.into_iter().filter(|(_, spoken)| *spoken);
        let known: Vec<Known<'a>> = wanted.map(|(kind, _)| self.ask(host, kind)).collect();
        let mut found = Vec::new();
        for known in known {
            match known {
                Known::Missing => found.push(Found::Missing),
                Known::Nothing(why) => found.push(Found::Nothing(why)),
                Known::Records(entry) => {
                    for address in self.in_order(addresses(entry).collect()) {
                        let address = SocketAddr::new(address, port);
                        found.push(self.add(service, address, Some(host), priority));
                    }
                }
            }
        }
        joined(found)
    }

    /// The addresses of a name that no server is asked for.
    fn fixed(&self, name: &Name) -> Option<Vec<IpAddr>> {
        let fixed = self.rules.hosts.get(name).cloned();
        fixed.or_else(|| {
            name.is_localhost()
                .then(|| vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
        })
    }

    /// The better family first, then by a rank of this node's own (RFC 6724 §6 leaves the order of
    /// equals open): servers rotate their answers, and calls should not wander with them.
    fn in_order(&self, mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
        let later = |address: &IpAddr| match self.rules.prefer {
            Prefer::Ipv4 => address.is_ipv6(),
            Prefer::Ipv6 => address.is_ipv4(),
        };
        addresses.sort_by_key(|address| (later(address), rank(self.rules.seed, address)));
        addresses
    }

    /// What is known of a question, aliases followed; notes what is missing.
    fn ask(&mut self, name: &Name, kind: Kind) -> Known<'a> {
        let mut question = Question {
            name: name.clone(),
            kind,
        };
        for _ in 0..=self.rules.limits.aliases {
            let Some(entry) = self.entry(&question) else {
                return Known::Missing;
            };
            match &entry.answer {
                Answer::Absent { exists: true, .. } => return Known::Nothing(NoTarget::NoAddress),
                Answer::Absent { exists: false, .. } => {
                    return Known::Nothing(NoTarget::NoSuchName);
                }
                Answer::Failed(_) => return Known::Nothing(NoTarget::NoAnswer),
                Answer::Records(records) => {
                    if records.iter().any(|record| kind.is_of(&record.data)) {
                        return Known::Records(entry);
                    }
                    let alias = records.iter().rev().find_map(|record| match &record.data {
                        Data::Alias(alias) => Some(alias),
                        Data::Address(_) | Data::Naptr(_) | Data::Srv(_) => None,
                    });
                    let Some(alias) = alias else {
                        return Known::Nothing(NoTarget::NoAddress);
                    };
                    question.name = alias.clone();
                }
            }
        }
        self.conclude("limits", format!("{name} is an alias of too many names"));
        Known::Nothing(NoTarget::NoAddress)
    }

    fn entry(&mut self, question: &Question) -> Option<&'a Entry> {
        if self.missing.contains(question) {
            return None;
        }
        let asked = |step: &Step| matches!(step, Step::Asked(asked, _) if asked == question);
        let is_new = !self.location.steps.iter().any(asked);
        if is_new {
            if self.questions >= self.rules.limits.questions {
                self.conclude(
                    "limits",
                    format!("too many questions: {question} is not asked"),
                );
                return None;
            }
            self.questions += 1;
        }
        let Some(entry) = self.answers.known(question, self.moment) else {
            self.missing.push(question.clone());
            return None;
        };
        if is_new {
            self.location
                .steps
                .push(Step::Asked(question.clone(), entry.answer.clone()));
        }
        self.location.is_stale |= entry.is_stale;
        let expires = self.location.expires.unwrap_or(entry.fresh_until);
        self.location.expires = Some(expires.min(entry.fresh_until));
        Some(entry)
    }

    fn add(
        &mut self,
        service: Service,
        address: SocketAddr,
        host: Option<&Name>,
        priority: Option<u16>,
    ) -> Found {
        let ip = address.ip();
        if !self.rules.spoken.families(service).reach(ip) {
            return Found::Nothing(NoTarget::NotSpoken);
        }
        if ip.is_unspecified() || ip.is_multicast() || address.port() == 0 {
            self.conclude(
                "limits",
                format!("no call can be sent to {address}: left out"),
            );
            return Found::Nothing(NoTarget::NoAddress);
        }
        let targets = &mut self.location.targets;
        let known = |target: &Target| target.service == service && target.address == address;
        if !targets.iter().any(known) && targets.len() < self.rules.limits.targets.max(1) {
            targets.push(Target {
                service,
                address,
                host: host.cloned(),
                priority,
            });
        }
        Found::Targets
    }

    fn not_spoken(&mut self) -> Found {
        self.conclude(
            "4.1",
            "no listener of this node speaks what is wanted".to_owned(),
        );
        Found::Nothing(NoTarget::NotSpoken)
    }

    fn conclude(&mut self, section: &'static str, text: String) {
        self.location.steps.push(Step::Concluded(section, text));
    }
}

/// What several parts found together: what is missing is waited for, one target is enough, and of
/// several reasons for none the one that may pass away is told.
fn joined(parts: Vec<Found>) -> Found {
    let rank = |found: &Found| match found {
        Found::Missing => 0,
        Found::Targets => 1,
        Found::Nothing(NoTarget::NoAnswer) => 2,
        Found::Nothing(NoTarget::NotSpoken) => 3,
        Found::Nothing(NoTarget::NotOffered) => 4,
        Found::Nothing(NoTarget::NoAddress) => 5,
        Found::Nothing(NoTarget::NoSuchName) => 6,
    };
    let first = parts.into_iter().min_by_key(rank);
    first.unwrap_or(Found::Nothing(NoTarget::NoAddress))
}

fn naptrs(entry: &Entry) -> impl Iterator<Item = &Naptr> {
    data(entry).filter_map(|data| match data {
        Data::Naptr(naptr) => Some(naptr),
        Data::Address(_) | Data::Alias(_) | Data::Srv(_) => None,
    })
}

fn srvs(entry: &Entry) -> impl Iterator<Item = &Srv> {
    data(entry).filter_map(|data| match data {
        Data::Srv(srv) => Some(srv),
        Data::Address(_) | Data::Alias(_) | Data::Naptr(_) => None,
    })
}

fn addresses(entry: &Entry) -> impl Iterator<Item = IpAddr> {
    data(entry).filter_map(|data| match data {
        Data::Address(address) => Some(*address),
        Data::Alias(_) | Data::Naptr(_) | Data::Srv(_) => None,
    })
}

fn data(entry: &Entry) -> impl Iterator<Item = &Data> {
    let records = match &entry.answer {
        Answer::Records(records) => records.as_slice(),
        Answer::Absent { .. } | Answer::Failed(_) => &[],
    };
    records.iter().map(|record| &record.data)
}

#[cfg(test)]
mod tests;
