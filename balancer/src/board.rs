//! All peers and pools at one instant: immutable, read by every worker through one `ArcSwap`.
//!
//! What changes from call to call is not here but in the [`Vitals`] that each board points to, so
//! that a new board (a reload, a name resolved anew) forgets nothing.

use crate::health::{Health, Rules, State};
use crate::plan::{Mistake, Plan};
use crate::settings::{
    Failover, Operator, POOL_OF_ALL, PeerSettings, PoolSettings, Settings, Strategy, Target,
    UNKNOWN,
};
use crate::vitals::Vitals;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// A peer's number. It is never given to another name, whatever is reloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub(crate) u32);

impl PeerId {
    /// The number, for whoever must know a peer without knowing this type.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// The peer of a number that [`PeerId::number`] gave.
    #[must_use]
    pub fn of_number(number: u32) -> Self {
        Self(number)
    }
}

/// A peer on the board.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its number.
    pub id: PeerId,
    /// As configured.
    pub settings: Arc<PeerSettings>,
    /// Where it is now: as configured, or as its name was resolved last.
    pub targets: Arc<[Target]>,
    pub(crate) vitals: Arc<Vitals>,
    /// Where its pool stands on the board.
    pub(crate) pool: u16,
}

impl Peer {
    /// Sessions taken, confirmed by an answer or not.
    #[must_use]
    pub fn in_use(&self) -> u32 {
        self.vitals.counts.seen().taken()
    }

    /// Sessions taken and not yet confirmed.
    #[must_use]
    pub fn reserved(&self) -> u32 {
        self.vitals.counts.seen().reserved()
    }
}

/// A group of peers, laid out for a choice.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) name: Arc<str>,
    pub(crate) strategy: Strategy,
    /// Whether the room of some peer is not configured, so that it may not be known.
    pub(crate) may_lack_figures: bool,
    audio_sessions: u32,
    video_sessions: u32,
    pub(crate) failover: Failover,
    pub(crate) candidates: Box<[Candidate]>,
    /// Counts decisions, so that equals take turns.
    pub(crate) turn: Arc<Turn>,
}

impl Pool {
    /// What a call takes of a peer.
    pub(crate) fn sessions(&self, is_audio_only: bool) -> u32 {
        if is_audio_only {
            self.audio_sessions
        } else {
            self.video_sessions
        }
    }
}

/// What a choice reads of a peer.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) id: PeerId,
    /// Where it stands on the board.
    pub(crate) position: u32,
    pub(crate) sessions_max: u32,
    /// 0 where there is no target.
    pub(crate) new_limit: u32,
    pub(crate) weight: u32,
    /// One bit for each tag that some alias asks for.
    pub(crate) tags: u64,
}

/// A counter in a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Turn(pub(crate) AtomicU32);

/// All peers.
#[derive(Clone, Debug)]
pub struct Board {
    peers: Box<[Peer]>,
    pub(crate) pools: Box<[Pool]>,
    weighs_media: bool,
    pub(crate) plan: Arc<Plan>,
    /// Which configuration it was made from.
    pub(crate) configuration: u64,
    pub(crate) rules: Rules,
    /// How long the answer to a probe may take.
    pub(crate) probe_timeout: Duration,
    /// Where each peer stands in `peers`, by its number.
    positions: Box<[(PeerId, u32)]>,
    /// The names on this board and on those before. The counts of a peer that was taken out live on:
    /// its calls go on, and it may come back.
    known: BTreeMap<Arc<str>, Known>,
    /// The number of the next peer that is new.
    next: u32,
    /// How many boards came before.
    generation: u64,
}

/// What outlives a board.
#[derive(Clone, Debug)]
struct Known {
    id: PeerId,
    vitals: Arc<Vitals>,
    /// The last board that it was on.
    generation: u64,
}

/// Names that were taken out and are still known. Hosts of a set come and go with the name service;
/// beyond this the longest gone are forgotten, unless a call is still there.
const GONE_MAX: usize = 1_000;

