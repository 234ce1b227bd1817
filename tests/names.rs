//! Names, with a name server that nobody here wrote (dnsmasq).
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;

use interop::installed;
use interop::nameserver::NameServer;
use interop::stage::Stage;
use std::fmt::Write;
use std::fs;

/// The usual domain, in the words of dnsmasq: name, target, port, priority, weight.
const RECORDS: &str = "\
naptr-record=example.test,10,50,s,SIP+D2T,,_sip._tcp.example.test
naptr-record=example.test,20,50,s,SIP+D2U,,_sip._udp.example.test
srv-host=_sip._tcp.example.test,a.example.test,5070,10,5
srv-host=_sip._tcp.example.test,b.example.test,5071,20,5
srv-host=_sip._udp.example.test,b.example.test,5080,10,5
host-record=a.example.test,127.0.0.11,::1
host-record=b.example.test,127.0.0.12
cname=www.example.test,a.example.test
";

#[test]
fn a_name_is_followed_to_its_targets() {
    let Some(stage) = stage("chain") else { return };
    let server = NameServer::start(&stage, RECORDS);
    let answer = check(&stage, &server, "example.test", "table");
    assert_eq!(answer.code, 0, "{answer:?}");
    let server = server.address();
    assert_eq!(
        answer.out,
        format!(
            "sip:example.test, asked of: {server}\n\
             no listener speaks tls: it is not asked for\n\
             NAPTR example.test?\n\
             \x20   1 NAPTR 10 50 \"s\" \"SIP+D2T\" \"\" _sip._tcp.example.test\n\
             \x20   1 NAPTR 20 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.example.test\n\
             [4.1] NAPTR: tcp by SRV _sip._tcp.example.test\n\
             SRV _sip._tcp.example.test?\n\
             \x20   1 SRV 10 5 5070 a.example.test\n\
             \x20   1 SRV 20 5 5071 b.example.test\n\
             A a.example.test?\n\
             \x20   1 A 127.0.0.11\n\
             A b.example.test?\n\
             \x20   1 A 127.0.0.12\n\
             targets, in the order in which they are tried:\n\
             \x20  1. tcp:127.0.0.11:5070  a.example.test  priority 10\n\
             \x20  2. tcp:127.0.0.12:5071  b.example.test  priority 20\n\
             this holds for 4 s\n"
        )
        .replace("\x20", " ")
    );
}

#[test]
fn programs_read_it_too() {
    let Some(stage) = stage("json") else { return };
    let server = NameServer::start(&stage, RECORDS);
    let answer = check(&stage, &server, "udp:www.example.test:5090", "json");
    assert_eq!(answer.code, 0, "{answer:?}");
    for part in [
        "{\"name\":\"udp:www.example.test:5090\",\"servers\":[\"127.0.0.1:",
        "{\"question\":\"A www.example.test\",\"answer\":[\"1 CNAME a.example.test\",\"1 A 127.0.0.11\"]}",
        "\"targets\":[{\"transport\":\"udp\",\"address\":\"127.0.0.11:5090\",\"host\":\"www.example.test\",\"priority\":null}],\"reason\":null",
    ] {
        assert!(answer.out.contains(part), "{part}: {answer:?}");
    }
}

#[test]
fn what_does_not_exist_and_who_does_not_answer() {
    let Some(stage) = stage("nothing") else {
        return;
    };
    let mut server = NameServer::start(&stage, RECORDS);
    for (name, why) in [
        (
            "tcp:gone.example.test:5060",
            "no target: the name does not exist",
        ),
        (
            "sip:gone.example.test",
            "no target: the name does not exist",
        ),
        (
            "sips:example.test",
            "no target: no listener speaks what the name offers",
        ),
    ] {
        let answer = check(&stage, &server, name, "table");
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(answer.out.contains(why), "{answer:?}");
    }
    server.stop();
    let answer = check(&stage, &server, "sip:example.test", "table");
    assert_eq!(answer.code, 1, "{answer:?}");
    let why = "no target: the name service does not answer";
    assert!(answer.out.contains(why), "{answer:?}");
}

