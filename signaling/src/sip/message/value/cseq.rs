//! CSeq: a number and a method (RFC 3261 §20.16).

use super::ValueFault;
use crate::sip::message::Method;
use crate::sip::message::scan::{self, Cursor, DIGIT, LWS, TOKEN};

/// The value of CSeq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cseq<'a> {
    /// Below 2^31.
    pub number: u32,
    /// The method by name.
    pub method: Method,
    /// The method as it was sent.
    pub method_text: &'a [u8],
}

impl<'a> Cseq<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// [`ValueFault::Number`] for a number that is none or is 2^31 or more (RFC 3261 §8.1.1.5),
    /// [`ValueFault::Character`] for a method that is no token.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueFault> {
        let mut cursor = Cursor::new(scan::trim(value));
        let number = sequence_number(cursor.take(DIGIT))?;
        if cursor.take(LWS).is_empty() {
            return Err(ValueFault::Number);
        }
        let method_text = cursor.rest;
        if !scan::all(method_text, TOKEN) {
            return Err(ValueFault::Character);
        }
        Ok(Self {
            number,
            method: Method::from_bytes(method_text),
            method_text,
        })
    }
}

/// RFC 3261 §8.1.1.5: sequence numbers are below 2^31.
fn sequence_number(digits: &[u8]) -> Result<u32, ValueFault> {
    scan::number_u32(digits)
        .filter(|number| *number < 1 << 31)
        .ok_or(ValueFault::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cseq_is_a_number_and_a_method() {
        let cseq = Cseq::parse(b" 0009\r\n  INVITE ").unwrap();
        assert_eq!(
            (cseq.number, cseq.method, cseq.method_text),
            (9, Method::Invite, &b"INVITE"[..])
        );
        let cseq = Cseq::parse(b"2147483647 invite").unwrap();
        assert_eq!((cseq.number, cseq.method), (2_147_483_647, Method::Other));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "1",
            "1 ",
            "INVITE",
            "1INVITE",
            "-1 ACK",
            "2147483648 ACK",
            "1 A CK",
            "1 A,B",
        ] {
            assert!(Cseq::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Cseq::parse(b"36893488147419103232 REGISTER").is_err());
    }
}
