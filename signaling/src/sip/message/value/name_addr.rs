//! Addresses: From, To, Contact, Route and their kin (RFC 3261 §20.10, §25.1).

use super::ValueFault;
use super::params::{Param, Params};
use crate::sip::message::scan::{self, Cursor, URI, VALUE_STOP};

/// A display name, a URI and parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name as it was sent, quotes included; empty if there is none.
    pub display: &'a [u8],
    /// The URI, without angle brackets and not looked into; `*` in a Contact.
    pub uri: &'a [u8],
    /// The parameters of the header field, not of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one address, in either of the two forms.
    ///
    /// # Errors
    /// [`ValueFault::Unclosed`] for an open quote or bracket, [`ValueFault::Character`] for white
    /// space or a quote within the URI or a comma in a display name without quotes,
    /// [`ValueFault::Empty`] without a URI, and whatever [`Params::parse`] says.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueFault> {
        Self::parse_seeing(value, |_| {})
    }

    /// Reads From or To, for the tag alone: `None` if there is none.
    ///
    /// An empty tag and a second one are faults: they name a dialog that is no dialog, or two.
    #[inline]
    pub(in super::super) fn parse_tag(value: &'a [u8]) -> Result<Option<&'a [u8]>, ValueFault> {
        let mut tag = None;
        let mut count = 0_u32;
        Self::parse_seeing(value, |param| {
            if param.is("tag") {
                tag = param.value.filter(|tag| !tag.is_empty());
                count = count.saturating_add(1);
            }
        })?;
        match (tag, count) {
            (None, 0) => Ok(None),
            (Some(tag), 1) => Ok(Some(tag)),
            _ => Err(ValueFault::Param),
        }
    }

    #[inline]
    fn parse_seeing(value: &'a [u8], see: impl FnMut(Param<'a>)) -> Result<Self, ValueFault> {
        let value = scan::trim(value);
        let mut cursor = Cursor::new(value);
        if value.first() == Some(&b'"') {
            let display = cursor.quoted().ok_or(ValueFault::Unclosed)?;
            cursor.lws();
            return Self::bracketed(display, cursor, see);
        }
        let before = cursor.take_until(VALUE_STOP);
        match cursor.rest.first() {
            Some(b'<') => Self::bracketed(scan::trim(before), cursor, see),
            Some(b'"' | b',') => Err(ValueFault::Character),
            // RFC 3261 §20.10: without brackets a URI has no headers, and what follows the
            // semicolon is of the header field.
            _ if scan::find(before, b'?').is_some() => Err(ValueFault::Character),
            _ => Ok(Self {
                display: &[],
                uri: checked(scan::trim(before))?,
                params: Params::parse_seeing(cursor.rest, see)?,
            }),
        }
    }

    #[inline]
    fn bracketed(
        display: &'a [u8],
        mut cursor: Cursor<'a>,
        see: impl FnMut(Param<'a>),
    ) -> Result<Self, ValueFault> {
        if !cursor.eat(b'<') {
            return Err(ValueFault::Character);
        }
        let uri = cursor.take(URI);
        match cursor.rest.first() {
            Some(b'>') if uri.is_empty() => return Err(ValueFault::Empty),
            Some(b'>') => cursor.cut(1),
            Some(_) => return Err(ValueFault::Character),
            None => return Err(ValueFault::Unclosed),
        };
        Ok(Self {
            display,
            uri,
            params: Params::parse_seeing(cursor.rest, see)?,
        })
    }

    /// The tag (RFC 3261 §19.3).
    #[must_use]
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.get("tag").map(Option::unwrap_or_default)
    }
}

fn checked(uri: &[u8]) -> Result<&[u8], ValueFault> {
    match uri {
        [] => Err(ValueFault::Empty),
        _ if !scan::all(uri, URI) => Err(ValueFault::Character),
        _ => Ok(uri),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (&str, &str, Option<&str>) {
        let address = NameAddr::parse(text.as_bytes()).unwrap();
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        (
            text(address.display),
            text(address.uri),
            address.tag().map(text),
        )
    }

    #[test]
    fn both_forms_are_read() {
        assert_eq!(parts("sip:a@b;tag=1"), ("", "sip:a@b", Some("1")));
        assert_eq!(parts("sip:a@b"), ("", "sip:a@b", None));
        assert_eq!(parts("<sip:a@b;tag=1>"), ("", "sip:a@b;tag=1", None));
        assert_eq!(
            parts("A. B.<sip:a@b> ; x ; TAG = 2"),
            ("A. B.", "sip:a@b", Some("2"))
        );
        assert_eq!(
            parts(" \"A \\\" <x>;tag=3, B\"\r\n <sip:a@b>\r\n ;tag=4"),
            ("\"A \\\" <x>;tag=3, B\"", "sip:a@b", Some("4"))
        );
        assert_eq!(parts("\"\" <tel:+1;x=y>"), ("\"\"", "tel:+1;x=y", None));
        assert_eq!(parts("*"), ("", "*", None));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, fault) in [
            ("", ValueFault::Empty),
            ("<>", ValueFault::Empty),
            ("\"A <sip:a@b>", ValueFault::Unclosed),
            ("<sip:a@b", ValueFault::Unclosed),
            ("< sip:a@b >", ValueFault::Character),
            ("Bell, A <sip:a@b>", ValueFault::Character),
            ("A \"B\" <sip:a@b>", ValueFault::Character),
            ("\"A\" sip:a@b", ValueFault::Character),
            ("sip:a@b?Route=c", ValueFault::Character),
            ("sip:a @b", ValueFault::Character),
            ("<sip:a@b>;", ValueFault::Param),
            ("<sip:a@b>, <sip:c@d>", ValueFault::Trailing),
            ("<sip:a@b>x", ValueFault::Trailing),
        ] {
            assert_eq!(NameAddr::parse(text.as_bytes()), Err(fault), "{text}");
        }
    }
}
