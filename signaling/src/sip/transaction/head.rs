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
    has_to_tag: bool,
}

impl Head {
    /// Takes the head of a request. Works on broken requests too: what is there is repeated.
    pub(crate) fn of(message: &Message<'_>, source: &Hop, pool: &mut Pool) -> Self {
        let mut buffer = pool.take(message.bytes().len() + ADDED_MAX);
        let mut writer = Writer::new(buffer.room());
        write_vias(&mut writer, message, source);
        for name in [HeaderName::From, HeaderName::CallId, HeaderName::Cseq] {
            if let Some(line) = message.lines().find(|line| line.name == name) {
                writer.put(line.raw);
            }
        }
        if let Some(to) = message.header(HeaderName::To) {
            writer.put(b"To: ");
            writer.put(to);
        }
        let to_end = writer.len();
        writer.pass(message, |line| line.name == HeaderName::RecordRoute);
        let length = writer.finish().unwrap_or(0);
        buffer.set_length(length);
        Self {
            buffer,
            to_end: to_end.min(length),
            has_to_tag: message.to_tag().is_some(),
        }
    }

    /// Writes it, with `tag` in the To unless the request had one.
    pub(crate) fn write(&self, writer: &mut Writer<'_>, tag: Option<&[u8]>) {
        let (front, _) = self.parts();
        writer.put(front);
        if let Some(tag) = tag
            && !self.has_to_tag
        {
            writer.put(b";tag=");
            writer.put(tag);
        }
        writer.put(b"\r\n");
    }

    /// Writes the Record-Route lines, which answers that make a dialog repeat (§12.1.1).
    pub(crate) fn write_record_route(&self, writer: &mut Writer<'_>) {
        let (_, back) = self.parts();
        writer.put(back);
    }

    /// Room that [`Head::write`] and [`Head::write_record_route`] need.
    pub(crate) fn room(&self) -> usize {
        self.buffer.as_slice().len() + 64
    }

    /// Gives the memory back.
    pub(crate) fn release(&mut self, pool: &mut Pool) {
        pool.put(std::mem::take(&mut self.buffer));
        self.to_end = 0;
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        self.buffer
            .as_slice()
            .split_at_checked(self.to_end)
            .unwrap_or((&[], &[]))
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
            writer.put(rest);
            writer.put(b"\r\n");
        }
        Err(_) => writer.put(first.raw),
    }
    for line in lines {
        writer.put(line.raw);
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
