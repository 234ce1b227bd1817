//! Whether a peer is who it should be (RFC 5922 §7): a chain to an authority that we trust, and a name that was configured.

use super::names;
use crate::config::TlsVerify;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// What is asked of whoever answers at one address.
#[derive(Debug)]
pub(super) struct Verifier {
    asked: Vec<Asked>,
    provider: Arc<CryptoProvider>,
}

/// What is asked for one peer.
#[derive(Clone, Debug)]
struct Asked {
    /// Who is trusted; `None` where nothing is verified.
    chain: Option<Arc<WebPkiServerVerifier>>,
    is_name_checked: bool,
    /// Whom it must name, if not who was called.
    name: Option<ServerName<'static>>,
}

impl Verifier {
    pub(super) fn new(
        verify: TlsVerify,
        authorities: Option<Arc<RootCertStore>>,
        revoked: &[CertificateRevocationListDer<'static>],
        provider: Arc<CryptoProvider>,
    ) -> anyhow::Result<Self> {
        let chain = match (verify, authorities) {
            (TlsVerify::None, _) => None,
            (TlsVerify::Chain | TlsVerify::Full, Some(authorities)) => {
                let provider = Arc::clone(&provider);
                let builder = WebPkiServerVerifier::builder_with_provider(authorities, provider)
                    .with_crls(revoked.iter().cloned())
                    // An authority may keep no list.
                    .allow_unknown_revocation_status();
                Some(builder.build()?)
            }
            (TlsVerify::Chain | TlsVerify::Full, None) => {
                anyhow::bail!("no authority is configured that peers are verified by")
            }
        };
        let asked = Asked {
            chain,
            is_name_checked: verify == TlsVerify::Full,
            name: None,
        };
        Ok(Self {
            asked: vec![asked],
            provider,
        })
    }

    /// Asks what all of these ask, each for its own name: several peers are at one address.
    pub(super) fn of_each<'v>(
        verifiers: impl Iterator<Item = (&'v Self, ServerName<'static>)>,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        let asked = verifiers.flat_map(|(verifier, name)| {
            let named = move |asked: &Asked| Asked {
                name: Some(name.clone()),
                ..asked.clone()
            };
            verifier.asked.iter().map(named)
        });
        Self {
            asked: asked.collect(),
            provider,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        for asked in &self.asked {
            let Some(chain) = &asked.chain else { continue };
            let name = asked.name.as_ref().unwrap_or(name);
            let verified =
                chain.verify_server_cert(certificate, intermediates, name, ocsp_response, now);
            match verified {
                // The chain is looked at first: only the name is wrong.
                Err(Error::InvalidCertificate(
                    CertificateError::NotValidForName
                    | CertificateError::NotValidForNameContext { .. },
                )) if !asked.is_name_checked || has_sip_name(certificate, name) => {}
                Ok(_) => {}
                Err(_) => return verified,
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// RFC 5922 §7.1: a URI `sip:NAME` without a user names a domain too.
fn has_sip_name(certificate: &[u8], name: &ServerName<'_>) -> bool {
    let ServerName::DnsName(name) = name else {
        return false;
    };
    let names = names::of_certificate(certificate);
    names.iter().any(|found| {
        found.split_once(':').is_some_and(|(scheme, domain)| {
            scheme.eq_ignore_ascii_case("sip") && domain.eq_ignore_ascii_case(name.as_ref())
        })
    })
}
