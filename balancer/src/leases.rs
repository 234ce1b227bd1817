//! Sessions held for calls that were decided for others and have not come yet.
//!
//! A policy answer sends a call somewhere; the call itself comes later by another door, or not at
//! all. Until then a lease holds its permit: the call that comes for the same conference, or to the
//! same peer, takes it over; otherwise it goes back when its time is over.

use crate::balancer::Balancer;
use crate::board::{Board, PeerId};
use crate::conferences::SHARDS;
use crate::keyed::Keyed;
use crate::moment::millis;
use crate::permit::Permit;
use crate::place::{Claims, NoPlace, Request};
use crate::settings::{Role, Target};
use crossbeam_queue::ArrayQueue;
use dashmap::DashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A decision made for somebody else.
#[derive(Clone, Debug)]
pub struct Leased {
    /// The peer.
    pub peer: PeerId,
    /// Its addresses, the first one first; never empty.
    pub targets: Arc<[Target]>,
    /// The conference's name.
    pub conference: Option<Arc<str>>,
    /// What the caller is in the conference.
    pub role: Role,
    /// The number of the conference, or of a call that shares none, in the aliases of the peer.
    pub number: u32,
}

/// All leases. No guard of a map leaves a function, and no permit is dropped under one (decision 16).
#[derive(Debug)]
pub(crate) struct Leases {
    by_serial: DashMap<Arc<str>, Arc<Held>, Keyed>,
    by_conference: Lists<Arc<str>>,
    /// Those that are for no conference.
    by_peer: Lists<PeerId>,
    /// How many are held: with none, a call looks no further.
    count: AtomicUsize,
    /// When the first one is over, in milliseconds; [`u64::MAX`] with none.
    first_over: AtomicU64,
}

/// The oldest one first.
type Lists<K> = DashMap<K, Vec<Arc<Held>>, Keyed>;

#[derive(Debug)]
struct Held {
    /// Which call it is for, in the words of whoever asked.
    serial: Arc<str>,
    leased: Leased,
    over: u64,
    /// Empty once somebody took it: the one who did is who ends the lease.
    permit: ArrayQueue<Permit>,
}

impl Leases {
    pub(crate) fn new(seed: u64) -> Self {
        let keyed = Keyed::new(seed);
        Self {
            by_serial: DashMap::with_hasher_and_shard_amount(keyed, SHARDS),
            by_conference: DashMap::with_hasher_and_shard_amount(keyed, SHARDS),
            by_peer: DashMap::with_hasher_and_shard_amount(keyed, SHARDS),
            count: AtomicUsize::new(0),
            first_over: AtomicU64::new(u64::MAX),
        }
    }

    /// The permit of the oldest lease for a conference.
    pub(crate) fn claim_conference(&self, name: &str, now: u64) -> Option<Permit> {
        // Relaxed: a lease made this very moment may be missed; then the call takes a session of
        // its own, and the lease goes back in time.
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let list = self.by_conference.get(name)?;
        let claimed = claim(&list, now);
        drop(list);
        self.claimed(claimed?)
    }

    /// The permit of the oldest lease at a peer that is for no conference.
    pub(crate) fn claim_peer(&self, peer: PeerId, now: u64) -> Option<Permit> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let list = self.by_peer.get(&peer)?;
        let claimed = claim(&list, now);
        drop(list);
        self.claimed(claimed?)
    }

    /// The serial stays until its time is over: whoever asks again, though the call has come, hears the
    /// same.
    fn claimed(&self, (held, permit): (Arc<Held>, Permit)) -> Option<Permit> {
        self.unlist(&held);
        Some(permit)
    }

    fn find(&self, serial: &str, now: u64) -> Option<Leased> {
        let held = self.by_serial.get(serial)?;
        (now < held.over).then(|| held.leased.clone())
    }

    fn hold(&self, held: Held, permit: Permit) {
        let over = held.over;
        drop(held.permit.push(permit));
        let held = Arc::new(held);
        let before = self
            .by_serial
            .insert(Arc::clone(&held.serial), Arc::clone(&held));
        if let Some(before) = before {
            drop(self.end(&before));
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        match &held.leased.conference {
            Some(name) => enlist(&self.by_conference, Arc::clone(name), &held),
            None => enlist(&self.by_peer, held.leased.peer, &held),
        }
        self.first_over.fetch_min(over, Ordering::Relaxed);
    }

    /// Forgets a lease; its permit comes out unless somebody was faster.
    fn end(&self, held: &Arc<Held>) -> Option<Permit> {
        self.by_serial
            .remove_if(&held.serial, |_, current| Arc::ptr_eq(current, held));
        let permit = held.permit.pop()?;
        self.unlist(held);
        Some(permit)
    }

    /// Whoever took its permit takes it off its list.
    fn unlist(&self, held: &Arc<Held>) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        match &held.leased.conference {
            Some(name) => delist(&self.by_conference, name, held),
            None => delist(&self.by_peer, &held.leased.peer, held),
        }
    }

    /// Gives back what is over at `now`.
    fn expire(&self, now: u64) {
        // What is held from now on brings its own time in.
        self.first_over.store(u64::MAX, Ordering::Relaxed);
        let mut first_over = u64::MAX;
        let all: Vec<Arc<Held>> = self
            .by_serial
            .iter()
            .map(|held| Arc::clone(&held))
            .collect();
        for held in all {
            if now < held.over {
                first_over = first_over.min(held.over);
            } else {
                drop(self.end(&held));
            }
        }
        self.first_over.fetch_min(first_over, Ordering::Relaxed);
    }
}

