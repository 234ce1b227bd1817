//! Lists with commas (RFC 3261 §7.3.1).

use crate::sip::message::scan;

/// The elements of one value; commas in quoted strings and angle brackets do not count. Empty
/// elements are left out.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    /// The elements of this value.
    #[must_use]
    pub fn new(value: &'a [u8]) -> Self {
        Self { rest: value }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let (element, rest) = self.rest.split_at_checked(end_of_element(self.rest))?;
            self.rest = rest.get(1..).unwrap_or_default();
            let element = scan::trim(element);
            if !element.is_empty() {
                return Some(element);
            }
        }
        None
    }
}

fn end_of_element(text: &[u8]) -> usize {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let mut is_bracketed = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' if !is_bracketed => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'<' => is_bracketed = true,
            b'>' => is_bracketed = false,
            b',' if !is_bracketed => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_count_only_outside() {
        let list = b" \"a, \\\" b\" <sip:c,d@e>;x=\"y,z\" ,\r\n ,<sip:f>, * ,";
        let elements: Vec<_> = Values::new(list).collect();
        assert_eq!(
            elements,
            [
                &b"\"a, \\\" b\" <sip:c,d@e>;x=\"y,z\""[..],
                b"<sip:f>",
                b"*"
            ]
        );
        assert_eq!(
            Values::new(b"a, \"b, c").collect::<Vec<_>>(),
            [&b"a"[..], b"\"b, c"]
        );
        assert_eq!(Values::new(b"").next(), None);
        assert_eq!(Values::new(b" , ").next(), None);
    }
}
