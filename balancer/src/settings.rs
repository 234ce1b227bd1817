//! What a balancer is told: peers, pools, aliases and health, as configured and checked elsewhere.

use crate::bridge_alias::BridgeAlias;
use std::net::SocketAddr;
use std::time::Duration;

/// Everything that is configured; a reload hands over a new one.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which configuration this is: each one that is taken over has a greater number.
    pub configuration: u64,
    /// Where calls can go. Names differ.
    pub peers: Vec<PeerSettings>,
    /// Groups of peers. Without any there is one of all peers, called [`POOL_OF_ALL`].
    pub pools: Vec<PoolSettings>,
    /// What may be dialled. Without any, every call goes to the pool of all peers and has no
    /// conference.
    pub aliases: Vec<AliasSettings>,
    /// When a peer is taken out and put back.
    pub health: HealthSettings,
}

/// The pool that peers are in which name none.
pub const POOL_OF_ALL: &str = "default";

/// What a limit is of which no figure is known.
pub const UNKNOWN: u32 = u32::MAX;

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The transport that the caller used.
    Same,
    /// Over TCP.
    Tcp,
    /// Over TLS.
    Tls,
    /// Over UDP.
    Udp,
}

/// One address of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// How it is reached.
    pub transport: Transport,
    /// Where it is.
    pub remote: SocketAddr,
}

/// A peer as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    /// Its name in logs and figures; counts and health are kept by it when a new board is made.
    pub name: String,
    /// Its addresses, the first one first. A peer without any is not chosen until
    /// `Balancer::set_targets` gave it some.
    pub targets: Vec<Target>,
    /// The pool that it is in.
    pub pool: String,
    /// Sessions it has room for, whatever else is said: the hard limit. Zero is never chosen;
    /// [`UNKNOWN`] says that nobody knows, unless the peer tells.
    pub sessions_max: u32,
    /// Up to how many sessions it takes calls that begin a conference.
    pub new_limit: u32,
    /// Up to how many sessions it takes calls into a conference that it has already.
    pub existing_limit: u32,
    /// Its share where the pool's strategy is [`Strategy::Weighted`].
    pub weight: u32,
    /// What it can do; an alias may ask for it.
    pub tags: Vec<String>,
    /// The state that it starts in.
    pub operator: Operator,
    /// What conferences are called there, where policy answers send calls to it.
    pub alias: Option<BridgeAlias>,
}

impl PeerSettings {
    /// A peer at one address with room for so many sessions, and nothing special.
    #[must_use]
    pub fn new(name: impl Into<String>, target: Target, sessions_max: u32) -> Self {
        Self::at(name, vec![target], sessions_max)
    }

    /// The same at these addresses, or at none yet.
    #[must_use]
    pub fn at(name: impl Into<String>, targets: Vec<Target>, sessions_max: u32) -> Self {
        Self {
            name: name.into(),
            targets,
            pool: POOL_OF_ALL.to_owned(),
            sessions_max,
            new_limit: sessions_max,
            existing_limit: sessions_max,
            weight: 1,
            tags: Vec::new(),
            operator: Operator::Ready,
            alias: None,
        }
    }
}

/// What the operator wants of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operator {
    /// Calls, if it is healthy.
    #[default]
    Ready,
    /// Only calls into conferences that it has.
    Drain,
    /// No call, and no probe.
    Maint,
}

impl Operator {
    /// As it is written in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Drain => "drain",
            Self::Maint => "maint",
        }
    }

    /// Of the word in the configuration.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Ready, Self::Drain, Self::Maint];
        all.into_iter().find(|operator| operator.as_str() == word)
    }
}

/// A group of peers of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// Its name.
    pub name: String,
    /// How one of its peers is chosen.
    pub strategy: Strategy,
    /// How many sessions a call with sound alone takes, at least 1.
    pub audio_sessions: u32,
    /// How many any other call takes, at least 1.
    pub video_sessions: u32,
    /// When a call is taken from a peer to the next one.
    pub failover: Failover,
}

impl PoolSettings {
    /// A pool as it is where nothing is configured.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            strategy: Strategy::default(),
            audio_sessions: 1,
            video_sessions: 1,
            failover: Failover::default(),
        }
    }
}

/// How a peer is chosen among those that can take the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The most sessions available, in absolute numbers.
    #[default]
    MostAvailable,
    /// The lowest share of its sessions in use.
    LeastBusy,
    /// The fewest sessions in use for its weight.
    Weighted,
    /// One after the other, whatever is in use. Strategies that compare room do the same as long as
    /// that of some peer is not known (ZON-11).
    RoundRobin,
    /// The availability of ports and of mixers, whichever is less.
    Dma,
}

