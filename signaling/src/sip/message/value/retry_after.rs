//! Retry-After (RFC 3261 §20.33).

use super::ValueFault;
use super::params::Params;
use crate::sip::message::scan::{self, Cursor, DIGIT};

/// The value of Retry-After.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter<'a> {
    /// How long to wait; what exceeds 32 bits is `u32::MAX`.
    pub seconds: u32,
    /// How long the callee will then be there.
    pub duration: Option<u32>,
    /// The comment with its parentheses; empty if there is none.
    pub comment: &'a [u8],
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> RetryAfter<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// [`ValueFault::Number`] without a number, [`ValueFault::Unclosed`] for an open comment, and
    /// whatever [`Params::parse`] says.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueFault> {
        let mut cursor = Cursor::new(scan::trim(value));
        let seconds = scan::seconds(cursor.take(DIGIT)).ok_or(ValueFault::Number)?;
        cursor.lws();
        let comment = take_comment(&mut cursor)?;
        let params = Params::parse(cursor.rest)?;
        let duration = params.get("duration").flatten().and_then(scan::seconds);
        Ok(Self {
            seconds,
            duration,
            comment,
            params,
        })
    }
}

fn take_comment<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], ValueFault> {
    if cursor.rest.first() != Some(&b'(') {
        return Ok(&[]);
    }
    let mut depth = 0_usize;
    let mut is_escaped = false;
    for (at, byte) in cursor.rest.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'(' => depth = depth.saturating_add(1),
            b')' if depth == 1 => return Ok(cursor.cut(at.saturating_add(1))),
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Err(ValueFault::Unclosed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read() {
        let wait = RetryAfter::parse(b"18000 (a (nested\\)) one) ; duration=3600").unwrap();
        assert_eq!((wait.seconds, wait.duration), (18_000, Some(3_600)));
        assert_eq!(wait.comment, b"(a (nested\\)) one)");
        assert_eq!(RetryAfter::parse(b"5").unwrap().duration, None);
        for text in ["", "x", "5 (", "5 (()", "5 x", "5 (a) b"] {
            assert!(RetryAfter::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
