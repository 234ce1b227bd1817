//! Keyed digests of credentials, compared in a time that tells nothing.

use sha2::{Digest as _, Sha256};

/// A digest under a key that is another one in each run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(key: &[u8; 32], text: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(key);
        hash.update(text);
        Self(hash.finalize().into())
    }
}

/// Looks at every octet, whatever the first ones are.
impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(other.0);
        pairs.fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

impl Eq for Digest {}
