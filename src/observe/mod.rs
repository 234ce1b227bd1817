//! What a node tells about itself.

pub mod exposition;
pub mod json;
pub mod log;
pub mod metrics;
pub mod table;
