//! Strings of bits, octets and characters, where they lie.

use super::{Fault, Reader, Unwritable, Value, Writer};
use std::fmt;

/// OCTET STRING.
impl<'a> Value<'a> for &'a [u8] {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let length = reader.length()?;
        reader.octets(length)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.length(self.len());
        writer.octets(self);
    }
}

/// OCTET STRING of a fixed size. Two octets are a field of bits (X.691 §17.6), and more begin on a
/// border.
impl<const SIZE: usize> Value<'_> for [u8; SIZE] {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        if SIZE > 2 {
            return reader.array();
        }
        let mut octets = [0; SIZE];
        for octet in &mut octets {
            *octet = u8::try_from(reader.bits(8)?).map_err(|_| Fault::Number)?;
        }
        Ok(octets)
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        if SIZE > 2 {
            writer.octets(self);
            return;
        }
        for octet in self {
            writer.bits((*octet).into(), 8);
        }
    }
}

/// OCTET STRING of MIN to MAX octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Octets<'a, const MIN: u32, const MAX: u32>(pub &'a [u8]);

impl<const MIN: u32, const MAX: u32> Default for Octets<'_, MIN, MAX> {
    fn default() -> Self {
        Self(&[])
    }
}

impl<'a, const MIN: u32, const MAX: u32> Value<'a> for Octets<'a, MIN, MAX> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let length = reader.length_within(MIN, MAX)?;
        reader.octets(length).map(Self)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.length_within(self.0.len(), MIN, MAX);
        writer.octets(self.0);
    }
}

/// BIT STRING; what its last octet holds beyond it says nothing. MAX of 0 stands for no constraint.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bits<'a, const MAX: u32 = 0> {
    /// The octets in which the bits are.
    pub octets: &'a [u8],
    /// How many bits.
    pub count: usize,
}

impl<'a, const MAX: u32> Value<'a> for Bits<'a, MAX> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let count = reader.length_within(0, MAX)?;
        let octets = reader.bit_string(count)?;
        Ok(Self { octets, count })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        if self.octets.len() != self.count.div_ceil(8) {
            writer.fail(Unwritable::OutOfRange);
            return;
        }
        writer.length_within(self.count, 0, MAX);
        writer.bit_string(self.octets, self.count);
    }
}

impl<const MAX: u32> Bits<'_, MAX> {
    fn bit(&self, at: usize) -> Option<bool> {
        let octet = self.octets.get(at / 8)?;
        Some(octet << (at % 8) & 0x80 != 0)
    }
}

impl<const MAX: u32> PartialEq for Bits<'_, MAX> {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && (0..self.count).all(|at| self.bit(at) == other.bit(at))
    }
}

impl<const MAX: u32> Eq for Bits<'_, MAX> {}

/// OBJECT IDENTIFIER, as BER writes its contents.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Oid<'a>(&'a [u8]);

impl<'a> Oid<'a> {
    /// Of the octets that BER has as its contents.
    #[must_use]
    pub const fn of(contents: &'a [u8]) -> Self {
        Self(contents)
    }

    /// These octets.
    #[must_use]
    pub const fn contents(self) -> &'a [u8] {
        self.0
    }

    /// Whether each of its parts has a begin and an end.
    fn is_whole(self) -> bool {
        let ends = |octet: u8| octet & 0x80 == 0;
        let mut begins = true;
        for octet in self.0 {
            // X.690 §8.19.2: no part begins with a zero that says nothing.
            if begins && *octet == 0x80 {
                return false;
            }
            begins = ends(*octet);
        }
        begins && !self.0.is_empty()
    }

    /// Its parts; the first two are one in the contents.
    fn parts(self) -> impl Iterator<Item = u128> {
        // A part may be a UUID (ITU-T X.667); of a longer one the last 128 bits are shown.
        let mut part = 0_u128;
        self.0.iter().filter_map(move |octet| {
            part = part << 7 | u128::from(octet & 0x7f);
            (octet & 0x80 == 0).then(|| std::mem::take(&mut part))
        })
    }
}

impl<'a> Value<'a> for Oid<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let oid = Self(<&[u8]>::read(reader)?);
        if oid.is_whole() {
            Ok(oid)
        } else {
            Err(Fault::ObjectIdentifier)
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        if !self.is_whole() {
            writer.fail(Unwritable::OutOfRange);
        }
        self.0.write(writer);
    }
}

impl fmt::Display for Oid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, part) in self.parts().enumerate() {
            if position == 0 {
                let root = (part / 40).min(2);
                write!(f, "{root}.{}", part - root * 40)?;
            } else {
                write!(f, ".{part}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Oid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// IA5String of MIN to MAX characters; PrintableString, which is written alike. MAX of 0 stands for no
/// constraint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ia5<'a, const MIN: u32, const MAX: u32>(pub &'a str);

impl<'a, const MIN: u32, const MAX: u32> Value<'a> for Ia5<'a, MIN, MAX> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let length = reader.length_within(MIN, MAX)?;
        ascii(reader.octets(length)?).map(Self)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.length_within(self.0.len(), MIN, MAX);
        if !self.0.is_ascii() {
            writer.fail(Unwritable::OutOfRange);
        }
        writer.octets(self.0.as_bytes());
    }
}

impl<const MIN: u32, const MAX: u32> fmt::Debug for Ia5<'_, MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// BMPString of 1 to MAX characters: UTF-16 of a datagram, or a text that is to become it. MAX of 0
/// stands for no constraint.
#[derive(Clone, Copy)]
pub struct Bmp<'a, const MAX: u32>(Units<'a>);

