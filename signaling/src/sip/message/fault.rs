//! What can be wrong with a message as a whole, one name a cause.
//!
//! A cause says what is wrong, not what to answer: the map from cause to status is `sip/reject.rs`.

use super::HeaderName;

/// The first thing found wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// Neither a request nor a response.
    #[error("this is not a SIP message: its first line has no SIP version in it")]
    NotSip,
    /// More bytes than `Limits::message_bytes`.
    #[error("the message is larger than this server accepts")]
    TooLarge,
    /// More header lines than `Limits::headers`.
    #[error("the message has more header lines than this server accepts")]
    TooManyHeaders,
    /// A header line of more bytes than `Limits::line_bytes`.
    #[error("a header line is longer than this server accepts")]
    LineTooLong,
    /// A start line that is not `Method SP Request-URI SP SIP-Version`.
    #[error("the request line is not a method, one space, a URI, one space and SIP/2.0")]
    BadStartLine,
    /// Another version than SIP/2.0.
    #[error("the SIP version is not 2.0")]
    BadVersion,
    /// A Request-URI that cannot be used.
    #[error("the Request-URI is malformed")]
    BadRequestUri,
    /// A status line without a status from 100 to 699.
    #[error("the status line has no status of three digits from 100 to 699")]
    BadStatus,
    /// A line that ends in CR or LF alone.
    #[error("a line of the header block ends in CR or LF alone instead of CRLF")]
    BareLineEnd,
    /// A header line without a name, or with a name that is no token.
    #[error("a header line is not a name, a colon and a value")]
    BadHeaderLine,
    /// The bytes end before the empty line after the header.
    #[error("the message ends before the empty line that closes its header")]
    HeaderEndMissing,
    /// A header field that every message must have is not there.
    #[error("the mandatory header field {0} is missing")]
    Missing(HeaderName),
    /// A header field that may stand only once is there twice.
    #[error("the header field {0} may appear only once")]
    Duplicate(HeaderName),
    /// An empty Call-ID, or one with white space in it.
    #[error("the Call-ID is malformed")]
    BadCallId,
    /// A CSeq that is not a number below 2^31 and a method.
    #[error("the CSeq is not a number below 2147483648 followed by a method")]
    BadCseq,
    /// A CSeq with another method than the request line.
    #[error("the method in CSeq is not the method of the request line")]
    CseqMismatch,
    /// A Max-Forwards that is not 0 to 255.
    #[error("Max-Forwards is not a number from 0 to 255")]
    BadMaxForwards,
    /// A first Via that cannot be read.
    #[error("the first Via is malformed")]
    BadVia,
    /// A From that cannot be read.
    #[error("the From is malformed")]
    BadFrom,
    /// A To that cannot be read.
    #[error("the To is malformed")]
    BadTo,
    /// A Content-Length that is no number.
    #[error("the Content-Length is not a number")]
    BadContentLength,
    /// A Content-Length of more bytes than there are.
    #[error("the body is shorter than Content-Length says")]
    BodyTooShort,
}

impl Fault {
    /// The values of [`Fault::reason`].
    pub const REASONS: [&'static str; 22] = [
        "not_sip",
        "too_large",
        "too_many_headers",
        "line_too_long",
        "bad_start_line",
        "bad_version",
        "bad_request_uri",
        "bad_status",
        "bare_line_end",
        "bad_header_line",
        "header_end_missing",
        "missing",
        "duplicate",
        "bad_call_id",
        "bad_cseq",
        "cseq_mismatch",
        "bad_max_forwards",
        "bad_via",
        "bad_from",
        "bad_to",
        "bad_content_length",
        "body_too_short",
    ];

    /// As a metric's label.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotSip => "not_sip",
            Self::TooLarge => "too_large",
            Self::TooManyHeaders => "too_many_headers",
            Self::LineTooLong => "line_too_long",
            Self::BadStartLine => "bad_start_line",
            Self::BadVersion => "bad_version",
            Self::BadRequestUri => "bad_request_uri",
            Self::BadStatus => "bad_status",
            Self::BareLineEnd => "bare_line_end",
            Self::BadHeaderLine => "bad_header_line",
            Self::HeaderEndMissing => "header_end_missing",
            Self::Missing(_) => "missing",
            Self::Duplicate(_) => "duplicate",
            Self::BadCallId => "bad_call_id",
            Self::BadCseq => "bad_cseq",
            Self::CseqMismatch => "cseq_mismatch",
            Self::BadMaxForwards => "bad_max_forwards",
            Self::BadVia => "bad_via",
            Self::BadFrom => "bad_from",
            Self::BadTo => "bad_to",
            Self::BadContentLength => "bad_content_length",
            Self::BodyTooShort => "body_too_short",
        }
    }
}
