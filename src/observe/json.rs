//! A JSON value, to be written and not to be read: what commands answer to programs.

use std::fmt::{self, Display, Write};

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// Nothing known.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Whole(i64),
    /// A number; what is none becomes `null`.
    Number(f64),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<Self>),
    /// Values by name, in the order in which they are told.
    Object(Vec<(&'static str, Self)>),
}

impl Json {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Self {
        Self::Whole(value.into())
    }
}

impl From<i32> for Json {
    fn from(value: i32) -> Self {
        Self::Whole(value.into())
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self::Whole(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Json {
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

impl<T: Into<Self>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Whole(value) => write!(f, "{value}"),
            Self::Number(value) if value.is_finite() => write!(f, "{value}"),
            Self::Number(_) => f.write_str("null"),
            Self::Text(text) => write_text(f, text),
            Self::List(values) => {
                f.write_char('[')?;
                for (position, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", comma(position))?;
                }
                f.write_char(']')
            }
            Self::Object(members) => {
                f.write_char('{')?;
                for (position, (name, value)) in members.iter().enumerate() {
                    f.write_str(comma(position))?;
                    write_text(f, name)?;
                    write!(f, ":{value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn comma(position: usize) -> &'static str {
    if position == 0 { "" } else { "," }
}

/// RFC 8259 §7.
fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            control if control < ' ' => write!(f, "\\u{:04x}", u32::from(control))?,
            other => f.write_char(other)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_rfc_says() {
        let value = Json::Object(vec![
            ("a", Json::text("b\"\\\n\u{1}é")),
            (
                "list",
                Json::List(vec![1u32.into(), Json::Null, true.into()]),
            ),
            ("none", Json::from(None::<u32>)),
            ("empty", Json::Object(Vec::new())),
            ("half", Json::Number(0.5)),
            ("odd", Json::Number(f64::NAN)),
        ]);
        let expected = r#"{"a":"b\"\\\n\u0001é","list":[1,null,true],"none":null,"empty":{},"half":0.5,"odd":null}"#;
        assert_eq!(value.to_string(), expected);
    }
}
