//! `[policy]`: the service that a VCS asks where a call goes.

mod rule;

use super::Placed;
use super::mistake::Findings;
use super::section::{Section, is_written, kind};
use super::suggest::either;
use super::transport;
use policy::{Method, Plus};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

pub(super) use rule::KEYS as RULE_KEYS;

/// The policy service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `listen`: where it is asked; nowhere if empty.
    pub listen: Vec<PolicyListen>,
    /// `user` and the password: who may ask.
    pub access: PolicyAccess,
    /// `paths`: where decisions are asked for.
    pub paths: Vec<String>,
    /// `status_path`: where it says whether it takes part.
    pub status_path: String,
    /// `idle_seconds`: how long a connection may be quiet.
    pub idle: Duration,
    /// `drain_seconds`: how long decisions go on after the status has turned.
    pub drain: Duration,
    /// `connections`: at one time.
    pub connections: usize,
    /// `connections_per_source`: of one address, at one time.
    pub connections_per_source: usize,
    /// What is decided, and how.
    pub service: policy::Settings,
}

/// Where the service is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyListen {
    /// What is spoken there.
    pub scheme: PolicyScheme,
    /// The address.
    pub address: SocketAddr,
}

/// What is spoken at a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyScheme {
    /// HTTP without TLS.
    Http,
    /// HTTP over TLS, with the node's certificate.
    Https,
    /// HTTP that sends everybody to this `https://host:port`.
    Redirect(String),
}

impl PolicyScheme {
    /// As it stands before an address.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Http | Self::Redirect(_) => "http",
            Self::Https => "https",
        }
    }
}

/// Who may ask.
#[derive(Clone, PartialEq, Eq)]
pub enum PolicyAccess {
    /// Anybody, because the file says so.
    Anybody,
    /// Nobody said who: the service stays out until somebody does.
    Nobody,
    /// Whoever knows the password that this is a hash of.
    Hash {
        /// The name.
        user: String,
        /// Argon2, in its text form.
        hash: String,
    },
    /// Whoever knows the password in this file.
    File {
        /// The name.
        user: String,
        /// Its first line is the password.
        file: PathBuf,
    },
}

impl std::fmt::Debug for PolicyAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anybody => f.write_str("Anybody"),
            Self::Nobody => f.write_str("Nobody"),
            Self::Hash { user, .. } => write!(f, "Hash({user}:…)"),
            Self::File { user, file } => write!(f, "File({user}, {})", file.display()),
        }
    }
}

pub(super) const KEYS: &[&str] = &[
    "listen",
    "user",
    "password_hash",
    "password_file",
    "anybody",
    "paths",
    "status_path",
    "plus",
    "attempts",
    "lease_seconds",
    "zone",
    "reason_prefix",
    "not_started",
    "idle_seconds",
    "drain_seconds",
    "connections",
    "connections_per_source",
    "rule",
];
pub(super) const LISTEN_KEYS: &[&str] = &["at", "redirect"];

const LISTEN_EXAMPLE: &str = "https:192.0.2.1:443";
const REDIRECT_EXAMPLE: &str = "https://baton.example.com";
/// Octets of the words before a reason: with the longest of ours they still fit.
const PREFIX_MAX: usize = 30;

pub(super) const METHODS: [(&str, Method); 8] = [
    ("ARQ", Method::Arq),
    ("INVITE", Method::Invite),
    ("LRQ", Method::Lrq),
    ("OPTIONS", Method::Options),
    ("PUBLISH", Method::Publish),
    ("REGISTER", Method::Register),
    ("SETUP", Method::Setup),
    ("SUBSCRIBE", Method::Subscribe),
];

#[derive(Clone, Copy)]
enum Scheme {
    Http,
    Https,
}

const SCHEMES: [(&str, Scheme); 2] = [("https", Scheme::Https), ("http", Scheme::Http)];

impl Default for Policy {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            access: PolicyAccess::Nobody,
            paths: vec!["/policy".to_owned(), "/conductor".to_owned()],
            status_path: "/status".to_owned(),
            idle: Duration::from_secs(120),
            drain: Duration::from_secs(90),
            connections: 4_096,
            connections_per_source: 1_024,
            service: policy::Settings::default(),
        }
    }
}

