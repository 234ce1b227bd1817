//! An emulated VCS: it asks a policy service what to do with each call, does that, and calls over the trunk.
//!
//! What it keeps of POLICY.md: it polls each of up to three addresses every 60 s and asks, in their order, those that
//! were active; 30 s an attempt; the Default CPL if none answers; Call Policy, User Policy and a search rule in this
//! order; an alias that policy names starts again from the beginning, and one that was there before ends that branch as
//! a loop. Its times are divided by a scale. It reads CPL by a reader of its own and shares no line with the server's
//! policy code.
//!
//! It judges: a call that was promised to a peer by the alias that policy gave must arrive there, under that alias.

mod client;
pub mod cpl;
pub mod execution;
pub mod form;
mod play;
mod search;
mod servers;
mod tally;
mod xml;

pub use crate::drive::Verification;
pub use client::Url;
pub use play::{Settings, run};
pub use servers::{Figures, ServerReport};
pub use tally::{Report, Tally};
