//! baresip calls baresip through the real program: calls with real media, held and resumed, hung up by
//! either side. Media goes directly between the two, as the offers say that the node passes.
#![cfg(target_os = "linux")]

mod interop;

use interop::baresip::{Answers, Baresip};
use interop::capture::{Capture, Message};
use interop::certificates::Certificates;
use interop::installed;
use interop::node::{self, Node};
use interop::stage::Stage;
use std::collections::BTreeSet;
use std::net::SocketAddr;

#[test]
fn calls_over_udp() {
    play("baresip-udp", Over::Udp);
}

#[test]
fn calls_over_tcp() {
    play("baresip-tcp", Over::Tcp);
}

/// Each shows a certificate of the same authority, and the node looks at that of the bridge.
#[test]
fn calls_over_tls() {
    play("baresip-tls", Over::Tls);
}

#[test]
fn calls_that_ring_over_udp() {
    ring("baresip-ring-udp", Over::Udp);
}

#[test]
fn calls_that_ring_over_tcp() {
    ring("baresip-ring-tcp", Over::Tcp);
}

#[test]
fn calls_that_ring_over_tls() {
    ring("baresip-ring-tls", Over::Tls);
}

/// The bridge refers the caller to another call, by way of the node: REFER goes one way, what becomes of it
/// the other way, and the first call ends.
#[test]
fn a_call_is_referred() {
    if !installed(&["baresip"]) {
        return;
    }
    let stage = Stage::calm("baresip-refer");
    let mut pair = Pair::new(&stage, Over::Udp, Answers::AtOnce);
    pair.establish();
    let target = format!("sip:bridge@{};transport=udp", pair.address());
    pair.bridge.order("transfer", &target);
    pair.caller.hears_of("TRANSFER");
    pair.is_established();
    pair.is_over();
    pair.caller.order("hangup", "");
    pair.is_over();
    pair.has_counted(&[("begun", 2), ("answered", 2), ("ended", 2)]);
    pair.end();
}

/// The same where the REFER ends at the node: it calls the target without an offer, brings that one's offer to the
/// caller, and hangs the bridge up.
#[test]
fn a_referred_call_ends_here_over_udp() {
    refer_to_another("baresip-terminate-udp", Over::Udp, Party::Bridge);
}

#[test]
fn a_referred_call_ends_here_over_tcp() {
    refer_to_another("baresip-terminate-tcp", Over::Tcp, Party::Bridge);
}

/// It is the caller who refers the bridge to another one, and goes.
#[test]
fn a_caller_refers_its_bridge() {
    refer_to_another("baresip-terminate-caller", Over::Udp, Party::Caller);
}

/// Wireshark finds nothing wrong with either leg, and sees what holding means on both.
#[test]
fn calls_are_well_formed_over_udp() {
    capture("baresip-captured-udp", Over::Udp);
}

#[test]
fn calls_are_well_formed_over_tcp() {
    capture("baresip-captured-tcp", Over::Tcp);
}

/// Offer and answer: the call, held and resumed by the caller, held and resumed by the bridge.
const DIRECTIONS: [&str; 10] = [
    "sendrecv", "sendrecv", "sendonly", "recvonly", "sendrecv", "sendrecv", "sendonly", "recvonly",
    "sendrecv", "sendrecv",
];

/// What carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Tcp,
    Tls,
    Udp,
}

impl Over {
    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Udp => "udp",
        }
    }
}

/// Who refers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Party {
    Bridge,
    Caller,
}

