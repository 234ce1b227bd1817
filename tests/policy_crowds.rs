//! Many at one time: idle connections, handshakes that never end, and scanners.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;
mod policy_world;

use interop::certificates::Certificates;
use interop::installed;
use policy_world::{Node, PATIENCE, post, rest};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Opens so many connections, says so, waits for a line, uses each of them with one request, and says how many answered.
const CROWD: &str = r#"
import resource, socket, sys
host, port, count, request = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].encode()
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 100), hard))
crowd = [socket.create_connection((host, port)) for _ in range(count)]
print("open", flush=True)
sys.stdin.readline()
answered = 0
for one in crowd:
    one.settimeout(60)
    try:
        one.sendall(request)
        answered += one.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        pass
print(answered, flush=True)
"#;

/// Connections of another process, which may have more of them than a test.
struct Crowd {
    child: Child,
}

impl Crowd {
    fn open(at: SocketAddr, count: usize, request: &str) -> Self {
        let mut child = Command::new("python3")
            .args(["-c", CROWD, &at.ip().to_string(), &at.port().to_string()])
            .args([&count.to_string(), request])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut open = [0; 5];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut open)
            .unwrap();
        Self { child }
    }

    /// How many of them are of use.
    fn answered(mut self) -> usize {
        writeln!(self.child.stdin.take().unwrap()).unwrap();
        let mut line = String::new();
        let stdout = self.child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        self.child.wait().unwrap();
        line.trim().parse().unwrap()
    }
}

/// Resident octets of a node.
fn resident(node: &Node) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", node.process.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<usize>().unwrap() * 1024
}

fn roomy(config: String) -> String {
    config.replace(
        "[policy]\n",
        "[policy]\nconnections = 8192\nconnections_per_source = 8192\n",
    )
}

const ADMIN: &str = "POLICY_TYPE=ADMIN&DESTINATION_ALIAS=x";

#[test]
fn three_thousand_idle_connections_are_all_of_use() {
    const MANY: usize = 3_000;
    if !installed(&["python3"]) {
        return;
    }
    let node = Node::start("policy-three-thousand", |config, _| roomy(config));
    // The first trial of a password takes memory of its own.
    node.door.search("meet.a@example.com", "1");
    let before = resident(&node);
    let crowd = Crowd::open(node.door.0, MANY, &post(ADMIN, ""));
    assert!(
        node.door
            .search("meet.a@example.com", "2")
            .starts_with("600")
    );
    let each = resident(&node).saturating_sub(before) / MANY;
    assert!(
        each <= 32 * 1024,
        "{each} octets for each that says nothing"
    );
    assert_eq!(crowd.answered(), MANY);
    node.ends();
}

#[test]
fn handshakes_that_never_end_keep_nobody_out() {
    const MANY: usize = 2_000;
    if !installed(&["python3", "curl"]) {
        return;
    }
    let listen = "listen = [\"http:127.0.0.1:0\", \"https:127.0.0.1:0\"]";
    let mut node = Node::start("policy-half-open", |config, stage| {
        let config = config.replace("listen = [\"http:127.0.0.1:0\"]", listen);
        roomy(config) + "\n" + &Certificates::new(stage).of_a_node()
    });
    let line = node
        .process
        .wait_for("policy service on https://", PATIENCE);
    let (_, secure) = line.split_once("https://").unwrap();
    let secure: SocketAddr = secure.parse().unwrap();
    let curl = || {
        let output = Command::new("curl")
            .args([
                "-s",
                "-u",
                "vcs:s3cret-Pa55",
                "--data",
                ADMIN,
                "-w",
                "%{http_code}",
            ])
            .args(["--max-time", "60", "--cacert"])
            .arg(node.stage.file("authority.pem"))
            .arg(format!("https://{secure}/policy"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(curl().ends_with("200"));
    let before = resident(&node);
    let crowd = Crowd::open(secure, MANY, "\u{16}\u{3}\u{1}");
    assert!(curl().ends_with("200"), "who means it is served");
    let each = resident(&node).saturating_sub(before) / MANY;
    assert!(each <= 8 * 1024, "{each} octets for each handshake");
    // They are all ended, and take no other's place.
    assert_eq!(crowd.answered(), 0);
    assert!(curl().ends_with("200"));
    node.ends();
}

#[test]
fn scanners_cost_little_and_fill_no_log() {
    const SPAM: usize = 5_000;
    let mut node = Node::start("policy-spam", |config, _| config);
    let begun = Instant::now();
    let mut stream = node.door.connect();
    let mut answered = 0;
    for first in (0..SPAM).step_by(100) {
        let batch = (first..first + 100).map(|number| {
            let body = format!("POLICY_TYPE=SEARCH&DESTINATION_ALIAS={number}%40scan.example");
            let is_last = number + 1 == SPAM;
            post(&body, if is_last { "Connection: close\r\n" } else { "" })
        });
        stream
            .write_all(batch.collect::<String>().as_bytes())
            .unwrap();
        // A real call in between.
        let place = node.door.search("meet.real@example.com", "real");
        assert!(place.starts_with("600"), "{place}");
        if first + 100 < SPAM {
            let mut octets = [0; 65_536];
            let mut said = String::new();
            while said.matches("status=\"404\"").count() < 100 {
                let length = stream.read(&mut octets).unwrap();
                assert!(length > 0, "{said}");
                said += &String::from_utf8_lossy(&octets[..length]);
            }
            answered += 100;
        }
    }
    answered += rest(&mut stream).matches("status=\"404\"").count();
    assert_eq!(answered, SPAM);
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap() + 2;
    std::thread::sleep(Duration::from_millis(200));
    let lines = node.process.lines_so_far();
    let missed = lines.iter().filter(|line| line.contains("missed")).count();
    assert!(missed <= 10 * seconds, "{missed} lines in {seconds} s");
    node.ends();
}
