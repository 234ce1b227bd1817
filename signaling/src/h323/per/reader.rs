//! Reads from left to right, bit by bit or octet by octet, never beyond the end.

use super::{Fault, Value};

/// How deep values may lie in values that may hold themselves.
const DEPTH_MAX: u8 = 8;
/// The longest message.
const BYTES_MAX: usize = 0xffff;

/// A place in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// Bits that were read.
    at: usize,
    depth: u8,
}

impl<'a> Reader<'a> {
    /// At the begin of a message.
    ///
    /// # Errors
    /// More bytes than a datagram can have.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        if bytes.len() > BYTES_MAX {
            return Err(Fault::Length);
        }
        Ok(Self {
            bytes,
            at: 0,
            depth: 0,
        })
    }

    /// One bit.
    #[inline]
    pub(crate) fn bit(&mut self) -> Result<bool, Fault> {
        let octet = self.bytes.get(self.at / 8).ok_or(Fault::Short)?;
        let bit = octet << (self.at % 8) & 0x80;
        self.at += 1;
        Ok(bit != 0)
    }

    /// A field of bits, 16 at most, the most significant one first.
    #[inline]
    pub(crate) fn bits(&mut self, count: u32) -> Result<u32, Fault> {
        debug_assert!(count <= 16, "wider fields are octets");
        if count == 0 {
            return Ok(0);
        }
        let end = self.at + count as usize;
        if end > self.bytes.len() * 8 {
            return Err(Fault::Short);
        }
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        // Up to 16 bits that begin anywhere in an octet lie in three.
        let window = match rest {
            [first, second, third, ..] => u32::from_be_bytes([*first, *second, *third, 0]),
            [first, second] => u32::from_be_bytes([*first, *second, 0, 0]),
            [first] => u32::from_be_bytes([*first, 0, 0, 0]),
            [] => 0,
        };
        let field = (window << (self.at % 8)) >> (32 - count);
        self.at = end;
        Ok(field)
    }

    /// Goes to the next border of an octet.
    #[inline]
    pub(crate) fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    /// So many octets, from the next border.
    #[inline]
    pub(crate) fn octets(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        self.align();
        let begin = self.at / 8;
        let octets = self.bytes.get(begin..begin + count);
        self.at += count * 8;
        octets.ok_or(Fault::Short)
    }

    /// So many octets, from the next border, as an array.
    #[inline]
    pub(crate) fn array<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], Fault> {
        let octets = self.octets(COUNT)?;
        octets.try_into().map_err(|_| Fault::Short)
    }

    /// The octets that hold the next bits, from the next border. What is read next begins behind the
    /// last bit.
    pub(crate) fn bit_string(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let octets = self.octets(count.div_ceil(8))?;
        self.at -= octets.len() * 8 - count;
        Ok(octets)
    }

    /// A length without a constraint (X.691 §11.9.3.5-7).
    #[inline]
    pub(crate) fn length(&mut self) -> Result<usize, Fault> {
        let [first] = self.array()?;
        match first {
            0..=0x7f => Ok(first.into()),
            0x80..=0xbf => {
                let [second] = self.array()?;
                Ok(usize::from(first & 0x3f) << 8 | usize::from(second))
            }
            0xc0..=0xff => Err(Fault::Length),
        }
    }

    /// A length from `min` to `max`; 0 as `max` stands for no constraint.
    #[inline]
    pub(crate) fn length_within(&mut self, min: u32, max: u32) -> Result<usize, Fault> {
        if max == 0 {
            return self.length();
        }
        self.number(min, max).map(|length| length as usize)
    }

    /// A number that is mostly small (X.691 §11.6).
    pub(crate) fn mostly_small(&mut self) -> Result<u32, Fault> {
        if !self.bit()? {
            return self.bits(6);
        }
        // Semi-constrained: no standard has so many alternatives, but a sender of the future might.
        let octets = self.length()?;
        match self.octets(octets)? {
            [one] => Ok(u32::from(*one)),
            [one, two] => Ok(u32::from(u16::from_be_bytes([*one, *two]))),
            _ => Err(Fault::Number),
        }
    }

    /// A value that says how long it is (X.691 §11.2), one octet at least: a reader of its own, for what
    /// lies in it.
    #[inline]
    pub(crate) fn open(&mut self) -> Result<Self, Fault> {
        let length = self.length()?;
        if length == 0 {
            return Err(Fault::Short);
        }
        Ok(Self {
            bytes: self.octets(length)?,
            at: 0,
            depth: self.depth,
        })
    }

    /// A value that must fill an open type.
    pub(crate) fn opened<T: Value<'a>>(&mut self) -> Result<T, Fault> {
        let mut inner = self.open()?;
        let value = T::read(&mut inner)?;
        inner.end()?;
        Ok(value)
    }

    /// Everything was read. An encoding has one octet at least (X.691 §11.1.3).
    ///
    /// # Errors
    /// There is more, or not even one octet.
    pub(crate) fn end(&self) -> Result<(), Fault> {
        let octets = self.at.div_ceil(8).max(1);
        match octets.cmp(&self.bytes.len()) {
            std::cmp::Ordering::Less => Err(Fault::Trailing),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(Fault::Short),
        }
    }

    /// All bytes that it reads from.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// One step deeper, for values that may hold their like.
    pub(crate) fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if self.depth == DEPTH_MAX {
            return Err(Fault::Depth);
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// The extension additions of a sequence whose extension bit said that there are some (X.691
    /// §19.7-9).
    pub(crate) fn additions(&mut self) -> Result<Additions, Fault> {
        if self.bit()? {
            return Err(Fault::TooManyAdditions);
        }
        let count = self.bits(6)? + 1;
        let mut present = 0;
        let mut left = count;
        while left > 0 {
            let width = left.min(16);
            present = present << width | u64::from(self.bits(width)?);
            left -= width;
        }
        // The first addition becomes the highest bit.
        Ok(Additions(present << (64 - count)))
    }
}

/// The additions of one sequence that are still to be read; the highest bit is the first one.
#[derive(Clone, Copy, Debug)]
pub struct Additions(u64);

impl Additions {
    /// Of a sequence whose extension bit said that there are none.
    pub(crate) const NONE: Self = Self(0);

    /// The addition of this number, if it is there. Numbers are asked for in their order; what
    /// lies before and was not asked for is skipped.
    #[inline]
    pub(crate) fn take<'a, T: Value<'a>>(
        &mut self,
        reader: &mut Reader<'a>,
        number: u32,
    ) -> Result<Option<T>, Fault> {
        self.skip_to(reader, number)?;
        if self.0.leading_zeros() != number {
            return Ok(None);
        }
        self.0 &= !(FIRST >> number);
        reader.opened().map(Some)
    }

    /// Skips what is left.
    #[inline]
    pub(crate) fn finish(mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        self.skip_to(reader, u64::BITS)
    }

    #[inline]
    fn skip_to(&mut self, reader: &mut Reader<'_>, number: u32) -> Result<(), Fault> {
        while self.0.leading_zeros() < number {
            self.0 &= !(FIRST >> self.0.leading_zeros());
            reader.open()?;
        }
        Ok(())
    }
}

/// The bit of the first addition.
const FIRST: u64 = 1 << 63;
