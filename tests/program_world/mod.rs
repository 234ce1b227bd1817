//! The real program: started, heard, told by signals, and ended with the test.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use super::shell_world::PATIENCE;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// The program, running. It is ended when the test is over, however that ends.
pub(crate) struct Running {
    pub(crate) child: Child,
    log: Log,
}

/// What the program says, read by a thread of its own.
struct Log {
    lines: Receiver<String>,
    /// Whether the thread does not read on.
    is_deaf: Arc<AtomicBool>,
    reader: JoinHandle<()>,
}

impl Running {
    /// Starts it with this configuration.
    pub(crate) fn start(config: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.args(["run", "--config"]).arg(config);
        Self::of(command)
    }

    /// Starts it by this command.
    pub(crate) fn of(mut command: Command) -> Self {
        command.env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program");
        let log = Log::of(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// Reads its log up to a line that has this part.
    pub(crate) fn line_with(&self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = String::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.log.lines.recv_timeout(left) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen += &line,
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the program ended without saying {part:?}: {seen}")
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the program does not say {part:?}: {seen}")
                }
            }
        }
    }

    /// The address behind this part of a line.
    pub(crate) fn address(&self, part: &str) -> SocketAddr {
        let line = self.line_with(part);
        let (_, address) = line.split_once(part).unwrap();
        address.trim().parse().expect("an address")
    }

    /// Reads no more of its log, but for what is on its way already.
    pub(crate) fn deafen(&self) {
        // Relaxed, here and below: a word on its own.
        self.log.is_deaf.store(true, Ordering::Relaxed);
    }

    /// Reads on.
    pub(crate) fn hear(&self) {
        self.log.is_deaf.store(false, Ordering::Relaxed);
        self.log.reader.thread().unpark();
    }

    pub(crate) fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        let killed = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(killed.success());
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the program does not end");
            thread::yield_now();
        }
    }

    /// Its exit code and all that it says, when it does not start.
    pub(crate) fn refusal(mut self) -> (Option<i32>, String) {
        let code = self.ended().code();
        let text = self.log.lines.iter().collect();
        (code, text)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has usually ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Log {
    fn of(errors: ChildStderr) -> Self {
        let is_deaf = Arc::new(AtomicBool::new(false));
        let (send, lines) = channel();
        let waits = Arc::clone(&is_deaf);
        let reader = thread::spawn(move || {
            let mut errors = BufReader::new(errors);
            let mut line = String::new();
            loop {
                while waits.load(Ordering::Relaxed) {
                    thread::park();
                }
                line.clear();
                let is_over = errors.read_line(&mut line).unwrap() == 0;
                if is_over || send.send(line.clone()).is_err() {
                    return;
                }
            }
        });
        Self {
            lines,
            is_deaf,
            reader,
        }
    }
}

/// A file of a test in the folder that is made for them.
pub(crate) fn file(name: &str, kind: &str) -> PathBuf {
    PathBuf::from(format!("{}/{name}.{kind}", env!("CARGO_TARGET_TMPDIR")))
}

/// Where a test's socket is: a path that is short, wherever the workspace is.
pub(crate) fn socket_file(name: &str) -> PathBuf {
    let pid = std::process::id();
    std::env::temp_dir().join(format!("baton-{pid}-{name}.sock"))
}
