//! What all workers share: the board, the conferences, and the ways to tell of peers.

use crate::board::{Board, Peer, PeerId, PeerState};
use crate::conferences::{ConferenceFigures, Directory};
use crate::health::{Event, Health};
use crate::leases::Leases;
use crate::moment::{Epoch, millis};
use crate::place::{NoPlace, Request};
use crate::plan::Mistake;
use crate::report::{Cause, Outcome, Reported};
use crate::settings::{Operator, Settings, Target};
use arc_swap::{ArcSwap, Guard};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Where calls go; shared by all workers.
#[derive(Debug)]
pub struct Balancer {
    board: ArcSwap<Board>,
    /// Goes up after each new board.
    boards: AtomicU64,
    pub(crate) directory: Arc<Directory>,
    pub(crate) leases: Leases,
    epoch: Epoch,
    deaths: AtomicU64,
    /// From which jitter follows.
    pub(crate) seed: u64,
}

/// A peer went from one state to another: worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it was.
    pub from: PeerState,
    /// What it is.
    pub to: PeerState,
}

impl Balancer {
    /// A balancer of these settings. Jitter and the keys of its tables follow from the seed.
    ///
    /// # Errors
    /// The settings do not fit together.
    pub fn new(settings: &Settings, seed: u64, now: Instant) -> Result<Self, Mistake> {
        let board = Board::new(settings, None)?;
        let balancer = Self {
            board: ArcSwap::from_pointee(board),
            boards: AtomicU64::new(0),
            directory: Arc::new(Directory::new(seed)),
            leases: Leases::new(seed),
            epoch: Epoch::new(now),
            deaths: AtomicU64::new(0),
            seed,
        };
        balancer.spread_probes(0);
        Ok(balancer)
    }

    /// Takes new settings over, all or nothing. Counts, health, conferences and what the operator
    /// wants stay with the peers of the same names.
    ///
    /// # Errors
    /// The settings do not fit together; nothing has changed.
    pub fn reload(&self, settings: &Settings, now: Instant) -> Result<(), Mistake> {
        let now = self.millis(now);
        let board = Arc::new(Board::new(settings, Some(&self.board_now()))?);
        let given_up = self.pattern_give_ups();
        // Relaxed: it stands for itself.
        board.plan.given_up.store(given_up, Ordering::Relaxed);
        for peer in board.peers() {
            let rules = &board.rules;
            peer.vitals.change_health(|health| health.under(now, rules));
        }
        self.board.store(board);
        self.count_board();
        self.spread_probes(now);
        Ok(())
    }

