//! Whole numbers: with both bounds told, and without any.

use super::{Fault, Reader, Unwritable, Value, Writer};

/// INTEGER (MIN..MAX).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number<const MIN: u32, const MAX: u32>(pub u32);

impl<const MIN: u32, const MAX: u32> Default for Number<MIN, MAX> {
    /// The least one.
    fn default() -> Self {
        Self(MIN)
    }
}

impl<const MIN: u32, const MAX: u32> Value<'_> for Number<MIN, MAX> {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.number(MIN, MAX).map(Self)
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        writer.number(self.0, MIN, MAX);
    }
}

impl Reader<'_> {
    /// A number between bounds (X.691 §11.5.7), in its four classes.
    #[inline]
    pub(crate) fn number(&mut self, min: u32, max: u32) -> Result<u32, Fault> {
        let range = max - min;
        let offset = match range {
            0 => 0,
            1..=0xfe => self.bits(u32::BITS - range.leading_zeros())?,
            0xff => {
                let [octet] = self.array()?;
                octet.into()
            }
            0x100..=0xffff => u16::from_be_bytes(self.array()?).into(),
            0x1_0000.. => {
                let octets = self.bits(width_of_length(range))? + 1;
                let mut offset = 0;
                for octet in self.octets(octets as usize)? {
                    offset = offset << 8 | u32::from(*octet);
                }
                offset
            }
        };
        if offset > range {
            return Err(Fault::Number);
        }
        Ok(min + offset)
    }
}

impl Writer<'_> {
    /// A number between bounds (X.691 §11.5.7), in its four classes.
    #[inline]
    pub(crate) fn number(&mut self, number: u32, min: u32, max: u32) {
        if !(min..=max).contains(&number) {
            self.fail(Unwritable::OutOfRange);
            return;
        }
        let range = max - min;
        let offset = number - min;
        let [first, second, third, fourth] = offset.to_be_bytes();
        match range {
            0 => {}
            1..=0xfe => self.bits(offset, u32::BITS - range.leading_zeros()),
            0xff => self.octets(&[fourth]),
            0x100..=0xffff => self.octets(&[third, fourth]),
            0x1_0000.. => {
                let (length, octets): (u32, &[u8]) = match offset {
                    0..=0xff => (1, &[fourth]),
                    0x100..=0xffff => (2, &[third, fourth]),
                    0x1_0000..=0xff_ffff => (3, &[second, third, fourth]),
                    0x100_0000.. => (4, &[first, second, third, fourth]),
                };
                self.bits(length - 1, width_of_length(range));
                self.octets(octets);
            }
        }
    }
}

/// The bits that tell in how many octets a number of this range is (3 or 4 at most, both in two).
const fn width_of_length(range: u32) -> u32 {
    let octets_max = u32::BITS.div_ceil(8) - range.leading_zeros() / 8;
    u32::BITS - (octets_max - 1).leading_zeros()
}

/// INTEGER, of at most 64 bits: H.235.0 has 32 in mind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Integer(pub i64);

impl Value<'_> for Integer {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let length = reader.length()?;
        let octets = reader.octets(length)?;
        let (Some(first), 1..=8) = (octets.first(), length) else {
            return Err(Fault::Number);
        };
        let sign = if first & 0x80 == 0 { 0 } else { -1 };
        let number = octets
            .iter()
            .fold(sign, |number: i64, octet| number << 8 | i64::from(*octet));
        Ok(Self(number))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let bytes = self.0.to_be_bytes();
        // X.691 §11.4: the fewest octets that keep the sign.
        let redundant = |first: u8, second: u8| {
            first == 0 && second & 0x80 == 0 || first == 0xff && second & 0x80 != 0
        };
        let mut octets: &[u8] = &bytes;
        while let [first, rest @ ..] = octets
            && let Some(second) = rest.first()
            && redundant(*first, *second)
        {
            octets = rest;
        }
        writer.length(octets.len());
        writer.octets(octets);
    }
}
