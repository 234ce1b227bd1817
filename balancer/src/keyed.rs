//! The hasher of maps whose keys come from the network: keyed from the seed, so that nobody else
//! knows which keys collide, and a seed replays.

use siphasher::sip::SipHasher13;
use std::hash::BuildHasher;

/// Makes hashers of one key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed([u64; 2]);

impl Keyed {
    pub(crate) fn new(seed: u64) -> Self {
        Self([seed, seed.rotate_left(32) ^ 0x6a09_e667_f3bc_c908])
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        let [first, second] = self.0;
        SipHasher13::new_with_keys(first, second)
    }
}
