//! Any bytes as a RAS message: read, written, and read again.
#![no_main]

#[path = "../../signaling/tests/support/ras_exhaust.rs"]
mod ras_exhaust;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    ras_exhaust::exhaust(bytes);
});
