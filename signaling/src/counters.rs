//! What happened, counted: one set a worker, written by its owner alone, read by anybody.

use crate::times::Times;
use crate::traffic::Traffic;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of one worker. Relaxed throughout: each is a figure of its own, and nothing is
        /// ordered by it.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct Counters {
            $($(#[$doc])* pub $name: Counter,)*
            /// Messages by kind.
            pub traffic: Traffic,
            /// From the INVITE to the first 18x or 2xx that goes to the caller.
            pub setup: Times,
            /// From an INVITE to its final answer.
            pub invites: Times,
            /// From any other request to its final answer.
            pub requests: Times,
        }

        impl Counters {
            /// Every counter by name, in the order of their declaration.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name.value()),)*].into_iter()
            }
        }
    };
}

/// One figure that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more. The owner is the only writer, so a load and a store do without a locked
    /// instruction.
    pub fn add_one(&self) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Relaxed,
        );
    }

    /// So many more; see [`Counter::add_one`].
    pub(crate) fn add(&self, count: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(count),
            Ordering::Relaxed,
        );
    }

    /// The figure.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

counters! {
    /// Messages that came in, of whatever quality.
    messages_in,
    /// Messages handed to the shell.
    messages_out,
    /// Messages sent again because no answer came.
    retransmissions_out,
    /// Messages that had been seen before.
    retransmissions_in,
    /// Calls begun: initial INVITEs accepted for processing.
    calls_begun,
    /// Calls whose 2xx went to the caller.
    calls_answered,
    /// Calls that ended before a 2xx.
    calls_failed,
    /// Calls whose record is gone, for whatever reason.
    calls_ended,
    /// INVITEs sent to peers: one for each attempt of a call.
    attempts_begun,
    /// Calls sent on to another peer because something of ours ran short.
    failovers_local,
    /// Calls sent on to another peer because one refused.
    failovers_refused,
    /// Calls sent on to another peer because one said nothing.
    failovers_silent,
    /// Calls sent on to another peer because one could not be reached.
    failovers_unreachable,
    /// Calls that went on to where their conference is, when another peer had answered them.
    calls_followed,
    /// 2xx that came from a peer after its attempt was given up: acknowledged and ended.
    answers_too_late,
    /// OPTIONS sent to peers to see whether they live.
    probes_sent,
    /// Of those: without an answer in time, or not sent for want of a way.
    probes_failed,
    /// Refreshes of ours that were sent (RFC 4028).
    sessions_refreshed,
    /// Calls ended because a session was not refreshed in time.
    sessions_expired,
    /// REFERs that ended here whose target took the place of who referred.
    transfers,
    /// And those that came to nothing.
    transfers_failed,
    /// Requests refused with a final answer of our own.
    rejected,
    /// Requests of strangers refused with 403, or dropped.
    refused_stranger,
    /// Requests inside a dialog, ACKs and CANCELs that did not come from their own side.
    refused_foreign_source,
    /// Requests refused or dropped because their source sends too many.
    refused_rate,
    /// Requests without the credentials that their zone asks for, which were challenged.
    challenged,
    /// Challenges of peers that were answered.
    challenges_answered,
    /// Requests with wrong credentials.
    refused_credentials,
    /// INVITEs refused because this worker has too much to do.
    refused_overload,
    /// INVITEs dropped because it has too much to do even for refusals.
    dropped_overload,
    /// What was no SIP message.
    dropped_not_sip,
    /// Messages with a fault to which no answer may go (responses, ACKs, no Via).
    dropped_malformed,
    /// Responses that belong to no transaction.
    dropped_unmatched_response,
    /// Requests or ACKs that belong to no dialog and get no answer.
    dropped_unmatched_request,
    /// Branches and tags that look like ours but fail their check: forged.
    dropped_forged_token,
    /// Tokens of ours whose transaction or call is gone.
    dropped_stale_token,
    /// Answers not sent because they would be much larger than the request of an unknown UDP
    /// source.
    dropped_amplification,
    /// INVITEs refused because the messages that are kept take too much room.
    refused_kept_octets,
    /// A table was full.
    dropped_limit,
    /// A message grew past what the transport carries.
    dropped_too_large,
    /// The shell said that a message could not be sent.
    transport_errors,
}
