//! Which server transaction a request belongs to (RFC 3261 §17.2.3), and where its answer goes
//! (§18.2.2, RFC 3581).

use crate::hop::{Hop, Transport};
use crate::sip::message::{Message, Method, Via};
use crate::sip::token::Mint;
use std::net::SocketAddr;

/// The first seven octets of every branch made by the rules of RFC 3261.
pub(crate) const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// The key of the server transaction; for ACK and CANCEL that of their INVITE.
///
/// It is a keyed hash, so nobody outside can make two transactions meet.
pub(crate) fn of_invite(mint: &Mint, message: &Message<'_>) -> u64 {
    with_method(mint, message, b"INVITE")
}

/// The key of a request under its own method.
pub(crate) fn of_request(mint: &Mint, message: &Message<'_>) -> u64 {
    with_method(mint, message, message.method_text())
}

fn with_method(mint: &Mint, message: &Message<'_>, method: &[u8]) -> u64 {
    let branch = message.branch().unwrap_or(&[]);
    // A branch that is the cookie and nothing more names no transaction: RFC 4475 §3.2.1.
    if branch.len() > MAGIC_COOKIE.len() && starts_with_cookie(branch) {
        // The RFC stops at the method. Call-ID and CSeq, which an INVITE shares with its CANCEL and ACK,
        // keep apart two agents behind one address translator that count their branches from 1.
        return mint.hash(&[
            branch,
            sent_by(message.top_via()),
            method,
            message.call_id(),
            &message.cseq().to_be_bytes(),
        ]);
    }
    // RFC 2543 matching. The To tag is left out: the ACK has it and its INVITE had not.
    mint.hash(&[
        message.request_uri(),
        message.from_tag().unwrap_or(&[]),
        message.call_id(),
        &message.cseq().to_be_bytes(),
        message.top_via(),
        method,
    ])
}

fn starts_with_cookie(branch: &[u8]) -> bool {
    branch
        .get(..MAGIC_COOKIE.len())
        .is_some_and(|front| front.eq_ignore_ascii_case(MAGIC_COOKIE))
}

/// `host:port` of a Via as it was sent: what lies between the transport and the first parameter.
fn sent_by(via: &[u8]) -> &[u8] {
    let end = via
        .iter()
        .position(|octet| *octet == b';')
        .unwrap_or(via.len());
    let front = via.get(..end).unwrap_or(via).trim_ascii_end();
    let start = front
        .iter()
        .rposition(u8::is_ascii_whitespace)
        .map_or(0, |position| position + 1);
    front.get(start..).unwrap_or(front)
}

/// Where the answer to a request goes.
///
/// `maddr` is not obeyed: it would let any sender point our answers at a third party.
pub(crate) fn reply_hop(via: &Via<'_>, source: Hop) -> Hop {
    match source.transport {
        Transport::Udp if via.rport().is_some() => source,
        // §18.2.2: to the source address, which is what `received` says, and the port of sent-by.
        // Of a stream this is where a new connection would be opened when the old one is gone.
        Transport::Udp | Transport::Tcp | Transport::Tls => {
            let port = via.port.unwrap_or_else(|| source.transport.default_port());
            Hop {
                remote: SocketAddr::new(source.remote.ip(), port),
                ..source
            }
        }
    }
}

/// Whether a request opens or looks for an INVITE's transaction.
pub(crate) fn is_of_invite(method: Method) -> bool {
    matches!(method, Method::Ack | Method::Invite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_to_the_port_of_sent_by_or_the_transports_own() {
        for (transport, via, port) in [
            (
                Transport::Udp,
                "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx",
                5060,
            ),
            (
                Transport::Tcp,
                "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKx",
                5060,
            ),
            (
                Transport::Tls,
                "SIP/2.0/TLS 192.0.2.1;branch=z9hG4bKx",
                5061,
            ),
            (Transport::Tls, "SIP/2.0/TLS 192.0.2.1:7;branch=z9hG4bKx", 7),
            // A name is not looked up: the source is known (docs/decisions/0015).
            (
                Transport::Udp,
                "SIP/2.0/UDP a.example;branch=z9hG4bKx",
                5060,
            ),
            (Transport::Udp, "SIP/2.0/UDP a.example:7;branch=z9hG4bKx", 7),
        ] {
            let source = Hop {
                transport,
                listener: crate::ListenerId(0),
                remote: "192.0.2.9:4000".parse().unwrap(),
                connection: None,
                identity: None,
            };
            let hop = reply_hop(&Via::parse(via.as_bytes()).unwrap(), source);
            assert_eq!(hop.remote, SocketAddr::new(source.remote.ip(), port));
        }
    }

    #[test]
    fn sent_by_is_what_stands_before_the_parameters() {
        assert_eq!(
            sent_by(b"SIP/2.0/UDP 192.0.2.1:5061;branch=z9hG4bKx"),
            b"192.0.2.1:5061"
        );
        assert_eq!(
            sent_by(b"SIP / 2.0 / UDP [2001:db8::1] ; branch=z9hG4bKx"),
            b"[2001:db8::1]"
        );
        assert_eq!(sent_by(b""), b"");
    }
}
