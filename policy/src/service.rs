//! One request in, one answer out: rules first, then, for a search, the balancer
//! (POLICY.md sections 8 and 9).

use crate::cpl::{self, Answer};
use crate::form::Plus;
use crate::request::{BadRequest, Kind, Method, Request};
use crate::rule::{Action, Rule, RuleError, RuleSettings};
use balancer::{Balancer, Explanation, GaveUp, NoPlace, PeerId, Snapshot, without_scheme};
use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a service is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How a `+` in a body is read.
    pub plus: Plus,
    /// The rules, the first one first.
    pub rules: Vec<RuleSettings>,
    /// What the VCS is sent when a call is attempted; with anything else nothing is taken.
    pub attempts: Vec<Method>,
    /// How long a session is held for a call that was decided.
    pub lease: Duration,
    /// The zone that these calls count as coming from, in the dial plan's words.
    pub zone: String,
    /// What stands before each of our own reasons.
    pub reason_prefix: String,
    /// The status for a conference that has not started: 480 or 403.
    pub not_started: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plus: Plus::Space,
            rules: Vec::new(),
            attempts: vec![Method::Arq, Method::Invite, Method::Setup],
            lease: Duration::from_secs(45),
            zone: String::new(),
            reason_prefix: String::new(),
            not_started: 480,
        }
    }
}

/// The service. Several threads may ask it at one time.
#[derive(Debug)]
pub struct Service {
    settings: Settings,
    rules: Vec<Rule>,
}

/// Requests without a serial, each of which is a call of its own, whichever configuration it met.
static NAMELESS: AtomicU64 = AtomicU64::new(0);

/// A rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule `{rule}`: {error}")]
pub struct Mistake {
    /// Its name.
    pub rule: String,
    /// What is wrong.
    pub error: RuleError,
}

/// What was decided, for the log and the figures; the answer itself is written already.
#[derive(Debug)]
pub struct Decided<'s> {
    /// In a word.
    pub outcome: Outcome,
    /// The rule that decided, if one did.
    pub rule: Option<&'s str>,
    /// The peer that the call was sent to.
    pub peer: Option<PeerId>,
    /// The status of a refusal.
    pub status: Option<u16>,
    /// The first rule of which a pattern took too many steps, so that nobody knows whether it fits.
    pub gave_up: Option<&'s str>,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It may go on.
    Allowed,
    /// Nobody knows the alias: mostly a scanner.
    Missed,
    /// It was refused by a rule.
    Refused,
    /// It leads to aliases that a rule names.
    Routed,
    /// It leads to a peer.
    Placed,
    /// It could lead to no peer.
    Unplaced,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Allowed,
        Self::Missed,
        Self::Placed,
        Self::Refused,
        Self::Routed,
        Self::Unplaced,
    ];

    /// As it is written in logs and figures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Missed => "missed",
            Self::Placed => "placed",
            Self::Refused => "refused",
            Self::Routed => "routed",
            Self::Unplaced => "unplaced",
        }
    }
}

/// A serial that is longer names no call: it comes from no VCS, and would only fill the memory.
const SERIAL_MAX: usize = 64;

