//! What the tests with other people's programs share: whether the programs are here, and how they
//! are started, given room, awaited and ended.
//!
//! A [`Stage`] is where one test plays: a folder, and perhaps a network namespace of its own. On it
//! stand a [`node::Node`] (the real program) and any number of sipp instances. Whatever was started is
//! ended by its own process id when its owner goes, also when the test panics. No port is fixed
//! and nothing is awaited by sleeping where an event says that it happened.
#![allow(dead_code, reason = "each test crate uses its own part of this module")]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

pub(crate) mod baresip;
pub(crate) mod bench;
pub(crate) mod capture;
pub(crate) mod certificates;
pub(crate) mod kamailio;
pub(crate) mod nameserver;
pub(crate) mod namespace;
pub(crate) mod node;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod scenario;
pub(crate) mod sipp;
pub(crate) mod stage;
pub(crate) mod vectors;

use std::env;
use std::path::PathBuf;

/// Whether all these programs are installed; if not, the test says so in one line and passes, or
/// fails where `BATON_REQUIRE_PROGRAMS` is set.
pub(crate) fn installed(programs: &[&str]) -> bool {
    let absent: Vec<&str> = programs
        .iter()
        .copied()
        .filter(|program| find(program).is_none())
        .collect();
    if absent.is_empty() {
        return true;
    }
    skip(&format!("{} absent", absent.join(", ")));
    false
}

/// Says that a test cannot be played here and why.
#[expect(clippy::print_stdout, reason = "a skipped test must be seen")]
pub(crate) fn skip(why: &str) {
    assert!(
        env::var_os("BATON_REQUIRE_PROGRAMS").is_none(),
        "{why}, and BATON_REQUIRE_PROGRAMS is set"
    );
    println!("skipped: {why}");
}

/// Whether the tests are to take their time (`BATON_LONG=1`).
pub(crate) fn is_long() -> bool {
    env::var_os("BATON_LONG").is_some_and(|value| value == "1")
}

/// Where a program stands: `PATH`, and where administrators' programs are for those who lack them.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}
