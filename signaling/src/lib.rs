//! SIP (and later H.323) as state machines: bytes and times go in, effects come out, no I/O.
//!
//! The one entry is [`Core`]: an owner feeds it messages and the passing of time (`handle_*`),
//! takes effects out of it (`poll_output`) and asks when to come back (`poll_timeout`). Nothing
//! here knows a socket, a clock or a thread.
#![forbid(unsafe_code)]

pub mod access;
mod context;
mod core;
pub mod counters;
pub mod h323;
pub mod hop;
pub mod outbox;
pub mod output;
pub mod overload;
mod pool;
mod record;
mod reload;
mod seen;
pub mod settings;
pub mod sip;
pub mod slots;
pub mod statuses;
pub mod times;
pub mod traffic;
pub mod wheel;

pub use core::{Core, Owner};
pub use hop::{ConnectionId, Hop, IdentityId, ListenerId, Transport};
pub use output::{
    Attempt, Choice, Ending, Outcome, Output, Probe, Question, Refusal, Replaced, Ticket, Transmit,
    Trouble,
};
pub use record::{CallRecord, End};
pub use seen::{CallSeen, CallState};
pub use settings::{Listener, ReferMode, SessionTimes, Settings, Timers};
pub use statuses::Statuses;
