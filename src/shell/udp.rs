//! One UDP socket of a worker: batches in, batches out, and what the kernel would not take yet.

use super::counters::Counters;
use super::intake::{Failure, Intake, Sender};
use super::kernel::batch::{BATCH, Inbound, Outbound, Sent};
use super::kernel::epoll::Interest;
use super::kernel::option;
use super::trouble;
use signaling::{Hop, ListenerId, Transmit, Transport, Trouble};
use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Most datagrams that wait for the kernel. They are answers and repeats that are worth little when late.
const BACKLOG_MAX: usize = 4096;

/// How long datagrams are stamped after the last full batch.
const STAMPING_MIN: Duration = Duration::from_secs(1);

/// RFC 3261 §18.1.1: a request longer than this should not go over UDP where the path's MTU is unknown.
const LARGE_FROM: usize = 1300;

/// A datagram that waits.
struct Waiting {
    remote: SocketAddr,
    sender: Option<Sender>,
    bytes: Vec<u8>,
}

/// The socket and what is to leave from it.
pub(super) struct Udp {
    socket: UdpSocket,
    listener: ListenerId,
    /// What this turn sends; the bytes are in the worker's outbox.
    pending: Vec<Transmit>,
    backlog: VecDeque<Waiting>,
    interest: Interest,
    dropped_before: u32,
    /// Since when each datagram is stamped: a full batch came then, for the last time so far.
    stamped: Option<Instant>,
}

/// What one read gave.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Received {
    /// Datagrams.
    pub(super) count: usize,
    /// How long the oldest of them had waited, as far as that is measured.
    pub(super) waited: Duration,
    /// Whether the kernel dropped others since the last read.
    pub(super) has_lost: bool,
}

impl Udp {
    pub(super) fn new(socket: UdpSocket, listener: ListenerId) -> Self {
        Self {
            socket,
            listener,
            pending: Vec::new(),
            backlog: VecDeque::new(),
            interest: Interest::Read,
            dropped_before: 0,
            stamped: None,
        }
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Where a datagram that came to this socket came from.
    pub(super) fn source(&self, remote: SocketAddr) -> Hop {
        Hop {
            transport: Transport::Udp,
            listener: self.listener,
            remote,
            connection: None,
            identity: None,
        }
    }

    /// Reads one batch.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        inbound: &mut Inbound,
        counters: &Counters,
    ) -> Received {
        let Ok(count) = inbound.receive(self.socket.as_fd()) else {
            // The kernel was out of memory or told of an earlier datagram; the next read is a new one.
            counters.receive_errors.add(1);
            return Received::default();
        };
        counters.datagrams_in.add(count);
        let mut has_lost = false;
        if let Some(dropped) = inbound.dropped() {
            // The kernel counts from the socket's first day, modulo 2^32.
            let lost = dropped.wrapping_sub(self.dropped_before);
            counters.datagrams_dropped_by_kernel.add(lost as usize);
            has_lost = lost > 0;
            self.dropped_before = dropped;
        }
        let waited = match self.stamped {
            Some(_) => inbound.waited(),
            None => Duration::ZERO,
        };
        self.watch_the_queue(now, count);
        Received {
            count,
            waited,
            has_lost,
        }
    }

    /// Has datagrams stamped while batches are full. A stamp costs a little for each one, and when batches are not full
    /// nothing waits.
    fn watch_the_queue(&mut self, now: Instant, count: usize) {
        let is_over = |since: Instant| now.saturating_duration_since(since) > STAMPING_MIN;
        if count == BATCH {
            let is_on = self.stamped.is_some() || option::stamp(self.socket.as_fd(), true).is_ok();
            self.stamped = is_on.then_some(now);
        } else if self.stamped.is_some_and(is_over)
            && option::stamp(self.socket.as_fd(), false).is_ok()
        {
            self.stamped = None;
        }
    }

    /// Adds a message to what this turn sends.
    pub(super) fn push(&mut self, transmit: Transmit, length: usize, counters: &Counters) {
        debug_assert!(
            transmit.hop.transport == Transport::Udp,
            "a stream's message does not come here"
        );
        // Who waits for a failure has sent a request.
        if transmit.ticket.is_some() && length > LARGE_FROM {
            counters.datagrams_large_requests.add(1);
        }
        self.pending.push(transmit);
    }

