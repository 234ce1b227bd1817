//! Parameters: `;name`, `;name=value`, `;name="value"` (RFC 3261 §7.3.1, §25.1).

use super::ValueFault;
use crate::sip::message::scan::{self, Cursor, LWS, TOKEN, VALUE_STOP};

/// The parameters of a header value or of a URI, semicolons included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    raw: &'a [u8],
}

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name as it was sent.
    pub name: &'a [u8],
    /// What follows the `=`; a quoted string with its quotes.
    pub value: Option<&'a [u8]>,
}

impl Param<'_> {
    /// Whether it has this name, in any case.
    #[inline]
    pub(in super::super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

impl<'a> Params<'a> {
    /// Reads what must be parameters and nothing else.
    ///
    /// # Errors
    /// [`ValueFault::Param`] or [`ValueFault::Unclosed`] for a malformed one,
    /// [`ValueFault::Trailing`] for anything after them.
    pub fn parse(text: &'a [u8]) -> Result<Self, ValueFault> {
        Self::parse_seeing(text, |_| {})
    }

    /// The same, showing each parameter to `see`.
    #[inline]
    pub(super) fn parse_seeing(
        text: &'a [u8],
        see: impl FnMut(Param<'a>),
    ) -> Result<Self, ValueFault> {
        let mut cursor = Cursor::new(text);
        let params = Self::take(&mut cursor, see)?;
        cursor.lws();
        if cursor.rest.is_empty() {
            Ok(params)
        } else {
            Err(ValueFault::Trailing)
        }
    }

    /// Takes the parameters that come next, up to what is none, and shows each to `see`.
    #[inline]
    pub(in super::super) fn take(
        cursor: &mut Cursor<'a>,
        mut see: impl FnMut(Param<'a>),
    ) -> Result<Self, ValueFault> {
        let start = *cursor;
        let mut after = *cursor;
        loop {
            cursor.lws();
            if !cursor.eat(b';') {
                break;
            }
            cursor.lws();
            let name = cursor.take(TOKEN);
            if name.is_empty() {
                return Err(ValueFault::Param);
            }
            after = *cursor;
            cursor.lws();
            let mut value = None;
            if cursor.eat(b'=') {
                cursor.lws();
                value = Some(match cursor.rest.first() {
                    Some(b'"') => cursor.quoted().ok_or(ValueFault::Unclosed)?,
                    _ => cursor.take_until(VALUE_STOP | LWS),
                });
                after = *cursor;
            }
            see(Param { name, value });
        }
        *cursor = after;
        let length = start.rest.len().saturating_sub(after.rest.len());
        Ok(Self {
            raw: start.rest.get(..length).unwrap_or_default(),
        })
    }

    /// The parameters of a URI, whose characters were looked at before.
    pub(in super::super) fn of_uri(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// All of them as they were sent, with the semicolons.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The first one of this name, in any case: `None` if there is none, `Some(None)` if it has no
    /// value. In a URI names may be escaped; [`Uri::param`](super::uri::Uri::param) sees to that.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Option<&'a [u8]>> {
        self.iter()
            .find(|param| param.is(name))
            .map(|param| param.value)
    }

    /// How many there are of this name.
    pub(super) fn count(&self, name: &str) -> usize {
        self.iter().filter(|param| param.is(name)).count()
    }

    /// They in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'a> {
        Iter { rest: self.raw }
    }
}

impl<'a> IntoIterator for &Params<'a> {
    type Item = Param<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for Params<'a> {
    type Item = Param<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The parameters one by one; empty ones are left out.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        while !self.rest.is_empty() {
            let end = end_of_param(self.rest);
            let (param, rest) = self.rest.split_at_checked(end)?;
            self.rest = rest.get(1..).unwrap_or_default();
            let (name, value) =
                match scan::find(param, b'=').and_then(|at| param.split_at_checked(at)) {
                    Some((name, value)) => (name, value.get(1..).map(scan::trim)),
                    None => (param, None),
                };
            let name = scan::trim(name);
            if !name.is_empty() {
                return Some(Param { name, value });
            }
        }
        None
    }
}

fn end_of_param(text: &[u8]) -> usize {
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b';' if !is_quoted => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_in_order() {
        let params = Params::parse(b";lr; Tag = a\r\n b ;").map(|params| params.raw());
        assert_eq!(params, Err(ValueFault::Trailing));
        let params = Params::parse(b";lr; Tag =\r\n a;q=\"x;\\\"=,y\" ;empty=").unwrap();
        let all: Vec<_> = params
            .iter()
            .map(|param| (param.name, param.value))
            .collect();
        assert_eq!(
            all,
            [
                (&b"lr"[..], None),
                (b"Tag", Some(&b"a"[..])),
                (b"q", Some(b"\"x;\\\"=,y\"")),
                (b"empty", Some(b"")),
            ]
        );
        assert_eq!(params.get("tag"), Some(Some(&b"a"[..])));
        assert_eq!(params.get("LR"), Some(None));
        assert_eq!(params.get("l"), None);
    }

    #[test]
    fn a_malformed_parameter_is_refused() {
        for (text, fault) in [
            (";", ValueFault::Param),
            (";;a", ValueFault::Param),
            (";=a", ValueFault::Param),
            (";a=\"b", ValueFault::Unclosed),
            (";a=b,c", ValueFault::Trailing),
            (";a=b c", ValueFault::Trailing),
            ("a", ValueFault::Trailing),
        ] {
            assert_eq!(Params::parse(text.as_bytes()), Err(fault), "{text}");
        }
        assert_eq!(Params::parse(b" ").map(|params| params.raw()), Ok(&b""[..]));
    }
}
