//! Why bytes are no message, and why a message has no bytes: one name a cause, so that each can be
//! counted.

/// The first thing found wrong with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// A character outside of the alphabet of its string.
    #[error("a string holds a character that its type does not allow")]
    Alphabet,
    /// An alternative that is not in the root of a CHOICE.
    #[error("a choice names an alternative that does not exist")]
    Alternative,
    /// Values inside values, deeper than anybody needs.
    #[error("values are nested too deeply")]
    Depth,
    /// A length that announces fragments, or one that is not possible here.
    #[error("a length is larger than a datagram can hold")]
    Length,
    /// A number outside of its constraint.
    #[error("a number is outside of its range")]
    Number,
    /// An object identifier without an end, or with an empty part.
    #[error("an object identifier is malformed")]
    ObjectIdentifier,
    /// The bytes end before the value does.
    #[error("the bytes end before the message does")]
    Short,
    /// More extension additions than are ever defined.
    #[error("a sequence announces more than 64 additions")]
    TooManyAdditions,
    /// The value ends before the bytes do.
    #[error("bytes follow after the end of the message or of a value in it")]
    Trailing,
}

impl Fault {
    /// All of them, in the order of [`Fault::index`].
    pub const ALL: [Self; 9] = [
        Self::Alphabet,
        Self::Alternative,
        Self::Depth,
        Self::Length,
        Self::Number,
        Self::ObjectIdentifier,
        Self::Short,
        Self::TooManyAdditions,
        Self::Trailing,
    ];

    /// Its place in [`Fault::ALL`]: where a table of counts keeps it.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// One word for figures.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Alphabet => "alphabet",
            Self::Alternative => "alternative",
            Self::Depth => "depth",
            Self::Length => "length",
            Self::Number => "number",
            Self::ObjectIdentifier => "object_identifier",
            Self::Short => "short",
            Self::TooManyAdditions => "too_many_additions",
            Self::Trailing => "trailing",
        }
    }
}

/// Why a message cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unwritable {
    /// The buffer is full.
    #[error("the message does not fit into its buffer")]
    NoRoom,
    /// A value that its type does not allow.
    #[error("a value is outside of what its type allows")]
    OutOfRange,
}
