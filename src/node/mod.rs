//! The glue of the cores: one [`Worker`] joins a SIP core and the balancer. No I/O: `src/shell`
//! drives it with sockets and clocks, `sim/` with a virtual world.

mod addresses;
mod alias;
mod choices;
mod health;
mod permits;
mod probing;
mod record;
mod seen;
mod worker;

pub use record::{CallRecord, Notes, Recording, Tried, Try};
pub use seen::CallOnPeer;
pub use worker::{PeerChange, Worker};
