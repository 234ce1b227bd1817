//! What the real program writes, read by Wireshark's dissectors: nothing is malformed, each leg is a
//! dialog of its own, and what passes passes unchanged.
//!
//! The calls are sipp's, of several kinds, one after the other, in a network of their own.
#![cfg(target_os = "linux")]

mod interop;

use interop::capture::{Capture, Message};
use interop::installed;
use interop::scenario::Scenario;
use interop::sipp::{Over, Running};
use interop::stage::Stage;
use std::collections::BTreeSet;

/// Calls of each kind.
const CALLS: usize = 3;

#[test]
fn early_offer_over_udp() {
    check("early-udp", Over::Udp, call(), answer());
}

#[test]
fn early_offer_over_tcp() {
    check("early-tcp", Over::Tcp, call(), answer());
}

#[test]
fn delayed_offer_over_udp() {
    let peer = Scenario::own("delayed_offer_peer");
    check(
        "delayed",
        Over::Udp,
        Scenario::own("delayed_offer_caller"),
        peer,
    );
}

#[test]
fn hung_up_by_the_peer_over_udp() {
    let hung_up = Scenario::own("hung_up").with("late", "0");
    let hang_up = Scenario::own("hang_up").with("held", "0");
    check("hung-up", Over::Udp, hung_up, hang_up);
}

#[test]
fn cancelled_over_udp() {
    check("cancelled-udp", Over::Udp, cancel(), cancelled());
}

#[test]
fn cancelled_over_tcp() {
    check("cancelled-tcp", Over::Tcp, cancel(), cancelled());
}

#[test]
fn refused_over_udp() {
    let refused = Scenario::own("refused")
        .with("status", "486")
        .with("words", "Engaged");
    let refuse = Scenario::own("refuse")
        .with("status", "486")
        .with("reason", "Engaged");
    check("refused", Over::Udp, refused, refuse);
}

/// What the other tests stand on can see a fault.
#[test]
fn faults_are_seen() {
    let packet = |inner: &str| {
        format!(
            "<packet>\n  <proto name=\"udp\" size=\"8\">\n    \
             <field name=\"udp.srcport\" show=\"5060\"/>\n  </proto>\n{inner}</packet>\n"
        )
    };
    let sip = "  <proto name=\"sip\">\n    <field name=\"sip.From\" show=\"&lt;sip:a&gt;\"/>\n";
    let expert = "    <field name=\"_ws.expert.message\" show=\"odd\"/>\n";
    let malformed = "  <proto name=\"_ws.malformed\" show=\"\"/>\n";
    let text = [
        packet(&format!("{sip}  </proto>\n")),
        packet(&format!("{sip}{expert}  </proto>\n{sip}  </proto>\n")),
        packet(malformed),
    ];
    let messages = interop::capture::read(&text.concat());
    let faults: Vec<usize> = messages
        .iter()
        .map(|message| message.faults.len())
        .collect();
    assert_eq!(faults, [0, 1, 0, 1]);
    assert_eq!(messages[0].get("sip.From"), "<sip:a>");
    assert_eq!((messages[0].source, messages[0].is_datagram), (5060, true));
}

/// One kind of call, and where its messages went.
struct Calls {
    over: Over,
    caller: u16,
    node: u16,
    peer: u16,
    messages: Vec<Message>,
}

/// The messages of one call on one side of the node.
struct Leg<'a> {
    messages: Vec<&'a Message>,
}

fn check(name: &str, over: Over, caller: Scenario, peer: Scenario) {
    if !installed(&["sipp", "tshark", "dumpcap"]) {
        return;
    }
    let Some(stage) = Stage::apart(name) else {
        return;
    };
    let calls = u32::try_from(CALLS).expect("few");
    let mut capture = Capture::start(&stage);
    let mut peer = stage.sipp(peer, over, calls).written_down().answer();
    let node = stage.node(peer.port);
    let address = node.address(over);
    let caller = stage.sipp(caller, over, calls).written_down().at_once(1);
    let mut caller = caller.with(&["-d", "20"]).call(address);
    for port in [peer.port, caller.port, address.port()] {
        capture.expect_sip_on(port);
    }
    caller.succeeds();
    peer.succeeds();
    let said = |party: &Running| party.messages().len();
    let messages = capture.finish(said(&caller) + said(&peer));
    node.ends_with_nothing_left();
    let calls = Calls {
        over,
        caller: caller.port,
        node: address.port(),
        peer: peer.port,
        messages,
    };
    calls.check();
}

