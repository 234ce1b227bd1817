//! The back-to-back user agent (TRUNK.md): one call is a caller leg and a peer leg.
//!
//! [`caller_leg`] and [`peer_leg`] are the two machines, [`call`] carries their actions out,
//! [`failover`] goes from one peer to the next, [`carry`] carries requests inside the dialogs
//! across, [`transfer`] joins a leg with another target, [`request`] and [`answer`] write the messages, [`headers`] says what passes. SDP is never read
//! or written, only carried.

mod again;
pub(crate) mod answer;
pub(crate) mod attempt;
pub(crate) mod call;
mod callee;
pub mod caller_leg;
mod carry;
mod challenge;
mod dead;
pub(crate) mod early;
pub(crate) mod exchange;
pub(crate) mod extensions;
pub(crate) mod failover;
pub(crate) mod headers;
mod held;
mod join;
pub(crate) mod offer;
mod patience;
pub mod peer_leg;
mod refer;
pub(crate) mod refresh;
pub mod reinvite;
pub(crate) mod replaces;
pub(crate) mod request;
mod seat;
pub(crate) mod session_change;
pub(crate) mod session_timer;
pub(crate) mod side;
pub(crate) mod transfer;
