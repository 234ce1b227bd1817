//! What a connection still has to write, and what the other side has not yet acknowledged.
//!
//! Messages of a turn stand in one buffer, so one write takes them all. What was written stays there until the next
//! message comes: when the connection turns out to have been closed under it, what the other side's kernel never
//! acknowledged can be sent again on a fresh connection, and what it did acknowledge is not sent twice.

use crate::shell::intake::Sender;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;

/// Written bytes are moved out of the way when they are at least so many and more than half of the buffer.
const COMPACT_FROM: usize = 64 * 1024;
/// An empty buffer with more room than this is given back.
const IDLE_ROOM_MAX: usize = 64 * 1024;

/// One message in the buffer.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Where it ends; it begins where the one before ends.
    end: usize,
    remote: SocketAddr,
    sender: Option<Sender>,
    /// It was lost with a connection once already.
    again: bool,
}

/// A message that was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost<'a> {
    /// Its bytes.
    pub(super) bytes: &'a [u8],
    /// Where it was to go: a fresh connection is made to there.
    pub(super) remote: SocketAddr,
    /// Who wants to know.
    pub(super) sender: Option<Sender>,
    /// Whether it may be sent once more: no octet of it arrived, and it was not lost before.
    pub(super) whole: bool,
}

/// The buffer of one connection.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    bytes: Vec<u8>,
    written: usize,
    marks: Vec<Mark>,
}

impl Unsent {
    /// Octets that wait to be written.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a message; `again` when it was lost before.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        remote: SocketAddr,
        sender: Option<Sender>,
        again: bool,
    ) {
        if self.is_empty() {
            self.forget_written();
        } else if self.written >= COMPACT_FROM && self.written * 2 > self.bytes.len() {
            self.compact();
        }
        self.bytes.extend_from_slice(bytes);
        self.marks.push(Mark {
            end: self.bytes.len(),
            remote,
            sender,
            again,
        });
    }

    /// Writes as much as goes; `true` when nothing is left.
    pub(super) fn write_to(&mut self, stream: &mut impl Write) -> io::Result<bool> {
        while let Some(rest) = self
            .bytes
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
        {
            match stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// The messages that did not arrive whole, when so many of the octets written were never acknowledged.
    pub(super) fn lost(&self, unacknowledged: usize) -> impl Iterator<Item = Lost<'_>> {
        let arrived = self.written.saturating_sub(unacknowledged);
        let mut start = 0;
        self.marks.iter().filter_map(move |mark| {
            let begin = std::mem::replace(&mut start, mark.end);
            let bytes = self.bytes.get(begin..mark.end)?;
            let whole = begin >= arrived && !mark.again;
            (mark.end > arrived).then_some(Lost {
                bytes,
                remote: mark.remote,
                sender: mark.sender,
                whole,
            })
        })
    }

    /// Drops what was written, now that it matters no more.
    fn forget_written(&mut self) {
        if self.bytes.capacity() > IDLE_ROOM_MAX {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.marks.clear();
        self.written = 0;
    }

    /// Moves what is not written to the front. A message that is written in part is kept whole, so marks stay true.
    fn compact(&mut self) {
        let done = self.marks.partition_point(|mark| mark.end <= self.written);
        let Some(front) = done
            .checked_sub(1)
            .and_then(|last| self.marks.get(last))
            .map(|mark| mark.end)
        else {
            return;
        };
        self.marks.drain(..done);
        for mark in &mut self.marks {
            mark.end -= front;
        }
        self.bytes.drain(..front);
        self.written -= front;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Takes so many octets a call, then blocks.
    struct Narrow(Cell<usize>, Vec<u8>);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.0.replace(0));
            if count == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.1.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn remote() -> SocketAddr {
        ([192, 0, 2, 1], 5060).into()
    }

    fn lost(unsent: &Unsent, unacknowledged: usize) -> Vec<(&[u8], bool)> {
        unsent
            .lost(unacknowledged)
            .map(|lost| (lost.bytes, lost.whole))
            .collect()
    }

    #[test]
    fn knows_what_arrived_and_what_did_not() {
        let mut unsent = Unsent::default();
        for text in [&b"one"[..], b"two", b"three"] {
            unsent.push(text, remote(), None, false);
        }
        assert_eq!(
            lost(&unsent, 0),
            [(&b"one"[..], true), (b"two", true), (b"three", true)]
        );
        let mut stream = Narrow(Cell::new(7), Vec::new());
        assert!(!unsent.write_to(&mut stream).unwrap());
        assert_eq!(unsent.len(), 4);
        assert_eq!(
            lost(&unsent, 0),
            [(&b"three"[..], false)],
            "a part of it arrived"
        );
        assert_eq!(lost(&unsent, 1), [(&b"three"[..], true)]);
        assert_eq!(lost(&unsent, 2), [(&b"two"[..], false), (b"three", true)]);
        stream.0.set(100);
        assert!(unsent.write_to(&mut stream).unwrap());
        assert_eq!(stream.1, b"onetwothree");
        assert_eq!(lost(&unsent, 0), []);
        assert_eq!(
            lost(&unsent, 5),
            [(&b"three"[..], true)],
            "written, but it never arrived"
        );
        unsent.push(b"four", remote(), None, true);
        assert_eq!(
            lost(&unsent, 0),
            [(&b"four"[..], false)],
            "lost twice is lost"
        );
        assert_eq!(unsent.len(), 4);
    }

    #[test]
    fn a_congested_stream_keeps_its_octets_in_order() {
        let mut unsent = Unsent::default();
        let mut stream = Narrow(Cell::new(0), Vec::new());
        let mut expected = Vec::new();
        for round in 0..200usize {
            let text = vec![b'a' + u8::try_from(round % 26).unwrap(); 1 + round * 13 % 3000];
            expected.extend_from_slice(&text);
            unsent.push(&text, remote(), None, false);
            stream.0.set(round * 7 % 2900);
            unsent.write_to(&mut stream).unwrap();
            let waiting: usize = expected.len() - stream.1.len();
            assert_eq!(unsent.len(), waiting);
        }
        stream.0.set(usize::MAX);
        assert!(unsent.write_to(&mut stream).unwrap());
        assert_eq!(stream.1, expected);
    }
}