impl Service {
    /// Compiles the rules.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub fn new(settings: Settings) -> Result<Self, Mistake> {
        let rules = settings.rules.iter().map(|rule| {
            Rule::new(rule).map_err(|error| Mistake {
                rule: rule.name.clone(),
                error,
            })
        });
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
            settings,
        })
    }

    /// Reads a body.
    ///
    /// # Errors
    /// Why it says nothing that can be decided (400).
    pub fn read<'b>(&self, body: &'b [u8]) -> Result<Request<'b>, BadRequest> {
        Request::read(body, self.settings.plus)
    }

    /// Where a search that no rule decides would go, and why; nothing is taken.
    #[must_use]
    pub fn explain(
        &self,
        now: Instant,
        balancer: &Snapshot<'_>,
        request: &Request<'_>,
    ) -> Explanation {
        balancer.explain(&balancer::Request {
            alias: request.dialled.as_bytes(),
            zone: &self.settings.zone,
            tried: &[],
            is_audio_only: false,
            now,
        })
    }

    /// How long a place is held.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.settings.lease
    }

    /// Decides, and writes the answer as CPL.
    pub fn decide(
        &self,
        now: Instant,
        balancer: &Balancer,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Decided<'_> {
        let snapshot = balancer.snapshot();
        self.decide_on(now, &snapshot, request, &mut |answer| {
            cpl::write(answer, out);
        })
    }

    /// Decides on one board, and tells the answer, once.
    pub fn decide_on(
        &self,
        now: Instant,
        balancer: &Snapshot<'_>,
        request: &Request<'_>,
        tell: &mut dyn FnMut(&Answer<'_>),
    ) -> Decided<'_> {
        let mut dialled = Cow::Borrowed(&*request.dialled);
        // Ours, or another member's, comes back (POLICY.md section 8.2): the form decides, before any rule.
        if request.kind == Kind::Search && balancer.is_on_peer(&dialled) {
            return allow(tell);
        }
        let mut gave_up = None;
        for rule in &self.rules {
            match rule.fits(request, without_scheme(&dialled)) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(GaveUp) => {
                    gave_up = gave_up.or(Some(&*rule.settings.name));
                    // Who cannot be told from those that are to be refused is refused.
                    if !rule.settings.action.is_reject() {
                        continue;
                    }
                }
            }
            if let Action::Rewrite { .. } = rule.settings.action {
                // The rules that follow see the other alias.
                if let Some(other) = rule.rewritten(without_scheme(&dialled)) {
                    dialled = Cow::Owned(other);
                }
                continue;
            }
            return Decided {
                gave_up,
                ..ruled(rule, tell)
            };
        }
        let decided = match request.kind {
            Kind::Admin | Kind::Registration | Kind::User => allow(tell),
            Kind::Search => self.search(now, balancer, (request, &dialled), tell),
        };
        Decided { gave_up, ..decided }
    }

    /// A search that no rule has decided (POLICY.md section 8.2).
    fn search(
        &self,
        now: Instant,
        balancer: &Snapshot<'_>,
        (request, dialled): (&Request<'_>, &str),
        tell: &mut dyn FnMut(&Answer<'_>),
    ) -> Decided<'_> {
        // A rule has made it one of a peer: there it goes, and is ours when it comes back.
        if balancer.is_on_peer(dialled) {
            let answer = Answer::Route {
                aliases: &[without_scheme(dialled)],
                timeout: None,
                on_failure: None,
            };
            tell(&answer);
            return Decided {
                outcome: Outcome::Routed,
                rule: None,
                peer: None,
                status: None,
                gave_up: None,
            };
        }
        let call = balancer::Request {
            alias: dialled.as_bytes(),
            zone: &self.settings.zone,
            tried: &[],
            is_audio_only: false,
            now,
        };
        let handed = if self.is_attempt(request) {
            let leased = balancer.lease(&call, &serial(request), self.settings.lease);
            leased.map(|leased| Some((leased.peer, leased.number, leased.fallback)))
        } else {
            let running = balancer.running(&call);
            running.map(|running| running.map(|(peer, number)| (peer, number, None)))
        };
        match handed {
            // Not a call: whoever asks may go on asking elsewhere.
            Ok(None) => allow(tell),
            Ok(Some(handed)) => self.place(balancer, handed, tell),
            Err(why) => self.refuse(why, tell),
        }
    }

    fn is_attempt(&self, request: &Request<'_>) -> bool {
        let attempts = &self.settings.attempts;
        !request.has_method
            || request
                .method
                .is_some_and(|method| attempts.contains(&method))
    }

    fn place(
        &self,
        balancer: &Snapshot<'_>,
        (peer, number, fallback): (PeerId, u32, Option<PeerId>),
        tell: &mut dyn FnMut(&Answer<'_>),
    ) -> Decided<'_> {
        let mut alias = String::new();
        if !balancer.write_alias(peer, number, &mut alias) || !cpl::is_alias(&alias) {
            // The configuration is checked for this; a peer of a name's set may still be without.
            return self.refuse(NoPlace::NoCapacity, tell);
        }
        let mut other = String::new();
        let has_other = fallback.is_some_and(|peer| balancer.write_alias(peer, number, &mut other));
        let answer = Answer::Route {
            aliases: &[&alias],
            timeout: None,
            on_failure: (has_other && cpl::is_alias(&other)).then_some(&*other),
        };
        tell(&answer);
        Decided {
            outcome: Outcome::Placed,
            rule: None,
            peer: Some(peer),
            status: None,
            gave_up: None,
        }
    }

    fn refuse(&self, why: NoPlace, tell: &mut dyn FnMut(&Answer<'_>)) -> Decided<'_> {
        let (status, words) = match why {
            NoPlace::AliasUnknown => (404, "No matching conference alias"),
            NoPlace::CallerNotAllowed => (403, "Conference not open to this zone"),
            NoPlace::ConferenceFull => (486, "Conference is full"),
            NoPlace::Exhausted => (503, "No conference bridge answered"),
            NoPlace::NoCapacity => (503, "No conference bridge capacity"),
            NoPlace::NotStarted => (self.settings.not_started, "Conference not started"),
            NoPlace::PeersDown => (503, "No conference bridge alive"),
        };
        let mut reason = self.settings.reason_prefix.clone();
        reason.push_str(words);
        tell(&Answer::Reject {
            status,
            reason: &reason,
        });
        Decided {
            outcome: if why == NoPlace::AliasUnknown {
                Outcome::Missed
            } else {
                Outcome::Unplaced
            },
            rule: None,
            peer: None,
            status: Some(status),
            gave_up: None,
        }
    }
}

/// Which call it is; one that does not say is like no other. A serial of a VCS begins with no space.
fn serial(request: &Request<'_>) -> String {
    let serial = request.global_serial.trim();
    if serial.is_empty() || serial.len() > SERIAL_MAX {
        format!(" {}", NAMELESS.fetch_add(1, Ordering::Relaxed))
    } else {
        serial.to_ascii_lowercase()
    }
}

fn allow(tell: &mut dyn FnMut(&Answer<'_>)) -> Decided<'static> {
    tell(&Answer::Proxy { timeout: None });
    Decided {
        outcome: Outcome::Allowed,
        rule: None,
        peer: None,
        status: None,
        gave_up: None,
    }
}

/// What a rule says.
fn ruled<'s>(rule: &'s Rule, tell: &mut dyn FnMut(&Answer<'_>)) -> Decided<'s> {
    let mut decided = Decided {
        outcome: Outcome::Allowed,
        rule: Some(&rule.settings.name),
        peer: None,
        status: None,
        gave_up: None,
    };
    match &rule.settings.action {
        Action::Allow { timeout } => tell(&Answer::Proxy { timeout: *timeout }),
        Action::Reject { status, reason } => {
            decided.outcome = Outcome::Refused;
            decided.status = Some(*status);
            let status = *status;
            tell(&Answer::Reject { status, reason });
        }
        Action::Rewrite { .. } => debug_assert!(false, "a rewriting rule decides nothing"),
        Action::Route {
            aliases,
            timeout,
            on_failure,
        } => {
            decided.outcome = Outcome::Routed;
            let aliases: Vec<&str> = aliases.iter().map(String::as_str).collect();
            let answer = Answer::Route {
                aliases: &aliases,
                timeout: *timeout,
                on_failure: on_failure.as_deref(),
            };
            tell(&answer);
        }
    }
    decided
}

#[cfg(test)]
mod tests;
