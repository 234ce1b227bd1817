//! `%HH` in URIs (RFC 3261 §19.1.2, RFC 3986 §2.1).

/// The bytes that the text stands for, once; a `%` without two digits after it stands for itself.
pub fn percent_decoded(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if let [b'%', high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            rest = after;
            return Some(high << 4 | low);
        }
        let (first, after) = rest.split_first()?;
        rest = after;
        Some(*first)
    })
}

/// Writes the bytes that the text stands for; `None` if they do not fit.
pub fn percent_decode<'b>(text: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut length = 0_usize;
    for byte in percent_decoded(text) {
        *buffer.get_mut(length)? = byte;
        length = length.saturating_add(1);
    }
    buffer.get(..length)
}

/// Whether the text stands for this name, in any case.
pub(super) fn eq_ignore_case(text: &[u8], name: &str) -> bool {
    if text.len() == name.len() {
        return text.eq_ignore_ascii_case(name.as_bytes());
    }
    text.len() > name.len()
        && percent_decoded(text)
            .map(|byte| byte.to_ascii_lowercase())
            .eq(name.bytes().map(|byte| byte.to_ascii_lowercase()))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_once() {
        let decode = |text: &str| String::from_utf8(percent_decoded(text.as_bytes()).collect());
        assert_eq!(decode("v%61lue%25%34%31").unwrap(), "value%41");
        assert_eq!(decode("%").unwrap(), "%");
        assert_eq!(decode("%4").unwrap(), "%4");
        assert_eq!(decode("%4g%zz").unwrap(), "%4g%zz");
        assert_eq!(percent_decode(b"%00a", &mut [0; 2]), Some(&b"\0a"[..]));
        assert_eq!(percent_decode(b"abc", &mut [0; 2]), None);
    }

    #[test]
    fn an_escaped_name_is_the_name() {
        assert!(eq_ignore_case(b"%6C%72", "lr"));
        assert!(eq_ignore_case(b"LR", "lr"));
        assert!(!eq_ignore_case(b"%6Cr", "l"));
        assert!(!eq_ignore_case(b"l", "lr"));
    }
}
