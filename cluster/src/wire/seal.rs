//! The code that proves that a member wrote an update: HMAC-SHA-256 (RFC 2104), its first 128 bits.

use sha2::{Digest, Sha256};

/// Octets of a code.
pub(crate) const MAC: usize = 16;
/// What the shared key is used for here, so that other uses of it never make the same codes.
const PURPOSE: &[u8] = b"baton member update 1\0";
/// Octets of a block of SHA-256.
const BLOCK: usize = 64;

/// Writes and checks codes.
#[derive(Clone, Debug)]
pub(crate) struct Seal {
    /// Both digests after the block that holds the key, which each code begins with.
    inner: Sha256,
    outer: Sha256,
}

impl Seal {
    /// The seal of a cluster: its key is derived from the shared one and the cluster's name.
    pub(crate) fn new(shared: &[u8], cluster: &str) -> Self {
        let deriving = Self::with_key(shared);
        Self::with_key(&deriving.code(&[PURPOSE, cluster.as_bytes()]))
    }

    fn with_key(key: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        if key.len() > BLOCK {
            let digest = Sha256::digest(key);
            block
                .iter_mut()
                .zip(digest)
                .for_each(|(to, from)| *to = from);
        } else {
            block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        }
        Self {
            inner: Sha256::new().chain_update(block.map(|octet| octet ^ 0x36)),
            outer: Sha256::new().chain_update(block.map(|octet| octet ^ 0x5c)),
        }
    }

    fn code(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut inner = self.inner.clone();
        parts.iter().for_each(|part| inner.update(part));
        let outer = self.outer.clone().chain_update(inner.finalize());
        outer.finalize().into()
    }

    /// Appends the code of all that `datagram` holds so far.
    pub(crate) fn close(&self, datagram: &mut Vec<u8>) {
        let code = self.code(&[datagram]);
        datagram.extend(code.iter().take(MAC));
    }

    /// Whether a datagram ends with its code.
    pub(crate) fn holds(&self, datagram: &[u8]) -> bool {
        let Some((said, code)) = datagram.split_last_chunk::<MAC>() else {
            return false;
        };
        let right = self.code(&[said]);
        // All octets are looked at, whichever differs first.
        let differing = right
            .iter()
            .zip(code)
            .fold(0, |differing, (right, given)| differing | (right ^ given));
        differing == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, cases 1 to 3, 6 and 7: short and long keys and texts.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let cases: [(&[u8], &[u8], &str); 5] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c7",
            ),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a7"),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f",
            ),
            (
                &[0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size \
                  data. The key needs to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944",
            ),
        ];
        for (key, text, right) in cases {
            let code = Seal::with_key(key).code(&[text]);
            let hex: String = code[..MAC]
                .iter()
                .map(|octet| format!("{octet:02x}"))
                .collect();
            assert_eq!(hex, right);
        }
    }

    #[test]
    fn no_changed_bit_and_no_other_key_passes() {
        let seal = Seal::new(b"a key of enough octets", "lab");
        let mut datagram = b"what is said".to_vec();
        seal.close(&mut datagram);
        assert_eq!(datagram.len(), 12 + MAC);
        assert!(seal.holds(&datagram));
        for bit in 0..datagram.len() * 8 {
            let mut changed = datagram.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!seal.holds(&changed), "bit {bit}");
        }
        assert!(!seal.holds(&datagram[1..]));
        assert!(!seal.holds(&datagram[..MAC - 1]));
        assert!(!Seal::new(b"a key of enough octetz", "lab").holds(&datagram));
        assert!(!Seal::new(b"a key of enough octets", "lob").holds(&datagram));
    }
}
