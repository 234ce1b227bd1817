//! The two requests that go no further than the next hop and are made from an INVITE of ours: the ACK of
//! a non-2xx final (RFC 3261 §17.1.1.3) and CANCEL (§9.1).

use crate::context::Context;
use crate::hop::Hop;
use crate::pool::Buffer;
use crate::sip::message::{Message, Writer};

/// The CSeq number of every INVITE that begins a peer leg.
pub(crate) const INVITE_CSEQ: u32 = 1;

/// Sends the ACK of a non-2xx final: Request-URI and Via of the INVITE, the rest as the answer has
/// it. It is returned to be kept, since a repeat of the final wants it again.
pub(crate) fn acknowledge(
    context: &mut Context,
    hop: Hop,
    response: &Message<'_>,
    invite: &[u8],
) -> Buffer {
    let mut lines = invite.split_inclusive(|octet| *octet == b'\n');
    let (Some(start), Some(via)) = (lines.next(), lines.next()) else {
        debug_assert!(false, "an INVITE of ours has a request line and a Via");
        return Buffer::default();
    };
    let uri = start.split(|octet| *octet == b' ').nth(1).unwrap_or(&[]);
    let values = response.from().len() + response.to().len() + response.call_id().len();
    // §17.1.1.3: the routes of the INVITE are its ACK's too. They stand before its From.
    let mut before_from = lines.take_while(|line| !line.starts_with(b"From: "));
    let route = before_from.find(|line| line.starts_with(b"Route: "));
    let route = route.unwrap_or(&[]);
    let room = uri.len() + via.len() + route.len() + values + 128;
    let sent = context.send(hop, None, room, |writer| {
        writer.request_line(b"ACK", uri);
        writer.put(via);
        writer.put(route);
        writer.put(b"Max-Forwards: 70\r\n");
        writer.header(b"From", response.from());
        writer.header(b"To", response.to());
        writer.header(b"Call-ID", response.call_id());
        writer.put(b"CSeq: ");
        writer.number(response.cseq());
        writer.put(b" ACK\r\n");
        writer.body(b"");
    });
    sent.map_or_else(Buffer::default, |transmit| {
        context.pool.copy(context.outbox.bytes(transmit.span))
    })
}

/// Writes the CANCEL of an INVITE. Ours begins with request line, Via, Max-Forwards, From, To,
/// Call-ID, CSeq, in this order; From and To may be folded.
pub(crate) fn write_cancel(writer: &mut Writer<'_>, invite: &[u8]) {
    let mut lines = invite.split_inclusive(|octet| *octet == b'\n');
    let start = lines.next().unwrap_or(&[]);
    writer.put(b"CANCEL");
    writer.put(start.strip_prefix(b"INVITE").unwrap_or(start));
    for line in lines {
        if let Some(number) = line.strip_prefix(b"CSeq: ") {
            writer.put(b"CSeq: ");
            writer.put(number.strip_suffix(b"INVITE\r\n").unwrap_or(number));
            writer.put(b"CANCEL\r\n");
            break;
        }
        writer.put(line);
    }
    writer.body(b"");
}
