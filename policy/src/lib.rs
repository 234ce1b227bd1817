//! The policy service that a VCS asks.
//!
//! Nothing is here yet: the issue that brings the policy service fills this crate. It exists so that the floors of the
//! house (a core without I/O, importing only `balancer`) are held by Cargo from the first day.
#![forbid(unsafe_code)]
