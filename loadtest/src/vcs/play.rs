//! The emulated VCS at work: searches at their times, calls of their own over the trunk.

use super::client::{Client, Url};
use super::cpl::read_default;
use super::form::{Call, Kind};
use super::search::{Command, Vcs, search};
use super::servers::Servers;
use super::tally::{Report, Tally};
use crate::agent::{Agent, Caller, CallerSettings, Outcome, Plan, Random, Timers};
use crate::arrivals::Arrivals;
use crate::bridges::Bridges;
use crate::drive::{Gauge, Socket, Verification, Wire, new_run};
use crate::load::{end_all, settle};
use anyhow::Context;
use hyper::header::HeaderValue;
use signaling::Transport;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// Between two looks at what is due and what searches ask for.
const TICK: Duration = Duration::from_millis(1);
/// Searches begun in one go, so that answers are read in between.
const BURST_MAX: u64 = 64;
/// How many calls that went elsewhere are told in words.
const TOLD_MAX: usize = 10;

/// What a VCS is told once.
#[derive(Debug)]
pub struct Settings {
    /// The addresses of the policy service, one to three.
    pub policy: Vec<Url>,
    /// The path of decisions, and that of the status.
    pub paths: [String; 2],
    /// The value of Authorization, if there is one.
    pub authorization: Option<String>,
    /// What certificates are good for; needed with `https`.
    pub verification: Option<Verification>,
    /// Whether connections are kept, or one is opened for each request.
    pub keeps_connections: bool,
    /// What is executed if nobody answers: a bare node.
    pub default_cpl: String,
    /// The kinds of policy that are asked.
    pub kinds: Vec<Kind>,
    /// The VCS's own times are divided by it.
    pub time_scale: f64,
    /// When searches begin.
    pub arrivals: Arrivals,
    /// Most searches at one time; beyond it they wait, and their latency counts from when they were due.
    pub concurrent_max: u64,
    /// What is dialled; `{n}` becomes the number of the conference.
    pub alias: String,
    /// How many conferences are dialled, by turns.
    pub conferences: u64,
    /// How long calls stay up.
    pub hold: Duration,
    /// Of serials and random priorities.
    pub seed: u64,
    /// Once it is true no search begins any more, and calls are ended.
    pub stop: Arc<AtomicBool>,
    /// Where calls go, by turns.
    pub trunks: Vec<SocketAddr>,
}

/// Searches until all are over, and judges. The calls go through `socket`; `each_second` is told how it goes.
pub async fn run(
    settings: Settings,
    (transport, socket): (Transport, Socket),
    bridges: &Bridges,
    each_second: &mut dyn FnMut(u64, &Tally),
) -> anyhow::Result<Report> {
    let first = settings.trunks.first().context("no trunk is named")?;
    let caller = CallerSettings {
        local: socket.local_addr()?,
        target: *first,
        transport,
        timers: Timers::default(),
        seed: settings.seed,
        run: new_run(),
        rooms: 0,
    };
    let mut caller = Caller::new(caller).telling_answers();
    let mut wire = Wire::new(socket)?;
    let local = LocalSet::new();
    let playing = play(settings, &mut wire, &mut caller, each_second);
    let played = local.run_until(playing).await?;
    let gauges: Vec<&Gauge> = bridges.gauges().map(|(_, gauge)| gauge).collect();
    settle(&mut wire, &mut caller, &gauges).await?;
    Ok(judge(&played, &mut caller, bridges))
}

/// All that is left when the last call is over.
struct Played {
    vcs: Rc<Vcs>,
    /// What was called, of the calls that were answered.
    answered: BTreeMap<u64, String>,
}

/// A call that a search waits for.
struct Waiting {
    leg: u64,
    alias: String,
    ended: Option<oneshot::Sender<Result<(), u16>>>,
    is_given_up: bool,
}

/// The calls on the trunk and who waits for them.
struct Trunks {
    targets: Vec<SocketAddr>,
    hold: Duration,
    commands: UnboundedReceiver<Command>,
    waiting: HashMap<u64, Waiting>,
    number_of: HashMap<u64, u64>,
    answered: BTreeMap<u64, String>,
}

