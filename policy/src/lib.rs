//! The policy service that a VCS asks: a form in, CPL out (POLICY.md).
//!
//! No I/O here: the shell brings a body and the time, and sends what is written. Where a call goes is
//! the balancer's to decide, on the same board and in the same conferences as for every other door.
#![forbid(unsafe_code)]

pub mod cpl;
mod form;
mod json;
mod request;
mod rule;
mod service;
mod status;

pub use cpl::Answer;
pub use form::Plus;
pub use json::JsonError;
pub use request::{BadRequest, Kind, Method, Protocol, Request};
pub use rule::{Action, ROUTES_MAX, Range, RuleError, RuleSettings, check_rule, range};
pub use service::{Decided, Mistake, Outcome, Service, Settings};
pub use status::State;