#[derive(Clone, Copy)]
enum Units<'a> {
    Datagram(&'a [u8]),
    Text(&'a str),
}

impl<'a, const MAX: u32> Bmp<'a, MAX> {
    /// Its characters; half a surrogate pair reads as U+FFFD.
    pub fn chars(self) -> impl Iterator<Item = char> + 'a {
        let (octets, text): (&[u8], &str) = match self.0 {
            Units::Datagram(octets) => (octets, ""),
            Units::Text(text) => (&[], text),
        };
        char::decode_utf16(units(octets))
            .map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER))
            .chain(text.chars())
    }

    fn units(self) -> impl Iterator<Item = u16> + 'a {
        let (octets, text): (&[u8], &str) = match self.0 {
            Units::Datagram(octets) => (octets, ""),
            Units::Text(text) => (&[], text),
        };
        units(octets).chain(text.encode_utf16())
    }
}

fn units(octets: &[u8]) -> impl Iterator<Item = u16> {
    let (pairs, _) = octets.as_chunks::<2>();
    pairs.iter().map(|pair| u16::from_be_bytes(*pair))
}

impl<const MAX: u32> Default for Bmp<'_, MAX> {
    /// Empty, which cannot be written.
    fn default() -> Self {
        Self(Units::Text(""))
    }
}

impl<'a, const MAX: u32> From<&'a str> for Bmp<'a, MAX> {
    fn from(text: &'a str) -> Self {
        Self(Units::Text(text))
    }
}

impl<'a, const MAX: u32> Value<'a> for Bmp<'a, MAX> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let length = reader.length_within(1, MAX)?;
        let octets = reader.octets(length * 2)?;
        Ok(Self(Units::Datagram(octets)))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        match self.0 {
            Units::Datagram(octets) => {
                writer.length_within(octets.len() / 2, 1, MAX);
                writer.octets(octets);
            }
            Units::Text(text) => {
                let count = text.encode_utf16().count();
                writer.length_within(count, 1, MAX);
                if let Some(place) = writer.place(count * 2) {
                    let (pairs, _) = place.as_chunks_mut::<2>();
                    for (pair, unit) in pairs.iter_mut().zip(text.encode_utf16()) {
                        *pair = unit.to_be_bytes();
                    }
                }
            }
        }
    }
}

impl<const MAX: u32> PartialEq for Bmp<'_, MAX> {
    fn eq(&self, other: &Self) -> bool {
        self.units().eq(other.units())
    }
}

impl<const MAX: u32> Eq for Bmp<'_, MAX> {}

impl<const MAX: u32> PartialEq<str> for Bmp<'_, MAX> {
    fn eq(&self, other: &str) -> bool {
        self.units().eq(other.encode_utf16())
    }
}

impl<const MAX: u32> fmt::Display for Bmp<'_, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars()
            .try_for_each(|character| fmt::Write::write_char(f, character))
    }
}

impl<const MAX: u32> fmt::Debug for Bmp<'_, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// IA5String of 1 to 128 of the characters `#*,0123456789`, half an octet each.
#[derive(Clone, Copy)]
pub struct Digits<'a>(Halves<'a>);

#[derive(Clone, Copy)]
enum Halves<'a> {
    Datagram { octets: &'a [u8], count: usize },
    Text(&'a str),
}

/// The alphabet in its order (X.691 §30.5.4).
const DIGITS: &[u8; 13] = b"#*,0123456789";
const DIGITS_MAX: u32 = 128;

impl<'a> Digits<'a> {
    /// Its characters.
    pub fn chars(self) -> impl Iterator<Item = char> + 'a {
        let (octets, count, text): (&[u8], usize, &str) = match self.0 {
            Halves::Datagram { octets, count } => (octets, count, ""),
            Halves::Text(text) => (&[], 0, text),
        };
        let halves = octets.iter().flat_map(|octet| [octet >> 4, octet & 0x0f]);
        let digit = |half: u8| DIGITS.get(usize::from(half)).copied();
        let digits = halves.take(count).filter_map(digit);
        digits.map(char::from).chain(text.chars())
    }
}

impl Default for Digits<'_> {
    /// Empty, which cannot be written.
    fn default() -> Self {
        Self(Halves::Text(""))
    }
}

impl<'a> From<&'a str> for Digits<'a> {
    fn from(text: &'a str) -> Self {
        Self(Halves::Text(text))
    }
}

impl<'a> Value<'a> for Digits<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let count = reader.length_within(1, DIGITS_MAX)?;
        let octets = reader.bit_string(count * 4)?;
        let digits = Self(Halves::Datagram { octets, count });
        if digits.chars().count() == count {
            Ok(digits)
        } else {
            Err(Fault::Alphabet)
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let count = self.chars().count();
        writer.length_within(count, 1, DIGITS_MAX);
        writer.align();
        for character in self.chars() {
            let known = (0_u32..).zip(DIGITS);
            let mut found = known.filter(|(_, digit)| char::from(**digit) == character);
            match found.next() {
                Some((half, _)) => writer.bits(half, 4),
                None => writer.fail(Unwritable::OutOfRange),
            }
        }
    }
}

impl PartialEq for Digits<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.chars().eq(other.chars())
    }
}

impl Eq for Digits<'_> {}

impl PartialEq<str> for Digits<'_> {
    fn eq(&self, other: &str) -> bool {
        self.chars().eq(other.chars())
    }
}

impl fmt::Display for Digits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars()
            .try_for_each(|character| fmt::Write::write_char(f, character))
    }
}

impl fmt::Debug for Digits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Seven bits in eight (X.691 §30.5.2).
fn ascii(octets: &[u8]) -> Result<&str, Fault> {
    let text = std::str::from_utf8(octets).map_err(|_| Fault::Alphabet)?;
    if text.is_ascii() {
        Ok(text)
    } else {
        Err(Fault::Alphabet)
    }
}
