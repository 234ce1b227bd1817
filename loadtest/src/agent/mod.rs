//! SIP user agents without I/O: a [`Caller`] that places calls and a [`Peer`] that takes them.
//!
//! Both are fed bytes and times and give back packets, as the cores of Baton are; the load generator, the demo and the
//! simulator own their sockets and clocks. The order of use: after each `handle_*` (and [`Caller::place`]) take
//! `poll_output` until there is none, then ask `poll_timeout` when to call `handle_timeout`.
//!
//! They are a second opinion. They read messages through `signaling`'s index, but their transactions and dialogs are
//! their own, plain ones, and they check what Baton lets through: tags, Call-IDs, CSeq, Via, Max-Forwards, bodies byte
//! for byte, and that neither leg hears a name of the other. What they find is a *complaint*; a call that a complaint
//! is about is reported as failed.
//!
//! They send re-INVITE, UPDATE and other requests inside their dialogs if their scripts say so. They ring reliably, send
//! PRACK and keep session timers if their scripts say so. They do not challenge.

mod act;
mod alarms;
mod behaviour;
mod call;
mod caller;
mod context;
mod inside;
mod peer;
mod plan;
mod random;
mod received;
pub mod sdp;
mod session;
mod text;
mod timed;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Instant;

pub use act::{Act, ActKind, Acts};
pub use behaviour::{Asked, Behaviour, Chooser, Verdict};
pub use caller::{Caller, CallerSettings};
pub use context::{Counts, Packet, Step, Timers};
pub use peer::{Peer, PeerSettings};
pub use plan::{Ending, Offer, Outcome, Plan, Side};
pub use random::Random;
pub use timed::{MIN_SE, Timed};

/// Stands in each tag, branch, Call-ID and Contact of the caller: a peer that sees it has found a leak.
pub const CALLER_MARK: &str = "caller-leg-";
/// Stands in each tag, branch and Contact of the peer: a caller that sees it has found a leak.
pub const PEER_MARK: &str = "peer-leg-";

/// What a [`Caller`] and a [`Peer`] have in common for whoever owns their sockets and clocks.
pub trait Agent {
    /// Takes one message.
    fn handle_message(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]);
    /// Does what is due.
    fn handle_timeout(&mut self, now: Instant);
    /// The next message to send.
    fn poll_output(&mut self) -> Option<Packet>;
    /// When to come back.
    fn poll_timeout(&self) -> Option<Instant>;
    /// The next thing that was found wrong; only the first 50 not yet taken are kept.
    fn poll_complaint(&mut self) -> Option<String>;
    /// How many things were found wrong.
    fn complaints(&self) -> u64;
    /// What was counted.
    fn counts(&self) -> Counts;
    /// Calls that are not over.
    fn live(&self) -> usize;
    /// Whether nothing is left: no call, not even one kept for repeats, and nothing to send.
    fn is_quiet(&self) -> bool;
}
