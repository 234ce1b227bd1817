//! Cutting a stream into messages (RFC 3261 §18.3, RFC 5626 §4.4.1).
//!
//! Bytes go in as they arrive, frames come out; how the stream was chopped makes no difference.
//! The buffer grows with what has arrived, never with what a Content-Length promises, and gives
//! its memory back. After a fault the end of the message cannot be known, so that nothing more
//! comes out. The framer knows no clock: [`Framer::is_mid_message`] is for whoever does.

use super::index::header_line;
use super::line::LineEnds;
use super::start_line::has_version;
use super::{Fault, HeaderName, Limits, scan};

/// What a stream brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// One message, from its start line to the end of its body; not judged beyond its length.
    Message(&'a [u8]),
    /// A keep-alive, CRLF CRLF, to be answered with CRLF.
    Ping,
    /// The answer to a keep-alive, one CRLF.
    Pong,
    /// A message whose end cannot be known. The stream must be closed.
    Fault {
        /// The header of the message, as far as it is there: enough to answer it.
        bytes: &'a [u8],
        /// What is wrong.
        fault: Fault,
    },
}

/// Why a framer takes no more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// The stream had a fault before; it must be closed.
    #[error("the stream had a message whose end cannot be known")]
    Closed,
    /// More bytes than a message and one reading of the socket; the frames were not taken out.
    #[error("more bytes are waiting than one message may have")]
    Overflow,
}

/// Where in a message the framer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between messages.
    Between,
    /// Within a header; everything before `scanned` was looked at, `line` is where the line began.
    Header { scanned: usize, line: usize },
    /// The header is complete and the message has this many bytes.
    Body { total: usize },
    /// After a fault.
    Closed,
}

/// What is kept of an empty buffer.
const CAPACITY_KEPT: usize = 8 * 1024;

/// One direction of one stream.
#[derive(Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    /// What was handed out already.
    consumed: usize,
    state: State,
    limits: Limits,
}

