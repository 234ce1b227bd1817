//! Values with a grammar of their own, read when they are asked for.
//!
//! Each borrows from the message and copies nothing. White space is what RFC 3261 §25.1 calls LWS,
//! folds included. What a value holds beyond its grammar is refused with a [`ValueFault`]; what it
//! holds beyond Baton's interest stays in its parameters.

pub(super) mod auth;
pub(super) mod cseq;
pub(super) mod fault;
pub(super) mod list;
pub(super) mod media_type;
pub(super) mod name_addr;
pub(super) mod params;
pub(super) mod percent;
pub(super) mod rack;
pub(super) mod refer_to;
pub(super) mod retry_after;
pub(super) mod session_timer;
pub(super) mod token_value;
pub(super) mod uri;
pub(super) mod via;

pub(super) use fault::ValueFault;
