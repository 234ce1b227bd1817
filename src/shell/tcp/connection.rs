//! One connection: its stream, its TLS if it has one, the messages that are cut out of it, and what is to be written.

use super::shared::Source;
use super::unsent::Unsent;
use crate::shell::intake::Sender;
use crate::shell::kernel::epoll::Interest;
use crate::shell::kernel::option;
use crate::shell::tls::{Progress, Session};
use signaling::sip::message::{Framer, Limits};
use signaling::{ConnectionId, Hop, IdentityId, ListenerId, Transport};
use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Octets that may wait to be written; the other side does not read if there are more.
const UNSENT_MAX: usize = 1024 * 1024;
/// Nothing is expected on a connection that was not used for so long: 64 times T1 of RFC 3261.
const UNUSED_FROM: Duration = Duration::from_secs(32);

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// We asked for it and have no answer yet.
    Connecting,
    /// The TLS handshake is under way.
    Securing,
    /// Messages go both ways.
    Open,
    /// The other side has closed its end. Answers to its requests are still written (RFC 3261 §18.2.2), and it stays
    /// until none is owed and all are acknowledged: only then is it known that they arrived.
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
    pub(super) ends: Ends,
    pub(super) stage: Stage,
    pub(super) framer: Framer,
    /// What epoll watches for.
    pub(super) interest: Interest,
    /// Whether it is on the list of those to write to at the end of the turn.
    pub(super) listed: bool,
    /// Whether it is in the queue of those to read from.
    pub(super) queued: bool,
    /// Whether what it brought waits for another worker: it is not read meanwhile.
    pub(super) stalled: bool,
    opened: Instant,
    stream: TcpStream,
    /// Boxed: most connections have none, and it is large.
    session: Option<Box<Session>>,
    /// Who the other side proved to be.
    identity: Option<IdentityId>,
    unsent: Unsent,
    /// Whether one whole message has come.
    proven: bool,
    /// Requests that came and have no final answer yet. Not exact: some are never answered, some answered twice.
    owed: u32,
    /// When the message that is not complete began to arrive.
    message_began: Option<Instant>,
    /// When something last went either way.
    used: Instant,
}

/// Why there is a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The other side made it.
    Accepted,
    /// We made it for an answer, to where its request told us: who asks often enough has us make many.
    Answers,
    /// We made it for a request of ours.
    Requests,
}

/// The two ends of a connection and what it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) listener: ListenerId,
    pub(super) remote: SocketAddr,
    pub(super) purpose: Purpose,
}

impl Ends {
    /// The source whose connections are one more with it.
    pub(super) fn counted_against(&self) -> Option<Source> {
        match self.purpose {
            Purpose::Accepted | Purpose::Answers => Some(Source::of(self.remote.ip())),
            Purpose::Requests => None,
        }
    }
}

/// What a connection has done for its place, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Merit {
    /// It never brought a whole message, and carries none of ours.
    Unproven,
    /// We made it for an answer, which is not written yet.
    Answering,
    /// The other side has closed, and answers to it are to come.
    Ended,
    /// A message is under way and not complete.
    MidMessage,
    /// Nothing went either way for longer than a transaction takes.
    Unused,
}

impl Connection {
    pub(super) fn new(
        (stream, session): (TcpStream, Option<Session>),
        ends: Ends,
        limits: Limits,
        now: Instant,
    ) -> Self {
        let (stage, interest) = match ends.purpose {
            Purpose::Accepted if session.is_some() => (Stage::Securing, Interest::Read),
            Purpose::Accepted => (Stage::Open, Interest::Read),
            Purpose::Answers | Purpose::Requests => (Stage::Connecting, Interest::Write),
        };
        Self {
            id: UNNAMED,
            ends,
            stage,
            framer: Framer::new(limits),
            interest,
            listed: false,
            queued: false,
            stalled: false,
            opened: now,
            stream,
            session: session.map(Box::new),
            identity: None,
            unsent: Unsent::default(),
            proven: false,
            owed: 0,
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
            transport: self.transport(),
            listener: self.ends.listener,
            remote: self.ends.remote,
            connection: Some(self.id),
            identity: self.identity,
        }
    }

