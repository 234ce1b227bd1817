//! What is checked of each table beyond the kinds of its values.

use super::*;

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
            format!("{LEAST}[node]\nstate_file = \"peers\"\n"),
            "8:14: `state_file` is \"peers\"; it takes an absolute path, such as",
        ),
        (
            format!("{LEAST}[log]\ncalls = \"all\"\n"),
            "`calls` cannot be `all`",
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
fn checks_of_members() {
    let with = |more: &str| {
        let base = file(UDP, &[peer("a", "udp:127.0.0.1:1")]);
        format!("{base}\n[cluster]\n{more}")
    };
    const RIGHT: &str = "name = \"lab\"\nkey_file = \"/k\"\n";
    let member = |name: &str, address: &str| {
        format!("[[cluster.member]]\nname = \"{name}\"\naddress = \"{address}\"\n")
    };
    for (text, expected) in [
        (with("key_file = \"/k\"\n"), "`[cluster]` needs `name`"),
        (with("name = \"lab\"\n"), "`[cluster]` needs `key_file`"),
        (
            with(&format!("listen = \"1719\"\n{RIGHT}")),
            "`listen` is \"1719\"; it takes an address and a port",
        ),
        (
            with(&format!("{RIGHT}{}", member("b", "0.0.0.0:1719"))),
            "a member is at an address",
        ),
        (
            with(&format!(
                "{RIGHT}{}{}",
                member("b", "192.0.2.2:1719"),
                member("c", "192.0.2.2:1719")
            )),
            "`[cluster]`: two members are at 192.0.2.2:1719",
        ),
        (
            with(&format!("{RIGHT}{}", member("baton", "192.0.2.2:1719"))),
            "`[cluster]`: two members are called \"baton\"",
        ),
    ] {
        expect(&text, expected);
    }
    let text = with(&format!(
        "silence = \"decay\"\nhold_seconds = 60\n{RIGHT}{}",
        member("b", "[2001:db8::2]:1719")
    ));
    let config = Config::parse(&text, "test.toml").expect("right");
    let cluster = config.cluster.expect("a cluster");
    assert_eq!(
        cluster.silence,
        ::cluster::Silence::Decay(Duration::from_secs(60))
    );
    assert_eq!(cluster.members.len(), 1);
}
