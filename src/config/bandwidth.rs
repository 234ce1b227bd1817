//! `[bandwidth]`: how much of the network calls may use.

use super::balancing::{Names, check_known};
use super::mistake::Findings;
use super::section::{Root, Section, is_written, kind};
use super::{Placed, Zone};
use balancer::bandwidth::{
    Bandwidth, BandwidthSettings, DEFAULT_SUBZONE, Limit, LinkSettings, PipeSettings, RuleMatch,
    RuleSettings, SubzoneKind, SubzoneSettings,
};
use toml::de::DeValue;

pub(super) const KEYS: &[&str] = &[
    "default_call_kbps",
    "downspeed_per_call",
    "downspeed_total",
    "downspeed_floor_kbps",
    "premade_links",
    "subzone",
    "pipe",
    "link",
    "rule",
];
pub(super) const SUBZONE_KEYS: &[&str] = &["name", "kind", "total", "intra", "inter", "handled"];
pub(super) const PIPE_KEYS: &[&str] = &["name", "total", "per_call"];
pub(super) const LINK_KEYS: &[&str] = &["name", "nodes", "pipes"];
pub(super) const RULE_KEYS: &[&str] = &["subzone", "priority", "by", "value", "enabled"];

const KINDS: [(&str, SubzoneKind); 4] = [
    ("manual", SubzoneKind::Manual),
    ("default", SubzoneKind::Default),
    ("traversal", SubzoneKind::Traversal),
    ("cluster", SubzoneKind::Cluster),
];
const LIMITS: [(&str, Limit); 2] = [
    ("unlimited", Limit::Unlimited),
    ("none", Limit::NoBandwidth),
];
/// More than any network has: 100 Gbit/s.
const KBPS_MAX: u32 = 100_000_000;
/// Asked after those with a smaller number.
const PRIORITY: u16 = 100;

/// The settings, with all that is there without being configured; none where there is no table.
pub(super) fn read(
    root: &Root<'_>,
    zones: &[Zone],
    findings: &mut Findings<'_>,
) -> Option<BandwidthSettings> {
    root.value("bandwidth")?;
    let mut section = root.table("bandwidth", KEYS, findings);
    let default = BandwidthSettings::default();
    let mut settings = BandwidthSettings {
        default_call_kbps: section.number(
            "default_call_kbps",
            1..=KBPS_MAX,
            default.default_call_kbps,
        ),
        downspeed_per_call: section.truth("downspeed_per_call", default.downspeed_per_call),
        downspeed_total: section.truth("downspeed_total", default.downspeed_total),
        downspeed_floor_kbps: section.number(
            "downspeed_floor_kbps",
            1..=KBPS_MAX,
            default.downspeed_floor_kbps,
        ),
        subzones: entries(
            &mut section,
            "subzone",
            ("bandwidth.subzone", SUBZONE_KEYS),
            subzone,
        ),
        zones: zones.iter().map(|zone| zone.name.clone()).collect(),
        pipes: entries(&mut section, "pipe", ("bandwidth.pipe", PIPE_KEYS), pipe),
        ..default
    };
    settings.add_premade_nodes();
    let subzones = settings
        .subzones
        .iter()
        .map(|subzone| subzone.name.as_str());
    let nodes = subzones
        .clone()
        .chain(settings.zones.iter().map(String::as_str));
    let known = Known {
        nodes: whole(nodes),
        pipes: whole(settings.pipes.iter().map(|pipe| pipe.name.as_str())),
        subzones: whole(subzones),
    };
    let read_link = |section: &mut Section<'_, '_, '_>| link(section, &known);
    let links = entries(
        &mut section,
        "link",
        ("bandwidth.link", LINK_KEYS),
        read_link,
    );
    let read_rule = |section: &mut Section<'_, '_, '_>| rule(section, &known);
    let rules = entries(
        &mut section,
        "rule",
        ("bandwidth.rule", RULE_KEYS),
        read_rule,
    );
    (settings.links, settings.rules) = (links, rules);
    if section.truth("premade_links", true) {
        settings.add_premade_links();
    }
    let at = section.at();
    check(&settings, at, section.findings());
    Some(settings)
}

/// What concerns more than one entry, and every limit: as the balancer itself will see it.
fn check(settings: &BandwidthSettings, at: usize, findings: &mut Findings<'_>) {
    // What a missing name leads to has been said where it is missing.
    let Err(mistake) = Bandwidth::check(settings) else {
        return;
    };
    findings.add(at, format!("`[bandwidth]`: {mistake}"));
}

/// Names that links and rules may use.
struct Known<'s> {
    nodes: Names<'s>,
    pipes: Names<'s>,
    subzones: Names<'s>,
}

fn whole<'s>(names: impl Iterator<Item = &'s str>) -> Names<'s> {
    Names {
        names: names.collect(),
        is_whole: true,
    }
}

