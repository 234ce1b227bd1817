//! What stands after the `?` of a request.

/// The values of a query, by name.
#[derive(Debug)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads it; an escape that is none stands for itself.
    pub(super) fn parse(query: Option<&str>) -> Self {
        let pairs = query.unwrap_or_default().split('&');
        let pairs = pairs.filter_map(|pair| pair.split_once('='));
        Self {
            pairs: pairs
                .map(|(name, value)| (name.to_owned(), decoded(value)))
                .collect(),
        }
    }

    /// A value.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let mut pairs = self.pairs.iter();
        let (_, value) = pairs.find(|(known, _)| known == name)?;
        Some(value)
    }

    /// A number, or `default`.
    pub(super) fn number(&self, name: &str, default: u32) -> u32 {
        let given = self.one(name).and_then(|value| value.parse().ok());
        given.unwrap_or(default)
    }
}

/// RFC 3986 §2.1.
pub(super) fn decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        let mut ahead = rest.clone();
        let digit = |octet: Option<u8>| char::from(octet?).to_digit(16);
        let escaped = match (octet, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        if escaped.is_some() {
            rest = ahead;
        }
        octets.push(escaped.unwrap_or(octet));
    }
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_name() {
        let query = Query::parse(Some("alias=meet%40example.com%3F&wait=7&bare&x=%zz%4"));
        assert_eq!(query.one("alias"), Some("meet@example.com?"));
        assert_eq!(query.number("wait", 0), 7);
        assert_eq!(query.number("limit", 50), 50);
        assert_eq!(query.one("bare"), None);
        assert_eq!(query.one("x"), Some("%zz%4"));
        assert_eq!(Query::parse(None).one("a"), None);
    }
}
