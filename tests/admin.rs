//! The doors for operators, from outside: the real program, read over HTTP as anybody would.
mod operator_world;
mod program_world;
mod shell_world;

use baton::observe::metrics;
use operator_world::{Program, promtool};
use shell_world::{Call, Udp, Wire, establish, hang_up, offer};
use std::collections::BTreeSet;
use std::time::Instant;

const NONE: &str = "";

#[test]
fn figures_are_read_and_promtool_likes_them() {
    let mut peer = Udp::new();
    let program = Program::start("figures", peer.local(), NONE);
    let mut caller = Udp::to(program.sip);
    let mut call = Call::new("counted", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    let page = program.get("/metrics");
    assert_eq!(page.status, 200);
    assert_eq!(
        page.one("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    for sample in [
        "baton_calls_live 1",
        "baton_calls_total{event=\"answered\"} 1",
        "baton_dialogs{state=\"confirmed\"} 1",
        "baton_sip_requests_total{method=\"INVITE\",transport=\"udp\",direction=\"in\"} 1",
        "baton_sip_requests_total{method=\"INVITE\",transport=\"udp\",direction=\"out\"} 1",
        "baton_sip_responses_total{method=\"INVITE\",class=\"2xx\",transport=\"udp\",direction=\"out\"} 1",
        "baton_sip_responses_total{method=\"INVITE\",class=\"1xx\",transport=\"udp\",direction=\"in\"} 1",
        "baton_call_setup_seconds_count 1",
        "baton_sip_transaction_duration_seconds_count{method=\"INVITE\"} 1",
        "baton_tls_handshakes_total{version=\"1.3\",cipher=\"aes_256_gcm\",outcome=\"completed\"} 0",
        "baton_sip_parse_errors_total{reason=\"bad_cseq\"} 0",
        "baton_peer_sessions{peer=\"peer\"} 1",
        "baton_peer_session_limit{peer=\"peer\"} 10",
        "baton_node_info{node=\"figures\"} 1",
        "baton_node_ready 1",
        "baton_worker_queue_length{worker=\"0\"} 0",
    ] {
        assert!(
            page.body.lines().any(|line| line == sample),
            "{sample}: {}",
            page.body
        );
    }
    hang_up(&mut call, &mut caller, &mut peer);
    promtool(&["check", "metrics"], &page.body);
}

#[test]
fn open_metrics_for_those_who_ask() {
    let program = Program::start("open-metrics", Udp::new().local(), NONE);
    let page = program.ask(
        "GET",
        "/metrics",
        "Accept: application/openmetrics-text\r\n",
    );
    assert!(
        page.one("content-type")
            .starts_with("application/openmetrics-text")
    );
    assert!(page.body.ends_with("# EOF\n"));
}

#[test]
fn a_node_that_serves_is_live_and_ready() {
    let program = Program::start("healthy", Udp::new().local(), NONE);
    // The first turn of a worker comes with the first wake-up, within a second.
    program.until("/readyz", |answer| {
        answer.status == 200 && answer.body == "ready\n"
    });
    let live = program.get("/livez");
    assert_eq!((live.status, live.body.as_str()), (200, "live\n"));
    let json = program.ask("GET", "/readyz", "Accept: application/json\r\n");
    assert_eq!(json.body, "{\"ready\":true,\"reasons\":[]}\n");
}

#[test]
fn a_draining_node_is_live_and_not_ready() {
    let mut peer = Udp::new();
    let mut program = Program::start("draining", peer.local(), NONE);
    let mut caller = Udp::to(program.sip);
    let mut call = Call::new("last", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    program.signal("TERM");
    program.until("/readyz", |answer| {
        answer.status == 503 && answer.body.lines().any(|reason| reason == "draining")
    });
    assert_eq!(program.get("/livez").status, 200);
    hang_up(&mut call, &mut caller, &mut peer);
    assert_eq!(program.ended().code(), Some(0));
}

#[test]
fn without_a_peer_with_room_a_node_is_not_ready() {
    let config =
        |peer| format!("[[peer]]\nname = \"full\"\nat = \"udp:{peer}\"\nsessions_max = 0\n");
    let program = Program::start_with("no-peer", &config(Udp::new().local()));
    program.until("/readyz", |answer| {
        answer.status == 503 && answer.body == "no_usable_peer\n"
    });
}

#[test]
fn other_paths_and_methods_are_refused() {
    let program = Program::start("refused", Udp::new().local(), NONE);
    assert_eq!(program.get("/").status, 404);
    assert_eq!(program.get("/metrics/").status, 404);
    let refused = program.ask("POST", "/metrics", "Content-Length: 0\r\n");
    assert_eq!((refused.status, refused.one("allow")), (405, "GET, HEAD"));
    let head = program.ask("HEAD", "/livez", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn requests_are_bounded() {
    let program = Program::start("bounded", Udp::new().local(), NONE);
    let fields: String = (0..100).map(|n| format!("X-{n}: a\r\n")).collect();
    assert_eq!(program.ask("GET", "/livez", &fields).status, 431);
    let long = format!("X: {}\r\n", "a".repeat(64 * 1024));
    assert_eq!(program.ask("GET", "/livez", &long).status, 431);
    let path = format!("/{}", "a".repeat(64 * 1024));
    let status = program.get(&path).status;
    assert!(status == 414 || status == 431, "{status}");
    assert_eq!(program.get("/livez").status, 200);
}

#[test]
fn connections_are_bounded() {
    let program = Program::start("crowded", Udp::new().local(), "connections = 4\n");
    let idle: Vec<_> = (0..4).map(|_| program.connect()).collect();
    let begun = Instant::now();
    // The fifth is closed without an answer. The four are taken in before it: one queue.
    assert!(program.try_get("/livez").is_none(), "one too many");
    drop(idle);
    program.until("/livez", |answer| answer.status == 200);
    assert!(begun.elapsed() < shell_world::PATIENCE);
}

#[test]
fn a_place_that_is_named_and_cannot_be_had_keeps_the_node_from_starting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = Program::refused("taken-door", &format!("listen = \"{address}\"\n"));
    assert!(
        text.contains(&format!("cannot listen on {address} for [admin] listen")),
        "{text}"
    );
}

#[test]
fn alerts_and_scrape_name_what_there_is() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/prometheus/");
    let alerts = include_str!("../configs/prometheus/alerts.yml");
    let names: BTreeSet<&str> = metrics::ALL.iter().map(|metric| metric.name).collect();
    let words = alerts.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named: BTreeSet<&str> = words.filter(|word| word.starts_with("baton_")).collect();
    assert!(named.len() >= 10, "{named:?}");
    for name in named {
        let bare = name.strip_suffix("_bucket").unwrap_or(name);
        assert!(names.contains(bare), "alerts.yml names {name}");
    }
    promtool(&["check", "rules", &format!("{folder}alerts.yml")], "");
    promtool(&["check", "config", &format!("{folder}scrape.yml")], "");
}

/// The loop that writes names, labels and kinds of the page against the list of all.
#[test]
fn everything_that_is_exported_is_listed_and_the_reverse() {
    let program = Program::start("listed", Udp::new().local(), NONE);
    let page = program.get("/metrics").body;
    let kinds = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let exported: BTreeSet<&str> = kinds.filter_map(|line| line.split(' ').next()).collect();
    let listed: BTreeSet<&str> = metrics::ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(exported, listed);
}
