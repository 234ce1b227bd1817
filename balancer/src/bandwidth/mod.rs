//! How much of the network a call may use: subzones, links and pipes.
//!
//! [`View::admit`] finds the way between two nodes, bounds what one call may use, takes it from
//! every total on the way in the same step, and gives a [`Grant`], which gives it back on drop. No
//! lock, no allocation: ways are compiled when the configuration is loaded, and totals are atomic words.

mod admission;
mod check;
mod counter;
mod members;
mod network;
mod premade;
mod settings;
mod topology;

pub use admission::{Ask, Grant, Refused, View};
pub use check::{Charged, Check, Use};
pub use network::{Cap, NodeId};
pub use premade::{DEFAULT_SUBZONE, DEFAULT_ZONE, TRAVERSAL_SUBZONE};
pub use settings::{
    BandwidthMistake, BandwidthSettings, LINKS_MAX, Limit, LinkSettings, PIPES_MAX, PipeSettings,
    RULES_MAX, RuleMatch, RuleSettings, SUBZONES_MAX, SubzoneKind, SubzoneSettings, ZONES_MAX,
};

use arc_swap::ArcSwap;
use network::Network;
use std::sync::Arc;

/// Bandwidth control as it is configured now, shared by all workers.
#[derive(Debug)]
pub struct Bandwidth {
    network: ArcSwap<Network>,
}

impl Bandwidth {
    /// Of these settings.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn new(settings: &BandwidthSettings) -> Result<Self, BandwidthMistake> {
        let network = Network::new(settings, None)?;
        Ok(Self {
            network: ArcSwap::from_pointee(network),
        })
    }

    /// Whether settings can be used, without making anything of them.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn check(settings: &BandwidthSettings) -> Result<(), BandwidthMistake> {
        Network::without_ways(settings, None).map(|_| ())
    }

    /// Takes new settings over, all or nothing. Calls keep what they were charged to; of what vanished
    /// they give it back unseen. A limit that is lower now refuses new calls and cuts none.
    ///
    /// Not for two threads at once: one owner loads the configuration.
    ///
    /// # Errors
    /// The first thing that is wrong with them; then nothing has changed.
    pub fn reload(&self, settings: &BandwidthSettings) -> Result<(), BandwidthMistake> {
        let network = Network::new(settings, Some(&self.network.load()))?;
        network.put_limits();
        self.network.store(Arc::new(network));
        Ok(())
    }

    /// A look at it for one worker; until the next reload.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::new(View::of(self.network.load_full()))
    }

    /// Whether a view shows what is configured now.
    #[must_use]
    pub fn is_current(&self, view: &View) -> bool {
        view.number() == self.network.load().number
    }
}

#[cfg(test)]
mod tests;
