//! Up to three addresses of one policy service, as a VCS uses them (POLICY.md section 3).
//!
//! Each is polled on the status path; decisions go to the first that was active at its last poll, then to the next.
//! A failed attempt does not make an address failed, only a poll does. Times are a VCS's own, divided by a scale.

use super::client::{Ask, Client};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;

/// From poll to poll.
const POLL: Duration = Duration::from_secs(60);
/// For each attempt.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Servers {
    servers: Vec<Server>,
    path: String,
    status_path: String,
    scale: f64,
}

struct Server {
    client: Client,
    is_active: Cell<bool>,
    last_active: Cell<Option<SystemTime>>,
    figures: RefCell<Figures>,
}

/// What one address was asked, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Polls of the status path.
    pub polls: u64,
    /// Those that did not find it active.
    pub polls_failed: u64,
    /// Decisions asked for.
    pub asked: u64,
    /// Attempts that brought none, by why.
    pub failed: BTreeMap<String, u64>,
}

/// One address at the end.
#[derive(Clone, Debug)]
pub struct ServerReport {
    /// As it was typed.
    pub url: String,
    /// Whether the last poll found it active.
    pub is_active: bool,
    /// When a poll last did.
    pub last_active: Option<SystemTime>,
    /// Connections opened.
    pub connections: u64,
    /// What it was asked.
    pub figures: Figures,
}

impl Servers {
    pub(super) fn new(clients: Vec<Client>, paths: [&str; 2], scale: f64) -> Self {
        let servers = clients.into_iter().map(|client| Server {
            client,
            is_active: Cell::new(false),
            last_active: Cell::new(None),
            figures: RefCell::default(),
        });
        let [path, status_path] = paths.map(|path| format!("/{}", path.trim_start_matches('/')));
        Self {
            servers: servers.collect(),
            path,
            status_path,
            scale,
        }
    }

    /// A time of the VCS as this machine's clock counts it.
    pub(super) fn scaled(&self, time: Duration) -> Duration {
        time.div_f64(self.scale)
    }

    /// From poll to poll, scaled.
    pub(super) fn between_polls(&self) -> Duration {
        self.scaled(POLL)
    }

    /// Polls each address once.
    pub(super) async fn poll(&self) {
        for server in &self.servers {
            let ask = Ask {
                path: &self.status_path,
                form: None,
            };
            let answer = timeout(self.scaled(PATIENCE), server.client.ask(&ask)).await;
            let is_active = matches!(answer, Ok(Ok(answer)) if (200..300).contains(&answer.status));
            server.is_active.set(is_active);
            if is_active {
                server.last_active.set(Some(SystemTime::now()));
            }
            let mut figures = server.figures.borrow_mut();
            figures.polls += 1;
            figures.polls_failed += u64::from(!is_active);
        }
    }

    /// The body of the first answer that is one; `None` if no address gives one.
    pub(super) async fn decide(&self, form: String) -> Option<Vec<u8>> {
        let ask = Ask {
            path: &self.path,
            form: Some(form),
        };
        for server in self.servers.iter().filter(|server| server.is_active.get()) {
            server.figures.borrow_mut().asked += 1;
            let answer = timeout(self.scaled(PATIENCE), server.client.ask(&ask)).await;
            let why = match answer {
                Ok(Ok(answer)) if answer.status == 200 => return Some(answer.body),
                Ok(Ok(answer)) => format!("HTTP {}", answer.status),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            *server.figures.borrow_mut().failed.entry(why).or_default() += 1;
        }
        None
    }

    pub(super) fn reports(&self) -> Vec<ServerReport> {
        let reports = self.servers.iter().map(|server| ServerReport {
            url: server.client.url.to_string(),
            is_active: server.is_active.get(),
            last_active: server.last_active.get(),
            connections: server.client.opened(),
            figures: server.figures.borrow().clone(),
        });
        reports.collect()
    }
}
