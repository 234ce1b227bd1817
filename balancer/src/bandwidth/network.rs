//! The compiled configuration: for each pair of nodes the limits of one call and what a call is
//! charged to, looked up by number.
//!
//! Compiled whole when it is loaded, also for pairs that never call each other: 1,000 subzones with two
//! links each are a million short entries.

use super::counter::{Counter, UNLIMITED};
use super::members::Members;
use super::settings::{
    BandwidthMistake, BandwidthSettings, LINKS_MAX, Limit, PIPES_MAX, RULES_MAX, SUBZONES_MAX,
    SubzoneKind, SubzoneSettings, ZONES_MAX,
};
use super::topology::{Link, Topology, Way};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// A subzone or a zone, as one network numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId {
    pub(crate) place: u16,
    /// The network that it is of: a number of an older one says nothing here.
    pub(crate) network: u32,
}

/// A subzone's or a pipe's total, and what is used of it.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) name: Box<str>,
    pub(crate) is_pipe: bool,
    pub(crate) counter: Arc<Counter>,
}

/// What a call is charged to, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) resource: u16,
    pub(crate) times: u16,
}

/// The way between two nodes, without the way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    first: u32,
    count: u16,
    /// Something on it takes no calls at all.
    pub(crate) is_closed: bool,
    /// What one call may use at most.
    pub(crate) cap_kbps: u32,
}

/// A limit of one call, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// What it is: `intra of Home`, `per call of pipe B`.
    pub what: String,
    /// The limit.
    pub limit: Limit,
}

/// Whose limit of one call it is, by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CapOf {
    Handled(u16),
    Inter(u16),
    Intra(u16),
    Pipe(u16),
}

/// Everything that is configured, ready to be asked.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) number: u32,
    pub(crate) settings: BandwidthSettings,
    names: BTreeMap<String, u16>,
    topology: Topology,
    /// In the order in which they are taken. Subzones come first, at their places as nodes.
    pub(crate) resources: Box<[Resource]>,
    /// For each pair of nodes, the higher one first: the way between them, if there is one.
    direct: Box<[Option<Path>]>,
    /// The same through the traversal subzone.
    relayed: Box<[Option<Path>]>,
    charges: Box<[Charge]>,
    members: Members,
    traversal: Option<u16>,
}

impl Network {
    /// Compiles; `before` has the counters that go on counting.
    pub(crate) fn new(
        settings: &BandwidthSettings,
        before: Option<&Self>,
    ) -> Result<Self, BandwidthMistake> {
        let mut network = Self::without_ways(settings, before)?;
        network.compile();
        Ok(network)
    }

    /// All but the ways, which take the most time and can have no mistake.
    pub(crate) fn without_ways(
        settings: &BandwidthSettings,
        before: Option<&Self>,
    ) -> Result<Self, BandwidthMistake> {
        check_sizes(settings)?;
        let nodes = settings.subzones.iter().map(|subzone| &subzone.name);
        let names = numbered(nodes.chain(&settings.zones))?;
        let pipes = numbered(settings.pipes.iter().map(|pipe| &pipe.name))?;
        numbered(settings.links.iter().map(|link| &link.name))?;
        for kind in [
            SubzoneKind::Cluster,
            SubzoneKind::Default,
            SubzoneKind::Traversal,
        ] {
            let mut of_kind = settings
                .subzones
                .iter()
                .filter(|subzone| subzone.kind == kind);
            if let (Some(_), Some(second)) = (of_kind.next(), of_kind.next()) {
                return Err(BandwidthMistake::SecondOfKind(second.name.clone()));
            }
        }
        let topology = Topology::new(names.len(), links(settings, &names, &pipes)?);
        let traversal = place_of_kind(settings, SubzoneKind::Traversal);
        Ok(Self {
            number: before.map_or(0, |before| before.number.wrapping_add(1)),
            members: Members::new(settings, &names)?,
            settings: settings.clone(),
            names,
            topology,
            resources: resources(settings, before),
            direct: Box::default(),
            relayed: Box::default(),
            charges: Box::default(),
            traversal,
        })
    }

    /// The limits are those of this network from now on, also for calls that older ones admitted.
    pub(crate) fn put_limits(&self) {
        let subzones = self.settings.subzones.iter().map(total_of_subzone);
        let pipes = self.settings.pipes.iter().map(|pipe| pipe.total);
        for (resource, limit) in self.resources.iter().zip(subzones.chain(pipes)) {
            resource.counter.set_limit(in_kbps(limit));
        }
    }