/// What does not fit a datagram comes over TCP (RFC 7766).
#[test]
fn an_answer_that_does_not_fit_a_datagram() {
    let Some(stage) = stage("large") else { return };
    let mut records = String::new();
    for host in 0..60 {
        let name = format!("a-host-with-a-long-name-{host}.example.test");
        writeln!(
            records,
            "srv-host=_sip._udp.large.test,{name},5060,{host},1"
        )
        .unwrap();
        writeln!(records, "host-record={name},127.0.1.{host}").unwrap();
    }
    let server = NameServer::start(&stage, &records);
    let answer = check(&stage, &server, "udp:large.test", "table");
    assert_eq!(answer.code, 0, "{answer:?}");
    let targets = answer.out.matches("  priority ").count();
    assert_eq!(targets, 60, "{answer:?}");
}

#[test]
fn a_wrong_name_is_a_wrong_command_line() {
    let Some(stage) = stage("wrong") else { return };
    let server = NameServer::down(&stage);
    for (name, why) in [
        ("udp:192.0.2.1:5060", "is an address"),
        ("sip:a..b", "is no host name"),
        ("smtp:example.test", "unknown transport `smtp`"),
    ] {
        let answer = check(&stage, &server, name, "table");
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(answer.err.contains(why), "{answer:?}");
    }
}

#[test]
fn names_of_peers_are_looked_up_by_check() {
    let Some(stage) = stage("lint") else { return };
    let server = NameServer::start(
        &stage,
        &format!(
            "{RECORDS}host-record=two.example.test,127.0.0.13\nhost-record=two.example.test,127.0.0.14"
        ),
    );
    let file = stage.file("lint.toml");
    let peer = |name: &str, at: &str| {
        format!("[[peer]]\nname = \"{name}\"\nat = \"{at}\"\nsessions_max = 1\n")
    };
    let text = |peers: &str| {
        let server = server.address();
        format!(
            "[sip]\nlisten = [\"udp:127.0.0.1:5060\", \"tcp:127.0.0.1:5060\"]\n\
             [dns]\nservers = [\"{server}\"]\n{peers}"
        )
    };
    let check = |strict: bool| {
        let mut command = stage.command(env!("CARGO_BIN_EXE_baton"));
        command.arg("check").arg(&file);
        if strict {
            command.arg("--strict");
        }
        let output = command.output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), out)
    };
    let set = peer("set", "sip:example.test") + "lookup = \"srv\"\n";
    let peers = [
        peer("good", "udp:a.example.test:5060"),
        peer("gone", "udp:gone.example.test"),
        peer("two", "udp:two.example.test:5060"),
        set,
    ];
    fs::write(&file, text(&peers.concat())).unwrap();
    let (code, out) = check(false);
    assert_eq!(code, 0, "{out}");
    for part in [
        "warning: peer `gone` at udp:gone.example.test has no address: the name does not exist",
        "warning: peer `two`: two.example.test has 2 addresses",
        "warning: peer `set`: its hosts have several SRV priorities",
        "good: 2 listeners, 4 peers",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert_eq!(out.matches("warning").count(), 3, "{out}");
    let (code, out) = check(true);
    assert_eq!(code, 1, "{out}");
    fs::write(&file, text(&peers[0])).unwrap();
    assert_eq!(check(true).0, 0);
}

#[derive(Debug)]
struct Answer {
    code: i32,
    out: String,
    err: String,
}

/// `None`: said so.
fn stage(name: &str) -> Option<Stage> {
    installed(&["dnsmasq"]).then(|| Stage::calm(name))
}

/// `baton dns check` of a node that speaks UDP and TCP over IPv4.
fn check(stage: &Stage, server: &NameServer<'_>, name: &str, form: &str) -> Answer {
    let file = stage.file("check.toml");
    let server = server.address();
    let config = format!(
        "[sip]\nlisten = [\"udp:127.0.0.1:5060\", \"tcp:127.0.0.1:5060\"]\n\
         [dns]\nservers = [\"{server}\"]\ntimeout_ms = 1000\nattempts = 2\n\
         [[peer]]\nname = \"a\"\nat = \"udp:127.0.0.1:5180\"\nsessions_max = 1\n"
    );
    fs::write(&file, config).unwrap();
    let mut command = stage.command(env!("CARGO_BIN_EXE_baton"));
    command.args(["dns", "check", name, "--output", form, "--config"]);
    let output = command.arg(&file).output().unwrap();
    Answer {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