/// One party refers the other one to a third, the REFER ends at the node, and the two talk then.
fn refer_to_another(name: &str, over: Over, who: Party) {
    if !installed(&["baresip"]) {
        return;
    }
    let stage = Stage::calm(name);
    let start = |name| Baresip::start(&stage, name, Answers::AtOnce, None);
    let (caller, bridge, mut other) = (start("caller"), start("bridge"), start("other"));
    let peers: String = [("bridge", bridge.port), ("other", other.port)]
        .map(|(name, port)| {
            format!(
                "[[pool]]\nname = \"{name}\"\n\
                 [[peer]]\nname = \"{name}\"\nat = \"same:127.0.0.1:{port}\"\n\
                 sessions_max = 8\npool = \"{name}\"\n\
                 [[alias]]\nname = \"{name}\"\npattern = '{name}@.*'\npools = [\"{name}\"]\n"
            )
        })
        .concat();
    let zone = "[[zone]]\nname = \"lab\"\nfrom = [\"127.0.0.0/8\"]\nrefer = \"terminate\"\n";
    let rest = format!("[health]\nprobe = false\n{zone}{peers}");
    let node = Node::start_with(&stage, "baton", 1, "", &rest);
    let mut pair = Pair {
        caller,
        bridge,
        node,
        over,
    };
    pair.establish();
    let target = format!("sip:other@{};transport={}", pair.address(), over.name());
    let (goes, stays) = match who {
        Party::Bridge => (&mut pair.bridge, &mut pair.caller),
        Party::Caller => (&mut pair.caller, &mut pair.bridge),
    };
    goes.order("transfer", &target);
    // The target makes the offer.
    stays.says("got re-INVITE (SDP Offer)");
    goes.hears_of("CALL_CLOSED");
    other.hears_of("CALL_ESTABLISHED");
    other.hears_of("CALL_RTPESTAB");
    pair.node.is_well();
    stays.order("hangup", "");
    stays.hears_of("CALL_CLOSED");
    other.hears_of("CALL_CLOSED");
    pair.has_counted(&[("begun", 1), ("answered", 1), ("ended", 1)]);
    pair.node
        .reaches("baton_sip_events_total{event=\"transfers\"}", 1);
    other.end();
    pair.end();
}

/// Two that talk, and the node between them.
struct Pair {
    caller: Baresip,
    bridge: Baresip,
    node: Node,
    over: Over,
}

/// A call that the caller ends, one that the bridge ends, and one that both hold and resume.
fn play(name: &str, over: Over) {
    if !installed(&["baresip"]) {
        return;
    }
    let stage = Stage::calm(name);
    let mut pair = Pair::new(&stage, over, Answers::AtOnce);
    pair.establish();
    pair.caller.order("hangup", "");
    pair.is_over();
    pair.establish();
    pair.bridge.order("hangup", "");
    pair.is_over();
    pair.establish();
    pair.hold_and_resume();
    pair.caller.order("hangup", "");
    pair.is_over();
    pair.has_counted(&[("begun", 3), ("answered", 3), ("ended", 3)]);
    if over == Over::Tls {
        // The bridge's; the caller's is not asked for.
        let certified = "baton_socket_events_total{event=\"tls_certified\"}";
        assert!(pair.node.figure(certified) > 0);
    }
    pair.end();
}

/// A call that the caller gives up while it rings, one that the bridge declines, and one that it takes.
fn ring(name: &str, over: Over) {
    if !installed(&["baresip"]) {
        return;
    }
    let stage = Stage::calm(name);
    let mut pair = Pair::new(&stage, over, Answers::WhenTold);
    for who in ["caller", "bridge"] {
        pair.ring();
        match who {
            "caller" => pair.caller.order("hangup", ""),
            _ => pair.bridge.order("hangup", ""),
        }
        pair.is_over();
    }
    pair.ring();
    pair.bridge.order("accept", "");
    pair.is_established();
    pair.caller.order("hangup", "");
    pair.is_over();
    pair.has_counted(&[("begun", 3), ("answered", 1), ("ended", 3)]);
    pair.end();
}

/// A call with everything, as it went over the wire.
fn capture(name: &str, over: Over) {
    if !installed(&["baresip", "tshark", "dumpcap"]) {
        return;
    }
    let stage = Stage::calm(name);
    let mut pair = Pair::new(&stage, over, Answers::AtOnce);
    let node = pair.address().port();
    let ports = [pair.caller.port, node, pair.bridge.port];
    let Some(capture) = Capture::start_on(&stage, &ports) else {
        return;
    };
    pair.establish();
    pair.hold_and_resume();
    pair.bridge.order("hangup", "");
    pair.is_over();
    let is_end = |message: &&Message| {
        message.status() == Some(200) && message.find("sip.CSeq.method") == Some("BYE")
    };
    let messages = capture.finish_when(|messages| messages.iter().filter(is_end).count() == 2);
    pair.end();
    for message in &messages {
        assert_eq!(message.faults, [""; 0], "{message:?}");
    }
    let legs: BTreeSet<&str> = messages.iter().map(|m| m.get("sip.Call-ID")).collect();
    assert_eq!(legs.len(), 2);
    for leg in legs {
        let messages = messages.iter().filter(|m| m.get("sip.Call-ID") == leg);
        assert_eq!(directions(messages), DIRECTIONS);
    }
}