async fn play(
    settings: Settings,
    wire: &mut Wire,
    caller: &mut Caller,
    each_second: &mut dyn FnMut(u64, &Tally),
) -> anyhow::Result<Played> {
    let (commands, received) = unbounded_channel();
    let mut trunks = Trunks {
        targets: settings.trunks.clone(),
        hold: settings.hold,
        commands: received,
        waiting: HashMap::new(),
        number_of: HashMap::new(),
        answered: BTreeMap::new(),
    };
    let vcs = Rc::new(Vcs {
        servers: servers(&settings)?,
        kinds: settings.kinds.clone(),
        default: Rc::new(read_default(&settings.default_cpl).map_err(anyhow::Error::msg)?),
        tally: RefCell::new(Tally::new()?),
        random: RefCell::new(Random::new(settings.seed)),
        commands,
        next_leg: Cell::new(0),
    });
    vcs.servers.poll().await;
    let polled = Rc::clone(&vcs);
    let polls = tokio::task::spawn_local(async move {
        loop {
            tokio::time::sleep(polled.servers.between_polls()).await;
            polled.servers.poll().await;
        }
    });
    let mut dialler = Dialler::new(settings, caller.local());
    let mut seconds = 1;
    while !(dialler.arrivals.is_over() && caller.live() == 0 && vcs.is_idle()) {
        // Relaxed: a word on its own.
        if dialler.stop.load(Ordering::Relaxed) && !dialler.arrivals.is_over() {
            dialler.arrivals.stop();
            end_all(caller);
        }
        dialler.begin_what_is_due(&vcs);
        trunks.obey(caller, &vcs);
        wire.turn(caller, Instant::now() + TICK).await?;
        trunks.tell(caller, &vcs);
        if dialler.start.elapsed() >= Duration::from_secs(seconds) {
            each_second(seconds, &vcs.tally.borrow());
            seconds += 1;
        }
    }
    polls.abort();
    Ok(Played {
        vcs,
        answered: trunks.answered,
    })
}

fn servers(settings: &Settings) -> anyhow::Result<Servers> {
    let tls = settings.verification.as_ref();
    let tls = tls.map(Verification::connector).transpose()?;
    let authorization = settings.authorization.as_deref().map(|text| {
        let mut value = HeaderValue::from_str(text).context("the credentials")?;
        value.set_sensitive(true);
        anyhow::Ok(value)
    });
    let authorization = authorization.transpose()?;
    let clients = settings.policy.iter().map(|url| {
        let is_kept = settings.keeps_connections;
        Client::new(url.clone(), tls.as_ref(), authorization.clone(), is_kept)
    });
    let clients = clients.collect::<anyhow::Result<_>>()?;
    let paths = settings.paths.each_ref().map(String::as_str);
    Ok(Servers::new(clients, paths, settings.time_scale))
}

/// Who begins searches.
struct Dialler {
    arrivals: Arrivals,
    stop: Arc<AtomicBool>,
    start: Instant,
    concurrent_max: u64,
    alias: String,
    conferences: u64,
    source_at: SocketAddr,
    random: Random,
}

impl Dialler {
    fn new(settings: Settings, source_at: SocketAddr) -> Self {
        Self {
            arrivals: settings.arrivals,
            stop: settings.stop,
            start: Instant::now(),
            concurrent_max: settings.concurrent_max,
            alias: settings.alias,
            conferences: settings.conferences.max(1),
            source_at,
            // Serials, like all names, are new in each run.
            random: Random::new(new_run()),
        }
    }

    fn begin_what_is_due(&mut self, vcs: &Rc<Vcs>) {
        let elapsed = self.start.elapsed();
        for _ in 0..BURST_MAX {
            let mut tally = vcs.tally.borrow_mut();
            if tally.searches - tally.finished() >= self.concurrent_max {
                return;
            }
            let Some(due) = self.arrivals.take(elapsed) else {
                return;
            };
            let number = tally.searches;
            tally.searches += 1;
            drop(tally);
            let conference = number % self.conferences;
            let alias = self.alias.replace("{n}", &conference.to_string());
            let call = Call {
                source: format!("caller-{number}@example.com"),
                source_at: self.source_at,
                global_serial: self.serial(),
                local_serial: self.serial(),
            };
            let search = search(Rc::clone(vcs), alias, call, self.start + due);
            tokio::task::spawn_local(search);
        }
    }

    /// In the form of `094f754a-b21c-11e0-91a2-000c29e127de`.
    fn serial(&mut self) -> String {
        let [left, right] = [self.random.bits(), self.random.bits()];
        let text = format!("{left:016x}{right:016x}");
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
        let parts = parts.map(|part| text.get(part).unwrap_or_default());
        parts.join("-")
    }
}

