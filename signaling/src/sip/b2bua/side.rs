//! The two legs of a call, seen alike: what is carried across goes from one side to the other,
//! whichever that is.

use super::call::Call;
use super::headers::Way;
use super::{caller_leg, peer_leg};
use crate::core::Core;
use crate::output::Attempt;
use crate::sip::dialog::Dialog;
use crate::sip::token::{Kind, Text};
use crate::slots::Key;

/// Which of a call's legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one that the call came on.
    Caller,
    /// The one to the peer.
    Peer,
}

/// How far a leg has come, as far as requests inside its dialog go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The INVITE that makes the dialog has no final answer.
    Early,
    /// A 2xx came, its ACK did not.
    Answered,
    /// The dialog is confirmed, and the ACK went over it.
    Established,
    /// A BYE was sent or came, or there never was a dialog.
    Over,
}

impl Side {
    /// The leg that a token of this kind names.
    pub(crate) fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::CallerLeg => Some(Self::Caller),
            Kind::PeerLeg => Some(Self::Peer),
            Kind::AckBranch | Kind::Branch | Kind::CallId | Kind::Stateless => None,
        }
    }

    /// The kind of token that is our tag on this leg.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Caller => Kind::CallerLeg,
            Self::Peer => Kind::PeerLeg,
        }
    }

    /// The other leg.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Caller => Self::Peer,
            Self::Peer => Self::Caller,
        }
    }
}

impl Call {
    /// What goes to this side goes this way.
    pub(crate) fn way(&self, to: Side) -> Way {
        Way {
            zone: self.zone,
            to,
        }
    }

    /// The side whose dialog a tag of ours and this Call-ID name. A leg that took the caller's place
    /// has a tag like those of peer legs.
    pub(crate) fn side_named(&self, kind: Kind, call_id: &[u8]) -> Option<Side> {
        let side = Side::of(kind)?;
        let is_seated = side == Side::Peer
            && self.caller.seated.is_some()
            && self.caller.dialog.call_id() == call_id;
        Some(if is_seated { Side::Caller } else { side })
    }

    /// The dialog of a leg, once there is one.
    pub(crate) fn dialog(&self, side: Side) -> Option<&Dialog> {
        match side {
            Side::Caller => Some(&self.caller.dialog),
            Side::Peer => self.peer.dialog.as_ref(),
        }
    }

    /// The dialog of a leg, to change.
    pub(crate) fn dialog_mut(&mut self, side: Side) -> Option<&mut Dialog> {
        match side {
            Side::Caller => Some(&mut self.caller.dialog),
            Side::Peer => self.peer.dialog.as_mut(),
        }
    }

    /// How far a leg has come.
    pub(crate) fn stage(&self, side: Side) -> Stage {
        match side {
            Side::Caller => match self.caller.state {
                caller_leg::State::Inviting => Stage::Early,
                caller_leg::State::Answered => Stage::Answered,
                caller_leg::State::Established => Stage::Established,
                caller_leg::State::Ending | caller_leg::State::Ended | caller_leg::State::Hung => {
                    Stage::Over
                }
            },
            Side::Peer => match self.peer.state {
                peer_leg::State::Idle
                | peer_leg::State::Calling
                | peer_leg::State::Held
                | peer_leg::State::Proceeding => Stage::Early,
                peer_leg::State::Answered => Stage::Answered,
                peer_leg::State::Established => Stage::Established,
                peer_leg::State::CancelPending
                | peer_leg::State::Cancelling
                | peer_leg::State::Ending
                | peer_leg::State::Ended => Stage::Over,
            },
        }
    }
}

impl Core {
    /// Our tag and Contact user on a leg; on the peer leg each attempt has its own.
    pub(crate) fn leg_token(&self, key: Key, side: Side) -> Text {
        let attempt = self.calls.get(key).and_then(|call| match side {
            Side::Caller => {
                let (number, _) = call.caller.seated?;
                Some(Attempt { call: key, number })
            }
            Side::Peer => Some(call.peer.progress.current(key)),
        });
        match attempt {
            Some(attempt) => self.context.attempt_token(Kind::PeerLeg, attempt),
            None => self.context.token(side.kind(), key),
        }
    }
}
