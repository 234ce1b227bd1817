//! Which subzone an endpoint is in: rules by address and by alias, the least priority first.
//!
//! In one priority rules for addresses go before those for aliases, the longest prefix first; rules for
//! aliases go in the order of the configuration. Compiled when loaded: addresses are found by their
//! first bits, exact aliases by their order; the other rules for aliases are tried one after the other.

use super::settings::{BandwidthMistake, BandwidthSettings, RuleMatch};
use crate::plan::Pattern;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Where a rule stands among all: the least is the one that counts.
type Rank = u32;

/// All rules.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// The subzones of the rules, by rank.
    subzones: Box<[u16]>,
    /// First bits of addresses, and the rank of the first rule that has them.
    subnets: BTreeMap<Subnet, Rank>,
    /// The kinds of subnets that there are.
    widths: BTreeSet<(bool, u8)>,
    exact: BTreeMap<String, Rank>,
    others: Box<[(Rank, Matcher)]>,
}

/// IPv6 or not, how many bits, and these bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subnet {
    is_ipv6: bool,
    bits: u8,
    first: u128,
}

#[derive(Debug)]
enum Matcher {
    Prefix(String),
    Regex(Box<Pattern>),
    Suffix(String),
}

impl Members {
    pub(crate) fn new(
        settings: &BandwidthSettings,
        names: &BTreeMap<String, u16>,
    ) -> Result<Self, BandwidthMistake> {
        let subzones: BTreeSet<&String> = settings.subzones.iter().map(|zone| &zone.name).collect();
        let mut rules = Vec::new();
        for rule in &settings.rules {
            let place = names.get(&rule.subzone);
            // A zone is no place for an endpoint.
            let place = place.filter(|_| subzones.contains(&rule.subzone));
            let missing = || BandwidthMistake::RuleSubzone(rule.subzone.clone());
            rules.push((rule, *place.ok_or_else(missing)?));
        }
        rules.retain(|(rule, _)| rule.is_enabled);
        // Stable: equals stay in the order of the configuration.
        rules.sort_by_key(|(rule, _)| {
            let length = match rule.matches {
                RuleMatch::Subnet(_, bits) => Some(bits),
                RuleMatch::Exact(_)
                | RuleMatch::Prefix(_)
                | RuleMatch::Regex(_)
                | RuleMatch::Suffix(_) => None,
            };
            (rule.priority, Reverse(length))
        });
        let mut members = Self {
            subzones: rules.iter().map(|(_, place)| *place).collect(),
            ..Self::default()
        };
        let mut others = Vec::new();
        for ((rule, _), rank) in rules.into_iter().zip(0..) {
            let matcher = match &rule.matches {
                RuleMatch::Subnet(address, bits) => {
                    let subnet = Subnet::of(*address, *bits);
                    members.widths.insert((subnet.is_ipv6, subnet.bits));
                    members.subnets.entry(subnet).or_insert(rank);
                    continue;
                }
                RuleMatch::Exact(alias) => {
                    members.exact.entry(alias.to_lowercase()).or_insert(rank);
                    continue;
                }
                RuleMatch::Prefix(prefix) => Matcher::Prefix(prefix.clone()),
                RuleMatch::Suffix(suffix) => Matcher::Suffix(suffix.clone()),
                RuleMatch::Regex(pattern) => {
                    let wrong = |error| BandwidthMistake::RulePattern {
                        subzone: rule.subzone.clone(),
                        error,
                    };
                    let pattern = Pattern::new(pattern, None).map_err(wrong)?;
                    Matcher::Regex(Box::new(pattern))
                }
            };
            others.push((rank, matcher));
        }
        members.others = others.into();
        Ok(members)
    }

    /// The place of the subzone, if a rule says.
    pub(crate) fn subzone_of(&self, address: Option<IpAddr>, aliases: &[&str]) -> Option<u16> {
        let by_address = address.and_then(|address| self.rank_of(address));
        let exact = aliases
            .iter()
            .filter_map(|alias| self.exact.get(&alias.to_lowercase()));
        let known = by_address.into_iter().chain(exact.copied()).min();
        let mut sooner = self.others.iter();
        let matched = sooner.find_map(|(rank, matcher)| {
            // Sorted: what comes after one that is known cannot come before it.
            if known.is_some_and(|known| known < *rank) {
                return Some(None);
            }
            let matches = aliases.iter().any(|alias| matcher.matches(alias));
            matches.then_some(Some(*rank))
        });
        let rank = matched.flatten().or(known)?;
        self.subzones.get(rank as usize).copied()
    }

    fn rank_of(&self, address: IpAddr) -> Option<Rank> {
        let address = address.to_canonical();
        let widths = self.widths.iter();
        let alike = widths.filter(|(is_ipv6, _)| *is_ipv6 == address.is_ipv6());
        let ranks = alike.filter_map(|(_, bits)| self.subnets.get(&Subnet::of(address, *bits)));
        ranks.min().copied()
    }
}

impl Matcher {
    fn matches(&self, alias: &str) -> bool {
        let (head, tail) = match self {
            // One that gives up says nothing of who it is: the rules after it are asked.
            Self::Regex(pattern) => return pattern.is_match(alias).unwrap_or(false),
            Self::Prefix(prefix) => (alias.get(..prefix.len()), prefix),
            Self::Suffix(suffix) => {
                let begin = alias.len().checked_sub(suffix.len());
                (begin.and_then(|begin| alias.get(begin..)), suffix)
            }
        };
        head.is_some_and(|head| head.eq_ignore_ascii_case(tail))
    }
}

impl Subnet {
    /// Bits beyond those of the family are as many as it has.
    fn of(address: IpAddr, bits: u8) -> Self {
        let (number, width) = match address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let bits = bits.min(width);
        Self {
            is_ipv6: width == 128,
            bits,
            first: number.checked_shr(u32::from(width - bits)).unwrap_or(0),
        }
    }
}