    pub(super) fn transport(&self) -> Transport {
        if self.session.is_some() {
            Transport::Tls
        } else {
            Transport::Tcp
        }
    }

    /// The session, if this is a TLS connection.
    pub(super) fn session(&self) -> Option<&Session> {
        self.session.as_deref()
    }

    /// The other side proved to be somebody.
    pub(super) fn identify(&mut self, identity: Option<IdentityId>) {
        self.identity = identity;
    }

    /// It is connected: what comes next.
    pub(super) fn opened(&mut self) -> Stage {
        self.stage = if self.session.is_some() {
            Stage::Securing
        } else {
            Stage::Open
        };
        self.stage
    }

    /// Takes octets of the socket to the TLS session, and what they bring of SIP to `plain`.
    pub(super) fn unseal(
        &mut self,
        octets: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<Progress, rustls::Error> {
        let Some(session) = &mut self.session else {
            return Ok(Progress::default());
        };
        let progress = session.take_in(octets, plain)?;
        if progress.secured && self.stage == Stage::Securing {
            self.stage = Stage::Open;
        }
        Ok(progress)
    }

    /// Whether a message may still go this way. A request (somebody waits for its answer) does not go where the other
    /// side has already closed.
    pub(super) fn takes(&self, is_request: bool) -> bool {
        match self.stage {
            Stage::Connecting | Stage::Securing | Stage::Open => true,
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
        if self.unsent.wants_to_know() {
            self.forget_arrived();
        }
        self.unsent.push(bytes, remote, sender, again);
        self.owed = self.owed.saturating_sub(is_final(bytes).into());
        self.used = now;
        true
    }

    /// Lets go of what arrived, where nothing was written for a while.
    pub(super) fn tidy(&mut self, now: Instant, patience: Duration) {
        if self.unsent.kept() > 0 && self.is_idle(now, patience) {
            self.forget_arrived();
        }
    }

    fn forget_arrived(&mut self) {
        self.unsent.forget_arrived(self.unacknowledged());
        let of_socket = self.unacknowledged_by_socket();
        if let Some(session) = &mut self.session {
            session.forget_arrived(of_socket);
        }
    }

    /// The other side has closed its end.
    pub(super) fn end(&mut self, now: Instant, patience: Duration) {
        self.used = now;
        self.stage = Stage::Ended {
            until: now + patience,
        };
    }

    /// Whether a request of the other side may still be answered.
    pub(super) fn owes(&self) -> bool {
        self.owed > 0
    }

    #[cfg(test)]
    pub(super) fn unsent_octets(&self) -> usize {
        self.unsent.len()
    }

    /// Whether something waits to be written.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty() || self.session.as_ref().is_some_and(|it| it.has_sealed())
    }

    /// Whether all that was written has arrived.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.unacknowledged() == 0
    }

