//! The shell under TLS: calls from end to end, who is believed and who is not, and handshakes that go wrong.

mod shell_world;
mod tls_world;

use baton::shell::counters::Counters;
use shell_world::{Call, Node, Tcp, Wire, establish, hang_up, offer};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tls_world::{Authority, Tls, client, program, server, taken_port, versioned_client};

/// A listener for the peer, and a node that calls it over TLS; `peer` and `more` go to the configuration.
fn node(authority: &Authority, listen: &str, peer: &str, more: &str) -> (TcpListener, Node) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let remote = listener.local_addr().expect("bound");
    (
        listener,
        node_calling(authority, remote, (listen, peer, more)),
    )
}

fn node_calling(
    authority: &Authority,
    remote: SocketAddr,
    (listen, peer, more): (&str, &str, &str),
) -> Node {
    let (certificate, key) = authority.issue("node", &["127.0.0.1", "::1", "node.example.com"]);
    let ca = authority.file();
    Node::of(&format!(
        "[sip]\nlisten = [\"udp:127.0.0.1:0\", \"tcp:127.0.0.1:0\", \
         {{ at = \"tls:127.0.0.1:0\", {listen} }}]\n\
         [[peer]]\nname = \"peer\"\nat = \"tls:{remote}\"\nsessions_max = 1000\n{peer}\n\
         [health]\nprobe = false\n[tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\nca = \"{ca}\"\n{more}"
    ))
}

/// Handshakes that were completed in TLS 1.2 and in TLS 1.3.
fn versions(shell: &Counters) -> (u64, u64) {
    let sum = |prefix: &str| {
        let figures = shell.each().filter(|(name, _)| name.starts_with(prefix));
        figures.map(|(_, figure)| figure).sum()
    };
    (sum("tls_1_2_"), sum("tls_1_3_"))
}

/// Sends OPTIONS and takes the answer.
fn ask(caller: &mut Tls, id: &str) {
    let options = Call::new(id, caller).request("OPTIONS");
    caller.send(&options);
    caller.expect(" 200 ");
}

#[test]
fn a_call_from_invite_to_bye() {
    let authority = Authority::new("call");
    let (listener, node) = node(&authority, "", "", "");
    let mut caller = Tls::to(node.tls(), client(&authority, None), "node.example.com");
    let mut call = Call::new("tls", &caller);
    offer(&mut call, &mut caller);
    let mut peer = Tls::accept(&listener, server(&authority, &["127.0.0.1"]));
    let invite = peer.expect("INVITE ");
    assert!(
        invite.one("Via").starts_with("SIP/2.0/TLS "),
        "{}",
        invite.0
    );
    assert!(invite.contact().ends_with(";transport=tls"), "{}", invite.0);
    assert!(invite.start().contains(";transport=tls "), "{}", invite.0);
    peer.send(&invite.answer("486 Busy Here", peer.local(), peer.transport()));
    peer.expect("ACK ");
    let refusal = caller.expect("486 ");
    call.answered_with(&refusal);
    let ack = call.request("ACK").replace("-ACK;rport", "-INVITE;rport");
    caller.send(&ack);
    for number in 0..5 {
        let mut call = Call::new(&format!("next-{number}"), &caller);
        offer(&mut call, &mut caller);
        establish(&mut call, &mut caller, &mut peer);
        hang_up(&mut call, &mut caller, &mut peer);
    }
    let shell = &node.handle.figures()[0].shell;
    assert_eq!(
        shell.connections_made.value(),
        1,
        "calls share the connection"
    );
    assert_eq!(versions(shell), (0, 2));
}

#[test]
fn the_peer_asks_for_our_certificate_and_gets_it() {
    let authority = Authority::new("mutual");
    let (listener, node) = node(&authority, "", "", "");
    let mut caller = Tcp::to(node.tcp);
    let mut call = Call::new("mutual", &caller);
    offer(&mut call, &mut caller);
    let config = tls_world::asking_server(&authority, &["127.0.0.1"], &authority);
    let mut peer = Tls::accept(&listener, config);
    establish(&mut call, &mut caller, &mut peer);
    assert_eq!(peer.certificates(), 1);
    hang_up(&mut call, &mut caller, &mut peer);
}

