//! Baton, a SIP back-to-back user agent in front of a cluster of conference bridges.
//!
//! The program is a library so that the same node runs under the real sockets of [`shell`] and,
//! without them, under the simulation. The floors are told in `ARCHITECTURE.md`.

pub mod cli;
pub mod config;
pub mod demo;
pub mod node;
pub mod observe;
pub mod shell;
