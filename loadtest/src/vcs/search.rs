//! One search: what policy says, and what becomes of it.
//!
//! A search is a future. Whatever it gives up, another fork or a ring that lasts too long, it gives up by dropping it;
//! a [`Leg`] that is dropped cancels its call.

use super::cpl::{Node, read_document};
use super::execution::{Facts, Failure, Place, Step, after, begin, groups};
use super::form::{self, Call, Kind, ZONE};
use super::servers::Servers;
use super::tally::{Tally, micros};
use crate::agent::Random;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What a search asks of whoever owns the caller.
pub(super) enum Command {
    /// Call this alias, and say how it ends: at the 2xx, or by a refusal.
    Place {
        leg: u64,
        alias: String,
        ended: oneshot::Sender<Result<(), u16>>,
    },
    /// Nobody waits for this one any more.
    Cancel { leg: u64 },
}

/// What all searches of a VCS share.
pub(super) struct Vcs {
    pub(super) servers: Servers,
    /// The kinds of policy that are asked, in their order.
    pub(super) kinds: Vec<Kind>,
    pub(super) default: Rc<Node>,
    pub(super) tally: RefCell<Tally>,
    pub(super) random: RefCell<Random>,
    pub(super) commands: UnboundedSender<Command>,
    pub(super) next_leg: Cell<u64>,
}

impl Vcs {
    /// Whether no search is under way.
    pub(super) fn is_idle(&self) -> bool {
        let tally = self.tally.borrow();
        tally.finished() == tally.searches
    }
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Answered,
    Rejected { status: u16, reason: String },
    Failed(Failure),
    Loop,
}

impl Verdict {
    /// How a script sees it; `None` if there is nothing to go on about.
    fn failure(&self) -> Option<Failure> {
        match self {
            Self::Answered => None,
            Self::Rejected { status, .. } => Some(Failure::Status(*status)),
            Self::Failed(failure) => Some(*failure),
            Self::Loop => Some(Failure::Status(482)),
        }
    }
}

type Local<T> = Pin<Box<dyn Future<Output = T>>>;

pub(super) struct Search {
    vcs: Rc<Vcs>,
    call: Call,
}

/// Begins a search for an alias and counts how it ends; `due` is when it was to begin.
pub(super) async fn search(vcs: Rc<Vcs>, alias: String, call: Call, due: Instant) {
    let search = Rc::new(Search {
        vcs: Rc::clone(&vcs),
        call,
    });
    let verdict = search.process(alias, Vec::new(), 0).await;
    let mut tally = vcs.tally.borrow_mut();
    let why = match verdict {
        Verdict::Answered => {
            tally.answered += 1;
            tally.search.saturating_record(micros(due.elapsed()));
            return;
        }
        Verdict::Rejected { status, reason } => {
            *tally
                .rejected
                .entry(format!("{status} {reason}"))
                .or_default() += 1;
            return;
        }
        Verdict::Failed(Failure::NoAnswer) => "no answer".to_owned(),
        Verdict::Failed(Failure::Status(status)) => format!("refused with {status}"),
        Verdict::Loop => "policy loop detected".to_owned(),
    };
    *tally.failed.entry(why).or_default() += 1;
}

impl Search {
    /// What becomes of an alias from this kind of policy on; `seen` are the aliases that led here.
    fn process(self: Rc<Self>, alias: String, seen: Vec<String>, stage: usize) -> Local<Verdict> {
        Box::pin(async move {
            let Some(kind) = self.vcs.kinds.get(stage).copied() else {
                return self.place(alias).await;
            };
            let script = self.ask(kind, &alias).await;
            let facts = Facts {
                origin: &self.call.source,
                destination: &alias,
                zone: ZONE,
            };
            let mut random = || {
                let number = self.vcs.random.borrow_mut().below(1001);
                u16::try_from(number).unwrap_or(1000)
            };
            let mut step = begin(&script, facts, &mut random);
            loop {
                let (places, proxy) = match step {
                    Step::Reject { status, reason } => {
                        let reason = reason.to_owned();
                        return Verdict::Rejected { status, reason };
                    }
                    Step::Through(places) => {
                        return self.forward(places, None, (&alias, &seen, stage)).await;
                    }
                    Step::Proxy { places, proxy } => (places, proxy),
                };
                let origin = (alias.as_str(), seen.as_slice(), stage);
                let verdict = self.forward(places.clone(), proxy.timeout, origin).await;
                let next = verdict.failure();
                let next =
                    next.and_then(|failure| after(proxy, places, failure, facts, &mut random));
                match next {
                    None => return verdict,
                    Some(next) => step = next,
                }
            }
        })
    }