    fn compile(&mut self) {
        let mut charges = Vec::new();
        let nodes: Vec<u16> = (0..).take(self.names.len()).collect();
        let to_traversal: Vec<Option<Way>> = match self.traversal {
            None => Vec::new(),
            Some(traversal) => {
                let ways = self.topology.ways_from(traversal);
                nodes.iter().map(|node| ways.to(*node)).collect()
            }
        };
        let half = |node: u16| to_traversal.get(usize::from(node))?.as_ref();
        let (mut direct, mut relayed) = (Vec::new(), Vec::new());
        for from in &nodes {
            let ways = self.topology.ways_from(*from);
            for to in nodes.iter().filter(|to| *to <= from) {
                let ends = [*from, *to];
                let way = ways.to(*to);
                direct.push(way.map(|way| self.path(ends, &[&way], false, &mut charges)));
                let halves = half(*from).zip(half(*to));
                relayed.push(
                    halves.map(|(there, on)| self.path(ends, &[there, on], true, &mut charges)),
                );
            }
        }
        self.direct = direct.into();
        self.relayed = relayed.into();
        self.charges = charges.into();
    }

    fn path(&self, ends: [u16; 2], ways: &[&Way], relayed: bool, all: &mut Vec<Charge>) -> Path {
        let charges = self.charges_of(ends, ways, relayed);
        let caps = self.caps_of(ends, ways, relayed);
        let totals = charges.iter().filter_map(|charge| {
            let place = usize::from(charge.resource);
            let subzones = &self.settings.subzones;
            match subzones.get(place) {
                Some(subzone) => Some(total_of_subzone(subzone)),
                None => self
                    .settings
                    .pipes
                    .get(place - subzones.len())
                    .map(|pipe| pipe.total),
            }
        });
        let limits = caps.iter().map(|(_, limit)| *limit);
        let is_none = |limit| matches!(limit, Limit::NoBandwidth | Limit::Limited(0));
        let is_closed = totals.chain(limits.clone()).any(is_none);
        let kbps = |limit| match limit {
            Limit::NoBandwidth => Some(0),
            Limit::Limited(kbps) => Some(kbps),
            Limit::Unlimited => None,
        };
        let first = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let count = u16::try_from(charges.len()).unwrap_or(u16::MAX);
        all.extend(charges);
        Path {
            first,
            count,
            is_closed,
            cap_kbps: limits.filter_map(kbps).min().unwrap_or(u32::MAX),
        }
    }

    /// What a call is charged to, in ascending order.
    fn charges_of(&self, ends: [u16; 2], ways: &[&Way], relayed: bool) -> Vec<Charge> {
        let [from, to] = ends;
        let mut touched = Vec::with_capacity(16);
        match relayed {
            // Both halves of the way end in the traversal subzone, which is passed once.
            true => touched.extend(self.traversal.into_iter().chain(ends)),
            false if from == to => touched.push(from),
            false => touched.extend(ends),
        }
        for way in ways {
            // What lies between the ends of a way is passed, and charged, too.
            let between = way.nodes.iter().skip(1);
            touched.extend(between.take(way.nodes.len().saturating_sub(2)));
        }
        touched.retain(|node| {
            let subzone = self.settings.subzones.get(usize::from(*node));
            // A zone has no total, nor has what lies between members.
            subzone.is_some_and(|subzone| subzone.kind != SubzoneKind::Cluster)
        });
        let pipes_from = u16::try_from(self.settings.subzones.len()).unwrap_or(u16::MAX);
        for link in ways.iter().flat_map(|way| &way.links) {
            let pipes = self.pipes_of(*link).iter();
            touched.extend(pipes.map(|pipe| pipes_from.saturating_add(*pipe)));
        }
        touched.sort_unstable();
        let alike = touched.chunk_by(|one, other| one == other);
        let charge = |alike: &[u16]| {
            let times = u16::try_from(alike.len()).unwrap_or(u16::MAX);
            let resource = *alike.first()?;
            Some(Charge { resource, times })
        };
        alike.filter_map(charge).collect()
    }

    /// The limits of one call.
    fn caps_of(&self, ends: [u16; 2], ways: &[&Way], relayed: bool) -> Vec<(CapOf, Limit)> {
        let mut caps = Vec::with_capacity(8);
        let subzone = |node: u16| self.settings.subzones.get(usize::from(node));
        let has_calls = |subzone: &&SubzoneSettings| match subzone.kind {
            SubzoneKind::Default | SubzoneKind::Manual => true,
            SubzoneKind::Cluster | SubzoneKind::Traversal => false,
        };
        let [from, to] = ends;
        let ends = if from == to { &ends[..1] } else { &ends[..] };
        for end in ends {
            let Some(subzone) = subzone(*end).filter(has_calls) else {
                continue;
            };
            caps.push(match from == to && !relayed {
                true => (CapOf::Intra(*end), subzone.intra),
                false => (CapOf::Inter(*end), subzone.inter),
            });
        }
        if let Some(place) = self.traversal.filter(|_| relayed)
            && let Some(traversal) = subzone(place)
        {
            caps.push((CapOf::Handled(place), traversal.handled));
        }
        for link in ways.iter().flat_map(|way| &way.links) {
            for place in self.pipes_of(*link) {
                let pipe = self.settings.pipes.get(usize::from(*place));
                let cap = pipe.map(|pipe| (CapOf::Pipe(*place), pipe.per_call));
                caps.extend(cap.filter(|cap| !caps.contains(cap)));
            }
        }
        caps
    }

