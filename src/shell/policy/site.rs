//! What a configuration makes of the service: who may ask, where, and what is decided; and the state
//! that the status path tells.

use super::Shared;
use super::guard::Guard;
use crate::config::Policy;
use crate::shell::control::Phase;
use policy::{Service, State};
use std::sync::atomic::Ordering;
use std::time::Duration;

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

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Decision,
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
    Stopped = 3,
}

impl Override {
    /// What an operator's word means.
    pub(in crate::shell) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "default-credentials" => Self::DefaultCredentials,
            "drain" => Self::Draining,
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
                Phase::Running if said == Override::Draining as u8 => State::Draining,
                Phase::Running => State::Active,
                Phase::Maintenance | Phase::Lingering => State::Draining,
                Phase::Draining | Phase::Stopping => State::Stopped,
            }
        }
    }

    /// The state in words.
    pub(in crate::shell) fn words(&self) -> &'static str {
        self.state(&self.site.load()).words()
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
        for path in ["/", "/nosuch", "/policy/x", "/Policy", "/status/policy"] {
            assert_eq!(site.place(path), Place::Nowhere, "{path}");
        }
    }
}
