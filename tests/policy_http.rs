//! The policy service against those who send what they should not, and against many at one time.
#![cfg(target_os = "linux")]
#![expect(
    clippy::panic,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;
mod policy_world;

use interop::certificates::Certificates;
use interop::installed;
use interop::stage::Stage;
use policy_world::{CREDENTIALS, Node, PATIENCE, post, rest};
use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ADMIN: &str = "POLICY_TYPE=ADMIN&DESTINATION_ALIAS=x";

/// The status of the first answer, and how many answers there are.
fn answers(text: &str) -> (u16, usize) {
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    let status = status.and_then(|status| status.parse().ok());
    (
        status.unwrap_or_else(|| panic!("no answer: {text:?}")),
        text.matches("HTTP/1.1 ").count(),
    )
}

#[test]
fn what_a_proxy_might_read_otherwise_is_refused_and_cut_off() {
    let node = Node::start("policy-smuggling", |config, _| config);
    let length = ADMIN.len();
    for fields in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
        format!("Content-Length: {length}\r\nContent-Length: 5\r\n"),
        format!("Content-Length : {length}\r\n"),
        format!("X: a\r\n folded\r\nContent-Length: {length}\r\n"),
        format!("X: a\nContent-Length: {length}\r\n"),
        "Transfer-Encoding: identity, chunked\r\n".to_owned(),
    ] {
        let second = post(ADMIN, "");
        let text = format!(
            "POST /policy HTTP/1.1\r\nHost: baton\r\n{CREDENTIALS}{fields}\r\n{ADMIN}{second}"
        );
        // One answer, no second request, and the connection is closed.
        assert_eq!(
            answers(&node.door.say(text.as_bytes())),
            (400, 1),
            "{fields:?}"
        );
    }
    let chunked = "Transfer-Encoding: chunked\r\n";
    let body = format!("{length:x}\r\n{ADMIN}\r\n0\r\n\r\n");
    let text = format!(
        "POST /policy HTTP/1.1\r\nHost: baton\r\n{CREDENTIALS}{chunked}\r\n{body}{}",
        post(ADMIN, "Connection: close\r\n")
    );
    assert_eq!(
        answers(&node.door.say(text.as_bytes())),
        (200, 2),
        "chunked is right"
    );
    node.ends();
}

#[test]
fn bodies_have_a_limit_and_a_time() {
    let node = Node::start("policy-bodies", |config, _| config);
    let large = format!("{ADMIN}&X={}", "x".repeat(70_000));
    assert_eq!(
        answers(&node.door.say(post(&large, "").as_bytes())),
        (413, 1)
    );
    let chunks = format!("11170\r\n{}\r\n0\r\n\r\n", "x".repeat(70_000));
    let text = format!(
        "POST /policy HTTP/1.1\r\nHost: baton\r\n{CREDENTIALS}Transfer-Encoding: chunked\r\n\r\n{chunks}"
    );
    assert_eq!(answers(&node.door.say(text.as_bytes())), (413, 1));
    let begun = Instant::now();
    let slow = format!(
        "POST /policy HTTP/1.1\r\nHost: baton\r\n{CREDENTIALS}Content-Length: 99\r\n\r\nPOLICY"
    );
    assert_eq!(answers(&node.door.say(slow.as_bytes())), (408, 1));
    assert_eq!(
        answers(&node.door.say(b"POST /policy HTTP/1.1\r\nX: ")),
        (408, 1)
    );
    assert!(
        begun.elapsed() >= Duration::from_secs(9),
        "each had its five seconds"
    );
    let bare = format!(
        "POST /policy HTTP/1.1\r\nHost: baton\r\nContent-Length: {}\r\n\r\n{ADMIN}",
        ADMIN.len()
    );
    // Who waits to be told to go on is told why not instead, and sends nothing.
    let waits = "Expect: 100-continue\r\nContent-Length: 70000\r\n\r\n";
    let waits = format!("POST /policy HTTP/1.1\r\nHost: baton\r\n{CREDENTIALS}{waits}");
    assert_eq!(answers(&node.door.say(waits.as_bytes())), (413, 1));
    let nameless = format!(
        "POST /policy HTTP/1.1\r\n{CREDENTIALS}Content-Length: {}\r\n\r\n{ADMIN}",
        ADMIN.len()
    );
    assert_eq!(answers(&node.door.say(nameless.as_bytes())), (400, 1));
    let both = format!("{bare}{}", post(ADMIN, "Connection: close\r\n"));
    // A challenge leaves the connection open for the second try.
    let text = node.door.say(both.as_bytes());
    assert_eq!(answers(&text), (401, 2), "{text}");
    assert!(
        text.contains("\r\n\r\nHTTP/1.1 200"),
        "401 has no body: {text}"
    );
    node.ends();
}

#[test]
fn many_idle_connections_are_all_still_of_use() {
    const MANY: usize = 600;
    let node = Node::start("policy-idle", |config, _| config);
    let mut streams: Vec<_> = (0..MANY).map(|_| node.door.connect()).collect();
    let request = post(ADMIN, "");
    for round in 0..2 {
        for stream in &mut streams {
            stream.write_all(request.as_bytes()).unwrap();
        }
        for stream in &mut streams {
            let mut answer = [0; 4096];
            let length = stream.read(&mut answer).unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]);
            assert!(
                answer.starts_with("HTTP/1.1 200"),
                "round {round}: {answer}"
            );
        }
    }
    node.ends();
}