impl Calls {
    fn check(&self) {
        for message in &self.messages {
            assert_eq!(message.faults, [""; 0], "{message:?}");
            assert_eq!(message.is_datagram, self.over == Over::Udp);
        }
        let callers = self.legs(self.caller);
        let peers = self.legs(self.peer);
        assert_eq!((callers.len(), peers.len()), (CALLS, CALLS));
        let mut names = BTreeSet::new();
        for leg in callers.iter().chain(&peers) {
            leg.is_a_dialog();
            names.extend([leg.name("sip.Call-ID"), leg.name("sip.from.tag"), leg.tag()]);
        }
        assert_eq!(
            names.len(),
            3 * 2 * CALLS,
            "each leg has names of its own: {names:?}"
        );
        for (caller, peer) in callers.iter().zip(&peers) {
            self.check_call(caller, peer);
        }
    }

    /// The calls at this port, in their order.
    fn legs(&self, port: u16) -> Vec<Leg<'_>> {
        let here = |message: &&Message| message.source == port || message.destination == port;
        let mut legs: Vec<Leg<'_>> = Vec::new();
        for message in self.messages.iter().filter(here) {
            let name = message.get("sip.Call-ID");
            match legs.iter_mut().find(|leg| leg.name("sip.Call-ID") == name) {
                Some(leg) => leg.messages.push(message),
                None => legs.push(Leg {
                    messages: vec![message],
                }),
            }
        }
        legs
    }

    fn check_call(&self, caller: &Leg<'_>, peer: &Leg<'_>) {
        let (came, went) = (caller.request("INVITE"), peer.request("INVITE"));
        assert_eq!(came.get("sip.Max-Forwards"), "70");
        assert_eq!(went.get("sip.Max-Forwards"), "69");
        assert_eq!(went.get("sip.r-uri.user"), "conference");
        assert_eq!(went.get("sip.r-uri.port"), self.peer.to_string());
        for kept in ["sip.from.addr", "sip.from.display.info", "sip.to.addr"] {
            assert_eq!(went.get(kept), came.get(kept), "{kept}");
        }
        for own in [
            "sip.Via.branch",
            "sip.contact.user",
            "sip.from.tag",
            "sip.Call-ID",
        ] {
            assert_ne!(went.get(own), came.get(own), "{own}");
        }
        assert_eq!(went.count("sip.Via"), 1, "it starts a new path");
        for message in caller.messages.iter().chain(&peer.messages) {
            if message.source != self.caller && message.source != self.peer {
                self.is_of_the_node(message);
            }
        }
        for (one, other) in [(caller, peer), (peer, caller)] {
            same_bodies(one, other);
        }
        for response in &caller.messages {
            if response
                .status()
                .is_some_and(|status| status > 100 && is_of_invite(response))
                && response.get("sip.Status-Code") != "487"
            {
                let passed = |from: &&&Message| {
                    is_of_invite(from)
                        && from.find("sip.Status-Line") == response.find("sip.Status-Line")
                };
                assert!(peer.messages.iter().any(|m| passed(&m)), "{response:?}");
            }
        }
    }

    /// What a message that the node wrote says of the node.
    fn is_of_the_node(&self, message: &Message) {
        let transport = if self.over == Over::Udp { "UDP" } else { "TCP" };
        let node = self.node.to_string();
        assert_eq!(message.get("sip.Via.transport"), transport);
        let own = if message.method().is_some() {
            assert!(message.get("sip.Via.branch").starts_with("z9hG4bK"));
            node.clone()
        } else {
            self.caller_or_peer(message).to_string()
        };
        assert_eq!(message.get("sip.Via.sent-by.port"), own, "{message:?}");
        if let Some(port) = message.find("sip.contact.port") {
            assert_eq!(port, node);
            assert_eq!(message.get("sip.contact.host"), "127.0.0.1");
        }
        let makes_dialog = is_of_invite(message)
            && message
                .status()
                .is_none_or(|status| (101..300).contains(&status));
        assert_eq!(
            message.count("sip.Contact"),
            usize::from(makes_dialog),
            "{message:?}"
        );
        assert_eq!(message.count("sip.Content-Length"), 1);
    }

    /// Who asked for this answer of the node.
    fn caller_or_peer(&self, message: &Message) -> u16 {
        if message.destination == self.peer {
            self.peer
        } else {
            self.caller
        }
    }
}

