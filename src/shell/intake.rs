//! The way of a message from whichever socket it came to, to the worker that owns its call, and of failures back.

use super::control::Control;
use super::counters::Counters;
use super::inbox::Parcel;
use crate::node::Worker;
use signaling::sip::message::Framing;
use signaling::{Hop, Ticket, Transmit, Trouble};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Who sent a message off and wants to know when that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sender {
    pub(super) worker: u8,
    pub(super) ticket: Ticket,
    /// How long it waits for a connection to be made, where it says that.
    pub(super) connect_patience: Option<Duration>,
}

/// A message that could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) sender: Sender,
    pub(super) trouble: Trouble,
}

impl Sender {
    /// Its message could not be sent.
    pub(super) fn fails(self, trouble: Trouble) -> Failure {
        Failure {
            sender: self,
            trouble,
        }
    }
}

/// Octets that wait for other workers' rings at most.
const WAITING_MAX: usize = 4 * 1024 * 1024;
/// From so many on no stream is read, so that the rest is for answers.
const WAITING_FULL: usize = WAITING_MAX / 2;

/// One worker's core and its way to the others.
pub(super) struct Intake {
    pub(super) worker: Worker,
    pub(super) counters: Arc<Counters>,
    index: u8,
    control: Arc<Control>,
    /// The workers that got a parcel this turn, one bit each.
    rung: u64,
    /// Messages of this turn.
    messages: usize,
    /// What found a ring full and has nobody who would repeat it, the oldest first.
    waiting: VecDeque<(u8, Parcel)>,
    waiting_octets: usize,
}

impl Intake {
    pub(super) fn new(
        index: u8,
        worker: Worker,
        counters: Arc<Counters>,
        control: Arc<Control>,
    ) -> Self {
        Self {
            worker,
            counters,
            index,
            control,
            rung: 0,
            messages: 0,
            waiting: VecDeque::new(),
            waiting_octets: 0,
        }
    }

    /// Which worker this is.
    pub(super) fn index(&self) -> u8 {
        self.index
    }

    /// A message from one of this worker's sockets.
    pub(super) fn message(&mut self, now: Instant, source: Hop, bytes: &[u8], framing: Framing) {
        self.messages += 1;
        if let Some(owner) = self.worker.handle_message(now, source, bytes, framing) {
            self.pass_on(owner, source, bytes, framing);
        }
    }

    /// A message that another worker's socket got.
    pub(super) fn parcel(&mut self, now: Instant, source: Hop, bytes: &[u8], framing: Framing) {
        self.messages += 1;
        if let Some(owner) = self.worker.handle_handover(now, source, bytes, framing) {
            self.pass_on(owner, source, bytes, framing);
        }
    }

    fn pass_on(&mut self, owner: u8, source: Hop, bytes: &[u8], framing: Framing) {
        self.counters.handed_over.add(1);
        let bytes = self.copy_for(owner, bytes);
        let parcel = Parcel::Message {
            source,
            framing,
            bytes,
        };
        match framing {
            // When the ring is full the message is lost and counted; who sent it repeats it or gives up.
            Framing::Datagram => self.drop_if_full(owner, parcel),
            Framing::Stream => self.hand_over_or_wait(owner, parcel),
        };
    }

    /// A message of ours goes out on a connection that another worker has. It fails if the ring of that is full.
    pub(super) fn write_elsewhere(&mut self, owner: u8, transmit: Transmit) -> Option<Failure> {
        let bytes = self.copy_for(owner, self.worker.bytes(transmit.span));
        let sender = self.sender(&transmit);
        let hop = transmit.hop;
        let is_taken = self.hand_over_or_wait(owner, Parcel::Write { hop, sender, bytes });
        let refused = sender.filter(|_| !is_taken)?;
        Some(refused.fails(Trouble::Local))
    }