#[test]
fn a_peer_that_refuses_our_certificate_is_told_at_once() {
    let authority = Authority::new("refused");
    let stranger = Authority::new("refused-stranger");
    for version in ["1.2", "1.3"] {
        let (listener, node) = node(&authority, "", "", "");
        let mut caller = Tcp::to(node.tcp);
        let mut call = Call::new("refused", &caller);
        offer(&mut call, &mut caller);
        let before = Instant::now();
        let config = match version {
            "1.2" => tls_world::old_asking_server(&authority, &["127.0.0.1"], &stranger),
            _ => tls_world::asking_server(&authority, &["127.0.0.1"], &stranger),
        };
        let outcome = Tls::try_accept(&listener, config);
        assert!(outcome.is_err(), "{version}");
        let refusal = caller.receive();
        assert!(refusal.start().contains(" 50"), "{version}: {}", refusal.0);
        // Timer B is 32 s, and another peer would be asked after 2 s of silence.
        assert!(before.elapsed() < Duration::from_secs(10), "{version}");
        let shell = &node.handle.figures()[0].shell;
        assert_eq!(shell.tls_failed.value(), 1, "{version}");
    }
}

#[test]
fn a_peer_that_is_somebody_else_gets_no_call() {
    let authority = Authority::new("trusted");
    let stranger = Authority::new("stranger");
    for (name, config) in [
        ("stranger", server(&stranger, &["127.0.0.1"])),
        ("wrong-name", server(&authority, &["192.0.2.1"])),
        (
            "expired",
            tls_world::expired_server(&authority, &["127.0.0.1"]),
        ),
    ] {
        let (listener, node) = node(&authority, "", "", "");
        let mut caller = Tcp::to(node.tcp);
        let mut call = Call::new(name, &caller);
        offer(&mut call, &mut caller);
        let outcome = Tls::try_accept(&listener, config);
        assert!(outcome.is_err(), "{name}: the handshake fails");
        let refusal = caller.receive();
        assert!(refusal.start().contains(" 50"), "{name}: {}", refusal.0);
        let shell = &node.handle.figures()[0].shell;
        assert_eq!(shell.tls_failed.value(), 1, "{name}");
        let failovers = &node.handle.peers()[0].failovers;
        assert!(
            failovers.contains(&(balancer::Cause::Tls, 1)),
            "{failovers:?}"
        );
    }
}

#[test]
fn who_connects_from_the_address_of_a_peer_gets_no_call() {
    let authority = Authority::new("impostor");
    // The peer itself is down.
    let (port, address) = taken_port();
    let node = node_calling(&authority, address, ("", "", ""));
    let mut impostor = Tls::from(port, node.tls(), client(&authority, None), "127.0.0.1");
    ask(&mut impostor, "here-i-am");
    let mut caller = Tls::to(node.tls(), client(&authority, None), "127.0.0.1");
    let mut call = Call::new("not-for-you", &caller);
    offer(&mut call, &mut caller);
    let refusal = caller.receive();
    assert!(refusal.start().contains(" 50"), "{}", refusal.0);
    // Its next answer is the next that comes to it.
    ask(&mut impostor, "still-here");
}

#[test]
fn what_the_callee_begins_goes_back_over_the_callers_connection() {
    let authority = Authority::new("callee-ends");
    let (listener, node) = node(&authority, "", "", "");
    let mut caller = Tls::to(node.tls(), client(&authority, None), "127.0.0.1");
    let mut call = Call::new("callee-ends", &caller);
    offer(&mut call, &mut caller);
    let mut peer = Tls::accept(&listener, server(&authority, &["127.0.0.1"]));
    let invite = peer.expect("INVITE ");
    peer.send(&invite.answer("200 OK", peer.local(), peer.transport()));
    let answer = caller.expect("200 ");
    call.answered(&answer);
    let ack = call.request("ACK");
    caller.send(&ack);
    peer.expect("ACK ");
    let field = |name: &str| format!("{name}: {}\r\n", invite.one(name));
    peer.send(&format!(
        "BYE {} SIP/2.0\r\nVia: SIP/2.0/TLS {};branch=z9hG4bK-ends\r\nMax-Forwards: 70\r\n\
         From: {};tag=peer\r\nTo: {}\r\n{}CSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
        invite.contact(),
        peer.local(),
        invite.one("To"),
        invite.one("From"),
        field("Call-ID"),
    ));
    let bye = caller.expect("BYE ");
    caller.send(&bye.answer("200 OK", caller.local(), caller.transport()));
    peer.expect(" 200 ");
}

