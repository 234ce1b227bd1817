//! What a whole configuration file gives, right and wrong.

mod checks;

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
    let mut policy = config.policy;
    assert_eq!(policy.service.rules.len(), 1, "the sample shows one");
    policy.service.rules.clear();
    assert_eq!(policy, least.policy);
    assert_eq!(least.bandwidth, None);
    let shown = config.bandwidth.expect("the sample shows some");
    let defaults = BandwidthSettings::default();
    assert_eq!(
        BandwidthSettings {
            subzones: Vec::new(),
            zones: Vec::new(),
            pipes: Vec::new(),
            links: Vec::new(),
            rules: Vec::new(),
            ..shown
        },
        defaults
    );
    assert_eq!(least.admin, Admin::default());
    assert_eq!(places(&least.admin), places(&config.admin));
    assert!(config.admin.listen.is_some_and(|listen| listen.is_written));
}

#[test]
fn the_sample_shows_every_key_with_a_comment() {
    for (table, keys) in TABLES {
        let is_inline = matches!(table, "sip.listen" | "policy.listen");
        if !is_inline {
            let heading = if matches!(
                table,
                "alias"
                    | "peer"
                    | "pool"
                    | "zone"
                    | "dns.host"
                    | "policy.rule"
                    | "bandwidth.subzone"
                    | "bandwidth.pipe"
                    | "bandwidth.link"
                    | "bandwidth.rule"
                    | "cluster.member"
            ) {
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
                    is_inline && body.contains(&format!("{key} = "))
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
            "1:1: unknown key `listen` here; it belongs in `[sip]` or `[admin]` or `[policy]` or `[cluster]`",
        ),
        (
            "[zzz]",
            "1:2: unknown table `zzz`; there are `node`, `sip`, `timers`, `limits`, `overload`, \
             `rates`, `zone`, `tls`, `alias`, `pool`, `peer`, `health`, `log`, `admin`, `dns`, `policy`, \
             `bandwidth` or `cluster`",
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
