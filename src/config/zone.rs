//! `[[zone]]`: where calls come from.

use super::Placed;
use super::mistake::Findings;
use super::section::{Root, Section, is_written, kind};
use signaling::access::Prefix;
use toml::Spanned;
use toml::de::DeValue;

/// Sources that calls come from, and what holds for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// `name`: how the zone is called in logs and rules; no two zones share one.
    pub name: String,
    /// `from`: the addresses of its sources; never empty, and in no other zone.
    pub from: Vec<Prefix>,
    /// `hops_max`: how many hops a call from here may still go.
    pub hops_max: u32,
}

pub(super) const KEYS: &[&str] = &["name", "from", "hops_max"];

const EXAMPLE: &str = "192.0.2.0/24";
/// The hop count of a VCS zone.
const HOPS_MAX: u32 = 15;
/// A zone is named by two octets; nobody has so many.
const ZONES_MAX: usize = 1_000;

/// The zones in the order of the file.
pub(super) fn read(root: &Root<'_>, findings: &mut Findings<'_>) -> Vec<Zone> {
    let Some(value) = root.value("zone") else {
        return Vec::new();
    };
    let DeValue::Array(entries) = value.get_ref() else {
        let message = if value.get_ref().is_table() {
            "there may be several zones; write `[[zone]]`".to_owned()
        } else {
            let found = kind(value.get_ref());
            format!("`zone` is {found}; write `[[zone]]` above the keys of each zone")
        };
        findings.add(value.span().start, message);
        return Vec::new();
    };
    let entries = entries.iter().filter(|entry| is_written(entry));
    let mut zones: Vec<Zone> = Vec::new();
    for (count, entry) in entries.enumerate() {
        if count == ZONES_MAX {
            let message = format!("there are more than {ZONES_MAX} zones; put some together");
            findings.add(entry.span().start, message);
            break;
        }
        zones.extend(read_entry(entry, &zones, findings));
    }
    zones
}

fn read_entry<'t>(
    entry: &'t Spanned<DeValue<'t>>,
    earlier: &[Zone],
    findings: &mut Findings<'_>,
) -> Option<Zone> {
    let at = entry.span().start;
    let DeValue::Table(table) = entry.get_ref() else {
        let found = kind(entry.get_ref());
        findings.add(
            at,
            format!("a zone is {found}; write `[[zone]]` above the keys of each"),
        );
        return None;
    };
    let mut section = Section::open("zone", Placed { at, value: table }, KEYS, findings);
    let name = section.text_required("name", "vcs");
    let name = name.filter(|name| section.name("name", name));
    let texts = section.texts_required("from", EXAMPLE);
    let hops_max = section.number("hops_max", 1..=255, HOPS_MAX);
    let name = name?;
    if earlier.iter().any(|zone| zone.name == name.value) {
        let message = format!(
            "two zones are called `{}`; give each its own name",
            name.value
        );
        findings.add(name.at, message);
    }
    let mut from: Vec<Prefix> = Vec::new();
    for text in texts? {
        let prefix = read_prefix(&text, earlier, findings)?;
        if from.contains(&prefix) {
            let message = format!("`{}` is written twice; take one of the two out", text.value);
            findings.add(text.at, message);
        }
        from.push(prefix);
    }
    Some(Zone {
        name: name.value.to_owned(),
        from,
        hops_max,
    })
}

fn read_prefix(
    text: &Placed<&str>,
    earlier: &[Zone],
    findings: &mut Findings<'_>,
) -> Option<Prefix> {
    let prefix: Prefix = match text.value.parse() {
        Ok(prefix) => prefix,
        Err(why) => {
            findings.add(text.at, format!("`{}` {why}", text.value));
            return None;
        }
    };
    if let Some(zone) = earlier.iter().find(|zone| zone.from.contains(&prefix)) {
        let message = format!(
            "`{}` is in zone `{}` already; a source has one zone (a longer range inside another \
             zone's is right)",
            text.value, zone.name
        );
        findings.add(text.at, message);
    }
    Some(prefix)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use signaling::access::Strangers;

    fn read(zones: &str) -> Result<Config, Vec<String>> {
        let text = format!(
            "[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n\
             [[peer]]\nname = \"a\"\nat = \"udp:127.0.0.1:5180\"\nsessions_max = 1\n{zones}"
        );
        Config::parse(&text, "f").map_err(|mistakes| {
            let texts = mistakes
                .iter()
                .map(|mistake| format!("{}: {}", mistake.line() - 6, mistake.message()));
            texts.collect()
        })
    }

    #[test]
    fn zones_are_read() {
        let config = read(
            "[[zone]]\nname = \"vcs\"\nfrom = [\"192.0.2.0/24\", \"2001:db8::1\"]\n\
             [[zone]]\nname = \"lab\"\nfrom = [\"192.0.2.128/25\"]\nhops_max = 3",
        )
        .unwrap();
        let [vcs, lab] = config.zones.as_slice() else {
            panic!("{:?}", config.zones);
        };
        assert_eq!((vcs.name.as_str(), vcs.hops_max), ("vcs", 15));
        assert_eq!((lab.name.as_str(), lab.hops_max), ("lab", 3));
        assert_eq!(vcs.from[1].to_string(), "2001:db8::1/128");
        assert_eq!(config.sip.unknown_sources, Strangers::Refuse);
        assert!(read("").unwrap().zones.is_empty());
    }

    #[test]
    fn mistakes_in_zones() {
        let name = "[[zone]]\nname = \"a\"\n";
        for (zones, expected) in [
            (
                "[zone]\nname = \"a\"".to_owned(),
                "1: there may be several zones; write `[[zone]]`",
            ),
            (
                name.to_owned(),
                "1: `[[zone]]` needs `from`, such as `from = [\"192.0.2.0/24\"]`",
            ),
            (
                format!("{name}from = []"),
                "3: `from` is empty; write `from = [\"192.0.2.0/24\"]`",
            ),
            (
                format!("{name}from = \"192.0.2.1\""),
                "3: `from` is a text; it takes a list of texts: `from = [\"192.0.2.0/24\"]`",
            ),
            (
                format!("{name}from = [1]"),
                "3: `from` holds a whole number; it takes a list of texts: \
                 `from = [\"192.0.2.0/24\"]`",
            ),
            (
                format!("{name}from = [\"bridge.example\"]"),
                "3: `bridge.example` is no address and no range such as `192.0.2.0/24` or \
                 `2001:db8::/32`",
            ),
            (
                format!("{name}from = [\"192.0.2.1/24\"]"),
                "3: `192.0.2.1/24` has bits set behind its length; write `192.0.2.0/24`",
            ),
            (
                format!("{name}from = [\"192.0.2.1\", \"192.0.2.1/32\"]"),
                "3: `192.0.2.1/32` is written twice; take one of the two out",
            ),
            (
                format!(
                    "{name}from = [\"192.0.2.1\"]\n[[zone]]\nname = \"b\"\nfrom = [\"192.0.2.1\"]"
                ),
                "6: `192.0.2.1` is in zone `a` already; a source has one zone (a longer range \
                 inside another zone's is right)",
            ),
            (
                format!("{name}from = [\"192.0.2.1\"]\n{name}from = [\"192.0.2.2\"]"),
                "5: two zones are called `a`; give each its own name",
            ),
            (
                format!("{name}from = [\"192.0.2.1\"]\nhop_max = 3"),
                "4: unknown key `hop_max`; did you mean `hops_max`?",
            ),
        ] {
            let mistakes = read(&zones).unwrap_err();
            assert_eq!(mistakes, [expected], "{zones}");
        }
    }
}
