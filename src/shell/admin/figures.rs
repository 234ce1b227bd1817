//! `/metrics`: the figures of all workers, added up when somebody asks.

use super::members;
use super::peer_figures;
use super::process;
use super::reloads::Reloads;
use super::routes::Desk;
use super::traffic;
use crate::observe::exposition::{Format, Page};
use crate::observe::log;
use crate::observe::metrics as names;
use crate::shell::policy::figures::BOUNDS;
use crate::shell::view::View;
use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;
use tracing::info;

/// What git knew when this was built, if the build was told.
const REVISION: &str = match option_env!("BATON_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// Figures by the name of their counter.
type Sums = BTreeMap<&'static str, u64>;

/// The whole page.
pub(super) fn page(desk: &Desk, format: Format) -> String {
    let view = &desk.view;
    let mut page = Page::new(format);
    let version = env!("CARGO_PKG_VERSION");
    page.family(&names::BUILD_INFO)
        .sample(&[version, REVISION], 1);
    page.family(&names::NODE_INFO).sample(&[&view.name], 1);
    let draining = u8::from(view.is_draining());
    page.family(&names::NODE_DRAINING).sample(&[], draining);
    let ready = u8::from(view.unready().is_empty());
    page.family(&names::NODE_READY).sample(&[], ready);
    let mut core = add_up(view.figures.iter().flat_map(|figures| figures.core.each()));
    let mut shell = add_up(view.figures.iter().flat_map(|figures| figures.shell.each()));
    drops(&mut page, &mut core, &mut shell);
    dialogs(&mut page, &core, &shell);
    messages(&mut page, &mut core);
    traffic::write(&mut page, view);
    sockets(&mut page, &mut shell);
    peer_figures::write(&mut page, view);
    members::write(&mut page, view);
    names_of_peers(&mut page, view);
    workers(&mut page, view);
    page.family(&names::LOG_LINES_DROPPED)
        .sample(&[], log::lines_dropped());
    policy(&mut page, view);
    reloads(&mut page, &desk.reloads);
    process(&mut page, view);
    page.finish()
}

fn policy(page: &mut Page, view: &View) {
    let figures = view.policy.figures();
    let mut requests = page.family(&names::POLICY_REQUESTS);
    for (outcome, count) in figures.requests() {
        requests.sample(&[outcome], count);
    }
    let (counts, sum) = figures.durations();
    page.family(&names::POLICY_DURATION)
        .histogram(&[], &BOUNDS, &counts, sum);
    let mut events = page.family(&names::POLICY_EVENTS);
    for (event, count) in figures.events() {
        events.sample(&[event], count);
    }
}

fn add_up(figures: impl Iterator<Item = (&'static str, u64)>) -> Sums {
    let mut sums = Sums::new();
    for (name, figure) in figures {
        *sums.entry(name).or_default() += figure;
    }
    sums
}

/// What a counter stands at; it is not told again under another name.
fn take(sums: &mut Sums, name: &str) -> u64 {
    let found = sums.remove(name);
    debug_assert!(found.is_some(), "there is no counter {name}");
    found.unwrap_or_default()
}

impl Desk {
    /// Every counter into the log, one a line.
    pub(in crate::shell) fn write_counters(&self) {
        let figures = &self.view.figures;
        let core = add_up(figures.iter().flat_map(|figures| figures.core.each()));
        let shell = add_up(figures.iter().flat_map(|figures| figures.shell.each()));
        for (part, sums) in [("sip", core), ("shell", shell)] {
            for (counter, value) in sums {
                info!(part, counter, value);
            }
        }
    }
}

/// Every deliberate drop has a place and a reason: a counter called `dropped_` something.
fn drops(page: &mut Page, core: &mut Sums, shell: &mut Sums) {
    let mut family = page.family(&names::DROPPED);
    for (place, sums) in [("sip", core), ("socket", &mut *shell)] {
        sums.retain(|name, sum| {
            let why = name.strip_prefix("dropped_");
            if let Some(why) = why {
                family.sample(&[place, why], *sum);
            }
            why.is_none()
        });
    }
    let by_kernel = take(shell, "datagrams_dropped_by_kernel");
    family.sample(&["kernel", "receive_buffer_full"], by_kernel);
    let at_sending = take(shell, "datagrams_dropped_at_sending");
    family.sample(&["socket", "send_buffer_full"], at_sending);
    let refused = take(shell, "datagrams_refused");
    family.sample(&["socket", "refused_by_kernel"], refused);
}

fn messages(page: &mut Page, core: &mut Sums) {
    for (metric, received, sent) in [
        (&names::SIP_MESSAGES, "messages_in", "messages_out"),
        (
            &names::SIP_RETRANSMISSIONS,
            "retransmissions_in",
            "retransmissions_out",
        ),
    ] {
        let mut family = page.family(metric);
        family.sample(&["in"], take(core, received));
        family.sample(&["out"], take(core, sent));
    }
    let rejected = take(core, "rejected");
    page.family(&names::SIP_REJECTED).sample(&[], rejected);
    let errors = take(core, "transport_errors");
    page.family(&names::SIP_TRANSPORT_ERRORS)
        .sample(&[], errors);
    let mut calls = page.family(&names::CALLS_TOTAL);
    for (event, counter) in [
        ("begun", "calls_begun"),
        ("answered", "calls_answered"),
        ("failed", "calls_failed"),
        ("ended", "calls_ended"),
    ] {
        calls.sample(&[event], take(core, counter));
    }
    let mut events = page.family(&names::SIP_EVENTS);
    for (event, sum) in core {
        events.sample(&[event], *sum);
    }
}

/// Calls with and without an answer that went to the caller.
fn dialogs(page: &mut Page, core: &Sums, shell: &Sums) {
    let count = |sums: &Sums, name| sums.get(name).copied().unwrap_or_default();
    let begun = count(core, "calls_begun");
    let decided = count(core, "calls_answered") + count(core, "calls_failed");
    let live = count(shell, "calls");
    // The workers count on while they are read one after the other.
    let early = begun.saturating_sub(decided).min(live);
    let mut family = page.family(&names::DIALOGS);
    family.sample(&["early"], early);
    family.sample(&["confirmed"], live - early);
}

fn sockets(page: &mut Page, shell: &mut Sums) {
    let live = take(shell, "calls");
    page.family(&names::CALLS).sample(&[], live);
    let mut transactions = page.family(&names::SIP_TRANSACTIONS);
    transactions.sample(&["client"], take(shell, "client_transactions"));
    transactions.sample(&["server"], take(shell, "server_transactions"));
    let connections = take(shell, "connections");
    page.family(&names::CONNECTIONS).sample(&[], connections);
    let mut datagrams = page.family(&names::UDP_DATAGRAMS);
    datagrams.sample(&["in"], take(shell, "datagrams_in"));
    datagrams.sample(&["out"], take(shell, "datagrams_out"));
    handshakes(page, shell);
    // These two are told by worker.
    take(shell, "handed_over");
    take(shell, "turns");
    let mut connections = page.family(&names::CONNECTION_EVENTS);
    shell.retain(|name, sum| {
        let event = name.strip_prefix("connections_");
        if let Some(event) = event {
            connections.sample(&[event], *sum);
        }
        event.is_none()
    });
    let mut events = page.family(&names::SOCKET_EVENTS);
    for (event, sum) in shell {
        events.sample(&[event], *sum);
    }
}

/// Versions and ciphers are known of handshakes that were completed.
fn handshakes(page: &mut Page, shell: &mut Sums) {
    let mut family = page.family(&names::TLS_HANDSHAKES);
    for (version, prefix) in [("1.2", "tls_1_2_"), ("1.3", "tls_1_3_")] {
        shell.retain(|name, sum| {
            let cipher = name.strip_prefix(prefix);
            if let Some(cipher) = cipher {
                family.sample(&[version, cipher, "completed"], *sum);
            }
            cipher.is_none()
        });
    }
    for (outcome, counter) in [("failed", "tls_failed"), ("too_slow", "tls_too_slow")] {
        family.sample(&["none", "none", outcome], take(shell, counter));
    }
}

fn names_of_peers(page: &mut Page, view: &View) {
    let figures = view.names.figures();
    let seen = figures.seen();
    let mut family = page.family(&names::DNS_QUESTIONS);
    for (kind, count) in figures.questions() {
        family.sample(&[kind], count);
    }
    let mut family = page.family(&names::DNS_ANSWERS);
    for (outcome, count) in figures.answers() {
        family.sample(&[outcome], count);
    }
    let mut family = page.family(&names::DNS_ANSWER_AGE);
    if let Some(answered) = seen.answered {
        family.sample(&[], answered.elapsed().as_secs_f64());
    }
    let mut family = page.family(&names::DNS_TARGETS);
    for (peer, (targets, _)) in &seen.peers {
        family.sample(&[peer], targets);
    }
    let mut family = page.family(&names::DNS_STALE);
    for (peer, (_, is_stale)) in &seen.peers {
        family.sample(&[peer], u8::from(*is_stale));
    }
}

fn reloads(page: &mut Page, reloads: &Reloads) {
    let (succeeded, failed) = reloads.counts();
    let mut family = page.family(&names::CONFIG_RELOADS);
    family.sample(&["success"], succeeded);
    family.sample(&["failure"], failed);
    let is_good = u8::from(reloads.last_error().is_none());
    page.family(&names::CONFIG_LAST_SUCCESS)
        .sample(&[], is_good);
    if let Some(seconds) = reloads.since_seconds() {
        page.family(&names::CONFIG_SINCE).sample(&[], seconds);
    }
}

fn workers(page: &mut Page, view: &View) {
    let workers = || {
        let figures = view.figures.iter().enumerate();
        figures.map(|(worker, figures)| (worker.to_string(), figures))
    };
    let mut family = page.family(&names::WORKER_BUSY);
    for (worker, figures) in workers() {
        let seconds = process::thread_seconds(figures.thread.value());
        if let Some(seconds) = seconds {
            family.sample(&[&worker], seconds);
        }
    }
    let mut family = page.family(&names::WORKER_HANDED_OVER);
    for (worker, figures) in workers() {
        family.sample(&[&worker], figures.shell.handed_over.value());
    }
    let mut family = page.family(&names::WORKER_QUEUE);
    for (worker, waiting) in view.control.queue_lengths().enumerate() {
        family.sample(&[&worker.to_string()], waiting);
    }
    let mut family = page.family(&names::WORKER_TURNS);
    for (worker, figures) in workers() {
        family.sample(&[&worker], figures.shell.turns.value());
    }
}

fn process(page: &mut Page, view: &View) {
    if let Some(seconds) = process::cpu_seconds() {
        page.family(&names::PROCESS_CPU).sample(&[], seconds);
    }
    if let Some(process) = process::process() {
        page.family(&names::PROCESS_RESIDENT)
            .sample(&[], process.resident_octets);
        page.family(&names::PROCESS_THREADS)
            .sample(&[], process.threads);
        page.family(&names::PROCESS_VIRTUAL)
            .sample(&[], process.virtual_octets);
    }
    if let Some(count) = process::open_fds() {
        page.family(&names::PROCESS_FDS).sample(&[], count);
    }
    if let Some(count) = process::max_fds() {
        page.family(&names::PROCESS_FDS_MAX).sample(&[], count);
    }
    if let Ok(since) = view.started.duration_since(UNIX_EPOCH) {
        page.family(&names::PROCESS_START)
            .sample(&[], since.as_secs_f64());
    }
}
