//! baresip calls baresip through the real program: calls with real media, held and resumed, hung up by
//! either side. Media goes directly between the two, as the offers say that the node passes.
#![cfg(target_os = "linux")]

mod interop;

use interop::baresip::Baresip;
use interop::installed;
use interop::node::Node;
use interop::sipp::Over;
use interop::stage::Stage;

#[test]
fn calls_over_udp() {
    play("baresip-udp", Over::Udp);
}

#[test]
fn calls_over_tcp() {
    play("baresip-tcp", Over::Tcp);
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
    let caller = Baresip::start(&stage, "caller");
    let bridge = Baresip::start(&stage, "bridge");
    let node = stage.node(bridge.port);
    let mut pair = Pair {
        caller,
        bridge,
        node,
        over,
    };
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
    pair.node.ends_with_nothing_left();
    pair.caller.end();
    pair.bridge.end();
}

impl Pair {
    /// Both say that the call stands, and that media arrives.
    fn establish(&mut self) {
        let node = self.node.address(self.over);
        self.caller.dial("bridge", node, self.over);
        let legs = [&mut self.caller, &mut self.bridge].map(|party| {
            party.hears_of("CALL_REMOTE_SDP");
            let established = party.hears_of("CALL_ESTABLISHED");
            party.hears_of("CALL_RTPESTAB");
            let (_, id) = established.split_once("\"id\":\"").expect("a Call-ID");
            id.split('"').next().expect("its end").to_owned()
        });
        assert_ne!(legs[0], legs[1], "each leg has a Call-ID of its own");
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