#[test]
fn one_source_has_so_many_connections_and_no_more() {
    let few = |config: String, _: &Stage| {
        config.replace("[policy]\n", "[policy]\nconnections_per_source = 3\n")
    };
    let node = Node::start("policy-crowd", few);
    let mut kept: Vec<_> = (0..3).map(|_| node.door.connect()).collect();
    for stream in &mut kept {
        stream.write_all(post(ADMIN, "").as_bytes()).unwrap();
        let mut answer = [0; 4096];
        assert!(stream.read(&mut answer).unwrap() > 0);
    }
    assert_eq!(rest(&mut node.door.connect()), "", "closed without a word");
    drop(kept);
    let until = Instant::now() + PATIENCE;
    while !node
        .door
        .search("meet.a@example.com", "1")
        .starts_with("600")
    {
        assert!(Instant::now() < until, "the places are given back");
        thread::sleep(Duration::from_millis(20));
    }
    node.ends();
}

#[test]
fn first_joiners_of_one_instant_get_one_peer_each_conference() {
    const CONFERENCES: usize = 20;
    let node = Node::start("policy-joiners", |config, _| config);
    let joiners: Vec<_> = (0..4)
        .map(|joiner| {
            let door = node.door;
            thread::spawn(move || {
                let search = |conference| {
                    let serial = format!("{joiner}-{conference}");
                    door.search(&format!("meet.c{conference}@example.com"), &serial)
                };
                (0..CONFERENCES).map(search).collect::<Vec<_>>()
            })
        })
        .collect();
    let told: Vec<Vec<String>> = joiners.into_iter().map(|one| one.join().unwrap()).collect();
    for conference in 0..CONFERENCES {
        let aliases: HashSet<_> = told.iter().map(|one| &one[conference]).collect();
        assert_eq!(aliases.len(), 1, "conference {conference}: {aliases:?}");
    }
    let all: HashSet<_> = told[0].iter().collect();
    assert_eq!(all.len(), CONFERENCES, "each has an alias of its own");
    node.ends();
}

#[test]
fn a_reload_under_load_costs_nobody_an_answer() {
    let node = Node::start("policy-reload", |config, _| config);
    let is_over = Arc::new(AtomicBool::new(false));
    let (door, over) = (node.door, Arc::clone(&is_over));
    let calls = thread::spawn(move || {
        let mut count = 0;
        while !over.load(Ordering::Relaxed) {
            // Of few calls, so that the bridge has room however long this takes.
            let alias = door.search("meet.one@example.com", &format!("{}", count % 50));
            // Either rule set, and nothing between them: a place, or the new rule's refusal.
            let is_known =
                alias.starts_with("6002") || alias.contains("reason=\"Closed for today\"");
            assert!(is_known, "{alias}");
            count += 1;
        }
        count
    });
    let text = fs::read_to_string(&node.file).unwrap();
    let closed = "[[policy.rule]]\nname = \"closed\"\nfor = \"search\"\naction = \"reject\"\n\
                  reason = \"Closed for today\"\n";
    let closed = text.replacen("[[policy.rule]]", &format!("{closed}\n[[policy.rule]]"), 1);
    let socket = node.stage.file("node.sock");
    for text in [&closed, &text, &closed, &text] {
        fs::write(&node.file, text).unwrap();
        let mut reload = Command::new(env!("CARGO_BIN_EXE_baton"));
        let reload = reload
            .args(["reload", "--socket"])
            .arg(&socket)
            .output()
            .unwrap();
        assert!(
            reload.status.success(),
            "{}",
            String::from_utf8_lossy(&reload.stderr)
        );
    }
    is_over.store(true, Ordering::Relaxed);
    assert!(calls.join().unwrap() > 0);
    node.ends();
}

/// curl, which nobody here wrote, over TLS, HTTP/2 and HTTP/1.1, and by way of a redirect.
#[test]
fn https_is_spoken_and_http_sends_there() {
    if !installed(&["curl"]) {
        return;
    }
    let redirect = "{ at = \"http:127.0.0.1:0\", redirect = \"https://baton.example.com:8443\" }";
    let listen = format!("listen = [{redirect}, \"https:127.0.0.1:0\"]");
    let mut node = Node::start("policy-tls", |config, stage| {
        let config = config.replace("listen = [\"http:127.0.0.1:0\"]", &listen);
        config + "\n" + &Certificates::new(stage).of_a_node()
    });
    let line = node
        .process
        .wait_for("policy service on https://", PATIENCE);
    let (_, secure) = line.split_once("policy service on ").unwrap();
    let authority = node.stage.file("authority.pem");
    let curl = |what: &str, url: &str, told: &str| {
        let mut curl = Command::new("curl");
        curl.args([
            "-s",
            "-u",
            "vcs:s3cret-Pa55",
            "--data",
            ADMIN,
            what,
            "-w",
            told,
        ]);
        let output = curl
            .arg("--cacert")
            .arg(&authority)
            .arg(url)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for (version, wanted) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let told = curl(
            version,
            &format!("{secure}/policy"),
            " %{http_code} %{http_version}",
        );
        let wanted = format!("<proxy/></taa:routed></cpl> 200 {wanted}");
        assert!(told.ends_with(&wanted), "{version}: {told}");
    }
    let told = curl(
        "--http1.1",
        &format!("http://{}/policy", node.door.0),
        "%{http_code} %{redirect_url}",
    );
    assert_eq!(told, "308 https://baton.example.com:8443/policy");
    // A client that says nothing does not stay.
    let port = secure.rsplit(':').next().unwrap();
    let mut silent = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(rest(&mut silent), "");
    node.ends();
}
