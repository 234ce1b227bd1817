//! Random networks beside a slow model, which knows nothing of how the other one works: it tries all ways,
//! counts by name, and holds no more than the text of BANDWIDTH.md says.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What calls use, by name; and the rules, asked anew for each call.
struct Model {
    settings: BandwidthSettings,
    used: BTreeMap<String, u64>,
}

/// A call that the model admitted.
struct Admitted {
    kbps: u32,
    times: BTreeMap<String, u64>,
}

impl Model {
    /// The shortest way with the first link, among all ways that meet no node twice.
    fn way(&self, from: &str, to: &str) -> Option<Vec<usize>> {
        let mut best: Option<Vec<usize>> = None;
        let mut open = vec![(
            from.to_owned(),
            Vec::new(),
            BTreeSet::from([from.to_owned()]),
        )];
        while let Some((at, links, met)) = open.pop() {
            if at == to {
                let sorted = |links: &[usize]| {
                    let mut links = links.to_vec();
                    links.sort_unstable();
                    (links.len(), links)
                };
                let is_better = best
                    .as_ref()
                    .is_none_or(|best| sorted(&links) < sorted(best));
                if is_better {
                    best = Some(links);
                }
                continue;
            }
            for (number, link) in self.settings.links.iter().enumerate() {
                let [one, other] = &link.nodes;
                for (here, there) in [(one, other), (other, one)] {
                    if *here == at && !met.contains(there) {
                        let mut links = links.clone();
                        links.push(number);
                        let mut met = met.clone();
                        met.insert(there.clone());
                        open.push((there.clone(), links, met));
                    }
                }
            }
        }
        best
    }

    fn subzone(&self, name: &str) -> Option<&SubzoneSettings> {
        self.settings
            .subzones
            .iter()
            .find(|subzone| subzone.name == name)
    }

    /// The links of the whole way, and the nodes that it passes between its ends.
    fn passed(&self, from: &str, to: &str, relayed: bool) -> Option<(Vec<usize>, Vec<String>)> {
        let middle = "Traversal";
        if relayed && self.subzone(middle).is_none() {
            return None;
        }
        let stages = if relayed {
            vec![from, middle, to]
        } else {
            vec![from, to]
        };
        let (mut links, mut between) = (Vec::new(), Vec::new());
        for stage in stages.windows(2) {
            let way = self.way(stage[0], stage[1])?;
            let mut at = stage[0].to_owned();
            for number in &way {
                let [one, other] = &self.settings.links[*number].nodes;
                at = if *one == at {
                    other.clone()
                } else {
                    one.clone()
                };
                if at != stage[1] {
                    between.push(at.clone());
                }
            }
            links.extend(way);
        }
        Some((links, between))
    }

    fn admit(
        &mut self,
        from: &str,
        to: &str,
        want: Option<u32>,
        relayed: bool,
    ) -> Option<Admitted> {
        let (links, between) = self.passed(from, to, relayed)?;
        let same = from == to;
        let mut limits = Vec::new();
        let mut charged: Vec<(String, Limit)> = Vec::new();
        for name in [from, to] {
            let Some(subzone) = self.subzone(name) else {
                continue;
            };
            limits.push(if same && !relayed {
                subzone.intra
            } else {
                subzone.inter
            });
            charged.push((name.to_owned(), subzone.total));
        }
        if same && !relayed {
            charged.truncate(1);
        }
        if relayed {
            let traversal = self.subzone("Traversal")?;
            limits.push(traversal.handled);
            charged.push((traversal.name.clone(), traversal.total));
        }
        let between = between.iter().filter_map(|name| self.subzone(name));
        charged.extend(between.map(|subzone| (subzone.name.clone(), subzone.total)));
        for number in links {
            for name in &self.settings.links[number].pipes {
                let pipe = self.settings.pipes.iter().find(|pipe| pipe.name == *name)?;
                limits.push(pipe.per_call);
                charged.push((format!("pipe {name}"), pipe.total));
            }
        }
        self.reserve(
            want.unwrap_or(self.settings.default_call_kbps),
            &limits,
            &charged,
        )
    }

    fn reserve(
        &mut self,
        mut want: u32,
        limits: &[Limit],
        charged: &[(String, Limit)],
    ) -> Option<Admitted> {
        for limit in limits {
            match limit {
                Limit::NoBandwidth | Limit::Limited(0) => return None,
                Limit::Limited(kbps) if want > *kbps => {
                    if !self.settings.downspeed_per_call {
                        return None;
                    }
                    want = *kbps;
                }
                Limit::Limited(_) | Limit::Unlimited => {}
            }
        }
        let mut times: BTreeMap<String, u64> = BTreeMap::new();
        for (name, _) in charged {
            *times.entry(name.clone()).or_default() += 1;
        }
        let mut left = u64::MAX;
        for (name, limit) in charged {
            match limit {
                Limit::NoBandwidth | Limit::Limited(0) => return None,
                Limit::Limited(kbps) => {
                    let used = self.used.get(name).copied().unwrap_or(0);
                    left = left.min((u64::from(*kbps) - used) / times[name]);
                }
                Limit::Unlimited => {}
            }
        }
        if left < u64::from(want) {
            let left = u32::try_from(left).unwrap();
            let enough = left >= self.settings.downspeed_floor_kbps;
            if !self.settings.downspeed_total || !enough {
                return None;
            }
            want = left;
        }
        for (name, times) in &times {
            *self.used.entry(name.clone()).or_default() += u64::from(want) * times;
        }
        Some(Admitted { kbps: want, times })
    }