#[test]
fn a_peer_is_known_by_the_name_that_is_configured() {
    let authority = Authority::new("names");
    let stranger = Authority::new("names-stranger");
    let own = format!("tls_ca = \"{}\"", stranger.file());
    for (name, peer, config) in [
        (
            "dns",
            "tls_name = \"bridge.example.com\"",
            server(&authority, &["bridge.example.com"]),
        ),
        (
            "uri",
            "tls_name = \"example.com\"",
            server(&authority, &["sip:example.com"]),
        ),
        (
            "chain",
            "tls_verify = \"chain\"",
            server(&authority, &["192.0.2.1"]),
        ),
        (
            "none",
            "tls_verify = \"none\"",
            server(&stranger, &["192.0.2.1"]),
        ),
        ("own-ca", own.as_str(), server(&stranger, &["127.0.0.1"])),
    ] {
        let (listener, node) = node(&authority, "", peer, "");
        let mut caller = Tcp::to(node.tcp);
        let mut call = Call::new(name, &caller);
        offer(&mut call, &mut caller);
        let mut peer = Tls::accept(&listener, config);
        assert_eq!(
            peer.asked_for().as_deref(),
            match name {
                "dns" => Some("bridge.example.com"),
                "uri" => Some("example.com"),
                _ => None,
            },
            "{name}: RFC 6066 names no addresses"
        );
        establish(&mut call, &mut caller, &mut peer);
        hang_up(&mut call, &mut caller, &mut peer);
    }
}

#[test]
fn callers_show_certificates_where_they_are_asked() {
    let authority = Authority::new("callers");
    let stranger = Authority::new("callers-stranger");
    for (policy, without, with, foreign) in [
        ("none", true, true, true),
        ("optional", true, true, false),
        ("required", false, true, false),
    ] {
        let listen = format!("client_certificate = \"{policy}\"");
        let (_listener, node) = node(&authority, &listen, "", "");
        let configs = [
            (client(&authority, None), without),
            (client(&authority, Some(&authority)), with),
            (client(&authority, Some(&stranger)), foreign),
        ];
        for (config, is_served) in configs {
            let mut caller = Tls::to(node.tls(), config, "127.0.0.1");
            let options = Call::new("certified", &caller).request("OPTIONS");
            let answer = caller.ask(&options);
            assert_eq!(answer.is_ok(), is_served, "{policy}: {answer:?}");
        }
        let certified = node.handle.figures()[0].shell.tls_certified.value();
        assert_eq!(certified, u64::from(policy != "none"), "{policy}");
    }
}

#[test]
fn a_handshake_that_stalls_costs_nobody_anything() {
    let authority = Authority::new("stall");
    let (_listener, node) = node(&authority, "", "", "handshake_seconds = 1");
    let before = Instant::now();
    let mut silent: Vec<Tcp> = (0..10).map(|_| Tcp::to(node.tls())).collect();
    // The head of a ClientHello of 256 octets that never come.
    for stalled in silent.iter_mut().skip(5) {
        stalled
            .stream
            .write_all(&[22, 3, 1, 1, 0, 1])
            .expect("open");
    }
    let mut caller = Tls::to(node.tls(), client(&authority, None), "127.0.0.1");
    ask(&mut caller, "between");
    for stalled in &mut silent {
        stalled.expect_end();
    }
    assert!(
        before.elapsed() >= Duration::from_secs(1),
        "they had their time"
    );
    assert_eq!(node.handle.figures()[0].shell.tls_too_slow.value(), 10);
    ask(&mut caller, "after");
}

#[test]
fn handshakes_count_against_their_source() {
    let authority = Authority::new("count");
    let (_listener, node) = node(&authority, "", "", "[limits]\nconnections_per_source = 3\n");
    let mut stalled: Vec<Tcp> = (0..3).map(|_| Tcp::to(node.tls())).collect();
    node.wait_for(
        "accepted",
        |figures| figures.shell.connections_accepted.value(),
        3,
    );
    let mut caller = Tls::to(node.tls(), client(&authority, None), "127.0.0.1");
    ask(&mut caller, "counted");
    stalled[0].expect_end();
    let mut late: Vec<Tcp> = (0..3).map(|_| Tcp::to(node.tls())).collect();
    node.wait_for(
        "reclaimed",
        |figures| figures.shell.connections_reclaimed.value(),
        4,
    );
    ask(&mut caller, "who-is-through-keeps-its-place");
    late.clear();
}

