//! The dial plan: which rule serves an alias, and what that means.
//!
//! Compiled when it is loaded. On the way of a call a rule is found without an allocation: captures
//! come from a store of used ones, and the conference's name is built on the stack.

mod name;
mod pattern;

pub(crate) use name::Name;
pub use pattern::{Applied, GaveUp, Pattern, PatternError, check_pattern};

use crate::board::position_of;
use crate::bridge_alias::BridgeAlias;
use crate::place::NoPlace;
use crate::settings::{AliasSettings, Role, Settings};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is wrong with settings that were handed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// An alias names a pool that is not there.
    #[error("alias `{alias}` names the pool `{pool}`, which is not there")]
    AliasPool {
        /// The alias.
        alias: String,
        /// What it names.
        pool: String,
    },
    /// A pattern or a conference's name cannot be used.
    #[error("alias `{alias}`: {error}")]
    Pattern {
        /// The alias.
        alias: String,
        /// What is wrong.
        error: PatternError,
    },
    /// A peer is in a pool that is not there.
    #[error("peer `{peer}` is in the pool `{pool}`, which is not there")]
    PeerPool {
        /// The peer.
        peer: String,
        /// What it names.
        pool: String,
    },
    /// Aliases ask for more tags than fit.
    #[error("aliases ask for more than {TAGS_MAX} different tags")]
    Tags,
}

/// A tag is a bit in one word.
const TAGS_MAX: usize = 64;

/// All rules, the first one first.
#[derive(Debug)]
pub(crate) struct Plan {
    rules: Box<[Rule]>,
    /// The peers whose conferences have aliases of their own, by their positions on the board.
    bridges: Box<[(BridgeAlias, usize)]>,
    /// Every pool, in the order of the configuration: where calls go that no rule sends elsewhere.
    all_pools: Box<[u16]>,
    /// The tags that some rule asks for; the position is the bit.
    tags: Box<[String]>,
    /// How often a pattern gave up, which counts as no match.
    pub(crate) given_up: AtomicU64,
}

/// One conference alias.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: Arc<str>,
    /// Where it stands in the plan.
    pub(crate) position: u16,
    pattern: Pattern,
    pub(crate) role: Role,
    pub(crate) may_create: bool,
    pub(crate) participants_max: u32,
    pub(crate) fallback: bool,
    pools: Box<[u16]>,
    tags: u64,
    zones: Box<[String]>,
}

/// What the plan says about one call.
#[derive(Debug)]
pub(crate) struct Route<'p> {
    /// None where there is no dial plan.
    pub(crate) rule: Option<&'p Rule>,
    /// Whether the name that was written is its conference; if not, the calls share nothing.
    pub(crate) has_conference: bool,
    /// Positions of pools on the board; none where the alias is one of a peer.
    pub(crate) pools: &'p [u16],
    pub(crate) tags: u64,
    /// Where the alias is one of a peer: where that stands on the board, and the conference's number.
    pub(crate) bridge: Option<(usize, u64)>,
}

impl Plan {
    /// `pools`: the names of the pools as they stand on the board.
    pub(crate) fn new(settings: &Settings, pools: &[&str]) -> Result<Self, Mistake> {
        for peer in &settings.peers {
            if position_of(pools, &peer.pool).is_none() {
                let (peer, pool) = (peer.name.clone(), peer.pool.clone());
                return Err(Mistake::PeerPool { peer, pool });
            }
        }
        let mut plan = Self {
            rules: Box::default(),
            bridges: bridges(settings),
            all_pools: pools.iter().zip(0u16..).map(|(_, at)| at).collect(),
            tags: tags_asked_for(&settings.aliases)?,
            given_up: AtomicU64::new(0),
        };
        let mut sorted: Vec<&AliasSettings> = settings.aliases.iter().collect();
        // Stable: equals stay in the order of the configuration.
        sorted.sort_by_key(|alias| alias.priority);
        let mut rules = Vec::with_capacity(sorted.len());
        for (position, alias) in sorted.into_iter().enumerate() {
            let mut positions = Vec::new();
            for pool in &alias.pools {
                let missing = || Mistake::AliasPool {
                    alias: alias.name.clone(),
                    pool: pool.clone(),
                };
                positions.push(position_of(pools, pool).ok_or_else(missing)?);
            }
            rules.push(plan.rule((position, alias), positions)?);
        }
        plan.rules = rules.into();
        Ok(plan)
    }

    fn rule(
        &self,
        (position, alias): (usize, &AliasSettings),
        pools: Vec<u16>,
    ) -> Result<Rule, Mistake> {
        let pattern = Pattern::new(&alias.pattern, alias.conference.as_deref());
        Ok(Rule {
            name: Arc::from(alias.name.as_str()),
            position: u16::try_from(position).unwrap_or(u16::MAX),
            pattern: pattern.map_err(|error| Mistake::Pattern {
                alias: alias.name.clone(),
                error,
            })?,
            role: alias.role,
            may_create: alias.may_create,
            participants_max: alias.participants_max.unwrap_or(u32::MAX),
            fallback: alias.fallback,
            pools: if pools.is_empty() {
                self.all_pools.clone()
            } else {
                pools.into()
            },
            tags: self.tags(&alias.tags),
            zones: alias.zones.clone().into(),
        })
    }

