//! The messages that agents write, as plain text.

use super::received::{Received, address};
use signaling::Transport;
use std::net::SocketAddr;

/// What every request begins with (RFC 3261 §8.1.1.6).
pub(super) const MAX_FORWARDS: u32 = 70;

/// A message under construction.
pub(super) struct Text(Vec<u8>);

impl Text {
    pub(super) fn request(method: &str, uri: &[u8]) -> Self {
        let mut text = Self(Vec::with_capacity(1500));
        text.put(method.as_bytes());
        text.put(b" ");
        text.put(uri);
        text.put(b" SIP/2.0\r\n");
        text
    }

    pub(super) fn header(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.put(name.as_bytes());
        self.put(b": ");
        self.put(value);
        self.put(b"\r\n");
        self
    }

    /// Via, Max-Forwards, From, To, Call-ID and CSeq of a request.
    pub(super) fn common(
        &mut self,
        via: &str,
        [from, to, call_id]: [&[u8]; 3],
        cseq: &str,
    ) -> &mut Self {
        self.header("Via", via.as_bytes())
            .header("Max-Forwards", MAX_FORWARDS.to_string().as_bytes())
            .header("From", from)
            .header("To", to)
            .header("Call-ID", call_id)
            .header("CSeq", cseq.as_bytes())
    }

    /// The end of the message: a session description or nothing.
    pub(super) fn end(self, sdp: &[u8]) -> Vec<u8> {
        self.end_typed("application/sdp", sdp)
    }

    /// The end of the message: a body of this type or nothing.
    pub(super) fn end_typed(mut self, content_type: &str, body: &[u8]) -> Vec<u8> {
        if !body.is_empty() {
            self.header("Content-Type", content_type.as_bytes());
        }
        let length = body.len().to_string();
        self.header("Content-Length", length.as_bytes());
        self.put(b"\r\n");
        self.put(body);
        self.0
    }

    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// What a Contact says of the transport beyond UDP.
pub(super) fn transport_parameter(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
        Transport::Udp => "",
    }
}

/// The Via of a request of ours.
pub(super) fn via(transport: Transport, local: SocketAddr, branch: &str) -> String {
    format!("SIP/2.0/{transport} {local};branch={branch};rport")
}

/// What all responses to one request repeat of it (RFC 3261 §8.2.6.2), and where they go.
#[derive(Clone, Debug)]
pub(super) struct Echo {
    vias: Vec<Vec<u8>>,
    from: Vec<u8>,
    to: Vec<u8>,
    has_to_tag: bool,
    call_id: Vec<u8>,
    cseq: String,
    pub(super) reply_to: SocketAddr,
}

impl Echo {
    pub(super) fn of(request: &Received<'_>, transport: Transport) -> Self {
        let mut vias: Vec<Vec<u8>> = request.vias().map(<[u8]>::to_vec).collect();
        let mut reply_to = request.source;
        if let Some(top) = vias.first_mut() {
            let (filled, port) = stamp(top, request.source);
            *top = filled;
            // RFC 3581 §4, else RFC 3261 §18.2.2; on a connection the answer goes back on it.
            if !transport.is_reliable() {
                reply_to.set_port(port);
            }
        }
        Self {
            vias,
            from: request.from().to_vec(),
            to: request.to().to_vec(),
            has_to_tag: !request.tag_of_to().is_empty(),
            call_id: request.call_id().to_vec(),
            cseq: format!("{} {}", request.cseq(), request.method()),
            reply_to,
        }
    }

    /// A response; `tag` is added to a To that has none, and `contact` is left out if empty.
    pub(super) fn response(&self, status: u16, tag: &str, contact: &str, sdp: &[u8]) -> Vec<u8> {
        self.response_with(status, tag, &[("Contact", contact)], sdp)
    }

    /// The same with these header fields; those that are empty are left out.
    pub(super) fn response_with(
        &self,
        status: u16,
        tag: &str,
        headers: &[(&str, &str)],
        sdp: &[u8],
    ) -> Vec<u8> {
        let mut text = Text(Vec::with_capacity(1500));
        text.put(format!("SIP/2.0 {status} {}\r\n", reason(status)).as_bytes());
        for via in &self.vias {
            text.header("Via", via);
        }
        text.header("From", &self.from);
        let mut to = self.to.clone();
        if !self.has_to_tag && !tag.is_empty() {
            to.extend_from_slice(b";tag=");
            to.extend_from_slice(tag.as_bytes());
        }
        text.header("To", &to)
            .header("Call-ID", &self.call_id)
            .header("CSeq", self.cseq.as_bytes());
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            text.header(name, value.as_bytes());
        }
        text.end(sdp)
    }
}

/// The Via with `received` and `rport` filled in as RFC 3581 §4 asks, and the port that answers go to.
fn stamp(via: &[u8], source: SocketAddr) -> (Vec<u8>, u16) {
    let text = String::from_utf8_lossy(via);
    let sent_by = text.split([' ', ';']).find_map(address);
    let asks_for_port = text.split(';').any(|part| part.trim() == "rport");
    if asks_for_port {
        let filled: Vec<String> = text
            .split(';')
            .map(|part| {
                if part.trim() == "rport" {
                    format!("rport={}", source.port())
                } else {
                    part.to_owned()
                }
            })
            .collect();
        let filled = format!("{};received={}", filled.join(";"), source.ip());
        return (filled.into_bytes(), source.port());
    }
    (via.to_vec(), sent_by.map_or(5060, |address| address.port()))
}

/// The reason phrase of a status.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        408 => "Request Timeout",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        603 => "Decline",
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_via_that_asks_for_its_port_gets_it() {
        let source = "127.0.0.9:4000".parse().unwrap();
        let (via, port) = stamp(b"SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;rport", source);
        assert_eq!(
            via,
            b"SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;rport=4000;received=127.0.0.9"
        );
        assert_eq!(port, 4000);
        let plain = b"SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1";
        assert_eq!(stamp(plain, source), (plain.to_vec(), 5070));
        assert_eq!(stamp(b"SIP/2.0/UDP [::1];branch=z9hG4bK1", source).1, 5060);
    }
}
