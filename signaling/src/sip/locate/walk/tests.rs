//! Each branch of RFC 3263 §4.1 and §4.2, and what hostile or broken answers do.

use super::super::zone::{Zone, name, question};
use super::super::{Families, Limits, Spoken, Times};
use super::*;
use std::fmt::Write as _;

const V4: Families = Families {
    v4: true,
    v6: false,
};
const BOTH: Families = Families { v4: true, v6: true };
const NOT: Families = Families {
    v4: false,
    v6: false,
};

const ALL_V4: Spoken = Spoken {
    sips_d2t: V4,
    sip_d2t: V4,
    sip_d2u: V4,
};
const CLEAR_V4: Spoken = Spoken {
    sips_d2t: NOT,
    sip_d2t: V4,
    sip_d2u: V4,
};

/// The usual domain: TLS first, hosts with a backup.
const EXAMPLE: &str = "
example.com NAPTR 10 50 s SIPS+D2T - _sips._tcp.example.com
example.com NAPTR 20 50 s SIP+D2T - _sip._tcp.example.com
example.com NAPTR 20 60 s SIP+D2U - _sip._udp.example.com
_sips._tcp.example.com SRV 10 0 5061 a.example.com
_sips._tcp.example.com SRV 20 0 5061 b.example.com
_sip._tcp.example.com SRV 10 0 5060 a.example.com
_sip._udp.example.com SRV 10 0 5080 b.example.com
a.example.com A 192.0.2.1
b.example.com A 192.0.2.2
";

const SRV_ONLY: &str = "
_sips._tcp.example.com SRV 10 0 5061 a.example.com
_sip._tcp.example.com SRV 10 0 5070 a.example.com
_sip._udp.example.com SRV 10 0 5080 a.example.com
example.com A 192.0.2.9
a.example.com A 192.0.2.1
";

fn rules(spoken: Spoken) -> Rules {
    Rules {
        spoken,
        prefer: Prefer::Ipv4,
        ..Rules::default()
    }
}

/// `sip:` or `sips:`, a host, perhaps a port and `;transport=`.
fn destination(text: &str) -> Destination {
    let (scheme, rest) = text.split_once(':').expect("a scheme");
    let (rest, transport) = rest
        .split_once(';')
        .map_or((rest, None), |(a, b)| (a, Some(b)));
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().expect("a port"))),
        _ => (rest, None),
    };
    let service = |word: &str| {
        Service::ALL
            .into_iter()
            .find(|service| service.as_str() == word)
    };
    Destination {
        host: match host.trim_matches(['[', ']']).parse() {
            Ok(address) => Host::Address(address),
            Err(_) => Host::Name(name(host)),
        },
        port,
        service: transport.map(|word| service(word).expect("a transport")),
        is_sips: scheme == "sips",
    }
}

/// Asks until it is known; gives the location and the questions in the order in which they came.
fn located(zone: &Zone, rules: &Rules, to: &str) -> (Location, Vec<String>) {
    located_at(start(), zone, rules, to)
}

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a beginning for a test's own clock"
    )]
    Instant::now()
}

fn located_at(now: Instant, zone: &Zone, rules: &Rules, to: &str) -> (Location, Vec<String>) {
    let to = destination(to);
    let mut answers = Answers::new(Times::default(), rules.limits, 1);
    let mut questions = Vec::new();
    let moment = Moment {
        at: now,
        since: now,
    };
    for _ in 0..100 {
        match locate(&to, rules, &answers, moment) {
            Progress::Located(location) => return (location, questions),
            Progress::Ask(missing) => {
                for question in missing {
                    let text = question.to_string();
                    assert!(!questions.contains(&text), "{text} is asked twice");
                    questions.push(text);
                    let answer = zone.answer(&question);
                    answers.handle_answer(now, question, answer);
                }
            }
        }
    }
    panic!("no end of questions: {questions:?}");
}

fn told(location: &Location) -> String {
    let mut told = String::new();
    for target in &location.targets {
        let space = if told.is_empty() { "" } else { " " };
        write!(told, "{space}{target}").expect("a text");
    }
    location.why_none.map_or(told, |why| format!("none: {why}"))
}

fn check(zone: &str, spoken: Spoken, cases: &[(&str, &str)]) {
    let zone = Zone::new(zone);
    for (to, expected) in cases {
        let (location, _) = located(&zone, &rules(spoken), to);
        assert_eq!(told(&location), *expected, "{to}: {:#?}", location.steps);
    }
}

