//! Byte classes of RFC 3261 §25.1, the search for line ends, and a cursor over one value.
//!
//! Everything here is a leaf: no state beyond the bytes, no fault names.

/// Letters, digits and `-.!%*_+`'~`: the characters of a token.
pub(super) const TOKEN: u8 = 1;
/// Space, tab, and the CR and LF of a fold: linear white space.
pub(super) const LWS: u8 = 1 << 1;
/// Decimal digits.
pub(super) const DIGIT: u8 = 1 << 2;
/// What may stand in a URI as Baton accepts it: visible, without `<`, `>` and `"`.
pub(super) const URI: u8 = 1 << 3;
/// What may stand in a host name or IPv4 address; `_` is no host character, but is met.
pub(super) const HOST: u8 = 1 << 4;
/// What may stand between the brackets of an IPv6 reference.
pub(super) const IPV6: u8 = 1 << 5;
/// What ends the plain part of a header value: `"`, `,`, `;`, `<`.
pub(super) const VALUE_STOP: u8 = 1 << 6;
/// Letters.
pub(super) const ALPHA: u8 = 1 << 7;

const CLASSES: [u8; 256] = classes();

// `while` and indexing, because a constant function knows neither iterators nor `get`.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a miss fails"
)]
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte: u8 = 0;
    loop {
        let mut class = 0;
        if byte.is_ascii_alphanumeric() || contains(b"-.!%*_+`'~", byte) {
            class |= TOKEN;
        }
        if contains(b" \t\r\n", byte) {
            class |= LWS;
        }
        if byte.is_ascii_digit() {
            class |= DIGIT;
        }
        if byte > b' ' && byte != 0x7f && !contains(b"<>\"", byte) {
            class |= URI;
        }
        if byte.is_ascii_alphanumeric() || contains(b"-._", byte) {
            class |= HOST;
        }
        if byte.is_ascii_hexdigit() || contains(b":.", byte) {
            class |= IPV6;
        }
        if contains(b"\",;<", byte) {
            class |= VALUE_STOP;
        }
        if byte.is_ascii_alphabetic() {
            class |= ALPHA;
        }
        table[byte as usize] = class;
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a miss fails"
)]
const fn contains(set: &[u8], byte: u8) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether the byte is of one of the classes.
pub(super) fn is(byte: u8, class: u8) -> bool {
    CLASSES
        .get(usize::from(byte))
        .is_some_and(|of| of & class != 0)
}

/// Whether all bytes are of the class, and there is at least one.
pub(super) fn all(bytes: &[u8], class: u8) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is(*byte, class))
}

/// Whether all bytes are of the class [`URI`]; without table and early end, so that the compiler
/// judges many bytes in one step.
pub(super) fn is_uri_text(bytes: &[u8]) -> bool {
    let is_good = |byte: u8| byte > b' ' && !matches!(byte, 0x7f | b'<' | b'>' | b'"');
    bytes.iter().fold(true, |all, byte| all & is_good(*byte))
}

/// The bytes without the white space before and after.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// The bytes without the white space before.
pub(super) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let Some((first, rest)) = bytes.split_first() {
        if !is(*first, LWS) {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// The bytes without the white space after.
pub(super) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let Some((last, rest)) = bytes.split_last() {
        if !is(*last, LWS) {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// A decimal number of at least one digit; larger than `u64` gives `u64::MAX`.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit <= 9).then(|| sum.saturating_mul(10).saturating_add(u64::from(digit)))
    })
}

/// A decimal number that fits `u32`.
pub(super) fn number_u32(digits: &[u8]) -> Option<u32> {
    number(digits).and_then(|n| u32::try_from(n).ok())
}

/// A time in seconds: RFC 3261 §25.1 sets no limit, so what exceeds 32 bits is the longest time.
pub(super) fn seconds(digits: &[u8]) -> Option<u32> {
    number(digits).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
}

/// A port: one to five digits (RFC 3261 §25.1 has no limit, TCP and UDP have).
pub(super) fn port(digits: &[u8]) -> Option<u16> {
    number(digits).and_then(|n| u16::try_from(n).ok())
}

/// The first position of the byte.
pub(super) fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == wanted)
}

/// What is left to read of one value.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// Goes past white space.
    pub(super) fn lws(&mut self) {
        self.rest = trim_start(self.rest);
    }

    /// Takes this byte if it is the next one.
    pub(super) fn eat(&mut self, wanted: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == wanted => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes what is of the class, possibly nothing.
    #[inline]
    pub(super) fn take(&mut self, class: u8) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !is(*byte, class));
        self.cut(end.unwrap_or(self.rest.len()))
    }

    /// Takes what is of none of the classes, possibly nothing.
    #[inline]
    pub(super) fn take_until(&mut self, classes: u8) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| is(*byte, classes));
        self.cut(end.unwrap_or(self.rest.len()))
    }

    /// Takes a quoted string, both quotes included; `None` if the next byte is no quote or the
    /// string does not end.
    pub(super) fn quoted(&mut self) -> Option<&'a [u8]> {
        let mut bytes = self.rest.iter().enumerate();
        if bytes.next()?.1 != &b'"' {
            return None;
        }
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => return Some(self.cut(at.saturating_add(1))),
                // RFC 3261 §25.1, quoted-pair: whatever follows the backslash is text.
                b'\\' => bytes.next()?,
                _ => continue,
            };
        }
        None
    }

    /// Takes the first `count` bytes.
    pub(super) fn cut(&mut self, count: usize) -> &'a [u8] {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                taken
            }
            None => std::mem::take(&mut self.rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_judges_of_uri_text_agree() {
        for byte in 0..=u8::MAX {
            assert_eq!(is_uri_text(&[b'a', byte]), is(byte, URI), "{byte:#x}");
        }
    }
}
