//! `[tls]`: certificates, and what is asked of those of others.

use super::mistake::Findings;
use super::section::Section;
use super::{Listen, ListenTransport, Peer, PeerAt, PeerTransport, Placed};
use signaling::sip::locate::Service;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What TLS of this node rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// `certificate`: our certificate and those between it and its authority, as PEM.
    pub certificate: Option<PathBuf>,
    /// `key`: the key of `certificate`, as PEM.
    pub key: Option<PathBuf>,
    /// `ca`: the authorities whose certificates are believed, as PEM.
    pub ca: Option<PathBuf>,
    /// `crl`: lists of certificates that those authorities have revoked, as PEM.
    pub crl: Option<PathBuf>,
    /// `version_min`: the oldest version that is spoken.
    pub version_min: TlsVersion,
    /// `handshake_seconds`: how long a handshake may take.
    pub handshake_seconds: Duration,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2 (RFC 5246).
    V12,
    /// 1.3 (RFC 8446).
    V13,
}

/// `client_certificate` of a listener: what those who connect must show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsClientCertificate {
    /// They are not asked.
    #[default]
    None,
    /// They are asked; a certificate that is shown must be good.
    Optional,
    /// Without a good certificate there is no connection.
    Required,
}

impl TlsClientCertificate {
    /// All policies in the order of their declaration.
    pub const ALL: [Self; 3] = [Self::None, Self::Optional, Self::Required];
}

/// `tls_verify` of a peer: what its certificate must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVerify {
    /// Issued by an authority that is believed, whatever its name.
    Chain,
    /// Issued so, and to the peer's name or address.
    #[default]
    Full,
    /// Anything: nobody knows who answers.
    None,
}

/// What is asked of one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerTls {
    /// `tls_ca`: the authorities that are believed for this peer, instead of `[tls] ca`.
    pub ca: Option<PathBuf>,
    /// `tls_name`: the name in its certificate, instead of its address.
    pub name: Option<String>,
    /// `tls_verify`: how far its certificate is looked into.
    pub verify: TlsVerify,
}

pub(super) const KEYS: &[&str] = &[
    "certificate",
    "key",
    "ca",
    "crl",
    "version_min",
    "handshake_seconds",
];

const VERSIONS: [(&str, TlsVersion); 2] = [("1.2", TlsVersion::V12), ("1.3", TlsVersion::V13)];
const CLIENT_CERTIFICATES: [(&str, TlsClientCertificate); 3] = [
    ("none", TlsClientCertificate::None),
    ("optional", TlsClientCertificate::Optional),
    ("required", TlsClientCertificate::Required),
];
const VERIFICATIONS: [(&str, TlsVerify); 3] = [
    ("full", TlsVerify::Full),
    ("chain", TlsVerify::Chain),
    ("none", TlsVerify::None),
];

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            ca: None,
            crl: None,
            version_min: TlsVersion::V12,
            handshake_seconds: Duration::from_secs(5),
        }
    }
}

impl Tls {
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Self {
        let default = Self::default();
        let tls = Self {
            certificate: file(section, "certificate"),
            key: file(section, "key"),
            ca: file(section, "ca"),
            crl: file(section, "crl"),
            version_min: section.choice("version_min", &VERSIONS, default.version_min),
            handshake_seconds: section.seconds(
                "handshake_seconds",
                1..=60,
                default.handshake_seconds,
            ),
        };
        let lonely = match (&tls.certificate, &tls.key) {
            (Some(_), None) => Some(("certificate", "key")),
            (None, Some(_)) => Some(("key", "certificate")),
            (Some(_), Some(_)) | (None, None) => None,
        };
        if let Some((there, absent)) = lonely {
            let at = section.at();
            let message = format!("`{there}` is of no use without `{absent}`; name that file too");
            section.findings().add(at, message);
        }
        tls
    }
}

impl PeerTls {
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Self {
        let name = section
            .text("tls_name", "bridge.example.com")
            .filter(|name| !name.value.is_empty());
        if let Some(name) = &name
            && !is_name(name.value)
        {
            let message = format!(
                "`tls_name` is {:?}; it takes a host name or an address, such as \
                 `tls_name = \"bridge.example.com\"`",
                name.value
            );
            section.findings().add(name.at, message);
        }
        Self {
            ca: file(section, "tls_ca"),
            name: name.map(|name| name.value.to_owned()),
            verify: section.choice("tls_verify", &VERIFICATIONS, TlsVerify::default()),
        }
    }
}

/// `client_certificate` of a listener.
pub(super) fn client_certificate(section: &mut Section<'_, '_, '_>) -> TlsClientCertificate {
    section.choice(
        "client_certificate",
        &CLIENT_CERTIFICATES,
        TlsClientCertificate::default(),
    )
}

/// A TLS listener needs our certificate, and whoever is verified needs an authority.
pub(super) fn check(
    tls: &Tls,
    listens: &[Option<Placed<Listen>>],
    peers: &[Option<Placed<Peer>>],
    findings: &mut Findings<'_>,
) {
    for placed in listens.iter().flatten() {
        let listen = &placed.value;
        let asks = listen.client_certificate != TlsClientCertificate::None;
        if listen.transport != ListenTransport::Tls {
            if asks {
                let message = format!(
                    "`{listen}` is no TLS, so there are no certificates; take out `client_certificate`"
                );
                findings.add(placed.at, message);
            }
            continue;
        }
        if tls.certificate.is_none() {
            let message = format!(
                "`{listen}` needs a certificate; write `certificate` and `key` under `[tls]`"
            );
            findings.add(placed.at, message);
        }
        if asks && tls.ca.is_none() {
            let message = format!(
                "`{listen}` asks for certificates, and nothing says whose are believed; write \
                 `ca` under `[tls]`"
            );
            findings.add(placed.at, message);
        }
    }
    for placed in peers.iter().flatten() {
        let peer = &placed.value;
        let is_over_tls = match &peer.at {
            PeerAt::Address { transport, .. } => *transport == PeerTransport::Tls,
            PeerAt::Name(destination) | PeerAt::Set { destination, .. } => {
                destination.is_sips || destination.service == Some(Service::SipsD2t)
            }
        };
        let is_lost = tls.ca.is_none() && peer.tls.ca.is_none();
        if is_over_tls && is_lost && peer.tls.verify != TlsVerify::None {
            let message = format!(
                "nothing says whose certificates are believed for peer `{}`; write `ca` under \
                 `[tls]` or `tls_ca` here",
                peer.name
            );
            findings.add(placed.at, message);
        }
    }
}

/// A file's name; an empty text is none.
fn file(section: &mut Section<'_, '_, '_>, key: &'static str) -> Option<PathBuf> {
    let text = section.text(key, "/etc/baton/baton.pem")?;
    (!text.value.is_empty()).then(|| PathBuf::from(text.value))
}

fn is_name(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || super::transport::is_host_name(text)
}
