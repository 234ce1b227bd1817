//! What a configuration makes of the service: who may ask, where, and what is decided; and the state
//! that the status path tells.

use super::Shared;
use super::guard::Guard;
use crate::config::Policy;
use crate::shell::control::Phase;
use policy::{Service, State};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often it is looked whether what was frozen moves again.
const LOOK: Duration = Duration::from_millis(20);
/// Where decisions are made in JSON.
const JSON_PATH: &str = "/api/v1/place";

/// One configuration.
pub(super) struct Site {
    pub(super) service: Service,
    pub(super) guard: Guard,
    paths: Vec<String>,
    status_path: String,
    pub(super) idle: Duration,
    pub(super) connections: usize,
    pub(super) connections_per_source: usize,
}

/// The last two configurations: requests are decided by the rules that belong to the board that they are
/// decided on, and while a reload installs both, either may be the newer one.
pub(super) struct Sites {
    /// The number of the newer one.
    since: u64,
    newer: Arc<Site>,
    older: Arc<Site>,
}

impl Sites {
    pub(super) fn first(site: Site) -> Self {
        let site = Arc::new(site);
        Self {
            since: 0,
            newer: Arc::clone(&site),
            older: site,
        }
    }

    /// The same with another one, which is that of this number.
    pub(super) fn followed_by(&self, number: u64, site: Site) -> Self {
        Self {
            since: number,
            newer: Arc::new(site),
            older: Arc::clone(&self.newer),
        }
    }

    /// That of a board.
    pub(super) fn of(&self, configuration: u64) -> &Arc<Site> {
        if configuration >= self.since {
            &self.newer
        } else {
            &self.older
        }
    }
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Decision,
    /// A decision for who speaks JSON.
    DecisionInJson,
    Nowhere,
    Status,
}

/// A state that an operator has put the service into, to try what a VCS makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::shell) enum Override {
    None = 0,
    DefaultCredentials = 1,
    Draining = 2,
    /// What decisions depend on answers nothing.
    Frozen = 3,
    Stopped = 4,
}

impl Override {
    /// What an operator's word means.
    pub(in crate::shell) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "default-credentials" => Self::DefaultCredentials,
            "drain" => Self::Draining,
            "freeze" => Self::Frozen,
            "own-credentials" | "resume" => Self::None,
            "stop" => Self::Stopped,
            _ => return None,
        })
    }
}

impl Site {
    /// `before`: the one that this one follows.
    pub(super) fn new(policy: &Policy, before: Option<&Self>) -> anyhow::Result<Self> {
        Ok(Self {
            service: Service::new(policy.service.clone())?,
            guard: Guard::new(&policy.access, before.map(|before| &before.guard))?,
            paths: policy.paths.clone(),
            status_path: policy.status_path.clone(),
            idle: policy.idle,
            connections: policy.connections,
            connections_per_source: policy.connections_per_source,
        })
    }

    /// Repeated slashes count as one, and one at the end as none: administrators type both.
    pub(super) fn place(&self, path: &str) -> Place {
        let is = |known: &str| {
            let parts = |path| str::split(path, '/').filter(|part: &&str| !part.is_empty());
            parts(path).eq(parts(known))
        };
        let is_below = |known: &String| {
            let status = format!("{known}{}", self.status_path);
            is(&status)
        };
        if self.paths.iter().any(|known| is(known)) {
            Place::Decision
        } else if is(JSON_PATH) {
            Place::DecisionInJson
        } else if is(&self.status_path) || self.paths.iter().any(is_below) {
            Place::Status
        } else {
            Place::Nowhere
        }
    }
}

impl Shared {
    /// The state of the service now.
    pub(super) fn state(&self, site: &Site) -> State {
        let said = self.said.load(Ordering::Relaxed);
        if said == Override::Stopped as u8 {
            State::Stopped
        } else if site.guard.is_nobody() || said == Override::DefaultCredentials as u8 {
            State::DefaultCredentials
        } else {
            match self.control.phase() {
                Phase::Running if !self.start.is_over() => State::Starting,
                Phase::Running if said == Override::Draining as u8 => State::Draining,
                Phase::Running => State::Active,
                Phase::Maintenance | Phase::Lingering => State::Draining,
                Phase::Draining | Phase::Stopping => State::Stopped,
            }
        }
    }

    /// The configuration that requests meet now.
    pub(super) fn site(&self) -> Arc<Site> {
        // The number first: whatever board has it, its rules are there by then.
        let configuration = self.balancer.snapshot().configuration();
        Arc::clone(self.sites.load().of(configuration))
    }

    /// The state in words.
    pub(in crate::shell) fn words(&self) -> &'static str {
        self.state(&self.site()).words()
    }

    /// Returns when decisions can be made: at once, but for an operator who tries what becomes of those that
    /// cannot.
    pub(super) async fn thaw(&self) {
        // Relaxed: it stands for itself.
        while self.said.load(Ordering::Relaxed) == Override::Frozen as u8 {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// An operator wants this state, until the next word.
    pub(in crate::shell) fn say(&self, said: Override) {
        // Relaxed: it stands for itself.
        self.said.store(said as u8, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_board_has_the_rules_of_its_configuration() {
        let site = |idle| {
            let idle = Duration::from_secs(idle);
            let policy = Policy {
                idle,
                ..Policy::default()
            };
            Site::new(&policy, None).unwrap()
        };
        let first = Sites::first(site(1));
        let second = first.followed_by(1, site(2));
        let third = second.followed_by(2, site(3));
        let idle = |sites: &Sites, configuration| sites.of(configuration).idle.as_secs();
        assert_eq!([0, 1].map(|number| idle(&first, number)), [1, 1]);
        assert_eq!([0, 1].map(|number| idle(&second, number)), [1, 2]);
        assert_eq!([1, 2].map(|number| idle(&third, number)), [2, 3]);
    }

    #[test]
    fn slashes_make_no_difference() {
        let site = Site::new(&Policy::default(), None).unwrap();
        for path in ["/policy", "//policy", "/policy/", "/conductor"] {
            assert_eq!(site.place(path), Place::Decision, "{path}");
        }
        for path in [
            "/status",
            "//status/",
            "/policy/status",
            "/conductor//status",
        ] {
            assert_eq!(site.place(path), Place::Status, "{path}");
        }
        assert_eq!(site.place("/api/v1/place/"), Place::DecisionInJson);
        for path in [
            "/api/v1",
            "/",
            "/nosuch",
            "/policy/x",
            "/Policy",
            "/status/policy",
        ] {
            assert_eq!(site.place(path), Place::Nowhere, "{path}");
        }
    }
}
