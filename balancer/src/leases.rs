//! Sessions held for calls that were decided for others and have not come yet.
//!
//! A policy answer sends a call somewhere; the call itself comes later by another door, or not at
//! all. Until then a lease holds its permit: the call that comes for the same conference, or to the
//! same peer, takes it over; otherwise it goes back when its time is over.

use crate::balancer::Balancer;
use crate::board::{Board, PeerId};
use crate::conferences::SHARDS;
use crate::health::State;
use crate::keyed::Keyed;
use crate::moment::millis;
use crate::permit::Permit;
use crate::place::{Claims, NoPlace, Request};
use crate::plan::{Name, Route};
use crate::settings::{Operator, Role, Target};
use dashmap::DashMap;
use std::collections::VecDeque;
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
    /// Another peer, for a call that cannot reach this one, where the alias asks for that and there is one. Nothing is
    /// taken there.
    pub fallback: Option<PeerId>,
}

/// All leases. No guard of a map leaves a function, and no permit is dropped under one (decision 16).
#[derive(Debug)]
pub(crate) struct Leases {
    by_serial: DashMap<Arc<str>, Arc<Held>, Keyed>,
    by_conference: Lists<Arc<str>>,
    /// Those that are for no conference.
    by_peer: Lists<PeerId>,
    /// All of them, by the second in which their time is over; those that ended before stay here until
    /// then.
    due: DashMap<u64, Vec<Arc<Held>>, Keyed>,
    /// How many are held: with none, a call looks no further.
    count: AtomicUsize,
    /// No lease is over before, in milliseconds; [`u64::MAX`] with none.
    first_over: AtomicU64,
    /// None is over later.
    last_over: AtomicU64,
}

/// The oldest one first; each with the permit that it holds.
type Lists<K> = DashMap<K, VecDeque<(Arc<Held>, Permit)>, Keyed>;

#[derive(Debug)]
struct Held {
    /// Which call it is for, in the words of whoever asked, and what that asks for.
    key: Arc<str>,
    leased: Leased,
    over: u64,
}

/// The second of a moment: of 1,024 ms, so that it costs a shift.
fn second(millis: u64) -> u64 {
    millis >> 10
}

impl Leases {
    pub(crate) fn new(seed: u64) -> Self {
        let keyed = Keyed::new(seed);
        Self {
            by_serial: DashMap::with_hasher_and_shard_amount(keyed, SHARDS),
            by_conference: DashMap::with_hasher_and_shard_amount(keyed, SHARDS),
            by_peer: DashMap::with_hasher_and_shard_amount(keyed, SHARDS),
            due: DashMap::with_hasher_and_shard_amount(keyed, SHARDS),
            count: AtomicUsize::new(0),
            first_over: AtomicU64::new(u64::MAX),
            last_over: AtomicU64::new(0),
        }
    }

    /// The permit of the oldest lease for a conference. The serial stays until its time is over: whoever
    /// asks again, though the call has come, hears the same.
    pub(crate) fn claim_conference(&self, name: &str, now: u64) -> Option<Permit> {
        // Relaxed: a lease made this very moment may be missed; then the call takes a session of
        // its own, and the lease goes back in time.
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut list = self.by_conference.get_mut(name)?;
        let claimed = claim(&mut list, now, |_| true);
        let is_empty = list.is_empty();
        drop(list);
        if is_empty {
            self.by_conference
                .remove_if(name, |_, list| list.is_empty());
        }
        self.counted(claimed)
    }

    /// The permit of the oldest lease at a peer that is for no conference, and has this number if there is
    /// one.
    pub(crate) fn claim_peer(
        &self,
        (peer, number): (PeerId, Option<u64>),
        now: u64,
    ) -> Option<Permit> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut list = self.by_peer.get_mut(&peer)?;
        let is_it = |held: &Held| number.is_none_or(|number| number == held.leased.number.into());
        let claimed = claim(&mut list, now, is_it);
        let is_empty = list.is_empty();
        drop(list);
        if is_empty {
            self.by_peer.remove_if(&peer, |_, list| list.is_empty());
        }
        self.counted(claimed)
    }

    /// A permit that left its list is held no more.
    fn counted(&self, permit: Option<Permit>) -> Option<Permit> {
        if permit.is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        permit
    }

    fn find(&self, key: &str, now: u64) -> Option<Arc<Held>> {
        let held = self.by_serial.get(key)?;
        (now < held.over).then(|| Arc::clone(&held))
    }

    fn hold(&self, held: Held, permit: Permit) {
        let over = held.over;
        let held = Arc::new(held);
        let key = Arc::clone(&held.key);
        let before = self.by_serial.insert(key, Arc::clone(&held));
        if let Some(before) = before {
            drop(self.end(&before));
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        match &held.leased.conference {
            Some(name) => enlist(&self.by_conference, Arc::clone(name), (&held, permit)),
            None => enlist(&self.by_peer, held.leased.peer, (&held, permit)),
        }
        // In its second before its time is told: whoever ends what is over finds it there.
        self.due.entry(second(over)).or_default().push(held);
        self.last_over.fetch_max(over, Ordering::Relaxed);
        self.first_over.fetch_min(over, Ordering::Relaxed);
    }

    /// Forgets a lease; its permit comes out unless somebody was faster.
    fn end(&self, held: &Arc<Held>) -> Option<Permit> {
        self.by_serial
            .remove_if(&held.key, |_, current| Arc::ptr_eq(current, held));
        let permit = match &held.leased.conference {
            Some(name) => delist(&self.by_conference, name, held),
            None => delist(&self.by_peer, &held.leased.peer, held),
        };
        self.counted(permit)
    }

    /// Gives back what is over at `now`. Looks only at the seconds that are over, and at the first one
    /// after them that has any.
    fn expire(&self, now: u64) {
        // What is held from now on brings its own time in. Of several who come here at one moment one
        // finds something to do.
        let first = self.first_over.swap(u64::MAX, Ordering::Relaxed);
        for second in second(first)..second(now) {
            let over = self.due.remove(&second);
            for held in over.iter().flat_map(|(_, over)| over) {
                drop(self.end(held));
            }
        }
        for held in self.take_over(now) {
            drop(self.end(&held));
        }
        let last = self.last_over.load(Ordering::Relaxed);
        let first_of = |second| {
            let due = self.due.get(&second)?;
            due.iter().map(|held| held.over).min()
        };
        if let Some(next) = (second(now)..=second(last)).find_map(first_of) {
            self.first_over.fetch_min(next, Ordering::Relaxed);
        }
    }

    /// Those of the second that runs which are over.
    fn take_over(&self, now: u64) -> Vec<Arc<Held>> {
        let mut over = Vec::new();
        if let Some(mut due) = self.due.get_mut(&second(now)) {
            over = due.extract_if(.., |held| held.over <= now).collect();
        }
        self.due.remove_if(&second(now), |_, due| due.is_empty());
        over
    }
}

