//! The bytes of an update: `docs/wire/member-update.md`.
//!
//! An update travels as an H.225.0 RAS `nonStandardMessage` under an object identifier of Baton's
//! own, so that a gatekeeper that meets one answers `unknownMessageResponse` or drops it. All that
//! this module knows of RAS is the constant head of such a message.

mod header;
mod seal;

pub(crate) use header::{Header, Heard, VERSION, version, write_entry};
pub(crate) use seal::{MAC, Seal};

/// Octets of an update, carrier and all: none is fragmented on any path that carries media.
pub const DATAGRAM_MAX: usize = 1_200;

/// Octets of a header.
pub(crate) const HEADER: usize = 96;
/// Octets of an entry.
pub(crate) const ENTRY: usize = 12;
/// Entries that one update holds at most.
pub(crate) const ENTRIES_MAX: usize = (DATAGRAM_MAX - CARRIER.len() - 2 - HEADER - MAC) / ENTRY;

/// `nonStandardMessage` (the 24th root alternative of 25), no extension; `requestSeqNum` 1, always;
/// `nonStandardIdentifier.object` 2.25.147690574016585296256566215832717412678 (ITU-T X.667).
const CARRIER: [u8; 25] = [
    0x5c, 0x00, 0x00, 0x00, 0x14, 0x69, 0x81, 0xde, 0x9c, 0x95, 0xdf, 0xd2, 0xcd, 0x9a, 0xb1, 0xb5,
    0x8a, 0x8f, 0xac, 0xfe, 0x87, 0xea, 0xcb, 0x92, 0x46,
];

/// Whether a datagram on the RAS port is an update and not a message of RAS. Looks at the head
/// only.
#[must_use]
pub fn is_update(datagram: &[u8]) -> bool {
    datagram.starts_with(&CARRIER)
}

/// Writes the carrier's head for a body of `length` octets. X.691 §11.9: a length determinant in
/// one octet below 128, in two below 16,384.
pub(crate) fn write_carrier(out: &mut Vec<u8>, length: usize) {
    debug_assert!(
        length < 16_384,
        "an update has {DATAGRAM_MAX} octets at most"
    );
    out.extend_from_slice(&CARRIER);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let long = u16::try_from(length).unwrap_or(u16::MAX) | 0x8000;
            out.extend_from_slice(&long.to_be_bytes());
        }
    }
}

/// The body that a carrier's head announces, if it is there to the last octet and nothing behind it.
pub(crate) fn body(datagram: &[u8]) -> Option<&[u8]> {
    let rest = datagram.strip_prefix(&CARRIER)?;
    let (length, body) = match *rest.first()? {
        short if short < 0x80 => (usize::from(short), rest.get(1..)?),
        long if long < 0xc0 => {
            let low = *rest.get(1)?;
            (
                usize::from(long & 0x3f) << 8 | usize::from(low),
                rest.get(2..)?,
            )
        }
        _ => return None,
    };
    (body.len() == length).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carrier_is_read_as_it_is_written() {
        for length in [0, 1, 127, 128, 1_100] {
            let mut datagram = Vec::new();
            write_carrier(&mut datagram, length);
            datagram.resize(datagram.len() + length, 7);
            assert!(is_update(&datagram));
            assert_eq!(body(&datagram).map(<[u8]>::len), Some(length));
            datagram.push(7);
            assert_eq!(body(&datagram), None, "one octet more");
            datagram.truncate(datagram.len() - 2);
            assert_eq!(body(&datagram), None, "one octet less");
        }
        assert!(!is_update(b"\x0e\x40\x00\x00"));
    }
}
