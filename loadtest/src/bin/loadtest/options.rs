//! The command line, checked before anything is opened.

use super::scenario::RunOptions;
use super::vcs::VcsOptions;
use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use loadtest::agent::Plan;
use loadtest::drive::{Socket, Verification, acceptor};
use loadtest::load::Load;
use signaling::Transport;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Places SIP calls through a server on this machine, takes them at the other side, and judges both legs.
///
/// The server is to send every call to the address given as --peer. Exit status: 0 if every call went as planned, 1 if
/// not, 2 for a command line that cannot be.
#[derive(Debug, Parser)]
#[command(
    name = "loadtest",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(super) struct CommandLine {
    /// What else it can play
    #[command(subcommand)]
    pub(super) role: Option<Role>,
    /// Calls at a steady rate
    #[command(flatten)]
    pub(super) calls: Option<Options>,
}

/// What the program plays instead of a plain caller.
#[derive(Debug, Subcommand)]
pub(super) enum Role {
    /// A VCS: asks a policy service where each call goes, does what the CPL says, and calls over the trunk
    Vcs(Box<VcsOptions>),
    /// A scenario: callers, peers and what must hold at the end, in a file of TOML
    Run(RunOptions),
}

/// Calls at a steady rate.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The server under test, such as udp:127.0.0.1:5060, tcp:127.0.0.1:5060 or tls:127.0.0.1:5061
    #[arg(long, value_name = "TRANSPORT:ADDRESS:PORT", value_parser = target)]
    target: Option<Target>,
    /// Where the server sends the calls: this program answers there. Without a transport, that of the target
    #[arg(long, value_name = "[TRANSPORT:]ADDRESS:PORT", default_value = "127.0.0.1:5180", value_parser = peer)]
    peer: PeerAt,
    /// Authorities that may have signed the certificate of a tls target
    #[arg(long, value_name = "FILE", conflicts_with = "no_verification")]
    ca: Option<PathBuf>,
    /// Take any certificate of a tls target
    #[arg(long)]
    no_verification: bool,
    /// What a tls peer shows ...
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// ... and its key
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// Nobody is in between: the target is the peer of this program itself. Shows what the generator can do alone
    #[arg(long, conflicts_with = "target", required_unless_present = "target")]
    pub(super) direct: bool,
    /// Calls that begin each second
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub(super) rate: u32,
    /// For how many seconds calls begin
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// How long each call stays up
    #[arg(long, value_name = "MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(0..=3_600_000))]
    hold_ms: u64,
    /// How long the peer rings before it answers
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=180_000))]
    answer_ms: u64,
    /// Most calls at one time; others wait
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    concurrent: usize,
    /// Set up this many calls, hold them, tear them down; instead of --seconds and --hold-ms
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000), conflicts_with_all = ["seconds", "hold_ms"])]
    pub(super) establish: Option<u64>,
    /// With --establish: a process whose memory is read before, at N calls and when their transactions are over
    #[arg(long, value_name = "PID", requires = "establish")]
    pub(super) pid: Option<u32>,
    /// With --establish: how long the calls are held; the transactions of RFC 3261 and 6026 take 32 s to go
    #[arg(long, value_name = "N", default_value_t = 34, requires = "establish", value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub(super) hold_seconds: u64,
    /// Of what is chosen by chance; names (Call-IDs, tags, branches) are new in each run all the same
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Print one JSON object at the end and nothing else
    #[arg(long)]
    pub(super) json: bool,
}

/// Where the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PeerAt {
    transport: Option<Transport>,
    address: SocketAddr,
}

/// The server under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) transport: Transport,
    pub(super) address: SocketAddr,
}

impl Options {
    /// The server under test, or the peer itself.
    pub(super) fn target(&self) -> Target {
        self.target.unwrap_or(Target {
            transport: Transport::Udp,
            address: self.peer.address,
        })
    }

    /// Where this program answers.
    pub(super) fn peer(&self) -> Target {
        Target {
            transport: self
                .peer
                .transport
                .unwrap_or_else(|| self.target().transport),
            address: self.peer.address,
        }
    }

