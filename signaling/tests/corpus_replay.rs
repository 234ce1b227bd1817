//! Replays the corpora of the fuzz targets: what was found once stays found.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/exhaust.rs"]
mod exhaust;
#[path = "support/ras_exhaust.rs"]
mod ras_exhaust;

use std::path::Path;

fn replay(target: &str, check: impl Fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut count = 0;
    for entry in std::fs::read_dir(root.join(target)).unwrap() {
        check(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the corpus of {target} is empty");
}

#[test]
fn messages() {
    replay("message", |bytes| {
        exhaust::exhaust(bytes);
        exhaust::rewrite(bytes);
    });
}

#[test]
fn streams() {
    replay("framer", exhaust::chop);
}

#[test]
fn values() {
    replay("values", exhaust::exhaust_list);
}

#[test]
fn ras() {
    replay("ras", |bytes| {
        ras_exhaust::exhaust(bytes);
    });
}