    /// The messages that did not arrive whole, now that the connection is lost.
    pub(super) fn lost(&self) -> impl Iterator<Item = super::unsent::Lost<'_>> {
        self.unsent.lost(self.unacknowledged())
    }

    /// The messages that the other side cannot have read, now that its TLS failed before it said anything: it may have
    /// refused our certificate after all that we wrote had arrived (RFC 8446 §4.4.2.4).
    pub(super) fn unread(&self) -> impl Iterator<Item = super::unsent::Lost<'_>> {
        let count = if self.proven {
            self.unacknowledged()
        } else {
            usize::MAX
        };
        self.unsent.lost(count)
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

    /// Writes what waits and may be written; `true` when none of it is left.
    pub(super) fn write(&mut self) -> io::Result<bool> {
        let Some(session) = &mut self.session else {
            return self.unsent.write_to(&mut self.stream);
        };
        loop {
            if !session.write_to(&mut self.stream)? {
                return Ok(false);
            }
            if self.unsent.is_empty() || session.is_handshaking() {
                return Ok(true);
            }
            self.unsent.write_to(session.as_mut())?;
        }
    }

    /// So many requests came that get a final answer.
    pub(super) fn note_requests(&mut self, count: u32) {
        self.owed = self.owed.saturating_add(count);
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

    /// Whether it is to be kept alive: we made it, and nothing went either way for so long.
    pub(super) fn wants_ping(&self, now: Instant, patience: Duration) -> bool {
        self.ends.purpose == Purpose::Requests && !patience.is_zero() && self.is_idle(now, patience)
    }

    /// How little it has earned its place, and since when; `None` if it has.
    pub(super) fn merit(&self, now: Instant) -> Option<(Merit, Instant)> {
        let is_of_others = self.ends.counted_against().is_some();
        match (self.stage, self.message_began) {
            (Stage::Connecting | Stage::Securing | Stage::Open, _)
                if is_of_others && !self.proven =>
            {
                if self.ends.purpose == Purpose::Answers
                    && (self.has_unsent() || self.stage == Stage::Connecting)
                {
                    Some((Merit::Answering, self.opened))
                } else {
                    Some((Merit::Unproven, self.opened))
                }
            }
            (Stage::Lingering { .. }, _) => Some((Merit::Unproven, self.opened)),
            (Stage::Ended { .. }, _) => Some((Merit::Ended, self.used)),
            (Stage::Open, Some(began)) if is_of_others => Some((Merit::MidMessage, began)),
            (Stage::Connecting | Stage::Securing | Stage::Open, _) => self
                .is_idle(now, UNUSED_FROM)
                .then_some((Merit::Unused, self.used)),
        }
    }

    /// What epoll is to watch for.
    pub(super) fn interest_wanted(&self) -> Interest {
        match (self.stage, self.has_unsent()) {
            (Stage::Connecting, _) => Interest::Write,
            // Messages wait for the handshake, and it for the other side.
            (Stage::Securing, _) if self.session.as_ref().is_none_or(|it| !it.has_sealed()) => {
                Interest::Read
            }
            (Stage::Securing | Stage::Open | Stage::Lingering { .. }, true) => Interest::ReadWrite,
            (Stage::Securing | Stage::Open | Stage::Lingering { .. }, false) => Interest::Read,
            // Its end stays readable for ever.
            (Stage::Ended { .. }, true) => Interest::Write,
            (Stage::Ended { .. }, false) => Interest::Nothing,
        }
    }

    /// Shuts our end, once everything is written. The other side may have gone already.
    pub(super) fn shut(&mut self) {
        if let Stage::Lingering { until, shut: false } = self.stage {
            if let Some(session) = &mut self.session {
                session.close();
                // What does not go now is not waited for: the end of the stream says the same.
                drop(session.write_to(&mut self.stream));
            }
            drop(self.stream.shutdown(Shutdown::Write));
            self.stage = Stage::Lingering { until, shut: true };
        }
    }

    /// Octets of messages that were written and may not have arrived.
    fn unacknowledged(&self) -> usize {
        let of_socket = self.unacknowledged_by_socket();
        self.session
            .as_ref()
            .map_or(of_socket, |session| session.unacknowledged(of_socket))
    }

    fn unacknowledged_by_socket(&self) -> usize {
        // The call cannot fail on a stream; if it did, nothing would be sent twice.
        option::unacknowledged(self.stream.as_fd()).unwrap_or(0)
    }
}

/// Whether a message is a request that gets a final answer.
pub(super) fn wants_answer(bytes: &[u8]) -> bool {
    !bytes.starts_with(b"SIP/") && !bytes.starts_with(b"ACK ")
}

/// Whether a message of ours is a final answer.
fn is_final(bytes: &[u8]) -> bool {
    bytes
        .strip_prefix(b"SIP/2.0 ")
        .and_then(<[u8]>::first)
        .is_some_and(|digit| (b'2'..=b'6').contains(digit))
}
