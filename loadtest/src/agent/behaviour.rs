//! What a peer does with a call that it is asked to take.

use super::Random;
use super::act::Acts;
use super::timed::Timed;
use std::time::Duration;

/// The script of one call, from the peer's side. Times count from the INVITE, where not said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Whether a 100 is sent at once.
    pub trying: bool,
    /// When it rings, if it does.
    pub ringing: Option<Duration>,
    /// Whether it rings by a 183 with its session description, not by a 180.
    pub early_media: bool,
    /// Whether it rings reliably (RFC 3262), where the caller takes that: until the PRACK has come it does not answer.
    pub rings_reliably: bool,
    /// How it keeps the session, if it does (RFC 4028).
    pub timed: Option<Timed>,
    /// When the verdict is sent.
    pub after: Duration,
    /// How it ends.
    pub verdict: Verdict,
    /// How long after the ACK the peer hangs up; `None` leaves that to the other side.
    pub hang_up: Option<Duration>,
    /// What the peer asks while the call is up; of a forked answer nothing.
    pub acts: Acts,
}

/// How a peer ends the setup of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One 200 with a session description.
    Answer,
    /// Two 200 with different To tags, as a forking proxy would pass on: each is to be acknowledged, one to be ended.
    AnswerTwice,
    /// A refusal with this status.
    Refuse(u16),
    /// It goes on ringing until it is cancelled.
    RingOn,
    /// Nothing is ever sent, to INVITE or CANCEL, as if the machine were off.
    Silence,
}

impl Behaviour {
    /// 100 and 180 at once, 200 after `after`; it never hangs up.
    #[must_use]
    pub fn answer(after: Duration) -> Self {
        Self {
            trying: true,
            ringing: Some(Duration::ZERO),
            early_media: false,
            rings_reliably: false,
            timed: None,
            after,
            verdict: Verdict::Answer,
            hang_up: None,
            acts: Acts::default(),
        }
    }

    /// 100 and 180 at once, and no end to it.
    #[must_use]
    pub fn ring_on() -> Self {
        Self {
            verdict: Verdict::RingOn,
            ..Self::answer(Duration::ZERO)
        }
    }

    /// 100, then this status at once.
    #[must_use]
    pub fn refuse(status: u16) -> Self {
        Self {
            ringing: None,
            verdict: Verdict::Refuse(status),
            ..Self::answer(Duration::ZERO)
        }
    }

    /// Nothing.
    #[must_use]
    pub fn silence() -> Self {
        Self {
            verdict: Verdict::Silence,
            ..Self::answer(Duration::ZERO)
        }
    }

    /// The same with no provisional response.
    #[must_use]
    pub fn without_provisional(self) -> Self {
        Self {
            trying: false,
            ringing: None,
            ..self
        }
    }

    /// The same, and the peer hangs up this long after the ACK.
    #[must_use]
    pub fn hanging_up(self, after_ack: Duration) -> Self {
        Self {
            hang_up: Some(after_ack),
            ..self
        }
    }
}

/// Whom a peer asks what to do with a call.
pub type Chooser = Box<dyn FnMut(Asked<'_>) -> Behaviour + Send>;

/// What a [`Chooser`] may look at.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The caller's number of the call, from the user part of From.
    pub number: u64,
    /// How many calls this peer was asked to take before.
    pub before: u64,
    /// The Request-URI.
    pub uri: &'a [u8],
    /// The peer's own random numbers.
    pub random: &'a mut Random,
}
