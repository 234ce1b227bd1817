//! Where somebody is, and what somebody is called: TransportAddress, AliasAddress, PartyNumber.

use super::NonStandardParameter;
use crate::h323::per::{
    Bmp, Digits, Fault, Ia5, List, Number, Octets, Reader, Value, Writer, choice, sequence,
};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

choice! {
    /// TransportAddress.
    TransportAddress<'a> {
        root 7 {
            0 IpAddress(Ipv4),
            1 IpSourceRoute(SourceRoute<'a>),
            2 IpxAddress(IpxAddress),
            3 Ip6Address(Ipv6),
            4 NetBios([u8; 16]),
            5 Nsap(Octets<'a, 1, 20>),
            6 NonStandardAddress(NonStandardParameter<'a>),
        }
        additions {}
    }
}

impl From<SocketAddr> for TransportAddress<'_> {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(address) => Self::IpAddress(Ipv4(address)),
            SocketAddr::V6(address) => Self::Ip6Address(Ipv6(address)),
        }
    }
}

impl TransportAddress<'_> {
    /// Where a datagram or a connection could go.
    #[must_use]
    pub fn socket_address(&self) -> Option<SocketAddr> {
        match self {
            Self::IpAddress(address) => Some(address.0.into()),
            Self::Ip6Address(address) => Some(address.0.into()),
            Self::IpSourceRoute(_)
            | Self::IpxAddress(_)
            | Self::NetBios(_)
            | Self::Nsap(_)
            | Self::NonStandardAddress(_)
            | Self::Other(_) => None,
        }
    }
}

/// An address of IPv4 and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ipv4(pub SocketAddrV4);

impl Default for Ipv4 {
    fn default() -> Self {
        Self(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))
    }
}

impl Value<'_> for Ipv4 {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let ip: [u8; 4] = reader.array()?;
        let port = u16::from_be_bytes(reader.array()?);
        Ok(Self(SocketAddrV4::new(ip.into(), port)))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.octets(&self.0.ip().octets());
        writer.octets(&self.0.port().to_be_bytes());
    }
}

/// An address of IPv6 and a port: an extensible SEQUENCE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ipv6(pub SocketAddrV6);

impl Default for Ipv6 {
    fn default() -> Self {
        Self(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0))
    }
}

sequence! {
    /// The fields of [`Ipv6`] as they are on the wire.
    Ip6Fields {
        needs ip: [u8; 16],
        needs port: Port,
    } additions 0 {}
}

impl Value<'_> for Ipv6 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let fields = Ip6Fields::read(reader)?;
        let port = u16::try_from(fields.port.0).map_err(|_| Fault::Number)?;
        Ok(Self(SocketAddrV6::new(fields.ip.into(), port, 0, 0)))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let fields = Ip6Fields {
            ip: self.0.ip().octets(),
            port: Number(self.0.port().into()),
        };
        fields.write(writer);
    }
}

type Port = Number<0, 0xffff>;

sequence! {
    /// An address of IPv4 and the way there.
    SourceRoute<'a> {
        needs ip: [u8; 4],
        needs port: Port,
        needs route: List<'a, [u8; 4]>,
        needs routing: Routing<'a>,
    } additions 0 {}
}

choice! {
    /// Whether other hops are allowed between those of a [`SourceRoute`].
    Routing<'a> {
        root 2 {
            0 Strict,
            1 Loose,
        }
        additions {}
    }
}

sequence! {
    /// An address of IPX.
    IpxAddress {
        needs node: [u8; 6],
        needs netnum: [u8; 4],
        needs port: [u8; 2],
    }
}

choice! {
    /// AliasAddress.
    AliasAddress<'a> {
        root 2 {
            0 DialledDigits(Digits<'a>),
            1 H323Id(Bmp<'a, 256>),
        }
        additions {
            0 UrlId(Ia5<'a, 1, 512>),
            1 TransportId(TransportAddress<'a>),
            2 EmailId(Ia5<'a, 1, 512>),
            3 PartyNumber(PartyNumber<'a>),
        }
    }
}

choice! {
    /// PartyNumber.
    PartyNumber<'a> {
        root 5 {
            0 E164Number(PublicPartyNumber<'a>),
            1 DataPartyNumber(Digits<'a>),
            2 TelexPartyNumber(Digits<'a>),
            3 PrivateNumber(PrivatePartyNumber<'a>),
            4 NationalStandardPartyNumber(Digits<'a>),
        }
        additions {}
    }
}

sequence! {
    /// PublicPartyNumber.
    PublicPartyNumber<'a> {
        needs public_type_of_number: PublicTypeOfNumber<'a>,
        needs public_number_digits: Digits<'a>,
    }
}

choice! {
    /// PublicTypeOfNumber.
    PublicTypeOfNumber<'a> {
        root 6 {
            0 Unknown,
            1 InternationalNumber,
            2 NationalNumber,
            3 NetworkSpecificNumber,
            4 SubscriberNumber,
            5 AbbreviatedNumber,
        }
        additions {}
    }
}

sequence! {
    /// PrivatePartyNumber.
    PrivatePartyNumber<'a> {
        needs private_type_of_number: PrivateTypeOfNumber<'a>,
        needs private_number_digits: Digits<'a>,
    }
}

choice! {
    /// PrivateTypeOfNumber.
    PrivateTypeOfNumber<'a> {
        root 6 {
            0 Unknown,
            1 Level2RegionalNumber,
            2 Level1RegionalNumber,
            3 PisnSpecificNumber,
            4 LocalNumber,
            5 AbbreviatedNumber,
        }
        additions {}
    }
}
