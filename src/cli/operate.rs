//! The commands that talk to a running node: what each asks, and which exit code its answer means.
//!
//! The node answers with what is to be printed, a table or JSON, so that this file and the node never
//! disagree about what a figure is called.

use super::client::{self, Answer, encoded};
use super::{DEGRADED, FAILURE, NO_SUCH, UNREACHABLE, USAGE};
use crate::config::SOCKET;
use clap::{Args, Subcommand, ValueEnum};
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long one request waits for the end of a drain; after that it is sent again.
const WAIT: Duration = Duration::from_secs(30);

/// Which node, and how it answers.
#[derive(Args, Clone, Debug)]
pub(super) struct To {
    /// The node's local socket
    #[arg(long, global = true, env = "BATON_SOCKET", default_value = SOCKET, value_name = "FILE")]
    socket: PathBuf,
    /// A table for people or JSON for programs
    #[arg(long, global = true, env = "BATON_OUTPUT", value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    Table,
    Json,
}

/// A command for a running node.
#[derive(Debug, Subcommand)]
pub(super) enum Operation {
    /// Tell how the node is; exit 5 when it is not well
    Status {
        /// One line for a monitoring system, and exit 0, 1, 2 or 3 as its plug-ins do
        #[arg(long)]
        nagios: bool,
    },
    /// List the peers with their figures
    Peers,
    /// List the other members of the cluster
    Members,
    /// Take a peer out of service and put it back
    Peer {
        #[command(subcommand)]
        wish: Wish,
    },
    /// List the calls that live
    Calls {
        /// Only those in this state
        #[arg(long, value_parser = ["inviting", "ringing", "answered", "established", "ending"])]
        state: Option<String>,
        /// Only those on this peer
        #[arg(long, value_name = "NAME")]
        peer: Option<String>,
        /// Only those of this conference
        #[arg(long, value_name = "NAME")]
        conference: Option<String>,
        /// Only those with this in From, To or a Call-ID
        #[arg(long, value_name = "TEXT")]
        party: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        limit: u32,
    },
    /// End a call
    Call {
        #[command(subcommand)]
        wish: CallWish,
    },
    /// Tell where a call would go now, and why
    Explain {
        /// What is dialled, such as meet@example.com
        #[arg(long)]
        alias: String,
        /// The address that the call comes from
        #[arg(long, value_name = "ADDRESS")]
        from: Option<String>,
        /// The zone that the call comes from
        #[arg(long, conflicts_with = "from")]
        zone: Option<String>,
    },
    /// Take no new calls on this node; the calls that live go on
    Drain {
        #[command(flatten)]
        until: Until,
        /// End the node with its last call
        #[arg(long, conflicts_with = "wait")]
        exit: bool,
    },
    /// Take calls on this node again
    Undrain,
    /// Read the configuration anew, all of it or nothing
    Reload,
    /// The policy service
    Policy {
        #[command(subcommand)]
        wish: PolicyWish,
    },
}

/// What is wanted of the policy service.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyWish {
    /// Read a password from standard input and print its hash for `[policy] password_hash`
    Hash,
    /// Let the service tell a VCS that it is in another state, to try what that does
    State {
        /// The state
        #[arg(value_parser = ["drain", "freeze", "stop", "resume", "default-credentials", "own-credentials"])]
        word: String,
    },
}

/// What the operator wants of a call.
#[derive(Debug, Subcommand)]
pub(super) enum CallWish {
    /// End it on both sides
    Hangup {
        /// The Call-ID of one of its legs, as `baton calls` lists them
        #[arg(value_name = "CALL-ID")]
        call_id: String,
    },
}

