//! Admission: a call asks for bandwidth between two nodes, gets it, changes it and gives it back.

use super::network::{Network, NodeId, Path};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Where the caller is.
    pub from: NodeId,
    /// Where the call goes.
    pub to: NodeId,
    /// What it wants; the default of the configuration where it does not say.
    pub kbps: Option<u32>,
    /// Whether its media is relayed by the traversal subzone.
    pub is_traversal: bool,
}

/// Why there is no bandwidth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A configured limit of one call or of all together.
    #[error("a limit of bandwidth does not allow it; {allowed_kbps} kbit/s are allowed")]
    Exceeded {
        /// What would have been allowed.
        allowed_kbps: u32,
    },
    /// No links lead from one node to the other, or one of them is not known any more.
    #[error("no links lead there")]
    NoLink,
}

/// One worker's look at the configuration. Calls that it admits hold on to it: with a view of its own
/// a worker counts them on a cache line of its own.
#[derive(Debug)]
pub struct View {
    network: Arc<Network>,
}

impl View {
    pub(crate) fn of(network: Arc<Network>) -> Self {
        Self { network }
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn number(&self) -> u32 {
        self.network.number
    }

    /// The subzone or zone of this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<NodeId> {
        self.network.node(name)
    }

    /// The subzone that the rules put an endpoint into, or the default one.
    #[must_use]
    pub fn subzone_of(&self, address: Option<IpAddr>, aliases: &[&str]) -> Option<NodeId> {
        self.network.subzone_of(address, aliases)
    }

    /// The same, where a rule says so.
    #[must_use]
    pub fn subzone_by_rule(&self, address: Option<IpAddr>, aliases: &[&str]) -> Option<NodeId> {
        self.network.subzone_by_rule(address, aliases)
    }

    /// What a node is called.
    #[must_use]
    pub fn name(&self, node: NodeId) -> Option<&str> {
        self.network.name(node)
    }

    /// Takes bandwidth for a call from every total on its way, or nothing.
    ///
    /// # Errors
    /// Why there is none.
    #[inline]
    pub fn admit(self: &Arc<Self>, ask: &Ask) -> Result<Grant, Refused> {
        let network = self.network();
        let path = network
            .path_between(ask.from, ask.to, ask.is_traversal)
            .ok_or(Refused::NoLink)?;
        let asked_kbps = ask.kbps.unwrap_or(network.settings.default_call_kbps);
        let kbps = network.reserve(path, network.capped(path, asked_kbps)?)?;
        Ok(Grant {
            view: Arc::clone(self),
            path,
            asked_kbps,
            kbps,
        })
    }
}

impl Network {
    /// What one call may use of what it wants (BANDWIDTH.md section 3, step 3).
    #[inline]
    pub(crate) fn capped(&self, path: Path, want_kbps: u32) -> Result<u32, Refused> {
        let is_above = want_kbps > path.cap_kbps;
        if path.is_closed || is_above && !self.settings.downspeed_per_call {
            return Err(self.exceeded(path, 0));
        }
        Ok(want_kbps.min(path.cap_kbps))
    }

    /// Takes what is wanted, or what is left if that is worth a call (steps 5 and 6).
    #[inline]
    fn reserve(&self, path: Path, want_kbps: u32) -> Result<u32, Refused> {
        if self.take(path, want_kbps) {
            return Ok(want_kbps);
        }
        // What was left a moment ago may be gone, so that this is tried once again.
        for _ in 0..2 {
            let kbps = want_kbps.min(self.available(path));
            let is_worth_it = kbps == want_kbps || kbps >= self.settings.downspeed_floor_kbps;
            if !self.settings.downspeed_total || !is_worth_it {
                break;
            }
            if self.take(path, kbps) {
                return Ok(kbps);
            }
        }
        Err(self.exceeded(path, 0))
    }

    /// What [`Network::reserve`] would give, without taking it.
    pub(crate) fn would_give(&self, path: Path, want_kbps: u32) -> Result<u32, Refused> {
        let want_kbps = self.capped(path, want_kbps)?;
        let kbps = want_kbps.min(self.available(path));
        let is_worth_it = kbps >= self.settings.downspeed_floor_kbps;
        if kbps == want_kbps || self.settings.downspeed_total && is_worth_it {
            return Ok(kbps);
        }
        Err(self.exceeded(path, 0))
    }

