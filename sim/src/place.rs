//! Who is where: the node, callers and peers, and their addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const PORT: u16 = 5060;

/// A party of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The caller of this number.
    Caller(u8),
    /// The node.
    Node,
    /// The peer of this number.
    Peer(u8),
    /// Who has no part in any call.
    Stranger,
}

/// A side of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Where calls come from.
    Caller,
    /// Where calls go.
    Peer,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Caller => Self::Peer,
            Self::Peer => Self::Caller,
        }
    }
}

impl Place {
    /// The party at this address; the world has one port.
    pub(crate) fn of(address: SocketAddr) -> Option<Self> {
        let (subnet, number) = match address.ip() {
            IpAddr::V4(ip) => match ip.octets() {
                [10, subnet, 0, number] => (u16::from(subnet), number),
                _ => return None,
            },
            IpAddr::V6(ip) => match ip.segments() {
                [0x2001, 0xdb8, subnet, 0, 0, 0, 0, number] => (subnet, u8::try_from(number).ok()?),
                _ => return None,
            },
        };
        let number = number.checked_sub(1)?;
        match (address.port(), subnet) {
            (PORT, 1) => Some(Self::Caller(number)),
            (PORT, 2) => Some(Self::Peer(number)),
            (PORT, 3) if number == 0 => Some(Self::Node),
            (PORT, 9) if number == 0 => Some(Self::Stranger),
            _ => None,
        }
    }

    /// Its address.
    pub(crate) fn address(self, is_v6: bool) -> SocketAddr {
        let (subnet, number) = match self {
            Self::Caller(number) => (1, number + 1),
            Self::Peer(number) => (2, number + 1),
            Self::Node => (3, 1),
            Self::Stranger => (9, 1),
        };
        let ip: IpAddr = if is_v6 {
            Ipv6Addr::new(
                0x2001,
                0xdb8,
                u16::from(subnet),
                0,
                0,
                0,
                0,
                u16::from(number),
            )
            .into()
        } else {
            Ipv4Addr::new(10, subnet, 0, number).into()
        };
        SocketAddr::new(ip, PORT)
    }

    /// On which side of the node it is; the node itself and strangers are on neither.
    pub(crate) fn side(self) -> Option<Side> {
        match self {
            Self::Caller(_) => Some(Side::Caller),
            Self::Node | Self::Stranger => None,
            Self::Peer(_) => Some(Side::Peer),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller(number) => write!(f, "caller-{}", number + 1),
            Self::Node => f.write_str("node"),
            Self::Peer(number) => write!(f, "peer-{}", number + 1),
            Self::Stranger => f.write_str("stranger"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_back_to_its_place() {
        for place in [
            Place::Caller(0),
            Place::Caller(7),
            Place::Node,
            Place::Peer(3),
            Place::Stranger,
        ] {
            for is_v6 in [false, true] {
                assert_eq!(Place::of(place.address(is_v6)), Some(place));
            }
        }
        for nobody in [
            "10.3.0.2:5060",
            "10.1.0.1:5061",
            "10.4.0.1:5060",
            "[::1]:5060",
        ] {
            assert_eq!(Place::of(nobody.parse().unwrap()), None);
        }
    }
}