/// What the operator wants of a peer.
#[derive(Debug, Subcommand)]
pub(super) enum Wish {
    /// No new calls but into conferences that are there
    Drain {
        /// The peer
        name: String,
        #[command(flatten)]
        until: Until,
        #[command(flatten)]
        keep: Keep,
    },
    /// No new call and no probe
    Maint {
        /// The peer
        name: String,
        #[command(flatten)]
        until: Until,
        #[command(flatten)]
        keep: Keep,
    },
    /// Calls, if it is healthy
    Ready {
        /// The peer
        name: String,
        #[command(flatten)]
        keep: Keep,
    },
    /// Tell what the peer says of itself, from a program that asks its management interface
    Report {
        /// The peer
        name: String,
        /// Sessions that it says are in use
        #[arg(long, value_name = "N", required_unless_present = "sessions_max")]
        in_use: Option<u32>,
        /// Sessions that it says it has room for in all; 0: no new call goes there
        #[arg(long, value_name = "N")]
        sessions_max: Option<u32>,
    },
}

/// How long a wish holds.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Keep {
    /// It holds after a restart too: the node writes it into its state file
    #[arg(long)]
    persist: bool,
}

/// Whether to wait for the last call.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Until {
    /// Return when the last call has gone
    #[arg(long)]
    wait: bool,
    /// Give up waiting after so many seconds, with exit 1
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    timeout: Option<u64>,
}

/// Does what a command says, and gives its exit code.
pub(super) fn operate(
    operation: Operation,
    to: &To,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let mut ask = Ask { to, out, err };
    match operation {
        Operation::Status { nagios } => ask.status(nagios),
        Operation::Peers => ask.once("GET", "peers"),
        Operation::Members => ask.once("GET", "members"),
        Operation::Peer { wish } => match wish {
            Wish::Drain { name, until, keep } => ask.until(&peer(&name, "drain", keep), until),
            Wish::Maint { name, until, keep } => ask.until(&peer(&name, "maint", keep), until),
            Wish::Ready { name, keep } => ask.once("POST", &peer(&name, "ready", keep)),
            Wish::Report {
                name,
                in_use,
                sessions_max,
            } => {
                let figures = [("in_use", in_use), ("sessions_max", sessions_max)];
                let path = format!("peers/{}/report?", encoded(&name));
                let figures = figures.map(|(key, figure)| (key, figure.map(|it| it.to_string())));
                ask.once("POST", &with(path, figures))
            }
        },
        Operation::Explain { alias, from, zone } => {
            let path = format!("explain?alias={}", encoded(&alias));
            let values = [("from", from), ("zone", zone)];
            ask.once("GET", &with(path, values))
        }
        Operation::Calls {
            state,
            peer,
            conference,
            party,
            limit,
        } => {
            let values = [
                ("state", state),
                ("peer", peer),
                ("conference", conference),
                ("party", party),
            ];
            ask.once("GET", &with(format!("calls?limit={limit}"), values))
        }
        Operation::Call {
            wish: CallWish::Hangup { call_id },
        } => ask.once("DELETE", &format!("calls/{}", encoded(&call_id))),
        Operation::Drain { exit: true, .. } => ask.once("POST", "node/shutdown"),
        Operation::Drain { until, .. } => ask.until("node/maintenance", until),
        Operation::Undrain => ask.once("DELETE", "node/maintenance"),
        Operation::Reload => ask.once("POST", "config/reload"),
        Operation::Policy {
            wish: PolicyWish::Hash,
        } => hash(ask.out, ask.err),
        Operation::Policy {
            wish: PolicyWish::State { word },
        } => ask.once("POST", &format!("policy/state/{word}")),
    }
}

/// Hashes the first line of standard input.
fn hash(out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        writeln!(
            err,
            "baton: no password; write it on the first line of standard input"
        )?;
        return Ok(USAGE);
    }
    match crate::shell::hash(password.as_bytes()) {
        Ok(hash) => writeln!(out, "{hash}").map(|()| 0),
        Err(error) => writeln!(err, "baton: {error:#}").map(|()| FAILURE),
    }
}

