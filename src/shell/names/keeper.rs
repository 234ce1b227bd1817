//! The keeper: one task that asks, and puts on the board what it is told.

use super::figures::Figures;
use super::set::{Host, Set};
use super::wire::Wire;
use super::{Order, Told, rules, targets};
use crate::config::{Config, Peer, PeerAt};
use crate::shell::settings;
use crate::shell::tls::Tls;
use crate::shell::wishes::Wishes;
use balancer::{Balancer, PeerState};
use signaling::sip::locate::{
    Answer, Book, Failure, Location, Output, Question, Service, Target, WatchId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::select;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{Id, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tracing::{debug, info, warn};

/// Questions that are on their way at one time.
const QUESTIONS_MAX: usize = 32;
/// How often it is looked whether a peer has failed, so that its name is asked for again.
const LOOK: Duration = Duration::from_secs(1);
/// Not more often than this is a name asked for again because its peer fails.
const REFRESH_GAP: Duration = Duration::from_secs(10);

/// Who has a name.
enum Entry {
    /// One peer, whatever its name leads to.
    One(String),
    /// A peer for each host.
    Set(Box<Set>),
}

impl Entry {
    /// What the configuration calls it.
    fn name(&self) -> &str {
        match self {
            Self::One(name) => name,
            Self::Set(set) => set.name(),
        }
    }
}

pub(super) struct Keeper {
    config: Config,
    balancer: Arc<Balancer>,
    tls: Arc<Tls>,
    wishes: Arc<Wishes>,
    seed: u64,
    figures: Arc<Figures>,
    book: Book,
    /// By the number of their watch.
    entries: Vec<Entry>,
    wire: Arc<Wire>,
    room: Arc<Semaphore>,
    asking: JoinSet<Answer>,
    asked: BTreeMap<Id, Question>,
}

impl Keeper {
    /// A keeper of all names of a configuration.
    pub(super) fn new(
        config: Config,
        (balancer, tls, wishes): Told,
        (seed, figures): (u64, Arc<Figures>),
    ) -> Self {
        let mut keeper = Self {
            book: Book::new(rules(&config, seed), config.dns.times),
            entries: entries(&config, &[]),
            wire: Arc::new(Wire::new(&config.dns)),
            config,
            balancer,
            tls,
            wishes,
            seed,
            figures,
            room: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            asking: JoinSet::new(),
            asked: BTreeMap::new(),
        };
        keeper.watch_all();
        keeper
    }

    /// Looks after the names until the task is ended.
    pub(super) async fn keep(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.obey();
            let due = self.book.poll_timeout();
            let has_names = !self.entries.is_empty();
            let until = due.unwrap_or_else(Instant::now);
            select! {
                Some(done) = self.asking.join_next_with_id() => self.answered(done),
                () = sleep_until(until.into()), if due.is_some() => {
                    self.book.handle_timeout(Instant::now());
                }
                _ = look.tick(), if has_names => {
                    self.look_at_servers();
                    self.look_at_peers();
                }
                Some((config, answer)) = orders.recv() => {
                    // Who asked may have gone.
                    drop(answer.send(self.reload(config)));
                }
                else => return,
            }
        }
    }

    /// Takes another configuration over. What is known of names stays in use until it is asked anew,
    /// which is at once.
    fn reload(&mut self, config: Config) -> Result<(), String> {
        let entries = entries(&config, &self.entries);
        let settings = settings_with(&config, &entries, &self.wishes);
        let taken = self.balancer.reload(&settings, Instant::now());
        taken.map_err(|mistake| mistake.to_string())?;
        self.entries = entries;
        let is_kept = |peer: &str| self.entries.iter().any(|entry| entry.name() == peer);
        self.figures.keep(is_kept);
        self.wire = Arc::new(Wire::new(&config.dns));
        let (rules, times) = (rules(&config, self.seed), config.dns.times);
        self.book.reconfigure(Instant::now(), rules, times);
        self.config = config;
        self.watch_all();
        Ok(())
    }

    fn watch_all(&mut self) {
        if !self.entries.is_empty() && self.wire.servers().is_empty() {
            warn!("no name server is known: write [dns] servers, or name one in /etc/resolv.conf");
        }
        let destinations = self
            .config
            .peers
            .iter()
            .filter_map(|peer| peer.at.destination());
        for (destination, id) in destinations.zip(0..) {
            self.book
                .watch(Instant::now(), WatchId(id), destination.clone());
        }
    }

    fn obey(&mut self) {
        while let Some(output) = self.book.poll_output() {
            match output {
                Output::Ask(question) => self.ask(question),
                Output::Located(id) => self.publish(id),
            }
        }
    }

    fn ask(&mut self, question: Question) {
        self.figures.asked(question.kind);
        let (wire, room) = (Arc::clone(&self.wire), Arc::clone(&self.room));
        let wanted = question.clone();
        let task = self.asking.spawn(async move {
            // It is closed by nobody.
            let _place = room.acquire_owned().await;
            wire.ask(&wanted).await
        });
        self.asked.insert(task.id(), question);
    }

    fn answered(&mut self, done: Result<(Id, Answer), tokio::task::JoinError>) {
        let (id, answer) = match done {
            Ok(answered) => answered,
            // A question never stays without an end, not even where asking it panics.
            Err(error) => (error.id(), Answer::Failed(Failure::Refused)),
        };
        let Some(question) = self.asked.remove(&id) else {
            return;
        };
        debug!(%question, ?answer, "answered");
        self.figures.answered(&answer);
        self.book.handle_answer(Instant::now(), question, answer);
    }

    /// Puts what is known of somebody on the board.
    fn publish(&mut self, id: WatchId) {
        let Some(location) = self.book.location(id) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(id.0 as usize) else {
            return;
        };
        self.figures.located(entry.name(), location);
        // Before any call goes there: who answers must prove to be who was meant.
        let over_tls = |target: &&Target| target.service == Service::SipsD2t;
        let places = location.targets.iter().filter(over_tls);
        self.tls
            .set_places(entry.name(), places.map(|target| target.address));
        match entry {
            Entry::One(name) => publish_one(&self.balancer, name, location),
            Entry::Set(set) => {
                let before = set.take(location);
                if before.is_some() {
                    self.publish_sets();
                }
                self.tell_set(id, before);
            }
        }
    }

    /// In the log stands what the board says already.
    fn tell_set(&self, id: WatchId, before: Option<Vec<Host>>) {
        let (Some(Entry::Set(set)), Some(location)) =
            (self.entries.get(id.0 as usize), self.book.location(id))
        else {
            return;
        };
        tell(set.name(), location);
        if let Some(before) = before {
            set.tell_changes(&before);
        }
    }

    /// All peers anew: those of the configuration, and the hosts of each set.
    fn publish_sets(&self) {
        let settings = settings_with(&self.config, &self.entries, &self.wishes);
        // Set members are copies of a peer that was accepted: nothing new can be wrong with them.
        if let Err(mistake) = self.balancer.reload(&settings, Instant::now()) {
            warn!(%mistake, "the hosts of a set cannot be used");
        }
    }

    /// Asks others from now on, where the host's own name servers are asked and are not the same any
    /// more.
    fn look_at_servers(&mut self) {
        if !self.wire.is_outdated() {
            return;
        }
        let wire = Wire::new(&self.config.dns);
        if wire.servers() != self.wire.servers() {
            let servers = wire.servers().len();
            info!(servers, "the name servers of this host have changed");
        }
        self.wire = Arc::new(wire);
    }

    /// Asks anew for who has failed: it may have moved.
    fn look_at_peers(&mut self) {
        let now = Instant::now();
        let figures = self.balancer.figures(now);
        let mut names = BTreeSet::new();
        let failed = figures
            .iter()
            .filter(|peer| peer.state == PeerState::Failed);
        names.extend(failed.map(|peer| peer.name.as_str()));
        for (entry, id) in self.entries.iter().zip(0..) {
            let wanted = match entry {
                Entry::One(name) => names.contains(name.as_str()),
                Entry::Set(set) => set.names().any(|name| names.contains(name.as_str())),
            };
            if wanted {
                self.book.refresh(now, WatchId(id), REFRESH_GAP);
            }
        }
    }
}

/// The peers of a configuration that have names, in its order. The hosts of a set that was there
/// before are kept.
fn entries(config: &Config, earlier: &[Entry]) -> Vec<Entry> {
    let hosts_of = |peer: &Peer| {
        let same = |entry: &Entry| match entry {
            Entry::Set(set) if set.is_of(peer) => Some(set.hosts().to_vec()),
            Entry::Set(_) | Entry::One(_) => None,
        };
        earlier.iter().find_map(same).unwrap_or_default()
    };
    let entry = |peer: &Peer| match peer.at {
        PeerAt::Address { .. } => None,
        PeerAt::Name(_) => Some(Entry::One(peer.name.clone())),
        PeerAt::Set { peers_max, .. } => {
            let set = Set::new(peer.clone(), peers_max, hosts_of(peer));
            Some(Entry::Set(Box::new(set)))
        }
    };
    config.peers.iter().filter_map(entry).collect()
}

/// What the balancer is told: all peers of the configuration, and the hosts of each set.
fn settings_with(config: &Config, entries: &[Entry], wishes: &Wishes) -> balancer::Settings {
    let mut settings = settings::balancer_settings(config);
    for entry in entries {
        match entry {
            Entry::Set(set) => settings.peers.extend(set.peers()),
            Entry::One(_) => {}
        }
    }
    wishes.apply(&mut settings);
    settings
}

fn publish_one(balancer: &Balancer, name: &str, location: &Location) {
    let Some(id) = balancer.board().peer_named(name).map(|peer| peer.id) else {
        return;
    };
    balancer.set_targets(id, &targets(&location.targets));
    tell(name, location);
}

/// One line for each change. Addresses are for those who look closely.
fn tell(name: &str, location: &Location) {
    let count = location.targets.len();
    match location.why_none {
        Some(why) => warn!(peer = name, "no address: {why}"),
        None if location.is_stale => warn!(
            peer = name,
            targets = count,
            "the name service does not answer: what it said last is used"
        ),
        None => info!(peer = name, targets = count, "found by name"),
    }
    for target in &location.targets {
        debug!(peer = name, %target, "a target");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(end: &str) -> Config {
        let text = format!(
            "[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[dns]\nservers = [\"127.0.0.1:9\"]\n\
             [[peer]]\nname = \"set\"\nat = \"sip:example.test\"\nlookup = \"srv\"\n\
             sessions_max = 8\n{end}"
        );
        Config::parse(&text, "test.toml").expect("a configuration")
    }

    #[test]
    fn a_reload_that_is_refused_empties_no_set() {
        let running = config("");
        let balancer =
            settings::balancer(&running, &Wishes::default(), Instant::now()).expect("a balancer");
        let tls = Arc::new(Tls::new(&running).expect("no files"));
        let mut keeper = Keeper::new(
            running,
            (Arc::clone(&balancer), tls, Arc::default()),
            (1, Arc::new(Figures::new())),
        );
        let Some(Entry::Set(set)) = keeper.entries.first_mut() else {
            panic!("a set")
        };
        set.put(&["a.example.test", "b.example.test"]);
        keeper.publish_sets();
        let names = |balancer: &Balancer| {
            let figures = balancer.figures(Instant::now());
            let names = figures.iter().map(|peer| peer.name.clone());
            names.collect::<Vec<_>>()
        };
        let expected = ["set@a.example.test", "set@b.example.test"];
        assert_eq!(names(&balancer), expected);
        // More tags than a board takes, and no set any more: fewer hosts at most.
        let tags: Vec<String> = (0..100).map(|tag| format!("\"t{tag}\"")).collect();
        let refused = config(&format!(
            "peers_max = 1\n[[alias]]\nname = \"a\"\npattern = \".*\"\ntags = [{}]\n",
            tags.join(", ")
        ));
        assert!(keeper.reload(refused).is_err());
        keeper.publish_sets();
        assert_eq!(names(&balancer), expected);
    }
}