/// The permit of the oldest lease of a list that is not over.
fn claim(list: &[Arc<Held>], now: u64) -> Option<(Arc<Held>, Permit)> {
    let mut fresh = list.iter().filter(|held| now < held.over);
    fresh.find_map(|held| Some((Arc::clone(held), held.permit.pop()?)))
}

fn enlist<K: Eq + Hash>(lists: &Lists<K>, key: K, held: &Arc<Held>) {
    lists.entry(key).or_default().push(Arc::clone(held));
}

fn delist<K: Eq + Hash>(lists: &Lists<K>, key: &K, held: &Arc<Held>) {
    if let Some(mut list) = lists.get_mut(key) {
        list.retain(|other| !Arc::ptr_eq(other, held));
    }
    lists.remove_if(key, |_, list| list.is_empty());
}

impl Balancer {
    /// Decides for somebody else, whose call will come later or not at all. What is taken is held
    /// for `time` (TRUNK.md: 30 to 60 s). The same serial again gets the same answer, and nothing
    /// more is taken.
    ///
    /// # Errors
    /// Why there is no peer.
    pub fn lease(
        &self,
        request: &Request<'_>,
        serial: &str,
        time: Duration,
    ) -> Result<Leased, NoPlace> {
        let now = self.millis(request.now);
        let board = self.board_now();
        let serial = self.serial(&board, request, serial)?;
        if let Some(leased) = self.leases.find(&serial, now) {
            return Ok(leased);
        }
        let placement = self.place_on(&board, request, Claims::Nothing)?;
        let leased = Leased {
            peer: placement.peer,
            targets: placement.targets,
            conference: placement.permit.conference(),
            role: placement.role,
            number: placement
                .permit
                .number()
                .unwrap_or_else(|| self.directory.next_number()),
        };
        let held = Held {
            serial: Arc::from(serial),
            leased: leased.clone(),
            over: now + millis(time),
            permit: ArrayQueue::new(1),
        };
        self.leases.hold(held, placement.permit);
        Ok(leased)
    }

    /// The serial and what it asks for: one call may ask for several things, such as the places that a
    /// person may be at, and for one thing by several aliases.
    fn serial(
        &self,
        board: &Board,
        request: &Request<'_>,
        serial: &str,
    ) -> Result<String, NoPlace> {
        let mut name = None;
        let route = self.route(board, (request.alias, request.zone), &mut name)?;
        let name = name.filter(|_| route.has_conference);
        let alias = || String::from_utf8_lossy(request.alias).to_lowercase();
        Ok(name.map_or_else(
            || format!("{serial} {}", alias()),
            |name| format!("{serial} {}", name.as_str()),
        ))
    }

    /// The call of a lease will not come.
    pub fn end_lease(&self, request: &Request<'_>, serial: &str) {
        let Ok(serial) = self.serial(&self.board_now(), request, serial) else {
            return;
        };
        let held = self.leases.by_serial.get(serial.as_str());
        let held = held.map(|held| Arc::clone(&held));
        if let Some(held) = held {
            drop(self.leases.end(&held));
        }
    }

    /// Leases held.
    #[must_use]
    pub fn lease_count(&self) -> usize {
        self.leases.count.load(Ordering::Relaxed)
    }

    /// When [`Balancer::handle_timeout`] is wanted.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let board = self.board_now();
        let reports = board.peers().iter();
        let reports = reports.filter_map(|peer| peer.vitals.report_over(&board.rules));
        let first = self.leases.first_over.load(Ordering::Relaxed);
        let first = reports.fold(first, u64::min);
        (first < u64::MAX).then(|| self.instant(first)).flatten()
    }

    /// Time has passed: leases that are over go back, and reports that are too old count no more.
    pub fn handle_timeout(&self, now: Instant) {
        let now = self.millis(now);
        if now >= self.leases.first_over.load(Ordering::Relaxed) {
            self.leases.expire(now);
        }
        let board = self.board_now();
        for peer in board.peers() {
            peer.vitals.forget_old_report(now, &board.rules);
        }
    }
}
