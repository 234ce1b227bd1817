//! Ranges of addresses as people write them (`192.0.2.0/24`, `2001:db8::/32`, a single address), and
//! a table of them that is compiled once and asked for each new request.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The addresses that share their first bits.
///
/// An IPv4 address in IPv6's clothes (`::ffff:192.0.2.1`) is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    address: IpAddr,
    bits: u8,
}

/// Why a text is no [`Prefix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixFault {
    /// What stands before the slash is no address.
    #[error("is no address and no range such as `192.0.2.0/24` or `2001:db8::/32`")]
    Address,
    /// What stands behind the slash is no length of the family.
    #[error("has no length from 0 to {0} behind the slash")]
    Length(u8),
    /// The address has bits beyond the length.
    #[error("has bits set behind its length; write `{0}`")]
    LooseBits(Prefix),
}

impl Prefix {
    /// The range of one address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Self { address, bits }
    }

    /// Its first address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many first bits its addresses share.
    #[must_use]
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let (first, last) = self.range();
        address.is_ipv4() == self.address.is_ipv4() && (first..=last).contains(&number(address))
    }

    /// The first and the last address, as numbers of the family.
    fn range(&self) -> (u128, u128) {
        let width: u8 = if self.address.is_ipv4() { 32 } else { 128 };
        let free = u32::from(width.saturating_sub(self.bits));
        let first = number(self.address);
        let last = match 1_u128.checked_shl(free) {
            Some(size) => first | (size - 1),
            None => u128::MAX,
        };
        (first, last)
    }
}

impl FromStr for Prefix {
    type Err = PrefixFault;

    fn from_str(text: &str) -> Result<Self, PrefixFault> {
        let Some((address, bits)) = text.split_once('/') else {
            let address = text.parse().map_err(|_| PrefixFault::Address)?;
            return Ok(Self::of(address));
        };
        let address: IpAddr = address.parse().map_err(|_| PrefixFault::Address)?;
        let width: u8 = if address.is_ipv4() { 32 } else { 128 };
        let digits = bits.bytes().all(|digit| digit.is_ascii_digit());
        let bits = bits
            .parse()
            .ok()
            .filter(|bits| digits && *bits <= width)
            .ok_or(PrefixFault::Length(width))?;
        let canonical = address.to_canonical();
        // `::ffff:192.0.2.0/120` is `192.0.2.0/24`; a shorter mapped range would hold more than IPv4.
        let prefix = if canonical.is_ipv4() && address.is_ipv6() && bits >= 96 {
            Self {
                address: canonical,
                bits: bits - 96,
            }
        } else {
            Self { address, bits }
        };
        let tidy = prefix.tidy();
        if tidy == prefix {
            Ok(prefix)
        } else {
            Err(PrefixFault::LooseBits(tidy))
        }
    }
}

impl Prefix {
    /// The same range, its address without the bits that say nothing.
    fn tidy(self) -> Self {
        let width: u32 = if self.address.is_ipv4() { 32 } else { 128 };
        let free = width.saturating_sub(u32::from(self.bits));
        let keep = u128::MAX.checked_shl(free).unwrap_or(0);
        let address = match self.address {
            IpAddr::V4(address) => {
                let kept = u128::from(u32::from(address)) & keep;
                IpAddr::V4(u32::try_from(kept).unwrap_or(0).into())
            }
            IpAddr::V6(address) => IpAddr::V6((u128::from(address) & keep).into()),
        };
        Self { address, ..self }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// Which value an address has: that of the longest prefix that holds it.
///
/// The prefixes are cut into ranges that do not overlap, so that one binary search finds the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefixes<T> {
    v4: Vec<Range<T>>,
    v6: Vec<Range<T>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range<T> {
    first: u128,
    last: u128,
    value: T,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self {
            v4: Vec::new(),
            v6: Vec::new(),
        }
    }
}

impl<T: Copy + PartialEq> Prefixes<T> {
    /// Compiles a list; of two equal prefixes the first one counts.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = (Prefix, T)>) -> Self {
        let (v4, v6) = entries
            .into_iter()
            .partition::<Vec<_>, _>(|(prefix, _)| prefix.address.is_ipv4());
        Self {
            v4: compile(v4),
            v6: compile(v6),
        }
    }

    /// The value of an address.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<T> {
        let address = address.to_canonical();
        let ranges = if address.is_ipv4() {
            &self.v4
        } else {
            &self.v6
        };
        let number = number(address);
        let after = ranges.partition_point(|range| range.first <= number);
        let range = ranges.get(after.checked_sub(1)?)?;
        (number <= range.last).then_some(range.value)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

/// Cuts nested ranges into disjoint ones; prefixes either nest or do not touch.
fn compile<T: Copy + PartialEq>(mut entries: Vec<(Prefix, T)>) -> Vec<Range<T>> {
    // The wider one first, so that those inside it come while it is open.
    entries.sort_by_key(|(prefix, _)| (prefix.range().0, prefix.bits));
    entries.dedup_by_key(|(prefix, _)| *prefix);
    let mut ranges: Vec<Range<T>> = Vec::with_capacity(entries.len());
    // Ranges whose end has not come yet, the innermost last.
    let mut open: Vec<Range<T>> = Vec::new();
    for (prefix, value) in entries {
        let (first, last) = prefix.range();
        close(&mut open, &mut ranges, first.checked_sub(1));
        if let Some(around) = open.last_mut()
            && let Some(before) = first.checked_sub(1)
            && around.first <= before
        {
            ranges.push(Range {
                last: before,
                ..*around
            });
            around.first = first;
        }
        open.push(Range { first, last, value });
    }
    close(&mut open, &mut ranges, Some(u128::MAX));
    debug_assert!(
        ranges
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.last < b.first)),
        "ranges are in order and apart"
    );
    ranges
}

