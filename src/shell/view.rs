//! What a running node shows to those who ask from outside: the workers' figures and the balancer,
//! read from another thread without disturbing anybody.

use super::control::{Control, Phase};
use super::counters::{Counters, Figure};
use super::members;
use super::names::Names;
use super::policy;
use super::tls::Tls;
use super::wishes::Wishes;
use balancer::{Balancer, PeerFigures, PeerState};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::sync::Notify;

/// What one worker counts.
#[derive(Clone, Debug)]
pub struct Figures {
    /// What its core counts: messages and calls.
    pub core: Arc<signaling::counters::Counters>,
    /// What its sockets count.
    pub shell: Arc<Counters>,
    /// The kernel's number of its thread; 0 before that runs.
    pub(super) thread: Arc<Figure>,
}

/// A node as it is seen.
pub(super) struct View {
    /// How the node calls itself.
    pub(super) name: String,
    pub(super) started: SystemTime,
    pub(super) control: Arc<Control>,
    pub(super) balancer: Arc<Balancer>,
    pub(super) tls: Arc<Tls>,
    /// Told when an operator wants the program to end.
    pub(super) leave: Arc<Notify>,
    /// By worker.
    pub(super) figures: Vec<Figures>,
    /// What operators want beyond a restart.
    pub(super) wishes: Arc<Wishes>,
    /// The other members, where there is a cluster.
    pub(super) members: Option<members::Watched>,
    /// Who is found by name; a reload goes through here.
    pub(super) names: Names,
    pub(super) policy: Arc<policy::Shared>,
}

/// Why a node wants no calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unready {
    Draining,
    NoUsablePeer,
    Starting,
}

impl View {
    /// Whether no new calls are taken.
    pub(super) fn is_draining(&self) -> bool {
        self.control.phase() != Phase::Running
    }

    /// Why calls should go elsewhere; empty when they should come.
    pub(super) fn unready(&self) -> Vec<Unready> {
        let mut reasons = Vec::new();
        if self.is_draining() {
            reasons.push(Unready::Draining);
        }
        if !self.balancer.figures(Instant::now()).iter().any(is_usable) {
            reasons.push(Unready::NoUsablePeer);
        }
        if self
            .figures
            .iter()
            .any(|figures| figures.shell.turns.value() == 0)
        {
            reasons.push(Unready::Starting);
        }
        reasons
    }

    /// Calls begun since the start.
    pub(super) fn calls_begun(&self) -> u64 {
        let figures = self.figures.iter();
        figures
            .map(|figures| figures.core.calls_begun.value())
            .sum()
    }

    /// A figure of the workers' shells, added up.
    pub(super) fn sum(&self, figure: impl Fn(&Counters) -> &Figure) -> u64 {
        let figures = self.figures.iter();
        figures.map(|figures| figure(&figures.shell).value()).sum()
    }
}

/// Whether calls go to a peer, or will as soon as one of its own ends.
fn is_usable(peer: &PeerFigures) -> bool {
    let is_in_service = match peer.state {
        PeerState::Active => true,
        PeerState::Checking
        | PeerState::Draining
        | PeerState::Failed
        | PeerState::Maintenance
        | PeerState::Paused => false,
    };
    is_in_service && peer.limit != Some(0) && !peer.targets.is_empty()
}

impl Unready {
    /// One word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::NoUsablePeer => "no_usable_peer",
            Self::Starting => "starting",
        }
    }
}
