//! Who is registered: endpoints, what they are called, and until when.
//!
//! Aliases of all kinds are one space of names, letter case aside. Every table has a maximum.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Aliases that one endpoint may have.
pub(crate) const ALIASES_MAX: usize = 32;

/// One registered endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Where its datagrams come from, and answers go.
    pub(crate) source: SocketAddr,
    /// Where calls to it go.
    pub(crate) call_signal_address: SocketAddr,
    /// What it is called, in lower case.
    pub(crate) aliases: Vec<String>,
    time_to_live: Duration,
    expires: Instant,
}

/// Names an endpoint; never used a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EndpointKey(pub(crate) u64);

/// All endpoints.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    endpoints: BTreeMap<EndpointKey, Endpoint>,
    aliases: BTreeMap<String, EndpointKey>,
    addresses: BTreeMap<SocketAddr, EndpointKey>,
    sources: BTreeSet<(SocketAddr, EndpointKey)>,
    deadlines: BTreeSet<(Instant, EndpointKey)>,
}

/// A registration as it is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) source: SocketAddr,
    pub(crate) call_signal_address: SocketAddr,
    pub(crate) aliases: Vec<String>,
    pub(crate) time_to_live: Duration,
}

impl Directory {
    pub(crate) fn len(&self) -> usize {
        self.endpoints.len()
    }

    pub(crate) fn endpoint(&self, key: EndpointKey) -> Option<&Endpoint> {
        self.endpoints.get(&key)
    }

    /// Whether a registered endpoint sends from here.
    pub(crate) fn knows_source(&self, source: SocketAddr) -> bool {
        let any = (source, EndpointKey(0))..=(source, EndpointKey(u64::MAX));
        self.sources.range(any).next().is_some()
    }

    /// Who is called so.
    pub(crate) fn find(&self, alias: &str) -> Option<&Endpoint> {
        self.endpoint(*self.aliases.get(&alias.to_lowercase())?)
    }

    /// Who is at this address for calls: one that registers anew from there is the same.
    pub(crate) fn at(&self, call_signal_address: SocketAddr) -> Option<EndpointKey> {
        self.addresses.get(&call_signal_address).copied()
    }

    /// The aliases of these that somebody else has.
    pub(crate) fn taken<'w>(
        &self,
        aliases: &'w [String],
        by_other_than: Option<EndpointKey>,
    ) -> impl Iterator<Item = (&'w String, EndpointKey)> {
        aliases.iter().filter_map(move |alias| {
            let holder = *self.aliases.get(alias)?;
            (Some(holder) != by_other_than).then_some((alias, holder))
        })
    }

    /// Puts an endpoint in, in the place of whoever has this key. Nobody else has its aliases or its address
    /// for calls: the caller has seen to that.
    pub(crate) fn put(&mut self, key: EndpointKey, wish: Wish, now: Instant) {
        self.remove(key);
        debug_assert!(
            self.taken(&wish.aliases, None).next().is_none(),
            "names are free"
        );
        for alias in &wish.aliases {
            self.aliases.insert(alias.clone(), key);
        }
        self.addresses.insert(wish.call_signal_address, key);
        self.sources.insert((wish.source, key));
        let expires = now + with_grace(wish.time_to_live);
        self.deadlines.insert((expires, key));
        self.endpoints.insert(
            key,
            Endpoint {
                source: wish.source,
                call_signal_address: wish.call_signal_address,
                aliases: wish.aliases,
                time_to_live: wish.time_to_live,
                expires,
            },
        );
        self.check_invariants();
    }

    /// An endpoint says that it is still there, perhaps for another time; the time that holds.
    pub(crate) fn refresh(
        &mut self,
        key: EndpointKey,
        time_to_live: Option<Duration>,
        now: Instant,
    ) -> Option<Duration> {
        let endpoint = self.endpoints.get_mut(&key)?;
        self.deadlines.remove(&(endpoint.expires, key));
        endpoint.time_to_live = time_to_live.unwrap_or(endpoint.time_to_live);
        endpoint.expires = now + with_grace(endpoint.time_to_live);
        self.deadlines.insert((endpoint.expires, key));
        Some(endpoint.time_to_live)
    }

    /// Takes an endpoint out.
    pub(crate) fn remove(&mut self, key: EndpointKey) -> Option<Endpoint> {
        let endpoint = self.endpoints.remove(&key)?;
        self.deadlines.remove(&(endpoint.expires, key));
        self.addresses.remove(&endpoint.call_signal_address);
        self.sources.remove(&(endpoint.source, key));
        for alias in &endpoint.aliases {
            self.aliases.remove(alias);
        }
        self.check_invariants();
        Some(endpoint)
    }

    /// When the next registration runs out.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(expires, _)| *expires)
    }

    /// Takes out one whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Endpoint> {
        let (expires, key) = *self.deadlines.first()?;
        if expires > now {
            return None;
        }
        self.remove(key)
    }

    fn check_invariants(&self) {
        debug_assert_eq!(self.deadlines.len(), self.endpoints.len());
        debug_assert_eq!(self.addresses.len(), self.endpoints.len());
        debug_assert_eq!(self.sources.len(), self.endpoints.len());
        debug_assert!(
            self.aliases
                .values()
                .all(|key| self.endpoints.contains_key(key))
        );
    }
}

/// A quarter more than was agreed: a refresh may be lost once.
fn with_grace(time_to_live: Duration) -> Duration {
    time_to_live + time_to_live / 4
}
