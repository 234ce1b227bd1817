//! A set of peers under one name: each host that the name leads to is a peer of its own.

use super::targets;
use crate::config::Peer;
use crate::shell::settings;
use balancer::PeerSettings;
use signaling::sip::locate::{Location, Target};
use tracing::{info, warn};

/// The hosts of one entry of the configuration.
pub(super) struct Set {
    entry: Peer,
    /// At most so many.
    peers_max: usize,
    hosts: Vec<Host>,
}

/// A host of a set and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    name: String,
    targets: Vec<balancer::Target>,
}

impl Set {
    /// The set of an entry, with the hosts that are known already.
    pub(super) fn new(entry: Peer, peers_max: usize, mut hosts: Vec<Host>) -> Self {
        hosts.truncate(peers_max);
        Self {
            entry,
            peers_max,
            hosts,
        }
    }

    /// What the configuration calls the set.
    pub(super) fn name(&self) -> &str {
        &self.entry.name
    }

    /// Whether it is this entry's, which may have changed in all but name and place.
    pub(super) fn is_of(&self, entry: &Peer) -> bool {
        let place = |peer: &Peer| peer.at.destination().cloned();
        self.entry.name == entry.name && place(&self.entry) == place(entry)
    }

    /// The hosts, for the set that comes after this one.
    pub(super) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Makes these its hosts.
    #[cfg(test)]
    pub(super) fn put(&mut self, names: &[&str]) {
        let host = |name: &&str| Host {
            name: (*name).to_owned(),
            targets: Vec::new(),
        };
        self.hosts = names.iter().map(host).collect();
    }

    /// The peers as the balancer is told them.
    pub(super) fn peers(&self) -> impl Iterator<Item = PeerSettings> {
        let peer = |host: &Host| {
            settings::peer(&self.entry, self.name_of(&host.name), host.targets.clone())
        };
        self.hosts.iter().map(peer)
    }

    /// What its peers are called.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.hosts.iter().map(|host| self.name_of(&host.name))
    }

    /// What the name leads to now; the hosts of before, if that changed the peers.
    pub(super) fn take(&mut self, location: &Location) -> Option<Vec<Host>> {
        let mut found: Vec<(String, Vec<Target>)> = Vec::new();
        for target in &location.targets {
            let address = || target.address.to_string();
            let host = target
                .host
                .as_ref()
                .map_or_else(address, ToString::to_string);
            match found.iter_mut().find(|(known, _)| *known == host) {
                Some((_, targets)) => targets.push(target.clone()),
                None => found.push((host, vec![target.clone()])),
            }
        }
        // Who is here already stays before who is new: the limit must not make peers come and go.
        found.sort_by_key(|(host, _)| !self.hosts.iter().any(|known| known.name == *host));
        if found.len() > self.peers_max {
            warn!(
                peer = self.entry.name,
                hosts = found.len(),
                peers_max = self.peers_max,
                "more hosts than the set may have: the others get no calls"
            );
            found.truncate(self.peers_max);
        }
        let host = |(name, found): (String, Vec<Target>)| Host {
            name,
            targets: targets(&found),
        };
        let hosts: Vec<Host> = found.into_iter().map(host).collect();
        (hosts != self.hosts).then(|| std::mem::replace(&mut self.hosts, hosts))
    }

    /// What a host of the set is called. No configured name has an `@`.
    fn name_of(&self, host: &str) -> String {
        format!("{}@{host}", self.entry.name)
    }

    /// Who came and who left, once the board says so too.
    pub(super) fn tell_changes(&self, before: &[Host]) {
        let is_in = |list: &[Host], host: &Host| list.iter().any(|other| other.name == host.name);
        for host in self.hosts.iter().filter(|host| !is_in(before, host)) {
            info!(peer = self.name_of(&host.name), "came into the set");
        }
        for host in before.iter().filter(|host| !is_in(&self.hosts, host)) {
            let peer = self.name_of(&host.name);
            info!(peer, "left the set: no new calls, running ones go on");
        }
    }
}
