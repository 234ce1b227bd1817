//! What operators see of peers: read at one moment, owned, without a reference to anything that
//! lives.

use crate::balancer::Balancer;
use crate::board::{Peer, PeerId, PeerState};
use crate::report::{Cause, Reported};
use crate::settings::{Operator, Target, UNKNOWN};
use crate::vitals::Reason;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One peer at one moment.
#[derive(Clone, Debug)]
pub struct PeerFigures {
    /// Its number.
    pub id: PeerId,
    /// Its name.
    pub name: String,
    /// Its pool.
    pub pool: String,
    /// Its addresses.
    pub targets: Arc<[Target]>,
    /// Its state in one word.
    pub state: PeerState,
    /// What the operator wants of it.
    pub operator: Operator,
    /// Sessions taken, confirmed by an answer or not.
    pub in_use: u32,
    /// Sessions taken and not yet confirmed.
    pub reserved: u32,
    /// Sessions that other members of the cluster use of it, as they say.
    pub elsewhere: u32,
    /// Room, the less of what is configured and what it reports, if either is known.
    pub limit: Option<u32>,
    /// Room for calls that begin a conference, if it is known.
    pub new_limit: Option<u32>,
    /// Room for calls into conferences that it has, if it is known.
    pub existing_limit: Option<u32>,
    /// What it last said of itself, and how old that is.
    pub reported: Option<(Reported, Duration)>,
    /// What it reported minus what was counted at that moment.
    pub drift: i32,
    /// Conferences on it.
    pub conferences: u32,
    /// How often it was chosen, by reason.
    pub chosen: Vec<(Reason, u64)>,
    /// Calls that had to leave it, by cause.
    pub failovers: Vec<(Cause, u64)>,
}

impl Balancer {
    /// All peers, in the order of the configuration.
    #[must_use]
    pub fn figures(&self, now: Instant) -> Vec<PeerFigures> {
        let now = self.millis(now);
        let board = self.board_now();
        let peers = board.peers().iter();
        peers.map(|peer| figures(peer, now)).collect()
    }
}

fn figures(peer: &Peer, now: u64) -> PeerFigures {
    let (settings, vitals) = (&peer.settings, &peer.vitals);
    let seen = vitals.counts.seen();
    let health = vitals.health();
    let limit = vitals.limit(settings.sessions_max);
    PeerFigures {
        id: peer.id,
        name: settings.name.clone(),
        pool: settings.pool.clone(),
        targets: Arc::clone(&peer.targets),
        state: if peer.targets.is_empty() {
            // Its name leads nowhere: it fails whatever its health was, and is as well as before
            // once it has an address again.
            PeerState::Failed
        } else {
            PeerState::of(health, now)
        },
        operator: health.operator,
        in_use: seen.taken(),
        reserved: seen.reserved(),
        elsewhere: vitals.elsewhere(),
        limit: known(limit),
        new_limit: known(settings.new_limit.min(limit)),
        existing_limit: known(settings.existing_limit.min(limit)),
        reported: vitals
            .reported(now)
            .map(|(reported, age)| (reported, Duration::from_millis(age))),
        drift: vitals.drift(),
        conferences: vitals.conferences(),
        chosen: Reason::ALL.into_iter().zip(vitals.chosen()).collect(),
        failovers: Cause::ALL.into_iter().zip(vitals.failovers()).collect(),
    }
}

/// A limit, if it is a figure at all.
pub(crate) fn known(limit: u32) -> Option<u32> {
    (limit != UNKNOWN).then_some(limit)
}
