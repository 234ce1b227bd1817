//! From octets to messages, and what is due when a connection falters: the second half of [`Tcp`].

use super::connection::{Connection, Octets, Purpose, Stage, wants_answer};
use super::{ANSWERS_PATIENCE, HANDSHAKE_COST, LINGER, SWEEP, Tcp};
use crate::shell::counters::Counters;
use crate::shell::intake::Intake;
use crate::shell::tls::{Session, names};
use rustls::{CipherSuite, ProtocolVersion};
use signaling::Trouble;
use signaling::hop::Hop;
use signaling::sip::message::{Frame, Framing};
use signaling::slots::Key;
use std::time::Instant;
use tracing::debug;

/// A ping and the answer to one (RFC 5626 §4.4.1).
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// The cipher suites that are spoken, but for those with ChaCha20.
const AES_128_GCM: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];
const AES_256_GCM: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];

/// What the octets of one read came to.
enum Outcome {
    /// So many whole messages; the rest is still coming.
    Messages(usize),
    /// The stream can be followed no further.
    Faulty,
    /// The other side asks and does not read the answers.
    Congested,
}

impl Tcp {
    /// Reads once from a connection, deals with every message that is complete, and tells what that costs of a turn, in
    /// octets.
    pub(super) fn read(&mut self, now: Instant, intake: &mut Intake, key: Key) -> usize {
        // What was closed since it became ready is not there any more.
        let Some(connection) = self.table.get_mut(key) else {
            return 0;
        };
        connection.queued = false;
        let stage = connection.stage;
        let is_sealed = connection.session().is_some();
        let count = match connection.read(&mut self.buffer) {
            Ok(Octets::Some(count)) => count,
            Ok(Octets::None) => 0,
            Ok(Octets::End) => {
                self.end(now, key);
                0
            }
            Err(_) => {
                self.lose(now, key);
                0
            }
        };
        self.counters.stream_octets_in.add(count);
        if count == 0 {
            return 0;
        }
        // It comes back below; nobody else reads meanwhile.
        let buffer = std::mem::take(&mut self.buffer);
        let octets = buffer.get(..count).unwrap_or(&[]);
        if is_sealed {
            self.unseal(now, intake, key, octets);
        } else {
            self.take_in(now, intake, key, octets);
        }
        self.buffer = buffer;
        if stage == Stage::Securing {
            HANDSHAKE_COST
        } else {
            count
        }
    }

    /// Deals with octets of a TLS connection.
    fn unseal(&mut self, now: Instant, intake: &mut Intake, key: Key, octets: &[u8]) {
        let Some(connection) = self.table.get_mut(key) else {
            return;
        };
        if matches!(connection.stage, Stage::Lingering { .. }) {
            return;
        }
        let mut plain = std::mem::take(&mut self.plain);
        match connection.unseal(octets, &mut plain) {
            Ok(progress) => {
                if progress.secured {
                    count_secured(&self.counters, connection);
                    let certificate = connection.session().and_then(Session::certificate);
                    let names = certificate.map(names::of_certificate);
                    connection.identify(names.and_then(|names| self.access.identity(&names)));
                }
                if connection.has_unsent() {
                    self.list(key);
                }
                if !plain.is_empty() {
                    self.take_in(now, intake, key, &plain);
                }
                if progress.closed {
                    self.end(now, key);
                }
            }
            Err(error) => {
                debug!(%error, remote = %connection.ends.remote, "TLS failed");
                self.counters.tls_failed.add(1);
                match connection.ends.purpose {
                    // It may read the alert; nobody of ours waits.
                    Purpose::Accepted => self.linger(now, key),
                    Purpose::Answers | Purpose::Requests => {
                        drop(connection.write());
                        self.refuse(key);
                    }
                }
            }
        }
        plain.clear();
        self.plain = plain;
    }

    /// Deals with octets of SIP.
    fn take_in(&mut self, now: Instant, intake: &mut Intake, key: Key, octets: &[u8]) {
        let Some(connection) = self.table.get_mut(key) else {
            return;
        };
        if connection.stage != Stage::Open {
            // A connection that is being closed has nothing more to say.
            return;
        }
        let waiting = intake.waiting();
        let outcome = cut(now, intake, connection, octets);
        if intake.waiting() > waiting && !std::mem::replace(&mut connection.stalled, true) {
            self.stalled.push(key);
        }
        match outcome {
            Outcome::Messages(count) => connection.note_progress(now, count),
            Outcome::Faulty => {
                self.counters.connections_faulty.add(1);
                self.linger(now, key);
            }
            Outcome::Congested => {
                self.counters.connections_congested.add(1);
                self.fail(key, Trouble::Silent);
            }
        }
        if self.table.get(key).is_some_and(Connection::has_unsent) {
            self.list(key);
        }
    }

