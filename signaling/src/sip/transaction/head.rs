//! The part of a request that every answer to it repeats (RFC 3261 §8.2.6): Via, From, To, Call-ID,
//! CSeq, Record-Route.
//!
//! It is taken once, when the request comes, with `received` and `rport` already filled in, so that
//! an answer is a status line, this block, and what the user adds.

use crate::hop::Hop;
use crate::pool::{Buffer, Pool};
use crate::sip::message::{HeaderName, Message, Via, Writer};
use std::io::Write as _;
use std::net::IpAddr;

/// What `received=`, `rport=` and the longest address add to a Via, and a line end to a To.
const ADDED_MAX: usize = 96;

/// The answer's head.
#[derive(Debug, Default)]
pub(crate) struct Head {
    buffer: Buffer,
    /// Where the To value ends and its tag goes.
    to_end: usize,
    /// Where the Record-Route lines begin.
    record_route: usize,
    wants_tag: bool,
}

impl Head {
    /// Takes the head of a request. Works on broken requests too: what is there is repeated.
    pub(crate) fn of(message: &Message<'_>, source: &Hop, pool: &mut Pool) -> Self {
        let kept = message.bytes().len() - message.body().len();
        let mut buffer = pool.take(kept + ADDED_MAX);
        let mut writer = Writer::new(buffer.room());
        write_vias(&mut writer, message, source);
        for name in [
            HeaderName::From,
            HeaderName::CallId,
            HeaderName::Cseq,
            HeaderName::Timestamp,
        ] {
            write_first(&mut writer, message, name);
        }
        // The To comes last: its tag is added behind it. A request without one gets no tag either.
        let has_to = write_first(&mut writer, message, HeaderName::To);
        let to_end = if has_to {
            writer.len().saturating_sub(2)
        } else {
            writer.len()
        };
        let record_route = writer.len();
        writer.pass(message, |line| line.name == HeaderName::RecordRoute);
        let length = writer.finish().unwrap_or(0);
        buffer.set_length(length);
        Self {
            buffer,
            to_end: to_end.min(length),
            record_route: record_route.min(length),
            wants_tag: has_to && message.to_tag().is_none(),
        }
    }

    /// Writes it, with `tag` in the To unless the request had one.
    pub(crate) fn write(&self, writer: &mut Writer<'_>, tag: Option<&[u8]>) {
        writer.put(self.part(0, self.to_end));
        if let Some(tag) = tag
            && self.wants_tag
        {
            writer.put(b";tag=");
            writer.put(tag);
        }
        writer.put(self.part(self.to_end, self.record_route));
    }

    /// Writes the Record-Route lines, which answers that make a dialog repeat (§12.1.1).
    pub(crate) fn write_record_route(&self, writer: &mut Writer<'_>) {
        writer.put(self.part(self.record_route, self.buffer.as_slice().len()));
    }

    /// Whether the memory was given back.
    pub(crate) fn is_released(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Room that [`Head::write`] and [`Head::write_record_route`] need.
    pub(crate) fn room(&self) -> usize {
        self.buffer.as_slice().len() + 64
    }

    /// Gives the memory back.
    pub(crate) fn release(&mut self, pool: &mut Pool) {
        pool.put(std::mem::take(&mut self.buffer));
        self.to_end = 0;
        self.record_route = 0;
    }

    fn part(&self, start: usize, end: usize) -> &[u8] {
        self.buffer.as_slice().get(start..end).unwrap_or(&[])
    }
}

/// Writes the first line of a name, if there is one.
///
/// A request with a fault may end its lines in ways that we would not repeat: then control
/// characters become spaces.
fn write_first(writer: &mut Writer<'_>, message: &Message<'_>, name: HeaderName) -> bool {
    let Some(value) = message.header(name) else {
        return false;
    };
    writer.put(name.as_str().as_bytes());
    writer.put(b": ");
    write_value(writer, message, value);
    writer.put(b"\r\n");
    true
}

fn write_value(writer: &mut Writer<'_>, message: &Message<'_>, value: &[u8]) {
    if message.fault().is_none() {
        writer.put(value);
        return;
    }
    for octet in value {
        writer.put(if octet.is_ascii_control() {
            b" "
        } else {
            std::slice::from_ref(octet)
        });
    }
}

/// All Via lines, the first one with the address that the request really came from.
fn write_vias(writer: &mut Writer<'_>, message: &Message<'_>, source: &Hop) {
    let mut lines = message.lines().filter(|line| line.name == HeaderName::Via);
    let Some(first) = lines.next() else { return };
    let top = message.top_via();
    match Via::parse(top) {
        Ok(via) => {
            let rest = first.value.get(top.len()..).unwrap_or(&[]);
            write_top(writer, top, &via, source);
            write_value(writer, message, rest);
            writer.put(b"\r\n");
        }
        Err(_) => {
            writer.put(b"Via: ");
            write_value(writer, message, first.value);
            writer.put(b"\r\n");
        }
    }
    for line in lines {
        writer.put(b"Via: ");
        write_value(writer, message, line.value);
        writer.put(b"\r\n");
    }
}

fn write_top(writer: &mut Writer<'_>, top: &[u8], via: &Via<'_>, source: &Hop) {
    let ip = source.remote.ip();
    writer.put(b"Via: ");
    let wants_port = matches!(via.rport(), Some(None));
    match wants_port.then(|| end_of_rport(top)).flatten() {
        // RFC 3581 §4: the port goes into the parameter that asked for it.
        Some(position) => {
            let (front, back) = top.split_at_checked(position).unwrap_or((top, &[]));
            writer.put(front);
            writer.put(b"=");
            writer.number(u32::from(source.remote.port()));
            writer.put(back);
        }
        None => writer.put(top),
    }
    // §18.2.1: where the sender named itself otherwise; RFC 3581 §4: and always with rport.
    if (wants_port || via.host_ip() != Some(ip)) && via.received().is_none() {
        writer.put(b";received=");
        write_ip(writer, ip);
    }
}

/// Where a parameter `rport` without a value ends.
fn end_of_rport(via: &[u8]) -> Option<usize> {
    let mut start = 0;
    while let Some(semicolon) = via.get(start..)?.iter().position(|octet| *octet == b';') {
        let after = start + semicolon + 1;
        let rest = via.get(after..)?;
        let blank = rest
            .iter()
            .take_while(|octet| octet.is_ascii_whitespace())
            .count();
        if rest
            .get(blank..blank + 5)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"rport"))
        {
            let end = after + blank + 5;
            let next = via
                .get(end..)?
                .iter()
                .find(|octet| !octet.is_ascii_whitespace());
            if matches!(next, None | Some(b';')) {
                return Some(end);
            }
        }
        start = after;
    }
    None
}

/// An address as Via writes it: IPv6 without brackets in `received` (RFC 3261 §25.1).
pub(crate) fn write_ip(writer: &mut Writer<'_>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            writer.number(u32::from(a));
            for octet in [b, c, d] {
                writer.put(b".");
                writer.number(u32::from(octet));
            }
        }
        IpAddr::V6(ip) => {
            let mut text = [0u8; 48];
            let mut rest = text.as_mut_slice();
            // 45 octets are the longest form, so this cannot fail.
            if write!(rest, "{ip}").is_ok() {
                let left = rest.len();
                writer.put(text.get(..text.len() - left).unwrap_or(&[]));
            }
        }
    }
}