    /// Sends what the turn has to send. What can never be sent is added to `failures`; what the kernel
    /// does not take now waits, and is sent first when it does.
    pub(super) fn send(
        &mut self,
        intake: &Intake,
        outbound: &mut Outbound,
        failures: &mut Vec<Failure>,
    ) {
        let (worker, counters) = (&intake.worker, intake.counters.as_ref());
        let mut done = 0;
        while self.backlog.is_empty() && done < self.pending.len() {
            let rest = self.pending.get(done..).unwrap_or(&[]);
            let datagrams = rest
                .iter()
                .map(|transmit| (transmit.hop.remote, worker.bytes(transmit.span)));
            let sent = outbound.send(self.socket.as_fd(), datagrams);
            let first = rest.first().and_then(|transmit| intake.sender(transmit));
            match judge(&sent, counters) {
                Verdict::Taken(count) => done += count,
                Verdict::Refused(trouble) => {
                    failures.extend(first.map(|sender| sender.fails(trouble)));
                    done += 1;
                }
                Verdict::Later => break,
            }
        }
        for transmit in self.pending.get(done..).unwrap_or(&[]) {
            if self.backlog.len() == BACKLOG_MAX {
                counters.datagrams_dropped_at_sending.add(1);
                continue;
            }
            let bytes = worker.bytes(transmit.span).to_vec();
            let sender = intake.sender(transmit);
            self.backlog.push_back(Waiting {
                remote: transmit.hop.remote,
                sender,
                bytes,
            });
        }
        self.pending.clear();
    }

    /// Sends what waits, now that the kernel takes more.
    pub(super) fn send_backlog(
        &mut self,
        outbound: &mut Outbound,
        counters: &Counters,
        failures: &mut Vec<Failure>,
    ) {
        while !self.backlog.is_empty() {
            let datagrams = self
                .backlog
                .iter()
                .map(|waiting| (waiting.remote, waiting.bytes.as_slice()));
            let sent = outbound.send(self.socket.as_fd(), datagrams);
            match judge(&sent, counters) {
                Verdict::Taken(count) => drop(self.backlog.drain(..count)),
                Verdict::Refused(trouble) => {
                    let waiting = self.backlog.pop_front();
                    let sender = waiting.and_then(|waiting| waiting.sender);
                    failures.extend(sender.map(|sender| sender.fails(trouble)));
                }
                Verdict::Later => break,
            }
        }
    }

    /// A datagram that the kernel did not take when it was sent.
    #[cfg(test)]
    pub(super) fn keep_for_later(&mut self, remote: SocketAddr, bytes: &[u8]) {
        self.backlog.push_back(Waiting {
            remote,
            sender: None,
            bytes: bytes.to_vec(),
        });
    }

    /// Whether nothing waits for the kernel.
    pub(super) fn is_flushed(&self) -> bool {
        self.backlog.is_empty()
    }

    /// What the socket is to be watched for from now on, if that is something else than before.
    pub(super) fn interest_changed(&mut self) -> Option<Interest> {
        let wanted = if self.backlog.is_empty() {
            Interest::Read
        } else {
            Interest::ReadWrite
        };
        (wanted != std::mem::replace(&mut self.interest, wanted)).then_some(wanted)
    }
}

/// What to make of one call.
enum Verdict {
    /// So many are on their way; go on with the next.
    Taken(usize),
    /// The first one can never be sent; go on with the next.
    Refused(Trouble),
    /// The kernel is full; wait until it is writable.
    Later,
}

fn judge(sent: &Sent, counters: &Counters) -> Verdict {
    debug_assert!(
        sent.accepted <= sent.offered && sent.offered <= BATCH,
        "no more than offered"
    );
    counters.datagrams_out.add(sent.accepted);
    match &sent.error {
        None => Verdict::Taken(sent.accepted),
        Some(error) => match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS) => Verdict::Later,
            Some(libc::EINTR) => Verdict::Taken(0),
            _ => {
                counters.datagrams_refused.add(1);
                Verdict::Refused(trouble::of_error(error))
            }
        },
    }
}
