//! A world of members: they admit calls by what they know of each other, over a network that loses,
//! delays, doubles and cuts; some die, some start again, some speak falsely.
//!
//! The witness knows the truth. It looks for a member that knows something else two seconds after
//! the last change, for more admitted than the bound of `docs/wire/member-update.md`, for a
//! repetition or a forgery that changed something, and for anything left at the end.

mod scenario;
mod witness;
mod world;

pub use scenario::{CALL_KBPS, Event, Phase, Scenario};
pub use world::{Figures, Sabotage, run};
