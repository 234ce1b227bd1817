//! The record layer of one connection: octets of the socket in, octets of SIP out, and the other way round.
//!
//! No socket is touched here. Every chunk that is sealed becomes one record, and it is remembered where each ends in both
//! streams: when the kernel says how much of the one did not arrive, this says how much of the other did not.

use rustls::{CipherSuite, Connection, Error, ProtocolVersion};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

/// Most octets of SIP in one record (RFC 8446 §5.1).
const RECORD_MAX: usize = 16_384;
/// Sealed octets that wait for the socket before more are sealed.
const SEALED_MAX: usize = 64 * 1024;

/// What came of octets that were taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The handshake was completed by them.
    pub(crate) secured: bool,
    /// The other side says that nothing more comes (`close_notify`).
    pub(crate) closed: bool,
}

/// Where a record stands in both streams.
#[derive(Clone, Copy, Debug)]
struct Record {
    plain_begin: u64,
    sealed_end: u64,
}

/// One side of one connection.
pub(crate) struct Session {
    connection: Connection,
    /// Whether what the other side shows is verified.
    is_verified: bool,
    /// Records that wait for the socket, the first part of them written.
    sealed: Vec<u8>,
    written: usize,
    sealed_total: u64,
    plain_total: u64,
    /// Of records that may not have arrived yet, the oldest first.
    records: VecDeque<Record>,
}

