//! The operator's commands, from outside: the real program asks the real program over its socket.

mod operator_world;
mod program_world;
mod shell_world;
mod tls_world;

use operator_world::{Program, Said, command};
use shell_world::{Call, Udp, Wire, establish, hang_up, offer};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use tls_world::Authority;

const NONE: &str = "";

#[test]
fn the_status_of_a_node_that_is_well() {
    let program = Program::start("status", Udp::new().local(), NONE);
    program.until("/readyz", |answer| answer.status == 200);
    let said = program.command(&["status"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    for line in [
        "node        status",
        "state       serving",
        "peers       1 of 1 active",
    ] {
        assert!(
            said.out.lines().any(|is| is == line),
            "{line}: {}",
            said.out
        );
    }
    let said = program.command(&["status", "--output", "json"]);
    assert!(
        said.out.contains("\"condition\":\"good\",\"reasons\":[]"),
        "{said:?}"
    );
    let said = program.command(&["status", "--nagios"]);
    let expected = "BATON OK - serving | calls=0 peers_active=1 peers=1\n";
    assert_eq!((said.code, said.out.as_str()), (0, expected));
}

#[test]
fn nobody_at_home_is_exit_3_and_says_what_to_do() {
    let nowhere = Path::new("/nonexistent/baton.sock");
    for arguments in [
        &["status"][..],
        &["peers"],
        &["drain", "--wait"],
        &["reload"],
    ] {
        let said = command(nowhere, arguments);
        assert_eq!((said.code, said.out.as_str()), (3, ""), "{said:?}");
        assert!(said.err.contains("is `baton run` running"), "{said:?}");
    }
    let said = command(nowhere, &["status", "--nagios"]);
    assert_eq!(said.code, 2, "critical: {said:?}");
    assert!(said.out.starts_with("BATON CRITICAL"), "{said:?}");
}

#[test]
fn peers_are_listed_and_taken_out_and_put_back() {
    let mut peer = Udp::new();
    let program = Program::start("peers", peer.local(), NONE);
    let mut caller = Udp::to(program.sip);
    let mut call = Call::new("first", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    let said = program.command(&["peers"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(
        lines[0].starts_with("NAME  POOL     STATE   OPERATOR  USED"),
        "{said:?}"
    );
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(words[..5], ["peer", "default", "Active", "ready", "1"]);
    assert_eq!(words[6], "10");

    let said = program.command(&["peer", "drain", "peer"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, "peer: drain, 1 sessions in use\n")
    );
    let said = program.command(&["peer", "drain", "peer", "--wait", "--timeout", "0"]);
    assert_eq!(said.code, 1, "a call is left: {said:?}");
    let mut late = Call::new("late", &caller);
    offer(&mut late, &mut caller);
    let refusal = caller.receive();
    assert!(
        refusal.start().starts_with("SIP/2.0 4") || refusal.start().contains(" 504 "),
        "{refusal:?}"
    );
    let ready = program.get("/readyz");
    assert_eq!(
        (ready.status, ready.body.as_str()),
        (503, "no_usable_peer\n")
    );

    hang_up(&mut call, &mut caller, &mut peer);
    let said = program.command(&["peer", "maint", "peer", "--wait"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, "peer: maint, 0 sessions in use\n")
    );
    assert_eq!(program.command(&["status"]).code, 5, "no peer is usable");
    assert_eq!(program.command(&["peer", "ready", "peer"]).code, 0);
    assert_eq!(program.command(&["status"]).code, 0);
    let mut next = Call::new("next", &caller);
    offer(&mut next, &mut caller);
    establish(&mut next, &mut caller, &mut peer);
}

#[test]
fn what_a_peer_says_of_itself_is_reported_and_counts() {
    let mut peer = Udp::new();
    let program = Program::start("report", peer.local(), NONE);
    let mut caller = Udp::to(program.sip);
    let said = program.command(&["peer", "report", "peer", "--in-use", "4"]);
    assert_eq!((said.code, said.out.as_str()), (0, "peer: drift 4\n"));
    let said = program.command(&["peers", "--output", "json"]);
    assert!(said.out.contains("\"source\":\"api\""), "{said:?}");
    assert!(said.out.contains("\"drift\":4"), "{said:?}");

    // X-07: no room, so that no call goes there though it answers.
    let figures = ["--in-use", "0", "--sessions-max", "0"];
    let said = program.command(&[&["peer", "report", "peer"], &figures[..]].concat());
    assert_eq!((said.code, said.out.as_str()), (0, "peer: drift 0\n"));
    let mut full = Call::new("full", &caller);
    offer(&mut full, &mut caller);
    assert!(caller.receive().start().starts_with("SIP/2.0 480"));
    let said = program.command(&["peer", "report", "peer", "--sessions-max", "10"]);
    assert_eq!(said.code, 0, "{said:?}");
    let mut call = Call::new("call", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);

    assert_eq!(program.command(&["peer", "report", "peer"]).code, 2);
    let said = program.command(&["peer", "report", "pear", "--in-use", "1"]);
    assert_eq!(said.code, 4, "{said:?}");
}

#[test]
fn calls_are_listed_and_narrowed_down() {
    let mut peer = Udp::new();
    let program = Program::start("calls", peer.local(), NONE);
    let mut caller = Udp::to(program.sip);
    let mut call = Call::new("talks@here", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    let mut second = Call::new("rings@here", &caller);
    offer(&mut second, &mut caller);
    let invite = peer.expect("INVITE ");
    peer.send(&invite.answer("180 Ringing", peer.local(), peer.transport()));
    caller.expect("180 ");

    let said = program.command(&["calls"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.out.lines().count(), 3, "{said:?}");
    let line = said.out.lines().nth(1).unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    let (from, to) = ("sip:caller@example.com", "sip:meet.room@example.com");
    assert_eq!(words[2..7], [from, to, "peer", "-", "talks@here"], "{line}");
    for (arguments, id) in [
        (["--state", "ringing"], "rings@here"),
        (["--state", "established"], "talks@here"),
        (["--party", "talks"], "talks@here"),
    ] {
        let said = program.command(&[&["calls"], &arguments[..]].concat());
        assert_eq!(said.out.lines().count(), 2, "{arguments:?}: {said:?}");
        assert!(said.out.contains(id), "{arguments:?}: {said:?}");
    }
    let none = program.command(&["calls", "--peer", "nobody", "--output", "json"]);
    assert_eq!(none.out, "{\"calls\":[],\"is_cut\":false}\n");
    let cut = program.command(&["calls", "--limit", "1"]);
    assert!(
        cut.out
            .ends_with("more than 1; narrow it down or take `--limit`\n"),
        "{cut:?}"
    );
    let all = program.command(&["calls", "--peer", "peer", "--output", "json"]);
    assert!(
        all.out
            .contains("\"call_id\":\"rings@here\",\"peer_call_id\":null"),
        "{all:?}"
    );
}

#[test]
fn a_call_is_ended_on_both_sides() {
    let mut peer = Udp::new();
    let program = Program::start("hangup", peer.local(), NONE);
    let mut caller = Udp::to(program.sip);
    let mut call = Call::new("too-long", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    let said = program.command(&["call", "hangup", "too-longer"]);
    assert_eq!(said.code, 4);
    assert!(said.err.contains("`baton calls` lists them"), "{said:?}");
    let said = program.command(&["call", "hangup", "too-long"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, "the call is ended\n"),
        "{said:?}"
    );
    for side in [&mut caller, &mut peer] {
        let bye = side.expect("BYE ");
        side.send(&bye.answer("200 OK", side.local(), side.transport()));
    }
    let calls = |said: &Said| said.out.lines().count();
    let listed = program.command(&["calls", "--state", "established"]);
    assert_eq!(calls(&listed), 1, "the heading: {listed:?}");
}

#[test]
fn what_is_to_last_holds_after_a_restart() {
    let peer = Udp::new();
    let program = Program::start("persist", peer.local(), NONE);
    let said = program.command(&["peer", "maint", "peer", "--persist"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("[node] state_file"), "{said:?}");
    drop(program);
    let file = program_world::file("persist", "state");
    drop(std::fs::remove_file(&file));
    let config = || {
        format!(
            "[[peer]]\nname = \"peer\"\nat = \"udp:{}\"\nsessions_max = 10\n",
            peer.local()
        )
    };
    let node = format!("state_file = \"{}\"\n", file.display());
    let start = || Program::start_node("persist", &node, &config());
    for (wish, persist, after) in [
        ("maint", Some("--persist"), "maint"),
        ("drain", None, "maint"),
        ("ready", Some("--persist"), "ready"),
    ] {
        let program = start();
        let mut arguments = vec!["peer", wish, "peer"];
        arguments.extend(persist);
        let said = program.command(&arguments);
        assert_eq!(said.code, 0, "{said:?}");
        drop(program);
        let program = start();
        let said = program.command(&["peers", "--output", "json"]);
        let expected = format!("\"operator\":\"{after}\"");
        assert!(said.out.contains(&expected), "{wish}: {said:?}");
    }
}

#[test]
fn an_unknown_peer_is_exit_4_with_a_hint() {
    let program = Program::start("unknown", Udp::new().local(), NONE);
    let said = program.command(&["peer", "drain", "pear"]);
    assert_eq!((said.code, said.out.as_str()), (4, ""));
    assert_eq!(
        said.err,
        "baton: there is no peer `pear`; did you mean `peer`?\n"
    );
    let said = program.command(&["peer", "ready", "a/b ?", "--output", "json"]);
    assert_eq!(said.code, 4);
    let start = r#"{"error":"no_such_peer","message":"there is no peer `a/b ?`; "#;
    assert!(said.err.starts_with(start), "{said:?}");
}

#[test]
fn commands_do_not_come_through_the_open_door() {
    let program = Program::start("open-door", Udp::new().local(), NONE);
    for (method, path) in [("GET", "/api/v1/status"), ("POST", "/api/v1/config/reload")] {
        let refused = program.ask(method, path, "Content-Length: 0\r\n");
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.body.contains("the local socket"), "{refused:?}");
    }
}

#[test]
fn where_a_call_would_go_is_explained() {
    let program = Program::start("explain", Udp::new().local(), NONE);
    let said = program.command(&["explain", "--alias", "meet&greet@example.com"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("alias       meet&greet@example.com"),
        "{said:?}"
    );
    assert!(said.out.contains("decision    peer\n"), "{said:?}");
    let said = program.command(&["explain", "--alias", "a", "--output", "json"]);
    assert!(
        said.out.contains("\"peer\":\"peer\",\"refusal\":null"),
        "{said:?}"
    );
    let said = program.command(&["explain", "--alias", "a", "--from", "here"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("`here` is no IP address"), "{said:?}");
}

/// TRUNK.md section 11: OPTIONS and new INVITEs get 503, what runs goes on.
#[test]
fn a_drained_node_serves_what_runs_and_comes_back() {
    let mut peer = Udp::new();
    let program = Program::start("maintenance", peer.local(), NONE);
    let mut caller = Udp::to(program.sip);
    let mut call = Call::new("runs", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    let said = program.command(&["drain"]);
    assert_eq!(said.out, "maintenance: maintenance, 1 calls live\n");
    let refusal = refused(&mut caller, "late");
    let after: u32 = refusal.one("Retry-After").parse().unwrap();
    assert!((1..=120).contains(&after), "{after}");
    let mut probe = Call::new("probe", &caller);
    let options = probe.request("OPTIONS");
    caller.send(&options);
    assert!(caller.receive().start().contains(" 503 "));
    let ready = program.get("/readyz");
    assert_eq!((ready.status, ready.body.as_str()), (503, "draining\n"));
    assert_eq!(program.command(&["status", "--nagios"]).code, 1);
    let said = program.command(&["drain", "--wait", "--timeout", "0"]);
    assert_eq!(said.code, 1, "a call is left: {said:?}");

    hang_up(&mut call, &mut caller, &mut peer);
    let said = program.command(&["drain", "--wait"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, "maintenance: maintenance, 0 calls live\n")
    );
    assert_eq!(
        program.command(&["undrain"]).out,
        "maintenance: serving, 0 calls live\n"
    );
    let mut next = Call::new("next", &caller);
    offer(&mut next, &mut caller);
    establish(&mut next, &mut caller, &mut peer);
}

#[test]
fn an_operator_may_end_the_node() {
    let mut program = Program::start("leave", Udp::new().local(), NONE);
    assert_eq!(program.command(&["drain", "--exit"]).code, 0);
    assert_eq!(program.ended().code(), Some(0));
    assert!(!program.socket.exists(), "its socket goes with it");
}

#[test]
fn a_reload_takes_all_of_it_over_and_keeps_calls() {
    let (mut peer, other) = (Udp::new(), Udp::new());
    let program = Program::start("reload", peer.local(), NONE);
    let mut caller = Udp::to(program.sip);
    let mut call = Call::new("kept", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    let more = format!(
        "[[peer]]\nname = \"other\"\nat = \"udp:{}\"\nsessions_max = 5\n[log]\nlevel = \"warn\"\n",
        other.local()
    );
    program.rewrite(|text| text.to_owned() + &more);
    let said = program.command(&["reload"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, "the configuration was taken over\n")
    );
    let said = program.command(&["peers"]);
    let used: Vec<Vec<&str>> = said.out.lines().skip(1).map(name_used_limit).collect();
    assert_eq!(used, [["peer", "1", "10"], ["other", "0", "5"]]);
    let page = program.get("/metrics").body;
    assert!(page.contains("baton_config_reloads_total{outcome=\"success\"} 1\n"));
    assert!(
        page.contains("baton_calls_total{event=\"answered\"} 1\n"),
        "{page}"
    );
    hang_up(&mut call, &mut caller, &mut peer);
}

#[test]
fn a_reload_is_done_to_its_end_though_who_asked_has_gone() {
    let (peer, other) = (Udp::new(), Udp::new());
    let program = Program::start("reload-left", peer.local(), NONE);
    let more = format!(
        "[[peer]]\nname = \"other\"\nat = \"udp:{}\"\nsessions_max = 5\n",
        other.local()
    );
    program.rewrite(|text| text.to_owned() + &more);
    let mut operator = UnixStream::connect(&program.socket).unwrap();
    let request = "POST /api/v1/config/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    operator.write_all(request.as_bytes()).unwrap();
    drop(operator);
    let done = "baton_config_reloads_total{outcome=\"success\"} 1";
    program.until("/metrics", |page| {
        page.body.lines().any(|line| line == done)
    });
    let said = program.command(&["peers"]);
    assert!(said.out.contains("\nother "), "{said:?}");
}

#[test]
fn a_reload_that_fails_changes_nothing_and_says_why() {
    let program = Program::start("reload-fails", Udp::new().local(), NONE);
    let before = program.command(&["peers"]).out;
    program.rewrite(|text| text.replace("sessions_max = 10", "sesions_max = 10"));
    let said = program.command(&["reload"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("unknown key `sesions_max`; did you mean"),
        "{said:?}"
    );
    let listens = "listen = [\"udp:127.0.0.1:0\", \"tcp:127.0.0.1:0\"]";
    program.rewrite(|text| {
        let text = text.replace("sesions_max = 10", "sessions_max = 20");
        text.replacen("listen = [\"udp:127.0.0.1:0\"]", listens, 1)
    });
    let said = program.command(&["reload"]);
    assert_eq!(said.code, 1);
    let why = "[sip] listen cannot change while the node runs";
    assert!(said.err.contains(why), "{said:?}");
    assert_eq!(program.command(&["peers"]).out, before);
    let page = program.get("/metrics").body;
    assert!(
        page.contains("baton_config_last_reload_success 0\n"),
        "{page}"
    );
    let said = program.command(&["status"]);
    assert_eq!(said.code, 5);
    assert!(
        said.out.contains("the last reload failed: [sip] listen"),
        "{said:?}"
    );

    program.rewrite(|text| text.replacen(listens, "listen = [\"udp:127.0.0.1:0\"]", 1));
    assert_eq!(program.command(&["reload"]).code, 0);
    assert!(program.command(&["peers"]).out.contains(" 20 "));
    assert_eq!(program.command(&["status"]).code, 0);
}

#[test]
fn what_the_operator_wants_survives_a_reload() {
    let program = Program::start("reload-keeps", Udp::new().local(), NONE);
    assert_eq!(program.command(&["peer", "drain", "peer"]).code, 0);
    assert_eq!(program.command(&["reload"]).code, 0);
    assert!(program.command(&["peers"]).out.contains(" drain "));
}

#[test]
fn a_reload_reads_certificates_anew_or_changes_nothing() {
    let authority = Authority::new("operate");
    let (certificate, key) = authority.issue("node", &["127.0.0.1"]);
    let end = format!(
        "[[peer]]\nname = \"peer\"\nat = \"udp:{}\"\nsessions_max = 10\n\
         [tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n",
        Udp::new().local()
    );
    let program = Program::start_with("reload-tls", &end);
    authority.issue("node", &["127.0.0.1"]);
    assert_eq!(program.command(&["reload"]).code, 0);
    std::fs::write(&certificate, "no certificate").expect("a writable folder");
    program.rewrite(|text| text.replace("sessions_max = 10", "sessions_max = 7"));
    let said = program.command(&["reload"]);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.contains("no certificate in "), "{said:?}");
    let peers = program.command(&["peers"]).out;
    assert!(peers.contains("10"), "all or nothing: {peers}");
}

#[test]
fn signals_reload_and_write_counters() {
    let program = Program::start("signals", Udp::new().local(), NONE);
    program.signal("HUP");
    program.line_with("the configuration was taken over");
    program.signal("USR1");
    program.line_with("counter=\"calls_begun\" value=0");
    program.rewrite(|text| text.replace("sessions_max", "session"));
    program.signal("HUP");
    program.line_with("the configuration stays as it was");
}

#[test]
fn a_command_of_old_hands_is_suggested() {
    let said: Said = command(Path::new("/nonexistent"), &["peer", "dran", "a"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("'drain'"), "{said:?}");
}

fn refused(caller: &mut Udp, id: &str) -> shell_world::Message {
    let mut late = Call::new(id, caller);
    let invite = late.invite();
    caller.send(&invite);
    let refusal = caller.expect(" 503 ");
    late.answered_with(&refusal);
    let ack = late.request("ACK");
    caller.send(&ack);
    refusal
}

fn name_used_limit(line: &str) -> Vec<&str> {
    let words = line.split_whitespace().enumerate();
    let wanted = words.filter(|(position, _)| [0, 4, 6].contains(position));
    wanted.map(|(_, word)| word).collect()
}
