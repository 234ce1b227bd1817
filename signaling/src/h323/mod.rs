//! H.323: the messages of RAS (H.225.0), read and written without a copy, and who is registered.
//!
//! [`per`] is the encoding (X.691, aligned), [`types`] what messages are made of, [`ras`] the
//! messages; [`gatekeeper`] answers some of them. Types and fields are named as H.225.0 (12/2009) names them; its text is not here.

pub mod gatekeeper;
pub mod per;
pub mod ras;
pub mod types;
