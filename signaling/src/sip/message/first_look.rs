//! A first look at a datagram, before it is indexed: whether it is an INVITE that begins something.
//!
//! For the order of work under overload only, so it may be wrong about what is no SIP; nothing is
//! believed because of it.

/// Whether these octets are an INVITE without a To tag.
///
/// Reads up to the To line and no further, which most user agents write among the first five.
#[must_use]
pub fn is_new_invite(bytes: &[u8]) -> bool {
    let Some(mut rest) = bytes.strip_prefix(b"INVITE ") else {
        return false;
    };
    while let Some(end) = rest.iter().position(|octet| *octet == b'\n') {
        rest = rest.get(end + 1..).unwrap_or(&[]);
        if let Some(value) = to_value(rest) {
            let end = value.iter().position(|octet| *octet == b'\n');
            return !has_tag(value.get(..end.unwrap_or(value.len())).unwrap_or(value));
        }
        if matches!(rest, [b'\r' | b'\n', ..]) {
            break;
        }
    }
    true
}

/// What follows the name and colon, if a line is a To.
fn to_value(line: &[u8]) -> Option<&[u8]> {
    let ([b't' | b'T', b'o' | b'O', after @ ..] | [b't' | b'T', after @ ..]) = line else {
        return None;
    };
    after.trim_ascii_start().strip_prefix(b":")
}

fn has_tag(value: &[u8]) -> bool {
    value.windows(5).any(
        |window| matches!(window, [b';', name @ .., b'='] if name.eq_ignore_ascii_case(b"tag")),
    )
}

#[cfg(test)]
mod tests {
    use super::is_new_invite;

    #[test]
    fn only_an_invite_without_a_tag_is_new() {
        for (text, expected) in [
            (
                "INVITE sip:a@b SIP/2.0\r\nVia: x\r\nTo: <sip:a@b>\r\n\r\n",
                true,
            ),
            (
                "INVITE sip:a@b SIP/2.0\r\nVia: x\r\nt:<sip:a@b>\r\n\r\n",
                true,
            ),
            (
                "INVITE sip:a@b SIP/2.0\r\nTo: <sip:a@b>;tag=1\r\n\r\n",
                false,
            ),
            (
                "INVITE sip:a@b SIP/2.0\r\nT : <sip:a@b>;x=y;TAG=1\r\n\r\n",
                false,
            ),
            (
                "INVITE sip:a@b SIP/2.0\r\nTo: <sip:a@b>\r\nFrom: <sip:c@d>;tag=1\r\n\r\n",
                true,
            ),
            (
                "INVITE sip:a@b SIP/2.0\r\nTimestamp: 1\r\n\r\nTo: <sip:a@b>;tag=1",
                true,
            ),
            ("INVITE sip:a@b SIP/2.0", true),
            ("INVITED sip:a@b SIP/2.0\r\n\r\n", false),
            ("BYE sip:a@b SIP/2.0\r\nTo: <sip:a@b>\r\n\r\n", false),
            ("SIP/2.0 200 OK\r\n\r\n", false),
            ("", false),
        ] {
            assert_eq!(is_new_invite(text.as_bytes()), expected, "{text}");
        }
    }
}
