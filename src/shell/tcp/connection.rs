//! One TCP connection: its stream, the messages that are cut out of it, and what is to be written.

use super::unsent::Unsent;
use crate::shell::intake::Sender;
use crate::shell::kernel::epoll::Interest;
use crate::shell::kernel::option;
use signaling::sip::message::{Framer, Limits};
use signaling::{ConnectionId, Hop, ListenerId, Transport};
use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Octets that may wait to be written; the other side does not read if there are more.
const UNSENT_MAX: usize = 1024 * 1024;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// We asked for it and have no answer yet.
    Connecting,
    /// Messages go both ways.
    Open,
    /// The other side has closed. Answers are still written, and it stays until they are acknowledged: only then is it
    /// known that they arrived.
    Ended { until: Instant },
    /// We close. What waits is written, our end is shut, and what still comes is thrown away, since closing on unread
    /// octets would reset the connection and destroy our last answer on its way.
    Lingering { until: Instant, shut: bool },
}

/// What one read found.
#[derive(Debug)]
pub(super) enum Octets {
    /// So many are in the buffer.
    Some(usize),
    /// Nothing now.
    None,
    /// The other side has closed its end.
    End,
}

/// The id of a connection that the table has not named yet.
const UNNAMED: ConnectionId = ConnectionId(NonZeroU64::MAX);

pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) listener: ListenerId,
    pub(super) remote: SocketAddr,
    /// Whether the other side made it.
    pub(super) accepted: bool,
    pub(super) stage: Stage,
    pub(super) framer: Framer,
    /// What epoll watches for.
    pub(super) interest: Interest,
    /// Whether it is on the list of those to write to at the end of the turn.
    pub(super) listed: bool,
    pub(super) opened: Instant,
    stream: TcpStream,
    unsent: Unsent,
    /// Whether one whole message has come.
    proven: bool,
    /// When the message that is not complete began to arrive.
    message_began: Option<Instant>,
    /// When something last went either way.
    used: Instant,
}

/// The two ends of a connection and who made it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) listener: ListenerId,
    pub(super) remote: SocketAddr,
    pub(super) accepted: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, ends: Ends, limits: Limits, now: Instant) -> Self {
        Self {
            id: UNNAMED,
            listener: ends.listener,
            remote: ends.remote,
            accepted: ends.accepted,
            stage: if ends.accepted {
                Stage::Open
            } else {
                Stage::Connecting
            },
            framer: Framer::new(limits),
            interest: if ends.accepted {
                Interest::Read
            } else {
                Interest::Write
            },
            listed: false,
            opened: now,
            stream,
            unsent: Unsent::default(),
            proven: false,
            message_began: None,
            used: now,
        }
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Where messages that come on it come from.
    pub(super) fn hop(&self) -> Hop {
        Hop {
            transport: Transport::Tcp,
            listener: self.listener,
            remote: self.remote,
            connection: Some(self.id),
        }
    }

    /// Whether a message may still go this way. A request (somebody waits for its answer) does not go where the other
    /// side has already closed.
    pub(super) fn takes(&self, is_request: bool) -> bool {
        match self.stage {
            Stage::Connecting | Stage::Open => true,
            Stage::Ended { .. } => !is_request,
            Stage::Lingering { shut, .. } => !shut && !is_request,
        }
    }

    /// Adds a message to what is written at the end of the turn; `false` when too much waits already.
    pub(super) fn push(
        &mut self,
        now: Instant,
        bytes: &[u8],
        remote: SocketAddr,
        sender: Option<Sender>,
        again: bool,
    ) -> bool {
        if self.unsent.len() + bytes.len() > UNSENT_MAX {
            return false;
        }
        self.unsent.push(bytes, remote, sender, again);
        self.used = now;
        true
    }

    /// Whether something waits to be written.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Whether all that was written has arrived.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.unacknowledged() == 0
    }

    /// The messages that did not arrive whole, now that the connection is lost.
    pub(super) fn lost(&self) -> impl Iterator<Item = super::unsent::Lost<'_>> {
        self.unsent.lost(self.unacknowledged())
    }

    /// The answer to our connecting.
    pub(super) fn connected(&self) -> io::Result<()> {
        self.stream.take_error()?.map_or(Ok(()), Err)
    }

    /// Reads once.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Octets> {
        match self.stream.read(buffer) {
            Ok(0) => Ok(Octets::End),
            Ok(count) => Ok(Octets::Some(count)),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Ok(Octets::None)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes what waits; `true` when nothing is left.
    pub(super) fn write(&mut self) -> io::Result<bool> {
        self.unsent.write_to(&mut self.stream)
    }

    /// Notes whether a message is under way, after octets came and `complete` messages were cut out of them.
    pub(super) fn note_progress(&mut self, now: Instant, complete: usize) {
        self.used = now;
        self.proven |= complete > 0;
        if !self.framer.is_mid_message() {
            self.message_began = None;
        } else if complete > 0 || self.message_began.is_none() {
            self.message_began = Some(now);
        }
    }

    /// Whether a message has been under way for so long.
    pub(super) fn is_too_slow(&self, now: Instant, patience: Duration) -> bool {
        self.message_began
            .is_some_and(|began| now.saturating_duration_since(began) >= patience)
    }

    /// Whether nothing went either way for so long.
    pub(super) fn is_idle(&self, now: Instant, patience: Duration) -> bool {
        now.saturating_duration_since(self.used) >= patience
    }

    /// Since when it holds a place without earning it, and whether it has earned one before: `false` if no whole
    /// message ever came, `true` if one is under way.
    pub(super) fn unearned_since(&self) -> Option<(bool, Instant)> {
        match (self.accepted, self.proven) {
            (false, _) => None,
            (true, false) => Some((false, self.opened)),
            (true, true) => self.message_began.map(|began| (true, began)),
        }
    }

    /// What epoll is to watch for.
    pub(super) fn interest_wanted(&self) -> Interest {
        match (self.stage, self.has_unsent()) {
            (Stage::Connecting, _) => Interest::Write,
            (Stage::Open | Stage::Lingering { .. }, true) => Interest::ReadWrite,
            (Stage::Open | Stage::Lingering { .. }, false) => Interest::Read,
            // Its end stays readable for ever.
            (Stage::Ended { .. }, true) => Interest::Write,
            (Stage::Ended { .. }, false) => Interest::Nothing,
        }
    }

    /// Shuts our end, once everything is written. The other side may have gone already.
    pub(super) fn shut(&mut self) {
        if let Stage::Lingering { until, shut: false } = self.stage {
            drop(self.stream.shutdown(Shutdown::Write));
            self.stage = Stage::Lingering { until, shut: true };
        }
    }

    fn unacknowledged(&self) -> usize {
        // The call cannot fail on a stream; if it did, nothing would be sent twice.
        option::unacknowledged(self.stream.as_fd()).unwrap_or(0)
    }
}