impl Policy {
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Self {
        let default = Self::default();
        let listen = read_listen(section);
        let access = read_access(section);
        let service = read_service(section, default.service);
        Self {
            listen,
            access,
            paths: read_paths(section, default.paths),
            status_path: read_path(section, "status_path", default.status_path),
            // A VCS polls each 60 s.
            idle: section.seconds("idle_seconds", 75..=3_600, default.idle),
            drain: section.seconds("drain_seconds", 0..=600, default.drain),
            connections: section.number("connections", 1..=65_536, default.connections),
            connections_per_source: section.number(
                "connections_per_source",
                1..=65_536,
                default.connections_per_source,
            ),
            service,
        }
    }
}

fn read_service(section: &mut Section<'_, '_, '_>, default: policy::Settings) -> policy::Settings {
    let pluses = [("space", Plus::Space), ("literal", Plus::Literal)];
    let prefix = section.text("reason_prefix", "Baton: ");
    if let Some(prefix) = &prefix
        && !prefix.value.is_empty()
        && (prefix.value.len() > PREFIX_MAX || !policy::cpl::is_reason(prefix.value))
    {
        let message = format!(
            "`reason_prefix` takes up to {PREFIX_MAX} printable ASCII characters, such as \
             `reason_prefix = \"Baton: \"`"
        );
        section.findings().add(prefix.at, message);
    }
    let statuses = [("480", 480), ("403", 403)];
    policy::Settings {
        plus: section.choice("plus", &pluses, default.plus),
        rules: rule::read(section),
        attempts: section
            .texts("attempts", "INVITE")
            .map_or(default.attempts, |texts| {
                methods(section, "attempts", &texts)
            }),
        lease: section.seconds("lease_seconds", 30..=86_400, default.lease),
        zone: section
            .text("zone", "vcs")
            .map_or(default.zone, |zone| zone.value.to_owned()),
        reason_prefix: prefix.map_or(default.reason_prefix, |prefix| prefix.value.to_owned()),
        not_started: section.choice("not_started", &statuses, default.not_started),
    }
}

/// Methods by their names.
fn methods(
    section: &mut Section<'_, '_, '_>,
    key: &'static str,
    texts: &[Placed<&str>],
) -> Vec<Method> {
    let mut methods = Vec::new();
    for text in texts {
        match METHODS.iter().find(|(name, _)| *name == text.value) {
            Some((_, method)) => methods.push(*method),
            None => {
                let known = either(METHODS.iter().map(|(name, _)| *name));
                let message = format!("`{key}` cannot have `{}`; write {known}", text.value);
                section.findings().add(text.at, message);
            }
        }
    }
    methods
}

fn read_access(section: &mut Section<'_, '_, '_>) -> PolicyAccess {
    let user = section
        .text("user", "vcs")
        .filter(|user| !user.value.is_empty());
    let written = |section: &mut Section<'_, '_, '_>, key, example| {
        let text: Option<Placed<&str>> = section.text(key, example);
        text.filter(|text| !text.value.is_empty())
            .map(|text| (text.at, text.value.to_owned()))
    };
    let hash = written(section, "password_hash", "$argon2id$...");
    let file = written(section, "password_file", "/etc/baton/policy.password");
    if section.truth("anybody", false) {
        return PolicyAccess::Anybody;
    }
    let message = match (user, hash, file) {
        (Some(user), Some((_, hash)), None) => {
            let user = user.value.to_owned();
            return PolicyAccess::Hash { user, hash };
        }
        (Some(user), None, Some((_, file))) => {
            let user = user.value.to_owned();
            let file = PathBuf::from(file);
            return PolicyAccess::File { user, file };
        }
        (None, None, None) => return PolicyAccess::Nobody,
        (_, Some((at, _)), Some(_)) => (at, "write `password_hash` or `password_file`, not both"),
        (None, Some((at, _)), None) | (None, None, Some((at, _))) => (
            at,
            "`user` belongs to the password, such as `user = \"vcs\"`",
        ),
        (Some(user), None, None) => (
            user.at,
            "`user` needs a password: `password_file`, or `password_hash` with what `baton policy \
             hash` prints",
        ),
    };
    section.findings().add(message.0, message.1);
    PolicyAccess::Nobody
}