#[test]
fn numbers_are_not_asked_for() {
    check(
        EXAMPLE,
        Spoken {
            sips_d2t: BOTH,
            sip_d2t: BOTH,
            sip_d2u: BOTH,
        },
        &[
            ("sip:192.0.2.7", "udp:192.0.2.7:5060"),
            ("sip:192.0.2.7:5090", "udp:192.0.2.7:5090"),
            ("sip:192.0.2.7;tcp", "tcp:192.0.2.7:5060"),
            ("sips:192.0.2.7", "tls:192.0.2.7:5061"),
            ("sips:192.0.2.7;tcp", "tls:192.0.2.7:5061"),
            ("sip:[2001:db8::7]:5062", "udp:[2001:db8::7]:5062"),
            // §4.1: `sips` over UDP is not defined.
            (
                "sips:192.0.2.7;udp",
                "none: no listener speaks what the name offers",
            ),
        ],
    );
    let (_, questions) = located(&Zone::new(EXAMPLE), &rules(ALL_V4), "sip:192.0.2.7");
    assert_eq!(questions, [""; 0]);
}

#[test]
fn a_port_or_a_transport_skips_what_it_answers() {
    let zone = Zone::new(EXAMPLE);
    for (to, expected, asked) in [
        (
            "sip:a.example.com:5090",
            "udp:192.0.2.1:5090",
            &["A a.example.com"][..],
        ),
        (
            "sip:a.example.com:5090;tls",
            "tls:192.0.2.1:5090",
            &["A a.example.com"],
        ),
        (
            "sips:a.example.com:5090",
            "tls:192.0.2.1:5090",
            &["A a.example.com"],
        ),
        (
            "sip:example.com;udp",
            "udp:192.0.2.2:5080",
            &["SRV _sip._udp.example.com", "A b.example.com"],
        ),
        (
            "sips:example.com;tcp",
            "tls:192.0.2.1:5061 tls:192.0.2.2:5061",
            &[
                "SRV _sips._tcp.example.com",
                "A a.example.com",
                "A b.example.com",
            ],
        ),
        (
            "sip:a.example.com;tcp",
            "tcp:192.0.2.1:5060",
            &["SRV _sip._tcp.a.example.com", "A a.example.com"],
        ),
        (
            "sip:a.example.com;tls",
            "tls:192.0.2.1:5061",
            &["SRV _sips._tcp.a.example.com", "A a.example.com"],
        ),
    ] {
        let (location, questions) = located(&zone, &rules(ALL_V4), to);
        assert_eq!(
            (told(&location).as_str(), questions.as_slice()),
            (
                expected,
                &asked.iter().map(ToString::to_string).collect::<Vec<_>>()[..]
            ),
            "{to}"
        );
    }
}

#[test]
fn naptr_names_the_transport() {
    // The lowest order that is spoken here, and no other.
    check(
        EXAMPLE,
        ALL_V4,
        &[
            ("sip:example.com", "tls:192.0.2.1:5061 tls:192.0.2.2:5061"),
            ("sips:example.com", "tls:192.0.2.1:5061 tls:192.0.2.2:5061"),
        ],
    );
    check(
        EXAMPLE,
        CLEAR_V4,
        &[("sip:example.com", "tcp:192.0.2.1:5060 udp:192.0.2.2:5080")],
    );
    let (location, questions) = located(&Zone::new(EXAMPLE), &rules(ALL_V4), "sip:example.com");
    assert_eq!(
        questions,
        [
            "NAPTR example.com",
            "SRV _sips._tcp.example.com",
            "A a.example.com",
            "A b.example.com"
        ]
    );
    let priorities: Vec<_> = location
        .targets
        .iter()
        .map(|target| target.priority)
        .collect();
    assert_eq!(priorities, [Some(10), Some(20)]);
}

#[test]
fn naptr_of_others_is_passed_over() {
    let zone = "
example.com NAPTR 1 1 u E2U+sip regexp .
example.com NAPTR 1 2 s SIP+D2S - _sip._sctp.example.com
example.com NAPTR 2 1 S sip+d2t - tcp.example.net
example.com NAPTR 3 1 s SIP+D2U regexp _sip._udp.example.com
example.com NAPTR 3 2 a SIP+D2U - c.example.com
example.com NAPTR 4 1 se SIPS+D2T - _sips._tcp.example.com
tcp.example.net SRV 0 0 5066 c.example.com
c.example.com A 192.0.2.3
";
    check(zone, ALL_V4, &[("sip:example.com", "tcp:192.0.2.3:5066")]);
    let udp = Spoken {
        sip_d2u: V4,
        ..Spoken::default()
    };
    check(zone, udp, &[("sip:example.com", "udp:192.0.2.3:5060")]);
    // No record that a SIP client could use is as good as no record (§4.1).
    let enum_only = format!("example.com NAPTR 1 1 u E2U+sip regexp .\n{SRV_ONLY}");
    check(
        &enum_only,
        udp,
        &[("sip:example.com", "udp:192.0.2.1:5080")],
    );
}

