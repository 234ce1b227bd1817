//! One message: index, every accessor, every typed value, and a rewrite that is read again.
#![no_main]

#[path = "../../signaling/tests/support/exhaust.rs"]
mod exhaust;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    exhaust::exhaust(bytes);
    exhaust::rewrite(bytes);
});
