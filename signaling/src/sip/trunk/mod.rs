//! The trunk to the peers beside its calls: whether they live.

mod probe;
