//! What fuzzing has found or begun with, as an ordinary test; and bodies that a seed makes.
#![expect(
    clippy::indexing_slicing,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

#[path = "support/exhaust.rs"]
mod exhaust;

use proptest::prelude::*;
use std::fs;
use std::path::Path;

#[test]
fn the_corpus_is_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/policy");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        exhaust::exhaust(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the corpus of policy is empty");
}

proptest! {
    /// Any alias whatever: the answer is whole.
    #[test]
    fn any_alias_is_answered(
        kind in prop::sample::select(vec!["SEARCH", "ADMIN", "USER", "REGISTRATION"]),
        head in prop::sample::select(vec!["", "meet.", "8", "9", "f", "sip:", "601"]),
        alias in prop::collection::vec(any::<u8>(), 0..60),
        method in prop::sample::select(vec!["INVITE", "LRQ", "", "X"]),
    ) {
        let alias: String = alias.iter().map(|octet| format!("%{octet:02x}")).collect();
        let body = format!("POLICY_TYPE={kind}&DESTINATION_ALIAS={head}{alias}@example.com&METHOD={method}&ALIAS={alias}");
        exhaust::exhaust(body.as_bytes());
    }
}
