//! What the files of `[tls]` hold, ready to use: our certificate and key, the authorities that we trust, and a
//! configuration of rustls for each way to use them.

use super::verify::Verifier;
use crate::config::{
    Config, PeerAt, PeerTransport, Tls as Settings, TlsClientCertificate, TlsVerify, TlsVersion,
};
use anyhow::{Context, anyhow};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use signaling::sip::locate::{Destination, Host, Service};
use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
static NEWEST: [&SupportedProtocolVersion; 1] = [&TLS13];

/// How connections to one peer are made.
#[derive(Clone, Debug)]
pub(super) struct Trunk {
    /// The peer's name in the configuration.
    pub(super) peer: String,
    /// Where it is; `None` where its name is looked up.
    pub(super) remote: Option<SocketAddr>,
    pub(super) verify: TlsVerify,
    /// The name in its certificate, and the one that we say we want; its address if there is none.
    /// Who is looked up by a name must prove that name, wherever it leads (RFC 5922 §4).
    pub(super) name: Option<String>,
    /// Who signs its certificate, if not who signs all.
    pub(super) authorities: Option<PathBuf>,
}

/// The trunks of a configuration: the peers that may be reached over TLS.
pub(super) fn trunks(config: &Config) -> Vec<Trunk> {
    let over_tls = |transport| match transport {
        PeerTransport::Same | PeerTransport::Tls => true,
        PeerTransport::Tcp | PeerTransport::Udp => false,
    };
    let peers = config.peers.iter();
    peers
        .filter_map(|peer| {
            let (remote, name) = match &peer.at {
                PeerAt::Address { transport, address } => {
                    over_tls(*transport).then_some((Some(*address), None))?
                }
                PeerAt::Name(destination) | PeerAt::Set { destination, .. } => {
                    (None, Some(named_over_tls(destination)?))
                }
            };
            Some(Trunk {
                peer: peer.name.clone(),
                remote,
                verify: peer.tls.verify,
                name: peer.tls.name.clone().or(name),
                authorities: peer.tls.ca.clone(),
            })
        })
        .collect()
}

/// The name of a destination that may be reached over TLS.
fn named_over_tls(destination: &Destination) -> Option<String> {
    let may = match destination.service {
        None | Some(Service::SipsD2t) => true,
        Some(Service::SipD2t | Service::SipD2u) => destination.is_sips,
    };
    match &destination.host {
        Host::Name(name) if may => Some(name.to_string()),
        Host::Name(_) | Host::Address(_) => None,
    }
}

/// One certificate chain and its key.
type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// How a connection is made.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
    /// Whom it is made to, if not to an address.
    name: Option<ServerName<'static>>,
    /// Whether the other side's certificate is looked into.
    pub(super) is_verified: bool,
}

impl Way {
    /// Whom it is made to at this address.
    pub(super) fn name_at(&self, remote: SocketAddr) -> ServerName<'static> {
        let name = self.name.clone();
        name.unwrap_or_else(|| ServerName::from(remote.ip()))
    }
}

/// Everything that was read at one moment.
pub(super) struct Credentials {
    settings: Settings,
    trunks: Vec<Trunk>,
    /// By policy: without, optional, required.
    servers: [Option<Arc<ServerConfig>>; 3],
    /// For HTTP over TLS.
    http: Option<Arc<ServerConfig>>,
    clients: HashMap<SocketAddr, Way>,
    /// Those of peers whose names are looked up, by what the configuration calls them.
    named: HashMap<String, Way>,
    /// Towards everybody else: callers who are to be reached over a new connection.
    client: Option<Way>,
    own: Option<Own>,
    maker: Maker,
    /// When each file was changed last, as it was read.
    changed: Vec<(PathBuf, Option<SystemTime>)>,
}

