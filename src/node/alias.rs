//! From a Request-URI to what was dialled: user and host, without password, port, parameters and
//! escapes.

use signaling::sip::message::{Scheme, Uri, percent_decoded};

/// Writes the alias over what `alias` held. Of a URI of another kind it is the whole text.
pub(super) fn write(request_uri: &[u8], alias: &mut Vec<u8>) {
    alias.clear();
    let Ok(uri) = Uri::parse(request_uri) else {
        return alias.extend_from_slice(request_uri);
    };
    match uri.scheme {
        Scheme::Sip | Scheme::Sips | Scheme::Tel => {}
        Scheme::Other => return alias.extend_from_slice(request_uri),
    }
    alias.extend(uri.user.into_iter().flat_map(percent_decoded));
    if uri.user.is_some() && !uri.host.is_empty() {
        alias.push(b'@');
    }
    alias.extend_from_slice(uri.host);
}

/// Writes a URI for an alias over what `uri` held: what cannot stand in its user part is escaped (RFC 3261 §25.1).
/// Its host is of no account: that of the peer takes its place.
pub(super) fn write_uri(alias: &str, uri: &mut Vec<u8>) {
    const HEXADECIMAL: &[u8; 16] = b"0123456789ABCDEF";
    let (user, host) = alias.rsplit_once('@').unwrap_or((alias, "peer.invalid"));
    uri.clear();
    uri.extend_from_slice(b"sip:");
    for octet in user.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&octet) {
            uri.push(octet);
        } else {
            let digit = |four: u8| HEXADECIMAL.get(usize::from(four)).copied().unwrap_or(b'0');
            uri.extend_from_slice(&[b'%', digit(octet >> 4), digit(octet & 15)]);
        }
    }
    uri.push(b'@');
    uri.extend_from_slice(host.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_host_are_what_was_dialled() {
        let cases: [(&[u8], &[u8]); 7] = [
            (b"sip:meet@example.com", b"meet@example.com"),
            (
                b"sips:meet:secret@example.com:5061;transport=tls?a=b",
                b"meet@example.com",
            ),
            (
                b"sip:m%65et%40x@[2001:db8::1]:5060",
                b"meet@x@[2001:db8::1]",
            ),
            (b"sip:example.com", b"example.com"),
            (b"tel:+15551234;phone-context=x", b"+15551234"),
            (b"h323:meet@example.com", b"h323:meet@example.com"),
            (b"<nonsense>", b"<nonsense>"),
        ];
        let mut uri = b"left over".to_vec();
        for (alias, expected) in [
            (
                "6001104@bridges.example.com",
                "sip:6001104@bridges.example.com",
            ),
            ("77104", "sip:77104@peer.invalid"),
            ("a@b:c#1@h", "sip:a%40b%3Ac%231@h"),
        ] {
            write_uri(alias, &mut uri);
            assert_eq!(String::from_utf8_lossy(&uri), expected);
            let mut again = Vec::new();
            write(&uri, &mut again);
            assert!(
                String::from_utf8_lossy(&again).starts_with(alias),
                "{alias}"
            );
        }
        let mut alias = b"left over".to_vec();
        for (uri, expected) in cases {
            write(uri, &mut alias);
            assert_eq!(alias, expected, "{}", String::from_utf8_lossy(uri));
        }
    }
}
