//! What a [`Cluster`](crate::Cluster) wants done.

use crate::figure::Key;
use crate::members::Presence;
use std::net::SocketAddr;

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A datagram goes to a member.
    Datagram {
        /// Where.
        to: SocketAddr,
        /// What.
        octets: Vec<u8>,
    },
    /// All other members together use this much. Counts until the next word about this key.
    Elsewhere {
        /// Of what.
        key: Key,
        /// How much.
        used: u64,
    },
    /// A member has come or gone.
    Presence {
        /// Its name.
        member: String,
        /// What it was.
        before: Presence,
        /// What it is.
        now: Presence,
    },
    /// A member's configuration differs from ours, or does no longer: what it uses is not heard
    /// while it does.
    Conflict {
        /// Its name.
        member: String,
        /// Whether it differs.
        differs: bool,
    },
}
