//! What a whole configuration file gives, right and wrong.

use super::*;
use std::time::Duration;

const SAMPLE: &str = include_str!("../../configs/baton.toml");
const LAB_TRUNK: &str = include_str!("../../configs/lab-trunk.toml");

const UDP: &str = "\"udp:127.0.0.1:5060\"";

/// The least that a configuration needs.
const LEAST: &str = "[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n\
                     [[peer]]\nname = \"a\"\nat = \"udp:127.0.0.1:5180\"\nsessions_max = 1\n";

#[test]
fn the_sample_holds_the_defaults() {
    let config = parse(SAMPLE);
    assert_eq!(config.node, Node::default());
    assert_eq!(config.timers, Timers::default());
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.overload, Overload::default());
    assert_eq!(config.rates, Rates::default());
    assert_eq!(config.log, Log::default());
    let defaults = Dns::default();
    assert_eq!(
        config.dns,
        Dns {
            hosts: config.dns.hosts.clone(),
            ..defaults
        }
    );
    assert_eq!(config.health, HealthSettings::default());
    let least = parse(LEAST);
    assert_eq!(
        (least.node, least.timers, least.limits, least.log),
        (config.node, config.timers, config.limits, config.log)
    );
    let places = |admin: &Admin| {
        let listen = admin.listen.as_ref().map(|listen| listen.place);
        let socket = admin.socket.as_ref().map(|socket| socket.place.clone());
        (listen, socket, admin.connections)
    };
    assert_eq!(least.admin, Admin::default());
    assert_eq!(places(&least.admin), places(&config.admin));
    assert!(config.admin.listen.is_some_and(|listen| listen.is_written));
}

#[test]
fn the_sample_shows_every_key_with_a_comment() {
    for (table, keys) in TABLES {
        if table != "sip.listen" {
            let heading = if matches!(table, "alias" | "peer" | "pool" | "zone" | "dns.host") {
                &format!("[[{table}]]")
            } else {
                &format!("[{table}]")
            };
            assert!(
                SAMPLE.contains(&format!("\n{heading}\n")),
                "{heading} is not in the sample"
            );
        }
        let body = SAMPLE
            .split(&format!("[{table}]\n"))
            .nth(1)
            .unwrap_or(SAMPLE);
        for key in keys {
            let lines: Vec<&str> = body.lines().collect();
            let line = lines
                .iter()
                .position(|line| line.starts_with(&format!("{key} = ")));
            match line {
                Some(line) => {
                    assert!(
                        lines[line - 1].starts_with("# "),
                        "{table}: {key} has no comment"
                    );
                }
                None => assert!(
                    table == "sip.listen" && body.contains(&format!("{key} = "))
                        || SAMPLE.contains(&format!("[[{table}.{key}]]")),
                    "{table}: {key} is not in the sample"
                ),
            }
        }
    }
}

#[test]
fn the_laboratory_trunk() {
    let config = parse(LAB_TRUNK);
    let listen: Vec<String> = config.sip.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]);
    assert_eq!(
        config.peers,
        [Peer {
            name: "lab-bridge".to_owned(),
            at: PeerAt::Address {
                transport: PeerTransport::Same,
                address: "127.0.0.1:5180".parse().unwrap(),
            },
            sessions_max: 1_000_000,
            balancing: Balancing::default(),
            tls: PeerTls::default(),
            account: None,
        }]
    );
}