    fn pipes_of(&self, link: u16) -> &[u16] {
        self.topology.link(link).map_or(&[], |link| &link.pipes)
    }

    /// A limit of one call in words.
    fn cap(&self, (of, limit): (CapOf, Limit)) -> Cap {
        let subzone = |place: u16| {
            let subzone = self.settings.subzones.get(usize::from(place));
            subzone.map_or("", |subzone| &subzone.name)
        };
        let what = match of {
            CapOf::Handled(place) => format!("handled by {}", subzone(place)),
            CapOf::Inter(place) => format!("inter of {}", subzone(place)),
            CapOf::Intra(place) => format!("intra of {}", subzone(place)),
            CapOf::Pipe(place) => {
                let pipe = self.settings.pipes.get(usize::from(place));
                format!("per call of pipe {}", pipe.map_or("", |pipe| &pipe.name))
            }
        };
        Cap { what, limit }
    }

    /// The node of this name.
    pub(crate) fn node(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).map(|place| self.node_at(*place))
    }

    fn node_at(&self, place: u16) -> NodeId {
        let network = self.number;
        NodeId { place, network }
    }

    /// What a node of this network is called.
    pub(crate) fn name(&self, node: NodeId) -> Option<&str> {
        let place = usize::from(node.place);
        let subzone = self
            .settings
            .subzones
            .get(place)
            .map(|subzone| &subzone.name);
        let zone = || {
            self.settings
                .zones
                .get(place - self.settings.subzones.len())
        };
        let name = subzone
            .or_else(zone)
            .filter(|_| node.network == self.number);
        name.map(String::as_str)
    }

    /// The subzone that a rule puts an endpoint into.
    pub(crate) fn subzone_by_rule(
        &self,
        address: Option<IpAddr>,
        aliases: &[&str],
    ) -> Option<NodeId> {
        let place = self.members.subzone_of(address, aliases);
        place.map(|place| self.node_at(place))
    }

    /// The subzone of an endpoint; none where there is not even a default subzone.
    pub(crate) fn subzone_of(&self, address: Option<IpAddr>, aliases: &[&str]) -> Option<NodeId> {
        let default = || {
            let place = place_of_kind(&self.settings, SubzoneKind::Default);
            place.map(|place| self.node_at(place))
        };
        self.subzone_by_rule(address, aliases).or_else(default)
    }

    /// The way between two nodes of this network.
    #[inline]
    pub(crate) fn path_between(&self, from: NodeId, to: NodeId, relayed: bool) -> Option<Path> {
        if from.network != self.number || to.network != self.number {
            return None;
        }
        let (high, low) = (from.place.max(to.place), from.place.min(to.place));
        let high = usize::from(high);
        let paths = if relayed { &self.relayed } else { &self.direct };
        // Node n comes after the pairs of all lower ones: 1 + 2 + ... + n of them.
        paths
            .get(high * (high + 1) / 2 + usize::from(low))
            .copied()
            .flatten()
    }

    /// What a call on this way is charged to, in ascending order.
    #[inline]
    pub(crate) fn charges(&self, path: Path) -> &[Charge] {
        let first = path.first as usize;
        let charges = self.charges.get(first..first + usize::from(path.count));
        charges.unwrap_or_default()
    }

    #[inline]
    pub(crate) fn resource(&self, charge: Charge) -> Option<&Resource> {
        self.resources.get(usize::from(charge.resource))
    }

    /// The way as names of links, and the limits of one call on it: for people who ask.
    pub(crate) fn explain(&self, from: NodeId, to: NodeId, relayed: bool) -> Option<Explained> {
        self.path_between(from, to, relayed)?;
        // As it was compiled, from the higher node.
        let ends = [from.place.max(to.place), from.place.min(to.place)];
        let ways = if relayed {
            let ways = self.topology.ways_from(self.traversal?);
            let mut there = ways.to(ends[0])?;
            there.links.reverse();
            vec![there, ways.to(ends[1])?]
        } else {
            vec![self.topology.ways_from(ends[0]).to(ends[1])?]
        };
        let caps = self.caps_of(ends, &ways.iter().collect::<Vec<_>>(), relayed);
        let mut links: Vec<u16> = ways.iter().flat_map(|way| way.links.clone()).collect();
        if from.place < to.place {
            links.reverse();
        }
        let names = links
            .iter()
            .filter_map(|link| self.settings.links.get(usize::from(*link)));
        Some(Explained {
            links: names.map(|link| link.name.clone()).collect(),
            caps: caps.into_iter().map(|cap| self.cap(cap)).collect(),
        })
    }
}

