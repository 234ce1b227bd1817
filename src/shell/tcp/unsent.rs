//! What a connection still has to write, and what the other side has not yet acknowledged.
//!
//! Messages stand in one buffer, so one write takes all of a turn. What was written stays there until the kernel says
//! that it arrived: when the connection turns out to have been closed under it, what the other side's kernel never
//! acknowledged can be sent again on a fresh connection, and what it did acknowledge is not sent twice. The kernel is
//! asked only now and then, so what is kept is bounded and not exact.

use crate::shell::intake::Sender;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;

/// Written octets that are kept before the kernel is asked how many of them arrived.
const ASK_FROM: usize = 64 * 1024;
/// Written octets that are kept at most; of what is older only the senders are known.
const KEPT_MAX: usize = 1024 * 1024;
/// An empty buffer with more room than this is given back.
const IDLE_ROOM_MAX: usize = 4 * 1024;

/// One message. Positions count from the beginning of the stream.
#[derive(Clone, Copy, Debug)]
struct Mark {
    begin: u64,
    end: u64,
    remote: SocketAddr,
    sender: Option<Sender>,
    /// It was lost with a connection once already.
    again: bool,
}

/// A message that was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost<'a> {
    /// Its bytes; none if they are not kept any more.
    pub(super) bytes: &'a [u8],
    /// Where it was to go: a fresh connection is made to there.
    pub(super) remote: SocketAddr,
    /// Who wants to know.
    pub(super) sender: Option<Sender>,
    /// Whether it may be sent once more: no octet of it arrived, it was not lost before, and its bytes are here.
    pub(super) whole: bool,
}

/// The buffer of one connection.
#[derive(Debug)]
pub(super) struct Unsent {
    bytes: Vec<u8>,
    /// Where in the stream `bytes` begins.
    base: u64,
    /// How much of the stream is written.
    written: u64,
    marks: VecDeque<Mark>,
    /// Written octets from which the kernel is asked.
    ask_from: usize,
}

impl Default for Unsent {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            base: 0,
            written: 0,
            marks: VecDeque::new(),
            ask_from: ASK_FROM,
        }
    }
}

impl Unsent {
    /// Octets that wait to be written.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.kept()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets that were written and are kept.
    pub(super) fn kept(&self) -> usize {
        usize::try_from(self.written - self.base).unwrap_or(usize::MAX)
    }

    /// Whether it is time to ask the kernel what arrived, and to tell [`Unsent::forget_arrived`].
    pub(super) fn wants_to_know(&self) -> bool {
        self.kept() >= self.ask_from
    }

