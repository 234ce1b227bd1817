//! What the policy service promises and the trunk keeps: calls over both come to the same meeting.
#![cfg(target_os = "linux")]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;
mod policy_world;

use policy_world::{Node, PATIENCE};
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// A caller or a bridge.
struct Phone {
    socket: UdpSocket,
}

impl Phone {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        Self { socket }
    }

    fn at(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn ask(&self, node: SocketAddr, method: &str, uri: &str) {
        let at = self.at();
        let call = format!("{}-{}", uri.replace(['@', ':'], "-"), at.port());
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{method}{call}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:caller@example.com>;tag=1\r\nTo: <{uri}>\r\n\
             Call-ID: {method}-{call}\r\nCSeq: 1 {method}\r\nContact: <sip:{at}>\r\n\
             Content-Length: 0\r\n\r\n"
        );
        self.socket.send_to(text.as_bytes(), node).unwrap();
    }

    /// The next message that begins with this, and where it came from.
    fn hear(&self, start: &str) -> (String, SocketAddr) {
        let until = Instant::now() + PATIENCE;
        let mut octets = [0; 4096];
        while Instant::now() < until {
            match self.socket.recv_from(&mut octets) {
                Ok((length, from)) => {
                    let text = String::from_utf8_lossy(&octets[..length]).into_owned();
                    if text.starts_with(start) {
                        return (text, from);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("nothing that begins with {start}");
    }

    /// Answers an INVITE with 200.
    fn answer(&self, (request, from): &(String, SocketAddr)) {
        let fields = ["Via: ", "From: ", "Call-ID: ", "CSeq: "];
        let mut lines: Vec<&str> = request.lines().collect();
        lines.retain(|line| fields.iter().any(|field| line.starts_with(field)));
        let to = request
            .lines()
            .find(|line| line.starts_with("To: "))
            .unwrap();
        let text = format!(
            "SIP/2.0 200 OK\r\n{}\r\n{to};tag=b\r\nContact: <sip:{}>\r\nContent-Length: 0\r\n\r\n",
            lines.join("\r\n"),
            self.at()
        );
        self.socket.send_to(text.as_bytes(), from).unwrap();
    }
}

/// A node whose only bridge of the first pool is this phone.
fn node(name: &str, bridge: &Phone, more: &str) -> (Node, SocketAddr) {
    let mut node = Node::start(name, |config, _| {
        let config = config
            .replace("udp:127.0.0.1:5102", &format!("udp:{}", bridge.at()))
            .replace("[policy]\n", &format!("[policy]\n{more}"));
        config.replacen("sessions_max = 60", "sessions_max = 0", 1)
    });
    let line = node.process.wait_for("listening on udp:", PATIENCE);
    let (_, at) = line.split_once("udp:").unwrap();
    let at = at.parse().unwrap();
    (node, at)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap()
}

#[test]
fn a_caller_by_policy_and_one_over_the_trunk_meet() {
    let bridge = Phone::new();
    let (node, at) = node("policy-meet", &bridge, "");
    // Over the trunk, by the alias of the conference.
    let first = Phone::new();
    first.ask(at, "INVITE", "sip:meet.sales@example.com");
    let invite = bridge.hear("INVITE");
    bridge.answer(&invite);
    first.hear("SIP/2.0 200");
    // By policy: the VCS is told the alias of the bridge, and calls it over the trunk.
    let alias = node.door.search("meet.sales@example.com", "one");
    assert!(
        alias.starts_with("6002") && alias.ends_with("@bridges.example.com"),
        "{alias}"
    );
    let second = Phone::new();
    second.ask(at, "INVITE", &format!("sip:{alias}"));
    let (again, _) = bridge.hear(&first_line(&invite.0).replace("SIP/2.0", ""));
    let (user, _) = alias.split_once('@').unwrap();
    let called = format!("INVITE sip:{user}@{} SIP/2.0", bridge.at());
    assert_eq!(
        (first_line(&invite.0), first_line(&again)),
        (&*called, &*called)
    );
    node.ends();
}

#[test]
fn what_was_promised_is_kept_while_the_node_drains() {
    let bridge = Phone::new();
    let (mut node, at) = node("policy-drain", &bridge, "lease_seconds = 30\n");
    let early = node.door.search("meet.sales@example.com", "one");
    node.process.terminate();
    node.process.wait_for("stopping: no new calls", PATIENCE);
    // The VCS has not seen yet that the status has turned, and asks once more.
    let late = node.door.search("meet.other@example.com", "two");
    let caller = Phone::new();
    caller.ask(at, "OPTIONS", "sip:meet.sales@example.com");
    caller.hear("SIP/2.0 503");
    for alias in [early, late] {
        caller.ask(at, "INVITE", &format!("sip:{alias}"));
        let invite = bridge.hear("INVITE");
        bridge.answer(&invite);
        caller.hear("SIP/2.0 200");
        // The promise is kept once, and nobody else is let in.
        let stranger = Phone::new();
        stranger.ask(at, "INVITE", &format!("sip:{alias}"));
        let (refused, _) = stranger.hear("SIP/2.0 5");
        assert!(
            refused.contains("503") && refused.contains("Retry-After"),
            "{refused}"
        );
    }
    node.process.terminate();
    assert_eq!(
        node.process.wait(PATIENCE),
        Some(0),
        "{}",
        node.process.last_words()
    );
}
