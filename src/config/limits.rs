//! `[limits]`: the maximum of everything that outsiders can make grow.

use super::section::Section;
use std::time::Duration;

/// The maximum of each table, queue, message and patience of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `calls`: calls at one time; the next one is refused.
    pub calls: usize,
    /// `transactions`: transactions at one time, of requests received and as many of requests sent.
    pub transactions: usize,
    /// `exchanges`: requests inside dialogs that are on their way from one leg to the other, at one
    /// time.
    pub exchanges: usize,
    /// `exchanges_per_call`: how many of them one call may have.
    pub exchanges_per_call: usize,
    /// `kept_bytes`: octets of messages that transactions and calls keep; beyond it no call begins.
    pub kept_bytes: usize,
    /// `message_bytes`: one SIP message, header and body together.
    pub message_bytes: usize,
    /// `headers`: header lines of one message.
    pub headers: usize,
    /// `connections`: TCP connections at one time.
    pub connections: usize,
    /// `connections_per_source`: TCP connections at one time from one address, or from one /64 of
    /// IPv6.
    pub connections_per_source: usize,
    /// `idle_connection_seconds`: how long a TCP connection without a message stays open.
    pub idle_connection_seconds: Duration,
    /// `slow_sender_seconds`: how long a message on a stream may take to arrive whole.
    pub slow_sender_seconds: Duration,
    /// `receive_buffer_bytes`: what the kernel is asked to hold for each UDP socket.
    pub receive_buffer_bytes: usize,
    /// `ring`: messages that wait between two workers.
    pub ring: usize,
    /// `ring_bytes`: their octets.
    pub ring_bytes: usize,
}

pub(super) const KEYS: &[&str] = &[
    "calls",
    "transactions",
    "kept_bytes",
    "exchanges",
    "exchanges_per_call",
    "message_bytes",
    "headers",
    "connections",
    "connections_per_source",
    "idle_connection_seconds",
    "slow_sender_seconds",
    "receive_buffer_bytes",
    "ring",
    "ring_bytes",
];

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 200_000,
            transactions: 1_000_000,
            kept_bytes: 1_073_741_824,
            exchanges: 100_000,
            exchanges_per_call: 8,
            message_bytes: 65_535,
            headers: 128,
            connections: 4_096,
            connections_per_source: 64,
            idle_connection_seconds: Duration::from_secs(600),
            slow_sender_seconds: Duration::from_secs(5),
            receive_buffer_bytes: 4 * 1024 * 1024,
            ring: 4_096,
            ring_bytes: 16 * 1024 * 1024,
        }
    }
}

impl Limits {
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Self {
        let default = Self::default();
        let limits = Self {
            calls: section.number("calls", 1..=4_000_000, default.calls),
            transactions: section.number("transactions", 2..=8_000_000, default.transactions),
            exchanges: section.number("exchanges", 1..=4_000_000, default.exchanges),
            exchanges_per_call: section.number(
                "exchanges_per_call",
                1..=256,
                default.exchanges_per_call,
            ),
            kept_bytes: section.number("kept_bytes", 1_048_576..=1 << 40, default.kept_bytes),
            // A VCS sends bodies of up to 32,768 bytes; a UDP datagram holds at most 65,535.
            message_bytes: section.number("message_bytes", 4_096..=65_535, default.message_bytes),
            headers: section.number("headers", 32..=1_024, default.headers),
            connections: section.number("connections", 1..=65_536, default.connections),
            connections_per_source: section.number(
                "connections_per_source",
                1..=65_536,
                default.connections_per_source,
            ),
            // RFC 3261 §18: at least as long as a transaction may take, 64 times T1.
            idle_connection_seconds: section.seconds(
                "idle_connection_seconds",
                32..=86_400,
                default.idle_connection_seconds,
            ),
            slow_sender_seconds: section.seconds(
                "slow_sender_seconds",
                1..=300,
                default.slow_sender_seconds,
            ),
            receive_buffer_bytes: section.number(
                "receive_buffer_bytes",
                65_536..=268_435_456,
                default.receive_buffer_bytes,
            ),
            ring: section.number("ring", 16..=1_048_576, default.ring),
            ring_bytes: section.number("ring_bytes", 65_536..=1_073_741_824, default.ring_bytes),
        };
        // Only a figure that somebody wrote can be a mistake: fewer connections than the default
        // for one source simply bound that too.
        if let Some(value) = section.value("connections_per_source")
            && limits.connections_per_source > limits.connections
        {
            let (one, all) = (limits.connections_per_source, limits.connections);
            let message = format!(
                "`connections_per_source` ({one}) is more than `connections` ({all}); write at \
                 most `connections_per_source = {all}`"
            );
            section.findings().add(value.span().start, message);
        }
        limits
    }
}