    /// Adds a message; `again` when it was lost before.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        remote: SocketAddr,
        sender: Option<Sender>,
        again: bool,
    ) {
        let begin = self.base + self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        self.marks.push_back(Mark {
            begin,
            end: begin + bytes.len() as u64,
            remote,
            sender,
            again,
        });
    }

    /// Writes as much as goes; `true` when nothing is left.
    pub(super) fn write_to(&mut self, stream: &mut impl Write) -> io::Result<bool> {
        while let Some(rest) = self
            .bytes
            .get(self.kept()..)
            .filter(|rest| !rest.is_empty())
        {
            match stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Forgets what arrived whole, when so many of the octets written were not acknowledged yet, and what is too much to
    /// keep.
    pub(super) fn forget_arrived(&mut self, unacknowledged: usize) {
        let arrived = self.arrived(unacknowledged);
        while self
            .marks
            .pop_front_if(|mark| mark.end <= arrived)
            .is_some()
        {}
        let first = self.marks.front().map_or(self.written, |mark| mark.begin);
        // Of the oldest only the senders may be left.
        self.cut(first.clamp(self.base, self.written));
        if self.kept() > KEPT_MAX {
            let oldest = self.written - KEPT_MAX as u64;
            let kept = self.marks.iter().find(|mark| mark.begin >= oldest);
            // A message longer than what is kept is not cut while it is being written.
            let first = kept.map_or(self.base, |mark| mark.begin.min(self.written));
            self.marks
                .retain(|mark| mark.begin >= first || mark.sender.is_some());
            self.cut(first);
        }
        self.ask_from = self.kept() + ASK_FROM;
        if self.bytes.is_empty() && self.bytes.capacity() > IDLE_ROOM_MAX {
            self.bytes = Vec::new();
            self.marks = VecDeque::new();
        }
    }

    /// The messages that did not arrive whole, when so many of the octets written were never acknowledged.
    pub(super) fn lost(&self, unacknowledged: usize) -> impl Iterator<Item = Lost<'_>> {
        let arrived = self.arrived(unacknowledged);
        let marks = self.marks.iter().filter(move |mark| mark.end > arrived);
        marks.map(move |mark| {
            let bytes = self.kept_bytes(mark);
            Lost {
                bytes: bytes.unwrap_or(&[]),
                remote: mark.remote,
                sender: mark.sender,
                whole: bytes.is_some() && mark.begin >= arrived && !mark.again,
            }
        })
    }

    fn arrived(&self, unacknowledged: usize) -> u64 {
        self.written.saturating_sub(unacknowledged as u64)
    }

    fn kept_bytes(&self, mark: &Mark) -> Option<&[u8]> {
        let begin = usize::try_from(mark.begin.checked_sub(self.base)?).ok()?;
        let end = usize::try_from(mark.end.checked_sub(self.base)?).ok()?;
        self.bytes.get(begin..end)
    }

    /// Lets go of the octets before a position.
    fn cut(&mut self, first: u64) {
        debug_assert!(
            self.base <= first && first <= self.written,
            "what is not written stays"
        );
        let count = usize::try_from(first - self.base).unwrap_or(0);
        self.bytes.drain(..count.min(self.bytes.len()));
        self.base = first;
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

    #[test]
    fn what_was_written_is_kept_until_it_arrived() {
        let mut unsent = Unsent::default();
        let mut stream = Narrow(Cell::new(0), Vec::new());
        let text = |number: usize| vec![b'a' + u8::try_from(number % 26).unwrap(); 1000];
        let mut number = 0;
        while !unsent.wants_to_know() {
            unsent.push(&text(number), remote(), None, false);
            stream.0.set(usize::MAX);
            assert!(unsent.write_to(&mut stream).unwrap());
            number += 1;
        }
        assert_eq!(number, 66, "the kernel is asked once in 64 KiB");
        assert_eq!(lost(&unsent, 66_000).len(), 66, "nothing was forgotten");
        unsent.forget_arrived(2_500);
        assert_eq!(unsent.kept(), 3_000, "a part of a message is kept whole");
        assert!(!unsent.wants_to_know());
        unsent.push(b"next", remote(), None, false);
        let last = [text(63), text(64), text(65), b"next".to_vec()];
        let expected = [
            (last[0].as_slice(), false),
            (&last[1], true),
            (&last[2], true),
            (&last[3], true),
        ];
        assert_eq!(lost(&unsent, 2_500), expected);
        assert_eq!(unsent.len(), 4);
        stream.0.set(usize::MAX);
        unsent.write_to(&mut stream).unwrap();
        unsent.forget_arrived(0);
        assert_eq!((unsent.kept(), lost(&unsent, 0).len()), (0, 0));
    }

    #[test]
    fn of_what_is_too_much_to_keep_nothing_is_sent_again() {
        let mut unsent = Unsent::default();
        let mut stream = Narrow(Cell::new(0), Vec::new());
        let text = vec![b'x'; 50_000];
        for _ in 0..60 {
            unsent.push(&text, remote(), None, false);
            stream.0.set(usize::MAX);
            unsent.write_to(&mut stream).unwrap();
            if unsent.wants_to_know() {
                // The other side acknowledges nothing.
                unsent.forget_arrived(usize::MAX);
            }
        }
        assert!(unsent.kept() <= KEPT_MAX + ASK_FROM + text.len());
        let lost = lost(&unsent, usize::MAX);
        assert!((20..25).contains(&lost.len()), "{}", lost.len());
        assert!(lost.iter().all(|(bytes, whole)| *whole && *bytes == text));
    }
}
