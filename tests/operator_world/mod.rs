//! The program with its doors for operators, and whoever knocks at them.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use super::program_world::{Running, file, socket_file};
use super::shell_world::PATIENCE;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;

/// The program, running, with its doors.
pub(crate) struct Program {
    pub(crate) running: Running,
    pub(crate) config: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) sip: SocketAddr,
    http: SocketAddr,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header field.
    pub(crate) fn one(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(field, _)| field == name);
        field.map_or_else(|| panic!("no {name}: {self:?}"), |(_, value)| value)
    }

    fn parse(octets: &[u8]) -> Option<Self> {
        let text = String::from_utf8(octets.to_vec()).expect("text");
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let fields = lines.filter_map(|line| line.split_once(':'));
        let fields = fields.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        Some(Self {
            status,
            fields: fields.collect(),
            body: body.to_owned(),
        })
    }
}

impl Program {
    /// Starts it with one peer of ten sessions; `admin` is put at the end of `[admin]`.
    pub(crate) fn start(name: &str, peer: SocketAddr, admin: &str) -> Self {
        let peer = format!("[[peer]]\nname = \"peer\"\nat = \"udp:{peer}\"\nsessions_max = 10\n");
        Self::start_with(name, &format!("{admin}{peer}"))
    }

    /// Starts it with this at the end of its configuration, which is in `[admin]`.
    pub(crate) fn start_with(name: &str, end: &str) -> Self {
        Self::start_node(name, "", end)
    }

    /// The same, with this in `[node]`.
    pub(crate) fn start_node(name: &str, node: &str, end: &str) -> Self {
        let config = configuration(name);
        let socket = socket_file(name);
        let text = text(name, node, &format!("{}{end}", doors(&socket)));
        std::fs::write(&config, text).unwrap();
        let running = Running::start(&config);
        let http = running.address("figures and health on http://");
        let sip = running.address("listening on udp:");
        Self {
            running,
            config,
            socket,
            sip,
            http,
        }
    }

    /// What it says when it does not start.
    pub(crate) fn refused(name: &str, admin: &str) -> String {
        let config = configuration(name);
        let peer = "[[peer]]\nname = \"peer\"\nat = \"udp:127.0.0.1:9\"\nsessions_max = 10\n";
        std::fs::write(
            &config,
            text(name, "", &format!("socket = \"\"\n{admin}{peer}")),
        )
        .unwrap();
        let (code, text) = Running::start(&config).refusal();
        assert_eq!(code, Some(1), "{text}");
        text
    }

    /// What the program says to an operator's command for this node.
    pub(crate) fn command(&self, arguments: &[&str]) -> Said {
        command(&self.socket, arguments)
    }

    /// Changes its configuration, in the file only.
    pub(crate) fn rewrite(&self, change: impl Fn(&str) -> String) {
        let text = std::fs::read_to_string(&self.config).unwrap();
        std::fs::write(&self.config, change(&text)).unwrap();
    }

    /// Reads its log up to a line that has this part.
    pub(crate) fn line_with(&self, part: &str) -> String {
        self.running.line_with(part)
    }

    pub(crate) fn signal(&self, signal: &str) {
        self.running.signal(signal);
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.running.ended()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    pub(crate) fn ask(&self, method: &str, path: &str, fields: &str) -> Answer {
        self.try_ask(method, path, fields).expect("an answer")
    }

    /// `None`: the connection was closed without an answer.
    pub(crate) fn try_get(&self, path: &str) -> Option<Answer> {
        self.try_ask("GET", path, "")
    }

    fn try_ask(&self, method: &str, path: &str, fields: &str) -> Option<Answer> {
        let mut stream = self.connect();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
        // It may be closed at any moment: what was answered before counts.
        drop(stream.write_all(request.as_bytes()));
        let mut octets = Vec::new();
        drop(stream.read_to_end(&mut octets));
        Answer::parse(&octets)
    }

    /// Asks again until the answer is as wanted.
    pub(crate) fn until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.try_get(path);
            if answer.as_ref().is_some_and(&wanted) {
                return;
            }
            assert!(Instant::now() < deadline, "{path} stays at {answer:?}");
            thread::yield_now();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A program that ended well has removed it.
        drop(std::fs::remove_file(&self.socket));
    }
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command for the node behind a socket.
pub(crate) fn command(socket: &std::path::Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
    command.args(arguments).arg("--socket").arg(socket);
    command.env_remove("BATON_OUTPUT").stdin(Stdio::null());
    let output = command.output().unwrap();
    Said {
        code: output.status.code().expect("it was not killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn configuration(name: &str) -> PathBuf {
    file(&format!("admin-{name}"), "toml")
}

fn text(name: &str, node: &str, admin: &str) -> String {
    format!(
        "[node]\nname = \"{name}\"\n{node}[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[health]\nprobe = false\n[admin]\n{admin}"
    )
}

fn doors(socket: &std::path::Path) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\nsocket = \"{}\"\n",
        socket.display()
    )
}

/// Has promtool read a text, and wants no complaint from it.
#[expect(clippy::print_stdout, reason = "a skipped test must be seen")]
pub(crate) fn promtool(arguments: &[&str], text: &str) {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        let why = "promtool (package prometheus) absent";
        assert!(
            std::env::var_os("BATON_REQUIRE_PROGRAMS").is_none(),
            "{why}, and BATON_REQUIRE_PROGRAMS is set"
        );
        println!("skipped: {why}");
        return;
    };
    // What it does not read it complains about.
    drop(child.stdin.take().unwrap().write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