#[test]
fn values_other_than_the_defaults() {
    let config = parse(
        r#"
        node = { name = "b-2", workers = 0x02, shutdown_seconds_max = 0, gather = "off" }
        log.level = "trace"
        [timers]
        t1_ms = 100
        ring_seconds = 60
        [sip]
        listen = [{ at = "udp:0.0.0.0:0", advertise = "baton.example.com" }, "tcp:[::1]:5060"]
        [[peer]]
        name = "a"
        at = "same:[::1]:5180"
        sessions_max = 0
        [[peer]]
        name = "b"
        at = "udp:192.0.2.1:5060"
        sessions_max = 4_000_000
        "#,
    );
    assert_eq!(config.node.workers, Some(2));
    assert_eq!(config.node.shutdown_seconds_max, Duration::ZERO);
    assert_eq!(config.node.gather, Gather::Off);
    assert_eq!(config.log.level, Level::Trace);
    assert_eq!(config.timers.t1, Duration::from_millis(100));
    assert_eq!(config.timers.ring_seconds_max, Duration::from_secs(60));
    assert_eq!(
        config.sip.listen[0].advertise.as_deref(),
        Some("baton.example.com")
    );
    assert_eq!(config.peers.len(), 2);
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = r#"
[node]
name = "two words"
workers = 65
gahter = "off"
t1_ms = 5
[sip]
lisen = ["udp:127.0.0.1:5060"]
[timers]
t1_ms = "500ms"
t2_ms = 4.5
t4_ms = -1
[[peer]]
name = "a"
at = "127.0.0.1:5180"
[log]
level = "inform"
"#;
    assert_eq!(
        mistakes(text),
        [
            "3:8: `name` is \"two words\"; it takes 1 to 64 letters, digits, `.`, `-` or `_`, \
             such as `name = \"bridge-1\"`",
            "4:11: `workers` is 65; it takes a whole number from 1 to 64 or `workers = \"auto\"` \
             (one, which costs least for each call)",
            "5:1: unknown key `gahter`; did you mean `gather`?",
            "6:1: unknown key `t1_ms` here; it belongs in `[timers]`",
            "7:1: there is no listener; write `listen = [\"udp:127.0.0.1:5060\"]` under `[sip]`",
            "8:1: unknown key `lisen`; did you mean `listen`?",
            "10:9: `t1_ms` is a text; it takes a whole number from 10 to 10000, such as \
             `t1_ms = 500`",
            "11:9: `t2_ms` is a number with a decimal point; it takes a whole number from 10 to \
             60000, such as `t2_ms = 4000`",
            "12:9: `t4_ms` is -1; it takes a whole number from 10 to 60000, such as `t4_ms = 5000`",
            "13:1: `[[peer]]` needs `sessions_max`, such as `sessions_max = 100`",
            "15:6: `127.0.0.1:5180` names no transport; put `udp`, `tcp`, `tls` or `same` before it: \
             `udp:192.0.2.1:5060`",
            "17:9: `level` cannot be `inform`; did you mean `info`?",
        ]
    );
}

#[test]
fn tables_of_the_wrong_kind_or_name() {
    for (text, expected) in [
        ("node = 5", "1:8: `node` is a whole number; write `[node]`"),
        (
            "[[log]]\nlevel = \"info\"",
            "1:1: `log` is a list; write `[log]`",
        ),
        (
            "[peer]\nname = \"a\"",
            "1:1: there may be several peers; write `[[peer]]`",
        ),
        (
            "peer = \"a\"",
            "1:8: `peer` is a text; write `[[peer]]` above the keys of each peer",
        ),
        (
            "peer = [1]",
            "1:9: a peer is a whole number; write `[[peer]]` above the keys of each",
        ),
        (
            "[[peers]]",
            "1:3: unknown table `peers`; did you mean `[[peer]]`?",
        ),
        (
            "[Timer]",
            "1:2: unknown table `Timer`; did you mean `[timers]`?",
        ),
        (
            "listen = []",
            "1:1: unknown key `listen` here; it belongs in `[sip]` or `[admin]`",
        ),
        (
            "[zzz]",
            "1:2: unknown table `zzz`; there are `node`, `sip`, `timers`, `limits`, `overload`, \
             `rates`, `zone`, `tls`, `alias`, `pool`, `peer`, `health`, `log`, `admin` or `dns`",
        ),
        (
            "[log]\nzzz = 1",
            "2:1: unknown key `zzz`; `[log]` takes `level`, `calls`, `queue` or `queue_bytes`",
        ),
        (
            "[sip]\nlisten = \"udp:127.0.0.1:5060\"",
            "2:10: `listen` is a text; it takes a list: `listen = [\"udp:127.0.0.1:5060\"]`",
        ),
        (
            "[sip]\nlisten = [{ at = \"udp:127.0.0.1:5060\", adv = \"x\" }]",
            "2:40: unknown key `adv`; did you mean `advertise`?",
        ),
    ] {
        let mistakes = mistakes(text);
        assert!(
            mistakes.iter().any(|mistake| mistake == expected),
            "{text:?}: {mistakes:#?}"
        );
    }
}

