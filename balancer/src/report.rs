//! What the doors tell of a peer: how calls and probes went, and what it says of itself.

use std::time::Duration;

/// How a call or a probe went at a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It accepted a call.
    Accepted,
    /// It answered a call with something final that another peer would answer as well.
    Answered,
    /// It answered a call with 480, 486 or 600, and the next peer is tried: alive, without room.
    Busy,
    /// A call could not reach it, or it was silent: no new call goes there until it is well.
    Failed(Cause),
    /// 503 with Retry-After: alive, and to be left alone for that time.
    Paused(Duration),
    /// A probe was not answered in time, or could not be sent, or was answered with 408, 500, 502,
    /// 503 or 504.
    ProbeBad,
    /// A probe was answered with anything else.
    ProbeGood,
    /// A call was answered with a failure of the peer's own: 500, 502, 504, 503 without
    /// Retry-After, or 408 without a tag.
    SoftFailure,
}

/// Why a call had to leave a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It has no room: 480, 486, 600.
    Busy,
    /// Its name could not be resolved.
    Dns,
    /// A failure of its own: 500, 502, 504, 408.
    Error,
    /// 503.
    Paused,
    /// Connection refused, or unreachable.
    Refused,
    /// No connection, or no answer, in time.
    Silent,
    /// TLS failed.
    Tls,
}

impl Cause {
    /// All, in the order of the figures.
    pub const ALL: [Self; 7] = [
        Self::Busy,
        Self::Dns,
        Self::Error,
        Self::Paused,
        Self::Refused,
        Self::Silent,
        Self::Tls,
    ];

    /// As a metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Dns => "dns",
            Self::Error => "error",
            Self::Paused => "paused",
            Self::Refused => "refused",
            Self::Silent => "silent",
            Self::Tls => "tls",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// A peer's own figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Which way they came.
    pub source: Source,
    /// Sessions that it says are in use.
    pub in_use: Option<u32>,
    /// Sessions that it says it has room for in all. Zero: it is not chosen, though it answers.
    pub sessions_max: Option<u32>,
}

/// Which way a peer's own figures came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The bridge's management interface.
    Api,
    /// Another member of the cluster.
    Member,
    /// The answer to a SIP OPTIONS.
    Options,
    /// H.225 RAI.
    Rai,
}

impl Source {
    /// As a metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Member => "member",
            Self::Options => "options",
            Self::Rai => "rai",
        }
    }

    /// 0 stands for no report.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Api => 1,
            Self::Member => 2,
            Self::Options => 3,
            Self::Rai => 4,
        }
    }

    pub(crate) const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Api),
            2 => Some(Self::Member),
            3 => Some(Self::Options),
            4 => Some(Self::Rai),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_and_sources_have_numbers_of_their_own() {
        for (index, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause.index(), index);
        }
        for source in [Source::Api, Source::Member, Source::Options, Source::Rai] {
            assert_eq!(Source::from_number(source.number()), Some(source));
        }
    }
}
