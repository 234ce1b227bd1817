//! A policy request: the form, the rules, the decision and the CPL.
#![no_main]

#[path = "../../policy/tests/support/exhaust.rs"]
mod exhaust;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| exhaust::exhaust(body));
