//! Requests as they are and as somebody would like them to be taken (RFC 9112).

use super::*;

/// What hyper sees of these octets, fed in pieces of so many.
fn fed(octets: &[u8], step: usize) -> Result<Vec<u8>, Ambiguous> {
    let mut framing = Framing::new();
    for piece in octets.chunks(step) {
        framing.feed(piece)?;
    }
    Ok(framing.released)
}

fn in_all_pieces(text: &str) -> Result<String, Ambiguous> {
    let whole = fed(text.as_bytes(), text.len());
    for step in [1, 2, 3, 7] {
        assert_eq!(
            fed(text.as_bytes(), step),
            whole,
            "{text:?} in pieces of {step}"
        );
    }
    whole.map(|octets| String::from_utf8(octets).unwrap())
}

const CHUNKED: &str =
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n";

#[test]
fn what_is_beyond_doubt_passes_as_it_is() {
    for text in [
        "GET /status HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab\ncdGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\ncontent-length:0\r\nx:\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        CHUNKED,
        &format!("{CHUNKED}{CHUNKED}"),
    ] {
        assert_eq!(in_all_pieces(text).as_deref(), Ok(text));
    }
    // An empty line before a request is passed over; what is not whole is held back.
    let passed = in_all_pieces("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT");
    assert_eq!(passed.as_deref(), Ok("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
}

#[test]
fn what_two_could_read_differently_is_refused() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\ncontent-length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Content-Length : 5",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "X: a\r\n folded",
        "X: a\nY: b",
        "X: a\rY: b",
        "no colon",
        ": x",
        "Host: y",
    ] {
        let text = format!("POST / HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\nabcde");
        assert_eq!(in_all_pieces(&text), Err(Ambiguous), "{fields:?}");
    }
    for text in [
        "GET / HTTP/1.1\n\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nX-Host: x\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        &CHUNKED.replace("3;", " 3;"),
        &CHUNKED.replace("3;x=y", ""),
        &CHUNKED.replace("3;", "0x3;"),
        &CHUNKED.replace("abc\r\n", "abcd\r\n"),
        &CHUNKED.replace("0\r\n\r\n", "0\r\nX: y\r\n\r\n"),
        &CHUNKED.replace("3;x=y\r\n", "3;x=y\n"),
        &format!(
            "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
            "x".repeat(HEAD_MAX)
        ),
    ] {
        assert_eq!(in_all_pieces(text), Err(Ambiguous), "{text:?}");
    }
}
