//! What a node tells about itself.

pub mod exposition;
pub mod log;
pub mod metrics;