#[test]
fn a_lower_order_without_a_target_gives_way() {
    let zone = "
example.com NAPTR 10 1 s SIP+D2T - _sip._tcp.example.com
example.com NAPTR 20 1 s SIP+D2U - _sip._udp.example.com
_sip._udp.example.com SRV 0 0 5060 c.example.com
c.example.com A 192.0.2.3
";
    check(zone, ALL_V4, &[("sip:example.com", "udp:192.0.2.3:5060")]);
}

#[test]
fn without_naptr_each_transport_is_asked_for() {
    check(
        SRV_ONLY,
        ALL_V4,
        &[
            (
                "sip:example.com",
                "tls:192.0.2.1:5061 tcp:192.0.2.1:5070 udp:192.0.2.1:5080",
            ),
            ("sips:example.com", "tls:192.0.2.1:5061"),
        ],
    );
    check(
        SRV_ONLY,
        CLEAR_V4,
        &[("sip:example.com", "tcp:192.0.2.1:5070 udp:192.0.2.1:5080")],
    );
    check(
        SRV_ONLY,
        CLEAR_V4,
        &[(
            "sips:example.com",
            "none: no listener speaks what the name offers",
        )],
    );
}

#[test]
fn without_srv_the_name_itself_is_the_host() {
    let zone = "a.example.com A 192.0.2.1\nother.example.com A 192.0.2.2";
    check(
        zone,
        ALL_V4,
        &[
            ("sip:a.example.com", "udp:192.0.2.1:5060"),
            ("sips:a.example.com", "tls:192.0.2.1:5061"),
            ("sip:none.example.com", "none: the name does not exist"),
        ],
    );
    let tcp = Spoken {
        sip_d2t: V4,
        ..Spoken::default()
    };
    check(zone, tcp, &[("sip:a.example.com", "tcp:192.0.2.1:5060")]);
    let text = "a.example.com AAAA 2001:db8::1";
    check(
        text,
        ALL_V4,
        &[("sip:a.example.com", "none: the name has no address")],
    );
}

#[test]
fn srv_that_leads_nowhere_is_no_reason_for_the_name_s_own_addresses() {
    let zone = "
_sip._udp.example.com SRV 0 0 5060 gone.example.com
example.com A 192.0.2.9
_sip._udp.off.example.com SRV 0 0 0 .
off.example.com A 192.0.2.9
";
    let udp = Spoken {
        sip_d2u: V4,
        ..Spoken::default()
    };
    check(
        zone,
        udp,
        &[
            ("sip:example.com", "none: the name does not exist"),
            (
                "sip:off.example.com",
                "none: the domain does not offer the service",
            ),
        ],
    );
}

#[test]
fn both_families_the_better_first() {
    let zone = Zone::new(
        "
_sip._udp.example.com SRV 1 0 5060 a.example.com
_sip._udp.example.com SRV 2 0 5060 b.example.com
a.example.com A 192.0.2.1
a.example.com AAAA 2001:db8::1
b.example.com A 192.0.2.2
",
    );
    let mut rules = rules(Spoken {
        sip_d2u: BOTH,
        ..Spoken::default()
    });
    let (four, _) = located(&zone, &rules, "sip:example.com");
    assert_eq!(
        told(&four),
        "udp:192.0.2.1:5060 udp:[2001:db8::1]:5060 udp:192.0.2.2:5060"
    );
    rules.prefer = Prefer::Ipv6;
    let (six, _) = located(&zone, &rules, "sip:example.com");
    assert_eq!(
        told(&six),
        "udp:[2001:db8::1]:5060 udp:192.0.2.1:5060 udp:192.0.2.2:5060"
    );
}

#[test]
fn what_is_not_answered() {
    let hosts = "a.example.com A 192.0.2.1\n_sip._udp.example.com SRV 0 0 5060 a.example.com";
    let udp = Spoken {
        sip_d2u: V4,
        ..Spoken::default()
    };
    // SRV tells all that NAPTR would have told.
    let naptr = format!("{hosts}\nfail example.com NAPTR");
    check(&naptr, udp, &[("sip:example.com", "udp:192.0.2.1:5060")]);
    // Whether there is an SRV record nobody knows: its host and port must not be guessed.
    let srv = "timeout _sip._udp.a.example.com SRV\na.example.com A 192.0.2.1";
    check(
        srv,
        udp,
        &[(
            "sip:a.example.com",
            "none: the name service does not answer",
        )],
    );
    let one = "
_sip._udp.example.com SRV 0 0 5060 a.example.com
_sip._udp.example.com SRV 1 0 5060 b.example.com
fail a.example.com A
b.example.com A 192.0.2.2
";
    check(one, udp, &[("sip:example.com", "udp:192.0.2.2:5060")]);
}

