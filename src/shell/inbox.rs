//! What workers hand to each other: a ring a worker, bounded in parcels and octets, its buffers used again, a wake-up only
//! when it is needed.
//!
//! A message belongs to the worker whose token it carries or to which its Call-ID hashes, and the kernel does not know
//! which that is. A full ring gives the parcel back, and who wanted to put it in decides.

use super::errand::Errand;
use super::intake::Sender;
use super::kernel::eventfd::EventFd;
use crossbeam_queue::ArrayQueue;
use signaling::sip::message::Framing;
use signaling::{Hop, Ticket, Trouble};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Buffers that are kept for the next parcels; those of larger messages are let go.
const EMPTIES: usize = 256;
const EMPTY_BYTES_MAX: usize = 8 * 1024;

/// One thing handed over.
#[derive(Debug)]
pub(super) enum Parcel {
    /// A message that came to another worker's socket.
    Message {
        source: Hop,
        framing: Framing,
        bytes: Vec<u8>,
    },
    /// A message to send on a connection that the receiving worker has.
    Write {
        hop: Hop,
        sender: Option<Sender>,
        bytes: Vec<u8>,
    },
    /// What the main thread wants done.
    Errand(Box<Errand>),
    /// The message of this ticket could not be sent by the worker that had the connection.
    Failed { ticket: Ticket, trouble: Trouble },
}

impl Parcel {
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Message { bytes, .. } | Self::Write { bytes, .. } => bytes.len(),
            Self::Errand(_) | Self::Failed { .. } => 0,
        }
    }
}

/// The ring of one worker.
pub(super) struct Inbox {
    parcels: ArrayQueue<Parcel>,
    /// Octets of all parcels that wait. Relaxed: only the figure matters, and it may be passed by one parcel for each
    /// worker that puts one in at the same moment.
    octets: AtomicUsize,
    octets_max: usize,
    empties: ArrayQueue<Vec<u8>>,
    asleep: AtomicBool,
    bell: EventFd,
}

impl Inbox {
    pub(super) fn new(parcels: usize, octets_max: usize) -> io::Result<Self> {
        Ok(Self {
            parcels: ArrayQueue::new(parcels),
            octets: AtomicUsize::new(0),
            octets_max,
            empties: ArrayQueue::new(EMPTIES),
            asleep: AtomicBool::new(false),
            bell: EventFd::new()?,
        })
    }

    /// A copy of `bytes` in a buffer that this worker's parcels used before.
    pub(super) fn copy(&self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = self.empties.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(bytes);
        buffer
    }

    /// Puts a parcel in; gives it back when the ring is full. Follow the last one of a turn with [`Inbox::wake`].
    pub(super) fn put(&self, parcel: Parcel) -> Result<(), Parcel> {
        let length = parcel.length();
        // Before the parcel, so that the worker never takes off what is not yet added.
        let before = self.octets.fetch_add(length, Ordering::Relaxed);
        let outcome = if before > 0 && before + length > self.octets_max {
            Err(parcel)
        } else {
            self.parcels.push(parcel)
        };
        if outcome.is_err() {
            self.octets.fetch_sub(length, Ordering::Relaxed);
        }
        outcome
    }

    /// Wakes the worker if it sleeps or is about to.
    pub(super) fn wake(&self) {
        // AcqRel on both sides: of this swap and the one in `sleep`, the later sees the earlier. Either we see `true` here
        // and ring, or the worker's swap comes after ours, sees the parcels before it, and does not sleep.
        if self.asleep.swap(false, Ordering::AcqRel) {
            self.bell.signal();
        }
    }

    /// Takes the oldest parcel.
    pub(super) fn take(&self) -> Option<Parcel> {
        let parcel = self.parcels.pop()?;
        self.octets.fetch_sub(parcel.length(), Ordering::Relaxed);
        Some(parcel)
    }

    /// How many parcels wait.
    pub(super) fn waiting(&self) -> usize {
        self.parcels.len()
    }

    /// Keeps the buffer of a parcel that was dealt with.
    pub(super) fn put_back(&self, parcel: Parcel) {
        let buffer = match parcel {
            Parcel::Message { bytes, .. } | Parcel::Write { bytes, .. } => bytes,
            Parcel::Errand(_) | Parcel::Failed { .. } => return,
        };
        if buffer.capacity() <= EMPTY_BYTES_MAX {
            // When there are enough of them it is freed.
            drop(self.empties.push(buffer));
        }
    }

    /// The worker is about to wait; `false` when it must not, because a parcel is there.
    pub(super) fn sleep(&self) -> bool {
        self.asleep.swap(true, Ordering::AcqRel);
        if self.parcels.is_empty() {
            return true;
        }
        self.awake();
        false
    }

    /// The worker does not wait any more. A bell that rang in between only costs one more turn.
    pub(super) fn awake(&self) {
        // A swap and not a store: it must not break the chain from who saw us asleep to our next look at the
        // parcels. Relaxed: nobody is told anything by it.
        self.asleep.swap(false, Ordering::Relaxed);
    }

    /// Silences the bell once it was heard.
    pub(super) fn heard(&self) {
        self.bell.clear();
    }

    /// What becomes readable when the bell rings.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