impl Board {
    /// The peers, in the order of the configuration.
    #[must_use]
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// The peer with this number, unless it was taken out.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<&Peer> {
        let at = self.positions.binary_search_by_key(&id, |(id, _)| *id);
        let (_, position) = self.positions.get(at.ok()?)?;
        self.peers.get(*position as usize)
    }

    /// The peer of this name.
    #[must_use]
    pub fn peer_named(&self, name: &str) -> Option<&Peer> {
        self.peer(self.known.get(name)?.id)
    }

    /// Whether a candidate has no address: it is down then, and not full.
    pub(crate) fn is_nowhere(&self, candidate: &Candidate) -> bool {
        let peer = self.peers.get(candidate.position as usize);
        peer.is_none_or(|peer| peer.targets.is_empty())
    }

    /// How long calls wait for a peer, and when they go on to the next.
    #[must_use]
    pub fn failover_of(&self, peer: &Peer) -> Failover {
        self.pool_of(peer)
            .map_or_else(Failover::default, |pool| pool.failover)
    }

    /// Whether calls weigh differently by their media in some pool, so that it is worth a look.
    pub(crate) fn weighs_media(&self) -> bool {
        self.weighs_media
    }

    /// The pool that a peer is in.
    pub(crate) fn pool_of(&self, peer: &Peer) -> Option<&Pool> {
        self.pools.get(usize::from(peer.pool))
    }

    /// How many configurations came before this one.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Names that are known, on this board or from those before.
    #[cfg(test)]
    pub(crate) fn known(&self) -> usize {
        self.known.len()
    }

    /// A board of these settings. Counts, health and what the operator wants are kept of the peers
    /// that `earlier` knew by the same name.
    pub(crate) fn new(settings: &Settings, earlier: Option<&Self>) -> Result<Self, Mistake> {
        let mut known = earlier.map_or_else(BTreeMap::new, |board| board.known.clone());
        let generation = earlier.map_or(0, |board| board.generation + 1);
        let mut next = earlier.map_or(0, |board| board.next);
        let pools = pools(settings);
        let names: Vec<&str> = pools.iter().map(|pool| pool.name.as_str()).collect();
        let plan = Plan::new(settings, &names)?;
        let mut peers = Vec::with_capacity(settings.peers.len());
        for peer in &settings.peers {
            let known = known
                .entry(Arc::from(peer.name.as_str()))
                .or_insert_with(|| {
                    let id = PeerId(next);
                    next = next.saturating_add(1);
                    Known {
                        id,
                        vitals: Arc::new(Vitals::new(peer.operator)),
                        generation,
                    }
                });
            known.generation = generation;
            peers.push(Peer {
                id: known.id,
                settings: Arc::new(peer.clone()),
                targets: targets(peer, known.id, earlier),
                vitals: Arc::clone(&known.vitals),
                pool: position_of(&names, &peer.pool).unwrap_or(u16::MAX),
            });
        }
        forget_long_gone(&mut known, generation);
        let positions = peers.iter().zip(0u32..);
        let mut positions: Vec<_> = positions.map(|(peer, at)| (peer.id, at)).collect();
        positions.sort_unstable();
        let mut board = Self {
            peers: peers.into(),
            pools: Box::default(),
            weighs_media: false,
            plan: Arc::new(plan),
            configuration: settings.configuration,
            rules: Rules::new(&settings.health),
            probe_timeout: settings.health.probe_timeout,
            positions: positions.into(),
            known,
            next,
            generation,
        };
        board.pools = board.pools(&pools, earlier);
        let mut pools = board.pools.iter();
        board.weighs_media = pools.any(|pool| pool.sessions(true) != pool.sessions(false));
        Ok(board)
    }

    /// The same with other addresses for one peer.
    pub(crate) fn with_targets(&self, id: PeerId, targets: &Arc<[Target]>) -> Self {
        let mut board = self.clone();
        for peer in &mut board.peers {
            if peer.id == id {
                peer.targets = Arc::clone(targets);
            }
        }
        for pool in &mut board.pools {
            for candidate in pool.candidates.iter_mut().filter(|one| one.id == id) {
                let peer = board.peers.get(candidate.position as usize);
                candidate.new_limit = peer.map_or(0, new_limit);
            }
        }
        board
    }

    fn pools(&self, pools: &[PoolSettings], earlier: Option<&Self>) -> Box<[Pool]> {
        let turn = |name: &str| {
            let earlier = earlier.map_or(&[][..], |board| &board.pools);
            earlier
                .iter()
                .find(|pool| *pool.name == *name)
                .map_or_else(Arc::default, |pool| Arc::clone(&pool.turn))
        };
        pools
            .iter()
            .map(|pool| {
                let candidates = self.candidates(&pool.name);
                let lacks = |candidate: &Candidate| candidate.sessions_max == UNKNOWN;
                Pool {
                    name: Arc::from(pool.name.as_str()),
                    strategy: pool.strategy,
                    may_lack_figures: candidates.iter().any(lacks),
                    audio_sessions: pool.audio_sessions.max(1),
                    video_sessions: pool.video_sessions.max(1),
                    failover: pool.failover,
                    candidates,
                    turn: turn(&pool.name),
                }
            })
            .collect()
    }

    fn candidates(&self, pool: &str) -> Box<[Candidate]> {
        let members = self.peers.iter().zip(0u32..);
        members
            .filter(|(peer, _)| peer.settings.pool == pool)
            .map(|(peer, position)| Candidate {
                vitals: Arc::clone(&peer.vitals),
                id: peer.id,
                position,
                sessions_max: peer.settings.sessions_max,
                new_limit: new_limit(peer),
                weight: peer.settings.weight.max(1),
                tags: self.plan.tags(&peer.settings.tags),
            })
            .collect()
    }
}