fn read_paths(section: &mut Section<'_, '_, '_>, default: Vec<String>) -> Vec<String> {
    let Some(texts) = section.texts("paths", "/policy") else {
        return default;
    };
    texts
        .iter()
        .map(|text| checked_path(section, "paths", text))
        .collect()
}

fn read_path(section: &mut Section<'_, '_, '_>, key: &'static str, default: String) -> String {
    match section.text(key, "/status") {
        None => default,
        Some(text) => checked_path(section, key, &text),
    }
}

/// A path as it is compared: from the root, without a slash at the end.
fn checked_path(
    section: &mut Section<'_, '_, '_>,
    key: &'static str,
    text: &Placed<&str>,
) -> String {
    let is_legal = |octet: u8| octet.is_ascii_graphic() && !b"?#%\"<>\\".contains(&octet);
    let is_right = text.value.len() > 1
        && text.value.len() <= 128
        && text.value.starts_with('/')
        && !text.value.ends_with('/')
        && !text.value.contains("//")
        && text.value.bytes().all(is_legal);
    if !is_right {
        let message = format!(
            "`{key}` has {:?}; a path begins with one `/` and has none at its end, such as \
             `/policy`",
            text.value
        );
        section.findings().add(text.at, message);
    }
    text.value.to_owned()
}

fn read_listen(section: &mut Section<'_, '_, '_>) -> Vec<PolicyListen> {
    let Some(value) = section.value("listen") else {
        return Vec::new();
    };
    let DeValue::Array(entries) = value.get_ref() else {
        let found = kind(value.get_ref());
        let message =
            format!("`listen` is {found}; it takes a list: `listen = [\"{LISTEN_EXAMPLE}\"]`");
        section.findings().add(value.span().start, message);
        return Vec::new();
    };
    let entries = entries.iter().filter(|entry| is_written(entry));
    let findings = section.findings();
    entries
        .filter_map(|entry| read_entry(entry, findings))
        .collect()
}

fn read_entry<'t>(
    entry: &'t Spanned<DeValue<'t>>,
    findings: &mut Findings<'_>,
) -> Option<PolicyListen> {
    let at = entry.span().start;
    if let Some(text) = entry.get_ref().as_str() {
        return parsed(&Placed { at, value: text }, None, findings);
    }
    let Some(table) = entry.get_ref().as_table() else {
        let found = kind(entry.get_ref());
        let message =
            format!("a listener is {found}; it takes a text such as `\"{LISTEN_EXAMPLE}\"`");
        findings.add(at, message);
        return None;
    };
    let table = Placed { at, value: table };
    let mut section = Section::open("policy.listen", table, LISTEN_KEYS, findings);
    let text = section.text_required("at", "http:192.0.2.1:80");
    let redirect = section.text_required("redirect", REDIRECT_EXAMPLE);
    parsed(&text?, Some(redirect?), findings)
}

fn parsed(
    text: &Placed<&str>,
    redirect: Option<Placed<&str>>,
    findings: &mut Findings<'_>,
) -> Option<PolicyListen> {
    let (scheme, address) = match transport::parse(text.value, &SCHEMES) {
        Ok(parsed) => parsed,
        Err(why) => {
            findings.add(text.at, why);
            return None;
        }
    };
    let scheme = match (scheme, redirect) {
        (Scheme::Http, None) => PolicyScheme::Http,
        (Scheme::Https, None) => PolicyScheme::Https,
        (Scheme::Http, Some(to)) if is_origin(to.value) => {
            PolicyScheme::Redirect(to.value.to_owned())
        }
        (_, Some(to)) => {
            let message = format!(
                "`redirect` sends those who come by http to an address such as \
                 `redirect = \"{REDIRECT_EXAMPLE}\"`, without a path"
            );
            findings.add(to.at, message);
            return None;
        }
    };
    Some(PolicyListen { scheme, address })
}

/// `https://host` or `https://host:port`.
fn is_origin(text: &str) -> bool {
    let is_legal = |octet: u8| octet.is_ascii_alphanumeric() || b"-.:[]".contains(&octet);
    text.strip_prefix("https://")
        .is_some_and(|host| !host.is_empty() && host.bytes().all(is_legal))
}

#[cfg(test)]
mod tests;
