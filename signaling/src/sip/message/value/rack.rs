//! RSeq and RAck, the numbers of reliable provisional responses (RFC 3262 §7).

use super::ValueFault;
use super::cseq::Cseq;
use crate::sip::message::Method;
use crate::sip::message::scan::{self, Cursor, DIGIT, LWS};

/// The value of RSeq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rseq {
    /// The number of the response.
    pub number: u32,
}

impl Rseq {
    /// Reads a value.
    ///
    /// # Errors
    /// [`ValueFault::Number`] for anything but a number that fits 32 bits.
    pub fn parse(value: &[u8]) -> Result<Self, ValueFault> {
        // RFC 3262 §7.1 starts below 2^31, and lets the number grow to 2^32 - 1.
        let number = scan::number_u32(scan::trim(value)).ok_or(ValueFault::Number)?;
        Ok(Self { number })
    }
}

/// The value of RAck: which response a PRACK is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rack<'a> {
    /// The RSeq of the response.
    pub rseq: u32,
    /// The number in the CSeq of the response.
    pub cseq: u32,
    /// The method in the CSeq of the response.
    pub method: Method,
    /// The same as it was sent.
    pub method_text: &'a [u8],
}

impl<'a> Rack<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// [`ValueFault::Number`] or [`ValueFault::Character`] for anything but two numbers and a
    /// method.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueFault> {
        let mut cursor = Cursor::new(scan::trim(value));
        let rseq = scan::number_u32(cursor.take(DIGIT)).ok_or(ValueFault::Number)?;
        if cursor.take(LWS).is_empty() {
            return Err(ValueFault::Number);
        }
        let Cseq {
            number,
            method,
            method_text,
        } = Cseq::parse(cursor.rest)?;
        Ok(Self {
            rseq,
            cseq: number,
            method,
            method_text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rack_is_two_numbers_and_a_method() {
        let rack = Rack::parse(b"776656\r\n 1  INVITE").unwrap();
        assert_eq!(
            (rack.rseq, rack.cseq, rack.method),
            (776_656, 1, Method::Invite)
        );
        for text in [
            "",
            "1",
            "1 INVITE",
            "1 2",
            "1 2 INVITE x",
            "x 2 INVITE",
            "4294967296 1 INVITE",
        ] {
            assert!(Rack::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_rseq_is_one_number() {
        assert_eq!(Rseq::parse(b" 988789 "), Ok(Rseq { number: 988_789 }));
        for text in ["", "-1", "1 2", "4294967296"] {
            assert_eq!(
                Rseq::parse(text.as_bytes()),
                Err(ValueFault::Number),
                "{text}"
            );
        }
    }
}
