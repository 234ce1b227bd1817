//! One message as the world sees it: the parts that routing, ladder and witness look at, copied out.

use signaling::Transport;
use signaling::sip::message::{Framing, Index, Method};

/// Names a transaction on one leg: branch, and method as in CSeq.
pub(crate) type TransactionId = (Vec<u8>, String);

/// A message that could be read.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) is_request: bool,
    /// Of a response, that of its request.
    pub(crate) method: Method,
    pub(crate) method_text: String,
    /// 0 for a request.
    pub(crate) status: u16,
    pub(crate) call_id: Vec<u8>,
    pub(crate) branch: Vec<u8>,
    pub(crate) cseq: u32,
    pub(crate) from_tag: Vec<u8>,
    pub(crate) to_tag: Vec<u8>,
    pub(crate) max_forwards: Option<u32>,
    /// The call's number, which the callers write into the user part of From.
    pub(crate) number: Option<u64>,
    /// The number of a reliable provisional (RFC 3262).
    pub(crate) rseq: Option<u32>,
    /// Everything before the body.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// Reads a message; what is wrong with it, else.
    pub(crate) fn read(
        index: &mut Index,
        transport: Transport,
        bytes: &[u8],
    ) -> Result<Self, String> {
        let message = index.read(bytes, framing(transport));
        if let Some(fault) = message.fault() {
            return Err(fault.to_string());
        }
        let (head, _) = bytes
            .split_at_checked(bytes.len() - message.body().len())
            .ok_or("a body longer than its message")?;
        Ok(Self {
            is_request: message.is_request(),
            method: message.method(),
            method_text: text(message.method_text()),
            status: message.status(),
            call_id: message.call_id().to_vec(),
            branch: message.branch().unwrap_or_default().to_vec(),
            cseq: message.cseq(),
            from_tag: message.from_tag().unwrap_or_default().to_vec(),
            to_tag: message.to_tag().unwrap_or_default().to_vec(),
            max_forwards: message.max_forwards(),
            number: number_in(&text(message.from()), "sip:call-"),
            rseq: number_in(&text(head), "\r\nRSeq: ").and_then(|rseq| u32::try_from(rseq).ok()),
            head: text(head),
            body: message.body().to_vec(),
        })
    }

    pub(crate) fn transaction(&self) -> TransactionId {
        (self.branch.clone(), self.method_text.clone())
    }

    pub(crate) fn is_final(&self) -> bool {
        self.status >= 200
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// `INVITE 1` or `180 INVITE 1`, with a sign for a body.
    pub(crate) fn title(&self) -> String {
        let sdp = if self.body.is_empty() { "" } else { " +sdp" };
        if self.is_request {
            format!("{} {}{sdp}", self.method_text, self.cseq)
        } else {
            format!("{} {} {}{sdp}", self.status, self.method_text, self.cseq)
        }
    }

    /// Whether this stands anywhere before the body.
    pub(crate) fn mentions(&self, what: &str) -> bool {
        !what.is_empty() && self.head.contains(what)
    }
}

/// How a message of this transport ends.
pub(crate) fn framing(transport: Transport) -> Framing {
    match transport {
        Transport::Tcp | Transport::Tls => Framing::Stream,
        Transport::Udp => Framing::Datagram,
    }
}

/// The digits after the first occurrence of `mark`.
pub(crate) fn number_in(text: &str, mark: &str) -> Option<u64> {
    let (_, rest) = text.split_once(mark)?;
    let end = rest
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(rest.len());
    rest.split_at(end).0.parse().ok()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
