//! The entry of this core: datagrams, this node's figures and time go in, effects come out.

use crate::counters::{Counters, Dropped};
use crate::delivery::Delivery;
use crate::figure::{Figure, Key, Kind, Load};
use crate::hearing::Hearing;
use crate::ledger::Ledger;
use crate::members::{Member, MemberStatus, Presence};
use crate::output::Output;
use crate::settings::{MemberSettings, Settings, SettingsError};
use crate::wire::{self, DATAGRAM_MAX, Header, Seal};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Members that were listed once and are remembered.
const STRUCK_MAX: usize = 64;
/// How long a node that starts waits for members that do not speak.
const PATIENCE: Duration = Duration::from_secs(3);

/// One node's part of what members tell each other.
#[derive(Debug)]
pub struct Cluster {
    settings: Settings,
    seal: Seal,
    cluster_id: u64,
    own_id: u64,
    members: Vec<Member>,
    ledger: Ledger,
    /// This node's figures; a row keeps its place for good.
    own: Vec<Figure>,
    own_rows: BTreeMap<Key, usize>,
    /// Whether a row was ever anything else than nought, so that somebody may have heard of it.
    used_ever: Vec<bool>,
    load: Load,
    counters: Counters,
    outputs: VecDeque<Output>,
    started: Instant,
    /// Members that were listed once, with what was heard of them.
    struck: VecDeque<(String, Hearing)>,
    /// The highest number of an update that a struck member was told.
    floor: u64,
}

impl Cluster {
    /// A node that has told and heard nothing. `seed` keys what must not be guessed.
    ///
    /// # Errors
    /// Why these settings cannot be.
    pub fn new(now: Instant, settings: Settings, seed: u64) -> Result<Self, SettingsError> {
        settings.check()?;
        let mut cluster = Self {
            seal: Seal::new(&settings.key, &settings.identity.cluster),
            cluster_id: settings.identity.cluster_id(),
            own_id: MemberSettings::id_of(&settings.identity.name),
            members: Vec::new(),
            ledger: Ledger::new(seed),
            own: Vec::new(),
            used_ever: Vec::new(),
            load: Load::default(),
            counters: Counters::default(),
            outputs: VecDeque::new(),
            started: now,
            struck: VecDeque::new(),
            floor: 0,
            own_rows: BTreeMap::new(),
            settings,
        };
        cluster.enlist();
        Ok(cluster)
    }

    /// Other members, another key, another configuration. Who the node itself is stays as it was;
    /// so does what the members that stay have told.
    ///
    /// # Errors
    /// Why these settings cannot be; then nothing has changed.
    pub fn reload(&mut self, now: Instant, settings: Settings) -> Result<(), SettingsError> {
        settings.check()?;
        let identity = self.settings.identity.clone();
        self.settings = Settings {
            identity,
            ..settings
        };
        self.seal = Seal::new(&self.settings.key, &self.settings.identity.cluster);
        for at in (0..self.members.len()).rev() {
            let Some(member) = self.members.get_mut(at) else {
                continue;
            };
            let mut listed = self.settings.members.iter();
            match listed.find(|settings| settings.name == member.name) {
                // What it told, and which starts of it have ended, does not hang on where it is.
                Some(settings) => member.address = settings.address,
                None => self.strike(at),
            }
        }
        self.enlist();
        self.handle_timeout(now);
        Ok(())
    }

