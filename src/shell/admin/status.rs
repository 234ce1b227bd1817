//! `baton status`: the node on one page, and how well it is.

use super::answer::{Answer, Reader};
use super::routes::Desk;
use crate::observe::json::Json;
use crate::shell::control::Phase;
use crate::shell::view::Unready;
use balancer::PeerState;
use std::fmt::Write;
use std::time::Instant;

/// How well the node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Condition {
    Good,
    Degraded,
    Critical,
}

/// The node at one moment.
struct Status {
    condition: Condition,
    /// Why it is not good, in words.
    reasons: Vec<String>,
    phase: Phase,
    calls: u64,
    begun_per_second: f64,
    peers: usize,
    peers_active: usize,
    sessions: u64,
    session_limit: u64,
    conferences: usize,
    uptime_seconds: u64,
}

impl Condition {
    fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Degraded => "degraded",
            Self::Critical => "critical",
        }
    }

    /// The word that monitoring plug-ins begin their line with.
    fn as_nagios(self) -> &'static str {
        match self {
            Self::Good => "OK",
            Self::Degraded => "WARNING",
            Self::Critical => "CRITICAL",
        }
    }
}

impl Desk {
    /// One page, or one line for monitoring.
    pub(super) fn status(&self, reader: Reader, is_nagios: bool) -> Answer {
        let status = self.look(Instant::now());
        let answer = match reader {
            Reader::Person if is_nagios => Answer::of(reader, || self.line(&status), || Json::Null),
            Reader::Person | Reader::Program => {
                Answer::of(reader, || self.page(&status), || self.object(&status))
            }
        };
        Answer {
            condition: Some(status.condition.as_str()),
            ..answer
        }
    }

    fn look(&self, now: Instant) -> Status {
        let view = &self.view;
        let figures = view.balancer.figures(now);
        let active = figures
            .iter()
            .filter(|peer| peer.state == PeerState::Active);
        let mut status = Status {
            condition: Condition::Good,
            reasons: Vec::new(),
            phase: view.control.phase(),
            calls: view.sum(|shell| &shell.calls),
            begun_per_second: self.pulse.begun_per_second(),
            peers: figures.len(),
            peers_active: active.count(),
            sessions: figures.iter().map(|peer| u64::from(peer.in_use)).sum(),
            session_limit: figures
                .iter()
                .filter_map(|peer| peer.limit)
                .map(u64::from)
                .sum(),
            conferences: view.balancer.conference_count(),
            uptime_seconds: view.started.elapsed().map_or(0, |since| since.as_secs()),
        };
        for worker in self.pulse.hanging(view, now) {
            status.mind(Condition::Critical, format!("worker {worker} hangs"));
        }
        for reason in view.unready() {
            match reason {
                Unready::Draining => {
                    status.mind(Condition::Degraded, "takes no new calls".to_owned());
                }
                Unready::NoUsablePeer => {
                    status.mind(Condition::Critical, "no peer is usable".to_owned());
                }
                Unready::Starting => status.mind(Condition::Degraded, "is starting".to_owned()),
            }
        }
        for peer in &figures {
            match peer.state {
                PeerState::Failed | PeerState::Checking => {
                    let state = peer.state.as_str();
                    status.mind(
                        Condition::Degraded,
                        format!("peer {} is {state}", peer.name),
                    );
                }
                PeerState::Active
                | PeerState::Draining
                | PeerState::Maintenance
                | PeerState::Paused => {}
            }
        }
        if let Some(error) = self.reloads.last_error() {
            status.mind(
                Condition::Degraded,
                format!("the last reload failed: {error}"),
            );
        }
        status
    }

    fn page(&self, status: &Status) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            let written = writeln!(text, "{name:<12}{value}");
            debug_assert!(written.is_ok(), "a text grows without failing");
        };
        line("node", self.view.name.clone());
        line("version", env!("CARGO_PKG_VERSION").to_owned());
        line("uptime", span(status.uptime_seconds));
        line("state", state(status.phase).to_owned());
        line("condition", status.condition.as_str().to_owned());
        for reason in &status.reasons {
            line("", reason.clone());
        }
        let begun = status.begun_per_second;
        line(
            "calls",
            format!("{} live, {begun:.1} begun a second", status.calls),
        );
        line(
            "sessions",
            format!("{} of {} in use", status.sessions, status.session_limit),
        );
        line("conferences", status.conferences.to_string());
        line(
            "peers",
            format!("{} of {} active", status.peers_active, status.peers),
        );
        line("workers", self.view.figures.len().to_string());
        line("reloads", self.reloads.summary());
        text
    }

    fn object(&self, status: &Status) -> Json {
        let reasons = status.reasons.iter().map(Json::text);
        Json::Object(vec![
            ("node", Json::text(&self.view.name)),
            ("version", Json::text(env!("CARGO_PKG_VERSION"))),
            ("uptime_seconds", status.uptime_seconds.into()),
            ("state", Json::text(state(status.phase))),
            ("condition", Json::text(status.condition.as_str())),
            ("reasons", Json::List(reasons.collect())),
            ("calls", status.calls.into()),
            ("calls_per_second", Json::Number(status.begun_per_second)),
            ("sessions", status.sessions.into()),
            ("session_limit", status.session_limit.into()),
            ("conferences", status.conferences.into()),
            ("peers", status.peers.into()),
            ("peers_active", status.peers_active.into()),
            ("workers", self.view.figures.len().into()),
            ("reloads", self.reloads.json()),
        ])
    }

    /// What a plug-in of a monitoring system prints: a word, reasons, figures.
    fn line(&self, status: &Status) -> String {
        let mut text = format!("BATON {}", status.condition.as_nagios());
        let why = status.reasons.join(", ");
        text += " - ";
        text += if why.is_empty() { "serving" } else { &why };
        let (calls, active, peers) = (status.calls, status.peers_active, status.peers);
        text += &format!(" | calls={calls} peers_active={active} peers={peers}\n");
        text.replace(char::is_control, " ").trim_end().to_owned() + "\n"
    }
}

impl Status {
    fn mind(&mut self, condition: Condition, reason: String) {
        self.condition = self.condition.max(condition);
        self.reasons.push(reason);
    }
}

/// What the node does, in a word.
pub(super) fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Running => "serving",
        Phase::Maintenance => "maintenance",
        Phase::Lingering | Phase::Draining => "draining",
        Phase::Stopping => "stopping",
    }
}

/// A time as people say it.
fn span(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {seconds} s"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_do() {
        let times = [5, 65, 3_725, 200_000].map(span);
        assert_eq!(times, ["5 s", "1 min 5 s", "1 h 2 min", "2 d 7 h"]);
    }
}
