//! What the ends of a call ask each other while it is up, as their scripts say it.

use std::time::Duration;

/// What one end does while the call is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// How long after the call is up.
    pub after: Duration,
    /// What.
    pub kind: ActKind,
}

/// Requests that an end sends inside its dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActKind {
    /// INFO with a body.
    Info,
    /// MESSAGE with a body.
    Message,
    /// REFER, which the other end declines.
    Refer,
    /// UPDATE without an offer, which refreshes the session; none of a script's.
    Refresh,
    /// re-INVITE with an offer.
    ReInvite,
    /// re-INVITE without one: the 2xx offers, the ACK answers.
    ReInviteDelayed,
    /// UPDATE with an offer.
    Update,
}

impl ActKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Info,
        Self::Message,
        Self::Refer,
        Self::ReInvite,
        Self::ReInviteDelayed,
        Self::Update,
    ];

    pub(super) fn method(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Message => "MESSAGE",
            Self::Refer => "REFER",
            Self::ReInvite | Self::ReInviteDelayed => "INVITE",
            Self::Refresh | Self::Update => "UPDATE",
        }
    }
}

/// The acts of one end, in the order in which they are done.
pub type Acts = [Option<Act>; 4];
