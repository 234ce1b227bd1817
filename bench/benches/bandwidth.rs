//! What admission costs: taking and giving back bandwidth on a way of seven totals, alone, beside a
//! thread on another way, and beside one on the same way; and compiling a configuration.
//!
//! `cargo bench -p bench --bench bandwidth`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and must stop if it cannot run"
)]

use balancer::bandwidth::{
    Ask, Bandwidth, BandwidthSettings, Limit, LinkSettings, PipeSettings, SubzoneKind,
    SubzoneSettings,
};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A traversal subzone, and pairs of subzones that reach it over a link with two pipes each: a call from
/// one of a pair to the other touches two subzones, the traversal subzone and four pipes.
fn settings(pairs: usize) -> BandwidthSettings {
    let limit = Limit::Limited(1_000_000_000);
    let mut settings = BandwidthSettings::default();
    let subzone = |name: String, kind| SubzoneSettings {
        name,
        kind,
        total: limit,
        intra: limit,
        inter: limit,
        handled: limit,
    };
    for number in 0..pairs * 2 {
        let name = format!("s{number}");
        let pipes = ["a", "b"].map(|pipe| format!("{pipe}{number}"));
        settings
            .pipes
            .extend(pipes.clone().map(|name| PipeSettings {
                name,
                total: limit,
                per_call: limit,
            }));
        settings.links.push(LinkSettings {
            name: name.clone(),
            nodes: [name.clone(), "t".to_owned()],
            pipes: pipes.into(),
        });
        settings.subzones.push(subzone(name, SubzoneKind::Manual));
    }
    settings
        .subzones
        .push(subzone("t".to_owned(), SubzoneKind::Traversal));
    settings
}

fn ask(bandwidth: &Bandwidth, pair: usize) -> Ask {
    let view = bandwidth.view();
    let node = |number: usize| view.node(&format!("s{number}")).unwrap();
    Ask {
        from: node(pair * 2),
        to: node(pair * 2 + 1),
        kbps: Some(384),
        is_traversal: true,
    }
}

/// How long one round takes, minimum and median of many short batches.
fn batches(mut work: impl FnMut() -> bool) -> [f64; 2] {
    let rounds = 64;
    let mut times: Vec<f64> = (0..4_000)
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

fn tell(name: &str, [least, median]: [f64; 2]) {
    println!("{name:<56} minimum {least:7.1} ns, median {median:7.1} ns");
}

fn admission(criterion: &mut Criterion) {
    let bandwidth = Bandwidth::new(&settings(2)).unwrap();
    let asks = [0, 1].map(|pair| ask(&bandwidth, pair));
    let view = bandwidth.view();
    let charges = view.admit(&asks[0]).unwrap().charges().count();
    assert_eq!(charges, 7);
    let work = || view.admit(black_box(&asks[0])).is_ok();
    criterion.bench_function("admit and give back, 7 totals", |bencher| {
        bencher.iter(work);
    });
    tell("7 totals, take and give back, 1 thread", batches(work));
    let mut grants = Vec::with_capacity(64 * 4_000);
    let taken = batches(|| {
        grants.push(view.admit(black_box(&asks[0])).unwrap());
        true
    });
    tell("7 totals, take alone", taken);
    drop(grants);
    for (name, other) in [
        ("the traversal subzone in common", asks[1]),
        ("all in common", asks[0]),
    ] {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let view = bandwidth.view();
                while !done.load(Ordering::Relaxed) {
                    black_box(view.admit(black_box(&other)).is_ok());
                }
            });
            tell(&format!("7 totals, 2 threads, {name}"), batches(work));
            done.store(true, Ordering::Relaxed);
        });
    }
    // A network of its own for the other thread: nothing in common but the machine.
    let apart = Bandwidth::new(&settings(2)).unwrap();
    let other = ask(&apart, 1);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let view = apart.view();
            while !done.load(Ordering::Relaxed) {
                black_box(view.admit(black_box(&other)).is_ok());
            }
        });
        tell("7 totals, 2 threads, nothing in common", batches(work));
        done.store(true, Ordering::Relaxed);
    });
}

fn compilation(_: &mut Criterion) {
    for pairs in [10, 100, 250] {
        let settings = settings(pairs);
        let begun = Instant::now();
        let bandwidth = Bandwidth::new(&settings).unwrap();
        let took = begun.elapsed().as_secs_f64() * 1e3;
        println!("compile {} subzones: {took:.1} ms", pairs * 2 + 1);
        drop(bandwidth);
    }
}

criterion_group!(benches, admission, compilation);
criterion_main!(benches);