    /// Who sends what this worker sends.
    pub(super) fn sender(&self, transmit: &Transmit) -> Option<Sender> {
        transmit.ticket.map(|ticket| Sender {
            worker: self.index,
            ticket,
            connect_patience: transmit.connect_patience,
        })
    }

    /// A message could not be sent.
    pub(super) fn failure(&mut self, now: Instant, failure: Failure) {
        let Failure { sender, trouble } = failure;
        let ticket = sender.ticket;
        if sender.worker == self.index {
            self.worker.handle_transport_error(now, ticket, trouble);
        } else {
            self.hand_over_or_wait(sender.worker, Parcel::Failed { ticket, trouble });
        }
    }

    /// Messages of this turn so far.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// Whether something waits for another worker: the streams that it came from are not to be read then.
    pub(super) fn is_stalled(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether so much waits that no stream is to be read.
    pub(super) fn is_full(&self) -> bool {
        self.waiting_octets >= WAITING_FULL
    }

    /// How many parcels wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Tries again to hand over what waits.
    pub(super) fn hand_over_waiting(&mut self) {
        // What goes to one worker keeps its order.
        let mut full = 0u64;
        for _ in 0..self.waiting.len() {
            let Some((owner, parcel)) = self.waiting.pop_front() else {
                return;
            };
            let length = parcel.length();
            let refused = if full & 1 << owner == 0 {
                self.hand_over(owner, parcel).err()
            } else {
                Some(parcel)
            };
            if let Some(parcel) = refused {
                full |= 1 << owner;
                self.waiting.push_back((owner, parcel));
            } else {
                self.waiting_octets -= length;
            }
        }
    }

    /// Wakes the workers that got something this turn, and tells how many messages the turn had.
    pub(super) fn finish(&mut self) -> usize {
        while self.rung != 0 {
            let worker = u8::try_from(self.rung.trailing_zeros()).expect("below 64");
            self.rung &= self.rung - 1;
            if let Some(inbox) = self.control.inbox(worker) {
                inbox.wake();
            }
        }
        std::mem::take(&mut self.messages)
    }

    fn copy_for(&self, owner: u8, bytes: &[u8]) -> Vec<u8> {
        self.control
            .inbox(owner)
            .map_or_else(Vec::new, |inbox| inbox.copy(bytes))
    }

    /// Puts a parcel into another worker's ring, or keeps it until there is room; `false` when too much waits.
    fn hand_over_or_wait(&mut self, owner: u8, parcel: Parcel) -> bool {
        let is_behind = self.waiting.iter().any(|(other, _)| *other == owner);
        let refused = if is_behind {
            Some(parcel)
        } else {
            self.hand_over(owner, parcel).err()
        };
        let Some(parcel) = refused else { return true };
        if self.waiting_octets + parcel.length() > WAITING_MAX {
            return self.lose(owner, parcel);
        }
        self.counters.ring_full_waits.add(1);
        self.waiting_octets += parcel.length();
        self.waiting.push_back((owner, parcel));
        true
    }

    /// Puts a parcel into another worker's ring, or drops it; `false` when it did.
    fn drop_if_full(&mut self, owner: u8, parcel: Parcel) -> bool {
        match self.hand_over(owner, parcel) {
            Ok(()) => true,
            Err(parcel) => self.lose(owner, parcel),
        }
    }

    fn lose(&self, owner: u8, parcel: Parcel) -> bool {
        self.counters.dropped_ring_full.add(1);
        if let Some(inbox) = self.control.inbox(owner) {
            inbox.put_back(parcel);
        }
        false
    }

    /// Puts a parcel into another worker's ring; gives it back when that is full.
    fn hand_over(&mut self, owner: u8, parcel: Parcel) -> Result<(), Parcel> {
        debug_assert_ne!(owner, self.index, "nothing is handed to oneself");
        let Some(inbox) = self.control.inbox(owner) else {
            debug_assert!(false, "there is no worker {owner}");
            return Err(parcel);
        };
        inbox.put(parcel)?;
        self.rung |= 1 << owner;
        Ok(())
    }
}
