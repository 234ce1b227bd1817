//! Everything that can be asked of bytes that may be a RAS message; any bytes at all.
#![allow(dead_code, reason = "each test crate uses its own part of this module")]
#![allow(clippy::panic, reason = "a test fails by panicking")]

use signaling::h323::ras::Message;

/// Reads bytes, and if they are a message: writes it, reads that again, and shows it.
///
/// Written, a message may differ from what was read (a shorter bitmap of an older sender, numbers with
/// leading zeros, what is not modelled); read again, it is the same.
pub(crate) fn exhaust(bytes: &[u8]) -> bool {
    let Ok(message) = Message::decode(bytes) else {
        return false;
    };
    let mut buffer = vec![0; bytes.len() * 4 + 64];
    let length = match message.encode(&mut buffer) {
        Ok(length) => length,
        Err(error) => panic!("{error}: {bytes:02x?} {message:?}"),
    };
    let written = buffer.get(..length).unwrap_or_default();
    assert_eq!(Message::decode(written), Ok(message), "{bytes:02x?}");
    assert!(!format!("{message:?}").is_empty());
    true
}
