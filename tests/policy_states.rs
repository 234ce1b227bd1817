//! What a VCS is told while a node starts, while what it depends on hangs, and what others are told in JSON.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;
mod policy_world;

use interop::installed;
use policy_world::{CREDENTIALS, Node, PATIENCE, post};
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const ADMIN: &str = "POLICY_TYPE=ADMIN&DESTINATION_ALIAS=x";

fn set(node: &Node, word: &str) {
    let status = Command::new(&node.control).arg(word).status().unwrap();
    assert!(status.success(), "{word}");
}

fn status(node: &Node) -> String {
    let request =
        format!("GET /status HTTP/1.1\r\nHost: baton\r\n{CREDENTIALS}Connection: close\r\n\r\n");
    node.door.say(request.as_bytes())
}

fn decision(node: &Node) -> String {
    node.door
        .say(post(ADMIN, "Connection: close\r\n").as_bytes())
}

#[test]
fn what_hangs_is_not_waited_for() {
    let node = Node::start("policy-frozen", |config, _| config);
    set(&node, "freeze");
    let begun = Instant::now();
    let answers: Vec<_> = (0..4)
        .map(|_| {
            let door = node.door;
            thread::spawn(move || door.say(post(ADMIN, "Connection: close\r\n").as_bytes()))
        })
        .collect();
    assert!(
        status(&node).starts_with("HTTP/1.1 200"),
        "only decisions hang"
    );
    for answer in answers {
        let answer = answer.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.ends_with("not decided in time\n"), "{answer}");
    }
    assert!(begun.elapsed() >= Duration::from_secs(2));
    set(&node, "resume");
    assert!(decision(&node).starts_with("HTTP/1.1 200"));
    node.ends();
}

#[test]
fn a_node_starts_when_it_knows_where_its_peers_are() {
    // A name service that hears and says nothing.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let dns = format!(
        "\n[dns]\nservers = [\"{}\"]\ntimeout_ms = 10000\nattempts = 1\n",
        silent.local_addr().unwrap()
    );
    let node = Node::start("policy-starting", |config, _| {
        config.replace("udp:127.0.0.1:5101", "udp:bridge.example.com:5060") + &dns
    });
    let first = status(&node);
    assert!(
        first.starts_with("HTTP/1.1 503") && first.ends_with("starting\n"),
        "{first}"
    );
    assert!(decision(&node).starts_with("HTTP/1.1 503"));
    // It does not wait for ever: the others serve.
    let until = Instant::now() + PATIENCE;
    while !status(&node).starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < until, "{}", status(&node));
        thread::sleep(Duration::from_millis(100));
    }
    assert!(decision(&node).starts_with("HTTP/1.1 200"));
    node.ends();
}

/// The examples of the OpenAPI file are what the server says.
#[test]
fn json_is_spoken_as_the_openapi_file_says() {
    if !installed(&["python3"]) {
        return;
    }
    let node = Node::start("policy-openapi", |config, _| config);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("python3")
        .arg(root.join("tests/policy_world/openapi.py"))
        .arg(root.join("docs/openapi.json"))
        .arg(node.door.0.to_string())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}{complaints}");
    assert!(words.contains("6 examples"), "{words}");
    node.ends();
}
