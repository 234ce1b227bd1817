//! SEQUENCE OF: entries that lie in a datagram, or in a slice that is to be written.

use super::{Fault, Reader, Value, Writer};
use std::fmt;

/// A list. With `MAX` it has 1 to `MAX` entries; 0 stands for no constraint.
///
/// Its entries were all read once when it was read; they are read again when it is walked through.
#[derive(Clone, Copy)]
pub struct List<'a, T, const MAX: u32 = 0>(Place<'a, T>);

#[derive(Clone, Copy)]
enum Place<'a, T> {
    Datagram { first: Reader<'a>, count: usize },
    Slice(&'a [T]),
}

impl<'a, T: Value<'a>, const MAX: u32> List<'a, T, MAX> {
    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.0 {
            Place::Datagram { count, .. } => count,
            Place::Slice(entries) => entries.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first entry.
    #[must_use]
    pub fn first(&self) -> Option<T> {
        self.iter().next()
    }

    /// Its entries.
    #[must_use]
    pub fn iter(&self) -> Entries<'a, T> {
        Entries(self.0)
    }
}

impl<T, const MAX: u32> Default for List<'_, T, MAX> {
    fn default() -> Self {
        Self(Place::Slice(&[]))
    }
}

impl<'a, T, const MAX: u32> From<&'a [T]> for List<'a, T, MAX> {
    fn from(entries: &'a [T]) -> Self {
        Self(Place::Slice(entries))
    }
}

impl<'a, T, const COUNT: usize, const MAX: u32> From<&'a [T; COUNT]> for List<'a, T, MAX> {
    fn from(entries: &'a [T; COUNT]) -> Self {
        Self(Place::Slice(entries))
    }
}

impl<'a, T: Value<'a>, const MAX: u32> IntoIterator for List<'a, T, MAX> {
    type Item = T;
    type IntoIter = Entries<'a, T>;

    fn into_iter(self) -> Entries<'a, T> {
        self.iter()
    }
}

/// The entries of a [`List`] that are still to come.
#[derive(Clone, Copy)]
pub struct Entries<'a, T>(Place<'a, T>);

impl<'a, T: Value<'a>> Iterator for Entries<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            Place::Datagram { first, count } => {
                *count = count.checked_sub(1)?;
                // It was read once already.
                T::read(first).ok()
            }
            Place::Slice(entries) => {
                let (first, rest) = entries.split_first()?;
                *entries = rest;
                Some(*first)
            }
        }
    }
}

impl<'a, T: Value<'a>, const MAX: u32> Value<'a> for List<'a, T, MAX> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let count = reader.length_within(1, MAX)?;
        let first = *reader;
        for _ in 0..count {
            T::read(reader)?;
        }
        Ok(Self(Place::Datagram { first, count }))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.length_within(self.len(), 1, MAX);
        for entry in self.iter() {
            entry.write(writer);
        }
    }
}

impl<'a, T: Value<'a> + PartialEq, const MAX: u32> PartialEq for List<'a, T, MAX> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'a, T: Value<'a> + Eq, const MAX: u32> Eq for List<'a, T, MAX> {}

impl<'a, T: Value<'a> + fmt::Debug, const MAX: u32> fmt::Debug for List<'a, T, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