#[test]
fn checks_of_listeners() {
    let peer = [peer("a", "udp:127.0.0.1:1")];
    for (text, expected) in [
        (String::new(), "1:1: there is no listener"),
        (file("", &peer), "1:7: there is no listener"),
        (
            file(&format!("{UDP}, {UDP}"), &peer),
            "1:41: `udp:127.0.0.1:5060` is listened on already",
        ),
        (
            file("\"udp:0.0.0.0:5070\"", &peer),
            "write `{ at = \"udp:0.0.0.0:5070\", advertise = \"192.0.2.1:5070\" }`",
        ),
        (
            file(
                "{ at = \"udp:127.0.0.1:1\", advertise = \"0.0.0.0\" }",
                &peer,
            ),
            "`advertise`: `0.0.0.0` is a wildcard",
        ),
        (
            file("{ advertise = \"192.0.2.1\" }", &peer),
            "an entry of `listen` needs `at`",
        ),
        (
            file("5060", &peer),
            "a listener is a whole number; it takes a text such as",
        ),
    ] {
        expect(&text, expected);
    }
}

#[test]
fn checks_of_peers() {
    for (text, expected) in [
        (String::new(), "1:1: there is no peer"),
        (file(UDP, &[]), "1:1: there is no peer"),
        (
            file(
                UDP,
                &[peer("a", "udp:127.0.0.1:1"), peer("a", "udp:127.0.0.1:2")],
            ),
            "6:1: two peers are called `a`",
        ),
        (
            file(
                UDP,
                &[peer("a", "udp:127.0.0.1:1"), peer("b", "same:127.0.0.1:1")],
            ),
            "6:1: peers `a` and `b` are both at 127.0.0.1:1",
        ),
        (
            file(UDP, &[peer("a", "tcp:127.0.0.1:1")]),
            "2:1: peer `a` is called over tcp IPv4, and there is no such listener; add \
             `\"tcp:192.0.2.1:5060\"`",
        ),
        (
            file(UDP, &[peer("a", "same:[::1]:1")]),
            "2:1: peer `a` is called over IPv6, and",
        ),
        (
            file(UDP, &[peer("a", "same:127.0.0.1:5060")]),
            "where Baton itself listens",
        ),
        (
            file(UDP, &[peer("a", "udp:127.0.0.1:0")]),
            "4:6: no call can be sent to port 0",
        ),
        (
            file(UDP, &[peer("a", "udp:0.0.0.0:5060")]),
            "no call can be sent to 0.0.0.0",
        ),
        (
            file(UDP, &[peer("", "udp:127.0.0.1:1")]),
            "3:8: `name` is \"\"",
        ),
    ] {
        expect(&text, expected);
    }
}

