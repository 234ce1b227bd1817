//! The index of one message: where its lines and its most wanted fields are (RFC 3261 §7).
//!
//! One pass over the header block, no allocation, no copy. The index is made once per worker and
//! reused. What is broken is noted as the first [`Fault`]; everything that can still be read is
//! read, because a request that is refused must be answered with its own Via, From, To, Call-ID
//! and CSeq. Faults inside values that no layer asks for are not looked for here.

use super::found::{Found, Kind, LineSpan, MESSAGE_BYTES_MAX, Span, offset};
use super::line::LineEnds;
use super::scan::{self, TOKEN};
use super::start_line::{self, StartLine};
use super::value::cseq::Cseq;
use super::value::name_addr::NameAddr;
use super::value::via::Via;
use super::{Fault, HeaderName, Message};

/// How the message came, which decides where its body ends (RFC 3261 §18.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One message a datagram: without Content-Length the body goes to the end.
    Datagram,
    /// A stream: Content-Length is mandatory.
    Stream,
}

/// The most that is accepted of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Header lines; at most 254.
    pub headers: usize,
    /// Bytes of one header line with its folds.
    pub line_bytes: usize,
    /// Bytes from the start line to the end of the body; at most 65,535.
    pub message_bytes: usize,
}

/// Line numbers are 8 bits wide, and one value means none.
const HEADERS_MAX: usize = 254;
const NO_LINE: u8 = 255;

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers: 128,
            line_bytes: 32 * 1024,
            message_bytes: MESSAGE_BYTES_MAX,
        }
    }
}

impl Limits {
    pub(super) fn clamped(self) -> Self {
        Self {
            headers: self.headers.min(HEADERS_MAX),
            line_bytes: self.line_bytes,
            message_bytes: self.message_bytes.min(MESSAGE_BYTES_MAX),
        }
    }
}

/// The fields that may stand only once and that change what a message means.
///
/// A second Subject or User-Agent is as wrong (RFC 3261 §7.3.1), but nobody is deceived by it, so
/// it is passed on as it came.
const SINGLE: u128 = single(&[
    HeaderName::CallId,
    HeaderName::ContentDisposition,
    HeaderName::ContentLength,
    HeaderName::ContentType,
    HeaderName::Cseq,
    HeaderName::Event,
    HeaderName::Expires,
    HeaderName::From,
    HeaderName::MaxForwards,
    HeaderName::MinSe,
    HeaderName::Rack,
    HeaderName::ReferTo,
    HeaderName::ReferredBy,
    HeaderName::Replaces,
    HeaderName::Rseq,
    HeaderName::SessionExpires,
    HeaderName::TargetDialog,
    HeaderName::To,
]);

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a miss fails"
)]
const fn single(names: &[HeaderName]) -> u128 {
    let mut set = 0;
    let mut at = 0;
    while at < names.len() {
        set |= 1 << names[at] as u32;
        at += 1;
    }
    set
}

/// The index of one message at a time, reused.
#[derive(Debug)]
pub struct Index {
    limits: Limits,
    lines: Vec<LineSpan>,
    first: [u8; HeaderName::COUNT],
    found: Found,
}

