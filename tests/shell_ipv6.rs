//! A call through `[::1]` on each transport, and across two of them.

mod shell_world;
mod tls_world;

use shell_world::{Call, Node, Tcp, Udp, Wire, establish, hang_up, offer};
use std::net::{SocketAddr, TcpListener};
use tls_world::{Authority, Tls, client, server};

/// A node that listens on `[::1]` only and calls a peer there.
fn node(authority: &Authority, transport: &str, peer: SocketAddr) -> Node {
    let (certificate, key) = authority.issue("node", &["::1"]);
    let ca = authority.file();
    Node::of(&format!(
        "[sip]\nlisten = [\"udp:[::1]:0\", \"tcp:[::1]:0\", \"tls:[::1]:0\"]\n\
         [[peer]]\nname = \"peer\"\nat = \"{transport}:{peer}\"\nsessions_max = 10\n\
         [health]\nprobe = false\n\
         [tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\nca = \"{ca}\"\n"
    ))
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("[::1]:0").expect("IPv6 on loopback");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// The rest of a call that was offered.
fn talk(mut call: Call, caller: &mut impl Wire, peer: &mut impl Wire) {
    establish(&mut call, caller, peer);
    hang_up(&mut call, caller, peer);
}

#[test]
fn a_call_over_udp() {
    let authority = Authority::new("ipv6-udp");
    let mut peer = Udp::on("[::1]:0");
    let node = node(&authority, "udp", peer.local());
    let mut caller = Udp {
        remote: Some(node.udp),
        ..Udp::on("[::1]:0")
    };
    let mut call = Call::new("udp", &caller);
    offer(&mut call, &mut caller);
    talk(call, &mut caller, &mut peer);
}

#[test]
fn a_call_over_tcp() {
    let authority = Authority::new("ipv6-tcp");
    let (listener, address) = listener();
    let node = node(&authority, "tcp", address);
    let mut caller = Tcp::to(node.tcp);
    let mut call = Call::new("tcp", &caller);
    offer(&mut call, &mut caller);
    talk(call, &mut caller, &mut Tcp::accept(&listener));
}

#[test]
fn a_call_over_tls() {
    let authority = Authority::new("ipv6-tls");
    let (listener, address) = listener();
    let node = node(&authority, "tls", address);
    let mut caller = Tls::to(node.tls(), client(&authority, None), "::1");
    let mut call = Call::new("tls", &caller);
    offer(&mut call, &mut caller);
    let mut peer = Tls::accept(&listener, server(&authority, &["::1"]));
    talk(call, &mut caller, &mut peer);
}

#[test]
fn a_call_from_udp_to_tls() {
    let authority = Authority::new("ipv6-across");
    let (listener, address) = listener();
    let node = node(&authority, "tls", address);
    let mut caller = Udp {
        remote: Some(node.udp),
        ..Udp::on("[::1]:0")
    };
    let mut call = Call::new("across", &caller);
    offer(&mut call, &mut caller);
    let mut peer = Tls::accept(&listener, server(&authority, &["::1"]));
    talk(call, &mut caller, &mut peer);
}
