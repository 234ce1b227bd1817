//! The session timer of one leg (RFC 4028): what was agreed, who refreshes, when the session ends.
//!
//! Each leg has its own, whatever the other one agreed. No I/O and no effects here:
//! [`super::refresh`] carries out what is due.

use super::extensions;
use crate::access::Zone;
use crate::settings::SessionTimes;
use crate::sip::dialog::contact::features_of;
use crate::sip::message::{HeaderName, Message, Method, MinSe, Refresher, SessionExpires, Writer};
use crate::slots::Key;
use crate::wheel::TimerHandle;
use std::time::{Duration, Instant};

/// What a request says about the session timer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish {
    /// Session-Expires.
    pub(crate) seconds: Option<u32>,
    refresher: Option<Refresher>,
    min_se: u32,
    /// `timer` stands in Supported.
    supports: bool,
}

/// What an answer says: an interval, and who of the transaction's two refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) seconds: u32,
    pub(crate) refresher: Refresher,
}

impl Wish {
    pub(crate) fn of(message: &Message<'_>) -> Self {
        let expires = message.header(HeaderName::SessionExpires);
        let expires = expires.and_then(|value| SessionExpires::parse(value).ok());
        let min_se = message.header(HeaderName::MinSe);
        let min_se = min_se.and_then(|value| MinSe::parse(value).ok());
        Self {
            seconds: expires.map(|expires| expires.seconds),
            refresher: expires.and_then(|expires| expires.refresher),
            min_se: min_se.map_or(0, |min| min.seconds),
            supports: extensions::supports(message, "timer"),
        }
    }

    /// §9: 422 only to who understands it.
    pub(crate) fn is_too_short(&self, times: SessionTimes) -> bool {
        self.supports && self.seconds.is_some_and(|seconds| seconds < times.min_se)
    }

    /// What we answer (§9, table 2). A side that knows no session timer, and is not made to have
    /// one by an element before it, gets none.
    pub(crate) fn agree(&self, times: SessionTimes) -> Option<Agreed> {
        if !self.supports && self.seconds.is_none() {
            return None;
        }
        // It may be lowered, but never below what an element on the way can bear.
        let asked = self.seconds.unwrap_or(times.expires);
        let seconds = asked.min(times.expires.max(self.min_se));
        let refresher = if self.supports {
            self.refresher.unwrap_or(Refresher::Uac)
        } else {
            Refresher::Uas
        };
        Some(Agreed { seconds, refresher })
    }
}

impl Agreed {
    /// What the answer to a request of ours says; without an interval there is no timer (§7.2).
    pub(crate) fn of(message: &Message<'_>) -> Option<Self> {
        let expires = SessionExpires::parse(message.header(HeaderName::SessionExpires)?).ok()?;
        Some(Self {
            seconds: expires.seconds,
            refresher: expires.refresher.unwrap_or(Refresher::Uac),
        })
    }

    /// Writes it into a 2xx. §9: who is to refresh is told that it must know how.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        write_expires(writer, self.seconds, Some(self.refresher));
        if self.refresher == Refresher::Uac {
            writer.put(b"Require: timer\r\n");
        }
    }
}

/// Writes what an INVITE or UPDATE of ours asks for.
pub(crate) fn write_wish(
    writer: &mut Writer<'_>,
    times: SessionTimes,
    (seconds, refresher): (u32, Option<Refresher>),
) {
    write_expires(writer, seconds.max(times.min_se), refresher);
    writer.put(b"Min-SE: ");
    writer.number(times.min_se);
    writer.put(b"\r\n");
}

fn write_expires(writer: &mut Writer<'_>, seconds: u32, refresher: Option<Refresher>) {
    writer.put(b"Session-Expires: ");
    writer.number(seconds);
    match refresher {
        Some(Refresher::Uac) => writer.put(b";refresher=uac"),
        Some(Refresher::Uas) => writer.put(b";refresher=uas"),
        None => {}
    }
    writer.put(b"\r\n");
}

/// A refresh of ours that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refreshing {
    pub(crate) client: Key,
    pub(crate) is_invite: bool,
}

/// The timer of one leg.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// The interval; 0 without a timer.
    pub(crate) seconds: u32,
    /// Whether we refresh.
    pub(crate) is_ours: bool,
    /// Whether the other side takes an UPDATE; else a refresh of ours is a re-INVITE.
    pub(crate) allows_update: bool,
    /// What the other side can do, which our refreshes on the other leg repeat.
    pub(crate) features: Box<[u8]>,
    pub(crate) refreshing: Option<Refreshing>,
    /// When the next refresh of ours is due.
    refresh_at: Option<Instant>,
    /// When the session is over.
    ends_at: Option<Instant>,
    pub(crate) alarm: Option<TimerHandle>,
    /// The SDP that was sent on this leg last, if a refresh of ours has to repeat it.
    pub(crate) sdp: Option<Box<[u8]>>,
}

/// The timers of a call's two legs.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    pub(crate) caller: Session,
    pub(crate) peer: Session,
    /// What the INVITE said.
    wish: Wish,
}

impl Sessions {
    /// The INVITE of the call.
    pub(crate) fn hear_invite(&mut self, message: &Message<'_>, zone: Option<&Zone>) {
        self.wish = Wish::of(message);
        self.caller.heard_from(message, zone);
    }

    /// Whether the SDP of a provisional may be the one that a refresh of ours repeats to the caller.
    pub(crate) fn wants_early_sdp(&self, times: SessionTimes) -> bool {
        let agreed = self.agree(times);
        let is_ours = agreed.is_some_and(|agreed| agreed.refresher == Refresher::Uas);
        is_ours && !self.caller.allows_update
    }

