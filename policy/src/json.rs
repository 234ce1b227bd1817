//! One flat object of JSON (RFC 8259), for who asks and is no VCS: texts, truths, and nothing within
//! anything. Strict: what is not JSON, and a name that stands twice, is refused.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// The value of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'b> {
    /// Nothing known.
    Null,
    /// A text.
    Text(Cow<'b, str>),
    /// True or false.
    Truth(bool),
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// A list, an object or a number: no member takes one.
    #[error("a member takes a text, true, false or null")]
    Kind,
    /// It is no object.
    #[error("the body is no JSON object")]
    NoObject,
    /// It is broken.
    #[error("the body is no JSON")]
    Syntax,
    /// A name stands twice.
    #[error("a name stands twice")]
    Twice,
}

/// The members of an object, in order.
pub(crate) fn members(body: &[u8]) -> Result<Vec<(Cow<'_, str>, Value<'_>)>, JsonError> {
    let text = std::str::from_utf8(body).map_err(|_| JsonError::Syntax)?;
    let mut reader = Reader { rest: text };
    let mut members = Vec::new();
    let mut names = BTreeSet::new();
    reader.expect('{').map_err(|_| JsonError::NoObject)?;
    let mut is_more = !reader.takes('}');
    while is_more {
        reader.expect('"')?;
        let name = reader.string()?;
        reader.expect(':')?;
        let value = reader.value()?;
        if !names.insert(name.clone().into_owned()) {
            return Err(JsonError::Twice);
        }
        members.push((name, value));
        is_more = reader.takes(',');
        if !is_more {
            reader.expect('}')?;
        }
    }
    if reader.rest.trim_start_matches(SPACE).is_empty() {
        Ok(members)
    } else {
        Err(JsonError::Syntax)
    }
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

struct Reader<'b> {
    rest: &'b str,
}

impl<'b> Reader<'b> {
    fn takes(&mut self, wanted: char) -> bool {
        let rest = self.rest.trim_start_matches(SPACE);
        let after = rest.strip_prefix(wanted);
        self.rest = after.unwrap_or(rest);
        after.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), JsonError> {
        if self.takes(wanted) {
            Ok(())
        } else {
            Err(JsonError::Syntax)
        }
    }

    fn value(&mut self) -> Result<Value<'b>, JsonError> {
        if self.takes('"') {
            return self.string().map(Value::Text);
        }
        let words = [
            ("true", Value::Truth(true)),
            ("false", Value::Truth(false)),
            ("null", Value::Null),
        ];
        for (word, value) in words {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        let is_other = |first: char| first.is_ascii_digit() || ['-', '[', '{'].contains(&first);
        if self.rest.starts_with(is_other) {
            Err(JsonError::Kind)
        } else {
            Err(JsonError::Syntax)
        }
    }

    /// A string whose first quote is read; borrowed where nothing is escaped.
    fn string(&mut self) -> Result<Cow<'b, str>, JsonError> {
        let mut made = String::new();
        loop {
            let is_end = |one: char| one == '"' || one == '\\' || one < ' ';
            let end = self.rest.find(is_end).ok_or(JsonError::Syntax)?;
            let (plain, rest) = self.rest.split_at_checked(end).ok_or(JsonError::Syntax)?;
            let mut after = rest.chars();
            let stop = after.next();
            self.rest = after.as_str();
            match stop {
                Some('"') if made.is_empty() => return Ok(Cow::Borrowed(plain)),
                Some('"') => {
                    made.push_str(plain);
                    return Ok(Cow::Owned(made));
                }
                Some('\\') => {
                    made.push_str(plain);
                    made.push(self.escape()?);
                }
                Some(_) | None => return Err(JsonError::Syntax),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, JsonError> {
        let mut rest = self.rest.chars();
        let escaped = match rest.next().ok_or(JsonError::Syntax)? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            same @ ('"' | '\\' | '/') => same,
            'u' => {
                self.rest = rest.as_str();
                return self.unicode();
            }
            _ => return Err(JsonError::Syntax),
        };
        self.rest = rest.as_str();
        Ok(escaped)
    }

    /// Four digits, or twice four for what one word of UTF-16 cannot hold; half of such a pair is none.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let high = self.word()?;
        let is_pair = (0xd800..0xdc00).contains(&high);
        let code = if is_pair {
            self.rest = self.rest.strip_prefix("\\u").ok_or(JsonError::Syntax)?;
            let low = self.word()?;
            let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400);
            0x10000 + ((high - 0xd800) << 10) + low.ok_or(JsonError::Syntax)?
        } else {
            high
        };
        char::from_u32(code).ok_or(JsonError::Syntax)
    }

    fn word(&mut self) -> Result<u32, JsonError> {
        let (digits, rest) = self.rest.split_at_checked(4).ok_or(JsonError::Syntax)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(JsonError::Syntax);
        }
        self.rest = rest;
        u32::from_str_radix(digits, 16).map_err(|_| JsonError::Syntax)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<(String, Value<'_>)>, JsonError> {
        let members = members(body.as_bytes())?;
        Ok(members
            .into_iter()
            .map(|(name, value)| (name.into_owned(), value))
            .collect())
    }

    fn text(text: &str) -> Value<'_> {
        Value::Text(Cow::Borrowed(text))
    }

    #[test]
    fn members_are_read() {
        assert_eq!(read(" { } \n"), Ok(Vec::new()));
        let body = r#"{"a" : "x", "b":true,"c":
            false, "d":null, "\u0065": "\u00e4\n\"\\\/\ud83d\ude00\u00E4"}"#;
        let wanted = [
            ("a", text("x")),
            ("b", Value::Truth(true)),
            ("c", Value::Truth(false)),
            ("d", Value::Null),
            ("e", text("\u{e4}\n\"\\/\u{1f600}\u{e4}")),
        ];
        assert_eq!(
            read(body),
            Ok(wanted.map(|(a, b)| (a.to_owned(), b)).into())
        );
    }

    #[test]
    fn what_is_none_is_refused() {
        for (body, wanted) in [
            ("", JsonError::NoObject),
            ("[]", JsonError::NoObject),
            ("{", JsonError::Syntax),
            (r#"{"a"}"#, JsonError::Syntax),
            (r#"{"a":"x"} x"#, JsonError::Syntax),
            (r#"{"a":"x",}"#, JsonError::Syntax),
            (r#"{"a":"x""#, JsonError::Syntax),
            (r#"{"a":"x}"#, JsonError::Syntax),
            ("{\"a\":\"x\ny\"}", JsonError::Syntax),
            (r#"{"a":"\x"}"#, JsonError::Syntax),
            (r#"{"a":"\u00g0"}"#, JsonError::Syntax),
            (r#"{"a":"\ud800"}"#, JsonError::Syntax),
            (r#"{"a":"\ud800\u0041"}"#, JsonError::Syntax),
            (r#"{"a":"\udc00"}"#, JsonError::Syntax),
            (r#"{"a":truth}"#, JsonError::Syntax),
            (r#"{"a":+1}"#, JsonError::Syntax),
            (r#"{"a":1}"#, JsonError::Kind),
            (r#"{"a":["b"]}"#, JsonError::Kind),
            (r#"{"a":{"b":{}}}"#, JsonError::Kind),
            (r#"{"a":"x","\u0061":"y"}"#, JsonError::Twice),
        ] {
            assert_eq!(read(body), Err(wanted), "{body}");
        }
        assert_eq!(members(b"{\"a\":\"\xff\"}"), Err(JsonError::Syntax));
    }
}
