//! What a caller is to do with a call, and what became of it.

use super::act::Acts;
use super::timed::Timed;
use std::time::Duration;

/// The script of one call, from the caller's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How long the call stays up. Where the peer is to hang up: how long the caller is patient before it counts the
    /// missing BYE as a failure (64*T1 come on top).
    pub hold: Duration,
    /// How the call is to end.
    pub ending: Ending,
    /// Where the caller's session description stands.
    pub offer: Offer,
    /// What the caller asks while the call is up.
    pub acts: Acts,
    /// Whether it takes reliable provisionals (RFC 3262).
    pub takes_reliable: bool,
    /// How it keeps the session, if it does (RFC 4028).
    pub timed: Option<Timed>,
}

impl Plan {
    /// A call that is answered, stays up this long and ends by the caller's BYE.
    #[must_use]
    pub fn plain(hold: Duration) -> Self {
        Self {
            hold,
            ending: Ending::CallerHangsUp,
            offer: Offer::Early,
            acts: Acts::default(),
            takes_reliable: false,
            timed: None,
        }
    }

    /// The same with another ending.
    #[must_use]
    pub fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }

    /// The same with the caller's session description elsewhere.
    #[must_use]
    pub fn offer(self, offer: Offer) -> Self {
        Self { offer, ..self }
    }
}

/// How a call is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The caller cancels this long after its INVITE, or at the first provisional response if that comes later
    /// (RFC 3261 §9.1). A 2xx that crosses the CANCEL is acknowledged and hung up at once.
    Cancel {
        /// Time from INVITE to CANCEL.
        after: Duration,
    },
    /// The caller's CANCEL leaves just before the 2xx reaches it: the crossing that no timing can be trusted to make.
    CancelCrossing2xx,
    /// The caller hangs up after the hold time, and a BYE before that is wrong.
    CallerHangsUp,
    /// Whoever is first; both BYEs may cross.
    EitherHangsUp,
    /// The caller waits for the peer's BYE.
    PeerHangsUp,
}

/// Where the caller's session description stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// None in the INVITE; the peer offers in its 2xx and the ACK answers.
    Delayed,
    /// In the INVITE.
    Early,
}

/// Which end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The agent that reports.
    Local,
    /// The other one.
    Remote,
}

/// What became of one call. Given out once, when the last transaction that matters is complete.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its number with this caller.
    pub number: u64,
    /// Its Call-ID on the caller's leg.
    pub call_id: String,
    /// What was to happen.
    pub plan: Plan,
    /// Whether a 2xx came.
    pub answered: bool,
    /// The first final status; `None` if none came.
    pub status: Option<u16>,
    /// From INVITE to the first 101 to 199.
    pub ringing_after: Option<Duration>,
    /// From INVITE to the 2xx.
    pub answered_after: Option<Duration>,
    /// Who sent the first BYE.
    pub hung_up_by: Option<Side>,
    /// The first thing that was wrong with the call.
    pub error: Option<String>,
}

impl Outcome {
    /// Whether nothing was wrong and the call went as planned, where a refusal is never part of a plan: who makes peers
    /// refuse looks at [`Outcome::status`].
    #[must_use]
    pub fn is_as_planned(&self) -> bool {
        let ended_well = match self.plan.ending {
            Ending::Cancel { .. } => self.answered || self.status == Some(487),
            Ending::CallerHangsUp
            | Ending::CancelCrossing2xx
            | Ending::EitherHangsUp
            | Ending::PeerHangsUp => self.answered,
        };
        ended_well && self.error.is_none()
    }

    /// Whether the plan was a CANCEL and it came in time.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.plan.ending, Ending::Cancel { .. }) && self.status == Some(487)
    }
}
