//! Who may call: the zones that callers come from, what a source is, and whether it may begin
//! something.
//!
//! The decision covers every method. With no zone at all, everybody may call; with one, whoever is
//! in none is a stranger. Nothing here answers: `sip::uas` does.

mod prefix;
pub mod rates;

pub use prefix::{Prefix, PrefixFault, Prefixes};
pub use rates::{Excess, Rate, Rates};

use crate::hop::Hop;

/// Which zone: an index into the zones of [`Access`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ZoneId(pub u16);

/// Where calls come from, and what holds for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// How it is called in logs and rules.
    pub name: String,
    /// The addresses of its sources.
    pub from: Vec<Prefix>,
    /// Most hops that an INVITE from here may still go (FEATURES.md ZON-14).
    pub hops_max: u32,
}

/// What becomes of a request from a source that is in no zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strangers {
    /// It is served.
    Allow,
    /// It is dropped without an answer.
    Drop,
    /// It gets 403.
    #[default]
    Refuse,
}

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// No zones are configured: everybody may call.
    Anybody,
    /// An address of a peer, which is asked and does not ask.
    Peer,
    /// In no zone, and no peer.
    Stranger,
    /// In this zone.
    Zone(ZoneId),
}

impl Source {
    /// The zone, if it is in one.
    #[must_use]
    pub fn zone(self) -> Option<ZoneId> {
        match self {
            Self::Zone(zone) => Some(zone),
            Self::Anybody | Self::Peer | Self::Stranger => None,
        }
    }
}

/// The zones of a node, compiled once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    zones: Vec<Zone>,
    sources: Prefixes<ZoneId>,
    peers: Prefixes<()>,
    /// What becomes of who is in no zone, where there are zones.
    pub strangers: Strangers,
    /// How often one source may begin something.
    pub rates: Rates,
}

impl Access {
    /// Compiles zones and the peers' addresses.
    #[must_use]
    pub fn new(
        zones: Vec<Zone>,
        peers: impl IntoIterator<Item = Prefix>,
        strangers: Strangers,
        rates: Rates,
    ) -> Self {
        let ids = || (0..=u16::MAX).map(ZoneId);
        let sources = Prefixes::new(
            zones
                .iter()
                .zip(ids())
                .flat_map(|(zone, id)| zone.from.iter().map(move |prefix| (*prefix, id))),
        );
        Self {
            zones,
            sources,
            peers: Prefixes::new(peers.into_iter().map(|prefix| (prefix, ()))),
            strangers,
            rates,
        }
    }

    /// What is known of a zone.
    #[must_use]
    pub fn zone(&self, id: ZoneId) -> Option<&Zone> {
        self.zones.get(usize::from(id.0))
    }

    /// What the other side of a hop is. Who is in a zone and a peer too may call.
    #[must_use]
    pub fn source(&self, hop: &Hop) -> Source {
        if self.zones.is_empty() {
            return Source::Anybody;
        }
        match self.sources.find(hop.remote.ip()) {
            Some(zone) => Source::Zone(zone),
            None if self.is_peer(hop) => Source::Peer,
            None => Source::Stranger,
        }
    }

    /// Whether the other side of a hop has an address of some peer.
    #[must_use]
    pub fn is_peer(&self, hop: &Hop) -> bool {
        self.peers.find(hop.remote.ip()).is_some()
    }

    /// Whether a message that came by `hop` comes from the side that `known` leads to: the same
    /// address, the same connection, or the same zone.
    #[must_use]
    pub fn is_same_side(&self, known: &Hop, hop: &Hop) -> bool {
        let same_address = known.remote.ip().to_canonical() == hop.remote.ip().to_canonical();
        let same_connection = known.connection.is_some() && known.connection == hop.connection;
        same_address
            || same_connection
            || self
                .sources
                .find(known.remote.ip())
                .is_some_and(|zone| self.sources.find(hop.remote.ip()) == Some(zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hop::{ConnectionId, ListenerId, Transport};
    use std::num::NonZeroU64;

    fn hop(remote: &str, connection: u64) -> Hop {
        Hop {
            transport: Transport::Udp,
            listener: ListenerId(0),
            remote: remote.parse().unwrap(),
            connection: NonZeroU64::new(connection).map(ConnectionId),
        }
    }

    fn access(zones: &[(&str, &str)]) -> Access {
        let zones = zones.iter().map(|(name, from)| Zone {
            name: (*name).to_owned(),
            from: vec![from.parse().unwrap()],
            hops_max: 15,
        });
        Access::new(
            zones.collect(),
            ["192.0.2.9".parse().unwrap(), "10.0.0.9".parse().unwrap()],
            Strangers::Refuse,
            Rates::default(),
        )
    }

    #[test]
    fn without_zones_everybody_may_call() {
        let access = access(&[]);
        assert_eq!(access.source(&hop("203.0.113.1:5060", 0)), Source::Anybody);
        assert_eq!(access.source(&hop("192.0.2.9:5060", 0)), Source::Anybody);
        assert!(access.is_peer(&hop("192.0.2.9:5999", 0)));
    }

    #[test]
    fn with_zones_a_source_is_in_one_or_a_peer_or_a_stranger() {
        let access = access(&[("vcs", "10.0.0.0/8"), ("lab", "2001:db8::/64")]);
        let source = |remote| access.source(&hop(remote, 0));
        assert_eq!(source("10.1.1.1:5060"), Source::Zone(ZoneId(0)));
        assert_eq!(source("[2001:db8::7]:5060"), Source::Zone(ZoneId(1)));
        assert_eq!(source("192.0.2.9:5060"), Source::Peer);
        assert_eq!(source("192.0.2.8:5060"), Source::Stranger);
        // The peer in the zone's range may call too.
        assert_eq!(source("10.0.0.9:5060"), Source::Zone(ZoneId(0)));
        assert_eq!(
            access.zone(ZoneId(1)).map(|zone| zone.name.as_str()),
            Some("lab")
        );
    }

    #[test]
    fn a_side_is_its_address_its_connection_and_its_zone() {
        let access = access(&[("vcs", "10.0.0.0/8")]);
        let known = hop("10.0.0.1:5060", 0);
        assert!(access.is_same_side(&known, &hop("10.0.0.1:40000", 0)));
        assert!(access.is_same_side(&known, &hop("10.0.0.2:5060", 0)));
        assert!(!access.is_same_side(&known, &hop("192.0.2.1:5060", 0)));
        let known = hop("192.0.2.1:5060", 7);
        assert!(access.is_same_side(&known, &hop("192.0.2.77:5060", 7)));
        assert!(!access.is_same_side(&known, &hop("192.0.2.77:5060", 8)));
        // Two strangers are not one side.
        assert!(!access.is_same_side(&hop("192.0.2.1:5060", 0), &hop("192.0.2.2:5060", 0)));
    }
}
