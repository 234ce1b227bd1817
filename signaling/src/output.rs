//! What a core asks of its owner.

use crate::access::ZoneId;
use crate::hop::{Hop, Transport};
use crate::outbox::Span;
use crate::slots::Key;
use std::net::SocketAddr;

/// One effect. The owner takes them in order until there are none, before it waits again.
#[derive(Clone, Debug)]
pub enum Output {
    /// Choose a peer for this call and say so with `handle_choice`; [`crate::Core::question`] tells
    /// what was dialled.
    Choose(Key),
    /// The call is over; whatever was reserved for it goes back.
    Ended(Ending),
    /// Send these bytes.
    Send(Transmit),
}

/// A message to send; its bytes are in the outbox until the owner calls `sent`.
#[derive(Clone, Copy, Debug)]
pub struct Transmit {
    /// Where to.
    pub hop: Hop,
    /// Which bytes.
    pub span: Span,
    /// Who wants to know if it cannot be sent.
    pub ticket: Option<Ticket>,
}

/// Names the client transaction that a message belongs to, for `handle_transport_error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub(crate) Key);

/// What the owner needs to know to choose a peer.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The Request-URI as dialled.
    pub request_uri: &'a [u8],
    /// Where the call came from.
    pub source: Hop,
    /// The zone that this is in.
    pub zone: Option<ZoneId>,
}

/// The owner's answer to [`Output::Choose`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// How to reach the peer.
    pub transport: Transport,
    /// Its address.
    pub remote: SocketAddr,
}

/// Why the owner chose nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No peer has a session free.
    NoCapacity,
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The call.
    pub call: Key,
    /// Whether the caller got a 2xx.
    pub answered: bool,
}
