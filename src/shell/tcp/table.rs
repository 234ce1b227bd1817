//! All TCP connections of one worker: by id and by the other side's address. Their counts are the node's.

use super::connection::{Connection, Ends, Purpose};
use super::shared::{Shared, Source};
use crate::shell::tls::Session;
use signaling::sip::message::Limits;
use signaling::slots::{Key, Slots};
use signaling::{ConnectionId, ListenerId};
use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Instant;

/// Connections of all sources that are compared when one must give way: enough to find one that has earned little, and
/// no more work for each that somebody makes.
const COMPARED_MAX: usize = 128;

pub(super) struct Table {
    worker: u8,
    slots: Slots<Connection>,
    by_remote: HashMap<(ListenerId, SocketAddr), Key>,
    /// Those that are counted against a source.
    by_source: HashMap<Source, Vec<Key>>,
    /// All of them in the order in which they are compared next, and some that have gone.
    round: VecDeque<Key>,
    shared: Arc<Shared>,
}

impl Table {
    pub(super) fn new(worker: u8, shared: Arc<Shared>, connections_max: usize) -> Self {
        // Generations start at 1, so that no id is 0.
        let slots = Slots::new(connections_max, 1);
        Self {
            worker,
            slots,
            by_remote: HashMap::new(),
            by_source: HashMap::new(),
            round: VecDeque::new(),
            shared,
        }
    }

    /// How many connections this worker has.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether the node may have one more.
    pub(super) fn has_room(&self, is_for_request: bool) -> bool {
        self.slots.has_room() && self.shared.has_room(is_for_request)
    }

    /// How many connections of the node are counted against a source.
    pub(super) fn of(&self, source: Source) -> usize {
        self.shared.of(source)
    }

    /// Takes a connection in; `None` when there is no room.
    pub(super) fn insert(
        &mut self,
        stream: (TcpStream, Option<Session>),
        ends: Ends,
        limits: Limits,
        now: Instant,
    ) -> Option<Key> {
        let is_tls = stream.1.is_some();
        let key = self
            .slots
            .insert(Connection::new(stream, ends, limits, now))?;
        let id = self.id(key);
        if let Some(connection) = self.slots.get_mut(key) {
            connection.id = id;
        }
        // The newest connection to an address is the one most likely to live. Who made a TLS connection has not proved
        // to be whom we would ask at its address: it carries what names it, and no more.
        if !is_tls || ends.purpose != Purpose::Accepted {
            self.by_remote.insert((ends.listener, ends.remote), key);
        }
        if let Some(source) = ends.counted_against() {
            self.shared.count(source);
            self.by_source.entry(source).or_default().push(key);
        }
        self.shared.opened();
        self.round.push_back(key);
        // Those that have gone are taken out once they are the most.
        if self.round.len() > 2 * self.slots.len() + COMPARED_MAX {
            self.round.retain(|key| self.slots.get(*key).is_some());
        }
        Some(key)
    }

    /// Takes a connection out; dropping it closes it.
    pub(super) fn remove(&mut self, key: Key) -> Option<Connection> {
        let connection = self.slots.remove(key)?;
        self.unlist(key, connection.ends);
        if let Some(source) = connection.ends.counted_against() {
            self.shared.discount(source);
            self.forget(source, key);
        }
        self.shared.closed();
        Some(connection)
    }

    /// From now on messages to its other side take another connection.
    pub(super) fn retire(&mut self, key: Key) {
        if let Some(connection) = self.slots.get(key) {
            self.unlist(key, connection.ends);
        }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Connection> {
        self.slots.get_mut(key)
    }

    pub(super) fn get(&self, key: Key) -> Option<&Connection> {
        self.slots.get(key)
    }

    /// The connection of an id that we gave out, if it lives and is ours.
    pub(super) fn key(&self, id: ConnectionId) -> Option<Key> {
        let key = key_of(id.0.get() & !(0xff << 56))?;
        (owner(id) == self.worker && self.slots.get(key).is_some()).then_some(key)
    }

    /// A connection to this address.
    pub(super) fn to(&self, listener: ListenerId, remote: SocketAddr) -> Option<Key> {
        self.by_remote.get(&(listener, remote)).copied()
    }

    /// All connections, in no particular order.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.slots.keys()
    }

    /// The connection that has earned its place least, of one source or of those that are next in the round: of the
    /// lowest [`Merit`], the one that has it longest.
    ///
    /// [`Merit`]: super::connection::Merit
    pub(super) fn least_earned(&mut self, now: Instant, source: Option<Source>) -> Option<Key> {
        match source {
            Some(source) => {
                let keys = self.by_source.get(&source)?;
                least_earned(&self.slots, keys.iter().copied(), now)
            }
            None => {
                let compared = self.next_in_round();
                least_earned(&self.slots, compared.into_iter(), now)
            }
        }
    }

    /// Those that were not compared for longest.
    fn next_in_round(&mut self) -> Vec<Key> {
        let mut compared = Vec::with_capacity(COMPARED_MAX);
        for _ in 0..self.round.len() {
            let Some(key) = self.round.pop_front() else {
                break;
            };
            if self.slots.get(key).is_some() {
                self.round.push_back(key);
                compared.push(key);
            }
            if compared.len() == COMPARED_MAX {
                break;
            }
        }
        compared
    }

    fn forget(&mut self, source: Source, key: Key) {
        if let Some(keys) = self.by_source.get_mut(&source) {
            keys.retain(|known| *known != key);
            if keys.is_empty() {
                self.by_source.remove(&source);
            }
        }
    }

    fn unlist(&mut self, key: Key, ends: Ends) {
        let ends = (ends.listener, ends.remote);
        if self.by_remote.get(&ends) == Some(&key) {
            self.by_remote.remove(&ends);
        }
    }

    fn id(&self, key: Key) -> ConnectionId {
        let bits = u64::from(self.worker) << 56 | token(key);
        // A generation that wrapped to 0 in worker 0's slot 0 would make a 0; no process opens 2^32 connections there.
        ConnectionId(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MAX))
    }
}

fn least_earned(
    slots: &Slots<Connection>,
    keys: impl Iterator<Item = Key>,
    now: Instant,
) -> Option<Key> {
    let ranked = keys.filter_map(|key| {
        let rank = slots.get(key)?.merit(now)?;
        Some((rank, key))
    });
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, key)| key)
}

/// The word under which epoll watches a connection: its id without the worker, so that the upper byte is 0.
pub(super) fn token(key: Key) -> u64 {
    u64::from(key.slot & 0xff_ffff) << 32 | u64::from(key.generation)
}

/// The connection of such a word.
pub(super) fn key_of(token: u64) -> Option<Key> {
    let slot = u32::try_from(token >> 32)
        .ok()
        .filter(|slot| *slot <= 0xff_ffff)?;
    let generation = u32::try_from(token & 0xffff_ffff).ok()?;
    Some(Key { slot, generation })
}

/// The worker that has a connection.
pub(crate) fn owner(id: ConnectionId) -> u8 {
    u8::try_from(id.0.get() >> 56).expect("8 bits")
}