impl Trunks {
    /// Places and gives up calls as the searches ask.
    fn obey(&mut self, caller: &mut Caller, vcs: &Vcs) {
        while let Ok(command) = self.commands.try_recv() {
            let now = Instant::now();
            match command {
                Command::Place { leg, alias, ended } => {
                    let turn = usize::try_from(leg).unwrap_or(0);
                    let turn = turn.checked_rem(self.targets.len());
                    let Some(target) = turn.and_then(|turn| self.targets.get(turn)) else {
                        continue;
                    };
                    let uri = uri(&alias);
                    let number = caller.place_to(now, Plan::plain(self.hold), *target, uri);
                    vcs.tally.borrow_mut().calls += 1;
                    self.number_of.insert(leg, number);
                    let ended = Some(ended);
                    let is_given_up = false;
                    let waiting = Waiting {
                        leg,
                        alias,
                        ended,
                        is_given_up,
                    };
                    self.waiting.insert(number, waiting);
                }
                Command::Cancel { leg } => {
                    if let Some(number) = self.number_of.get(&leg) {
                        // It may be up by now.
                        caller.cancel(now, *number);
                        caller.hang_up(now, *number);
                        if let Some(waiting) = self.waiting.get_mut(number) {
                            waiting.is_given_up = true;
                        }
                    }
                }
            }
        }
    }

    /// Tells the searches what their calls came to.
    fn tell(&mut self, caller: &mut Caller, vcs: &Vcs) {
        while let Some(number) = caller.poll_answered() {
            if let Some(waiting) = self.waiting.get_mut(&number) {
                self.answered.insert(number, waiting.alias.clone());
                let ended = waiting.ended.take();
                let is_told = ended.is_some_and(|ended| ended.send(Ok(())).is_ok());
                if !is_told {
                    // It was answered and given up at one time.
                    waiting.is_given_up = true;
                    caller.hang_up(Instant::now(), number);
                }
            }
        }
        while let Some(outcome) = caller.poll_outcome() {
            let Some(waiting) = self.waiting.remove(&outcome.number) else {
                continue;
            };
            self.number_of.remove(&waiting.leg);
            vcs.tally.borrow_mut().add(&outcome, waiting.is_given_up);
            if let Some(ended) = waiting.ended {
                // A search that is gone does not want to know.
                let _gone = ended.send(Err(status(&outcome)));
            }
        }
    }
}

/// The status that a search is told; a call without one was never answered at all.
fn status(outcome: &Outcome) -> u16 {
    outcome.status.unwrap_or(408)
}

fn uri(alias: &str) -> String {
    if alias.contains('@') {
        format!("sip:{alias}")
    } else {
        format!("sip:{alias}@example.com")
    }
}

/// Holds what was promised against where calls arrived.
fn judge(played: &Played, caller: &mut Caller, bridges: &Bridges) -> Report {
    let mut report = Report {
        tally: played.vcs.tally.borrow().clone(),
        promised: 0,
        elsewhere: Vec::new(),
        elsewhere_count: 0,
        unpromised: 0,
        servers: played.vcs.servers.reports(),
        bridges: Vec::new(),
        caller: caller.counts(),
        complaint_count: caller.complaints(),
        complaints: std::iter::from_fn(|| caller.poll_complaint()).collect(),
    };
    for (number, alias) in &played.answered {
        match (bridges.promised(alias), bridges.landed(*number)) {
            (None, _) => report.unpromised += 1,
            (Some(wanted), Some((bridge, uri))) if bridge == wanted && is_for(&uri, alias) => {
                report.promised += 1;
            }
            (Some(wanted), landed) => {
                report.elsewhere_count += 1;
                if report.elsewhere.len() < TOLD_MAX {
                    report.elsewhere.push(format!(
                        "call {number} to {alias}: promised to bridge {wanted}, arrived at {landed:?}"
                    ));
                }
            }
        }
    }
    report
}

/// Whether a Request-URI has the user part of an alias.
fn is_for(uri: &str, alias: &str) -> bool {
    let user = alias.split('@').next().unwrap_or_default();
    let rest = uri
        .strip_prefix("sip:")
        .and_then(|rest| rest.strip_prefix(user));
    rest.is_some_and(|rest| rest.starts_with(['@', ';']))
}
