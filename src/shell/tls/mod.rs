//! TLS of the node: certificates, whom they are shown to and whom we believe (RFC 3261 §26.3, RFC 5922).
//!
//! [`Tls`] is shared by all workers, which take a [`Session`] from it for each new connection. [`Tls::reload`] reads the
//! files anew and puts the result in the place of the old one, whole or not at all; connections that are open keep what
//! they began with. No socket is touched here.

mod credentials;
pub(super) mod names;
mod session;
mod verify;

pub(super) use session::{Progress, Session};

use crate::config::{Config, TlsClientCertificate};
use anyhow::Context;
use arc_swap::ArcSwap;
use credentials::Credentials;
use rustls::{ClientConnection, Connection, ServerConnection};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// What a configuration names, read and checked.
pub(super) struct Prepared(Arc<Credentials>);

/// The TLS of a node.
pub struct Tls {
    current: ArcSwap<Credentials>,
    /// Where the peers are whose names were looked up.
    places: ArcSwap<Places>,
}

/// Who is at an address, in the configuration's words and the alphabet's order.
type Places = HashMap<SocketAddr, Vec<Arc<str>>>;

impl Tls {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file that cannot be read or does not hold what it should, by its name.
    pub(super) fn new(config: &Config) -> anyhow::Result<Self> {
        let Prepared(credentials) = Self::prepare(config)?;
        Ok(Self {
            current: ArcSwap::new(credentials),
            places: ArcSwap::default(),
        })
    }

    /// Reads the same files again: new connections use what is in them now.
    ///
    /// # Errors
    /// As when the node starts; then everything stays as it was.
    pub fn reload(&self) -> anyhow::Result<()> {
        let old = self.current.load_full();
        let fresh = Credentials::read(old.settings().clone(), old.trunks().to_vec())?;
        self.current.store(Arc::new(fresh));
        Ok(())
    }

    /// Reads the files again if one of them was changed since they were read; says whether it did.
    ///
    /// # Errors
    /// As [`Tls::reload`].
    pub fn reload_if_changed(&self) -> anyhow::Result<bool> {
        if !self.current.load().is_outdated() {
            return Ok(false);
        }
        self.reload().map(|()| true)
    }

    /// Reads what another configuration names, without using it yet.
    ///
    /// # Errors
    /// As when the node starts.
    pub(super) fn prepare(config: &Config) -> anyhow::Result<Prepared> {
        let credentials = Credentials::read(config.tls.clone(), credentials::trunks(config))?;
        Ok(Prepared(Arc::new(credentials)))
    }

    /// Uses it for connections that are made from now on; gives back what was used before.
    pub(super) fn take_over(&self, prepared: Prepared) -> Prepared {
        Prepared(self.current.swap(prepared.0))
    }

    /// The name of this peer was looked up: it is at these addresses now.
    pub(super) fn set_places(&self, peer: &str, addresses: impl Iterator<Item = SocketAddr>) {
        let peer: Arc<str> = Arc::from(peer);
        let addresses: Vec<SocketAddr> = addresses.collect();
        self.places.rcu(|places| {
            let mut places = Places::clone(places);
            places.retain(|_, peers| {
                peers.retain(|other| *other != peer);
                !peers.is_empty()
            });
            for address in &addresses {
                let peers = places.entry(*address).or_default();
                if let Err(place) = peers.binary_search(&peer) {
                    peers.insert(place, Arc::clone(&peer));
                }
            }
            places
        });
    }

    /// Our side of a connection that somebody made to us.
    pub(super) fn accept(&self, policy: TlsClientCertificate) -> anyhow::Result<Session> {
        let credentials = self.current.load();
        let config = credentials
            .server(policy)
            .context("no certificate of our own")?;
        let connection = ServerConnection::new(config)?;
        Ok(Session::new(Connection::Server(connection), true))
    }

    /// What an HTTPS listener says of itself: our certificate, HTTP/2 and HTTP/1.1 (RFC 7301). `None`
    /// without a certificate.
    pub(super) fn http(&self) -> Option<Arc<rustls::ServerConfig>> {
        self.current.load().http()
    }

