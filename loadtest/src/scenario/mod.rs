//! Scenarios: what is played, by whom, and what must hold at the end, in a file of TOML.

mod assertion;
mod chart;
mod file;
mod html;
mod play;
mod sample;

pub use assertion::{Assertion, Figures, NAMES};
pub use file::{Calls, Scenario, Vcs, VcsEntry};
pub use html::html;
pub use play::{Ending, PeerEnd, play};
pub use sample::Sample;
