//! `[[zone]]`: where calls come from.

use super::Placed;
use super::mistake::Findings;
use super::section::{Root, Section, is_written, kind};
use super::sip::read_refer;
use signaling::ReferMode;
use signaling::access::Prefix;
use std::fmt;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::DeValue;

/// Sources that calls come from, and what holds for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// `name`: how the zone is called in logs and rules; no two zones share one.
    pub name: String,
    /// `from`: the addresses of its sources, which are in no other zone; empty only with `tls_names`.
    pub from: Vec<Prefix>,
    /// `tls_names`: names in certificates, in small letters; whoever proves one is in the zone.
    pub tls_names: Vec<String>,
    /// `hops_max`: how many hops a call from here may still go.
    pub hops_max: u32,
    /// `realm`: where its callers must prove who they are, by Digest.
    pub realm: Option<String>,
    /// `users`: who they may be.
    pub users: Vec<User>,
    /// `users_file`: where more of them stand.
    pub users_file: Option<PathBuf>,
    /// `asserted_identity`: whether a P-Asserted-Identity from here is believed.
    pub trusts_identity: bool,
    /// `strip_headers`: names of header fields that requests from here lose.
    pub strip_headers: Vec<String>,
    /// `strip_proxy_require`: option tags in Proxy-Require that are ignored.
    pub strip_proxy_require: Vec<String>,
    /// `refer`: what becomes of a REFER in its calls; none: what `[sip]` says.
    pub refer: Option<ReferMode>,
    /// `strip_update`: whether UPDATE is taken out of what either side allows.
    pub strips_update: bool,
}

/// A user and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The name as it is sent.
    pub name: String,
    /// The password, which is shown nowhere.
    pub password: String,
}

impl User {
    /// Reads `name:password`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (name, password) = text.split_once(':')?;
        let is_plain = |text: &str| !text.is_empty() && !text.contains(char::is_control);
        (is_plain(name) && is_plain(password) && name.len() <= NAME_MAX).then(|| Self {
            name: name.to_owned(),
            password: password.to_owned(),
        })
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({}:…)", self.name)
    }
}

pub(super) const KEYS: &[&str] = &[
    "name",
    "from",
    "tls_names",
    "hops_max",
    "realm",
    "users",
    "users_file",
    "asserted_identity",
    "strip_headers",
    "strip_proxy_require",
    "strip_update",
    "refer",
];

const EXAMPLE: &str = "192.0.2.0/24";
/// The hop count of a VCS zone.
const HOPS_MAX: u32 = 15;
/// Octets of a user's name.
const NAME_MAX: usize = 128;
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
    let tls_names = read_names(&mut section, earlier);
    let texts = if tls_names.is_empty() {
        section.texts_required("from", EXAMPLE)
    } else {
        Some(section.texts("from", EXAMPLE).unwrap_or_default())
    };
    let hops_max = section.number("hops_max", 1..=255, HOPS_MAX);
    let identity = [("keep", true), ("remove", false)];
    let trusts_identity = section.choice("asserted_identity", &identity, true);
    let strip_headers = read_words(&mut section, "strip_headers", "X-Example");
    let strip_proxy_require = read_words(&mut section, "strip_proxy_require", "example");
    let strips_update = section.truth("strip_update", false);
    let refer = section.value("refer").is_some();
    let refer = refer.then(|| read_refer(&mut section));
    let (realm, users, users_file) = read_users(&mut section);
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
        tls_names,
        hops_max,
        realm,
        users,
        users_file,
        trusts_identity,
        strip_headers,
        strip_proxy_require,
        strips_update,
        refer,
    })
}

/// Names in certificates; no two zones share one.
fn read_names(section: &mut Section<'_, '_, '_>, earlier: &[Zone]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for text in section
        .texts("tls_names", "vcs.example.com")
        .unwrap_or_default()
    {
        let name = text.value.to_ascii_lowercase();
        let other = earlier.iter().find(|zone| zone.tls_names.contains(&name));
        let message = if name.is_empty() || name.contains(char::is_whitespace) {
            format!(
                "`tls_names` holds {name:?}, which is no name; write one such as \"vcs.example.com\""
            )
        } else if let Some(zone) = other {
            format!(
                "zone `{}` has `{name}` already; take one of the two out",
                zone.name
            )
        } else if names.contains(&name) {
            format!("`{name}` is written twice; take one of the two out")
        } else {
            names.push(name);
            continue;
        };
        section.findings().add(text.at, message);
    }
    names
}

/// A list of names as they stand in SIP (RFC 3261 §25.1, token).
fn read_words(section: &mut Section<'_, '_, '_>, key: &'static str, example: &str) -> Vec<String> {
    let mut words = Vec::new();
    for text in section.texts(key, example).unwrap_or_default() {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
        if !text.value.is_empty() && text.value.chars().all(fits) {
            words.push(text.value.to_owned());
        } else {
            let message = format!(
                "`{key}` holds {:?}, which is no name; write one such as \"{example}\"",
                text.value
            );
            section.findings().add(text.at, message);
        }
    }
    words
}