    /// Our side of a connection that we make.
    pub(super) fn connect(&self, remote: SocketAddr) -> anyhow::Result<Session> {
        let credentials = self.current.load();
        let places = self.places.load();
        let peers = places.get(&remote).map_or(&[][..], Vec::as_slice);
        let way = credentials
            .client(remote, peers)?
            .context("no authority is configured that this peer is verified by")?;
        let name = way.name_at(remote);
        let connection = ClientConnection::new(way.config, name)?;
        Ok(Session::new(
            Connection::Client(connection),
            way.is_verified,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer,
        KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber, date_time_ymd,
    };
    use rustls::ServerConfig;
    use rustls::crypto::ring;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;
    use std::net::{IpAddr, Ipv4Addr};

    /// Both sides of a connection, with a certificate that the client believes.
    pub(super) fn pair() -> (Session, Session) {
        // The crate's own target folder of tests is known to those of integration only.
        let folder = std::env::temp_dir().join(format!("baton-tls-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let name = format!("{:?}", std::thread::current().id());
        let file = |end: &str| folder.join(format!("{name}.{end}"));
        std::fs::write(file("pem"), certificate.pem()).unwrap();
        std::fs::write(file("key"), key.serialize_pem()).unwrap();
        let text = format!(
            "[sip]\nlisten = [\"tls:127.0.0.1:0\"]\n[[peer]]\nname = \"peer\"\n\
             at = \"tls:127.0.0.1:9\"\nsessions_max = 8\n[tls]\ncertificate = {:?}\n\
             key = {:?}\nca = {:?}\n",
            file("pem"),
            file("key"),
            file("pem")
        );
        let config = Config::parse(&text, "test.toml").unwrap();
        let tls = Tls::new(&config).unwrap();
        std::fs::remove_file(file("pem")).unwrap();
        std::fs::remove_file(file("key")).unwrap();
        let remote = ([127, 0, 0, 1], 9).into();
        let server = tls.accept(TlsClientCertificate::None).unwrap();
        (tls.connect(remote).unwrap(), server)
    }

    /// Whether a peer with these names is believed at an address.
    fn is_believed(tls: &Tls, issuer: &Issuer<'_, KeyPair>, names: &[&str]) -> bool {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut certificate = CertificateParams::new(names).unwrap();
        certificate.serial_number = Some(SerialNumber::from(SERIAL));
        let certificate = certificate.signed_by(&key, issuer).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = builder
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let server = Connection::Server(ServerConnection::new(Arc::new(config)).unwrap());
        let (mut client, mut server) = (tls.connect(HERE).unwrap(), Session::new(server, false));
        while client.has_sealed() || server.has_sealed() {
            // The server is told of a refusal, which is an error there.
            drop(carry(&mut client, &mut server));
            if carry(&mut server, &mut client).is_err() {
                return false;
            }
        }
        !client.is_handshaking()
    }

    fn carry(from: &mut Session, to: &mut Session) -> Result<Progress, rustls::Error> {
        let mut octets = Vec::new();
        assert!(
            from.write_to(&mut octets).is_ok(),
            "memory takes everything"
        );
        to.take_in(&octets, &mut Vec::new())
    }

    /// Of each certificate that is shown.
    const SERIAL: u64 = 7;
    const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5061);

    #[test]
    fn who_is_several_peers_proves_to_be_each_of_them() {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let file = std::env::temp_dir().join(format!("baton-each-{}.pem", std::process::id()));
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        let text = format!(
            "[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[tls]\nca = {file:?}\n\
             [[peer]]\nname = \"a\"\nat = \"sip:a.example.com\"\nsessions_max = 8\n\
             [[peer]]\nname = \"b\"\nat = \"sip:b.example.com\"\nsessions_max = 8\n"
        );
        let tls = Tls::new(&Config::parse(&text, "test.toml").unwrap()).unwrap();
        std::fs::remove_file(&file).unwrap();
        let issuer = Issuer::new(params, key);
        let (a, b) = ("a.example.com", "b.example.com");
        tls.set_places("a", [HERE].into_iter());
        assert!(is_believed(&tls, &issuer, &[a]));
        tls.set_places("b", [HERE].into_iter());
        assert!(!is_believed(&tls, &issuer, &[a]));
        assert!(!is_believed(&tls, &issuer, &[b]));
        assert!(is_believed(&tls, &issuer, &[a, b]));
        tls.set_places("b", [].into_iter());
        assert!(is_believed(&tls, &issuer, &[a]), "its place is kept");
        assert!(!is_believed(&tls, &issuer, &[b]));
    }

    #[test]
    fn who_is_revoked_is_not_believed() {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let file = |name| {
            let name = format!("baton-revoked-{}-{name}.pem", std::process::id());
            std::env::temp_dir().join(name)
        };
        std::fs::write(file("ca"), authority).unwrap();
        for (serial, is_good) in [(SERIAL, false), (SERIAL + 1, true)] {
            let revoked = RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: date_time_ymd(2020, 1, 1),
                reason_code: None,
                invalidity_date: None,
            };
            let list = CertificateRevocationListParams {
                this_update: date_time_ymd(2020, 1, 1),
                next_update: date_time_ymd(2090, 1, 1),
                crl_number: SerialNumber::from(1),
                issuing_distribution_point: None,
                revoked_certs: vec![revoked],
                key_identifier_method: KeyIdMethod::Sha256,
            };
            let list = list.signed_by(&issuer).unwrap();
            std::fs::write(file("crl"), list.pem().unwrap()).unwrap();
            let text = format!(
                "[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[tls]\nca = {:?}\ncrl = {:?}\n\
                 [[peer]]\nname = \"a\"\nat = \"sip:a.example.com\"\nsessions_max = 8\n",
                file("ca"),
                file("crl")
            );
            let tls = Tls::new(&Config::parse(&text, "test.toml").unwrap()).unwrap();
            tls.set_places("a", [HERE].into_iter());
            assert_eq!(is_believed(&tls, &issuer, &["a.example.com"]), is_good);
        }
        std::fs::remove_file(file("ca")).unwrap();
        std::fs::remove_file(file("crl")).unwrap();
    }
}
