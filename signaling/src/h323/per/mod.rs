//! Aligned packed encoding rules (X.691), as much of them as RAS needs.
//!
//! A type implements [`Value`] once and is thereby read and written. Reading borrows from the
//! datagram, copies no text and allocates nothing; lists are checked as a whole when they are met
//! and walked through again by whoever wants their entries. What is not canonical in a harmless way
//! (padding that is not zero, numbers with leading zeros) is taken; everything else that X.691 does
//! not allow is a [`Fault`].
//!
//! Not here, because nothing in RAS can be that long: fragments (X.691 §11.9.3.8) and more than 64
//! extension additions.

mod fault;
mod list;
mod number;
mod reader;
mod schema;
mod string;
mod writer;

pub use fault::{Fault, Unwritable};
pub use list::{Entries, List};
pub use number::{Integer, Number};
pub use reader::{Additions, Reader};
pub use schema::Other;
pub(crate) use schema::{choice, sequence, width_of_choice};
pub use string::{Bits, Bmp, Digits, Ia5, Octets, Oid};
pub use writer::Writer;

/// A type of the protocol.
pub trait Value<'a>: Copy + 'a {
    /// Reads one value where the reader stands.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault>;

    /// Writes it; what cannot be written is told by [`Writer::finish`].
    fn write(&self, writer: &mut Writer<'_>);
}

impl Value<'_> for bool {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.bit()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.bit(*self);
    }
}

/// NULL: that it is there is all it says.
impl Value<'_> for () {
    fn read(_: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(())
    }

    fn write(&self, _: &mut Writer<'_>) {}
}

#[cfg(test)]
mod tests;