/// The realm and its users: both or none.
fn read_users(section: &mut Section<'_, '_, '_>) -> (Option<String>, Vec<User>, Option<PathBuf>) {
    let realm = section.text("realm", "baton.example.com");
    let realm = realm.filter(|realm| {
        let fits = |c: char| (' '..='~').contains(&c) && !matches!(c, '"' | '\\');
        let is_good = (1..=128).contains(&realm.value.len()) && realm.value.chars().all(fits);
        if !is_good {
            let message = "`realm` takes 1 to 128 plain characters, without `\"` and `\\`, such as \
                           `realm = \"baton.example.com\"`";
            section.findings().add(realm.at, message);
        }
        is_good
    });
    let mut users: Vec<User> = Vec::new();
    // What is wrong with a user is told without the text: it may be a password.
    for text in section
        .texts("users", "room-1:password")
        .unwrap_or_default()
    {
        let message = match User::read(text.value) {
            Some(user) if users.iter().any(|other| other.name == user.name) => {
                format!(
                    "user `{}` is written twice; take one of the two out",
                    user.name
                )
            }
            Some(user) => {
                users.push(user);
                continue;
            }
            None => {
                "a user is a name, a colon and a password, such as \"room-1:password\"".to_owned()
            }
        };
        section.findings().add(text.at, message);
    }
    let file = section.text("users_file", "/etc/baton/users");
    let file = file.filter(|file| !file.value.is_empty());
    match &realm {
        None if section.value("realm").is_some() => {}
        None => {
            let at = ["users", "users_file"]
                .into_iter()
                .find_map(|key| section.value(key))
                .map(|value| value.span().start);
            if let (Some(at), true) = (at, file.is_some() || !users.is_empty()) {
                let message = "users without a realm; write `realm = \"baton.example.com\"`";
                section.findings().add(at, message);
            }
        }
        Some(realm) if users.is_empty() && file.is_none() => {
            let message = "a realm without users lets nobody in; write \
                           `users = [\"room-1:password\"]` or `users_file`";
            section.findings().add(realm.at, message);
        }
        Some(_) => {}
    }
    let realm = realm.map(|realm| realm.value.to_owned());
    (realm, users, file.map(|file| PathBuf::from(file.value)))
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
    use signaling::ReferMode;
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
    fn a_zone_may_say_what_becomes_of_refer_and_update() {
        let config = read(
            "[[zone]]\nname = \"a\"\nfrom = [\"192.0.2.1\"]\nrefer = \"terminate\"\nstrip_update = true\n\
             [[zone]]\nname = \"b\"\nfrom = [\"192.0.2.2\"]",
        )
        .unwrap();
        let [a, b] = config.zones.as_slice() else {
            panic!("{:?}", config.zones);
        };
        assert_eq!(
            (a.refer, a.strips_update),
            (Some(ReferMode::Terminate), true)
        );
        assert_eq!((b.refer, b.strips_update), (None, false));
    }

    #[test]
    fn passwords_are_not_shown() {
        let config = read(
            "[[zone]]\nname = \"a\"\nfrom = [\"192.0.2.1\"]\nrealm = \"r\"\n\
             users = [\"room:secret\"]",
        )
        .unwrap();
        assert_eq!(config.zones[0].users[0].password, "secret");
        assert!(!format!("{config:?}").contains("secret"));
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

    #[test]
    fn mistakes_in_what_holds_for_a_zone() {
        let name = "[[zone]]\nname = \"a\"\n";
        for (zones, expected) in [
            (
                format!("{name}from = [\"192.0.2.1\"]\nrealm = \"r\""),
                "4: a realm without users lets nobody in; write `users = [\"room-1:password\"]` or \
                 `users_file`",
            ),
            (
                format!("{name}from = [\"192.0.2.1\"]\nusers = [\"room:secret\"]"),
                "4: users without a realm; write `realm = \"baton.example.com\"`",
            ),
            (
                format!(
                    "{name}from = [\"192.0.2.1\"]\nrealm = \"r\"\nusers = [\"a:b\", \"secret\"]"
                ),
                "5: a user is a name, a colon and a password, such as \"room-1:password\"",
            ),
            (
                format!("{name}from = [\"192.0.2.1\"]\nrealm = \"r\"\nusers = [\"a:b\", \"a:c\"]"),
                "5: user `a` is written twice; take one of the two out",
            ),
            (
                format!("{name}from = [\"192.0.2.1\"]\nrealm = '\"'\nusers = [\"a:b\"]"),
                "4: `realm` takes 1 to 128 plain characters, without `\"` and `\\`, such as \
                 `realm = \"baton.example.com\"`",
            ),
            (
                format!("{name}from = [\"192.0.2.1\"]\nstrip_headers = [\"X-a:\"]"),
                "4: `strip_headers` holds \"X-a:\", which is no name; write one such as \
                 \"X-Example\"",
            ),
            (
                format!("{name}from = [\"192.0.2.1\"]\nasserted_identity = \"drop\""),
                "4: `asserted_identity` cannot be `drop`; write `keep` or `remove`",
            ),
        ] {
            let mistakes = read(&zones).unwrap_err();
            assert_eq!(mistakes, [expected], "{zones}");
        }
    }
}
