//! What can be wrong with one value.

/// Why a value could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ValueFault {
    /// Nothing where something must be.
    #[error("a part that must not be empty is empty")]
    Empty,
    /// A host that is neither a name nor an address.
    #[error("the host is neither a name nor an IPv4 address nor an IPv6 address in brackets")]
    Host,
    /// A character that may not stand where it stands.
    #[error("a character stands where the grammar does not allow it")]
    Character,
    /// A number that is no number, or too large.
    #[error("a number is malformed or too large")]
    Number,
    /// A parameter without a name, or the same one twice where that changes the meaning.
    #[error("a parameter is malformed")]
    Param,
    /// A parameter that must be there is not.
    #[error("a mandatory parameter is missing")]
    ParamMissing,
    /// A port that is no number from 0 to 65535.
    #[error("the port is not a number from 0 to 65535")]
    Port,
    /// A quoted string or an angle bracket that does not end.
    #[error("a quoted string or an angle bracket is not closed")]
    Unclosed,
    /// A URI without a scheme.
    #[error("the URI has no scheme")]
    Scheme,
    /// Something after the end of the value.
    #[error("the value goes on after its end")]
    Trailing,
}