    fn release(&mut self, admitted: &Admitted) {
        for (name, times) in &admitted.times {
            let used = self.used.get_mut(name).unwrap();
            *used -= u64::from(admitted.kbps) * times;
        }
    }
}

fn limit() -> impl Strategy<Value = Limit> {
    prop_oneof![
        1 => Just(Limit::NoBandwidth),
        6 => (0..3000_u32).prop_map(Limit::Limited),
        4 => Just(Limit::Unlimited),
    ]
}

/// Up to seven nodes, some of them zones, and links between any of them.
fn settings() -> impl Strategy<Value = BandwidthSettings> {
    let subzones = prop::collection::vec([limit(), limit(), limit(), limit()], 1..5);
    let pipes = prop::collection::vec([limit(), limit()], 0..4);
    let links = prop::collection::vec((any::<[u8; 2]>(), any::<[u8; 2]>(), 0..3_usize), 0..12);
    (subzones, 0..3_usize, pipes, links, any::<[bool; 3]>()).prop_map(
        |(subzones, zones, pipes, links, [per_call, total, traversal])| {
            let mut plan = Plan::default();
            for (number, [total, intra, inter, handled]) in subzones.into_iter().enumerate() {
                let kind = match number {
                    0 if traversal => SubzoneKind::Traversal,
                    _ => SubzoneKind::Manual,
                };
                let name = match kind {
                    SubzoneKind::Traversal => "Traversal".to_owned(),
                    SubzoneKind::Cluster | SubzoneKind::Default | SubzoneKind::Manual => {
                        format!("S{number}")
                    }
                };
                plan = plan.subzone(&name, |subzone| {
                    subzone.kind = kind;
                    (subzone.total, subzone.intra) = (total, intra);
                    (subzone.inter, subzone.handled) = (inter, handled);
                });
            }
            for zone in 0..zones {
                plan = plan.zone(&format!("Z{zone}"));
            }
            for (number, [total, per_call]) in pipes.into_iter().enumerate() {
                plan = plan.pipe(&format!("P{number}"), total, per_call);
            }
            let nodes = names(&plan.0);
            for (ends, through, count) in links {
                let [one, other] = ends.map(|end| &*nodes[usize::from(end) % nodes.len()]);
                let pipes = &plan.0.pipes;
                let pipes: Vec<String> = through
                    .into_iter()
                    .take(if pipes.is_empty() { 0 } else { count })
                    .map(|pipe| pipes[usize::from(pipe) % pipes.len()].name.clone())
                    .collect();
                let pipes: Vec<&str> = pipes.iter().map(String::as_str).collect();
                if one != other {
                    plan = plan.link(one, other, &pipes);
                }
            }
            plan.0.downspeed_per_call = per_call;
            plan.0.downspeed_total = total;
            plan.0
        },
    )
}

fn names(settings: &BandwidthSettings) -> Vec<String> {
    let subzones = settings.subzones.iter().map(|subzone| subzone.name.clone());
    subzones.chain(settings.zones.iter().cloned()).collect()
}

proptest! {
    #[test]
    fn admission_is_that_of_a_slow_one(
        settings in settings(),
        calls in prop::collection::vec(
            (any::<[u8; 2]>(), prop::option::of(0..2500_u32), any::<[bool; 2]>()),
            1..40,
        ),
    ) {
        let site = Site { bandwidth: Bandwidth::new(&settings).unwrap() };
        // An end that is the traversal subzone itself is nothing that the text speaks of.
        let mut nodes = names(&settings);
        nodes.retain(|name| name != "Traversal");
        prop_assume!(!nodes.is_empty());
        let mut model = Model { settings, used: BTreeMap::new() };
        let mut held = Vec::new();
        for (ends, kbps, [relayed, ends_one]) in calls {
            let [from, to] = ends.map(|end| nodes[usize::from(end) % nodes.len()].clone());
            let granted = site.admit(&site.ask(&from, &to, kbps, relayed)).ok();
            let admitted = model.admit(&from, &to, kbps, relayed);
            prop_assert_eq!(
                granted.as_ref().map(Grant::kbps),
                admitted.as_ref().map(|admitted| admitted.kbps),
                "{} to {}, relayed: {}", from, to, relayed
            );
            held.extend(granted.zip(admitted));
            if ends_one && !held.is_empty() {
                let (grant, admitted) = held.remove(held.len() / 2);
                model.release(&admitted);
                drop(grant);
            }
            for known in site.bandwidth.view().uses() {
                let name = if known.is_pipe { format!("pipe {}", known.name) } else { known.name };
                let used = model.used.get(&name).copied().unwrap_or(0);
                prop_assert_eq!(known.own_kbps, used, "{}", name);
                prop_assert!(known.limit_kbps.is_none_or(|limit| used <= limit));
            }
        }
        drop(held);
        prop_assert!(site.is_idle());
    }
}