impl Index {
    /// An index of the size the limits ask for; the only allocation is here.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let limits = limits.clamped();
        Self {
            limits,
            lines: Vec::with_capacity(limits.headers),
            first: [NO_LINE; HeaderName::COUNT],
            found: Found::nothing(),
        }
    }

    /// Reads one message.
    pub fn read<'a>(&'a mut self, bytes: &'a [u8], framing: Framing) -> Message<'a> {
        self.lines.clear();
        self.first = [NO_LINE; HeaderName::COUNT];
        self.found = Found::nothing();
        let bytes = match bytes.get(..self.limits.message_bytes) {
            Some(part) if part.len() < bytes.len() => {
                self.fault(Fault::TooLarge);
                part
            }
            _ => bytes,
        };
        let start = leading_line_ends(bytes);
        let mut ends = LineEnds::new(bytes, start);
        let head = self.read_start_line(bytes, start, &mut ends);
        let body = self.read_header(bytes, head, &mut ends);
        self.check_header(bytes);
        self.find_body(bytes, start, body, framing);
        Message::new(bytes, self)
    }

    pub(super) fn found(&self) -> &Found {
        &self.found
    }

    pub(super) fn lines(&self) -> &[LineSpan] {
        &self.lines
    }

    /// The lines from the first of this name on.
    #[inline]
    pub(super) fn lines_from(&self, name: HeaderName) -> &[LineSpan] {
        let first = self.first.get(name as usize).copied().unwrap_or(NO_LINE);
        self.lines.get(usize::from(first)..).unwrap_or_default()
    }

    #[cold]
    fn fault(&mut self, fault: Fault) {
        self.found.fault.get_or_insert(fault);
    }

    fn read_start_line(&mut self, bytes: &[u8], start: usize, ends: &mut LineEnds<'_>) -> usize {
        let (end, next) = match ends.next_line() {
            Some(line) => {
                if line.is_bare {
                    self.fault(Fault::BareLineEnd);
                }
                (line.end, line.next)
            }
            None => (bytes.len(), bytes.len()),
        };
        let line = bytes.get(start..end).unwrap_or_default();
        let (start_line, fault) = start_line::read(line);
        if line.len() > self.limits.line_bytes {
            self.fault(Fault::LineTooLong);
        }
        if let Some(fault) = fault {
            self.fault(fault);
        }
        match start_line {
            StartLine::Neither => {}
            StartLine::Request {
                method,
                method_text,
                uri,
            } => {
                self.found.kind = Kind::Request;
                self.found.method = method;
                self.found.method_text = Span::of(method_text, bytes);
                self.found.request_uri = Span::of(uri, bytes);
            }
            StartLine::Response { status, reason } => {
                self.found.kind = Kind::Response;
                self.found.status = status;
                self.found.reason = Span::of(reason, bytes);
            }
        }
        next
    }

    /// Reads the header lines; gives the position of the body.
    fn read_header(&mut self, bytes: &[u8], mut start: usize, ends: &mut LineEnds<'_>) -> usize {
        loop {
            let Some(mut line) = ends.next_line() else {
                if start < bytes.len() {
                    self.read_line(bytes, start, bytes.len(), bytes.len());
                }
                self.fault(Fault::HeaderEndMissing);
                return bytes.len();
            };
            let mut is_bare = line.is_bare;
            let is_last = line.end == start;
            // RFC 3261 §7.3.1: a line that starts with white space continues the one before.
            while !is_last && matches!(bytes.get(line.next), Some(b' ' | b'\t')) {
                let Some(fold) = ends.next_line() else {
                    (line.end, line.next) = (bytes.len(), bytes.len());
                    break;
                };
                is_bare |= fold.is_bare;
                line = fold;
            }
            if is_bare {
                self.fault(Fault::BareLineEnd);
            }
            if is_last {
                return line.next;
            }
            self.read_line(bytes, start, line.end, line.next);
            start = line.next;
        }
    }

    /// Reads one header line with its folds; its text ends at `end`, and the next starts at `next`.
    #[inline]
    fn read_line(&mut self, bytes: &[u8], start: usize, end: usize, next: usize) {
        if next.saturating_sub(start) > self.limits.line_bytes {
            self.fault(Fault::LineTooLong);
        }
        let Some(HeaderLine {
            name,
            name_bytes,
            value,
        }) = header_line(bytes, start, end)
        else {
            return self.fault(Fault::BadHeaderLine);
        };
        if self.lines.len() >= self.limits.headers {
            return self.fault(Fault::TooManyHeaders);
        }
        if let Some(first) = self.first.get_mut(name as usize) {
            if *first == NO_LINE {
                *first = u8::try_from(self.lines.len()).unwrap_or(NO_LINE);
                self.read_first(bytes, name, value);
            } else if SINGLE >> name as u32 & 1 == 1 {
                self.fault(Fault::Duplicate(name));
            }
        }
        self.lines.push(LineSpan {
            raw: Span::new(start, next),
            value: Span::of(value, bytes),
            name_bytes: offset(name_bytes),
            name,
        });
    }

    /// Reads the fields that every message is asked for.
    #[inline]
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "of all fields, these seven are read here"
    )]
    fn read_first(&mut self, bytes: &[u8], name: HeaderName, value: &[u8]) {
        match name {
            HeaderName::Via => self.read_via(bytes, value),
            HeaderName::From => {
                self.found.from = Span::of(value, bytes);
                match NameAddr::parse_tag(value) {
                    Ok(tag) => self.found.from_tag = tag.map(|tag| Span::of(tag, bytes)),
                    Err(_) => self.fault(Fault::BadFrom),
                }
            }
            HeaderName::To => {
                self.found.to = Span::of(value, bytes);
                match NameAddr::parse_tag(value) {
                    Ok(tag) => self.found.to_tag = tag.map(|tag| Span::of(tag, bytes)),
                    Err(_) => self.fault(Fault::BadTo),
                }
            }
            HeaderName::CallId => {
                self.found.call_id = Span::of(value, bytes);
                // The grammar's word leaves out `=` and a few others that are met; white space
                // and control characters would let two elements read two different things.
                let is_bad = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
                // No early end, so that many bytes are looked at in one step.
                if value.is_empty() || value.iter().fold(false, |bad, byte| bad | is_bad(byte)) {
                    self.fault(Fault::BadCallId);
                }
            }
            HeaderName::Cseq => match Cseq::parse(value) {
                Ok(cseq) => {
                    self.found.cseq = cseq.number;
                    self.found.cseq_method = cseq.method;
                    self.found.cseq_method_text = Span::of(cseq.method_text, bytes);
                }
                Err(_) => self.fault(Fault::BadCseq),
            },
            HeaderName::MaxForwards => {
                // RFC 3261 §20.22.
                match scan::number_u32(value).filter(|hops| *hops <= 255) {
                    Some(hops) => self.found.max_forwards = Some(hops),
                    None => self.fault(Fault::BadMaxForwards),
                }
            }
            HeaderName::ContentLength => match scan::number(value) {
                Some(length) => {
                    self.found.content_length = Some(usize::try_from(length).unwrap_or(usize::MAX));
                }
                None => self.fault(Fault::BadContentLength),
            },
            _ => {}
        }
    }

    fn read_via(&mut self, bytes: &[u8], value: &[u8]) {
        match Via::parse_first(value) {
            Ok(first) => {
                self.found.top_via = Span::of(first.text, bytes);
                self.found.branch = first.branch.map(|branch| Span::of(branch, bytes));
            }
            Err(_) => {
                self.found.top_via = Span::of(value, bytes);
                self.fault(Fault::BadVia);
            }
        }
    }

    /// RFC 3261 §8.1.1: what must be there. Max-Forwards is not asked for: RFC 2543 had none.
    fn check_header(&mut self, bytes: &[u8]) {
        if self.found.kind == Kind::Neither {
            return;
        }
        for name in [
            HeaderName::Via,
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
            HeaderName::Cseq,
        ] {
            if self.first.get(name as usize) == Some(&NO_LINE) {
                self.fault(Fault::Missing(name));
            }
        }
        let found = &self.found;
        let cseq_method = found.cseq_method_text.text(bytes);
        if found.kind == Kind::Request
            && !cseq_method.is_empty()
            && cseq_method != found.method_text.text(bytes)
        {
            self.fault(Fault::CseqMismatch);
        }
    }

    /// RFC 3261 §18.3: where the message ends.
    fn find_body(&mut self, bytes: &[u8], start: usize, body: usize, framing: Framing) {
        let there = bytes.len().saturating_sub(body);
        let length = match (self.found.content_length, framing) {
            (Some(length), _) if length <= there => length,
            (Some(length), Framing::Stream) if length > self.limits.message_bytes => {
                self.fault(Fault::TooLarge);
                there
            }
            (Some(_), _) => {
                self.fault(Fault::BodyTooShort);
                there
            }
            (None, Framing::Datagram) => there,
            (None, Framing::Stream) => {
                self.fault(Fault::Missing(HeaderName::ContentLength));
                0
            }
        };
        let end = body.saturating_add(length);
        self.found.body = Span::new(body, end);
        self.found.whole = Span::new(start.min(end), end);
    }
}

