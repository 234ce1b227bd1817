//! How many connections there are, of everybody and of each source.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections; shared by all doors.
#[derive(Clone, Default)]
pub(super) struct Crowd(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// A connection's place; given back on drop.
pub(super) struct Ticket {
    crowd: Crowd,
    source: IpAddr,
}

impl Crowd {
    /// A place for a connection from here, unless there are too many.
    pub(super) fn enter(
        &self,
        source: IpAddr,
        max: usize,
        max_per_source: usize,
    ) -> Option<Ticket> {
        let source = network(source);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = counts.by_source.get(&source).copied().unwrap_or(0);
        if counts.all >= max || of_source >= max_per_source {
            return None;
        }
        counts.all += 1;
        counts.by_source.insert(source, of_source + 1);
        drop(counts);
        Some(Ticket {
            crowd: self.clone(),
            source,
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        if let Some(count) = counts.by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                counts.by_source.remove(&self.source);
            }
        }
    }
}

/// One machine has a whole /64 of IPv6.
pub(super) fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let crowd = Crowd::default();
        let source = |text: &str| text.parse::<IpAddr>().unwrap();
        let (a, b) = (source("2001:db8::1"), source("192.0.2.1"));
        let first = crowd.enter(a, 3, 2);
        let _second = crowd.enter(source("2001:db8::2"), 3, 2);
        assert!(first.is_some() && crowd.enter(a, 3, 2).is_none());
        let _third = crowd.enter(b, 3, 2);
        assert!(crowd.enter(b, 3, 2).is_none());
        drop(first);
        assert!(crowd.enter(source("::ffff:192.0.2.1"), 3, 2).is_some());
        assert!(crowd.enter(source("::ffff:192.0.2.1"), 3, 1).is_none());
    }
}
