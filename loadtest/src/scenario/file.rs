//! A scenario as it stands in its file.

use super::assertion::Assertion;
use crate::arrivals::{Phase, Shape};
use crate::bridges::{Bridge, Does};
use crate::drive::{Deaf, Death, Fate};
use crate::vcs::Url;
use crate::vcs::form::Kind;
use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use signaling::Transport;
use std::net::SocketAddr;
use std::time::Duration;

/// What is played, and what must hold at the end.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// For people, one sentence.
    pub about: String,
    /// Decides what is left to chance.
    pub seed: u64,
    /// The server under test.
    pub target: (Transport, SocketAddr),
    /// How long the peers listen before the first call, so that the server finds them.
    pub warm_up: Duration,
    /// How calls come.
    pub phases: Vec<Phase>,
    /// What calls are.
    pub calls: Calls,
    /// Who takes them.
    pub peers: Vec<Bridge>,
    /// With it, a VCS asks a policy service before it calls.
    pub vcs: Option<Vcs>,
    /// What must hold.
    pub assertions: Vec<Assertion>,
}

/// `[calls]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calls {
    /// How long each stays up.
    pub hold_ms: u64,
    /// Without a VCS: call `n` dials `room-N@example.com` with `N = n % rooms`.
    pub rooms: u64,
    /// Most at one time; others wait, and their latency counts.
    pub concurrent: u64,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            hold_ms: 200,
            rooms: 1_000,
            concurrent: 1_000_000,
        }
    }
}

/// `[vcs]`.
#[derive(Clone, Debug)]
pub struct Vcs {
    /// The addresses of the policy service, as for `loadtest vcs`.
    pub policy: Vec<Url>,
    /// The rest.
    pub entry: VcsEntry,
}

/// `[vcs]` as it is written; as the options of `loadtest vcs`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VcsEntry {
    policy: Vec<String>,
    /// User name and password.
    pub credentials: Option<String>,
    /// What is dialled.
    #[serde(default = "alias")]
    pub alias: String,
    /// How many conferences.
    #[serde(default = "conferences")]
    pub conferences: u64,
    #[serde(default)]
    call_policy: bool,
    #[serde(default)]
    user_policy: bool,
    /// A bare node.
    #[serde(default = "default_cpl")]
    pub default_cpl: String,
    /// See `--time-scale`.
    #[serde(default = "time_scale")]
    pub time_scale: f64,
}

impl VcsEntry {
    /// The kinds of policy that are asked.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        let kinds = Kind::IN_ORDER.into_iter().filter(|kind| match kind {
            Kind::Admin => self.call_policy,
            Kind::User => self.user_policy,
            Kind::Search => true,
        });
        kinds.collect()
    }
}

fn alias() -> String {
    "meet.{n}@example.com".into()
}

fn conferences() -> u64 {
    100
}

fn default_cpl() -> String {
    "<reject status='504' reason='Policy Service Unavailable'/>".into()
}

fn time_scale() -> f64 {
    1.0
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    #[serde(default = "seed")]
    seed: u64,
    target: String,
    #[serde(default)]
    warm_up_ms: u64,
    assert: Vec<String>,
    #[serde(default)]
    calls: Calls,
    phase: Vec<PhaseEntry>,
    peer: Vec<PeerEntry>,
    vcs: Option<VcsEntry>,
}

