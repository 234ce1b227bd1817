//! Call flows as text: every file in `ladders/` is a script and the ladder that came of it.
//!
//! Lines at the left margin are commands (what the caller or the peer sends, or how long nothing
//! happens); indented lines are what passed. `BATON_REWRITE=1 cargo test -p signaling --test
//! ladders` writes the ladders anew; a person reviews the difference. Every message that Baton
//! sends is also indexed and held against the rules that hold for all flows.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken ladder fails its test"
)]

#[path = "support/digest.rs"]
mod digest;
#[path = "support/stage.rs"]
mod stage;

use std::fs;
use std::path::Path;

#[test]
fn every_ladder_is_as_it_was_reviewed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ladders");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(files.len() >= 20, "the ladders are there");
    let mut wrong = Vec::new();
    for path in files {
        let before = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let after = stage::play(&name, &before);
        if before == after {
            continue;
        }
        if std::env::var_os("BATON_REWRITE").is_some() {
            fs::write(&path, after).unwrap();
        } else {
            wrong.push(format!("{name} differs; it would be:\n{after}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whoever speaks of a ladder means one.
#[test]
fn each_number_stands_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ladders");
    let names = fs::read_dir(&folder).unwrap().map(|entry| {
        let name = entry.unwrap().file_name();
        let name = name.to_string_lossy().into_owned();
        name.split('-').next().unwrap_or_default().to_owned()
    });
    let mut numbers: Vec<_> = names.collect();
    numbers.sort();
    let all = numbers.len();
    numbers.dedup();
    assert_eq!(numbers.len(), all, "two ladders have one number");
}

#[test]
fn a_wrong_ladder_is_noticed() {
    let script = "caller INVITE\n    nothing like this ever passed\n";
    assert_ne!(stage::play("made up", script), script);
}

/// Retransmissions, crossings, answers to what was never asked: nothing is left in any table, no
/// request is answered twice, nothing of one leg shows on the other.
#[test]
fn whatever_happens_in_a_call_nothing_is_left_of_it() {
    let wanted = std::env::var_os("BATON_RIOTS");
    let seeds = wanted.map_or(256, |seeds| seeds.to_str().unwrap().parse().unwrap());
    for seed in 0..seeds {
        let (ladder, wrong) = stage::riot(seed);
        assert!(wrong.is_empty(), "seed {seed}: {wrong:?}\n{ladder}");
    }
}
