//! The Session Initiation Protocol (RFC 3261).
//!
//! [`message`] reads and writes, [`transaction`] repeats and matches, [`dialog`] remembers who
//! talks to whom, [`b2bua`] joins two legs to a call, [`reject`] says no.

mod admit;
pub mod auth;
pub mod b2bua;
pub(crate) mod dialog;
pub mod locate;
pub(crate) mod loops;
pub mod message;
pub(crate) mod options;
pub mod reject;
pub mod token;
pub mod transaction;
pub(crate) mod trunk;
mod uas;
