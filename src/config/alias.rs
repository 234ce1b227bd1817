//! `[[alias]]`: what may be dialled, and what it leads to.

use super::balancing::{Names, check_known};
use super::mistake::Findings;
use super::section::{Root, Section};
use super::{Placed, Zone};
use balancer::{AliasSettings, POOL_OF_ALL, PatternError, PoolSettings, Role};

pub(super) const KEYS: &[&str] = &[
    "name",
    "pattern",
    "conference",
    "priority",
    "role",
    "may_create",
    "participants_max",
    "fallback",
    "pools",
    "tags",
    "zones",
];

const ROLES: [(&str, Role); 3] = [
    ("chair", Role::Chair),
    ("guest", Role::Guest),
    ("participant", Role::Participant),
];

/// Asked after those with a smaller number.
const PRIORITY: u16 = 100;
const EXAMPLE: &str = r"meet\.(.+)@example\.com";

/// The aliases in the order of the file; those that cannot be used are noted and left out.
pub(super) fn read(
    root: &Root<'_>,
    pools: &[Option<Placed<PoolSettings>>],
    zones: &[Zone],
    findings: &mut Findings<'_>,
) -> Vec<AliasSettings> {
    let pools = Names::of_pools(pools);
    let zones = Names {
        names: zones.iter().map(|zone| &*zone.name).collect(),
        is_whole: true,
    };
    let entry = ("alias", "an alias", "aliases");
    let read = |section: &mut Section<'_, '_, '_>| read_entry(section, &pools, &zones);
    let aliases = root.entries(entry, KEYS, findings, read);
    let mut earlier: Vec<AliasSettings> = Vec::new();
    for Placed { at, value } in aliases.into_iter().flatten() {
        if earlier.iter().any(|other| other.name == value.name) {
            let message = format!(
                "two aliases are called `{}`; give each its own name",
                value.name
            );
            findings.add(at, message);
        }
        earlier.push(value);
    }
    earlier
}

fn read_entry(
    section: &mut Section<'_, '_, '_>,
    known_pools: &Names<'_>,
    known_zones: &Names<'_>,
) -> Option<Placed<AliasSettings>> {
    let name = section.text_required("name", "meetings");
    let name = name.filter(|name| section.name("name", name));
    let pattern = section.text_required("pattern", EXAMPLE);
    let conference = section.text("conference", r"\\1");
    if let Some(pattern) = &pattern {
        check_pattern(section, pattern, conference.as_ref());
    }
    let priority = section.number("priority", 1..=65_535, PRIORITY);
    let role = section.choice("role", &ROLES, Role::default());
    let may_create = section.truth("may_create", true);
    let participants_max = section.number("participants_max", 0..=1_000_000_000, 0);
    let fallback = section.truth("fallback", false);
    let pools = section.texts("pools", "bridges").unwrap_or_default();
    for pool in &pools {
        check_known(section, pool, ("pool", POOL_OF_ALL), known_pools);
    }
    let zones = section.texts("zones", "vcs").unwrap_or_default();
    for zone in &zones {
        check_known(section, zone, ("zone", ""), known_zones);
    }
    let tags = section.texts("tags", "recording").unwrap_or_default();
    let name = name?;
    let owned = |texts: Vec<Placed<&str>>| texts.iter().map(|text| text.value.to_owned()).collect();
    Some(Placed {
        at: name.at,
        value: AliasSettings {
            name: name.value.to_owned(),
            pattern: pattern?.value.to_owned(),
            priority,
            conference: conference.map(|text| text.value.to_owned()),
            role,
            may_create,
            participants_max: (participants_max > 0).then_some(participants_max),
            fallback,
            pools: owned(pools),
            tags: owned(tags),
            zones: owned(zones),
        },
    })
}

/// Notes what the dial plan could not compile.
fn check_pattern(
    section: &mut Section<'_, '_, '_>,
    pattern: &Placed<&str>,
    conference: Option<&Placed<&str>>,
) {
    let name = conference.map(|text| text.value);
    let Err(error) = balancer::check_pattern(pattern.value, name) else {
        return;
    };
    let (at, key) = match (&error, conference) {
        (PatternError::NoSuchCapture(..) | PatternError::StrayBackslash, Some(conference)) => {
            (conference.at, "conference")
        }
        (_, _) => (pattern.at, "pattern"),
    };
    section
        .findings()
        .add(at, format!("`{key}` cannot be used: {error}"));
}

#[cfg(test)]
mod tests;
