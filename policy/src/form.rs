//! The body of a request: `NAME=value&NAME=value`, percent-encoded (POLICY.md section 4.1).
//!
//! Nothing in it is an error: what is no pair is passed over, a `%` that begins no escape stands for
//! itself, and octets that are no UTF-8 are replaced. Pieces come in the order in which they stand.

use std::borrow::Cow;

/// How a `+` is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plus {
    /// As itself, for a VCS that sends the `+` of a number as it is.
    Literal,
    /// As a space, as HTML forms have it.
    #[default]
    Space,
}

/// The pairs of a body, names as they are and values not yet decoded.
pub(crate) fn pairs(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pieces = body.split(|octet| *octet == b'&');
    pieces.filter_map(|piece| {
        let at = piece.iter().position(|octet| *octet == b'=')?;
        let (name, rest) = piece.split_at_checked(at)?;
        Some((name, rest.get(1..)?))
    })
}

/// A value as it was meant; borrowed where nothing is encoded.
pub(crate) fn decode(value: &[u8], plus: Plus) -> Cow<'_, str> {
    let is_plain = |octet: &u8| *octet != b'%' && (*octet != b'+' || plus == Plus::Literal);
    if value.iter().all(is_plain) {
        return String::from_utf8_lossy(value);
    }
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'%', [high, low, after @ ..]) if let Some(octet) = hexadecimal(*high, *low) => {
                decoded.push(octet);
                rest = after;
            }
            (b'+', _) if plus == Plus::Space => decoded.push(b' '),
            (octet, _) => decoded.push(*octet),
        }
    }
    Cow::Owned(
        String::from_utf8(decoded)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(body: &str) -> Vec<(String, String)> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let pairs = pairs(body.as_bytes());
        pairs
            .map(|(name, value)| (text(name), decode(value, Plus::Space).into_owned()))
            .collect()
    }

    #[test]
    fn pieces_that_are_no_pairs_are_passed_over() {
        let found = all("&&A=1&B&=x&C=a=b=&D=&");
        let wanted = [("A", "1"), ("", "x"), ("C", "a=b="), ("D", "")];
        assert_eq!(found, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn escapes_are_read_and_what_is_none_stays() {
        let cases = [
            ("alice%40example.com", "alice@example.com"),
            ("a@b:c", "a@b:c"),
            ("%ZZ%4%", "%ZZ%4%"),
            ("%4%30", "%40"),
            ("%ff%FE", "\u{fffd}\u{fffd}"),
            ("\u{e4}%c3%a4", "\u{e4}\u{e4}"),
            ("a+b%2Bc", "a b+c"),
            ("%00%0d%0A%3C%22", "\0\r\n<\""),
        ];
        for (value, wanted) in cases {
            assert_eq!(decode(value.as_bytes(), Plus::Space), wanted, "{value}");
        }
        assert_eq!(decode(b"+4930%2B1", Plus::Literal), "+4930+1");
        assert_eq!(decode(b"\xff", Plus::Literal), "\u{fffd}");
    }
}
