//! The names in a certificate (RFC 5280 §4.2.1.6): whom it was issued to, as RFC 5922 wants it for SIP.
//!
//! Only certificates that were verified come here, so this looks for one extension and judges nothing. What is not
//! understood is passed over.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
/// `[3] EXPLICIT` in a TBSCertificate.
const EXTENSIONS: u8 = 0xa3;
/// `GeneralName`: `[2] IA5String`, `[6] IA5String`, `[7] OCTET STRING`.
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;
/// 2.5.29.17
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Names of one certificate are no more than this; a certificate may have as many as its issuer likes.
const NAMES_MAX: usize = 64;

/// The subject alternative names of a certificate: DNS names in small letters, URIs as they stand, addresses as text.
pub(crate) fn of_certificate(certificate: &[u8]) -> Vec<String> {
    let Some(names) = general_names(certificate) else {
        return Vec::new();
    };
    Elements(names)
        .filter_map(|(tag, content)| match tag {
            DNS_NAME => Some(std::str::from_utf8(content).ok()?.to_ascii_lowercase()),
            URI => Some(std::str::from_utf8(content).ok()?.to_owned()),
            IP_ADDRESS => address(content).map(|address| address.to_string()),
            _ => None,
        })
        .take(NAMES_MAX)
        .collect()
}

fn general_names(certificate: &[u8]) -> Option<&[u8]> {
    let certificate = first(certificate, SEQUENCE)?;
    let to_be_signed = first(certificate, SEQUENCE)?;
    let extensions = first(to_be_signed, EXTENSIONS)?;
    let extensions = Elements(first(extensions, SEQUENCE)?);
    let mut named = extensions.filter(|(tag, content)| {
        *tag == SEQUENCE && first(content, OBJECT_IDENTIFIER) == Some(SUBJECT_ALTERNATIVE_NAME)
    });
    let (_, extension) = named.next()?;
    first(first(extension, OCTET_STRING)?, SEQUENCE)
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
    let v6 = || <[u8; 16]>::try_from(octets).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
    v4.or_else(|_| v6()).ok()
}

/// The content of the first element with this tag.
fn first(content: &[u8], tag: u8) -> Option<&[u8]> {
    let mut elements = Elements(content).filter(|(found, _)| *found == tag);
    elements.next().map(|(_, content)| content)
}

/// Tag and content of each element, to the first that is not whole.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, rest) = self.0.split_first()?;
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }
}

/// X.690 §8.1.3, definite forms.
fn length(octets: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = octets.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    let is_sane = (1..=4).contains(&digits.len());
    let length = digits
        .iter()
        .fold(0usize, |length, digit| length << 8 | usize::from(*digit));
    is_sane.then_some((length, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    fn certificate(names: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn names_are_read() {
        let certificate = certificate(vec![
            SanType::DnsName("VCS.Example.com".try_into().unwrap()),
            SanType::URI("sip:example.com".try_into().unwrap()),
            SanType::Rfc822Name("someone@example.com".try_into().unwrap()),
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
        ]);
        let names = [
            "vcs.example.com",
            "sip:example.com",
            "192.0.2.1",
            "2001:db8::1",
        ];
        assert_eq!(of_certificate(&certificate), names);
    }

    #[test]
    fn a_certificate_without_names_has_none() {
        assert!(of_certificate(&certificate(Vec::new())).is_empty());
    }

    #[test]
    fn what_is_cut_or_altered_does_no_harm() {
        let name = SanType::DnsName("a.example.com".try_into().unwrap());
        let whole = certificate(vec![name]);
        for end in 0..whole.len() {
            of_certificate(&whole[..end]);
        }
        for position in 0..whole.len() {
            for octet in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut altered = whole.clone();
                altered[position] = octet;
                of_certificate(&altered);
            }
        }
    }
}
