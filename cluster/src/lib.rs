//! What members of the cluster tell each other.
//!
//! Nothing is here yet: the issue that brings the cluster fills this crate. It exists so that the floors of the house
//! (a core without I/O, importing only `balancer`) are held by Cargo from the first day.
#![forbid(unsafe_code)]
