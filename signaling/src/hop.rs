//! Where a message came from and where one goes: transport, our listener, the other side's address,
//! a connection.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU64;

/// What carries a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A stream: RFC 3261 calls it reliable.
    Tcp,
    /// A stream under TLS (RFC 3261 §26.2.1).
    Tls,
    /// Datagrams: the transaction layer repeats what may have been lost.
    Udp,
}

impl Transport {
    /// All, in the order of their declaration.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Tls, Self::Udp];

    /// Whether the transport itself repeats lost octets (RFC 3261 §17.1.1.1).
    #[must_use]
    pub fn is_reliable(self) -> bool {
        match self {
            Self::Tcp | Self::Tls => true,
            Self::Udp => false,
        }
    }

    /// The word in a Via (`SIP/2.0/UDP`).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Udp => "UDP",
        }
    }

    /// The port where none is written (RFC 3261 §19.1.2, §18.2.2).
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Tcp | Self::Udp => 5060,
            Self::Tls => 5061,
        }
    }

    /// The word that follows the address in a URI of ours, and a user agent's Contact says the same; none for UDP, which
    /// is the default. RFC 3261 §26.2.2 deprecates `transport=tls` and everybody uses it: without it, requests to a `sip:`
    /// URI would come over UDP.
    #[must_use]
    pub fn uri_parameter(self) -> &'static str {
        match self {
            Self::Tcp => ";transport=tcp",
            Self::Tls => ";transport=tls",
            Self::Udp => "",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which of our listeners: an index into [`crate::Settings::listeners`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(pub u8);

/// One TCP or TLS connection, named by the shell; the core only hands it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub NonZeroU64);

/// Who the other side of a TLS connection proved to be: one of the names that zones are told by
/// ([`crate::access::Access::identity`]). It says the same in each configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdentityId(pub u64);

/// One side of a message's way.
///
/// With a `connection` the bytes go there as long as it lives; without one, or when it is gone,
/// they go to `remote` (over a connection to it that exists or is made, unless the transport is
/// UDP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    /// What carries it.
    pub transport: Transport,
    /// Our side: its address is in Via and Contact, and a datagram leaves from its socket.
    pub listener: ListenerId,
    /// The other side.
    pub remote: SocketAddr,
    /// The connection that the message came on, or that answers are wanted on.
    pub connection: Option<ConnectionId>,
    /// Who came over that connection, where a certificate proved it.
    pub identity: Option<IdentityId>,
}