/// Which way media is to go by each offer and answer, repetitions left out.
fn directions<'a>(messages: impl Iterator<Item = &'a Message>) -> Vec<&'static str> {
    let mut seen = BTreeSet::new();
    let new = messages.filter(|m| m.find("sdp.owner").is_some_and(|owner| seen.insert(owner)));
    let direction = |message: &Message| {
        let mut directions = ["sendrecv", "sendonly", "recvonly"].into_iter();
        directions.find(|direction| message.has("sdp.media_attr", direction))
    };
    new.map(|message| direction(message).expect("a direction"))
        .collect()
}

impl Pair {
    fn new(stage: &Stage, over: Over, answers: Answers) -> Self {
        let certificates = (over == Over::Tls).then(|| Certificates::new(stage));
        let certificates = certificates.as_ref();
        let caller = Baresip::start(stage, "caller", Answers::AtOnce, certificates);
        let bridge = Baresip::start(stage, "bridge", answers, certificates);
        let node = match certificates {
            None => stage.node(bridge.port),
            Some(certificates) => {
                let tls = certificates.of_a_node();
                // One above its other port.
                let rest = format!("{tls}{}", node::peers(&[bridge.port + 1]));
                Node::start_with(stage, "baton", 2, ", \"tls:127.0.0.1:0\"", &rest)
            }
        };
        Self {
            caller,
            bridge,
            node,
            over,
        }
    }

    /// Where the caller finds the node.
    fn address(&self) -> SocketAddr {
        match self.over {
            Over::Tcp => self.node.tcp,
            Over::Tls => self.node.tls.expect("it listens"),
            Over::Udp => self.node.udp,
        }
    }

    fn end(self) {
        self.node.ends_with_nothing_left();
        self.caller.end();
        self.bridge.end();
    }

    /// The bridge takes the call at once.
    fn establish(&mut self) {
        self.dial();
        self.is_established();
    }

    /// Both say that it rings.
    fn ring(&mut self) {
        self.dial();
        self.caller.hears_of("CALL_RINGING");
        self.bridge.hears_of("CALL_INCOMING");
    }

    fn dial(&mut self) {
        let (node, over) = (self.address(), self.over.name());
        self.caller.dial("bridge", node, over);
    }

    /// Both say that the call stands, and that media arrives.
    fn is_established(&mut self) {
        let legs = [&mut self.caller, &mut self.bridge].map(|party| {
            party.hears_of("CALL_REMOTE_SDP");
            let established = party.hears_of("CALL_ESTABLISHED");
            party.hears_of("CALL_RTPESTAB");
            let (_, id) = established.split_once("\"id\":\"").expect("a Call-ID");
            id.split('"').next().expect("its end").to_owned()
        });
        assert_ne!(legs[0], legs[1], "each leg has a Call-ID of its own");
    }

    /// The node has counted so many calls by what happened to them.
    fn has_counted(&self, counts: &[(&str, u64)]) {
        for (event, count) in counts {
            let name = format!("baton_calls_total{{event=\"{event}\"}}");
            self.node.reaches(&name, *count);
        }
    }

    /// Each side in turn holds and resumes; the other one is asked, and agrees.
    fn hold_and_resume(&mut self) {
        let Self { caller, bridge, .. } = self;
        for order in ["hold", "resume"] {
            re_offer(caller, bridge, order);
        }
        for order in ["hold", "resume"] {
            re_offer(bridge, caller, order);
        }
    }

    /// Both say that the call has ended.
    fn is_over(&mut self) {
        for party in [&mut self.caller, &mut self.bridge] {
            party.hears_of("CALL_CLOSED");
        }
        self.node.is_well();
    }
}

/// One offers again, the other one answers.
fn re_offer(from: &mut Baresip, to: &mut Baresip, order: &str) {
    from.order(order, "");
    to.says("got re-INVITE (SDP Offer)");
    let offer = to.hears_of("CALL_REMOTE_SDP");
    assert!(offer.contains("\"param\":\"offer\""), "{offer}");
    let answer = from.hears_of("CALL_REMOTE_SDP");
    assert!(answer.contains("\"param\":\"answer\""), "{answer}");
}
