//! One request to a running node over its local socket, and its answer.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an answer may take; a request that waits for an end says how long itself.
const PATIENCE: Duration = Duration::from_secs(150);
/// More than any answer has.
const ANSWER_OCTETS_MAX: u64 = 256 * 1024 * 1024;

/// What the node answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// How well the node is, where that was asked.
    pub(super) condition: Option<String>,
    pub(super) body: String,
}

/// Asks the node behind a socket.
pub(super) fn ask(socket: &Path, method: &str, path: &str, media_type: &str) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: baton\r\nAccept: {media_type}\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n"
    )?;
    let mut octets = Vec::new();
    stream.take(ANSWER_OCTETS_MAX).read_to_end(&mut octets)?;
    let text = String::from_utf8_lossy(&octets);
    parse(&text).ok_or_else(|| io::Error::other("what came back is no answer of a node"))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?;
    let fields = || lines.clone().filter_map(|line| line.split_once(':'));
    let field = |wanted: &str| {
        let mut fields = fields().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        fields.next().map(|(_, value)| value.trim())
    };
    let length: usize = field("content-length")?.parse().ok()?;
    Some(Answer {
        status: status.get(..3)?.parse().ok()?,
        condition: field("baton-condition").map(str::to_owned),
        // A node that stopped in the middle gave no answer.
        body: (body.len() == length).then(|| body.to_owned())?,
    })
}

/// A text as it stands in a path or a query (RFC 3986 §2.1).
pub(super) fn encoded(text: &str) -> String {
    let octet = |octet: u8| match octet {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(octet).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(octet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let head = "HTTP/1.1 200 OK\r\nBaton-Condition: good\r\ncontent-length: 3\r\n\r\n";
        let answer = Answer {
            status: 200,
            condition: Some("good".to_owned()),
            body: "ab\n".to_owned(),
        };
        assert_eq!(parse(&format!("{head}ab\n")), Some(answer));
        assert_eq!(parse(&format!("{head}ab")), None);
        assert_eq!(parse("SIP/2.0 200 OK\r\n\r\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn what_stands_in_a_path_is_escaped() {
        assert_eq!(encoded("a b/c?é@x.y"), "a%20b%2Fc%3F%C3%A9%40x.y");
    }
}