    /// What the 2xx to the INVITE says.
    pub(crate) fn agree(&self, times: SessionTimes) -> Option<Agreed> {
        self.wish.agree(times)
    }
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The session was not refreshed in time.
    End,
    /// Nothing yet.
    Nothing,
    /// A refresh of ours.
    Refresh,
}

impl Session {
    /// The session is refreshed, on these terms.
    pub(crate) fn start(&mut self, now: Instant, agreed: Option<Agreed>, we: Refresher) {
        self.refresh_at = None;
        self.ends_at = None;
        self.seconds = 0;
        let Some(agreed) = agreed.filter(|agreed| agreed.seconds > 0) else {
            self.sdp = None;
            return;
        };
        self.seconds = agreed.seconds;
        self.is_ours = agreed.refresher == we;
        if !self.wants_sdp() {
            self.sdp = None;
        }
        let interval = Duration::from_secs(u64::from(agreed.seconds));
        if self.is_ours {
            self.refresh_at = Some(now + interval / 2);
        }
        // §10: a little early, by the least of 32 seconds and a third.
        self.ends_at = Some(now + interval - (interval / 3).min(Duration::from_secs(32)));
    }

    /// The refresh did not succeed; it is tried again.
    pub(crate) fn try_again_at(&mut self, at: Instant) {
        self.refreshing = None;
        self.refresh_at = Some(at);
    }

    /// The other side has answered, whatever it said: who answers lives (RFC 5057 §5.1), and the
    /// session is not over yet.
    pub(crate) fn shows_life(&mut self, now: Instant) {
        let agreed = Agreed {
            seconds: self.seconds,
            refresher: Refresher::Uac,
        };
        let we = if self.is_ours {
            Refresher::Uac
        } else {
            Refresher::Uas
        };
        self.refreshing = None;
        self.start(now, Some(agreed), we);
    }

    /// When [`Session::due`] is to be asked.
    pub(crate) fn next(&self) -> Option<Instant> {
        match (self.refresh_at, self.ends_at) {
            (Some(refresh), Some(end)) => Some(refresh.min(end)),
            (_, end) => end,
        }
    }

    /// What is due now.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        if self.ends_at.is_some_and(|at| at <= now) {
            return Due::End;
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.refresh_at = None;
            return Due::Refresh;
        }
        Due::Nothing
    }

    /// Who refreshes, as a request of ours says it.
    pub(crate) fn refresher(&self) -> Option<Refresher> {
        match (self.seconds, self.is_ours) {
            (0, _) => None,
            (_, true) => Some(Refresher::Uac),
            (_, false) => Some(Refresher::Uas),
        }
    }

    /// Whether the SDP that goes out on this leg must be kept.
    pub(crate) fn wants_sdp(&self) -> bool {
        self.seconds > 0 && self.is_ours && !self.allows_update
    }

    /// A message that says who its sender is and what it allows.
    pub(crate) fn heard_from(&mut self, message: &Message<'_>, zone: Option<&Zone>) {
        if message.header(HeaderName::Contact).is_some() {
            self.features = features_of(message);
        }
        if zone.is_some_and(|zone| zone.strips_update) {
            self.allows_update = false;
        } else if message.header(HeaderName::Allow).is_some() {
            let mut allowed = message.values(HeaderName::Allow);
            self.allows_update = allowed.any(|name| Method::from_bytes(name) == Method::Update);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: SessionTimes = SessionTimes {
        expires: 1800,
        min_se: 500,
    };

    fn wish(seconds: Option<u32>, refresher: Option<Refresher>, supports: bool) -> Wish {
        Wish {
            seconds,
            refresher,
            min_se: 0,
            supports,
        }
    }

    #[test]
    fn the_answer_is_that_of_table_2() {
        let agreed = |seconds, refresher| Some(Agreed { seconds, refresher });
        for (asked, answer) in [
            (wish(None, None, false), None),
            (wish(None, None, true), agreed(1800, Refresher::Uac)),
            (wish(Some(900), None, false), agreed(900, Refresher::Uas)),
            (wish(Some(900), None, true), agreed(900, Refresher::Uac)),
            (
                wish(Some(3600), Some(Refresher::Uas), true),
                agreed(1800, Refresher::Uas),
            ),
        ] {
            assert_eq!(asked.agree(TIMES), answer, "{asked:?}");
        }
        let stubborn = Wish {
            min_se: 2400,
            ..wish(Some(3600), None, true)
        };
        assert_eq!(stubborn.agree(TIMES), agreed(2400, Refresher::Uac));
    }

    #[test]
    fn too_short_is_said_only_to_who_understands() {
        assert!(wish(Some(499), None, true).is_too_short(TIMES));
        assert!(!wish(Some(500), None, true).is_too_short(TIMES));
        assert!(!wish(Some(90), None, false).is_too_short(TIMES));
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the test needs one real instant to start from"
    )]
    fn who_refreshes_does_so_at_half_and_ends_before_the_end() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut session = Session::default();
        let agreed = Some(Agreed {
            seconds: 1800,
            refresher: Refresher::Uac,
        });
        session.start(now, agreed, Refresher::Uac);
        assert_eq!(session.next(), Some(at(900)));
        assert_eq!(session.due(at(899)), Due::Nothing);
        assert_eq!(session.due(at(900)), Due::Refresh);
        assert_eq!(session.next(), Some(at(1768)));
        assert_eq!(session.due(at(1768)), Due::End);
        session.start(now, agreed, Refresher::Uas);
        assert_eq!(session.next(), Some(at(1768)));
        session.start(now, None, Refresher::Uas);
        assert_eq!(session.next(), None);
    }
}