/// A way in words.
#[derive(Debug)]
pub(crate) struct Explained {
    pub(crate) links: Vec<String>,
    pub(crate) caps: Vec<Cap>,
}

/// Places by name, in the order of the configuration.
fn numbered<'s>(
    names: impl Iterator<Item = &'s String>,
) -> Result<BTreeMap<String, u16>, BandwidthMistake> {
    let mut numbered = BTreeMap::new();
    for (name, place) in names.zip(0..) {
        if numbered.insert(name.clone(), place).is_some() {
            return Err(BandwidthMistake::Duplicate(name.clone()));
        }
    }
    Ok(numbered)
}

fn links(
    settings: &BandwidthSettings,
    names: &BTreeMap<String, u16>,
    pipes: &BTreeMap<String, u16>,
) -> Result<Vec<Link>, BandwidthMistake> {
    let mut links = Vec::with_capacity(settings.links.len());
    for link in &settings.links {
        let node = |node: &String| {
            let place = names.get(node).copied();
            place.ok_or_else(|| BandwidthMistake::LinkNode {
                link: link.name.clone(),
                node: node.clone(),
            })
        };
        let [one, other] = &link.nodes;
        let nodes = [node(one)?, node(other)?];
        if one == other {
            return Err(BandwidthMistake::Loop(link.name.clone()));
        }
        let pipe = |pipe: &String| {
            let place = pipes.get(pipe).copied();
            place.ok_or_else(|| BandwidthMistake::LinkPipe {
                link: link.name.clone(),
                pipe: pipe.clone(),
            })
        };
        if link.pipes.len() > 2 {
            return Err(too_many("pipes on one link", 2));
        }
        let pipes = link.pipes.iter().map(pipe).collect::<Result<_, _>>()?;
        links.push(Link { nodes, pipes });
    }
    Ok(links)
}

fn check_sizes(settings: &BandwidthSettings) -> Result<(), BandwidthMistake> {
    let sizes = [
        (settings.subzones.len(), "subzones", SUBZONES_MAX),
        (settings.zones.len(), "zones", ZONES_MAX),
        (settings.pipes.len(), "pipes", PIPES_MAX),
        (settings.links.len(), "links", LINKS_MAX),
        (settings.rules.len(), "rules for subzones", RULES_MAX),
    ];
    let above = sizes.into_iter().find(|(count, _, most)| count > most);
    above.map_or(Ok(()), |(_, what, most)| Err(too_many(what, most)))
}

fn too_many(what: &'static str, most: usize) -> BandwidthMistake {
    BandwidthMistake::TooMany { what, most }
}

/// The totals of subzones, then those of pipes; what counted before under the same name goes on.
fn resources(settings: &BandwidthSettings, before: Option<&Network>) -> Box<[Resource]> {
    let resource = |name: &str, is_pipe, limit| {
        let known = before.and_then(|before| {
            let mut known = before.resources.iter();
            known.find(|known| known.is_pipe == is_pipe && *known.name == *name)
        });
        let fresh = || Arc::new(Counter::new(in_kbps(limit)));
        Resource {
            name: name.into(),
            is_pipe,
            counter: known.map_or_else(fresh, |known| Arc::clone(&known.counter)),
        }
    };
    let subzones = settings.subzones.iter();
    let subzones =
        subzones.map(|subzone| resource(&subzone.name, false, total_of_subzone(subzone)));
    let pipes = settings
        .pipes
        .iter()
        .map(|pipe| resource(&pipe.name, true, pipe.total));
    subzones.chain(pipes).collect()
}

fn total_of_subzone(subzone: &SubzoneSettings) -> Limit {
    match subzone.kind {
        SubzoneKind::Cluster => Limit::Unlimited,
        SubzoneKind::Default | SubzoneKind::Manual | SubzoneKind::Traversal => subzone.total,
    }
}

fn place_of_kind(settings: &BandwidthSettings, kind: SubzoneKind) -> Option<u16> {
    let mut places = settings.subzones.iter().zip(0..);
    places
        .find(|(subzone, _)| subzone.kind == kind)
        .map(|(_, place)| place)
}

fn in_kbps(limit: Limit) -> u64 {
    match limit {
        Limit::NoBandwidth => 0,
        Limit::Limited(kbps) => kbps.into(),
        Limit::Unlimited => UNLIMITED,
    }
}
