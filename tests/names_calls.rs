//! Calls to peers by name, with a name server that nobody here wrote (dnsmasq), through the real
//! program.
#![cfg(target_os = "linux")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;

use interop::installed;
use interop::nameserver::NameServer;
use interop::node::Node;
use interop::ports;
use interop::scenario::Scenario;
use interop::sipp::Over;
use interop::stage::Stage;
use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// No event takes longer, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// sipp calls sipp; the node knows the peer's domain and nothing else.
#[test]
fn whole_calls_to_a_domain() {
    if !installed(&["dnsmasq", "sipp"]) {
        return;
    }
    let stage = Stage::calm("domain");
    let mut peer = stage
        .sipp(Scenario::BuiltIn("uas"), Over::Tcp, 100)
        .answer();
    let port = peer.port;
    let server = NameServer::start(
        &stage,
        &format!(
            "naptr-record=bridges.test,10,50,s,SIP+D2T,,_sip._tcp.bridges.test\n\
             srv-host=_sip._tcp.bridges.test,a.bridges.test,{port},10,5\n\
             host-record=a.bridges.test,127.0.0.1"
        ),
    );
    let mut node = start(&stage, &server, "at = \"sip:bridges.test\"");
    node.process().wait_for("found by name", PATIENCE);
    let caller = stage.sipp(Scenario::BuiltIn("uac"), Over::Tcp, 100);
    caller.call(node.tcp).succeeds();
    peer.succeeds();
    node.ends_with_nothing_left();
}

#[test]
fn a_name_that_leads_elsewhere_leads_the_next_calls_elsewhere() {
    let Some(stage) = stage("moved") else { return };
    let peers = [Peer::start(), Peer::start()];
    let mut server = NameServer::start(&stage, &srv(&peers[..1]));
    let mut node = start(&stage, &server, "at = \"udp:bridges.test\"");
    node.process().wait_for("found by name", PATIENCE);
    let caller = Caller::new();
    assert_eq!(caller.call(&node).heard_by(&peers), [0]);
    server.serve(&srv(&peers[1..]));
    // Calls go on all the while, each to the one or to the other.
    caller.call_until(&node, |call| call.heard_by(&peers) == [1]);
    // A name service that is down changes nothing.
    server.stop();
    let said = "the name service does not answer: what it said last is used";
    node.process().wait_for(said, PATIENCE);
    assert_eq!(caller.call(&node).heard_by(&peers), [1]);
    server.serve(&srv(&peers[..1]));
    caller.call_until(&node, |call| call.heard_by(&peers) == [0]);
    // That the name does not exist any more is an answer.
    server.serve("");
    node.process()
        .wait_for("no address: the name does not exist", PATIENCE);
    assert_eq!(caller.call(&node).status, 504);
    server.serve(&srv(&peers));
    caller.call_until(&node, |call| call.status == 404);
    node.is_well();
}

#[test]
fn a_node_starts_without_a_name_service() {
    let Some(stage) = stage("late") else { return };
    let peers = [Peer::start()];
    let mut server = NameServer::down(&stage);
    let mut node = start(&stage, &server, "at = \"udp:bridges.test\"");
    node.process()
        .wait_for("no address: the name service does not answer", PATIENCE);
    let caller = Caller::new();
    assert_eq!(caller.call(&node).status, 504);
    server.serve(&srv(&peers));
    node.process().wait_for("found by name", PATIENCE);
    assert_eq!(caller.call(&node).heard_by(&peers), [0]);
}

#[test]
fn each_host_of_a_set_is_a_peer() {
    let Some(stage) = stage("set") else { return };
    let peers = [Peer::start(), Peer::start(), Peer::start()];
    let mut server = NameServer::start(&stage, &srv(&peers[..2]));
    let set = "at = \"udp:bridges.test\"\nlookup = \"srv\"";
    let mut node = start(&stage, &server, set);
    node.process().wait_for("found by name", PATIENCE);
    let caller = Caller::new();
    let mut heard = BTreeSet::new();
    while heard.len() < 2 {
        heard.extend(caller.call(&node).heard_by(&peers));
    }
    assert_eq!(heard, BTreeSet::from([0, 1]));
    server.serve(&srv(&peers[1..]));
    node.process().wait_for("left the set", PATIENCE);
    heard.clear();
    while heard.len() < 2 {
        heard.extend(caller.call(&node).heard_by(&peers));
    }
    assert_eq!(heard, BTreeSet::from([1, 2]));
    // A reload forgets none of them, not even while the name service is down.
    server.stop();
    let file = stage.file("names.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replace("sessions_max = 1000", "sessions_max = 900"),
    )
    .unwrap();
    node.process().signal("HUP");
    let taken_over = "the configuration was taken over";
    node.process().wait_for(taken_over, PATIENCE);
    heard.clear();
    while heard.len() < 2 {
        heard.extend(caller.call(&node).heard_by(&peers));
    }
    assert_eq!(heard, BTreeSet::from([1, 2]));
}

