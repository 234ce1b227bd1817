//! What a RAS message costs: read, and written.
//!
//! `cargo bench -p bench --bench ras`; a table of minima and medians is printed first.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and must stop if it cannot run"
)]

#[path = "../../signaling/tests/support/ras.rs"]
mod ras;

use criterion::{Criterion, criterion_group, criterion_main};
use signaling::h323::ras::Message;
use std::hint::black_box;
use std::time::Instant;

/// How long one round takes, minimum and median of many short batches.
fn batches(mut work: impl FnMut() -> bool) -> [f64; 2] {
    let rounds = 64;
    let mut times: Vec<f64> = (0..2_000)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..rounds {
                black_box(work());
            }
            begun.elapsed().as_secs_f64() * 1e9 / f64::from(rounds)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    [0, times.len() / 2].map(|at| times.get(at).copied().unwrap_or_default())
}

fn messages(criterion: &mut Criterion) {
    let samples = ras::samples();
    let mut buffer = [0; 2048];
    for (name, message, _) in &samples {
        let length = message.encode(&mut buffer).unwrap();
        let bytes = buffer.get(..length).unwrap().to_vec();
        let read = batches(|| Message::decode(black_box(&bytes)).is_ok());
        let write = batches(|| black_box(message).encode(&mut buffer).is_ok());
        println!(
            "{name:<36} {length:4} octets  read {:6.0} ({:6.0}) ns  write {:6.0} ({:6.0}) ns",
            read[0], read[1], write[0], write[1]
        );
    }
    for wanted in [
        "admission_request",
        "registration_request_features",
        "resources_available",
    ] {
        let (_, message, _) = samples.iter().find(|(name, ..)| *name == wanted).unwrap();
        let length = message.encode(&mut buffer).unwrap();
        let bytes = buffer.get(..length).unwrap().to_vec();
        criterion.bench_function(&format!("read {wanted}"), |bencher| {
            bencher.iter(|| Message::decode(black_box(&bytes)).is_ok());
        });
        criterion.bench_function(&format!("write {wanted}"), |bencher| {
            bencher.iter(|| black_box(message).encode(&mut buffer));
        });
    }
}

criterion_group!(benches, messages);
criterion_main!(benches);
