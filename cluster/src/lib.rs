//! What members of a cluster tell each other over UDP 1719: the sessions and the bandwidth that each
//! of them uses, and whether it drains.
//!
//! A core without I/O. The owner puts in datagrams ([`Cluster::handle_datagram`]), what this node
//! uses ([`Cluster::handle_figures`]) and time ([`Cluster::handle_timeout`]), and takes out
//! datagrams to send and what all the others use together ([`Cluster::poll_output`]). The bytes are
//! described in `docs/wire/member-update.md`.
//!
//! Values are absolute, never differences, so that loss, doubling and reordering are harmless. A
//! figure is repeated until its receiver has confirmed it.
#![forbid(unsafe_code)]

mod cluster;
mod counters;
mod delivery;
mod figure;
mod hearing;
mod ledger;
mod members;
mod output;
mod settings;
mod wire;

pub use cluster::Cluster;
pub use counters::{Counters, Dropped};
pub use figure::{Figure, Key, Kind, Load};
pub use members::{MemberStatus, Presence};
pub use output::Output;
pub use settings::{Identity, MemberSettings, Settings, SettingsError, Silence};
pub use wire::{DATAGRAM_MAX, is_update};