impl Credentials {
    pub(super) fn read(settings: Settings, trunks: Vec<Trunk>) -> anyhow::Result<Self> {
        let mut reader = Reader {
            changed: Vec::new(),
        };
        let maker = Maker {
            provider: Arc::new(ring::default_provider()),
            versions: match settings.version_min {
                TlsVersion::V12 => &BOTH,
                TlsVersion::V13 => &NEWEST,
            },
            revoked: match &settings.crl {
                Some(file) => reader.revoked(file)?,
                None => Vec::new(),
            },
        };
        let own = match (&settings.certificate, &settings.key) {
            (Some(certificate), Some(key)) => Some(reader.own(certificate, key)?),
            (Some(_) | None, None) | (None, Some(_)) => None,
        };
        let authorities = match &settings.ca {
            Some(file) => Some(reader.authorities(file)?),
            None => None,
        };
        let mut servers = [const { None }; 3];
        for (server, policy) in servers.iter_mut().zip(TlsClientCertificate::ALL) {
            *server = maker.server(policy, own.as_ref(), authorities.as_ref())?;
        }
        let http = servers.first().and_then(Option::as_ref).map(|server| {
            let mut http = ServerConfig::clone(server);
            http.alpn_protocols = [&b"h2"[..], b"http/1.1"].map(<[u8]>::to_vec).into();
            Arc::new(http)
        });
        let (mut clients, mut named) = (HashMap::new(), HashMap::new());
        for trunk in &trunks {
            if let Some(way) = reader.way(&maker, trunk, own.as_ref(), authorities.as_ref())? {
                match trunk.remote {
                    Some(remote) => drop(clients.insert(remote, way)),
                    None => drop(named.insert(trunk.peer.clone(), way)),
                }
            }
        }
        let client = match &authorities {
            Some(_) => Some(maker.way(TlsVerify::Full, None, own.as_ref(), authorities.clone())?),
            None => None,
        };
        Ok(Self {
            settings,
            trunks,
            servers,
            http,
            clients,
            named,
            client,
            own,
            maker,
            changed: reader.changed,
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn trunks(&self) -> &[Trunk] {
        &self.trunks
    }

    /// Whether a file is not the one any more that was read.
    pub(super) fn is_outdated(&self) -> bool {
        self.changed
            .iter()
            .any(|(file, changed)| changed_at(file) != *changed)
    }

    pub(super) fn server(&self, policy: TlsClientCertificate) -> Option<Arc<ServerConfig>> {
        self.servers.get(policy as usize)?.clone()
    }

    pub(super) fn http(&self) -> Option<Arc<ServerConfig>> {
        self.http.clone()
    }

    /// The way to an address, where these peers are whose names lead there. One connection serves
    /// all that are at an address: whoever answers must prove to be each of them.
    pub(super) fn client(
        &self,
        remote: SocketAddr,
        peers: &[Arc<str>],
    ) -> anyhow::Result<Option<Way>> {
        let named = peers.iter().filter_map(|peer| self.named.get(&**peer));
        let ways: Vec<&Way> = self.clients.get(&remote).into_iter().chain(named).collect();
        let Some((first, others)) = ways.split_first() else {
            return Ok(self.client.clone());
        };
        if others.is_empty() {
            return Ok(Some(Way::clone(first)));
        }
        let asked = ways
            .iter()
            .map(|way| (way.verifier.as_ref(), way.name_at(remote)));
        let verifier = Arc::new(Verifier::of_each(asked, Arc::clone(&self.maker.provider)));
        Ok(Some(Way {
            config: self
                .maker
                .client(Arc::clone(&verifier), self.own.as_ref())?,
            verifier,
            is_verified: ways.iter().any(|way| way.is_verified),
            ..Way::clone(first)
        }))
    }
}

/// Makes what rustls goes by.
struct Maker {
    provider: Arc<CryptoProvider>,
    versions: &'static [&'static SupportedProtocolVersion],
    /// Lists of certificates that are believed no more.
    revoked: Vec<CertificateRevocationListDer<'static>>,
}

impl Maker {
    fn server(
        &self,
        policy: TlsClientCertificate,
        own: Option<&Own>,
        authorities: Option<&Arc<RootCertStore>>,
    ) -> anyhow::Result<Option<Arc<ServerConfig>>> {
        let Some((chain, key)) = own else {
            return Ok(None);
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(self.versions)?;
        let verifier = |authorities: &Arc<RootCertStore>| {
            let provider = Arc::clone(&self.provider);
            WebPkiClientVerifier::builder_with_provider(Arc::clone(authorities), provider)
                .with_crls(self.revoked.iter().cloned())
                .allow_unknown_revocation_status()
        };
        let builder = match (policy, authorities) {
            (TlsClientCertificate::None, _) => builder.with_no_client_auth(),
            (TlsClientCertificate::Optional | TlsClientCertificate::Required, None) => {
                return Ok(None);
            }
            (TlsClientCertificate::Optional, Some(authorities)) => builder
                .with_client_cert_verifier(verifier(authorities).allow_unauthenticated().build()?),
            (TlsClientCertificate::Required, Some(authorities)) => {
                builder.with_client_cert_verifier(verifier(authorities).build()?)
            }
        };
        let config = builder
            .with_single_cert(chain.clone(), key.clone_key())
            .context("certificate and key do not belong together")?;
        Ok(Some(Arc::new(config)))
    }

    /// A way on which this is verified.
    fn way(
        &self,
        verify: TlsVerify,
        name: Option<ServerName<'static>>,
        own: Option<&Own>,
        authorities: Option<Arc<RootCertStore>>,
    ) -> anyhow::Result<Way> {
        let verifier = Verifier::new(
            verify,
            authorities,
            &self.revoked,
            Arc::clone(&self.provider),
        )?;
        let verifier = Arc::new(verifier);
        Ok(Way {
            config: self.client(Arc::clone(&verifier), own)?,
            verifier,
            name,
            is_verified: verify != TlsVerify::None,
        })
    }

    fn client(
        &self,
        verifier: Arc<Verifier>,
        own: Option<&Own>,
    ) -> anyhow::Result<Arc<ClientConfig>> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(self.versions)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match own {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .context("certificate and key do not belong together")?,
            None => builder.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }
}

/// Reads files and notes which.
struct Reader {
    changed: Vec<(PathBuf, Option<SystemTime>)>,
}

impl Reader {
    fn own(&mut self, certificate: &Path, key: &Path) -> anyhow::Result<Own> {
        let chain = self.certificates(certificate)?;
        let text = self.text(key)?;
        let key = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|error| anyhow!("no private key in {}: {error}", key.display()))?;
        Ok((chain, key))
    }

    fn authorities(&mut self, file: &Path) -> anyhow::Result<Arc<RootCertStore>> {
        let mut authorities = RootCertStore::empty();
        for certificate in self.certificates(file)? {
            authorities
                .add(certificate)
                .with_context(|| format!("a certificate in {} is of no use", file.display()))?;
        }
        Ok(Arc::new(authorities))
    }

    fn certificates(&mut self, file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
        let text = self.text(file)?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match certificates {
            Ok(certificates) if certificates.is_empty() => {
                Err(anyhow!("no certificate in {}", file.display()))
            }
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(anyhow!("cannot read {}: {error}", file.display())),
        }
    }

    fn revoked(
        &mut self,
        file: &Path,
    ) -> anyhow::Result<Vec<CertificateRevocationListDer<'static>>> {
        let text = self.text(file)?;
        let lists: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_slice_iter(&text).collect();
        match lists {
            Ok(lists) if lists.is_empty() => Err(anyhow!("no list in {}", file.display())),
            Ok(lists) => Ok(lists),
            Err(error) => Err(anyhow!("cannot read {}: {error}", file.display())),
        }
    }

    fn text(&mut self, file: &Path) -> anyhow::Result<Vec<u8>> {
        // Before the content: what changes in between is read again.
        self.changed.push((file.to_owned(), changed_at(file)));
        fs::read(file).with_context(|| format!("cannot read {}", file.display()))
    }

    fn way(
        &mut self,
        maker: &Maker,
        trunk: &Trunk,
        own: Option<&Own>,
        authorities: Option<&Arc<RootCertStore>>,
    ) -> anyhow::Result<Option<Way>> {
        let authorities = match &trunk.authorities {
            Some(file) => Some(self.authorities(file)?),
            None => authorities.cloned(),
        };
        if authorities.is_none() && trunk.verify != TlsVerify::None {
            return Ok(None);
        }
        let name = match &trunk.name {
            Some(name) => Some(
                ServerName::try_from(name.clone())
                    .with_context(|| format!("peer {}: `{name}` is no name", trunk.peer))?,
            ),
            None => None,
        };
        maker.way(trunk.verify, name, own, authorities).map(Some)
    }
}

fn changed_at(file: &Path) -> Option<SystemTime> {
    fs::metadata(file)
        .and_then(|metadata| metadata.modified())
        .ok()
}