    /// Writes what waits on one connection and decides what it waits for next.
    pub(super) fn write(&mut self, now: Instant, key: Key) {
        let Some(connection) = self.table.get_mut(key) else {
            return;
        };
        connection.listed = false;
        if connection.stage == Stage::Connecting {
            return;
        }
        let Ok(is_done) = connection.write() else {
            return self.lose(now, key);
        };
        if is_done {
            connection.shut();
        }
        if is_done
            && matches!(connection.stage, Stage::Ended { .. })
            && !connection.owes()
            && connection.is_acknowledged()
        {
            self.table.remove(key);
            return;
        }
        let wanted = connection.interest_wanted();
        if wanted != std::mem::replace(&mut connection.interest, wanted)
            && self
                .epoll
                .change(connection.descriptor(), super::table::token(key), wanted)
                .is_err()
        {
            self.lose(now, key);
        }
    }

    /// The other side has closed its end: answers that it is owed are still written to it, and what it does not
    /// acknowledge is lost.
    fn end(&mut self, now: Instant, key: Key) {
        let Some(connection) = self.table.get_mut(key) else {
            return;
        };
        match connection.stage {
            Stage::Lingering { shut: true, .. } => self.fail(key, Trouble::Refused),
            Stage::Securing => self.lose(now, key),
            Stage::Connecting | Stage::Open | Stage::Lingering { .. } => {
                connection.end(now, ANSWERS_PATIENCE);
                self.table.retire(key);
                self.list(key);
            }
            // Its end is not read again; this is a hang-up.
            Stage::Ended { .. } => self.lose(now, key),
        }
    }

    /// Closes once what waits is written, and takes no more messages from it.
    fn linger(&mut self, now: Instant, key: Key) {
        if let Some(connection) = self.table.get_mut(key) {
            connection.stage = Stage::Lingering {
                until: now + LINGER,
                shut: false,
            };
            self.table.retire(key);
            self.list(key);
        }
    }

    /// A connection broke: what did not arrive is sent once more over a new one.
    pub(super) fn lose(&mut self, now: Instant, key: Key) {
        // What was said to a side that we closed for its faults is not carried after it.
        if self
            .table
            .get(key)
            .is_some_and(|connection| matches!(connection.stage, Stage::Lingering { .. }))
        {
            return self.fail(key, Trouble::Refused);
        }
        if self.is_at(key, Stage::Securing) {
            // It would end the same way again.
            self.counters.tls_failed.add(1);
            return self.fail(key, Trouble::Tls);
        }
        let Some(connection) = self.table.remove(key) else {
            return;
        };
        let transport = connection.transport();
        for lost in connection.lost() {
            if lost.whole {
                let hop = Hop {
                    transport,
                    listener: connection.ends.listener,
                    remote: lost.remote,
                    connection: None,
                    identity: None,
                };
                self.send_again(now, hop, lost.sender, lost.bytes, true);
            } else {
                let failed = lost.sender.map(|sender| sender.fails(Trouble::Refused));
                self.failures.extend(failed);
            }
        }
    }

    /// A connection cannot be made, or its other side does not read: what was to go over it is told to have failed.
    pub(super) fn fail(&mut self, key: Key, trouble: Trouble) {
        let Some(connection) = self.table.remove(key) else {
            return;
        };
        let is_ours = connection.ends.purpose != Purpose::Accepted;
        if is_ours && matches!(connection.stage, Stage::Connecting | Stage::Securing) {
            self.counters.connections_failed.add(1);
        }
        let senders = connection.lost().filter_map(|lost| lost.sender);
        self.failures
            .extend(senders.map(|sender| sender.fails(trouble)));
    }