#[test]
fn checks_of_tls() {
    const TLS: &str = "{ at = \"tls:127.0.0.1:5061\", client_certificate = \"required\" }";
    let own = "[tls]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n";
    let peer = [peer("a", "udp:127.0.0.1:1")];
    let with = |listen: &str, tls: &str| format!("{}{tls}", file(listen, &peer));
    for (text, expected) in [
        (
            with("\"udp:127.0.0.1:5060\", \"tls:127.0.0.1:5061\"", ""),
            "`tls:127.0.0.1:5061` needs a certificate; write `certificate` and `key` under `[tls]`",
        ),
        (
            with(&format!("{UDP}, {TLS}"), own),
            "asks for certificates, and nothing says whose are believed; write `ca`",
        ),
        (
            with(
                "{ at = \"udp:127.0.0.1:1\", client_certificate = \"optional\" }",
                own,
            ),
            "`udp:127.0.0.1:1` is no TLS",
        ),
        (
            format!("{LEAST}[tls]\ncertificate = \"a.pem\"\n"),
            "7:1: `certificate` is of no use without `key`",
        ),
        (
            format!("{LEAST}[tls]\nversion_min = \"1.1\"\n"),
            "`version_min` cannot be `1.1`",
        ),
        (
            format!("{LEAST}tls_name = \"no name\"\n"),
            "`tls_name` is \"no name\"; it takes a host name or an address",
        ),
        (
            LEAST.replace("udp:127.0.0.1:5180", "tls:127.0.0.1:5180"),
            "nothing says whose certificates are believed for peer `a`",
        ),
    ] {
        expect(&text, expected);
    }
    let text = with(&format!("{UDP}, {TLS}"), &format!("{own}ca = \"ca.pem\"\n"));
    let config = parse(&text);
    assert_eq!(config.tls.ca, Some("ca.pem".into()));
    let asked = config.sip.listen[1].client_certificate;
    assert_eq!(asked, TlsClientCertificate::Required);
}

#[test]
fn checks_of_figures() {
    for (text, expected) in [
        (
            format!("{LEAST}[timers]\nt1_ms = 5000\n"),
            "8:9: `t1_ms` (5000) is longer than",
        ),
        (
            format!("{LEAST}[limits]\nconnections = 5\nconnections_per_source = 6\n"),
            "9:26: `connections_per_source` (6) is more than `connections` (5)",
        ),
        (
            format!("{LEAST}[sip]\nlisten = [\"udp:127.0.0.1:0\"]\nmin_se_seconds = 1801\n"),
            "`session_expires_seconds` (1800) is less than `min_se_seconds` (1801)",
        ),
        (
            format!("{LEAST}[limits]\nmessage_bytes = 65536\n"),
            "8:17: `message_bytes` is 65536",
        ),
        (
            format!("{LEAST}[limits]\ncalls = 99999999999999999999999999999999999999999\n"),
            "8:9: `calls` is 99999",
        ),
    ] {
        expect(&text, expected);
    }
}

#[test]
fn checks_of_the_doors_for_operators() {
    for (line, expected) in [
        (
            "listen = \"0.0.0.0:9060\"",
            "8:10: `listen` is 0.0.0.0:9060, which others reach, and nobody is asked who he is there",
        ),
        (
            "listen = \"9060\"",
            "8:10: `listen` is \"9060\"; it takes a loopback address with a port",
        ),
        (
            "socket = \"baton.sock\"",
            "8:10: `socket` is \"baton.sock\"; it takes an absolute path",
        ),
        ("connections = 0", "8:15: `connections` is 0"),
    ] {
        expect(&format!("{LEAST}[admin]\n{line}\n"), expected);
    }
    let off = parse(&format!("{LEAST}[admin]\nlisten = \"\"\nsocket = \"\"\n"));
    assert_eq!((off.admin.listen, off.admin.socket), (None, None));
    let other = parse(&format!("{LEAST}[admin]\nlisten = \"[::1]:0\"\n"));
    let listen = other.admin.listen.expect("given");
    assert!(listen.is_written && listen.place.ip().is_ipv6());
}

