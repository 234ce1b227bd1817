//! One value: every typed parser, and lists of it.
#![no_main]

#[path = "../../signaling/tests/support/exhaust.rs"]
mod exhaust;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| exhaust::exhaust_list(bytes));
