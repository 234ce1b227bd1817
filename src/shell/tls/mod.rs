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
use rustls::pki_types::ServerName;
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

/// Who is at an address, in the configuration's words.
type Places = HashMap<SocketAddr, Arc<str>>;

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
            places.retain(|_, other| *other != peer);
            places.extend(
                addresses
                    .iter()
                    .map(|address| (*address, Arc::clone(&peer))),
            );
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

    /// Our side of a connection that we make.
    pub(super) fn connect(&self, remote: SocketAddr) -> anyhow::Result<Session> {
        let credentials = self.current.load();
        let places = self.places.load();
        let way = credentials
            .client(remote, places.get(&remote).map(AsRef::as_ref))
            .context("no authority is configured that this peer is verified by")?;
        let name = way.name.unwrap_or_else(|| ServerName::from(remote.ip()));
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
    use rcgen::{CertificateParams, KeyPair};

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
}