    /// Takes from every total on the way, in ascending order, or from none.
    #[inline]
    fn take(&self, path: Path, kbps: u32) -> bool {
        let charges = self.charges(path);
        for (taken, charge) in charges.iter().enumerate() {
            let Some(resource) = self.resource(*charge) else {
                continue;
            };
            if !resource
                .counter
                .take(u64::from(kbps) * u64::from(charge.times))
            {
                self.give_back_first(path, taken, kbps);
                return false;
            }
        }
        true
    }

    fn give_back(&self, path: Path, kbps: u32) {
        self.give_back_first(path, usize::MAX, kbps);
    }

    /// Gives back to so many totals of the way.
    fn give_back_first(&self, path: Path, count: usize, kbps: u32) {
        for charge in self.charges(path).iter().take(count) {
            if let Some(resource) = self.resource(*charge) {
                resource
                    .counter
                    .give_back(u64::from(kbps) * u64::from(charge.times));
            }
        }
    }

    /// What is left on the whole way (step 5).
    pub(crate) fn available(&self, path: Path) -> u32 {
        let charges = self.charges(path).iter();
        let left = charges.filter_map(|charge| {
            let resource = self.resource(*charge)?;
            Some(resource.counter.available() / u64::from(charge.times.max(1)))
        });
        left.min()
            .map_or(u32::MAX, |kbps| u32::try_from(kbps).unwrap_or(u32::MAX))
    }

    /// The refusal, with what would be allowed to who has `kbps` already.
    fn exceeded(&self, path: Path, kbps: u32) -> Refused {
        let left = self.available(path).saturating_add(kbps);
        let allowed_kbps = if path.is_closed {
            0
        } else {
            left.min(path.cap_kbps)
        };
        Refused::Exceeded { allowed_kbps }
    }
}

/// Bandwidth that a call has. It goes back on drop, to the totals that it was taken from and no others,
/// whatever was configured since.
#[must_use = "a grant that is dropped at once reserves nothing"]
pub struct Grant {
    view: Arc<View>,
    path: Path,
    /// What the call wanted, which may be more than it got.
    asked_kbps: u32,
    kbps: u32,
}

impl Grant {
    /// What the call has.
    #[must_use]
    pub fn kbps(&self) -> u32 {
        self.kbps
    }

    /// The call wants another bandwidth. Less is always given. More is given whole or not at all, apart
    /// from the limit of one call; who asks for what was asked for before keeps what it has.
    ///
    /// # Errors
    /// There is not as much, and what would be allowed; the call keeps what it has.
    pub fn change(&mut self, want_kbps: u32) -> Result<u32, Refused> {
        if want_kbps == self.asked_kbps {
            return Ok(self.kbps);
        }
        let network = self.view.network();
        if want_kbps > self.kbps {
            let exceeded = || network.exceeded(self.path, self.kbps);
            let capped = network
                .capped(self.path, want_kbps)
                .map_err(|_| exceeded())?;
            // What it has may be more than a limit of one call that is lower now.
            let more = capped.saturating_sub(self.kbps);
            if more > 0 && !network.take(self.path, more) {
                return Err(exceeded());
            }
            self.kbps += more;
        } else {
            network.give_back(self.path, self.kbps - want_kbps);
            self.kbps = want_kbps;
        }
        self.asked_kbps = want_kbps;
        Ok(self.kbps)
    }

    /// Gives everything back; a second time changes nothing.
    pub fn release(&mut self) {
        let kbps = std::mem::take(&mut self.kbps);
        self.asked_kbps = 0;
        self.view.network().give_back(self.path, kbps);
    }

    /// What the call is charged to: the name of each subzone or pipe, and how much.
    pub fn charges(&self) -> impl Iterator<Item = (&str, u64)> {
        let network = self.view.network();
        let charges = network.charges(self.path).iter();
        charges.filter_map(|charge| {
            let resource = network.resource(*charge)?;
            let kbps = u64::from(self.kbps) * u64::from(charge.times);
            Some((&*resource.name, kbps))
        })
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let charges: Vec<_> = self.charges().collect();
        f.debug_struct("Grant")
            .field("kbps", &self.kbps)
            .field("charges", &charges)
            .finish_non_exhaustive()
    }
}