#[test]
fn plaintext_on_a_tls_port_is_closed() {
    let authority = Authority::new("plain");
    let (_listener, node) = node(&authority, "", "", "");
    let mut caller = Tcp::to(node.tls());
    let options = Call::new("plain", &caller).request("OPTIONS");
    caller.send(&options);
    let alert = caller.octets();
    assert_eq!(alert.first(), Some(&21), "an alert: {alert:?}");
    drop(caller);
    node.wait_for("tls_failed", |figures| figures.shell.tls_failed.value(), 1);
    let mut caller = Tls::to(node.tls(), client(&authority, None), "127.0.0.1");
    ask(&mut caller, "next");
}

#[test]
fn a_peer_that_resets_mid_call_gets_the_bye_on_a_new_connection() {
    let authority = Authority::new("reset");
    let (listener, node) = node(&authority, "", "", "");
    let mut caller = Tls::to(node.tls(), client(&authority, None), "127.0.0.1");
    let mut call = Call::new("reset", &caller);
    offer(&mut call, &mut caller);
    let config = server(&authority, &["127.0.0.1"]);
    let mut peer = Tls::accept(&listener, Arc::clone(&config));
    establish(&mut call, &mut caller, &mut peer);
    peer.reset();
    let bye = call.request("BYE");
    caller.send(&bye);
    let mut peer = Tls::accept(&listener, config);
    let mut bye = peer.receive();
    if bye.start().starts_with("ACK ") {
        // A reset acknowledges nothing: the kernel may not know that the ACK had arrived.
        bye = peer.receive();
    }
    assert!(bye.start().starts_with("BYE "), "{}", bye.0);
    peer.send(&bye.answer("200 OK", peer.local(), peer.transport()));
    caller.expect(" 200 ");
}

#[test]
fn a_peer_that_resets_in_the_handshake_is_told_at_once() {
    let authority = Authority::new("handshake-reset");
    let (listener, node) = node(&authority, "", "", "");
    let mut caller = Tcp::to(node.tcp);
    let mut call = Call::new("handshake-reset", &caller);
    offer(&mut call, &mut caller);
    let mut peer = Tcp::accept(&listener);
    assert!(!peer.octets().is_empty(), "a ClientHello");
    drop(peer);
    let refusal = caller.receive();
    assert!(refusal.start().contains(" 50"), "{}", refusal.0);
}

#[test]
fn versions_older_than_configured_are_refused() {
    let authority = Authority::new("versions");
    let old = || versioned_client(&authority, &rustls::version::TLS12);
    let (_listener, both) = node(&authority, "", "", "");
    let mut caller = Tls::to(both.tls(), old(), "127.0.0.1");
    ask(&mut caller, "1.2");
    assert_eq!(versions(&both.handle.figures()[0].shell).0, 1);
    let (_listener, new) = node(&authority, "", "", "version_min = \"1.3\"");
    let mut caller = Tls::to(new.tls(), old(), "127.0.0.1");
    let options = Call::new("old", &caller).request("OPTIONS");
    assert!(caller.ask(&options).is_err());
}

#[test]
fn large_messages_and_many_at_once_arrive_whole() {
    let authority = Authority::new("large");
    let (listener, node) = node(&authority, "", "", "");
    let mut caller = Tls::to(node.tls(), client(&authority, None), "127.0.0.1");
    let mut call = Call::new("large", &caller);
    let invite = call.invite();
    let body: String = (0..50_000u32)
        .map(|number| char::from(b'a' + (number % 26) as u8))
        .collect();
    let (head, sdp) = invite.split_once("\r\n\r\n").expect("a body");
    let old = format!("Content-Length: {}", sdp.len());
    let head = head.replace(&old, &format!("Content-Length: {}", body.len()));
    caller.send(&format!("{head}\r\n\r\n{body}"));
    caller.expect("100 ");
    let mut peer = Tls::accept(&listener, server(&authority, &["127.0.0.1"]));
    let invite = peer.expect("INVITE ");
    assert!(invite.0.ends_with(&body), "octet for octet");
    peer.send(&invite.answer("486 Busy Here", peer.local(), peer.transport()));
    peer.expect("ACK ");
    caller.expect("486 ");
    let text: String = (0..300)
        .map(|number| Call::new(&format!("many-{number}"), &caller).request("OPTIONS"))
        .collect();
    caller.send(&text);
    for number in 0..300 {
        assert_eq!(
            caller.expect(" 200 ").one("Call-ID"),
            format!("many-{number}")
        );
    }
}

