//! `[sip]`: where SIP is spoken.

use super::Placed;
use super::mistake::Findings;
use super::section::{Section, is_written, kind};
use super::tls::{self, TlsClientCertificate};
use super::transport::{self, ListenTransport};
use signaling::access::Strangers;
use signaling::{ReferMode, SessionTimes};
use std::fmt;
use std::net::SocketAddr;
use toml::Spanned;
use toml::de::DeValue;

/// Where SIP is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sip {
    /// `listen`: the listeners; never empty.
    pub listen: Vec<Listen>,
    /// `unknown_sources`: what becomes of who is in no zone, where there are zones.
    pub unknown_sources: Strangers,
    /// `session_expires_seconds` and `min_se_seconds`: the session timers.
    pub session: SessionTimes,
    /// `refer`: what becomes of a REFER inside a dialog.
    pub refer: ReferMode,
}

/// One listener: `"udp:127.0.0.1:5060"`, or a table with `at` and `advertise`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The transport.
    pub transport: ListenTransport,
    /// The address to bind; port 0 lets the system choose.
    pub address: SocketAddr,
    /// `advertise`: `host` or `host:port` for Via and Contact, where it is not the bound address.
    pub advertise: Option<String>,
    /// `client_certificate`: what is asked of those who connect over TLS.
    pub client_certificate: TlsClientCertificate,
}

pub(super) const KEYS: &[&str] = &[
    "listen",
    "unknown_sources",
    "session_expires_seconds",
    "min_se_seconds",
    "refer",
];
pub(super) const LISTEN_KEYS: &[&str] = &["at", "advertise", "client_certificate"];

const EXAMPLE: &str = "udp:127.0.0.1:5060";

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.address)
    }
}

/// The listeners in the order of the file; `None` for each that could not be read, which is noted.
pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Vec<Option<Placed<Listen>>> {
    let Some(value) = section.value("listen") else {
        return Vec::new();
    };
    if let DeValue::Array(entries) = value.get_ref() {
        let entries = entries.iter().filter(|entry| is_written(entry));
        return entries
            .map(|entry| read_entry(entry, section.findings()))
            .collect();
    }
    let message = format!(
        "`listen` is {}; it takes a list: `listen = [\"{EXAMPLE}\"]`",
        kind(value.get_ref())
    );
    section.findings().add(value.span().start, message);
    vec![None]
}

/// What becomes of a source that is in no zone.
pub(super) fn read_unknown_sources(section: &mut Section<'_, '_, '_>) -> Strangers {
    let choices = [
        ("refuse", Strangers::Refuse),
        ("drop", Strangers::Drop),
        ("allow", Strangers::Allow),
    ];
    section.choice("unknown_sources", &choices, Strangers::default())
}

/// What becomes of a REFER.
pub(super) fn read_refer(section: &mut Section<'_, '_, '_>) -> ReferMode {
    let choices = [
        ("forward", ReferMode::Forward),
        ("terminate", ReferMode::Terminate),
        ("refuse", ReferMode::Refuse),
    ];
    section.choice("refer", &choices, ReferMode::default())
}

/// The session timers. What is offered must be what is accepted.
pub(super) fn read_session(section: &mut Section<'_, '_, '_>) -> SessionTimes {
    let default = SessionTimes::default();
    let longest = 86_400;
    let session = SessionTimes {
        expires: section.number("session_expires_seconds", 90..=longest, default.expires),
        // RFC 4028 §4: never below 90 seconds.
        min_se: section.number("min_se_seconds", 90..=longest, default.min_se),
    };
    let written = ["session_expires_seconds", "min_se_seconds"];
    let at = written
        .into_iter()
        .find_map(|key| section.value(key).map(|value| value.span().start));
    if let Some(at) = at.filter(|_| session.expires < session.min_se) {
        let (expires, min_se) = (session.expires, session.min_se);
        let message = format!(
            "`session_expires_seconds` ({expires}) is less than `min_se_seconds` ({min_se}); \
             write at least `session_expires_seconds = {min_se}`"
        );
        section.findings().add(at, message);
    }
    session
}

fn read_entry<'t>(
    entry: &'t Spanned<DeValue<'t>>,
    findings: &mut Findings<'_>,
) -> Option<Placed<Listen>> {
    let at = entry.span().start;
    if let Some(text) = entry.get_ref().as_str() {
        let client_certificate = TlsClientCertificate::default();
        return read_listen(
            Placed { at, value: text },
            None,
            client_certificate,
            findings,
        );
    }
    let Some(table) = entry.get_ref().as_table() else {
        let found = kind(entry.get_ref());
        let message = format!(
            "a listener is {found}; it takes a text such as `\"{EXAMPLE}\"` or a table such as \
             `{{ at = \"udp:0.0.0.0:5060\", advertise = \"192.0.2.1:5060\" }}`"
        );
        findings.add(at, message);
        return None;
    };
    let table = Placed { at, value: table };
    let mut section = Section::open("sip.listen", table, LISTEN_KEYS, findings);
    let text = section.text_required("at", EXAMPLE);
    let advertise = section.text("advertise", "192.0.2.1:5060");
    let client_certificate = tls::client_certificate(&mut section);
    read_listen(text?, advertise, client_certificate, findings)
}

fn read_listen(
    text: Placed<&str>,
    advertise: Option<Placed<&str>>,
    client_certificate: TlsClientCertificate,
    findings: &mut Findings<'_>,
) -> Option<Placed<Listen>> {
    let parsed = transport::parse(text.value, &transport::LISTEN);
    let advertise = match advertise {
        None => Ok(None),
        Some(advertise) => match transport::check_advertise(advertise.value) {
            Ok(()) => Ok(Some(advertise.value.to_owned())),
            Err(why) => {
                findings.add(advertise.at, format!("`advertise`: {why}"));
                Err(())
            }
        },
    };
    let (transport, address) = match parsed {
        Ok(parsed) => parsed,
        Err(why) => {
            findings.add(text.at, why);
            return None;
        }
    };
    let advertise = advertise.ok()?;
    if address.ip().is_unspecified() && advertise.is_none() {
        // RFC 3261 §18.1.1 and §8.1.1.8: sent-by and Contact are where answers and requests go.
        let message = format!(
            "`{}` is a wildcard, which nobody can answer to; write `{{ at = \"{}\", advertise = \
             \"192.0.2.1:{}\" }}` with the address that others reach",
            text.value,
            text.value,
            if address.port() == 0 {
                5060
            } else {
                address.port()
            }
        );
        findings.add(text.at, message);
        return None;
    }
    Some(Placed {
        at: text.at,
        value: Listen {
            transport,
            address,
            advertise,
            client_certificate,
        },
    })
}