#[test]
fn checks_of_peers_by_name() {
    for (text, expected) in [
        (
            file(UDP, &[peer("a", "tcp:bridge.example.com")]),
            "2:1: peer `a` is called over tcp, and there is no such listener; add \
             `\"tcp:192.0.2.1:5060\"`",
        ),
        (
            file(UDP, &[peer("a", "sips:example.com")]),
            "2:1: peer `a` is called over tls, and",
        ),
        (
            file(UDP, &[peer("a", "udp:b.test"), peer("b", "udp:B.test.")]),
            "6:1: peers `a` and `b` are both at udp:b.test",
        ),
        (
            file(UDP, &[peer("a", "same:bridge.example.com:5060")]),
            "4:6: `bridge.example.com:5060` is no IP address with a port (no name is looked up",
        ),
        (
            file(UDP, &[peer("a", "tcpp:bridge.example.com")]),
            "4:6: unknown transport `tcpp`; did you mean `tcp`?",
        ),
        (
            file(UDP, &[peer("a", "udp:127.0.0.1:1") + "lookup = \"srv\"\n"]),
            "6:10: `lookup = \"srv\"` is for a name",
        ),
        (
            file(UDP, &[peer("a", "sip:example.com") + "peers_max = 31\n"]),
            "6:13: `peers_max` is 31",
        ),
    ] {
        expect(&text, expected);
    }
}

#[test]
fn peers_by_name() {
    let set = peer("set", "sip:example.com") + "lookup = \"srv\"\n";
    let large = peer("large", "udp:example.com") + "lookup = \"srv\"\npeers_max = 30\n";
    let config = parse(&file(UDP, &[peer("one", "udp:a.test:5070"), set, large]));
    let places: Vec<String> = config
        .peers
        .iter()
        .map(|peer| peer.at.to_string())
        .collect();
    assert_eq!(
        places,
        ["udp:a.test:5070", "sip:example.com", "udp:example.com"]
    );
    let most = |at: &PeerAt| match at {
        PeerAt::Set { peers_max, .. } => *peers_max,
        PeerAt::Address { .. } | PeerAt::Name(_) => 0,
    };
    let most: Vec<usize> = config.peers.iter().map(|peer| most(&peer.at)).collect();
    assert_eq!(most, [0, 15, 30]);
}

#[test]
fn names_and_whom_to_ask() {
    let text = r#"
        [dns]
        servers = ["192.0.2.53", "[2001:db8::53]:5353", "2001:db8::54"]
        prefer = "ipv4"
        ttl_seconds_max = 60
        [[dns.host]]
        name = "Bridge-1.example.com."
        addresses = ["10.0.0.1", "fd00::1"]
    "#;
    let dns = parse(&format!("{LEAST}{text}")).dns;
    let servers: Vec<String> = dns.servers.iter().map(ToString::to_string).collect();
    let expected = ["192.0.2.53:53", "[2001:db8::53]:5353", "[2001:db8::54]:53"];
    assert_eq!(servers, expected);
    assert_eq!(dns.times.ttl_max, Duration::from_secs(60));
    let hosts: Vec<String> = dns.hosts.keys().map(ToString::to_string).collect();
    assert_eq!(hosts, ["bridge-1.example.com"]);
    for (text, expected) in [
        (
            "servers = \"192.0.2.53\"",
            "`servers` is a text; it takes a list",
        ),
        (
            "servers = [\"ns.example.com\"]",
            "a name server is an address",
        ),
        ("servers = [\"0.0.0.0\"]", "a name server is an address"),
        ("attempts = 0", "`attempts` is 0"),
        (
            "ttl_seconds_min = 9\nttl_seconds_max = 8",
            "(9) is more than `ttl_seconds_max` (8)",
        ),
        ("host = 1", "write `[[dns.host]]`"),
        ("host = [1]", "a host is a whole number"),
        (
            "host = [{ name = \"a\" }]",
            "`[[dns.host]]` needs `addresses`",
        ),
        (
            "host = [{ name = \"a\", addresses = [] }]",
            "the host has no address",
        ),
        (
            "host = [{ name = \"a\", addresses = [\"b\"] }]",
            "an address of a host is written",
        ),
        (
            "host = [{ name = \"1.2.3.4\", addresses = [\"::1\"] }]",
            "`1.2.3.4` is no host name",
        ),
        (
            "host = [{ name = \"a\", addresses = [\"::1\"] }, { name = \"A.\", addresses = [\"::2\"] }]",
            "`a` has its addresses already",
        ),
    ] {
        expect(&format!("{LEAST}[dns]\n{text}\n"), expected);
    }
}