/// RFC 3261 §7.5: CRLF before the start line is ignored.
fn leading_line_ends(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        rest = after;
    }
    bytes.len().saturating_sub(rest.len())
}

/// A header line in its parts.
#[derive(Clone, Copy)]
pub(super) struct HeaderLine<'a> {
    pub(super) name: HeaderName,
    pub(super) name_bytes: usize,
    pub(super) value: &'a [u8],
}

/// Reads the header line at this place, folds included; `None` if it is none.
#[inline]
pub(super) fn header_line(bytes: &[u8], start: usize, end: usize) -> Option<HeaderLine<'_>> {
    // Nearly all lines: a known name, and the colon directly after it.
    if let Some(first) = bytes.get(start..).and_then(|rest| rest.first_chunk())
        && let Some((name, name_bytes)) = HeaderName::before_colon(first)
        && let Some(value) = bytes.get(start.saturating_add(name_bytes)..end)
    {
        let value = scan::trim(value.get(1..).unwrap_or_default());
        return Some(HeaderLine {
            name,
            name_bytes,
            value,
        });
    }
    unusual_header_line(bytes.get(start..end)?)
}

fn unusual_header_line(line: &[u8]) -> Option<HeaderLine<'_>> {
    let name_bytes = line.iter().position(|byte| !scan::is(*byte, TOKEN))?;
    let (name_text, rest) = line.split_at_checked(name_bytes)?;
    // RFC 3261 §25.1, HCOLON: white space before the colon is allowed.
    let value = after_blanks(rest).strip_prefix(b":")?;
    if name_text.is_empty() {
        return None;
    }
    Some(HeaderLine {
        name: HeaderName::from_bytes(name_text),
        name_bytes,
        value: scan::trim(value),
    })
}

fn after_blanks(mut bytes: &[u8]) -> &[u8] {
    while let Some((b' ' | b'\t', rest)) = bytes.split_first() {
        bytes = rest;
    }
    bytes
}
