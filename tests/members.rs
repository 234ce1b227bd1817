//! Two nodes that share a peer: neither fills what the other has taken, whoever lies on their port.

mod shell_world;

use shell_world::{Call, Node, PATIENCE, Udp, Wire, establish, hang_up, offer};
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Instant;

/// A port that is free now: members must know each other's before either has opened its own.
fn free_port() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address")
}

fn key_file() -> PathBuf {
    let file = std::env::temp_dir().join(format!("baton-members-{}.key", std::process::id()));
    fs::write(&file, "a key that only tests know\n").expect("a file");
    file
}

/// A node called `name` at `here`, whose other member is `other` at `there`.
fn node((name, here): (&str, SocketAddr), (other, there): (&str, SocketAddr), peer: &Udp) -> Node {
    Node::of(&format!(
        "[node]\nname = \"{name}\"\nworkers = 1\n\
         [sip]\nlisten = [\"udp:127.0.0.1:0\", \"tcp:127.0.0.1:0\"]\n[health]\nprobe = false\n\
         [[peer]]\nname = \"bridge\"\nat = \"udp:{}\"\nsessions_max = 2\n\
         [cluster]\nname = \"lab\"\nlisten = \"{here}\"\nkey_file = \"{}\"\n\
         [[cluster.member]]\nname = \"{other}\"\naddress = \"{there}\"\n",
        peer.local(),
        key_file().display(),
    ))
}

fn wait_for_elsewhere(node: &Node, wanted: u32) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, elsewhere) = node.handle.sessions("bridge").expect("the peer");
        if elsewhere == wanted {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{elsewhere} elsewhere, {wanted} wanted"
        );
        std::thread::yield_now();
    }
}

#[test]
fn what_one_has_taken_the_other_does_not_give_away() {
    let mut peer = Udp::new();
    let (a, b) = (free_port(), free_port());
    let first = node(("a", a), ("b", b), &peer);
    let second = node(("b", b), ("a", a), &peer);
    // Somebody who is no member, and one who sends what no member sends.
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for octets in [&b"\x0e\x40\x00\x00"[..], b"", &[0x5c; 1_500]] {
        stranger.send_to(octets, a).expect("loopback");
    }
    let mut callers: Vec<(Call, Udp)> = (0..2)
        .map(|number| {
            let mut caller = Udp::to(first.udp);
            let mut call = Call::new(&format!("first-{number}"), &caller);
            offer(&mut call, &mut caller);
            establish(&mut call, &mut caller, &mut peer);
            (call, caller)
        })
        .collect();
    wait_for_elsewhere(&second, 2);
    let mut late = Udp::to(second.udp);
    let mut call = Call::new("late", &late);
    offer(&mut call, &mut late);
    let refused = late.receive();
    assert!(
        refused.start().starts_with("SIP/2.0 4") || refused.start().starts_with("SIP/2.0 6"),
        "no room is left: {}",
        refused.start()
    );
    let ack = call.request("ACK");
    late.send(&ack);
    // One of the first two goes: now there is room.
    let (mut ended, mut caller) = callers.remove(0);
    hang_up(&mut ended, &mut caller, &mut peer);
    wait_for_elsewhere(&second, 1);
    let mut caller = Udp::to(second.udp);
    let mut call = Call::new("later", &caller);
    offer(&mut call, &mut caller);
    establish(&mut call, &mut caller, &mut peer);
    wait_for_elsewhere(&first, 1);
    // The first node goes; its call is not forgotten.
    drop(first);
    assert_eq!(second.handle.sessions("bridge"), Some((1, 1)));
}
