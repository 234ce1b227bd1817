//! What is counted: sessions of a peer, bandwidth of a resource. Both are known by the name that the
//! configuration gives them, so that members need not number them alike.

use sha2::{Digest, Sha256};

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Sessions in use of a peer.
    Sessions,
    /// Kilobits a second in use of a resource: a subzone, a link, a pipe.
    Bandwidth,
}

/// What one figure is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What is counted.
    pub kind: Kind,
    /// The name's number on the wire.
    pub id: u32,
}

impl Key {
    /// The sessions of a peer.
    #[must_use]
    pub fn sessions(peer: &str) -> Self {
        Self {
            kind: Kind::Sessions,
            id: id_of(peer),
        }
    }

    /// The bandwidth of a resource. Subzones, links and pipes may share a name: the caller puts the
    /// kind of the resource into it ("pipe/north").
    #[must_use]
    pub fn bandwidth(resource: &str) -> Self {
        Self {
            kind: Kind::Bandwidth,
            id: id_of(resource),
        }
    }
}

/// How much of something is in use. Absolute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Of what.
    pub key: Key,
    /// How much.
    pub used: u64,
}

/// How a node is as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// It is in maintenance mode.
    pub maintenance: bool,
    /// It finishes what it has and takes nothing new.
    pub draining: bool,
    /// It has no room for another call.
    pub full: bool,
    /// Calls that it may have at once.
    pub calls_max: u32,
    /// Calls that it has.
    pub calls: u32,
}

/// A name's number: the first four octets of its SHA-256.
fn id_of(name: &str) -> u32 {
    let [a, b, c, d, ..] = hashed(name);
    u32::from_be_bytes([a, b, c, d])
}

/// The first eight octets of a text's SHA-256.
pub(crate) fn hashed(text: &str) -> [u8; 8] {
    let digest = Sha256::digest(text.as_bytes());
    digest.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_numbers_that_the_wire_document_says() {
        // printf bridge-1 | sha256sum; printf lab | sha256sum
        assert_eq!(Key::sessions("bridge-1").id, 0x0271_0c42);
        assert_eq!(u64::from_be_bytes(hashed("lab")), 0xa511_46d3_8077_ff99);
    }
}
