//! Transactions (RFC 3261 §17 with RFC 6026): the four machines, their timers, and the tables that
//! hold them.
//!
//! Each figure of the RFC is one file with a pure function `step(state, input) -> (state,
//! actions)`. [`client`] and [`server`] hold the tables and carry the actions out. Client
//! transactions are found by the token in their branch (§17.1.3), server transactions by branch,
//! sent-by and method (§17.2.3).

pub(crate) mod client;
pub mod head;
pub mod invite_client;
pub mod invite_server;
pub(crate) mod key;
pub mod non_invite_client;
pub mod non_invite_server;
pub(crate) mod server;

use crate::settings::Timers;
use std::time::{Duration, Instant};

/// The timers of RFC 3261 table 4 and RFC 6026.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// INVITE request retransmit interval, for UDP only.
    A,
    /// INVITE transaction timeout.
    B,
    /// Wait time for response retransmits after an INVITE's non-2xx final.
    D,
    /// Non-INVITE request retransmit interval, for UDP only.
    E,
    /// Non-INVITE transaction timeout.
    F,
    /// INVITE response retransmit interval.
    G,
    /// Wait time for ACK receipt.
    H,
    /// Wait time for ACK retransmits.
    I,
    /// Wait time for non-INVITE request retransmits.
    J,
    /// Wait time for non-INVITE response retransmits.
    K,
    /// Wait time for accepted INVITE request retransmits (RFC 6026).
    L,
    /// Wait time for retransmission of 2xx to INVITE, or additional 2xx (RFC 6026).
    M,
}

impl Timer {
    /// Its first value. Where RFC 3261 says zero for reliable transports the state is left at once.
    #[must_use]
    pub fn first(self, timers: &Timers, reliable: bool) -> Duration {
        let on_datagrams = |value| if reliable { Duration::ZERO } else { value };
        match self {
            Self::A | Self::E | Self::G => timers.t1,
            Self::B | Self::F | Self::H | Self::L | Self::M => timers.t1_64(),
            Self::D => on_datagrams(Duration::from_secs(32).max(timers.t1_64())),
            Self::I | Self::K => on_datagrams(timers.t4),
            Self::J => on_datagrams(timers.t1_64()),
        }
    }

    /// Its value after it went off once more: A doubles without end, E and G up to T2.
    #[must_use]
    pub fn doubled(self, interval: Duration, timers: &Timers) -> Duration {
        match self {
            Self::A => interval * 2,
            Self::E | Self::G => (interval * 2).min(timers.t2),
            Self::B
            | Self::D
            | Self::F
            | Self::H
            | Self::I
            | Self::J
            | Self::K
            | Self::L
            | Self::M => interval,
        }
    }

    /// Whether it repeats a message (A, E, G); all others end a state.
    #[must_use]
    pub fn repeats(self) -> bool {
        matches!(self, Self::A | Self::E | Self::G)
    }
}

/// What a machine wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the ACK for a non-2xx final (§17.1.1.3).
    Acknowledge,
    /// Tell the transaction user that nobody answered.
    InformTimeout,
    /// Tell the transaction user that the transport failed.
    InformTransportError,
    /// Pass the message to the transaction user.
    Pass,
    /// Send the kept message again.
    Repeat,
    /// Set the repeating timer to its next, longer interval.
    Lengthen(Timer),
    /// Set the repeating timer to T2 at once (§17.1.2.2, Proceeding).
    LengthenToT2(Timer),
    /// Start a timer at its first value.
    Start(Timer),
    /// Stop the repeating timer.
    StopRepeating,
}

/// The two clocks that a transaction can have running: one that repeats, one that ends its state.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clocks {
    pub(crate) repeat: Option<(Timer, Instant)>,
    pub(crate) interval: Duration,
    pub(crate) life: Option<(Timer, Instant)>,
}

impl Clocks {
    pub(crate) fn next(&self) -> Option<Instant> {
        match (self.repeat, self.life) {
            (Some((_, repeat)), Some((_, life))) => Some(repeat.min(life)),
            (Some((_, at)), None) | (None, Some((_, at))) => Some(at),
            (None, None) => None,
        }
    }

    /// The timer whose time has come; the ending one first.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Timer> {
        for clock in [&mut self.life, &mut self.repeat] {
            if let Some((timer, at)) = *clock
                && at <= now
            {
                *clock = None;
                return Some(timer);
            }
        }
        None
    }

    /// Carries out the clock part of an action; `true` when the timer started has a value of zero.
    pub(crate) fn apply(
        &mut self,
        action: Action,
        now: Instant,
        timers: &Timers,
        reliable: bool,
    ) -> bool {
        match action {
            Action::Start(timer) if timer.repeats() => {
                self.interval = timer.first(timers, reliable);
                self.repeat = Some((timer, now + self.interval));
            }
            Action::Start(timer) => {
                let value = timer.first(timers, reliable);
                self.life = Some((timer, now + value));
                return value.is_zero();
            }
            Action::Lengthen(timer) => {
                self.interval = timer.doubled(self.interval, timers);
                self.repeat = Some((timer, now + self.interval));
            }
            Action::LengthenToT2(timer) => {
                self.interval = timers.t2;
                self.repeat = Some((timer, now + self.interval));
            }
            Action::StopRepeating => self.repeat = None,
            Action::Acknowledge
            | Action::InformTimeout
            | Action::InformTransportError
            | Action::Pass
            | Action::Repeat => {}
        }
        false
    }
}
