//! Where a call goes: the one place that decides.
//!
//! [`Balancer::place`] picks the peer with the most sessions available and takes one of its
//! sessions in the same step, so that two callers never both count the same free session; the
//! [`Permit`] gives it back on drop. No lock and no allocation on the way. Dial plan, conferences
//! and health come with the work on the trunk in full.
#![forbid(unsafe_code)]

mod board;
mod choose;
mod place;
mod sessions;

pub use board::{Board, Peer, PeerSettings, Transport};
pub use place::{Balancer, NoPlace, Placement};
pub use sessions::{Permit, Sessions};