#[test]
fn port_zero_may_be_listened_on_twice() {
    let text = LEAST.replace(
        "\"udp:127.0.0.1:5060\"",
        "\"udp:127.0.0.1:0\", \"udp:127.0.0.1:0\"",
    );
    assert_eq!(parse(&text).sip.listen.len(), 2);
}

#[test]
fn broken_syntax_is_told_with_the_rest() {
    let text = "[node]\nname = \"baton\nworkers = 99\n[log]\nlevel = info\n[log]\n";
    let mistakes = mistakes(text);
    let places: Vec<&str> = mistakes
        .iter()
        .map(|m| m.split(": ").next().unwrap())
        .collect();
    assert_eq!(places, ["2:14", "3:11", "5:9", "6:2"], "{mistakes:#?}");
    assert!(mistakes[0].contains("not TOML"), "{mistakes:#?}");
    assert!(
        mistakes[2].contains("`info` has no quotes; write `\"info\"`"),
        "{mistakes:#?}"
    );
    assert!(mistakes[3].contains("duplicate key"), "{mistakes:#?}");
}

/// Thousands of files one edit or several away from the samples: never a panic, always an answer
/// whose places lie in the file.
#[test]
fn no_input_makes_it_panic() {
    let words: Vec<&str> = SAMPLE
        .split([' ', '\n'])
        .chain(["[[", "]]", "{", "\"\"\"", "é", "\0"])
        .collect();
    let mut random = Xorshift(0x00C0_FFEE);
    let mut refused = 0;
    for round in 0..3_000 {
        let mut text = [SAMPLE, LAB_TRUNK, LEAST][round % 3].to_owned();
        for _ in 0..=random.below(4) {
            let from = boundary(&text, random.below(text.len() + 1));
            let to = boundary(&text, (from + random.below(12)).min(text.len()));
            match random.below(3) {
                0 => text.replace_range(from..to, ""),
                1 => text.insert_str(from, words[random.below(words.len())]),
                _ => text.replace_range(from..to, words[random.below(words.len())]),
            }
        }
        if let Err(mistakes) = Config::parse(&text, "mutant.toml") {
            refused += 1;
            assert!(!mistakes.is_empty(), "refused without a reason: {text}");
            let lines = text.split('\n').count();
            assert!(
                mistakes.iter().all(|m| (1..=lines).contains(&m.line())),
                "{mistakes:#?}"
            );
        }
    }
    assert!(
        refused > 1_000,
        "the mutations did hardly any harm: {refused}"
    );
    for text in [
        "",
        "\u{feff}",
        "=",
        "[",
        "[[]]",
        "a.b.c.d = [[[{",
        &"[".repeat(10_000),
        "\r\r\n",
    ] {
        Config::parse(text, "odd.toml").expect_err("not a configuration");
    }
}

fn peer(name: &str, at: &str) -> String {
    format!("[[peer]]\nname = \"{name}\"\nat = \"{at}\"\nsessions_max = 1\n")
}

fn file(listen: &str, peers: &[String]) -> String {
    format!("sip = {{ listen = [{listen}] }}\n{}", peers.concat())
}

#[track_caller]
fn expect(text: &str, expected: &str) {
    let mistakes = mistakes(text);
    assert!(
        mistakes.iter().any(|mistake| mistake.contains(expected)),
        "{text}: {mistakes:#?}"
    );
}

fn parse(text: &str) -> Config {
    Config::parse(text, "sample.toml").unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

/// The mistakes of a text without the file name that begins each.
fn mistakes(text: &str) -> Vec<String> {
    let mistakes = Config::parse(text, "f.toml").expect_err("the text has mistakes");
    mistakes
        .iter()
        .map(|mistake| mistake.to_string().replacen("f.toml:", "", 1))
        .collect()
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

/// A small reproducible source of numbers.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}