    /// A datagram that [`is_update`](crate::is_update), from a socket that members tell.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        match self.hear(now, from, datagram) {
            Ok(()) => self.counters.applied += 1,
            Err(why) => self.counters.drop_one(why),
        }
        self.announce();
    }

    /// What this node uses now: all of it, in any order, the same from call to call for speed. What
    /// is not named is not used.
    pub fn handle_figures(&mut self, now: Instant, load: Load, figures: &[Figure]) {
        if (load.maintenance, load.draining, load.full)
            != (self.load.maintenance, self.load.draining, self.load.full)
        {
            self.members
                .iter_mut()
                .for_each(|member| member.delivery.speak());
        }
        self.load = load;
        let mut named = vec![false; self.own.len()];
        for (at, figure) in figures.iter().enumerate() {
            let row = self.own_row(at, figure.key);
            self.set_own(row, figure.used);
            if let Some(named) = named.get_mut(row) {
                *named = true;
            }
        }
        let unnamed = named.iter().enumerate().filter(|(_, named)| !**named);
        for row in unnamed.map(|(row, _)| row).collect::<Vec<_>>() {
            self.set_own(row, 0);
        }
        self.tell(now);
    }

    /// Time has come to [`Self::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        let silence = self.settings.silence;
        for at in 0..self.members.len() {
            if let Some(member) = self.members.get_mut(at) {
                let before = member.pass(now, silence);
                self.presence_changed(at, now, before);
            }
        }
        self.announce();
        self.tell(now);
    }

    /// When [`Self::handle_timeout`] is wanted; `None` while there is no other member.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let silence = self.settings.silence;
        let due = |member: &Member| {
            // Who was never told is told now.
            let told = member.delivery.due(member.pace()).unwrap_or(now);
            member.due(now, silence).map_or(told, |due| due.min(told))
        };
        self.members.iter().map(due).min()
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What a silent member used counts no more. False: there is no such member.
    pub fn forget(&mut self, now: Instant, name: &str) -> bool {
        let Some(at) = self.members.iter().position(|member| member.name == name) else {
            return false;
        };
        if let Some(member) = self.members.get_mut(at) {
            let before = member.forget();
            self.presence_changed(at, now, before);
        }
        self.announce();
        true
    }

    /// All other members.
    pub fn members(&self, now: Instant) -> impl Iterator<Item = MemberStatus> {
        self.members.iter().map(move |member| member.status(now))
    }

    /// What all other members use together, as far as it is not nought.
    pub fn elsewhere(&self) -> impl Iterator<Item = Figure> {
        self.ledger.sums()
    }

    /// Whether this node knows what the others use, or has waited for it long enough. A node that has
    /// just started would else give away what others have taken.
    #[must_use]
    pub fn is_informed(&self, now: Instant) -> bool {
        let knows = |member: &Member| member.is_known || member.differs;
        self.members.iter().all(knows) || now.saturating_duration_since(self.started) >= PATIENCE
    }

    /// What has been counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes a member off the list. Its numbers are kept, for the day that it is listed again.
    fn strike(&mut self, at: usize) {
        self.ledger.remove_member(at);
        let member = self.members.remove(at);
        self.floor = self.floor.max(member.delivery.sequence());
        if member.differs {
            self.outputs.push_back(Output::Conflict {
                member: member.name.clone(),
                differs: false,
            });
        }
        let mut hearing = member.hearing;
        hearing.forget_values();
        if self.struck.len() == STRUCK_MAX {
            self.struck.pop_front();
        }
        self.struck.push_back((member.name, hearing));
    }

    /// Makes members of those in the settings that are none yet.
    fn enlist(&mut self) {
        for settings in &self.settings.members {
            if self
                .members
                .iter()
                .any(|member| member.name == settings.name)
            {
                continue;
            }
            let mut member = Member::new(settings);
            member.delivery = Delivery::above(self.floor);
            member.delivery.forget(self.used_ever.iter().copied());
            if let Some(known) = self
                .struck
                .iter()
                .position(|(name, _)| *name == settings.name)
                && let Some((_, hearing)) = self.struck.remove(known)
            {
                member.hearing = hearing;
            }
            self.members.push(member);
            self.ledger.add_member();
        }
    }

    /// Applies a datagram, or says why not.
    fn hear(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Result<(), Dropped> {
        let at = self
            .members
            .iter()
            .position(|member| member.address == from);
        let at = at.ok_or(Dropped::Stranger)?;
        if datagram.len() > DATAGRAM_MAX {
            return Err(Dropped::Oversized);
        }
        let body = wire::body(datagram).ok_or(Dropped::Malformed)?;
        if wire::version(body) != Some(wire::VERSION) {
            return Err(Dropped::Version);
        }
        let header = Header::read(body).ok_or(Dropped::Malformed)?;
        if header.body_length() != body.len() {
            return Err(Dropped::Malformed);
        }
        if header.cluster != self.cluster_id {
            return Err(Dropped::Cluster);
        }
        let member = self.members.get_mut(at).ok_or(Dropped::Stranger)?;
        if header.member != member.id || header.to != self.own_id {
            return Err(Dropped::Name);
        }
        if !self.seal.holds(datagram) {
            return Err(Dropped::Forged);
        }
        self.judge(at, now, &header)?;
        self.apply(at, &header, body);
        Ok(())
    }

    /// Whether an update that its sender wrote is to be applied.
    fn judge(&mut self, at: usize, now: Instant, header: &Header) -> Result<(), Dropped> {
        if header.heard.epoch > self.settings.identity.epoch {
            // It knows a later start of ours than this one, so that it would not hear us: our clock
            // has gone back, or our record of starts was lost.
            self.settings.identity.epoch = header.heard.epoch.saturating_add(1);
            for member in &mut self.members {
                member.delivery.forget(self.used_ever.iter().copied());
            }
        }
        let own_epoch = self.settings.identity.epoch;
        let member = self.members.get_mut(at).ok_or(Dropped::Stranger)?;
        let proven = header.heard.epoch == own_epoch;
        if let Err(why) = member.hearing.judge(header.epoch, proven) {
            if why == Dropped::Unproven {
                // It is told its start, and ours, so that its next word is proven.
                member.delivery.speak();
            }
            return Err(why);
        }
        if member.hearing.knows(header.epoch, header.sequence) {
            return Err(Dropped::Replay);
        }
        // Only what would change something is counted, so that no flood of repetitions keeps a member's
        // own words out.
        if member.floods(now) {
            return Err(Dropped::Flood);
        }
        let newest = member.hearing.is_newest(header.epoch, header.sequence);
        let differs = header.configuration != self.settings.configuration;
        if newest && member.differs != differs {
            member.differs = differs;
            self.outputs.push_back(Output::Conflict {
                member: member.name.clone(),
                differs,
            });
        }
        if differs {
            return Err(Dropped::Conflict);
        }
        if member.hearing.take(header.epoch, header.sequence)? {
            self.ledger.renew(at);
            match member.presence {
                // What its last start used was given up already.
                Presence::Expired | Presence::Unknown => self.ledger.settle(at),
                Presence::Fresh | Presence::Suspect => {}
            }
            member.load_sequence = 0;
            member.is_known = false;
            member.delivery.forget(self.used_ever.iter().copied());
        }
        if newest {
            if member.delivery.knows_since(header.heard.first) {
                member.delivery.forget(self.used_ever.iter().copied());
            }
            let before = member.heard(now);
            if before != Presence::Fresh {
                member.delivery.hurry();
            }
            self.presence_changed(at, now, before);
        }
        Ok(())
    }

    /// Takes over what an update says.
    fn apply(&mut self, at: usize, header: &Header, body: &[u8]) {
        let Some(member) = self.members.get_mut(at) else {
            return;
        };
        member.delivery.confirm(header.heard);
        if header.sequence > member.load_sequence {
            member.load_sequence = header.sequence;
            member.load = header.load;
        }
        let has_told_all = header.caught_up && !member.is_known;
        member.is_known |= header.caught_up;
        if header.sessions > 0 || header.bandwidth > 0 {
            // The confirmation.
            member.delivery.speak();
        }
        for entry in header.entries(body) {
            if !self.ledger.tell(at, header.sequence, entry) {
                self.counters.left_out += 1;
            }
        }
        if has_told_all {
            self.ledger.settle(at);
        }
    }

    /// Acts on what a member's presence has become.
    fn presence_changed(&mut self, at: usize, now: Instant, before: Presence) {
        let Some(member) = self.members.get(at) else {
            return;
        };
        self.ledger
            .weigh(at, member.weight(now, self.settings.silence));
        if member.presence != before {
            self.outputs.push_back(Output::Presence {
                member: member.name.clone(),
                before,
                now: member.presence,
            });
        }
    }

    /// Says which sums have changed.
    fn announce(&mut self) {
        while let Some(Figure { key, used }) = self.ledger.next_changed() {
            self.outputs.push_back(Output::Elsewhere { key, used });
        }
    }

    /// The row of one of this node's figures. `hint`: where it is when nothing has changed.
    fn own_row(&mut self, hint: usize, key: Key) -> usize {
        if self.own.get(hint).is_some_and(|figure| figure.key == key) {
            return hint;
        }
        if let Some(row) = self.own_rows.get(&key) {
            return *row;
        }
        let row = self.own.len();
        self.own.push(Figure { key, used: 0 });
        self.used_ever.push(false);
        self.own_rows.insert(key, row);
        row
    }

    fn set_own(&mut self, row: usize, used: u64) {
        let Some(figure) = self.own.get_mut(row) else {
            return;
        };
        if figure.used != used {
            figure.used = used;
            if let Some(ever) = self.used_ever.get_mut(row) {
                *ever = true;
            }
            for member in &mut self.members {
                member.delivery.change(row);
            }
        }
    }

    /// Tells all members what is due.
    fn tell(&mut self, now: Instant) {
        for member in &mut self.members {
            let pace = member.pace();
            if member.delivery.due(pace).is_some_and(|due| now < due) {
                continue;
            }
            for (sequence, rows) in member.delivery.updates(now, pace) {
                let figures = rows.iter().filter_map(|row| self.own.get(*row)).copied();
                let mut figures: Vec<Figure> = figures.collect();
                figures.sort_by_key(|figure| figure.key.kind);
                let sessions = figures.partition_point(|figure| figure.key.kind == Kind::Sessions);
                let caught_up = member.hearing.is_settled() && member.delivery.has_caught_up();
                if caught_up {
                    member.delivery.said_caught_up(sequence);
                }
                let header = Header {
                    load: self.load,
                    caught_up,
                    cluster: self.cluster_id,
                    member: self.own_id,
                    to: member.id,
                    configuration: self.settings.configuration,
                    epoch: self.settings.identity.epoch,
                    sequence,
                    heard: member.hearing.heard(),
                    sessions: u16::try_from(sessions).unwrap_or(u16::MAX),
                    bandwidth: u16::try_from(figures.len() - sessions).unwrap_or(u16::MAX),
                };
                self.counters.told += 1;
                self.outputs.push_back(Output::Datagram {
                    to: member.address,
                    octets: written(&header, &figures, &self.seal),
                });
            }
        }
    }
}

/// The octets of an update.
fn written(header: &Header, figures: &[Figure], seal: &Seal) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(DATAGRAM_MAX);
    wire::write_carrier(&mut datagram, header.body_length());
    header.write(&mut datagram);
    for figure in figures {
        wire::write_entry(&mut datagram, *figure);
    }
    seal.close(&mut datagram);
    debug_assert!(datagram.len() <= DATAGRAM_MAX, "{} octets", datagram.len());
    debug_assert!(wire::body(&datagram).is_some(), "a reader finds its body");
    datagram
}

#[cfg(test)]
mod tests;
