//! What a caller of the ladders answers to a challenge.

use signaling::sip::auth::digest::{ALGORITHMS, Request};
use signaling::sip::message::{Challenge, Framing, HeaderName, Index, Limits};

/// The Authorization line for the first challenge of a refusal, with this password and nonce count.
pub(crate) fn authorization(refusal: &[u8], count: u32, password: &str) -> String {
    let mut index = Index::new(Limits::default());
    let refusal = index.read(refusal, Framing::Datagram);
    let challenge = Challenge::parse(refusal.header(HeaderName::WwwAuthenticate).unwrap()).unwrap();
    let count = format!("{count:08x}");
    let request = Request {
        method: b"INVITE",
        uri: b"sip:meet.room@example.com",
        nonce: challenge.nonce(),
        nonce_count: count.as_bytes(),
        cnonce: b"0a4f113b",
    };
    let [best, _] = ALGORITHMS;
    let secret = best.secret(b"room", challenge.realm(), password.as_bytes());
    let response = best.response(&secret, &request);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!(
        "Authorization: Digest username=\"room\",realm=\"{}\",nonce=\"{}\",\
         uri=\"sip:meet.room@example.com\",response=\"{}\",algorithm={},cnonce=\"0a4f113b\",\
         qop=auth,nc={count}\r\n",
        text(challenge.realm()),
        text(challenge.nonce()),
        text(response.as_bytes()),
        best.as_str()
    )
}
