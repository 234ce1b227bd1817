//! What a message of our own is, read off its bytes: the method, and the class of a response. Only for
//! counting; messages of others are indexed.

use super::line::LineEnds;
use super::method::Method;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gist {
    /// Of a response the method in its CSeq.
    pub(crate) method: Method,
    /// 1 to 6 of a response, 0 of a request.
    pub(crate) class: u8,
}

impl Gist {
    /// Of a message as our writer writes it.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match bytes.strip_prefix(b"SIP/2.0 ") {
            None => Self {
                method: Method::from_bytes(word(bytes)),
                class: 0,
            },
            Some(rest) => Self {
                method: cseq_method(bytes),
                class: rest.first().map_or(0, |digit| digit.wrapping_sub(b'0')),
            },
        }
    }
}

fn cseq_method(bytes: &[u8]) -> Method {
    let mut ends = LineEnds::new(bytes, 0);
    while let Some(line) = ends.next_line() {
        let rest = bytes.get(line.next..).unwrap_or_default();
        if let Some(value) = rest.strip_prefix(b"CSeq: ") {
            let value = value.get(..32).unwrap_or(value);
            let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
            let after = digits.count() + 1;
            return Method::from_bytes(word(value.get(after..).unwrap_or_default()));
        }
        if rest.is_empty() || rest.starts_with(b"\r\n") {
            break;
        }
    }
    Method::Other
}

/// Up to the first space or line end.
fn word(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte <= b' ');
    bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_responses() {
        let request = Gist::of(b"INVITE sip:a@b SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n");
        assert_eq!((request.method, request.class), (Method::Invite, 0));
        let response = b"SIP/2.0 487 Request Terminated\r\nVia: x\r\nCSeq: 71 INVITE\r\n\r\n";
        let response = Gist::of(response);
        assert_eq!((response.method, response.class), (Method::Invite, 4));
        let other =
            Gist::of(b"SIP/2.0 200 OK\r\nCSeq: 4294967295 SUBSCRIBE\r\n\r\nCSeq: 1 BYE\r\n");
        assert_eq!((other.method, other.class), (Method::Subscribe, 2));
        let none = Gist::of(b"SIP/2.0 200 OK\r\nVia: x\r\n\r\nCSeq: 1 BYE\r\n");
        assert_eq!(none.method, Method::Other);
        assert_eq!(Gist::of(b"").method, Method::Other);
    }
}