/// The permit of the oldest lease of a list that is not over.
fn claim(
    list: &mut VecDeque<(Arc<Held>, Permit)>,
    now: u64,
    is_it: impl Fn(&Held) -> bool,
) -> Option<Permit> {
    let fresh = list
        .iter()
        .position(|(held, _)| now < held.over && is_it(held))?;
    list.remove(fresh).map(|(_, permit)| permit)
}

fn enlist<K: Eq + Hash>(lists: &Lists<K>, key: K, (held, permit): (&Arc<Held>, Permit)) {
    let mut list = lists.entry(key).or_default();
    list.push_back((Arc::clone(held), permit));
}

/// Takes a lease off its list. Those that are over mostly stand in front.
fn delist<K: Eq + Hash>(lists: &Lists<K>, key: &K, held: &Arc<Held>) -> Option<Permit> {
    let mut list = lists.get_mut(key)?;
    let position = list.iter().position(|(other, _)| Arc::ptr_eq(other, held));
    let taken = position.and_then(|position| list.remove(position));
    let is_empty = list.is_empty();
    drop(list);
    if is_empty {
        lists.remove_if(key, |_, list| list.is_empty());
    }
    taken.map(|(_, permit)| permit)
}

/// A serial and what it asks for: one call may ask for several things, such as the places that a person
/// may be at, and for one thing by several aliases.
fn key(route: &Route<'_>, name: Option<&Name>, (alias, serial): (&[u8], &str)) -> String {
    let conference = name.filter(|_| route.has_conference).map(Name::as_str);
    let mut key =
        String::with_capacity(serial.len() + 1 + conference.map_or(alias.len(), str::len));
    key.push_str(serial);
    key.push(' ');
    match conference {
        Some(name) => key.push_str(name),
        None => key.push_str(&String::from_utf8_lossy(alias).to_lowercase()),
    }
    key
}

impl Balancer {
    /// [`crate::Snapshot::lease`].
    pub(crate) fn lease_on(
        &self,
        board: &Board,
        request: &Request<'_>,
        (serial, time): (&str, Duration),
    ) -> Result<Leased, NoPlace> {
        let now = self.millis(request.now);
        let mut name = None;
        let route = self.route(board, (request.alias, request.zone), &mut name)?;
        let key = key(&route, name.as_ref(), (request.alias, serial));
        if let Some(held) = self.leases.find(&key, now) {
            if self.is_kept(board, &held.leased) {
                return Ok(held.leased.clone());
            }
            drop(self.leases.end(&held));
        }
        let named = (name.as_ref(), request);
        let placement = self.place_along(board, &route, named, Claims::Nothing)?;
        let fallback = route
            .rule
            .filter(|rule| rule.fallback)
            .and_then(|_| self.look_beside(board, &route, named, placement.peer));
        let leased = Leased {
            fallback,
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
            key: Arc::from(key),
            leased: leased.clone(),
            over: now + millis(time),
        };
        self.leases.hold(held, placement.permit);
        Ok(leased)
    }

    /// Whether what was decided still holds: the peer is there and does not fail, and its conference is
    /// no other one by now.
    fn is_kept(&self, board: &Board, leased: &Leased) -> bool {
        let Some(peer) = board.peer(leased.peer) else {
            return false;
        };
        let health = peer.vitals.health();
        let lives = match health.state {
            State::Active | State::Paused => health.operator != Operator::Maint,
            State::Checking | State::Failed => false,
        };
        let is_there = leased.conference.as_ref().is_none_or(|name| {
            let running = self.directory.find(name);
            running.is_some_and(|running| running.number == leased.number)
        });
        lives && is_there && !peer.targets.is_empty()
    }

    /// The call of a lease will not come.
    pub fn end_lease(&self, request: &Request<'_>, serial: &str) {
        let board = self.board_now();
        let mut name = None;
        let Ok(route) = self.route(&board, (request.alias, request.zone), &mut name) else {
            return;
        };
        let key = key(&route, name.as_ref(), (request.alias, serial));
        let held = self.leases.by_serial.get(key.as_str());
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