impl Session {
    pub(crate) fn new(mut connection: Connection, is_verified: bool) -> Self {
        // Whoever seals bounds what waits.
        connection.set_buffer_limit(None);
        let mut session = Self {
            connection,
            is_verified,
            sealed: Vec::new(),
            written: 0,
            sealed_total: 0,
            plain_total: 0,
            records: VecDeque::new(),
        };
        session.collect();
        session
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Version and cipher suite, once they are agreed upon.
    pub(crate) fn agreed(&self) -> Option<(ProtocolVersion, CipherSuite)> {
        let suite = self.connection.negotiated_cipher_suite()?;
        Some((self.connection.protocol_version()?, suite.suite()))
    }

    /// The certificate that the other side proved to have, if it has shown one and it was verified.
    pub(crate) fn certificate(&self) -> Option<&[u8]> {
        let certificates = self
            .connection
            .peer_certificates()
            .filter(|_| self.is_verified)?;
        certificates.first().map(AsRef::as_ref)
    }

    /// Octets came from the socket; what they bring of SIP is added to `plain`. After an error there may be an alert to
    /// write.
    pub(crate) fn take_in(
        &mut self,
        mut octets: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<Progress, Error> {
        let was_handshaking = self.connection.is_handshaking();
        let mut progress = Progress::default();
        while !octets.is_empty() && !progress.closed {
            let taken = self.connection.read_tls(&mut octets);
            if !taken.is_ok_and(|count| count > 0) {
                return Err(Error::General("no octets are taken any more".to_owned()));
            }
            let state = self.connection.process_new_packets();
            self.collect();
            let state = state?;
            let begin = plain.len();
            plain.resize(begin + state.plaintext_bytes_to_read(), 0);
            if let Some(room) = plain.get_mut(begin..) {
                let read = self.connection.reader().read_exact(room);
                debug_assert!(read.is_ok(), "as much as was announced: {read:?}");
            }
            progress.closed = state.peer_has_closed();
        }
        progress.secured = was_handshaking && !self.connection.is_handshaking();
        Ok(progress)
    }

    /// Whether records wait for the socket.
    pub(crate) fn has_sealed(&self) -> bool {
        self.written < self.sealed.len()
    }

    /// Writes records as far as the socket takes them; `true` when none are left.
    pub(crate) fn write_to(&mut self, stream: &mut impl Write) -> io::Result<bool> {
        while let Some(rest) = self
            .sealed
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
        {
            match stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.sealed.clear();
        self.sealed.shrink_to(RECORD_MAX);
        self.written = 0;
        Ok(true)
    }

    /// Says that nothing more comes.
    pub(crate) fn close(&mut self) {
        self.connection.send_close_notify();
        self.collect();
    }

    /// How many octets of SIP may not have arrived, when so many octets written to the socket were not acknowledged.
    pub(crate) fn unacknowledged(&self, of_socket: usize) -> usize {
        let arrived = self.arrived(of_socket);
        let first = self
            .records
            .partition_point(|record| record.sealed_end <= arrived);
        self.records.get(first).map_or(0, |record| {
            usize::try_from(self.plain_total - record.plain_begin).unwrap_or(usize::MAX)
        })
    }

    /// Forgets records that arrived.
    pub(crate) fn forget_arrived(&mut self, of_socket: usize) {
        let arrived = self.arrived(of_socket);
        while self
            .records
            .pop_front_if(|record| record.sealed_end <= arrived)
            .is_some()
        {}
    }

    fn arrived(&self, of_socket: usize) -> u64 {
        let waiting = self.sealed.len() - self.written;
        self.sealed_total
            .saturating_sub(waiting as u64 + of_socket as u64)
    }

    /// Takes over what the other side is to be sent.
    fn collect(&mut self) {
        while self.connection.wants_write() {
            let Ok(count) = self.connection.write_tls(&mut self.sealed) else {
                debug_assert!(false, "memory takes everything");
                return;
            };
            self.sealed_total += count as u64;
        }
    }
}

/// Octets of SIP written here become records.
impl Write for Session {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.connection.is_handshaking() || self.sealed.len() >= SEALED_MAX {
            return Err(ErrorKind::WouldBlock.into());
        }
        let chunk = octets.get(..RECORD_MAX).unwrap_or(octets);
        self.connection.writer().write_all(chunk)?;
        self.collect();
        self.records.push_back(Record {
            plain_begin: self.plain_total,
            sealed_end: self.sealed_total,
        });
        self.plain_total += chunk.len() as u64;
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::tls::tests::pair;

    /// Carries what one side has to send to the other, and returns what came of SIP.
    fn carry(from: &mut Session, to: &mut Session) -> Vec<u8> {
        let (mut octets, mut plain) = (Vec::new(), Vec::new());
        assert!(from.write_to(&mut octets).unwrap());
        to.take_in(&octets, &mut plain).unwrap();
        plain
    }

    /// Two sides after their handshake.
    fn secured() -> (Session, Session) {
        let (mut client, mut server) = pair();
        while client.has_sealed() || server.has_sealed() {
            carry(&mut client, &mut server);
            carry(&mut server, &mut client);
        }
        assert!(!client.is_handshaking() && !server.is_handshaking());
        (client, server)
    }

    #[test]
    fn nothing_is_sealed_before_the_handshake() {
        let (mut client, _) = pair();
        assert!(client.has_sealed(), "the ClientHello");
        let error = client.write(b"early").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn knows_which_messages_did_not_arrive() {
        let (mut client, mut server) = secured();
        let mut lengths = Vec::new();
        for text in [&b"one"[..], b"two", b"three"] {
            assert_eq!(client.write(text).unwrap(), text.len());
            let mut octets = Vec::new();
            client.write_to(&mut octets).unwrap();
            lengths.push(octets.len());
            let mut plain = Vec::new();
            server.take_in(&octets, &mut plain).unwrap();
            assert_eq!(plain, text);
        }
        assert_eq!(client.unacknowledged(0), 0);
        assert_eq!(
            client.unacknowledged(1),
            5,
            "no octet of a cut record is read"
        );
        assert_eq!(client.unacknowledged(lengths[2]), 5);
        assert_eq!(client.unacknowledged(lengths[2] + 1), 8);
        client.forget_arrived(lengths[2] + 1);
        assert_eq!(client.unacknowledged(lengths[2] + 1), 8);
        assert_eq!(client.unacknowledged(0), 0);
        assert_eq!(client.write(b"four").unwrap(), 4);
        assert_eq!(client.unacknowledged(0), 4, "it waits for the socket");
    }

    #[test]
    fn a_long_text_is_cut_into_records() {
        let (mut client, mut server) = secured();
        let text: Vec<u8> = (0..40_000u32)
            .map(|number| number.to_le_bytes()[0])
            .collect();
        let (mut position, mut came) = (0, Vec::new());
        while position < text.len() {
            position += client.write(&text[position..]).unwrap();
            came.extend(carry(&mut client, &mut server));
        }
        assert_eq!(came, text);
    }

    #[test]
    fn the_end_is_told() {
        let (mut client, mut server) = secured();
        assert_eq!(client.write(b"last").unwrap(), 4);
        client.close();
        let (mut octets, mut plain) = (Vec::new(), Vec::new());
        client.write_to(&mut octets).unwrap();
        let progress = server.take_in(&octets, &mut plain).unwrap();
        assert!(progress.closed && plain == b"last");
    }

    #[test]
    fn what_is_no_tls_is_an_error_with_an_alert() {
        let (_, mut server) = pair();
        let octets = b"OPTIONS sip:a@example.com SIP/2.0\r\n";
        assert!(server.take_in(octets, &mut Vec::new()).is_err());
        assert!(server.has_sealed(), "an alert");
    }
}