    /// The name of the rule at this position.
    pub(crate) fn rule_name(&self, position: u16) -> Option<&str> {
        let rule = self.rules.get(usize::from(position))?;
        Some(&rule.name)
    }

    /// The rule of this name.
    pub(crate) fn rule_named(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| *rule.name == *name)
    }

    /// Whether there is anything that callers of this zone may begin.
    pub(crate) fn may_begin(&self, zone: &str) -> Result<(), NoPlace> {
        let mut serving = self.rules.iter().filter(|rule| rule.serves(zone));
        if self.rules.is_empty() || serving.clone().any(|rule| rule.may_create) {
            Ok(())
        } else if serving.next().is_some() {
            Err(NoPlace::NotStarted)
        } else {
            Err(NoPlace::CallerNotAllowed)
        }
    }

    /// The peer whose alias this is by its form, and the number in it.
    pub(crate) fn bridge(&self, alias: &str) -> Option<(usize, u64)> {
        let mut bridges = self.bridges.iter();
        bridges.find_map(|(bridge, position)| Some((*position, bridge.number_in(alias)?)))
    }

    /// The bits of these tags; a tag that no rule asks for has none.
    pub(crate) fn tags(&self, tags: &[String]) -> u64 {
        let known = self.tags.iter().zip(0..);
        known
            .filter(|(known, _)| tags.contains(known))
            .fold(0, |bits, (_, bit)| bits | 1 << bit)
    }

    /// Where calls for this alias from this zone go. The conference's name is written into `name`,
    /// for which there is room only where it can have one.
    pub(crate) fn route(
        &self,
        alias: &[u8],
        zone: &str,
        name: &mut Option<Name>,
    ) -> Result<Route<'_>, NoPlace> {
        let plain = |pools, bridge| Route {
            rule: None,
            has_conference: false,
            pools,
            tags: 0,
            bridge,
        };
        let text = std::str::from_utf8(alias).map(without_scheme);
        // Its form says where it goes, whatever the rules make of it.
        if let Ok(alias) = text
            && let Some(bridge) = self.bridge(alias)
        {
            return Ok(plain(&[], Some(bridge)));
        }
        if self.rules.is_empty() {
            return Ok(plain(&self.all_pools, None));
        }
        let alias = text.map_err(|_| NoPlace::AliasUnknown)?;
        let name = name.insert(Name::empty());
        let mut refused = false;
        for rule in &self.rules {
            name.clear();
            let applied = rule.pattern.apply(alias, &mut |part| name.push(part));
            match applied {
                Applied::GaveUp => {
                    // Relaxed: it stands for itself.
                    self.given_up.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Applied::NoMatch => continue,
                Applied::Alone | Applied::NoRoom | Applied::Written => {}
            }
            if !rule.serves(zone) {
                // A later rule may serve the same alias to this zone.
                refused = true;
                continue;
            }
            let has_conference = applied == Applied::Written;
            // A name that is empty or too long names no conference.
            if applied == Applied::NoRoom || has_conference && name.as_str().is_empty() {
                return Err(NoPlace::AliasUnknown);
            }
            return Ok(Route {
                rule: Some(rule),
                has_conference,
                pools: &rule.pools,
                tags: rule.tags,
                bridge: None,
            });
        }
        Err(if refused {
            NoPlace::CallerNotAllowed
        } else {
            NoPlace::AliasUnknown
        })
    }
}

impl<'p> Route<'p> {
    /// It leads where this rule leads.
    pub(crate) fn leads_by(&mut self, rule: &'p Rule) {
        self.rule = Some(rule);
        self.pools = &rule.pools;
        self.tags = rule.tags;
    }
}

impl Rule {
    /// Whether callers of this zone are served.
    pub(crate) fn serves(&self, zone: &str) -> bool {
        self.zones.is_empty() || self.zones.iter().any(|known| known == zone)
    }
}

/// An alias without one leading scheme, which says how it was dialled, and not which it is.
#[must_use]
pub fn without_scheme(alias: &str) -> &str {
    for scheme in ["sip:", "sips:", "h323:"] {
        if let Some((head, rest)) = alias.split_at_checked(scheme.len())
            && head.eq_ignore_ascii_case(scheme)
        {
            return rest;
        }
    }
    alias
}

fn bridges(settings: &Settings) -> Box<[(BridgeAlias, usize)]> {
    let peers = settings.peers.iter().zip(0..);
    let bridges = peers.filter_map(|(peer, position)| Some((peer.alias.clone()?, position)));
    let mut bridges: Vec<_> = bridges.collect();
    // The longest prefix is the most exact: 6001{number} goes before 6{number}.
    bridges.sort_by_key(|(alias, _)| std::cmp::Reverse(alias.prefix_len()));
    bridges.into()
}

fn tags_asked_for(aliases: &[AliasSettings]) -> Result<Box<[String]>, Mistake> {
    let mut tags: Vec<String> = Vec::new();
    for tag in aliases.iter().flat_map(|alias| &alias.tags) {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    if tags.len() > TAGS_MAX {
        return Err(Mistake::Tags);
    }
    Ok(tags.into())
}

#[cfg(test)]
mod tests;
