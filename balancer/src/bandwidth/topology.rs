//! Which way a call takes: the fewest links, and of equally short ways the one with the first link.

use std::collections::VecDeque;

/// A link between two nodes, by their places.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) nodes: [u16; 2],
    /// Places of pipes.
    pub(crate) pipes: Vec<u16>,
}

/// Nodes and what connects them.
#[derive(Debug)]
pub(crate) struct Topology {
    links: Vec<Link>,
    /// For each node: where its links lead, and which links they are.
    beside: Vec<Vec<(u16, u16)>>,
}

/// The ways from one node to all others.
#[derive(Debug)]
pub(crate) struct Ways {
    from: u16,
    /// For each node: the last step to it.
    last: Vec<Option<Step>>,
}

/// From a node over a link.
#[derive(Clone, Copy, Debug)]
struct Step {
    node: u16,
    link: u16,
}

/// One way: the nodes from one end to the other, and the links between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) nodes: Vec<u16>,
    pub(crate) links: Vec<u16>,
}

impl Topology {
    pub(crate) fn new(nodes: usize, links: Vec<Link>) -> Self {
        let mut beside = vec![Vec::new(); nodes];
        for (link, number) in links.iter().zip(0_u16..) {
            let [one, other] = link.nodes;
            for (at, to) in [(one, other), (other, one)] {
                if let Some(beside) = beside.get_mut(usize::from(at)) {
                    beside.push((to, number));
                }
            }
        }
        Self { links, beside }
    }

    pub(crate) fn link(&self, number: u16) -> Option<&Link> {
        self.links.get(usize::from(number))
    }

    fn beside(&self, node: u16) -> &[(u16, u16)] {
        self.beside
            .get(usize::from(node))
            .map_or(&[], Vec::as_slice)
    }

    /// The ways from a node. Each is the same as its way back.
    pub(crate) fn ways_from(&self, from: u16) -> Ways {
        let distances = self.distances(from);
        let distance = |node: u16| distances.get(usize::from(node)).copied().flatten();
        let mut ways = Ways {
            from,
            last: vec![None; self.beside.len()],
        };
        // The links of the best way to each node, sorted: of two ways that are equally short the one with
        // the lower list is taken. A way that goes on from the better of two is the better one, so
        // that the nearer nodes decide for those behind them.
        let mut best: Vec<Vec<u16>> = vec![Vec::new(); self.beside.len()];
        let mut nodes: Vec<u16> = (0..).take(self.beside.len()).collect();
        nodes.retain(|node| distance(*node).is_some_and(|steps| steps > 0));
        nodes.sort_by_key(|node| distance(*node));
        for node in nodes {
            let nearer = |(beside, _): &&(u16, u16)| {
                distance(*beside).map(|steps| steps + 1) == distance(node)
            };
            let candidates = self.beside(node).iter().filter(nearer);
            let candidates = candidates.map(|(before, link)| {
                let mut links = best.get(usize::from(*before)).cloned().unwrap_or_default();
                let place = links.partition_point(|known| known < link);
                links.insert(place, *link);
                let step = Step {
                    node: *before,
                    link: *link,
                };
                (links, step)
            });
            if let Some((links, step)) = candidates.min_by(|one, other| one.0.cmp(&other.0)) {
                let place = usize::from(node);
                best.get_mut(place)
                    .into_iter()
                    .for_each(|best| best.clone_from(&links));
                ways.last
                    .get_mut(place)
                    .into_iter()
                    .for_each(|last| *last = Some(step));
            }
        }
        ways
    }

    /// How many links each node is away.
    fn distances(&self, from: u16) -> Vec<Option<u16>> {
        let mut distances = vec![None; self.beside.len()];
        let mut next = VecDeque::from([(from, 0)]);
        while let Some((node, steps)) = next.pop_front() {
            match distances.get_mut(usize::from(node)) {
                Some(distance @ None) => *distance = Some(steps),
                Some(Some(_)) | None => continue,
            }
            let beside = self.beside(node).iter();
            next.extend(beside.map(|(node, _)| (*node, steps + 1)));
        }
        distances
    }
}

impl Ways {
    /// The way to a node; none leads there from where there is no link.
    pub(crate) fn to(&self, to: u16) -> Option<Way> {
        let mut way = Way {
            nodes: vec![to],
            links: Vec::new(),
        };
        let mut at = to;
        while at != self.from {
            let step = self.last.get(usize::from(at)).copied().flatten()?;
            way.links.push(step.link);
            way.nodes.push(step.node);
            at = step.node;
        }
        way.nodes.reverse();
        way.links.reverse();
        Some(way)
    }
}
