//! A token with parameters: Event, Reason, Subscription-State, Content-Disposition, Privacy...

use super::ValueFault;
use super::params::Params;
use crate::sip::message::scan::{self, Cursor, TOKEN};

/// A token and its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenValue<'a> {
    /// The token as it was sent.
    pub token: &'a [u8],
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> TokenValue<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// [`ValueFault::Empty`] without a token, and whatever [`Params::parse`] says.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueFault> {
        let mut cursor = Cursor::new(scan::trim(value));
        let token = cursor.take(TOKEN);
        if token.is_empty() {
            return Err(ValueFault::Empty);
        }
        Ok(Self {
            token,
            params: Params::parse(cursor.rest)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_with_parameters() {
        let reason = TokenValue::parse(b"Q.850 ;cause=16;text=\"Terminated\"").unwrap();
        assert_eq!(reason.token, b"Q.850");
        assert_eq!(reason.params.get("cause"), Some(Some(&b"16"[..])));
        for text in ["", ";a", "a b", "a,b"] {
            assert!(TokenValue::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