    /// The board as it is now.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        self.board.load_full()
    }

    /// The state of each peer now, in the order of the configuration.
    pub fn states(&self, now: Instant) -> impl Iterator<Item = PeerState> {
        let now = self.millis(now);
        let board = self.board();
        (0..board.peers().len()).filter_map(move |place| {
            let peer = board.peers().get(place)?;
            Some(PeerState::of(peer.vitals.health(), now))
        })
    }

    /// Whether the dial plan serves this alias for this zone.
    ///
    /// # Errors
    /// Why not: `AliasUnknown` or `CallerNotAllowed`.
    pub fn serves(&self, alias: &[u8], zone: &str) -> Result<(), NoPlace> {
        let board = self.board_now();
        board.plan.route(alias, zone, &mut None).map(|_| ())
    }

    /// Whether it matters to some choice that a call has sound alone.
    #[must_use]
    pub fn weighs_media(&self) -> bool {
        self.board_now().weighs_media()
    }

    /// [`crate::Snapshot::running`].
    pub(crate) fn running_on(
        &self,
        board: &Board,
        request: &Request<'_>,
    ) -> Result<Option<(PeerId, u32)>, NoPlace> {
        let mut name = None;
        let route = self.route(board, (request.alias, request.zone), &mut name)?;
        let running = name
            .as_ref()
            .filter(|_| route.has_conference)
            .and_then(|name| self.directory.find(name.as_str()));
        match running {
            Some(seating) => {
                let peer = self.look_along(board, &route, (name.as_ref(), request));
                match peer {
                    // Its peer is lost: a call would begin it anew, elsewhere.
                    Ok(peer) if peer != seating.peer => Ok(None),
                    // Full is no reason against a question.
                    Ok(_) | Err(NoPlace::ConferenceFull | NoPlace::NoCapacity) => {
                        Ok(Some((seating.peer, seating.number)))
                    }
                    Err(why) => Err(why),
                }
            }
            None if route.rule.is_some_and(|rule| !rule.may_create) => Err(NoPlace::NotStarted),
            None => Ok(None),
        }
    }

    /// Tells how a call or a probe went. What that changed of the peer's state.
    pub fn report(&self, now: Instant, peer: PeerId, outcome: Outcome) -> Option<Change> {
        let board = self.board_now();
        let peer = board.peer(peer)?;
        let (event, cause) = match outcome {
            Outcome::Accepted | Outcome::Answered => (Event::Good, None),
            Outcome::Busy => (Event::Good, Some(Cause::Busy)),
            Outcome::Failed(cause) => (Event::Hard, Some(cause)),
            Outcome::Paused(time) => (Event::Pause(millis(time)), Some(Cause::Paused)),
            Outcome::ProbeBad => (Event::ProbeBad, None),
            Outcome::ProbeGood => (Event::ProbeGood, None),
            Outcome::SoftFailure => (Event::Soft, Some(Cause::Error)),
        };
        if let Some(cause) = cause {
            peer.vitals.count_failover(cause);
        }
        let now = self.millis(now);
        let (before, after) = peer.vitals.observe(event, now, &board.rules);
        if before != after {
            self.reschedule(peer, event, (before, after), now, &board.rules);
        }
        if after.is_dead(&board.rules) && !before.is_dead(&board.rules) {
            // Relaxed, as below: who sees the count late looks again soon.
            self.deaths.fetch_add(1, Ordering::Relaxed);
        }
        let (from, to) = (PeerState::of(before, now), PeerState::of(after, now));
        (from != to).then_some(Change { from, to })
    }

    /// How often a peer was found dead: Failed, and not answering probes either. Who waits for peers looks
    /// from time to time whether this has grown, and then asks [`Balancer::dead`].
    #[must_use]
    pub fn deaths(&self) -> u64 {
        self.deaths.load(Ordering::Relaxed)
    }

    /// The peers that are dead now.
    #[must_use]
    pub fn dead(&self) -> Vec<PeerId> {
        let board = self.board_now();
        let is_dead = |peer: &&Peer| peer.vitals.health().is_dead(&board.rules);
        let dead = board.peers().iter().filter(is_dead);
        dead.map(|peer| peer.id).collect()
    }

    /// Whether this peer is dead now.
    #[must_use]
    pub fn is_dead(&self, peer: PeerId) -> bool {
        let board = self.board_now();
        let health = board.peer(peer).map(|peer| peer.vitals.health());
        health.is_some_and(|health| health.is_dead(&board.rules))
    }

    /// Tells what a peer says of itself.
    pub fn report_use(&self, now: Instant, peer: PeerId, reported: Reported) {
        if let Some(peer) = self.board_now().peer(peer) {
            peer.vitals.reconcile(reported, self.millis(now));
        }
    }

    /// Other members of the cluster use so many sessions of a peer, together.
    pub fn set_elsewhere(&self, peer: PeerId, sessions: u32) {
        if let Some(peer) = self.board_now().peer(peer) {
            peer.vitals.set_elsewhere(sessions);
        }
    }

    /// Sessions that are taken here of each peer, with its name.
    pub fn sessions_taken(&self, mut each: impl FnMut(PeerId, &str, u32)) {
        for peer in self.board_now().peers() {
            each(
                peer.id,
                &peer.settings.name,
                peer.vitals.counts.seen().taken(),
            );
        }
    }

    /// What the operator wants of a peer from now on, until told otherwise; a reload keeps it.
    pub fn set_operator(&self, now: Instant, peer: PeerId, operator: Operator) -> Option<Change> {
        let board = self.board_now();
        let peer = board.peer(peer)?;
        let change = |health: Health| health.with_operator(operator);
        let (before, after) = peer.vitals.change_health(change);
        let now = self.millis(now);
        let (from, to) = (PeerState::of(before, now), PeerState::of(after, now));
        (from != to).then_some(Change { from, to })
    }

    /// A peer's name was resolved: these are its addresses now. Without any it is not chosen.
    pub fn set_targets(&self, peer: PeerId, targets: &[Target]) {
        let targets: Arc<[Target]> = Arc::from(targets);
        self.board.rcu(|board| board.with_targets(peer, &targets));
        self.count_board();
    }

    /// All conferences, by name.
    #[must_use]
    pub fn conferences(&self) -> Vec<ConferenceFigures> {
        self.directory.figures()
    }

    /// How often a pattern of the dial plan took too many steps, so that nobody knows whether it matches:
    /// that counts as no match.
    #[must_use]
    pub fn pattern_give_ups(&self) -> u64 {
        self.board_now().plan.given_up.load(Ordering::Relaxed)
    }

    /// How many conferences there are.
    #[must_use]
    pub fn conference_count(&self) -> usize {
        self.directory.len()
    }

    /// Release: whoever sees the number finds the board, or a later one.
    fn count_board(&self) {
        self.boards.fetch_add(1, Ordering::Release);
    }

    /// How many boards there were after the first one: who keeps something of a board looks whether this
    /// has grown.
    #[must_use]
    pub fn boards(&self) -> u64 {
        self.boards.load(Ordering::Acquire)
    }

    pub(crate) fn board_now(&self) -> Guard<Arc<Board>> {
        self.board.load()
    }

    pub(crate) fn millis(&self, now: Instant) -> u64 {
        self.epoch.millis(now)
    }

    pub(crate) fn instant(&self, millis: u64) -> Option<Instant> {
        self.epoch.instant(millis)
    }
}
