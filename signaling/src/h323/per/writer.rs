//! Writes from left to right into a buffer of the caller's.
//!
//! Writing does not stop at what cannot be written: the first such thing is kept, and
//! [`Writer::finish`] tells it.

use super::Unwritable;

/// The longest length that is not in fragments.
const LENGTH_MAX: usize = 16_383;

/// A place in a buffer.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    /// Bits that were written.
    at: usize,
    fault: Option<Unwritable>,
}

impl<'b> Writer<'b> {
    /// At the begin of a buffer, whatever is in it.
    #[must_use]
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self {
            buffer,
            at: 0,
            fault: None,
        }
    }

    /// How many octets were written.
    ///
    /// # Errors
    /// The first thing that could not be written.
    pub fn finish(mut self) -> Result<usize, Unwritable> {
        self.align();
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(self.at / 8),
        }
    }

    /// Keeps the first fault; nothing is written after it.
    pub(crate) fn fail(&mut self, fault: Unwritable) {
        self.fault.get_or_insert(fault);
    }

    /// One bit.
    pub(crate) fn bit(&mut self, bit: bool) {
        self.bits(bit.into(), 1);
    }

    /// A field of bits, 16 at most, the most significant one first.
    #[inline]
    pub(crate) fn bits(&mut self, value: u32, count: u32) {
        debug_assert!(
            count <= 16 && value >> count == 0,
            "the value fills the field"
        );
        let mut left = count as usize;
        while left > 0 {
            let used = self.at % 8;
            let width = left.min(8 - used);
            left -= width;
            let part = (value >> left & ((1 << width) - 1)) << (8 - used - width);
            self.put((part & 0xff) as u8, used == 0);
            self.at += width;
        }
    }

    /// Puts bits into the octet that is being written; a fresh one is emptied first.
    #[inline]
    fn put(&mut self, part: u8, is_fresh: bool) {
        if self.fault.is_some() {
            return;
        }
        match self.buffer.get_mut(self.at / 8) {
            Some(octet) if is_fresh => *octet = part,
            Some(octet) => *octet |= part,
            None => self.fail(Unwritable::NoRoom),
        }
    }

    /// Goes to the next border of an octet; the bits before it are zero.
    pub(crate) fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    /// Octets, from the next border.
    #[inline]
    pub(crate) fn octets(&mut self, octets: &[u8]) {
        if let Some(place) = self.place(octets.len()) {
            place.copy_from_slice(octets);
        }
    }

    /// The place of so many octets from the next border, to be filled.
    #[inline]
    pub(crate) fn place(&mut self, count: usize) -> Option<&mut [u8]> {
        self.align();
        let begin = self.at / 8;
        self.at += count * 8;
        if self.buffer.len() < begin + count {
            self.fail(Unwritable::NoRoom);
        }
        self.buffer.get_mut(begin..begin + count)
    }

    /// A length without a constraint (X.691 §11.9.3.5-7).
    pub(crate) fn length(&mut self, length: usize) {
        match u16::try_from(length) {
            Ok(short @ 0..=0x7f) => self.octets(&[short.to_be_bytes()[1]]),
            Ok(length) if usize::from(length) <= LENGTH_MAX => {
                self.octets(&(length | 0x8000).to_be_bytes());
            }
            Ok(_) | Err(_) => self.fail(Unwritable::OutOfRange),
        }
    }

    /// A length from `min` to `max`; 0 as `max` stands for no constraint.
    #[inline]
    pub(crate) fn length_within(&mut self, length: usize, min: u32, max: u32) {
        match u32::try_from(length) {
            Ok(_) if max == 0 => self.length(length),
            Ok(length) => self.number(length, min, max),
            Err(_) => self.fail(Unwritable::OutOfRange),
        }
    }

    /// Bits from the next border; what follows begins right behind the last one.
    pub(crate) fn bit_string(&mut self, octets: &[u8], count: usize) {
        let (whole, rest) = octets.split_at(octets.len().min(count / 8));
        self.octets(whole);
        self.align();
        let width = count % 8;
        for octet in rest {
            for bit in 0..width {
                self.bit(octet << bit & 0x80 != 0);
            }
        }
    }

    /// A number that is mostly small (X.691 §11.6).
    pub(crate) fn mostly_small(&mut self, number: u32) {
        match u16::try_from(number) {
            Ok(0..=63) => self.bits(number, 7),
            Ok(number) => {
                self.bit(true);
                let [high, low] = number.to_be_bytes();
                match high {
                    0 => self.octets(&[1, low]),
                    1..=0xff => self.octets(&[2, high, low]),
                }
            }
            Err(_) => self.fail(Unwritable::OutOfRange),
        }
    }

    /// A value with its length before it (X.691 §11.2). The length takes one octet mostly; where it
    /// takes two, the value moves.
    #[inline]
    pub(crate) fn open(&mut self, write: impl FnOnce(&mut Self)) {
        self.octets(&[0]);
        let begin = self.at / 8;
        write(self);
        self.align();
        if self.at / 8 == begin {
            self.octets(&[0]);
        }
        if self.fault.is_some() {
            return;
        }
        let end = self.at / 8;
        let length = end - begin;
        if length <= 0x7f {
            self.at = (begin - 1) * 8;
            self.length(length);
            self.at = end * 8;
            return;
        }
        if end >= self.buffer.len() {
            self.fail(Unwritable::NoRoom);
            return;
        }
        self.buffer.copy_within(begin..end, begin + 1);
        self.at = (begin - 1) * 8;
        self.length(length);
        self.at = (end + 1) * 8;
    }

    /// Which of `count` extension additions follow; the first one is the highest bit.
    pub(crate) fn additions(&mut self, present: u64, count: u32) {
        debug_assert!((1..=64).contains(&count), "a bitmap of at most 64");
        self.bits(count - 1, 7);
        for number in 0..count {
            self.bit(present << number >> 63 != 0);
        }
    }
}