impl<'a> Leg<'a> {
    /// One Call-ID, one pair of tags, and a CSeq that says what each message is about.
    fn is_a_dialog(&self) {
        let mut cseqs: Vec<(u16, u32, String)> = Vec::new();
        for message in &self.messages {
            let (seq, method) = (message.get("sip.CSeq.seq"), message.get("sip.CSeq.method"));
            let seq: u32 = seq.parse().expect("a number");
            if let Some(requested) = message.method() {
                assert_eq!(requested, method);
                if method != "ACK" && method != "CANCEL" {
                    let earlier = cseqs.iter().filter(|(from, ..)| *from == message.source);
                    assert!(
                        earlier.max().is_none_or(|(_, last, _)| *last < seq),
                        "{message:?}"
                    );
                    cseqs.push((message.source, seq, method.to_owned()));
                } else {
                    assert_eq!(seq, self.invite_seq(), "{message:?}");
                }
            } else {
                let branch = message.get("sip.Via.branch");
                let asked = self.messages.iter().any(|request| {
                    request.method() == Some(method)
                        && request.get("sip.Via.branch") == branch
                        && request.get("sip.CSeq.seq") == message.get("sip.CSeq.seq")
                });
                assert!(asked, "an answer to nothing: {message:?}");
            }
            let tags = [message.find("sip.from.tag"), message.find("sip.to.tag")];
            let known = [self.name("sip.from.tag"), self.tag()];
            for tag in tags.into_iter().flatten() {
                assert!(
                    known.contains(&tag.to_owned()),
                    "{tag} of {known:?}: {message:?}"
                );
            }
        }
    }

    fn invite_seq(&self) -> u32 {
        self.request("INVITE")
            .get("sip.CSeq.seq")
            .parse()
            .expect("a number")
    }

    fn request(&self, method: &str) -> &'a Message {
        let mut messages = self.messages.iter();
        messages
            .find(|message| message.method() == Some(method))
            .expect("a leg has the requests of its kind")
    }

    /// What its first message, the INVITE, says.
    fn name(&self, field: &str) -> String {
        self.messages
            .first()
            .expect("a leg has messages")
            .get(field)
            .to_owned()
    }

    /// The tag of who was called.
    fn tag(&self) -> String {
        let mut tags = self
            .messages
            .iter()
            .filter_map(|message| message.find("sip.to.tag"));
        tags.next().expect("somebody answered").to_owned()
    }
}

fn is_of_invite(message: &Message) -> bool {
    message.get("sip.CSeq.method") == "INVITE"
}

/// Every session description that came on one leg stands in the same kind of message on the other.
fn same_bodies(one: &Leg<'_>, other: &Leg<'_>) {
    for message in &one.messages {
        let Some(owner) = message.find("sdp.owner") else {
            continue;
        };
        let same = other.messages.iter().any(|passed| {
            passed.method() == message.method()
                && passed.status() == message.status()
                && passed.find("sdp.owner") == Some(owner)
                && passed.find("sdp.session_name") == message.find("sdp.session_name")
                && passed.find("sdp.media") == message.find("sdp.media")
                && passed.get("sip.Content-Length") == message.get("sip.Content-Length")
        });
        assert!(same, "{message:?}");
    }
}

fn call() -> Scenario {
    Scenario::own("call")
}

fn answer() -> Scenario {
    Scenario::own("answer").with("ringing", "10")
}

fn cancel() -> Scenario {
    let until = "<recv response=\"100\" optional=\"true\"/>\n  <recv response=\"180\"/>";
    Scenario::own("cancel").with("until", until)
}

fn cancelled() -> Scenario {
    Scenario::own("cancelled").with("delay", "0")
}
