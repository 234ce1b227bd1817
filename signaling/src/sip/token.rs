//! Our names in other people's messages: branch, tag, Contact user and Call-ID carry the place of
//! our state.
//!
//! A token is 20 letters of base 32: worker (8 bits), slot (24), generation (32), and 35 bits of a
//! keyed hash over those, the token's kind and, where there are several, its number. A response or an in-dialog request finds its
//! transaction or call by index. A token that we did not make fails the check with all but 2^-35 of
//! probability, and a tag cannot be guessed (RFC 3261 §19.3). One case only (`0-9`, `a-v`), since
//! some elements compare tags without regard to case.

use crate::slots::Key;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// Octets of a token's text.
pub const LENGTH: usize = 20;
const PAYLOAD_LETTERS: usize = 13;
const CHECK_BITS: u32 = 35;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// What a token names; a token of one kind is refused as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Branch of an ACK for a 2xx, which has no transaction (RFC 3261 §17.1.1.3).
    AckBranch,
    /// Branch of a client transaction.
    Branch,
    /// Call-ID of a peer leg.
    CallId,
    /// Our tag and Contact user towards the caller.
    CallerLeg,
    /// Our tag and Contact user towards the peer.
    PeerLeg,
    /// To tag of an answer that leaves no state behind (RFC 3261 §8.2.7).
    Stateless,
}

/// A token's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it names.
    pub kind: Kind,
    /// The worker that owns it.
    pub worker: u8,
    /// The place in that worker's table.
    pub key: Key,
}

/// A token's text.
pub type Text = [u8; LENGTH];

/// Makes and checks the tokens of one node.
#[derive(Clone, Copy, Debug)]
pub struct Mint {
    /// For the checks of tokens, which everybody sees.
    tokens: [u64; 2],
    /// For the tables, whose hashes nobody may foresee.
    tables: [u64; 2],
}

impl Mint {
    /// A mint with the node's secret.
    #[must_use]
    pub fn new(secret: [u64; 2]) -> Self {
        // Two keys from one secret: what tokens show says nothing about the tables.
        let derive = |label: &[u8]| {
            let mut hasher = hasher(secret);
            hasher.write(label);
            hasher.finish()
        };
        Self {
            tokens: [derive(b"tokens, first"), derive(b"tokens, second")],
            tables: [derive(b"tables, first"), derive(b"tables, second")],
        }
    }

    /// The text of a token.
    #[must_use]
    pub fn write(&self, token: Token) -> Text {
        self.write_nth(token, 0)
    }

    /// The text of one of several tokens for the same thing: each attempt of a call has names of its
    /// own.
    #[must_use]
    pub fn write_nth(&self, token: Token, number: u8) -> Text {
        let payload = u64::from(token.worker) << 56
            | u64::from(token.key.slot & 0xff_ffff) << 32
            | u64::from(token.key.generation);
        let check = self.check((token.kind, number), payload);
        let mut text = [0; LENGTH];
        let (front, back) = text.split_at_mut(PAYLOAD_LETTERS);
        spell(front, payload);
        spell(back, check);
        text
    }

    /// The token of a text, if this node made it.
    #[must_use]
    pub fn read(&self, kind: Kind, text: &[u8]) -> Option<Token> {
        self.read_nth(kind, text, 0)
    }

    /// The token of a text that [`Mint::write_nth`] made with this number.
    #[must_use]
    pub fn read_nth(&self, kind: Kind, text: &[u8], number: u8) -> Option<Token> {
        let (front, back) = text.split_at_checked(PAYLOAD_LETTERS)?;
        if back.len() != LENGTH - PAYLOAD_LETTERS {
            return None;
        }
        let payload = u64::try_from(unspell(front)?).ok()?;
        if u128::from(self.check((kind, number), payload)) != unspell(back)? {
            return None;
        }
        let worker = u8::try_from(payload >> 56).ok()?;
        let slot = u32::try_from(payload >> 32 & 0xff_ffff).ok()?;
        let generation = u32::try_from(payload & 0xffff_ffff).ok()?;
        Some(Token {
            kind,
            worker,
            key: Key { slot, generation },
        })
    }

    /// A keyed hash of text from the network, for tables and for choosing a worker.
    #[must_use]
    pub fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = hasher(self.tables);
        for part in parts {
            // The length keeps ("ab", "c") and ("a", "bc") apart.
            hasher.write_u32(u32::try_from(part.len()).unwrap_or(u32::MAX));
            hasher.write(part);
        }
        hasher.finish()
    }

    fn check(&self, (kind, number): (Kind, u8), payload: u64) -> u64 {
        let mut hasher = hasher(self.tokens);
        hasher.write_u64(payload);
        hasher.write_u8(kind as u8);
        if number > 0 {
            hasher.write_u8(number);
        }
        hasher.finish() >> (64 - CHECK_BITS)
    }
}

fn hasher([first, second]: [u64; 2]) -> SipHasher13 {
    SipHasher13::new_with_keys(first, second)
}

/// Whether a text has the form of a token, whoever made it: what fails the check then was forged or
/// is of another node.
#[must_use]
pub fn looks_like_one(text: &[u8]) -> bool {
    text.len() == LENGTH && text.iter().all(|letter| value(*letter).is_some())
}

fn spell(letters: &mut [u8], mut bits: u64) {
    for letter in letters.iter_mut().rev() {
        let index = usize::try_from(bits & 31).expect("below 32");
        *letter = ALPHABET.get(index).copied().expect("below 32");
        bits >>= 5;
    }
}

fn unspell(letters: &[u8]) -> Option<u128> {
    letters.iter().try_fold(0u128, |bits, letter| {
        Some(bits << 5 | u128::from(value(*letter)?))
    })
}

fn value(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'v' => Some(letter - b'a' + 10),
        b'A'..=b'V' => Some(letter - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_it_wrote_and_nothing_else(worker: u8, slot in 0u32..1 << 24, generation: u32, flip in 0usize..LENGTH, letter in 0usize..32) {
            let mint = Mint::new([1, 2]);
            let token = Token { kind: Kind::Branch, worker, key: Key { slot, generation } };
            let text = mint.write(token);
            prop_assert!(looks_like_one(&text));
            prop_assert_eq!(mint.read(Kind::Branch, &text), Some(token));
            prop_assert_eq!(mint.read(Kind::Branch, &text.to_ascii_uppercase()), Some(token));
            prop_assert_eq!(mint.read(Kind::PeerLeg, &text), None);
            prop_assert_eq!(mint.read_nth(Kind::Branch, &text, 1), None);
            let second = mint.write_nth(token, 2);
            prop_assert_eq!(mint.read_nth(Kind::Branch, &second, 2), Some(token));
            prop_assert_eq!(mint.read(Kind::Branch, &second), None);
            prop_assert_eq!(Mint::new([1, 3]).read(Kind::Branch, &text), None);
            let mut forged = text;
            forged[flip] = ALPHABET[letter];
            if forged != text {
                prop_assert_eq!(mint.read(Kind::Branch, &forged), None);
            }
        }
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let mint = Mint::new([1, 2]);
        for text in [
            &b""[..],
            b"1928301774",
            b"0123456789012345678!",
            b"000000000000000000000",
            b"zzzzzzzzzzzzzzzzzzzz",
        ] {
            assert_eq!(mint.read(Kind::Branch, text), None);
        }
    }
}
