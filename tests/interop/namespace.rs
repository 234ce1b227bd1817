//! A network of one's own: a namespace in which only the loopback device is, and which may lose.

use super::{find, installed, skip};
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

static MADE: AtomicU32 = AtomicU32::new(0);

/// A network namespace. Dropping it removes it.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one; `None` where that takes rights or a kernel that are not there.
    pub(crate) fn new() -> Option<Self> {
        if !installed(&["ip"]) {
            return None;
        }
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("baton-{}-{number}", std::process::id());
        let added = ip(&["netns", "add", &name]);
        if !added.status.success() {
            skip(&format!("no network namespace: {}", complaint(&added)));
            return None;
        }
        let namespace = Self { name };
        let up = ip(&["-n", &namespace.name, "link", "set", "lo", "up"]);
        if !up.status.success() {
            skip(&format!("no loopback device: {}", complaint(&up)));
            return None;
        }
        Some(namespace)
    }

    /// A program that will run inside.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(find("ip").unwrap());
        // `ip` becomes the program, so its process id is the program's.
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// From now on so many of a hundred datagrams are lost, each way. `false` where nft may not.
    ///
    /// They are lost on arrival: the sender of a datagram that is dropped on its way out is told.
    pub(crate) fn lose(&self, percent: u32) -> bool {
        let rules = format!(
            "table inet network {{\n chain arriving {{\n  type filter hook input priority 0\n  \
             meta l4proto udp numgen random mod 100 < {percent} counter drop\n }}\n}}\n"
        );
        let mut nft = self.command("nft");
        let mut nft = nft
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        nft.stdin
            .take()
            .unwrap()
            .write_all(rules.as_bytes())
            .unwrap();
        let output = nft.wait_with_output().unwrap();
        if output.status.success() {
            return true;
        }
        skip(&format!("no loss: {}", complaint(&output)));
        false
    }

    /// How many datagrams were lost.
    pub(crate) fn lost(&self) -> u64 {
        let mut nft = self.command("nft");
        let output = nft.args(["list", "ruleset"]).output().unwrap();
        let rules = String::from_utf8(output.stdout).unwrap();
        rules
            .split_once("counter packets ")
            .and_then(|(_, rest)| rest.split(' ').next())
            .and_then(|count| count.parse().ok())
            .unwrap_or_else(|| panic!("no counter: {rules}"))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let removed = ip(&["netns", "del", &self.name]);
        assert!(
            removed.status.success() || std::thread::panicking(),
            "{}: {}",
            self.name,
            complaint(&removed)
        );
    }
}

fn ip(arguments: &[&str]) -> Output {
    let mut command = Command::new(find("ip").unwrap());
    command.args(arguments).output().unwrap()
}

fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().next().unwrap_or("refused").to_owned()
}
