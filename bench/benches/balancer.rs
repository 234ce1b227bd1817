//! What a decision costs: choose among 6, 64 and 1,000 peers, place with and without a conference,
//! on one thread and while a second one does the same; and a new board.
//!
//! `cargo bench -p bench --bench balancer`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and must stop if it cannot run"
)]

use balancer::{
    AliasSettings, Balancer, PeerSettings, Reader, Request, Role, Settings, Target, Transport,
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const PEERS: [usize; 3] = [6, 64, 1_000];

fn target() -> Target {
    Target {
        transport: Transport::Udp,
        remote: SocketAddr::from(([127, 0, 0, 1], 5060)),
    }
}

fn settings(peers: usize, aliases: Vec<AliasSettings>) -> Settings {
    // Not all alike, and all with room.
    let peer = |number: usize| {
        let room = 1_000_000 + u32::try_from(number % 7).unwrap();
        PeerSettings::new(format!("p{number}"), target(), room)
    };
    Settings {
        peers: (0..peers).map(peer).collect(),
        aliases,
        ..Settings::default()
    }
}

fn alias(name: &str, pattern: &str, conference: &str) -> AliasSettings {
    AliasSettings {
        name: name.into(),
        pattern: pattern.into(),
        priority: 1,
        conference: Some(conference.into()),
        role: Role::Participant,
        fallback: false,
        may_create: true,
        participants_max: None,
        pools: Vec::new(),
        tags: Vec::new(),
        zones: Vec::new(),
    }
}

/// A plan of ten rules, of which the last one matches.
fn plan() -> Vec<AliasSettings> {
    let mut plan: Vec<AliasSettings> = (0..9)
        .map(|number| {
            let pattern = format!(r"{number}(\d{{4}})@example\.com");
            alias(&format!("a{number}"), &pattern, r"c-\1")
        })
        .collect();
    plan.push(alias("meet", r"meet\.(.+)@example\.com", r"\1"));
    plan
}

fn request(alias: &[u8], now: Instant) -> Request<'_> {
    Request {
        alias,
        zone: "edge",
        tried: &[],
        is_audio_only: false,
        now,
    }
}

/// How long one round takes, minimum and median of many short batches: what a busy machine does to
/// the others is not in the minimum.
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

/// Measures `work`, alone and while another thread does it too, each with its own reader.
fn alone_and_together(
    criterion: &mut Criterion,
    name: &str,
    balancer: &Arc<Balancer>,
    work: impl Fn(&mut Reader) -> bool + Sync,
) {
    let mut reader = Reader::new(Arc::clone(balancer));
    criterion.bench_function(&format!("{name}, 1 thread"), |bencher| {
        bencher.iter(|| work(&mut reader));
    });
    let [least, median] = batches(|| work(&mut reader));
    println!("{name:<44} 1 thread   minimum {least:8.1} ns, median {median:8.1} ns");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut reader = Reader::new(Arc::clone(balancer));
            while !done.load(Ordering::Relaxed) {
                black_box(work(&mut reader));
            }
        });
        criterion.bench_function(&format!("{name}, 2 threads"), |bencher| {
            bencher.iter(|| work(&mut reader));
        });
        let [least, median] = batches(|| work(&mut reader));
        println!("{name:<44} 2 threads  minimum {least:8.1} ns, median {median:8.1} ns");
        done.store(true, Ordering::Relaxed);
    });
}

fn balancer(settings: &Settings, now: Instant) -> Arc<Balancer> {
    Arc::new(Balancer::new(settings, 1, now).unwrap())
}

fn choose(criterion: &mut Criterion) {
    let now = Instant::now();
    for peers in PEERS {
        let balancer = balancer(&settings(peers, Vec::new()), now);
        let request = request(b"meet@example.com", now);
        let name = format!("choose among {peers}");
        alone_and_together(criterion, &name, &balancer, |reader| {
            reader.look(black_box(&request)).is_ok()
        });
        let name = format!("place among {peers}");
        alone_and_together(criterion, &name, &balancer, |reader| {
            reader.place(black_box(&request)).is_ok()
        });
    }
}

fn known_conference(criterion: &mut Criterion) {
    let now = Instant::now();
    for (rules, plan) in [(1, plan().split_off(9)), (10, plan())] {
        let balancer = balancer(&settings(6, plan), now);
        let request = request(b"meet.sales@example.com", now);
        let mut first = balancer.place(&request).unwrap();
        let _here = first.permit.confirm();
        let name = format!("place in a known conference, {rules} rules");
        alone_and_together(criterion, &name, &balancer, |reader| {
            let mut placement = reader.place(black_box(&request)).unwrap();
            let _here = placement.permit.confirm();
            true
        });
        drop(first);
    }
}

fn new_conference(criterion: &mut Criterion) {
    let now = Instant::now();
    let balancer = balancer(&settings(6, plan()), now);
    // Some thousand others run.
    let names = (0..10_000).map(|number| format!("meet.{number}@example.com"));
    let held: Vec<_> = names
        .map(|name| balancer.place(&request(name.as_bytes(), now)).unwrap())
        .collect();
    criterion.bench_function("begin and end a conference among 10,000", |bencher| {
        bencher.iter(|| {
            balancer
                .place(&request(b"meet.new@example.com", now))
                .is_ok()
        });
    });
    drop(held);
}

fn board(criterion: &mut Criterion) {
    let now = Instant::now();
    for peers in PEERS {
        let settings = settings(peers, plan());
        let balancer = balancer(&settings, now);
        let id = balancer.board().peers().first().unwrap().id;
        criterion.bench_function(&format!("addresses of one of {peers} anew"), |bencher| {
            bencher.iter(|| balancer.set_targets(id, &[target()]));
        });
        criterion.bench_function(
            &format!("reload with {peers} peers and 10 rules"),
            |bencher| {
                bencher.iter_batched(
                    || settings.clone(),
                    |settings| balancer.reload(&settings, now).unwrap(),
                    BatchSize::LargeInput,
                );
            },
        );
    }
}

criterion_group!(benches, choose, known_conference, new_conference, board);
criterion_main!(benches);