    /// The socket of the peer.
    pub(super) fn peer_socket(&self) -> anyhow::Result<Socket> {
        let Target { transport, address } = self.peer();
        let socket = match (transport, &self.certificate, &self.key) {
            (Transport::Tls, Some(certificate), Some(key)) => {
                let connector = self
                    .verification()
                    .unwrap_or(Verification::Off)
                    .connector()?;
                Socket::listen_tls(address, (acceptor(certificate, key)?, connector))
            }
            _ => Socket::listen(transport, address),
        };
        socket.with_context(|| format!("cannot take calls on {address}"))
    }

    fn verification(&self) -> Option<Verification> {
        if self.no_verification {
            return Some(Verification::Off);
        }
        self.ca.clone().map(Verification::On)
    }

    /// The socket of the caller.
    pub(super) fn caller_socket(&self) -> anyhow::Result<Socket> {
        let Target { transport, address } = self.target();
        let socket = match (transport, self.verification()) {
            (Transport::Tls, Some(verification)) => {
                Socket::towards_tls(address, verification.connector()?)
            }
            _ => Socket::towards(transport, address),
        };
        socket.with_context(|| format!("cannot reach {address}"))
    }

    /// The calls that these options ask for.
    pub(super) fn load(&self) -> Load {
        let plan = Plan::plain(match self.establish {
            // Until told otherwise; a day is not reached.
            Some(_) => Duration::from_secs(86_400),
            None => Duration::from_millis(self.hold_ms),
        });
        Load {
            concurrent_max: self.concurrent,
            ..Load::constant(self.calls(), self.rate, plan)
        }
    }

    /// How many calls that is.
    pub(super) fn calls(&self) -> u64 {
        self.establish
            .unwrap_or_else(|| u64::from(self.rate) * u64::from(self.seconds))
    }

    /// How long the peer rings.
    pub(super) fn answer(&self) -> Duration {
        Duration::from_millis(self.answer_ms)
    }
}

pub(super) fn target(text: &str) -> Result<Target, String> {
    let (transport, address) = match text.split_once(':') {
        Some(("tcp", address)) => (Transport::Tcp, address),
        Some(("tls", address)) => (Transport::Tls, address),
        Some(("udp", address)) => (Transport::Udp, address),
        Some((other, _)) => {
            return Err(format!(
                "{other:?} is no transport of this program; write udp:, tcp: or tls: and ADDRESS:PORT"
            ));
        }
        None => return Err("write udp:, tcp: or tls: and ADDRESS:PORT".into()),
    };
    Ok(Target {
        transport,
        address: loopback(address)?,
    })
}

fn peer(text: &str) -> Result<PeerAt, String> {
    if let Ok(address) = loopback(text) {
        let transport = None;
        return Ok(PeerAt { transport, address });
    }
    let Target { transport, address } = target(text)?;
    Ok(PeerAt {
        transport: Some(transport),
        address,
    })
}

/// An address of this machine: nobody else is to be flooded, not even by a slip of the keyboard.
pub(super) fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| format!("{text:?} is not ADDRESS:PORT"))?;
    if !address.ip().is_loopback() {
        return Err(format!(
            "{} is not this machine: only loopback addresses (127.0.0.0/8, ::1) are called",
            address.ip()
        ));
    }
    if address.port() == 0 {
        return Err("port 0 names nobody".into());
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn only_this_machine_is_called() {
        for text in [
            "udp:192.0.2.1:5060",
            "udp:0.0.0.0:5060",
            "udp:[2001:db8::1]:5060",
            "udp:[::ffff:127.0.0.1]:5060",
        ] {
            assert!(
                target(text).unwrap_err().contains("not this machine"),
                "{text}"
            );
        }
        for text in [
            "udp:127.0.0.1",
            "127.0.0.1:5060",
            "udp:localhost:5060",
            "udp:127.0.0.1:0",
            "sctp:127.0.0.1:5060",
        ] {
            assert!(target(text).is_err(), "{text}");
        }
        assert_eq!(
            target("udp:[::1]:5060").unwrap().address.to_string(),
            "[::1]:5060"
        );
    }
}
