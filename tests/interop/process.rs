//! A program that a test started: its output as lines, its end as an event, its death certain.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The last lines that are kept for whoever has to find out what went wrong.
const LINES_KEPT_MAX: usize = 200;

/// A program that runs. Dropping it kills it.
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
    last_lines: VecDeque<String>,
}

impl Process {
    /// Starts a program; what it writes to standard output and error is read as one stream of lines.
    pub(crate) fn start(name: &str, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {command:?}: {error}"));
        let (sender, lines) = channel();
        read_lines(child.stdout.take().unwrap(), sender.clone());
        read_lines(child.stderr.take().unwrap(), sender);
        Self {
            name: name.to_owned(),
            child,
            lines,
            last_lines: VecDeque::new(),
        }
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with this text and gives it.
    pub(crate) fn wait_for(&mut self, text: &str, patience: Duration) -> String {
        let until = Instant::now() + patience;
        loop {
            match self.next_line(until) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().unwrap();
                    panic!("{status} before it said `{text}`: {}", self.last_words());
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("it does not say `{text}`: {}", self.last_words())
                }
            }
        }
    }

    /// Waits for the end and gives the exit code; a program that a signal ended has none.
    pub(crate) fn wait(&mut self, patience: Duration) -> Option<i32> {
        let until = Instant::now() + patience;
        loop {
            match self.next_line(until) {
                Ok(_) => {}
                // Both streams are closed: the program is gone or about to be.
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap().code(),
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {}", self.last_words()),
            }
        }
    }

    /// Waits for the end and gives what it has written and nobody has read yet.
    pub(crate) fn rest(&mut self, patience: Duration) -> Vec<String> {
        let until = Instant::now() + patience;
        let mut rest = Vec::new();
        loop {
            match self.next_line(until) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => {
                    self.child.wait().unwrap();
                    return rest;
                }
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {}", self.last_words()),
            }
        }
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{signal} {}", self.id())])
            .status()
            .unwrap();
        assert!(status.success(), "kill -{signal} of {}", self.name);
    }

    /// Its name and the last lines that it wrote.
    pub(crate) fn last_words(&self) -> String {
        let lines: Vec<&str> = self.last_lines.iter().map(String::as_str).collect();
        format!("{}\n{}", self.name, lines.join("\n"))
    }

    /// What it has written by now and nobody has read yet.
    pub(crate) fn lines_so_far(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next_line(Instant::now()).ok()).collect()
    }

    fn next_line(&mut self, until: Instant) -> Result<String, RecvTimeoutError> {
        let patience = until.saturating_duration_since(Instant::now());
        let line = self.lines.recv_timeout(patience)?;
        if self.last_lines.len() == LINES_KEPT_MAX {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(line.clone());
        Ok(line)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read_lines(stream: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream
            .read_until(b'\n', &mut line)
            .is_ok_and(|length| length > 0)
        {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if lines.send(text).is_err() {
                return;
            }
        }
    });
}