fn seed() -> u64 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, tag = "shape", rename_all = "lowercase")]
enum PhaseEntry {
    Burst {
        calls: u64,
        every_ms: u64,
        seconds: f64,
    },
    Constant {
        rate: f64,
        seconds: f64,
    },
    Pause {
        seconds: f64,
    },
    Poisson {
        rate: f64,
        seconds: f64,
    },
    /// From one rate to another, each step as long as the others.
    Steps {
        rate: f64,
        rate_to: f64,
        steps: u32,
        seconds: f64,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerEntry {
    at: String,
    /// What its aliases begin with, for a VCS.
    prefix: Option<String>,
    #[serde(default)]
    does: DoesEntry,
    /// Of `does = "refuse"`.
    status: Option<u16>,
    #[serde(default)]
    answer_ms: u64,
    deaf: Option<DeafEntry>,
    dies_at: Option<DiesEntry>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DoesEntry {
    #[default]
    Answer,
    Refuse,
    Ring,
    Silence,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeafEntry {
    from_ms: u64,
    for_ms: u64,
    every_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiesEntry {
    method: String,
    number: u64,
}

impl Scenario {
    /// Reads a file's text.
    ///
    /// # Errors
    /// What is wrong with it; of its form with line and column.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let file: File = toml::from_str(text)?;
        let assertions = file.assert.iter().map(|line| line.parse());
        let assertions: Result<Vec<Assertion>, String> = assertions.collect();
        ensure!(!file.phase.is_empty(), "no [[phase]]: no call would begin");
        ensure!(
            !file.peer.is_empty(),
            "no [[peer]]: nobody would take a call"
        );
        let vcs = file.vcs.map(|entry| {
            let policy = entry.policy.iter().map(|url| url.parse());
            let policy: Result<Vec<Url>, String> = policy.collect();
            let policy = policy.map_err(anyhow::Error::msg)?;
            ensure!(
                (1..=3).contains(&policy.len()),
                "a VCS has room for three addresses"
            );
            ensure!(
                (0.001..=10_000.0).contains(&entry.time_scale),
                "time_scale is from 0.001 to 10000"
            );
            Ok(Vcs { policy, entry })
        });
        let mut phases = Vec::new();
        for phase in &file.phase {
            phase.add_to(&mut phases)?;
        }
        let peers = file.peer.into_iter().map(PeerEntry::read);
        Ok(Self {
            about: file.about,
            seed: file.seed,
            target: target(&file.target)?,
            warm_up: Duration::from_millis(file.warm_up_ms),
            phases,
            calls: file.calls,
            peers: peers.collect::<anyhow::Result<_>>()?,
            vcs: vcs.transpose()?,
            assertions: assertions.map_err(anyhow::Error::msg)?,
        })
    }
}

impl PhaseEntry {
    fn add_to(&self, phases: &mut Vec<Phase>) -> anyhow::Result<()> {
        let mut add = |shape, seconds: f64| {
            let lasts = Duration::try_from_secs_f64(seconds).context("seconds of a [[phase]]")?;
            phases.push(Phase { shape, lasts });
            anyhow::Ok(())
        };
        let check = |rate: f64| {
            ensure!((0.0..=100_000.0).contains(&rate), "a rate of {rate}");
            anyhow::Ok(rate)
        };
        match *self {
            Self::Burst {
                calls,
                every_ms,
                seconds,
            } => {
                ensure!(
                    calls > 0 && every_ms > 0,
                    "a burst has calls, and a time between two"
                );
                let every = Duration::from_millis(every_ms);
                add(Shape::Burst { calls, every }, seconds)
            }
            Self::Constant { rate, seconds } => {
                let rate = check(rate)?;
                add(Shape::Constant { rate }, seconds)
            }
            Self::Pause { seconds } => add(Shape::Pause, seconds),
            Self::Poisson { rate, seconds } => {
                let rate = check(rate)?;
                add(Shape::Poisson { rate }, seconds)
            }
            Self::Steps {
                rate,
                rate_to,
                steps,
                seconds,
            } => {
                ensure!((2..=1_000).contains(&steps), "{steps} steps");
                let each = (check(rate_to)? - check(rate)?) / f64::from(steps - 1);
                (0..steps).try_for_each(|step| {
                    let rate = rate + each * f64::from(step);
                    add(Shape::Constant { rate }, seconds / f64::from(steps))
                })
            }
        }
    }
}

impl PeerEntry {
    fn read(self) -> anyhow::Result<Bridge> {
        let does = match (self.does, self.status) {
            (DoesEntry::Answer, None) => Does::Answer,
            (DoesEntry::Refuse, Some(status @ 300..=699)) => Does::Refuse(status),
            (DoesEntry::Refuse, _) => bail!("{}: `refuse` needs a status", self.at),
            (DoesEntry::Ring, None) => Does::Ring,
            (DoesEntry::Silence, None) => Does::Silence,
            (_, Some(_)) => bail!("{}: only who refuses has a status", self.at),
        };
        let ms = Duration::from_millis;
        let deaf = self.deaf.map(|deaf| Deaf {
            from: ms(deaf.from_ms),
            lasts: ms(deaf.for_ms),
            every: deaf.every_ms.map(ms),
        });
        let dies_at = self.dies_at.map(|death| Death {
            method: death.method.to_uppercase(),
            number: death.number.max(1),
        });
        Ok(Bridge {
            at: loopback(&self.at)?,
            prefix: self.prefix,
            does,
            answer: ms(self.answer_ms),
            fate: Fate { deaf, dies_at },
        })
    }
}

/// `udp:127.0.0.1:5060`.
fn target(text: &str) -> anyhow::Result<(Transport, SocketAddr)> {
    match text.split_once(':') {
        Some(("udp", address)) => Ok((Transport::Udp, loopback(address)?)),
        Some(("tcp", address)) => Ok((Transport::Tcp, loopback(address)?)),
        _ => bail!("target is {text:?}; write udp:ADDRESS:PORT or tcp:ADDRESS:PORT"),
    }
}

/// An address of this machine: nobody else is to be flooded.
pub(super) fn loopback(text: &str) -> anyhow::Result<SocketAddr> {
    let address: SocketAddr = text
        .parse()
        .with_context(|| format!("{text:?} is not ADDRESS:PORT"))?;
    ensure!(
        address.ip().is_loopback(),
        "{} is not this machine: only loopback addresses are called",
        address.ip()
    );
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "about = \"a\"\ntarget = \"udp:127.0.0.1:5060\"\nassert = [\"failed = 0\"]\n";
    const REST: &str = "[[phase]]\nshape = \"constant\"\nrate = 10\nseconds = 1\n[[peer]]\nat = \"127.0.0.1:5181\"\n";

    #[test]
    fn steps_and_peers_are_read() {
        let text = format!(
            "{HEAD}[[phase]]\nshape = \"steps\"\nrate = 100\nrate_to = 300\nsteps = 3\nseconds = 6\n\
             [[peer]]\nat = \"127.0.0.1:5181\"\ndoes = \"refuse\"\nstatus = 486\n\
             [[peer]]\nat = \"127.0.0.1:5182\"\ndeaf = {{ from_ms = 1, for_ms = 2, every_ms = 3 }}\n\
             dies_at = {{ method = \"bye\", number = 7 }}\n"
        );
        let scenario = Scenario::read(&text).unwrap();
        let step = |rate| Phase {
            shape: Shape::Constant { rate },
            lasts: Duration::from_secs(2),
        };
        assert_eq!(scenario.phases, [step(100.0), step(200.0), step(300.0)]);
        assert_eq!(scenario.peers[0].does, Does::Refuse(486));
        let fate = &scenario.peers[1].fate;
        assert_eq!(fate.dies_at.as_ref().unwrap().method, "BYE");
        assert_eq!(fate.deaf.unwrap().every, Some(Duration::from_millis(3)));
        assert_eq!(scenario.calls.hold_ms, 200);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let good = format!("{HEAD}{REST}");
        Scenario::read(&good).unwrap();
        for (from, to, why) in [
            ("seconds = 1", "secnds = 1", "secnds"),
            ("127.0.0.1:5060", "192.0.2.1:5060", "not this machine"),
            ("127.0.0.1:5181", "192.0.2.1:5181", "not this machine"),
            ("udp:", "sctp:", "udp:ADDRESS"),
            ("failed = 0", "failures = 0", "no figure is called"),
            ("rate = 10", "rate = -1", "a rate of"),
            ("constant", "sometimes", "sometimes"),
            ("seconds = 1", "seconds = -1", "seconds of a"),
            ("[[peer]]", "[[peer]]\nstatus = 503", "only who refuses"),
            ("[[peer]]", "[[peer]]\ndoes = \"refuse\"", "needs a status"),
        ] {
            let error = Scenario::read(&good.replace(from, to)).unwrap_err();
            assert!(format!("{error:#}").contains(why), "{to}: {error:#}");
        }
    }
}