#[test]
fn the_static_map_needs_no_server() {
    let stage = Stage::calm("static");
    let peers = [Peer::start()];
    let port = peers[0].address.port();
    let server = NameServer::down(&stage);
    let map = format!(
        "at = \"udp:bridge.example.com:{port}\"\n[[dns.host]]\nname = \"bridge.example.com\"\n\
         addresses = [\"127.0.0.1\"]"
    );
    let mut node = start(&stage, &server, &map);
    node.process().wait_for("found by name", PATIENCE);
    assert_eq!(Caller::new().call(&node).heard_by(&peers), [0]);
}

/// `None`: said so.
fn stage(name: &str) -> Option<Stage> {
    installed(&["dnsmasq"]).then(|| Stage::calm(name))
}

/// A node that asks this server for its one entry of peers.
fn start(stage: &Stage, server: &NameServer<'_>, entry: &str) -> Node {
    let server = server.address();
    let text = format!(
        "[[peer]]\nname = \"bridge\"\nsessions_max = 1000\n{entry}\n\
         [dns]\nservers = [\"{server}\"]\ntimeout_ms = 500\nattempts = 1\nttl_seconds_min = 1\n\
         negative_seconds_max = 1\n"
    );
    // A table that the entry ends with comes after `[dns]`.
    let text = match text.split_once("[[dns.host]]") {
        Some((entry, rest)) => {
            let (host, dns) = rest.split_once("[dns]").unwrap();
            format!("{entry}[dns]{dns}[[dns.host]]{host}")
        }
        None => text,
    };
    Node::start_with(stage, "names", 1, "", &text)
}

/// Each peer is a host of the domain, all alike.
fn srv(peers: &[Peer]) -> String {
    let record = |peer: &Peer| {
        let port = peer.address.port();
        format!(
            "srv-host=_sip._udp.bridges.test,h{port}.bridges.test,{port},10,5\n\
             host-record=h{port}.bridges.test,127.0.0.1\n"
        )
    };
    peers.iter().map(record).collect()
}

/// A peer that answers every INVITE with 404, which ends it.
struct Peer {
    address: SocketAddr,
}

impl Peer {
    fn start() -> Self {
        let (socket, _) = ports::held();
        let address = socket.local_addr().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if let Some(answer) = answer(&text, address) {
                    socket.send_to(answer.as_bytes(), from).unwrap();
                }
            }
        });
        Self { address }
    }
}

/// 404 for an INVITE, 200 for anything else that wants an answer. The phrase tells who answered.
fn answer(request: &str, address: SocketAddr) -> Option<String> {
    let head = request.split("\r\n\r\n").next()?;
    let method = head.split(' ').next()?;
    let status = match method {
        "INVITE" => "404",
        "ACK" => return None,
        _ => "200",
    };
    let mut answer = format!("SIP/2.0 {status} From {}\r\n", address.port());
    for line in head.lines().skip(1) {
        let name = line.split(':').next()?.to_ascii_lowercase();
        if ["via", "from", "call-id", "cseq"].contains(&name.as_str()) {
            answer += &format!("{line}\r\n");
        } else if name == "to" {
            answer += &format!("{line};tag=peer\r\n");
        }
    }
    Some(answer + "Content-Length: 0\r\n\r\n")
}

struct Caller {
    socket: UdpSocket,
}

/// How a call ended.
#[derive(Debug)]
struct Ended {
    status: u16,
    phrase: String,
}

impl Ended {
    /// Which of the peers answered it.
    fn heard_by(&self, peers: &[Peer]) -> Vec<usize> {
        let told = |peer: &Peer| self.phrase == format!("From {}", peer.address.port());
        (0..peers.len()).filter(|at| told(&peers[*at])).collect()
    }
}

impl Caller {
    fn new() -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    /// Calls until a call ends in this way.
    fn call_until(&self, node: &Node, wanted: impl Fn(&Ended) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.call(node);
            if wanted(&ended) {
                return;
            }
            assert!(Instant::now() < deadline, "calls still end with {ended:?}");
        }
    }

    /// One INVITE, its final answer, and the ACK.
    fn call(&self, node: &Node) -> Ended {
        let here = self.socket.local_addr().unwrap();
        let id = format!("{}-{:?}", here.port(), Instant::now());
        let id: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
        let request = |method: &str, to_tag: &str| {
            format!(
                "{method} sip:meet@bridges.test SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{id}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:caller@{here}>;tag=c\r\nTo: <sip:meet@bridges.test>{to_tag}\r\n\
                 Call-ID: {id}\r\nCSeq: 1 {method}\r\nContact: <sip:caller@{here}>\r\n\
                 Content-Length: 0\r\n\r\n"
            )
        };
        let send = |text: String| self.socket.send_to(text.as_bytes(), node.udp).unwrap();
        send(request("INVITE", ""));
        let mut buffer = [0; 65_536];
        loop {
            let length = self.socket.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let mut words = text.lines().next().unwrap().splitn(3, ' ');
            let status: u16 = words.nth(1).unwrap().parse().unwrap();
            if status < 200 || !text.contains(&id) {
                continue;
            }
            let to = text.lines().find(|line| line.starts_with("To:")).unwrap();
            let tag = to
                .split_once(";tag=")
                .map_or_else(String::new, |(_, tag)| format!(";tag={tag}"));
            send(request("ACK", &tag));
            let phrase = words.next().unwrap_or_default().to_owned();
            return Ended { status, phrase };
        }
    }
}
