//! Content-Type and the elements of Accept (RFC 3261 §20.1, §20.15).

use super::ValueFault;
use super::params::Params;
use crate::sip::message::scan::{self, Cursor, TOKEN};

/// A media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaType<'a> {
    /// What stands before the slash.
    pub kind: &'a [u8],
    /// What stands after it.
    pub subtype: &'a [u8],
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> MediaType<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// [`ValueFault::Empty`] if a part is missing, and whatever [`Params::parse`] says.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueFault> {
        let mut cursor = Cursor::new(scan::trim(value));
        let kind = cursor.take(TOKEN);
        cursor.lws();
        if !cursor.eat(b'/') {
            return Err(ValueFault::Character);
        }
        cursor.lws();
        let subtype = cursor.take(TOKEN);
        if kind.is_empty() || subtype.is_empty() {
            return Err(ValueFault::Empty);
        }
        Ok(Self {
            kind,
            subtype,
            params: Params::parse(cursor.rest)?,
        })
    }

    /// Whether it is this one; media types have no case.
    #[must_use]
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind.as_bytes())
            && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_has_two_parts() {
        let media = MediaType::parse(b"Multipart / Mixed ; boundary=\"a;b\"").unwrap();
        assert!(media.is("multipart", "mixed"));
        assert_eq!(media.params.get("boundary"), Some(Some(&b"\"a;b\""[..])));
        for text in ["", "text", "text/", "/plain", "text/plain x"] {
            assert!(MediaType::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
