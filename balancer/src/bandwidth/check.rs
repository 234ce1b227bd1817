//! Answers without a call: what a call would get and why, and what is used of everything.

use super::admission::{Ask, Refused, View};
use super::counter::UNLIMITED;
use super::network::{Cap, Resource};

/// What would become of a call, as far as can be said without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The links on its way; none where both ends are one node.
    pub links: Vec<String>,
    /// The limits of one call on the way.
    pub caps: Vec<Cap>,
    /// What it would be charged to.
    pub charges: Vec<Charged>,
    /// What it would get, or why nothing.
    pub verdict: Result<u32, Refused>,
}

/// A total that a call would be charged to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// Whose it is, and what is used of it.
    pub of: Use,
    /// How often the call is charged to it.
    pub times: u16,
}

/// What is used of one subzone or pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Its name.
    pub name: String,
    /// Whether it is a pipe; otherwise it is a subzone.
    pub is_pipe: bool,
    /// What all calls together may use, if there is a limit.
    pub limit_kbps: Option<u64>,
    /// What calls of this node use.
    pub own_kbps: u64,
    /// What the other members use.
    pub remote_kbps: u64,
}

impl Use {
    fn of(resource: &Resource) -> Self {
        let counter = &resource.counter;
        Self {
            name: resource.name.to_string(),
            is_pipe: resource.is_pipe,
            limit_kbps: Some(counter.limit()).filter(|limit| *limit != UNLIMITED),
            own_kbps: counter.own(),
            remote_kbps: counter.remote(),
        }
    }

    /// What is left, if there is a limit.
    #[must_use]
    pub fn available_kbps(&self) -> Option<u64> {
        let used = self.own_kbps.saturating_add(self.remote_kbps);
        self.limit_kbps.map(|limit| limit.saturating_sub(used))
    }
}

impl Check {
    /// The total of which the least is left for one call, if any has a limit.
    #[must_use]
    pub fn tightest(&self) -> Option<&Charged> {
        let left = |charged: &Charged| {
            let available = charged.of.available_kbps()?;
            Some(available / u64::from(charged.times.max(1)))
        };
        let limited = self
            .charges
            .iter()
            .filter(|charged| left(charged).is_some());
        limited.min_by_key(|charged| left(charged))
    }
}

impl View {
    /// What [`View::admit`] would say, and why, without taking anything.
    #[must_use]
    pub fn check(&self, ask: &Ask) -> Check {
        let network = self.network();
        let way = network.explain(ask.from, ask.to, ask.is_traversal);
        let path = network.path_between(ask.from, ask.to, ask.is_traversal);
        let (Some(way), Some(path)) = (way, path) else {
            return Check {
                links: Vec::new(),
                caps: Vec::new(),
                charges: Vec::new(),
                verdict: Err(Refused::NoLink),
            };
        };
        let charges = network.charges(path).iter();
        let charges = charges.filter_map(|charge| {
            let of = Use::of(network.resource(*charge)?);
            let times = charge.times;
            Some(Charged { of, times })
        });
        let want_kbps = ask.kbps.unwrap_or(network.settings.default_call_kbps);
        Check {
            links: way.links,
            caps: way.caps,
            charges: charges.collect(),
            verdict: network.would_give(path, want_kbps),
        }
    }

    /// What is used of every subzone and pipe.
    pub fn uses(&self) -> impl Iterator<Item = Use> {
        self.network().resources.iter().map(Use::of)
    }

    /// What the other members use of a subzone or pipe, all together; replaces what was said before.
    /// Whether there is such a one.
    pub fn set_remote(&self, name: &str, is_pipe: bool, kbps: u64) -> bool {
        let mut resources = self.network().resources.iter();
        let found = resources.find(|known| known.is_pipe == is_pipe && *known.name == *name);
        if let Some(found) = found {
            found.counter.set_remote(kbps);
        }
        found.is_some()
    }
}
