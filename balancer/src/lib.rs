//! Where a call goes: the one place that decides.
//!
//! [`Balancer::place`] asks the dial plan, follows a conference to its peer or picks the peer with
//! the most sessions available, and takes a session there in the same step, so that two callers
//! never both count the same free session. The [`Permit`] gives it back on drop. What is learnt of
//! peers comes in by [`Balancer::report`] from any worker; the health of a peer is one atomic word
//! that a choice reads. No allocation for a call into a known conference or without one, and no lock
//! but that of one shard of the conference directory, shared, for as long as a look-up takes.
#![forbid(unsafe_code)]

mod balancer;
pub mod bandwidth;
mod board;
mod bridge_alias;
mod choose;
mod conferences;
mod explain;
mod figures;
mod grounds;
mod health;
mod keyed;
mod leases;
mod moment;
mod permit;
mod place;
mod plan;
mod probes;
mod reader;
mod report;
mod sessions;
mod settings;
mod snapshot;
mod vitals;

pub use balancer::{Balancer, Change};
pub use board::{Board, Peer, PeerId, PeerState};
pub use bridge_alias::{BridgeAlias, BridgeAliasError};
pub use conferences::{ConferenceFigures, Confirmation};
pub use explain::{Explanation, PeerExplained, PoolExplained, Verdict};
pub use figures::PeerFigures;
pub use leases::Leased;
pub use permit::Permit;
pub use place::{NoPlace, Placement, Request};
pub use plan::{Applied, GaveUp, Mistake, Pattern, PatternError, check_pattern, without_scheme};
pub use probes::Probe;
pub use reader::Reader;
pub use report::{Cause, Outcome, Reported, Source};
pub use settings::{
    AliasSettings, Failover, HealthSettings, Operator, POOL_OF_ALL, PeerSettings, PoolSettings,
    Role, Settings, Statuses, Strategy, Target, Transport, UNKNOWN,
};
pub use snapshot::Snapshot;
pub use vitals::Reason;
