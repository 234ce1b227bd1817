//! What a policy request costs without HTTP: the form in, the CPL out.
//!
//! `cargo bench -p bench --bench policy`
#![expect(clippy::unwrap_used, reason = "a bench must stop if it cannot run")]

use balancer::{
    AliasSettings, Balancer, BridgeAlias, PeerSettings, Role, Settings, Target, Transport,
};
use criterion::{Criterion, criterion_group, criterion_main};
use policy::Service;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// As a VCS sends it: 520 octets.
const BODY: &str = "ALLOW_INTERWORKING=TRUE&AUTHENTICATED=TRUE&AUTHENTICATED_SOURCE_ALIAS=bob%40example.com\
    &AUTHENTICATION_USER_NAME=bob&CLUSTER_NAME=vcs_cluster&DESTINATION_ALIAS=meet.sales%40example.com\
    &GLOBAL_CALL_SERIAL_NUMBER=094f761c-b21c-11e0-91a2-000c29e127de\
    &LOCAL_CALL_SERIAL_NUMBER=094f754a-b21c-11e0-91a2-000c29e127de\
    &METHOD=INVITE&NETWORK_TYPE=IPV4&POLICY_TYPE=SEARCH&PROTOCOL=SIP&SOURCE_ADDRESS=192.0.2.10\
    &SOURCE_IP=192.0.2.10&SOURCE_PORT=5061&TRAVERSAL_TYPE=TYPE_UNDEF\
    &UTCTIME=2026-01-01%2000%3A00%3A00&ZONE_NAME=DefaultSubZone";

fn balancer(now: Instant) -> Balancer {
    let peer = |number: u16| {
        let target = Target {
            transport: Transport::Udp,
            remote: SocketAddr::from(([127, 0, 0, 1], 5100 + number)),
        };
        let alias = format!("600{number}{{number}}@bridges.example.com");
        PeerSettings {
            alias: Some(BridgeAlias::new(&alias).unwrap()),
            ..PeerSettings::new(format!("b{number}"), target, 1_000_000)
        }
    };
    let alias = AliasSettings {
        name: "meet".to_owned(),
        pattern: r"meet\.(.+)@example\.com".to_owned(),
        priority: 1,
        conference: Some(r"\1".to_owned()),
        role: Role::Participant,
        fallback: false,
        may_create: true,
        participants_max: None,
        pools: Vec::new(),
        tags: Vec::new(),
        zones: Vec::new(),
    };
    let settings = Settings {
        peers: (1..=6).map(peer).collect(),
        aliases: vec![alias],
        ..Settings::default()
    };
    Balancer::new(&settings, 7, now).unwrap()
}

fn decisions(criterion: &mut Criterion) {
    let now = Instant::now();
    let service = Service::new(policy::Settings::default()).unwrap();
    let balancer = balancer(now);
    let mut group = criterion.benchmark_group("policy");
    let mut out = Vec::with_capacity(512);
    let mut decide = |body: &[u8], now: Instant| {
        out.clear();
        let request = service.read(body).unwrap();
        black_box(service.decide(now, &balancer, &request, &mut out));
        black_box(&out);
    };
    group.bench_function("read", |bencher| {
        bencher.iter(|| service.read(black_box(BODY.as_bytes())).unwrap());
    });
    group.bench_function("again", |bencher| {
        bencher.iter(|| decide(black_box(BODY.as_bytes()), now));
    });
    // Each with a serial of its own, into one conference; what they hold is given back now and then.
    let (mut count, mut later) = (0u32, now);
    let mut body = BODY.as_bytes().to_vec();
    let at = BODY.find("094f761c").unwrap();
    group.bench_function("new call", |bencher| {
        bencher.iter(|| {
            count += 1;
            let serial = format!("{count:08x}");
            let place = body.iter_mut().skip(at);
            place
                .zip(serial.bytes())
                .for_each(|(place, digit)| *place = digit);
            if count.is_multiple_of(1_000) {
                later += Duration::from_secs(60);
                balancer.handle_timeout(later);
            }
            decide(black_box(&body), later);
        });
    });
    let missed = BODY.replace("meet.sales", "nobody");
    group.bench_function("missed", |bencher| {
        bencher.iter(|| decide(black_box(missed.as_bytes()), now));
    });
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