    /// Searches a location set, group after group.
    async fn forward(
        self: &Rc<Self>,
        mut places: Vec<Place>,
        seconds: Option<u32>,
        origin: (&str, &[String], usize),
    ) -> Verdict {
        if places.is_empty() {
            // POLICY.md section 6.2: an empty set is the original destination.
            places.push(Place {
                alias: origin.0.to_owned(),
                priority: 1000,
            });
        }
        let mut verdict = Verdict::Failed(Failure::NoAnswer);
        for group in groups(places) {
            let fork = self.fork(group, origin);
            verdict = match seconds {
                None => fork.await,
                Some(seconds) => {
                    let patience = Duration::from_secs(u64::from(seconds));
                    timeout(self.vcs.servers.scaled(patience), fork)
                        .await
                        .unwrap_or(Verdict::Failed(Failure::NoAnswer))
                }
            };
            if verdict == Verdict::Answered {
                break;
            }
        }
        verdict
    }

    /// Searches some aliases at one time: the first that answers ends the others.
    async fn fork(
        self: &Rc<Self>,
        mut group: Vec<String>,
        origin: (&str, &[String], usize),
    ) -> Verdict {
        if group.len() == 1
            && let Some(alias) = group.pop()
        {
            return self.branch(alias, origin).await;
        }
        let mut branches = JoinSet::new();
        for alias in group {
            branches.spawn_local(self.branch(alias, origin));
        }
        let mut verdict = Verdict::Failed(Failure::NoAnswer);
        while let Some(ended) = branches.join_next().await {
            // A branch that panicked has told so already.
            verdict = ended.unwrap_or(Verdict::Failed(Failure::Status(500)));
            if verdict == Verdict::Answered {
                break;
            }
        }
        verdict
    }

    /// POLICY.md section 4.4: an alias of policy's own starts again, the same one goes on.
    fn branch(
        self: &Rc<Self>,
        alias: String,
        (origin, seen, stage): (&str, &[String], usize),
    ) -> Local<Verdict> {
        if alias.eq_ignore_ascii_case(origin) {
            return Rc::clone(self).process(alias, seen.to_vec(), stage + 1);
        }
        if seen.iter().any(|known| known.eq_ignore_ascii_case(&alias)) {
            self.vcs.tally.borrow_mut().loops += 1;
            return Box::pin(async { Verdict::Loop });
        }
        let mut seen = seen.to_vec();
        seen.push(origin.to_owned());
        Rc::clone(self).process(alias, seen, 0)
    }

    /// What policy says; the Default CPL if it says nothing.
    async fn ask(&self, kind: Kind, alias: &str) -> Rc<Node> {
        let began = Instant::now();
        let form = form::write(kind, alias, &self.call, SystemTime::now());
        let answer = self.vcs.servers.decide(form).await;
        let mut tally = self.vcs.tally.borrow_mut();
        *tally.requests.entry(kind.as_str()).or_default() += 1;
        let Some(body) = answer else {
            tally.defaults += 1;
            return Rc::clone(&self.vcs.default);
        };
        tally.decision.saturating_record(micros(began.elapsed()));
        match read_document(&body) {
            Ok(node) => Rc::new(node),
            Err(why) => {
                *tally.unusable.entry(why).or_default() += 1;
                Rc::clone(&self.vcs.default)
            }
        }
    }

    async fn place(&self, alias: String) -> Verdict {
        let vcs = &self.vcs;
        let number = vcs.next_leg.get();
        vcs.next_leg.set(number + 1);
        let (ended, end) = oneshot::channel();
        let command = Command::Place {
            leg: number,
            alias,
            ended,
        };
        let mut leg = Leg {
            number,
            commands: vcs.commands.clone(),
            is_live: true,
        };
        if vcs.commands.send(command).is_err() {
            return Verdict::Failed(Failure::Status(500));
        }
        let end = end.await;
        leg.is_live = false;
        match end {
            Ok(Ok(())) => Verdict::Answered,
            Ok(Err(status)) => Verdict::Failed(Failure::Status(status)),
            Err(_) => Verdict::Failed(Failure::Status(500)),
        }
    }
}

/// A call under way; dropped before it has ended it is given up.
struct Leg {
    number: u64,
    commands: UnboundedSender<Command>,
    is_live: bool,
}

impl Drop for Leg {
    fn drop(&mut self) {
        if self.is_live {
            // Nobody there: then nobody calls either.
            drop(self.commands.send(Command::Cancel { leg: self.number }));
        }
    }
}