#[test]
fn certificates_are_read_anew_under_traffic() {
    let authority = Authority::new("reload");
    let (_listener, node) = node(&authority, "", "", "");
    let mut old = Tls::to(node.tls(), client(&authority, None), "127.0.0.1");
    ask(&mut old, "before");
    let first = old.certificate();
    assert!(!node.handle.tls().reload_if_changed().expect("good files"));
    // The same files, another certificate.
    authority.issue("node", &["127.0.0.1"]);
    node.handle.tls().reload().expect("good files");
    let mut new = Tls::to(node.tls(), client(&authority, None), "127.0.0.1");
    ask(&mut new, "after");
    assert_ne!(new.certificate(), first);
    ask(&mut old, "who-was-there-stays");
    // A file that is no good changes nothing.
    std::fs::write(authority.path("node.pem"), "no certificate").expect("a writable folder");
    let error = node.handle.tls().reload().expect_err("no certificate");
    assert!(error.to_string().contains("no certificate in "), "{error}");
    let mut still = Tls::to(node.tls(), client(&authority, None), "127.0.0.1");
    ask(&mut still, "still");
    assert_eq!(still.certificate(), new.certificate());
}

#[test]
fn openssl_is_answered() {
    let authority = Authority::new("openssl");
    let listen = "client_certificate = \"required\"";
    let (_listener, node) = node(&authority, listen, "", "");
    let (certificate, key) = authority.issue("openssl", &["caller.example.com"]);
    for version in ["-tls1_2", "-tls1_3"] {
        let ca = authority.file();
        let connect = node.tls().to_string();
        let arguments = [
            "s_client",
            "-quiet",
            "-verify_return_error",
            version,
            "-connect",
            &connect,
            "-CAfile",
            &ca,
            "-verify_ip",
            "127.0.0.1",
            "-cert",
            &certificate,
            "-key",
            &key,
        ];
        let Some(mut openssl) = program("openssl", &arguments) else {
            return;
        };
        let options = Call::new("openssl", &Tcp::to(node.tcp)).request("OPTIONS");
        openssl.say(&options.replace("SIP/2.0/TCP", "SIP/2.0/TLS"));
        assert_eq!(openssl.line().trim_end(), "SIP/2.0 200 OK", "{version}");
    }
    let shell = &node.handle.figures()[0].shell;
    assert_eq!(versions(shell), (1, 1));
    assert_eq!(shell.tls_certified.value(), 2);
}

#[test]
fn who_proves_a_zones_name_may_call() {
    let authority = Authority::new("zone");
    let zone = "[[zone]]\nname = \"vcs\"\ntls_names = [\"caller.example.com\"]\n";
    let listen = "client_certificate = \"optional\"";
    let (listener, node) = node(&authority, listen, "", zone);
    let mut stranger = Tls::to(node.tls(), client(&authority, None), "127.0.0.1");
    let mut call = Call::new("stranger", &stranger);
    let invite = call.invite();
    stranger.send(&invite);
    stranger.expect("403 ");
    let config = client(&authority, Some(&authority));
    let mut caller = Tls::to(node.tls(), config, "127.0.0.1");
    let mut call = Call::new("vcs", &caller);
    offer(&mut call, &mut caller);
    let mut peer = Tls::accept(&listener, server(&authority, &["127.0.0.1"]));
    establish(&mut call, &mut caller, &mut peer);
    hang_up(&mut call, &mut caller, &mut peer);
}

#[test]
fn a_peer_that_is_not_verified_proves_nothing() {
    let authority = Authority::new("unverified");
    let stranger = Authority::new("unverified-stranger");
    let zones = "[[zone]]\nname = \"near\"\nfrom = [\"127.0.0.1\"]\n\
                 [[zone]]\nname = \"vcs\"\ntls_names = [\"caller.example.com\"]\n";
    for (verify, authority_of_peer, status) in
        [("none", &stranger, "403 "), ("chain", &authority, "100 ")]
    {
        let listener = TcpListener::bind("127.0.0.2:0").expect("all of 127 is here");
        let remote = listener.local_addr().expect("bound");
        let verify = format!("tls_verify = \"{verify}\"");
        let node = node_calling(&authority, remote, ("", &verify, zones));
        let mut caller = Tcp::to(node.tcp);
        let mut call = Call::new("to-the-peer", &caller);
        offer(&mut call, &mut caller);
        let config = server(authority_of_peer, &["caller.example.com"]);
        let mut peer = Tls::accept(&listener, config);
        peer.expect("INVITE ");
        let mut call = Call::new("from-the-peer", &peer);
        let invite = call.invite();
        peer.send(&invite);
        peer.expect(status);
    }
}
