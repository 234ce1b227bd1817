//! One received message as the agents see it: the index of `signaling` read into plain parts.
//!
//! URIs and Via values are taken apart here by hand, in the few lines that an agent needs: a second reading beside
//! `signaling`'s own.

use signaling::sip::message::{Framing, HeaderName, Index, Message, Method};
use std::net::SocketAddr;

/// A message that could be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received<'a> {
    message: Message<'a>,
    /// Who sent it.
    pub(super) source: SocketAddr,
}

impl<'a> Received<'a> {
    /// Reads a datagram, or one message of a stream.
    pub(super) fn read(
        index: &'a mut Index,
        source: SocketAddr,
        bytes: &'a [u8],
    ) -> Result<Self, String> {
        let message = index.read(bytes, Framing::Datagram);
        match message.fault() {
            Some(fault) => Err(fault.to_string()),
            None if message.branch().is_none() => Err("the first Via has no branch".into()),
            None => Ok(Self { message, source }),
        }
    }

    pub(super) fn is_request(&self) -> bool {
        self.message.is_request()
    }

    /// Of a response, the method in CSeq.
    pub(super) fn method(&self) -> Method {
        self.message.method()
    }

    pub(super) fn status(&self) -> u16 {
        self.message.status()
    }

    pub(super) fn request_uri(&self) -> &'a [u8] {
        self.message.request_uri()
    }

    pub(super) fn call_id(&self) -> &'a [u8] {
        self.message.call_id()
    }

    pub(super) fn from(&self) -> &'a [u8] {
        self.message.from()
    }

    pub(super) fn to(&self) -> &'a [u8] {
        self.message.to()
    }

    pub(super) fn tag_of_from(&self) -> &'a [u8] {
        self.message.from_tag().unwrap_or_default()
    }

    pub(super) fn tag_of_to(&self) -> &'a [u8] {
        self.message.to_tag().unwrap_or_default()
    }

    pub(super) fn cseq(&self) -> u32 {
        self.message.cseq()
    }

    pub(super) fn branch(&self) -> &'a [u8] {
        self.message.branch().unwrap_or_default()
    }

    pub(super) fn top_via(&self) -> &'a [u8] {
        self.message.top_via()
    }

    pub(super) fn vias(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.message.values(HeaderName::Via)
    }

    pub(super) fn max_forwards(&self) -> Option<u32> {
        self.message.max_forwards()
    }

    pub(super) fn has(&self, name: HeaderName) -> bool {
        self.message.header(name).is_some()
    }

    /// The value of a header field.
    pub(super) fn header(&self, name: HeaderName) -> Option<&'a [u8]> {
        self.message.header(name)
    }

    /// Whether an option tag stands in a list of them.
    pub(super) fn lists(&self, name: HeaderName, tag: &[u8]) -> bool {
        self.message.values(name).any(|value| value == tag)
    }

    /// RSeq of a reliable provisional.
    pub(super) fn rseq(&self) -> Option<u32> {
        let value = self.message.header(HeaderName::Rseq)?;
        std::str::from_utf8(value).ok()?.trim().parse().ok()
    }

    /// What a PRACK acknowledges, as it stands there.
    pub(super) fn rack(&self) -> &'a [u8] {
        self.message.header(HeaderName::Rack).unwrap_or_default()
    }

    pub(super) fn body(&self) -> &'a [u8] {
        self.message.body()
    }

    /// Everything before the body.
    pub(super) fn head(&self) -> &'a [u8] {
        let bytes = self.message.bytes();
        bytes
            .get(..bytes.len().saturating_sub(self.body().len()))
            .unwrap_or_default()
    }

    /// The URI of the only Contact and the address that it names.
    pub(super) fn contact(&self) -> Result<(&'a [u8], SocketAddr), String> {
        let mut contacts = self.message.values(HeaderName::Contact);
        let (Some(contact), None) = (contacts.next(), contacts.next()) else {
            return Err("there is not exactly one Contact".into());
        };
        let uri = between(contact, b'<', b'>').unwrap_or(contact);
        let address = address_of(uri)
            .ok_or_else(|| format!("the Contact {} names no IP address", show(contact)))?;
        Ok((uri, address))
    }

    /// Whether the only body is this session description and is marked as one.
    pub(super) fn carries_sdp(&self, wanted: &[u8]) -> bool {
        self.body() == wanted
            && self.message.header(HeaderName::ContentType) == Some(b"application/sdp")
    }

    /// The number in `<sip:call-NUMBER@...>` of From.
    pub(super) fn call_number(&self) -> Option<u64> {
        let rest = after(self.from(), b"sip:call-")?;
        let digits = rest.split(|byte| *byte == b'@').next()?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
}

/// Bytes as text for a complaint.
pub(super) fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What stands after the first occurrence of `mark`.
pub(super) fn after<'a>(text: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    text.get(at + mark.len()..)
}

fn between(text: &[u8], open: u8, close: u8) -> Option<&[u8]> {
    let start = text.iter().position(|byte| *byte == open)?;
    let inner = text.get(start + 1..)?;
    let end = inner.iter().position(|byte| *byte == close)?;
    inner.get(..end)
}

/// The address in `sip:user@192.0.2.1:5060;parameters`; port 5060 if there is none.
fn address_of(uri: &[u8]) -> Option<SocketAddr> {
    let uri = std::str::from_utf8(uri).ok()?.strip_prefix("sip:")?;
    let host = uri.split(['@']).next_back()?;
    address(host.split([';', '?']).next()?)
}

/// The address in `192.0.2.1:5060`, `[::1]:5060` or either without a port.
pub(super) fn address(host_port: &str) -> Option<SocketAddr> {
    if let Ok(address) = host_port.parse() {
        return Some(address);
    }
    let ip = host_port
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()?;
    Some(SocketAddr::new(ip, 5060))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_contact() {
        let port = |uri: &str| address_of(uri.as_bytes()).map(|address| address.to_string());
        assert_eq!(
            port("sip:abc@127.0.0.1:5062;transport=udp").as_deref(),
            Some("127.0.0.1:5062")
        );
        assert_eq!(port("sip:127.0.0.1").as_deref(), Some("127.0.0.1:5060"));
        assert_eq!(port("sip:a@[::1]:7;x=y").as_deref(), Some("[::1]:7"));
        assert_eq!(port("sip:a@[::1]").as_deref(), Some("[::1]:5060"));
        assert_eq!(port("sip:a@example.com"), None);
        assert_eq!(port("tel:+1"), None);
    }
}
