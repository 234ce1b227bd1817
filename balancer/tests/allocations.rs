//! A decision allocates nothing: not for a call without a conference, not for one into a conference
//! that is there, on one thread and on several.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test tells the time, and fails where it cannot go on"
)]

use balancer::{AliasSettings, Balancer, PeerSettings, Request, Role, Settings, Target, Transport};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::time::Instant;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller of this function promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller of this function promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller of this function promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn balancer(now: Instant) -> Balancer {
    let target = Target {
        transport: Transport::Udp,
        remote: SocketAddr::from(([127, 0, 0, 1], 5060)),
    };
    let alias = |name: &str, pattern: &str, conference: Option<&str>| AliasSettings {
        name: name.into(),
        pattern: pattern.into(),
        priority: 1,
        conference: conference.map(str::to_owned),
        role: Role::Participant,
        fallback: false,
        may_create: true,
        participants_max: None,
        pools: Vec::new(),
        tags: Vec::new(),
        zones: Vec::new(),
    };
    let settings = Settings {
        peers: (0..64)
            .map(|number| PeerSettings::new(format!("p{number}"), target, 1_000_000))
            .collect(),
        aliases: vec![
            alias("plain", r"7\d+@example\.com", None),
            alias(
                "meet",
                r"(?:meet|guest)\.(.+)@example\.com",
                Some(r"room-\1"),
            ),
        ],
        ..Settings::default()
    };
    Balancer::new(&settings, 1, now).unwrap()
}

/// How many allocations so many decisions make on this thread, after some that warm it up.
fn allocations(balancer: &Balancer, request: &Request<'_>, decisions: u32) -> u64 {
    let decide = |times| {
        for _ in 0..times {
            let mut placement = balancer.place(request).unwrap();
            let _here = placement.permit.confirm();
        }
    };
    decide(100);
    let before = ALLOCATIONS.with(Cell::get);
    decide(decisions);
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn a_decision_allocates_nothing() {
    let now = Instant::now();
    let balancer = balancer(now);
    let request = |alias| Request {
        alias,
        zone: "edge",
        tried: &[],
        is_audio_only: false,
        now,
    };
    let (plain, meet) = (
        request(b"7123@example.com"),
        request(b"MEET.Sales@example.com"),
    );
    let first = balancer.place(&meet).unwrap();
    assert_eq!(first.permit.conference().as_deref(), Some("room-sales"));
    assert_eq!(allocations(&balancer, &plain, 1_000), 0);
    assert_eq!(allocations(&balancer, &meet, 1_000), 0);
    let start = Barrier::new(3);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                start.wait();
                let counted = [&plain, &meet].map(|one| allocations(&balancer, one, 20_000));
                // What each of several threads needs for itself is made when they first meet.
                assert!(counted.iter().all(|count| *count < 500), "{counted:?}");
            });
        }
    });
    drop(first);
}
