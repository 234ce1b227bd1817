//! What the shell of one worker counts: figures of the sockets, beside those that the core counts of the messages.

use std::sync::atomic::{AtomicU64, Ordering};

/// One figure, written by its owner alone and read by anybody. Relaxed: nothing is ordered by it.
#[derive(Debug, Default)]
pub struct Figure(AtomicU64);

impl Figure {
    /// The figure.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, count: usize) {
        self.set(self.value().wrapping_add(count as u64));
    }

    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

macro_rules! figures {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Figures of one worker's sockets.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct Counters { $($(#[$doc])* pub $name: Figure,)* }

        impl Counters {
            /// Every figure by name, in the order of their declaration.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name.value()),)*].into_iter()
            }
        }
    };
}

figures! {
    /// Rounds of the worker's loop: each is one wake-up.
    turns,
    /// Rounds that first waited a moment for more datagrams.
    turns_gathered,
    /// Calls that live now.
    calls,
    /// Client transactions that live now.
    client_transactions,
    /// Server transactions that live now.
    server_transactions,
    /// Datagrams received.
    datagrams_in,
    /// Datagrams given to the kernel.
    datagrams_out,
    /// Datagrams that the kernel dropped because the socket's buffer was full.
    datagrams_dropped_by_kernel,
    /// Datagrams dropped because the kernel would take no more for too long.
    datagrams_dropped_at_sending,
    /// Requests of more than 1,300 octets given to UDP (RFC 3261 section 18.1.1 wants TCP for them).
    datagrams_large_requests,
    /// Datagrams that the kernel refused to send: too large, or no way there.
    datagrams_refused,
    /// Reads of a socket that failed.
    receive_errors,
    /// Messages handed to the worker that owns their call.
    handed_over,
    /// Messages lost because that worker's ring was full.
    dropped_ring_full,
    /// Messages of streams that waited because that worker's ring was full.
    ring_full_waits,
    /// Octets read from connections.
    stream_octets_in,
    /// TCP connections that are open now.
    connections,
    /// TCP connections accepted.
    connections_accepted,
    /// TCP connections made.
    connections_made,
    /// TCP connections that could not be made.
    connections_failed,
    /// TCP connections refused because a limit was reached.
    connections_refused,
    /// TCP connections closed to make room for others.
    connections_reclaimed,
    /// TCP connections closed because a message took too long to arrive.
    connections_too_slow,
    /// Pings sent over connections that we made.
    connections_pinged,
    /// TCP connections closed because nothing came for long.
    connections_idle,
    /// TCP connections closed because they carried no SIP, or too much of it.
    connections_faulty,
    /// TCP connections closed because the other side did not read.
    connections_congested,
    /// Connections closed because their TLS handshake failed, or what came later was no TLS.
    tls_failed,
    /// Connections closed because their TLS handshake took too long.
    tls_too_slow,
    /// TLS handshakes that were completed, by version and cipher.
    tls_1_2_aes_128_gcm,
    /// The same, AES with 256 bits.
    tls_1_2_aes_256_gcm,
    /// The same, ChaCha20.
    tls_1_2_chacha20_poly1305,
    /// The same of version 1.3.
    tls_1_3_aes_128_gcm,
    /// The same, AES with 256 bits.
    tls_1_3_aes_256_gcm,
    /// The same, ChaCha20.
    tls_1_3_chacha20_poly1305,
    /// Handshakes in which the other side showed a good certificate.
    tls_certified,
    /// Times that a listener paused because the process had no descriptors left.
    accepts_paused,
}