/// A path with those values that were given.
fn with<const N: usize>(mut path: String, values: [(&str, Option<String>); N]) -> String {
    for (name, value) in values {
        if let Some(value) = value {
            path += &format!("&{name}={}", encoded(&value));
        }
    }
    path
}

fn peer(name: &str, wish: &str, keep: Keep) -> String {
    let query = if keep.persist { "?persist=yes" } else { "" };
    format!("peers/{}/{wish}{query}", encoded(name))
}

/// One command under way.
struct Ask<'a> {
    to: &'a To,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
}

impl Ask<'_> {
    fn ask(&mut self, method: &str, path: &str) -> io::Result<Result<Answer, u8>> {
        let media_type = match self.to.output {
            Output::Json => "application/json",
            Output::Table => "text/plain",
        };
        let path = format!("/api/v1/{path}");
        match client::ask(&self.to.socket, method, &path, media_type) {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) => {
                writeln!(
                    self.err,
                    "baton: no node answers at {}: {error}; is `baton run` running, and is this its \
                     `[admin] socket`? (--socket FILE)",
                    self.to.socket.display()
                )?;
                Ok(Err(UNREACHABLE))
            }
        }
    }

    fn once(&mut self, method: &str, path: &str) -> io::Result<u8> {
        match self.ask(method, path)? {
            Ok(answer) => self.tell(&answer),
            Err(code) => Ok(code),
        }
    }

    /// Data goes to standard output, complaints to standard error.
    fn tell(&mut self, answer: &Answer) -> io::Result<u8> {
        let code = match answer.status {
            200..=299 => 0,
            400 => USAGE,
            404 => NO_SUCH,
            _ => FAILURE,
        };
        if code == 0 {
            self.out.write_all(answer.body.as_bytes())?;
        } else if self.to.output == Output::Json {
            self.err.write_all(answer.body.as_bytes())?;
        } else {
            write!(self.err, "baton: {}", answer.body)?;
        }
        Ok(code)
    }

    fn status(&mut self, nagios: bool) -> io::Result<u8> {
        let path = if nagios {
            "status?format=nagios"
        } else {
            "status"
        };
        let answer = match self.ask("GET", path)? {
            Ok(answer) => answer,
            Err(code) if nagios => {
                writeln!(self.out, "BATON CRITICAL - no node answers")?;
                return Ok(if code == UNREACHABLE { 2 } else { code });
            }
            Err(code) => return Ok(code),
        };
        let told = self.tell(&answer)?;
        Ok(match (told, answer.condition.as_deref(), nagios) {
            (0, Some("good"), _) => 0,
            (0, Some("degraded"), true) => 1,
            (0, Some("critical"), true) => 2,
            (_, _, true) => 3,
            (0, _, false) => DEGRADED,
            (told, _, false) => told,
        })
    }

    /// Asks again and again until the end has come or the time is over.
    fn until(&mut self, path: &str, until: Until) -> io::Result<u8> {
        if !until.wait {
            return self.once("POST", path);
        }
        let begun = Instant::now();
        let separator = if path.contains('?') { '&' } else { '?' };
        loop {
            let left = match until.timeout.map(Duration::from_secs) {
                None => WAIT,
                Some(patience) => patience.saturating_sub(begun.elapsed()).min(WAIT),
            };
            // Rounded up, so that the last second is waited for as well.
            let seconds = left.as_millis().div_ceil(1000).max(1);
            let answer = match self.ask("POST", &format!("{path}{separator}wait={seconds}"))? {
                Ok(answer) => answer,
                Err(code) => return Ok(code),
            };
            let is_over = answer.status != 202;
            let is_late = until
                .timeout
                .is_some_and(|patience| begun.elapsed() >= Duration::from_secs(patience));
            if is_over {
                return self.tell(&answer);
            }
            if is_late {
                self.tell(&answer)?;
                writeln!(
                    self.err,
                    "baton: calls are left; wait longer, or end them at the peer"
                )?;
                return Ok(FAILURE);
            }
        }
    }
}