    /// TLS of a connection that we made has failed.
    fn refuse(&mut self, key: Key) {
        let Some(connection) = self.table.remove(key) else {
            return;
        };
        self.counters.connections_failed.add(1);
        let senders = connection.unread().filter_map(|lost| lost.sender);
        self.failures
            .extend(senders.map(|sender| sender.fails(Trouble::Tls)));
    }

    /// Keeps a connection alive. If nobody is there, the octets stay unacknowledged, and it is broken.
    fn ping(&mut self, now: Instant, key: Key) {
        let Some(connection) = self.table.get_mut(key) else {
            return;
        };
        let remote = connection.ends.remote;
        // It says that this connection lives: over another one it would say nothing.
        if connection.push(now, PING, remote, None, true) {
            self.counters.connections_pinged.add(1);
            self.list(key);
        }
    }

    /// Looks at all connections for what took too long.
    pub(super) fn sweep(&mut self, now: Instant) {
        let mut keys = std::mem::take(&mut self.swept);
        keys.extend(self.table.keys());
        for key in keys.drain(..) {
            let Some(connection) = self.table.get_mut(key) else {
                continue;
            };
            match connection.stage {
                Stage::Connecting | Stage::Securing => {}
                Stage::Open if connection.is_too_slow(now, self.limits.slow_sender) => {
                    self.counters.connections_too_slow.add(1);
                    self.linger(now, key);
                }
                Stage::Open if connection.is_idle(now, self.limits.idle) => {
                    self.counters.connections_idle.add(1);
                    self.linger(now, key);
                }
                Stage::Open if connection.wants_ping(now, self.limits.ping) => self.ping(now, key),
                Stage::Open => connection.tidy(now, SWEEP),
                Stage::Ended { until } if until <= now => self.lose(now, key),
                Stage::Ended { .. } if !connection.owes() && connection.is_idle(now, LINGER) => {
                    self.lose(now, key);
                }
                Stage::Ended { .. } => self.list(key),
                Stage::Lingering { until, .. } if until <= now => {
                    self.fail(key, Trouble::Refused);
                }
                Stage::Lingering { .. } => {}
            }
        }
        self.swept = keys;
    }
}

/// Cuts octets into messages and hands them in.
fn cut(now: Instant, intake: &mut Intake, connection: &mut Connection, octets: &[u8]) -> Outcome {
    let source = connection.hop();
    if connection.framer.push(octets).is_err() {
        return Outcome::Faulty;
    }
    let (mut messages, mut requests, mut pings) = (0, 0, 0);
    let mut is_faulty = false;
    while let Some(frame) = connection.framer.next_frame() {
        match frame {
            Frame::Message(bytes) => {
                messages += 1;
                requests += u32::from(wants_answer(bytes));
                intake.message(now, source, bytes, Framing::Stream);
            }
            Frame::Ping => pings += 1,
            Frame::Pong => {}
            Frame::Fault { bytes, fault: _ } => {
                intake.worker.handle_stream_fault(now, source, bytes);
                is_faulty = true;
                break;
            }
        }
    }
    connection.note_requests(requests);
    // One answer to all pings of a read, none to a client that does not take its answers, and none again
    // over another connection: a pong says that this one lives (RFC 5626 §4.4.1).
    if pings > 0
        && !connection.has_unsent()
        && !connection.push(now, PONG, source.remote, None, true)
    {
        return Outcome::Congested;
    }
    if is_faulty {
        Outcome::Faulty
    } else {
        Outcome::Messages(messages)
    }
}

/// Counts a handshake that was completed.
fn count_secured(counters: &Counters, connection: &Connection) {
    let Some(session) = connection.session() else {
        return;
    };
    if session.certificate().is_some() {
        counters.tls_certified.add(1);
    }
    let Some((version, suite)) = session.agreed() else {
        return;
    };
    let is_newest = version == ProtocolVersion::TLSv1_3;
    let figure = if AES_128_GCM.contains(&suite) {
        [&counters.tls_1_2_aes_128_gcm, &counters.tls_1_3_aes_128_gcm]
    } else if AES_256_GCM.contains(&suite) {
        [&counters.tls_1_2_aes_256_gcm, &counters.tls_1_3_aes_256_gcm]
    } else {
        let (older, newest) = (
            &counters.tls_1_2_chacha20_poly1305,
            &counters.tls_1_3_chacha20_poly1305,
        );
        [older, newest]
    };
    let [older, newest] = figure;
    if is_newest { newest } else { older }.add(1);
}
