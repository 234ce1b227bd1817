//! The command line: `baton run`, `baton check`, `baton dns check`, `baton bandwidth check`,
//! `baton demo`, and what an operator asks of a node.
//!
//! Answers go to standard output, complaints to standard error. Exit codes: 0 success; 1 the
//! operation failed or the configuration has mistakes; 2 the command line is wrong or the
//! configuration cannot be read; 3 no node is reachable; 4 there is no such thing; 5 the node is
//! not well, from `baton status` only. What the commands do stands elsewhere: this is the dispatch.

mod bandwidth;
mod check;
mod client;
mod dns;
mod operate;

use crate::config::Config;
use check::Unusable;
use clap::{Args, Parser, Subcommand};
use operate::{Operation, To};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The operation failed, or the configuration has mistakes.
const FAILURE: u8 = 1;
/// The command line is wrong, or the configuration cannot be read.
const USAGE: u8 = 2;

/// No node is reachable.
const UNREACHABLE: u8 = 3;
/// There is no such peer, call or whatever was named.
const NO_SUCH: u8 = 4;
/// The node is not well.
const DEGRADED: u8 = 5;

/// A signalling front end for clusters of conference bridges.
#[derive(Debug, Parser)]
#[command(name = "baton", version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    to: To,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the node in the foreground until SIGTERM
    Run {
        /// The configuration, such as configs/lab-trunk.toml
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Tell every mistake in a configuration; open no port
    Check {
        /// The configuration, such as configs/lab-trunk.toml
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// A warning, as of a name that leads nowhere, is a failure
        #[arg(long)]
        strict: bool,
    },
    /// What the name service says
    Dns {
        #[command(subcommand)]
        command: DnsCommand,
    },
    /// How much of the network a call may use
    Bandwidth {
        #[command(subcommand)]
        command: BandwidthCommand,
    },
    /// Watch real SIP calls pass through a node, all on this machine
    Demo(DemoArgs),
    #[command(flatten)]
    Operate(Operation),
}

#[derive(Debug, Subcommand)]
enum DnsCommand {
    /// Tell where calls to a name would go (RFC 3263), and each step on the way
    Check {
        /// Such as example.com, sips:example.com, tls:bridge.example.com or udp:bridge:5070
        #[arg(value_name = "NAME")]
        name: String,
        /// Ask as the node of this configuration would: its servers, static map and listeners
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum BandwidthCommand {
    /// Tell what a call would get while nothing is in use: its way, the limits, the tightest one
    Check {
        /// A subzone or a zone, or the address or alias of somebody whom a rule puts into one
        #[arg(value_name = "FROM")]
        from: String,
        /// The same for the other end
        #[arg(value_name = "TO")]
        to: String,
        /// What the call wants; the configured default if left out
        #[arg(value_name = "KBPS")]
        kbps: Option<u32>,
        /// Its media is relayed by the traversal subzone
        #[arg(long)]
        traversal: bool,
        /// The configuration
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// What `baton demo` takes.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoArgs {
    /// How many calls begin each second
    #[arg(
        long = "calls-per-second",
        value_name = "N",
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub rate: u32,
    /// For how many seconds calls begin
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub seconds: u32,
}

/// The whole program: reads the command line, does what it says, gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    // An error here means that standard output or error was closed: nobody is left to tell.
    ExitCode::from(dispatch().unwrap_or(FAILURE))
}

fn dispatch() -> io::Result<u8> {
    let Arguments { command, to } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refusal) => {
            refusal.print()?;
            return Ok(if refusal.use_stderr() { USAGE } else { 0 });
        }
    };
    match command {
        Command::Check { file, strict } => {
            let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
            check::check(&file, strict, &mut out, &mut err)
        }
        Command::Run { config } => {
            // The lock must not outlive the reading: whoever logs later would wait for it for ever.
            let loaded = load(&config, &mut io::stderr().lock())?;
            match loaded {
                Ok(first) => report(crate::shell::run(first, source(config))),
                Err(code) => Ok(code),
            }
        }
        Command::Dns {
            command: DnsCommand::Check { name, config },
        } => check_name(&name, config.as_deref(), to.output),
        Command::Bandwidth { command } => check_bandwidth(&command, to.output),
        Command::Operate(operation) => {
            let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
            operate::operate(operation, &to, &mut out, &mut err)
        }
        Command::Demo(arguments) => report(crate::demo::run(arguments)),
    }
}

fn check_name(name: &str, file: Option<&Path>, form: operate::Output) -> io::Result<u8> {
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let config = match file.map(|file| load(file, &mut err)).transpose()? {
        Some(Err(code)) => return Ok(code),
        Some(Ok(config)) => Some(config),
        None => None,
    };
    dns::check(name, config.as_ref(), form, &mut out, &mut err)
}

fn check_bandwidth(command: &BandwidthCommand, form: operate::Output) -> io::Result<u8> {
    let BandwidthCommand::Check {
        from,
        to,
        kbps,
        traversal,
        config,
    } = command;
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let config = match load(config, &mut err)? {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let question = bandwidth::Question {
        from,
        to,
        kbps: *kbps,
        is_relayed: *traversal,
    };
    bandwidth::check(&question, &config, form, &mut out, &mut err)
}

/// Where a running node reads its configuration anew.
fn source(file: PathBuf) -> crate::shell::Source {
    Box::new(move || {
        check::read(&file).map_err(|unusable| match unusable {
            Unusable::Mistakes(mistakes) => {
                let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                mistakes.join("; ")
            }
            Unusable::Unreadable(why) => format!("{}: {why}", file.display()),
        })
    })
}

/// The configuration of a node that is about to start, or the exit code when there is none.
fn load(file: &Path, err: &mut dyn Write) -> io::Result<Result<Config, u8>> {
    match check::read(file) {
        Ok(config) => Ok(Ok(config)),
        Err(Unusable::Mistakes(mistakes)) => {
            for mistake in &mistakes {
                writeln!(err, "{mistake}")?;
            }
            Ok(Err(FAILURE))
        }
        Err(Unusable::Unreadable(why)) => {
            writeln!(err, "baton: {}: {why}", file.display())?;
            Ok(Err(USAGE))
        }
    }
}

fn report(outcome: anyhow::Result<()>) -> io::Result<u8> {
    match outcome {
        Ok(()) => Ok(0),
        Err(error) => {
            writeln!(io::stderr(), "baton: {error:#}")?;
            Ok(FAILURE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn demo_has_defaults_and_bounds() {
        let demo = |arguments: &[&str]| match Arguments::try_parse_from(arguments) {
            Ok(Arguments {
                command: Command::Demo(demo),
                ..
            }) => Some((demo.rate, demo.seconds)),
            Ok(_) | Err(_) => None,
        };
        assert_eq!(demo(&["baton", "demo"]), Some((100, 5)));
        let given = ["baton", "demo", "--calls-per-second", "7", "--seconds", "2"];
        assert_eq!(demo(&given), Some((7, 2)));
        assert_eq!(demo(&["baton", "demo", "--seconds", "0"]), None);
        assert_eq!(
            demo(&["baton", "demo", "--calls-per-second", "1000000"]),
            None
        );
    }
}