/// Where a name stands among names.
pub(crate) fn position_of(names: &[&str], name: &str) -> Option<u16> {
    let mut positions = names.iter().zip(0u16..);
    positions
        .find(|(other, _)| **other == name)
        .map(|(_, position)| position)
}

/// The pools as configured, and the one that peers are in which name none.
fn pools(settings: &Settings) -> Vec<PoolSettings> {
    let mut pools = settings.pools.clone();
    let is_wanted = settings.peers.iter().any(|peer| peer.pool == POOL_OF_ALL);
    if is_wanted && !pools.iter().any(|pool| pool.name == POOL_OF_ALL) {
        pools.push(PoolSettings::new(POOL_OF_ALL));
    }
    pools
}

/// Keeps the names that are gone to so many as fit; those that something is held of stay in any case.
fn forget_long_gone(known: &mut BTreeMap<Arc<str>, Known>, generation: u64) {
    let is_gone = |known: &Known| known.generation < generation;
    let beyond = known.values().filter(|known| is_gone(known)).count();
    let beyond = beyond.saturating_sub(GONE_MAX);
    if beyond == 0 {
        return;
    }
    let idle = known
        .iter()
        .filter(|(_, known)| is_gone(known) && known.vitals.is_idle());
    let mut idle: Vec<_> = idle
        .map(|(name, known)| (known.generation, Arc::clone(name)))
        .collect();
    idle.sort();
    for (_, name) in idle.into_iter().take(beyond) {
        known.remove(&name);
    }
}

/// Addresses that a name was resolved to outlive a reload in which the peer did not change.
fn targets(peer: &PeerSettings, id: PeerId, earlier: Option<&Board>) -> Arc<[Target]> {
    let same = earlier
        .and_then(|board| board.peer(id))
        .filter(|other| peer.targets.is_empty() && other.settings.targets.is_empty());
    same.map_or_else(
        || Arc::from(peer.targets.as_slice()),
        |other| Arc::clone(&other.targets),
    )
}

/// Nobody is sent to a peer without an address.
fn new_limit(peer: &Peer) -> u32 {
    if peer.targets.is_empty() {
        0
    } else {
        peer.settings.new_limit.min(peer.settings.sessions_max)
    }
}

/// A peer's state in the words of the VCS page, and two of Baton's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// In service.
    Active,
    /// It answers again, and is watched for a while.
    Checking,
    /// The operator drains it.
    Draining,
    /// Out of service.
    Failed,
    /// The operator works on it.
    Maintenance,
    /// It asked to be left alone for a time.
    Paused,
}

impl PeerState {
    /// All, in the order of the alphabet.
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::Checking,
        Self::Draining,
        Self::Failed,
        Self::Maintenance,
        Self::Paused,
    ];

    pub(crate) fn of(health: Health, now: u64) -> Self {
        match (health.operator, health.state) {
            (Operator::Maint, _) => Self::Maintenance,
            (_, State::Failed) => Self::Failed,
            (_, State::Checking) => Self::Checking,
            (Operator::Drain, State::Active | State::Paused) => Self::Draining,
            (Operator::Ready, State::Paused) if !health.is_well(now) => Self::Paused,
            (Operator::Ready, State::Active | State::Paused) => Self::Active,
        }
    }

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Checking => "Checking",
            Self::Draining => "Draining",
            Self::Failed => "Failed",
            Self::Maintenance => "Maintenance",
            Self::Paused => "Paused",
        }
    }
}
