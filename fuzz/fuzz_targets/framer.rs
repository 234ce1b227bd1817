//! A stream: however it is chopped, the frames are the same, and no frame surprises the index.
#![no_main]

#[path = "../../signaling/tests/support/exhaust.rs"]
mod exhaust;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| exhaust::chop(bytes));