/// Closes what ends at or before `until`; what lies around goes on behind it.
fn close<T: Copy>(open: &mut Vec<Range<T>>, ranges: &mut Vec<Range<T>>, until: Option<u128>) {
    let Some(until) = until else { return };
    while let Some(inner) = open.pop_if(|range| range.last <= until) {
        if inner.first <= inner.last {
            ranges.push(inner);
        }
        if let Some(around) = open.last_mut() {
            match inner.last.checked_add(1) {
                Some(next) => around.first = next,
                // It reaches the last address there is: nothing of those around it is left.
                None => open.clear(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn reads_what_people_write() {
        for (text, shown) in [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.9", "192.0.2.9/32"),
        ] {
            assert_eq!(prefix(text).to_string(), shown);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let read = |text: &str| text.parse::<Prefix>();
        assert_eq!(read("bridge"), Err(PrefixFault::Address));
        assert_eq!(read("192.0.2/24"), Err(PrefixFault::Address));
        assert_eq!(read("192.0.2.0/33"), Err(PrefixFault::Length(32)));
        assert_eq!(read("192.0.2.0/+8"), Err(PrefixFault::Length(32)));
        assert_eq!(read("2001:db8::/129"), Err(PrefixFault::Length(128)));
        assert_eq!(
            read("192.0.2.1/24"),
            Err(PrefixFault::LooseBits(prefix("192.0.2.0/24")))
        );
        assert_eq!(
            read("2001:db8::1/32").unwrap_err().to_string(),
            "has bits set behind its length; write `2001:db8::/32`"
        );
    }

    #[test]
    fn the_longest_prefix_wins() {
        let table = Prefixes::new([
            (prefix("10.0.0.0/8"), 1),
            (prefix("10.1.0.0/16"), 2),
            (prefix("10.1.2.3"), 3),
            (prefix("0.0.0.0/0"), 4),
            (prefix("255.255.255.255"), 5),
            (prefix("2001:db8::/32"), 6),
        ]);
        for (address, value) in [
            ("10.0.0.0", Some(1)),
            ("10.1.0.0", Some(2)),
            ("10.1.2.2", Some(2)),
            ("10.1.2.3", Some(3)),
            ("10.1.2.4", Some(2)),
            ("10.2.0.0", Some(1)),
            ("9.255.255.255", Some(4)),
            ("255.255.255.254", Some(4)),
            ("255.255.255.255", Some(5)),
            ("::ffff:10.1.2.3", Some(3)),
            ("2001:db8:ffff::1", Some(6)),
            ("2001:db9::", None),
        ] {
            assert_eq!(table.find(address.parse().unwrap()), value, "{address}");
        }
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        let table = Prefixes::<u8>::default();
        assert!(table.is_empty());
        assert_eq!(table.find(IpAddr::V4(Ipv4Addr::LOCALHOST)), None);
    }

    fn any_prefix() -> impl Strategy<Value = Prefix> {
        // Few addresses and both ends of the family, so that prefixes nest and touch.
        let address = prop_oneof![
            (0u32..16).prop_map(|low| IpAddr::V4(low.into())),
            (0u32..16).prop_map(|low| IpAddr::V4((u32::MAX - low).into())),
            (0u128..16).prop_map(|low| IpAddr::V6(Ipv6Addr::from(u128::MAX - low))),
        ];
        (address, 0u8..=128).prop_map(|(address, bits)| {
            let width = if address.is_ipv4() { 32 } else { 128 };
            Prefix {
                address,
                bits: bits.min(width),
            }
            .tidy()
        })
    }

    proptest! {
        #[test]
        fn finds_what_a_plain_list_finds(
            entries in proptest::collection::vec(any_prefix(), 0..12),
            address in prop_oneof![
                (0u32..32).prop_map(|low| IpAddr::V4(low.into())),
                (0u32..32).prop_map(|low| IpAddr::V4((u32::MAX - low).into())),
                (0u128..32).prop_map(|low| IpAddr::V6(Ipv6Addr::from(u128::MAX - low))),
            ],
        ) {
            let entries: Vec<(Prefix, usize)> = entries.into_iter().zip(0..).collect();
            let expected = entries
                .iter()
                .filter(|(prefix, _)| prefix.contains(address))
                .max_by_key(|(prefix, position)| (prefix.bits, usize::MAX - position))
                .map(|(_, position)| *position);
            prop_assert_eq!(Prefixes::new(entries).find(address), expected);
        }
    }
}
