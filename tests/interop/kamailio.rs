//! Kamailio as what stands in front of the nodes: a proxy that stays in the path, with the nodes as
//! one neighbour zone (`kamailio-front.cfg`).

use super::node::Node;
use super::ports;
use super::process::Process;
use super::sipp::Over;
use super::stage::Stage;
use std::fs;
use std::mem;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long it may take to start, and to say what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What its own words begin with, beside those of its modules.
const MARK: &str = "front: ";

/// How it looks after its neighbours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    /// Seconds between two OPTIONS to one node.
    pub(crate) ping_seconds: u32,
    /// OPTIONS in a row without a 200 that make a node inactive.
    pub(crate) misses: u32,
    /// A node that says nothing at all to an INVITE is given up after so long.
    pub(crate) silence: Duration,
}

impl Watch {
    /// It asks every second, believes the first refusal, and has patience with silence, since a busy
    /// machine is silent too.
    pub(crate) const CLOSELY: Self = Self {
        ping_seconds: 1,
        misses: 1,
        silence: Duration::from_secs(20),
    };

    /// It asks every second and draws no conclusion from the answers: what a node does with a call
    /// decides.
    pub(crate) const BY_CALLS: Self = Self {
        misses: 1000,
        ..Self::CLOSELY
    };

    /// It believes the first silence too.
    pub(crate) const IMPATIENTLY: Self = Self {
        silence: Duration::from_secs(3),
        ..Self::CLOSELY
    };
}

/// A Kamailio that runs.
pub(crate) struct Kamailio {
    process: Process,
    /// Where it listens, over UDP and TCP.
    pub(crate) address: SocketAddr,
    words: Vec<String>,
    has_ended: bool,
}

/// What a Kamailio said.
#[derive(Debug)]
pub(crate) struct Words(Vec<String>);

impl Kamailio {
    /// Starts it in front of these nodes, which it speaks to over this transport.
    pub(crate) fn start(stage: &Stage, nodes: &[&Node], over: Over, watch: Watch) -> Self {
        let list: String = nodes
            .iter()
            .map(|node| format!("1 {}\n", uri(node, over)))
            .collect();
        let list_file = stage.file("kamailio-nodes.list");
        fs::write(&list_file, list).unwrap();
        let port = ports::free(1);
        let template = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interop/kamailio-front.cfg"
        );
        let config = fs::read_to_string(template)
            .unwrap()
            .replace("{{port}}", &port.to_string())
            .replace("{{nodes}}", path(&list_file))
            .replace("{{ping_seconds}}", &watch.ping_seconds.to_string())
            .replace("{{misses}}", &watch.misses.to_string())
            .replace("{{t1_ms}}", &stage.t1().as_millis().to_string())
            .replace("{{t2_ms}}", &(stage.t1() * 8).as_millis().to_string())
            .replace("{{silence_ms}}", &watch.silence.as_millis().to_string());
        assert!(!config.contains("{{"), "a gap is not filled");
        let config_file = stage.file("kamailio.cfg");
        fs::write(&config_file, config).unwrap();
        let folder = stage.file("");
        let mut command: Command = stage.command("kamailio");
        // In the foreground, with its words on standard error, and all its files in our folder.
        command.args(["-DD", "-E", "-m", "64", "-M", "8"]);
        command.args(["-f", path(&config_file), "-w", path(&folder)]);
        command.args(["-Y", path(&folder), "-P", path(&stage.file("kamailio.pid"))]);
        // It has children, which must end with it whatever happens.
        command.process_group(0);
        let mut kamailio = Self {
            process: Process::start("kamailio", command),
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            words: Vec::new(),
            has_ended: false,
        };
        // It listens before it asks: a node that answers could call.
        for node in nodes {
            kamailio.hears(&format!("200 to OPTIONS from {}", node.address(over)));
        }
        kamailio
    }

    /// Waits until it says this.
    pub(crate) fn hears(&mut self, words: &str) {
        self.hears_both(words, "");
    }

    /// Waits until it says that a neighbour has become `active` or `inactive`.
    pub(crate) fn hears_that(&mut self, node: &Node, over: Over, state: &str) {
        self.hears_both(&format!("{state}: "), &uri(node, over));
    }

    /// How often it has said something that begins so.
    pub(crate) fn count_so_far(&mut self, start: &str) -> usize {
        for line in self.process.lines_so_far() {
            if line.contains(MARK) {
                self.keep(&line);
            }
        }
        let words = self.words.iter();
        words.filter(|line| line.starts_with(start)).count()
    }

    fn hears_both(&mut self, start: &str, part: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let patience = until.saturating_duration_since(Instant::now());
            let line = self.process.wait_for(MARK, patience);
            let words = self.keep(&line);
            if words.starts_with(start) && words.contains(part) {
                return;
            }
        }
    }

    /// Ends it and gives all that it said, in order.
    pub(crate) fn end(mut self) -> Words {
        self.process.terminate();
        let rest = self.process.rest(PATIENCE);
        for line in rest.iter().filter(|line| line.contains(MARK)) {
            self.keep(line);
        }
        self.has_ended = true;
        Words(mem::take(&mut self.words))
    }

    /// Keeps the words on this line, and gives them.
    fn keep(&mut self, line: &str) -> String {
        let (_, words) = line.split_once(MARK).unwrap();
        self.words.push(words.to_owned());
        words.to_owned()
    }
}

impl Words {
    /// How often it said something that begins so.
    pub(crate) fn count(&self, start: &str) -> usize {
        let words = self.0.iter();
        words.filter(|line| line.starts_with(start)).count()
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        if !self.has_ended {
            // Its children too; it is not waited for yet, so that its number is still its own.
            let kill = format!("kill -s KILL -- -{}", self.process.id());
            drop(Command::new("sh").args(["-c", &kill]).status());
        }
    }
}

/// How it names a node.
fn uri(node: &Node, over: Over) -> String {
    let transport = match over {
        Over::Tcp | Over::TcpEach => "tcp",
        Over::Udp => "udp",
    };
    format!("sip:{};transport={transport}", node.address(over))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