#[test]
fn the_static_map_comes_first() {
    let zone = Zone::new(EXAMPLE);
    let mut rules = rules(ALL_V4);
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    rules
        .hosts
        .insert(name("a.example.com"), vec![address("10.0.0.1")]);
    rules.hosts.insert(
        name("example.net"),
        vec![address("10.0.0.2"), address("fd00::2")],
    );
    for (to, expected, asked) in [
        ("sip:example.net", "udp:10.0.0.2:5060", 0),
        ("sip:EXAMPLE.net.;tls", "tls:10.0.0.2:5061", 0),
        ("sip:example.com;tcp", "tcp:10.0.0.1:5060", 1),
        ("sip:localhost:5070;tcp", "tcp:127.0.0.1:5070", 0),
    ] {
        let (location, questions) = located(&zone, &rules, to);
        assert_eq!(
            (told(&location).as_str(), questions.len()),
            (expected, asked),
            "{to}"
        );
        assert_eq!(location.expires.is_none(), asked == 0, "{to}");
    }
}

#[test]
fn aliases_are_followed_and_do_not_go_round_for_ever() {
    let zone = Zone::new(
        "
www.example.com CNAME a.example.com
a.example.com A 192.0.2.1
loop.example.com CNAME pool.example.com
pool.example.com CNAME loop.example.com
",
    );
    let rules = rules(ALL_V4);
    let (location, questions) = located(&zone, &rules, "sip:www.example.com:5060");
    assert_eq!(told(&location), "udp:192.0.2.1:5060");
    assert_eq!(questions, ["A www.example.com", "A a.example.com"]);
    let (location, questions) = located(&zone, &rules, "sip:loop.example.com:5060");
    assert_eq!(told(&location), "none: the name has no address");
    assert_eq!(questions.len(), 2);
}

#[test]
fn everything_has_a_maximum() {
    let mut text = String::new();
    for n in 0..100 {
        writeln!(text, "_sip._udp.example.com SRV 1 1 5060 h{n}.example.com").expect("a text");
        writeln!(text, "h{n}.example.com A 192.0.2.{n}").expect("a text");
    }
    let mut rules = rules(Spoken {
        sip_d2u: V4,
        ..Spoken::default()
    });
    rules.limits = Limits {
        questions: 20,
        records: 30,
        targets: 10,
        ..Limits::default()
    };
    let (location, questions) = located(&Zone::new(&text), &rules, "sip:example.com");
    assert_eq!((location.targets.len(), questions.len()), (10, 20));
    let limited = |step: &Step| matches!(step, Step::Concluded("limits", _));
    assert!(location.steps.iter().any(limited));
}

#[test]
fn addresses_that_no_call_can_go_to_are_left_out() {
    check(
        "a.example.com A 0.0.0.0\na.example.com A 224.0.0.1\na.example.com A 192.0.2.1",
        ALL_V4,
        &[("sip:a.example.com:5060", "udp:192.0.2.1:5060")],
    );
}

#[test]
fn seeds_spread_nodes_and_keep_each_one_steady() {
    let mut text = String::new();
    let mut backwards = String::new();
    for n in 1..=4 {
        writeln!(text, "a.example.com A 192.0.2.{n}").expect("a text");
        writeln!(backwards, "a.example.com A 192.0.2.{}", 5 - n).expect("a text");
    }
    let first = |text: &str, seed| {
        let rules = Rules {
            seed,
            ..rules(ALL_V4)
        };
        let (location, _) = located(&Zone::new(text), &rules, "sip:a.example.com:5060");
        location
            .targets
            .first()
            .map(ToString::to_string)
            .expect("a target")
    };
    let mut firsts: Vec<String> = (0..32).map(|seed| first(&text, seed)).collect();
    assert!((0..32).all(|seed| first(&text, seed) == first(&backwards, seed)));
    firsts.sort();
    firsts.dedup();
    assert_eq!(firsts.len(), 4);
}

#[test]
fn a_location_holds_as_long_as_its_shortest_answer() {
    let zone = Zone::new(
        "
_sip._udp.example.com 3600 SRV 0 0 5060 a.example.com
a.example.com 40 A 192.0.2.1
",
    );
    let rules = rules(Spoken {
        sip_d2u: V4,
        ..Spoken::default()
    });
    let now = start();
    let ends = |to: &str| located_at(now, &zone, &rules, to).0.expires;
    let after = |seconds| Some(now + std::time::Duration::from_secs(seconds));
    assert_eq!(ends("sip:example.com;udp"), after(40));
    assert_eq!(ends("sip:b.example.com:5060"), after(60));
    assert_eq!(ends("sip:192.0.2.1"), None);
    let (location, _) = located(&zone, &rules, "sip:example.com;udp");
    let asked = question("SRV _sip._udp.example.com");
    let answer = zone.answer(&asked);
    assert_eq!(location.steps.first(), Some(&Step::Asked(asked, answer)));
}
