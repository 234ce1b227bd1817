//! A node with the policy fixture, at ports of its own, and requests to it as octets.
#![allow(dead_code, reason = "each test crate uses its own part of this module")]
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

use super::interop::process::Process;
use super::interop::stage::Stage;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// `vcs:s3cret-Pa55`.
pub(crate) const CREDENTIALS: &str = "Authorization: Basic dmNzOnMzY3JldC1QYTU1\r\n";

/// A node with the fixture of the cases.
pub(crate) struct Node {
    pub(crate) stage: Stage,
    pub(crate) process: Process,
    /// The plain listener.
    pub(crate) door: Door,
    /// A program that sets the state.
    pub(crate) control: PathBuf,
    /// The configuration's file.
    pub(crate) file: PathBuf,
}

/// Where it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Door(pub(crate) SocketAddr);

impl Node {
    /// Starts one; `change` may say something else in its configuration.
    pub(crate) fn start(name: &str, change: impl FnOnce(String, &Stage) -> String) -> Self {
        let stage = Stage::calm(name);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let fixture = fs::read_to_string(root.join("configs/policy-fixture.toml")).unwrap();
        let socket = stage.file("node.sock");
        let config = fixture
            .replace("udp:127.0.0.1:5070", "udp:127.0.0.1:0")
            .replace("127.0.0.1:9061", "127.0.0.1:0")
            .replace("http:127.0.0.1:8080", "http:127.0.0.1:0")
            .replace("/tmp/baton-policy-fixture.sock", socket.to_str().unwrap());
        let file = stage.file("node.toml");
        fs::write(&file, change(config, &stage)).unwrap();
        let mut command = stage.command(env!("CARGO_BIN_EXE_baton"));
        command.args(["run", "--config"]).arg(&file);
        command.env("NO_COLOR", "1").env_remove("RUST_LOG");
        let mut process = Process::start("baton", command);
        let line = process.wait_for("policy service on http://", PATIENCE);
        let (_, address) = line.split_once("http://").unwrap();
        let door = Door(address.parse().unwrap());
        let control = stage.file("control");
        let words = format!(
            "#!/bin/sh\nexec {} policy state \"$1\" --socket {}\n",
            env!("CARGO_BIN_EXE_baton"),
            socket.display()
        );
        fs::write(&control, words).unwrap();
        fs::set_permissions(&control, fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            stage,
            process,
            door,
            control,
            file,
        }
    }

    /// It runs, and told to stop it does, without complaint.
    pub(crate) fn ends(mut self) {
        assert!(self.process.is_alive(), "{}", self.process.last_words());
        self.process.terminate();
        self.process.wait_for("stopping: no new calls", PATIENCE);
        // Decisions would go on for a while; a second signal ends that.
        self.process.terminate();
        let code = self.process.wait(PATIENCE);
        let words = self.process.last_words();
        assert_eq!(code, Some(0), "{words}");
        assert!(!words.contains("panicked"), "{words}");
    }
}

impl Door {
    pub(crate) fn connect(self) -> TcpStream {
        let stream = TcpStream::connect(self.0).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Sends octets and reads until the other side closes.
    pub(crate) fn say(self, octets: &[u8]) -> String {
        let mut stream = self.connect();
        // It may be closed before all is written.
        drop(stream.write_all(octets));
        rest(&mut stream)
    }

    /// A search on a connection of its own: the alias that it leads to, or the whole answer.
    pub(crate) fn search(self, alias: &str, serial: &str) -> String {
        let body = format!(
            "POLICY_TYPE=SEARCH&METHOD=INVITE&DESTINATION_ALIAS={alias}\
             &GLOBAL_CALL_SERIAL_NUMBER={serial}"
        );
        let answer = self.say(post(&body, "Connection: close\r\n").as_bytes());
        let url = answer.split_once("url=\"").map(|(_, rest)| rest);
        let url = url.and_then(|rest| rest.split_once('"'));
        url.map_or_else(|| answer.clone(), |(alias, _)| alias.to_owned())
    }
}

/// A decision request with credentials.
pub(crate) fn post(body: &str, fields: &str) -> String {
    format!(
        "POST /policy HTTP/1.1\r\nHost: baton\r\n{CREDENTIALS}{fields}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What comes until the other side closes.
pub(crate) fn rest(stream: &mut TcpStream) -> String {
    let mut octets = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => octets.extend(buffer.iter().take(length)),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&octets)),
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}
