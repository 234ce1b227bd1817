//! What a running node shows to those who ask from outside: the workers' figures and the balancer,
//! read from another thread without disturbing anybody.

use super::control::{Control, Phase};
use super::counters::Figure;
use balancer::Balancer;
use std::sync::Arc;
use std::time::SystemTime;

/// What one worker counts.
#[derive(Clone, Debug)]
pub struct Figures {
    /// What its core counts: messages and calls.
    pub core: Arc<signaling::counters::Counters>,
    /// What its sockets count.
    pub shell: Arc<super::counters::Counters>,
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
    /// By worker.
    pub(super) figures: Vec<Figures>,
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
        let board = self.balancer.board();
        if board
            .peers()
            .iter()
            .all(|peer| peer.settings.sessions_max == 0)
        {
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
