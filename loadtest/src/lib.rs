//! User agents without I/O, and the load generator.
//!
//! * [`agent`]: a caller and a peer as state machines, for the load generator, the demo and the simulator.
//! * [`drive`]: real sockets and the real clock for an agent.
//! * [`load`]: how many calls when, and what became of them.
//! * [`arrivals`]: open schedules.
//! * [`bridges`]: peers on threads of their own, with what befalls them.
//! * [`scenario`]: what is played and what must hold at the end, in a file.
//! * [`vcs`]: an emulated VCS, which asks a policy service before it calls.
#![forbid(unsafe_code)]

pub mod agent;
pub mod arrivals;
pub mod bridges;
pub mod drive;
pub mod json;
pub mod load;
pub mod scenario;
pub mod vcs;
