//! Session-Expires and Min-SE (RFC 4028 §4, §5).

use super::ValueFault;
use super::params::Params;
use crate::sip::message::scan::{self, Cursor, DIGIT};

/// Who refreshes the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// The user agent client of this transaction.
    Uac,
    /// The user agent server of this transaction.
    Uas,
}

/// The value of Session-Expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires<'a> {
    /// The interval; what exceeds 32 bits is `u32::MAX`.
    pub seconds: u32,
    /// Who refreshes; `None` if it is not said, or with an unknown word.
    pub refresher: Option<Refresher>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> SessionExpires<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// [`ValueFault::Number`] without a number, and whatever [`Params::parse`] says.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueFault> {
        let (seconds, params) = seconds_and_params(value)?;
        let refresher = match params.get("refresher").flatten() {
            Some(word) if word.eq_ignore_ascii_case(b"uac") => Some(Refresher::Uac),
            Some(word) if word.eq_ignore_ascii_case(b"uas") => Some(Refresher::Uas),
            _ => None,
        };
        Ok(Self {
            seconds,
            refresher,
            params,
        })
    }
}

/// The value of Min-SE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinSe {
    /// The interval; what exceeds 32 bits is `u32::MAX`.
    pub seconds: u32,
}

impl MinSe {
    /// Reads a value.
    ///
    /// # Errors
    /// As [`SessionExpires::parse`].
    pub fn parse(value: &[u8]) -> Result<Self, ValueFault> {
        seconds_and_params(value).map(|(seconds, _)| Self { seconds })
    }
}

fn seconds_and_params(value: &[u8]) -> Result<(u32, Params<'_>), ValueFault> {
    let mut cursor = Cursor::new(scan::trim(value));
    let seconds = scan::seconds(cursor.take(DIGIT)).ok_or(ValueFault::Number)?;
    Ok((seconds, Params::parse(cursor.rest)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_timer_is_read() {
        let timer = SessionExpires::parse(b" 1800 ; Refresher=UAS;x").unwrap();
        assert_eq!(
            (timer.seconds, timer.refresher),
            (1800, Some(Refresher::Uas))
        );
        let timer = SessionExpires::parse(b"99999999999999999999999;refresher=both").unwrap();
        assert_eq!((timer.seconds, timer.refresher), (u32::MAX, None));
        assert_eq!(MinSe::parse(b"90;x=y"), Ok(MinSe { seconds: 90 }));
        for text in ["", "x", "-1", "90 s", ";refresher=uac", "1.5"] {
            assert!(SessionExpires::parse(text.as_bytes()).is_err(), "{text}");
            assert!(MinSe::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
