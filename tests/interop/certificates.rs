//! An authority of one stage, and a certificate of it for 127.0.0.1.

use super::stage::Stage;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// Files that those on a stage believe in and show.
pub(crate) struct Certificates {
    /// The certificate of the authority.
    pub(crate) authority: PathBuf,
    /// The certificate for 127.0.0.1.
    pub(crate) certificate: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
    /// Certificate and key in one file.
    pub(crate) both: PathBuf,
}

impl Certificates {
    pub(crate) fn new(stage: &Stage) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = &mut authority.distinguished_name;
        name.push(DnType::CommonName, "authority of a test");
        let authority_key = KeyPair::generate().unwrap();
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let mut own = CertificateParams::default();
        own.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        let key = KeyPair::generate().unwrap();
        let certificate = own.signed_by(&key, &issuer).unwrap().pem();
        let key = key.serialize_pem();
        let file = |name: &str, text: &str| {
            let file = stage.file(name);
            fs::write(&file, text).unwrap();
            file
        };
        Self {
            authority: file("authority.pem", &authority_certificate.pem()),
            certificate: file("own.pem", &certificate),
            key: file("own.key", &key),
            both: file("both.pem", &format!("{certificate}{key}")),
        }
    }

    /// The part of a node's configuration.
    pub(crate) fn of_a_node(&self) -> String {
        format!(
            "[tls]\ncertificate = \"{}\"\nkey = \"{}\"\nca = \"{}\"\n",
            self.certificate.display(),
            self.key.display(),
            self.authority.display()
        )
    }
}