/// The tables `[[name]]` below a table, in the order of the file; those that cannot be used are noted and
/// left out.
pub(super) fn entries<'t, T>(
    section: &mut Section<'t, '_, '_>,
    key: &'static str,
    (name, keys): (&'static str, &'static [&'static str]),
    read: impl Fn(&mut Section<'_, '_, '_>) -> Option<T>,
) -> Vec<T> {
    let Some(value) = section.value(key) else {
        return Vec::new();
    };
    let DeValue::Array(entries) = value.get_ref() else {
        let message = format!("there may be several; write `[[{name}]]`");
        section.findings().add(value.span().start, message);
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| is_written(entry)) {
        let at = entry.span().start;
        let findings = section.findings();
        let Some(value) = entry.get_ref().as_table() else {
            let found = kind(entry.get_ref());
            let message = format!("an entry is {found}; write `[[{name}]]` above its keys");
            findings.add(at, message);
            continue;
        };
        let table = Placed { at, value };
        found.extend(read(&mut Section::open(name, table, keys, findings)));
    }
    found
}

fn subzone(section: &mut Section<'_, '_, '_>) -> Option<SubzoneSettings> {
    let name = name(section, "office");
    Some(SubzoneSettings {
        kind: section.choice("kind", &KINDS, SubzoneKind::Manual),
        total: limit(section, "total"),
        intra: limit(section, "intra"),
        inter: limit(section, "inter"),
        handled: limit(section, "handled"),
        name: name?,
    })
}

fn pipe(section: &mut Section<'_, '_, '_>) -> Option<PipeSettings> {
    let name = name(section, "wan");
    Some(PipeSettings {
        total: limit(section, "total"),
        per_call: limit(section, "per_call"),
        name: name?,
    })
}

fn link(section: &mut Section<'_, '_, '_>, known: &Known<'_>) -> Option<LinkSettings> {
    let name = name(section, "office-wan");
    let nodes = section.texts_required("nodes", DEFAULT_SUBZONE)?;
    let [one, other] = nodes.as_slice() else {
        let at = section.at();
        let message = format!(
            "`nodes` has {} names; a link has two ends: `nodes = [\"office\", \"{DEFAULT_SUBZONE}\"]`",
            nodes.len()
        );
        section
            .findings()
            .add(nodes.first().map_or(at, |node| node.at), message);
        return None;
    };
    let pipes = section.texts("pipes", "wan").unwrap_or_default();
    let mut is_known = true;
    for node in [one, other] {
        is_known &= known.nodes.names.contains(&node.value);
        check_known(section, node, ("bandwidth.subzone", ""), &known.nodes);
    }
    for pipe in &pipes {
        is_known &= known.pipes.names.contains(&pipe.value);
        check_known(section, pipe, ("bandwidth.pipe", ""), &known.pipes);
    }
    let name = name.filter(|_| is_known)?;
    Some(LinkSettings {
        name,
        nodes: [one, other].map(|node| node.value.to_owned()),
        pipes: pipes.iter().map(|pipe| pipe.value.to_owned()).collect(),
    })
}

fn rule(section: &mut Section<'_, '_, '_>, known: &Known<'_>) -> Option<RuleSettings> {
    let subzone = section.text_required("subzone", "office");
    let priority = section.number("priority", 1..=65_535, PRIORITY);
    let is_enabled = section.truth("enabled", true);
    let matches = rule_match(section);
    let subzone = subzone?;
    check_known(
        section,
        &subzone,
        ("bandwidth.subzone", ""),
        &known.subzones,
    );
    let is_known = known.subzones.names.contains(&subzone.value);
    Some(RuleSettings {
        priority,
        matches: matches.filter(|_| is_known)?,
        subzone: subzone.value.to_owned(),
        is_enabled,
    })
}

/// Whom a rule is about, with an example.
const WAYS: [(&str, &str); 5] = [
    ("subnet", "192.0.2.0/24"),
    ("exact", "room@example.com"),
    ("prefix", "office."),
    ("suffix", "@office.example.com"),
    ("regex", "room[0-9]+"),
];

fn rule_match(section: &mut Section<'_, '_, '_>) -> Option<RuleMatch> {
    section.text_required("by", "subnet")?;
    let ways = WAYS.map(|way| (way.0, Some(way)));
    let (by, example) = section.choice("by", &ways, None)?;
    let text = section.text_required("value", example)?;
    let owned = text.value.to_owned();
    match by {
        "exact" => Some(RuleMatch::Exact(owned)),
        "prefix" => Some(RuleMatch::Prefix(owned)),
        "suffix" => Some(RuleMatch::Suffix(owned)),
        "regex" => {
            if let Err(error) = balancer::check_pattern(&owned, None) {
                let message = format!("`value` cannot be used: {error}");
                section.findings().add(text.at, message);
                return None;
            }
            Some(RuleMatch::Regex(owned))
        }
        _ => match owned.parse::<signaling::access::Prefix>() {
            Ok(prefix) => Some(RuleMatch::Subnet(prefix.address(), prefix.bits())),
            Err(fault) => {
                let message = format!("`value` is `{owned}`, which {fault}");
                section.findings().add(text.at, message);
                None
            }
        },
    }
}

fn name(section: &mut Section<'_, '_, '_>, example: &str) -> Option<String> {
    let name = section.text_required("name", example);
    let name = name.filter(|name| section.name("name", name))?;
    Some(name.value.to_owned())
}

/// A number of kbit/s, `"unlimited"` or `"none"`.
fn limit(section: &mut Section<'_, '_, '_>, key: &'static str) -> Limit {
    let is_text = |value: &toml::Spanned<DeValue<'_>>| value.get_ref().as_str().is_some();
    if section.value(key).is_none_or(is_text) {
        return section.choice(key, &LIMITS, Limit::Unlimited);
    }
    Limit::Limited(section.number(key, 0..=KBPS_MAX, 2_000))
}

#[cfg(test)]
mod tests;