impl Framer {
    /// A framer for the start of a stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            buffer: Vec::new(),
            consumed: 0,
            state: State::Between,
            limits: limits.clamped(),
        }
    }

    /// Takes what the stream brought. Then ask for frames until there is none.
    ///
    /// # Errors
    /// [`StreamFault`] if the stream is to be closed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), StreamFault> {
        if self.state == State::Closed {
            return Err(StreamFault::Closed);
        }
        self.drop_consumed();
        if self.buffer.len() > self.limits.message_bytes {
            return Err(StreamFault::Overflow);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The next frame; `None` if it is not all there.
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        loop {
            match self.state {
                State::Between => match self.between()? {
                    Between::Ping => return Some(Frame::Ping),
                    Between::Pong => return Some(Frame::Pong),
                    Between::Start => {
                        self.state = State::Header {
                            scanned: 0,
                            line: 0,
                        }
                    }
                },
                State::Header { scanned, line } => match self.find_header_end(scanned, line) {
                    Some(head) => {
                        if let Err(fault) = self.measure(head) {
                            return Some(self.close(head, fault));
                        }
                    }
                    None if self.rest().len() > self.limits.message_bytes => {
                        return Some(self.close(self.limits.message_bytes, Fault::TooLarge));
                    }
                    None => return None,
                },
                State::Body { total } => {
                    if self.rest().len() < total {
                        return None;
                    }
                    self.state = State::Between;
                    return Some(Frame::Message(self.consume(total)));
                }
                State::Closed => return None,
            }
        }
    }

    /// Whether a message has begun and is not complete: such a stream has a deadline.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        match self.state {
            State::Between => false,
            State::Header { .. } | State::Body { .. } => true,
            State::Closed => false,
        }
    }

    /// How many bytes wait for the rest of their message.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.rest().len()
    }

    /// How much memory the buffer has.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Takes a CRLF with nothing after it.
    ///
    /// It is either a pong or the first half of a ping, so that [`Framer::next_frame`] waits for
    /// what follows. Whoever has sent a ping asks here.
    pub fn take_pong(&mut self) -> bool {
        let is_pong = self.state == State::Between && self.rest() == b"\r\n";
        if is_pong {
            self.consume(2);
        }
        is_pong
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.consumed..).unwrap_or_default()
    }

    fn consume(&mut self, count: usize) -> &[u8] {
        let start = self.consumed;
        self.consumed = start.saturating_add(count).min(self.buffer.len());
        self.buffer.get(start..self.consumed).unwrap_or_default()
    }

    fn between(&mut self) -> Option<Between> {
        match self.rest() {
            [] | [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => None,
            [b'\r', b'\n', b'\r', b'\n', ..] => {
                self.consume(4);
                Some(Between::Ping)
            }
            [b'\r', b'\n', ..] => {
                self.consume(2);
                Some(Between::Pong)
            }
            _ => Some(Between::Start),
        }
    }

    /// The length of the header with its empty line, if that has come.
    ///
    /// A CR or LF alone counts as a line end, as it does in [`Index`](super::Index), which then
    /// names the fault: two readers that do not agree on where a header ends can be made to disagree on purpose.
    fn find_header_end(&mut self, scanned: usize, line: usize) -> Option<usize> {
        let (mut scanned, mut line) = (scanned, line);
        let mut found = None;
        let rest = self.buffer.get(self.consumed..).unwrap_or_default();
        let limit = self.limits.message_bytes;
        let mut ends = LineEnds::new(rest, scanned);
        loop {
            let Some(end) = ends.next_line() else {
                scanned = rest.len();
                break;
            };
            if end.is_bare && end.next == rest.len() && rest.last() == Some(&b'\r') {
                // Whether an LF follows is not known yet.
                scanned = end.end;
                break;
            }
            let is_empty = end.end == line;
            (scanned, line) = (end.next, end.next);
            if is_empty {
                found = Some(line).filter(|head| *head <= limit);
                break;
            }
        }
        self.state = State::Header { scanned, line };
        found
    }

    /// Finds out how long the message is whose header has this length.
    fn measure(&mut self, head: usize) -> Result<(), Fault> {
        let header = self.rest().get(..head).unwrap_or_default();
        let total = message_bytes(header, self.limits)?;
        self.state = State::Body { total };
        Ok(())
    }

    fn close(&mut self, head: usize, fault: Fault) -> Frame<'_> {
        self.state = State::Closed;
        Frame::Fault {
            bytes: self.consume(head),
            fault,
        }
    }

    fn drop_consumed(&mut self) {
        if self.consumed == 0 {
            return;
        }
        self.buffer.drain(..self.consumed.min(self.buffer.len()));
        self.consumed = 0;
        // One large message must not cost its memory for the life of the connection.
        if self.buffer.len() < CAPACITY_KEPT && self.buffer.capacity() > 2 * CAPACITY_KEPT {
            self.buffer.shrink_to(CAPACITY_KEPT);
        }
    }
}

enum Between {
    Ping,
    Pong,
    Start,
}

/// The length of the message with this header (RFC 3261 §18.3).
fn message_bytes(header: &[u8], limits: Limits) -> Result<usize, Fault> {
    let mut ends = LineEnds::new(header, 0);
    let mut length = None;
    let mut start = 0;
    let mut is_first = true;
    while let Some(mut line) = ends.next_line() {
        let mut is_bare = line.is_bare;
        while !is_first && matches!(header.get(line.next), Some(b' ' | b'\t')) {
            let Some(fold) = ends.next_line() else { break };
            is_bare |= fold.is_bare;
            line = fold;
        }
        if is_bare {
            return Err(Fault::BareLineEnd);
        }
        if is_first {
            if !has_version(header.get(..line.end).unwrap_or_default()) {
                return Err(Fault::NotSip);
            }
        } else if let Some(line) = header_line(header, start, line.end)
            && line.name == HeaderName::ContentLength
        {
            if length.is_some() {
                return Err(Fault::Duplicate(HeaderName::ContentLength));
            }
            length = Some(scan::number(line.value).ok_or(Fault::BadContentLength)?);
        }
        is_first = false;
        start = line.next;
    }
    let length = length.ok_or(Fault::Missing(HeaderName::ContentLength))?;
    let total = usize::try_from(length)
        .unwrap_or(usize::MAX)
        .saturating_add(header.len());
    if total > limits.message_bytes {
        Err(Fault::TooLarge)
    } else {
        Ok(total)
    }
}
