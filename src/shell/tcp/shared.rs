//! What the connections of all workers have in common: how many there are, and how many each source has.
//!
//! Without a lock: sources are counted in two rows of counters that a hash with a secret of its own addresses. The
//! smaller of a source's two counters is never less than what it has; it is more only where others share both, which
//! with eight cells for each possible connection hardly happens and which nobody outside can arrange.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Cells of a row for each connection that the node may have.
const CELLS_PER_CONNECTION: usize = 8;
/// One place in so many is kept for requests of ours.
const RESERVED_SHARE: usize = 8;

/// Who a connection is counted against. A site has at least 64 bits of IPv6 addresses to choose from (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source(IpAddr);

impl Source {
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        })
    }
}

/// One for the node. All orderings are relaxed: only the figures matter, and a limit may be passed by as many
/// connections as there are workers that admit one in the same moment.
pub(crate) struct Shared {
    open: AtomicUsize,
    connections_max: usize,
    rows: [Row; 2],
}

struct Row {
    hash: RandomState,
    cells: Box<[AtomicU32]>,
}

impl Shared {
    pub(crate) fn new(connections_max: usize) -> Self {
        let row = || Row {
            hash: RandomState::new(),
            cells: std::iter::repeat_with(AtomicU32::default)
                .take((connections_max * CELLS_PER_CONNECTION).max(64))
                .collect(),
        };
        Self {
            open: AtomicUsize::new(0),
            connections_max,
            rows: [row(), row()],
        }
    }

    /// Whether the node may have one more; the last places are kept for requests of ours.
    pub(super) fn has_room(&self, is_for_request: bool) -> bool {
        let reserved = if is_for_request {
            0
        } else {
            self.connections_max / RESERVED_SHARE
        };
        self.open.load(Ordering::Relaxed) < self.connections_max - reserved
    }

    /// How many connections are counted against a source.
    pub(super) fn of(&self, source: Source) -> usize {
        let counts = self
            .cells(source)
            .map(|cell| cell.load(Ordering::Relaxed) as usize);
        counts.min().unwrap_or(0)
    }

    pub(super) fn opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn count(&self, source: Source) {
        for cell in self.cells(source) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn discount(&self, source: Source) {
        for cell in self.cells(source) {
            let before = cell.fetch_sub(1, Ordering::Relaxed);
            debug_assert!(before > 0, "what is discounted was counted");
        }
    }

    fn cells(&self, source: Source) -> impl Iterator<Item = &AtomicU32> {
        self.rows.iter().filter_map(move |row| {
            let length = row.cells.len() as u64;
            let position = row.hash.hash_one(source) % length;
            row.cells.get(usize::try_from(position).ok()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::of(text.parse().unwrap())
    }

    #[test]
    fn a_site_is_one_source() {
        assert_eq!(source("2001:db8::1"), source("2001:db8::2:3:4:5"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }

    #[test]
    fn counts_by_source() {
        let shared = Shared::new(4096);
        let sources: Vec<Source> = (0..4096u32)
            .map(|bits| Source::of(IpAddr::V4(bits.into())))
            .collect();
        for (source, count) in sources.iter().zip((0..64).cycle()) {
            for _ in 0..count {
                shared.count(*source);
            }
        }
        let mut wrong = 0;
        for (source, count) in sources.iter().zip((0..64).cycle()) {
            assert!(shared.of(*source) >= count, "never less than it has");
            wrong += usize::from(shared.of(*source) > count);
        }
        // A ninth of the cells is in use in each row, so both are shared by one source in 80.
        assert!(wrong < 200, "{wrong} of 4,096 share both cells");
        for (source, count) in sources.iter().zip((0..64).cycle()) {
            for _ in 0..count {
                shared.discount(*source);
            }
        }
        assert!(sources.iter().all(|source| shared.of(*source) == 0));
    }

    #[test]
    fn the_last_places_are_for_requests() {
        let shared = Shared::new(16);
        for _ in 0..14 {
            assert!(shared.has_room(false));
            shared.opened();
        }
        assert!(!shared.has_room(false));
        assert!(shared.has_room(true));
        shared.opened();
        shared.opened();
        assert!(!shared.has_room(true));
        shared.closed();
        assert!(shared.has_room(true) && !shared.has_room(false));
    }
}