impl Strategy {
    /// As it is written in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MostAvailable => "most-available",
            Self::LeastBusy => "least-busy",
            Self::Weighted => "weighted",
            Self::RoundRobin => "round-robin",
            Self::Dma => "dma",
        }
    }
}

/// How long a peer of a pool is waited for, and when the next one is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failover {
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long the first answer may take.
    pub first_response_timeout: Duration,
    /// How many peers one call tries at most.
    pub tries_max: u8,
    /// Final answers after which the next peer is tried.
    pub next_on: Statuses,
}

impl Default for Failover {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            first_response_timeout: Duration::from_secs(2),
            tries_max: 3,
            // A bridge that is busy says nothing about the next one, so 480, 486 and 600 are here
            // too; a pool of endpoints takes them out.
            next_on: Statuses::of(&[408, 480, 486, 500, 502, 503, 504, 600]),
        }
    }
}

/// A set of status codes from 300 to 699.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statuses([u64; 7]);

impl Statuses {
    /// A bit for each code, 300 the lowest bit of the first word.
    #[must_use]
    pub fn words(&self) -> [u64; 7] {
        self.0
    }

    /// These; what is no code from 300 to 699 is left out.
    #[must_use]
    pub fn of(codes: &[u16]) -> Self {
        let mut set = Self::default();
        for code in codes {
            if let Some((word, bit)) = place_of(*code)
                && let Some(word) = set.0.get_mut(word)
            {
                *word |= bit;
            }
        }
        set
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn contains(&self, code: u16) -> bool {
        place_of(code)
            .and_then(|(word, bit)| self.0.get(word).map(|word| word & bit != 0))
            .unwrap_or(false)
    }
}

fn place_of(code: u16) -> Option<(usize, u64)> {
    let offset = code.checked_sub(300).filter(|offset| *offset < 400)?;
    Some((usize::from(offset / 64), 1 << (offset % 64)))
}

/// A rule for what may be dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasSettings {
    /// Its name in logs and in `explain`.
    pub name: String,
    /// A regular expression that must match the whole alias; letter case does not count.
    pub pattern: String,
    /// 1 is asked first; among equals the order of the configuration.
    pub priority: u16,
    /// The conference's name, with `\1` to `\9` for captures; `None`: the calls share nothing.
    pub conference: Option<String>,
    /// What the caller is there.
    pub role: Role,
    /// Whether a call may begin the conference.
    pub may_create: bool,
    /// Callers at one time in one conference.
    pub participants_max: Option<u32>,
    /// Whether an answer to others names a second peer, for a call that cannot reach the first.
    pub fallback: bool,
    /// Pools, the first one first. None: all pools in the order of the configuration.
    pub pools: Vec<String>,
    /// What a peer must have.
    pub tags: Vec<String>,
    /// Zones whose calls may use it. None: all.
    pub zones: Vec<String>,
}

/// What a caller is in a conference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Leads it.
    Chair,
    /// Comes without rights.
    Guest,
    /// Takes part.
    #[default]
    Participant,
}

/// When a peer is taken out of service and put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// Whether peers are probed. If not, a Failed peer is tried again with a call after a time.
    pub probe: bool,
    /// Time between two probes of a peer in service; jitter of 20 % goes on top or off.
    pub probe_interval: Duration,
    /// How long the answer to a probe may take.
    pub probe_timeout: Duration,
    /// Soft failures and bad probes in a row that take a peer out; a hard failure does it at once.
    pub down_after: u8,
    /// Good probes in a row that put it back, if `hold_down` is over as well.
    pub up_after: u8,
    /// How long it must be well before it is used again.
    pub hold_down: Duration,
    /// First and last time between two probes of a Failed peer; doubled from one to the other.
    pub back_off: [Duration; 2],
    /// How long a peer that came back gets fewer calls than its figures say.
    pub slow_start: Duration,
    /// The longest pause that a peer may ask for by Retry-After.
    pub pause_max: Duration,
    /// How old a report of a peer's own figures may be and still count.
    pub report_age_max: Duration,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            probe: true,
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(2),
            down_after: 3,
            up_after: 2,
            hold_down: Duration::from_secs(5),
            back_off: [Duration::from_secs(1), Duration::from_secs(30)],
            slow_start: Duration::from_secs(10),
            pause_max: Duration::from_secs(300),
            report_age_max: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_statuses_holds_what_it_was_given() {
        let set = Statuses::of(&[299, 300, 363, 364, 503, 699, 700]);
        for code in 0..1_000 {
            let given = [300, 363, 364, 503, 699].contains(&code);
            assert_eq!(set.contains(code), given, "{code}");
        }
    }
}
