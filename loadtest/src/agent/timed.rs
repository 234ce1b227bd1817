//! Session timers (RFC 4028), as the ends of a call keep them: who refreshes does so by UPDATE at half the interval; who
//! does not waits for it, and complains when the interval is over.

use super::received::Received;
use signaling::sip::message::HeaderName;
use std::time::Duration;

/// The least interval that an end takes.
pub const MIN_SE: u32 = 90;

/// How an end of a call keeps its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timed {
    /// The interval that it wants.
    pub seconds: u32,
    /// Whether it refreshes.
    pub refreshes: bool,
    /// Whether it takes UPDATE; else it is refreshed by re-INVITE.
    pub takes_update: bool,
    /// Whether it forgets to refresh.
    pub forgets: bool,
}

/// The terms that were agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) seconds: u32,
    /// Whether who sent the request refreshes.
    pub(super) by_uac: bool,
}

impl Terms {
    /// Those that a message says.
    pub(super) fn of(message: &Received<'_>) -> Option<Self> {
        let value = message.header(HeaderName::SessionExpires)?;
        let value = std::str::from_utf8(value).ok()?;
        let (seconds, refresher) = value.split_once(";refresher=").unwrap_or((value, "uac"));
        Some(Self {
            seconds: seconds.trim().parse().ok()?,
            by_uac: refresher.trim() == "uac",
        })
    }

    /// As a header field says them.
    pub(super) fn text(self) -> String {
        let refresher = if self.by_uac { "uac" } else { "uas" };
        format!("{};refresher={refresher}", self.seconds)
    }

    pub(super) fn interval(self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}
