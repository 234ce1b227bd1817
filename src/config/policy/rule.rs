//! `[[policy.rule]]`: what is decided before, or instead of, the dial plan.

use crate::config::Placed;
use crate::config::mistake::Findings;
use crate::config::section::{Section, is_written, kind};
use policy::{Action, Kind, Protocol, RuleError, RuleSettings};
use toml::Spanned;
use toml::de::DeValue;

pub(in crate::config) const KEYS: &[&str] = &[
    "name",
    "for",
    "authenticated",
    "source",
    "alias",
    "zone",
    "addresses",
    "protocol",
    "methods",
    "action",
    "status",
    "reason",
    "to",
    "timeout_seconds",
    "on_failure",
];

const KINDS: [(&str, Kind); 4] = [
    ("search", Kind::Search),
    ("admin", Kind::Admin),
    ("user", Kind::User),
    ("registration", Kind::Registration),
];

#[derive(Clone, Copy)]
enum Word {
    Allow,
    Reject,
    Rewrite,
    Route,
}

const ACTIONS: [(&str, Word); 4] = [
    ("allow", Word::Allow),
    ("reject", Word::Reject),
    ("rewrite", Word::Rewrite),
    ("route", Word::Route),
];

/// What a VCS itself says when no server answers: a reason of ours must be told from it.
const TAKEN: [&str; 2] = ["Service Unavailable", "Policy Service Unavailable"];

/// The rules in the order of the file; those that cannot be used are noted and left out.
pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Vec<RuleSettings> {
    let Some(value) = section.value("rule") else {
        return Vec::new();
    };
    let DeValue::Array(entries) = value.get_ref() else {
        let message = "there may be several rules; write `[[policy.rule]]`";
        section.findings().add(value.span().start, message);
        return Vec::new();
    };
    let mut rules: Vec<RuleSettings> = Vec::new();
    for entry in entries.iter().filter(|entry| is_written(entry)) {
        let findings = section.findings();
        let Some(Placed { at, value: rule }) = read_entry(entry, findings) else {
            continue;
        };
        if rules.iter().any(|other| other.name == rule.name) {
            let message = format!(
                "two rules are called `{}`; give each its own name",
                rule.name
            );
            findings.add(at, message);
        }
        rules.push(rule);
    }
    rules
}

fn read_entry<'t>(
    entry: &'t Spanned<DeValue<'t>>,
    findings: &mut Findings<'_>,
) -> Option<Placed<RuleSettings>> {
    let at = entry.span().start;
    let Some(table) = entry.get_ref().as_table() else {
        let found = kind(entry.get_ref());
        findings.add(
            at,
            format!("a rule is {found}; write `[[policy.rule]]` above its keys"),
        );
        return None;
    };
    let table = Placed { at, value: table };
    let mut section = Section::open("policy.rule", table, KEYS, findings);
    let name = section.text_required("name", "no-gateway-for-guests");
    let name = name.filter(|name| section.name("name", name));
    if section.value("for").is_none() {
        let message = "`[[policy.rule]]` needs `for`, such as `for = \"admin\"`";
        section.findings().add_absent(at, message.to_owned());
    }
    let settings = RuleSettings {
        name: name.as_ref().map_or("", |name| name.value).to_owned(),
        kind: section.choice("for", &KINDS, Kind::Search),
        authenticated: section
            .value("authenticated")
            .is_some()
            .then(|| section.truth("authenticated", false)),
        source: owned(&mut section, "source", r".+@example\\.com"),
        alias: owned(&mut section, "alias", r"9\\d+"),
        zone: owned(&mut section, "zone", "DefaultZone"),
        addresses: read_addresses(&mut section),
        protocol: read_protocol(&mut section),
        methods: section
            .texts("methods", "INVITE")
            .map_or_else(Vec::new, |texts| {
                super::methods(&mut section, "methods", &texts)
            }),
        action: read_action(&mut section, name.as_ref().map_or("", |name| name.value)),
    };
    if let Err(error) = policy::check_rule(&settings) {
        let key = key_of(&error);
        let at = section.value(key).map_or(at, |value| value.span().start);
        section
            .findings()
            .add(at, format!("`{key}` cannot be used: {error}"));
    }
    Some(Placed {
        at: name?.at,
        value: settings,
    })
}

/// The key that an error is about.
fn key_of(error: &RuleError) -> &'static str {
    match error {
        RuleError::Alias(_) => "alias",
        RuleError::BadAlias(_) | RuleError::Routes => "to",
        RuleError::BadReason => "reason",
        RuleError::BadStatus => "status",
        RuleError::RewriteOfNoSearch => "action",
        RuleError::Source(_) => "source",
        RuleError::Timeout => "timeout_seconds",
        RuleError::Zone(_) => "zone",
    }
}

fn owned(section: &mut Section<'_, '_, '_>, key: &'static str, example: &str) -> Option<String> {
    section.text(key, example).map(|text| text.value.to_owned())
}

fn read_protocol(section: &mut Section<'_, '_, '_>) -> Option<Protocol> {
    let protocols = [("sip", Some(Protocol::Sip)), ("h323", Some(Protocol::H323))];
    section.choice("protocol", &protocols, None)
}

fn read_addresses(section: &mut Section<'_, '_, '_>) -> Vec<policy::Range> {
    let texts = section
        .texts("addresses", "192.0.2.0/24")
        .unwrap_or_default();
    let mut ranges = Vec::new();
    for text in texts {
        match policy::range(text.value) {
            Some(range) => ranges.push(range),
            None => {
                let message = format!(
                    "`{}` is no range of addresses; write it like `192.0.2.0/24` or `192.0.2.1`",
                    text.value
                );
                section.findings().add(text.at, message);
            }
        }
    }
    ranges
}

fn read_action(section: &mut Section<'_, '_, '_>, rule: &str) -> Action {
    if section.value("action").is_none() {
        let at = section.at();
        let message = "`[[policy.rule]]` needs `action`, such as `action = \"reject\"`";
        section.findings().add_absent(at, message.to_owned());
    }
    let word = section.choice("action", &ACTIONS, Word::Allow);
    let status = section.number("status", 400..=699, 403);
    let reason = section.text("reason", "Gateway calls need authentication");
    if let Some(reason) = &reason
        && TAKEN.contains(&reason.value)
    {
        let message = format!(
            "`{}` is what a VCS says when no server answers; say who refuses and why",
            reason.value
        );
        section.findings().add(reason.at, message);
    }
    let to = section
        .texts("to", "meet.1@example.com")
        .unwrap_or_default();
    let timeout = section.value("timeout_seconds").is_some();
    let timeout = timeout.then(|| section.number("timeout_seconds", 1..=86_400, 30));
    let on_failure = owned(section, "on_failure", "voicemail@example.com");
    match word {
        Word::Allow => Action::Allow { timeout },
        Word::Reject => Action::Reject {
            status,
            reason: reason.map_or_else(
                || {
                    let mut words = format!("Refused by rule {rule}");
                    words.truncate(policy::cpl::REASON_MAX);
                    words
                },
                |reason| reason.value.to_owned(),
            ),
        },
        Word::Rewrite => Action::Rewrite {
            alias: to.first().map_or("", |to| to.value).to_owned(),
        },
        Word::Route => Action::Route {
            aliases: to.iter().map(|to| to.value.to_owned()).collect(),
            timeout,
            on_failure,
        },
    }
}
