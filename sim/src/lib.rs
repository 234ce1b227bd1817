//! The virtual world: one node under a virtual clock, fake callers and peers, a seeded network between them, and a
//! witness that watches every message.
//!
//! Everything that is random comes from one seed, so that a seed replays exactly: `cargo run --release -p sim -- --seed
//! N` prints its ladder. [`scenario`] says what a seed means, [`world`] lets it happen, [`witness`] says what must not
//! happen, [`sabotage`] shows that it would be noticed. The node is `baton::node`, the very code that runs under the
//! sockets of `baton::shell`; the shell itself (framing of streams, batches, rings) is not part of this world.
#![forbid(unsafe_code)]

mod finding;
mod ladder;
pub mod members;
mod net;
mod node;
mod place;
pub mod sabotage;
pub mod scenario;
mod seen;
mod streams;
pub mod sweep;
mod witness;
pub mod world;

pub use finding::Finding;
