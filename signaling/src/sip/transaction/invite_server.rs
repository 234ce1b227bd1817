//! The INVITE server transaction: RFC 3261 figure 7 as amended by RFC 6026 figure 2 (state
//! Accepted).
//!
//! Every pair of state and input stands in [`step`]. The 100 is sent by the user at once, so the
//! 200 ms of §17.2.1 are never waited for.

use super::{Action, Timer};

/// The states of the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// RFC 6026: the user sent a 2xx and repeats it itself; repeats of the INVITE are absorbed.
    Accepted,
    /// A non-2xx final was sent and waits for its ACK.
    Completed,
    /// The ACK came; repeats of it are absorbed.
    Confirmed,
    /// The user has not decided.
    Proceeding,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// An ACK of this transaction (so not the ACK of a 2xx).
    Ack,
    /// The INVITE once more.
    Invite,
    /// Repeat the final.
    TimerG,
    /// No ACK came.
    TimerH,
    /// No more repeats of the ACK can come.
    TimerI,
    /// No more repeats of the INVITE can come.
    TimerL,
    /// The message could not be sent.
    TransportError,
    /// The user sends 300 to 699.
    UserFailure,
    /// The user sends 1xx.
    UserProvisional,
    /// The user sends 2xx.
    UserSuccess,
}

/// The next state, and what to do on the way. The user's own message has been sent when its input
/// is given.
#[must_use]
pub fn step(state: State, input: Input, reliable: bool) -> (State, &'static [Action]) {
    use Action::{InformTimeout, InformTransportError, Lengthen, Repeat, Start, StopRepeating};
    match (state, input) {
        (State::Proceeding, Input::Invite) => (State::Proceeding, &[Repeat]),
        (State::Proceeding, Input::UserProvisional) => (State::Proceeding, &[]),
        (State::Proceeding, Input::UserSuccess) => (State::Accepted, &[Start(Timer::L)]),
        (State::Proceeding, Input::UserFailure) if reliable => {
            (State::Completed, &[Start(Timer::H)])
        }
        (State::Proceeding, Input::UserFailure) => {
            (State::Completed, &[Start(Timer::G), Start(Timer::H)])
        }
        (State::Proceeding | State::Completed, Input::TransportError) => {
            (State::Terminated, &[InformTransportError])
        }
        (
            State::Proceeding,
            Input::Ack | Input::TimerG | Input::TimerH | Input::TimerI | Input::TimerL,
        ) => (State::Proceeding, &[]),

        (State::Completed, Input::Invite) => (State::Completed, &[Repeat]),
        (State::Completed, Input::TimerG) => (State::Completed, &[Repeat, Lengthen(Timer::G)]),
        (State::Completed, Input::Ack) => (State::Confirmed, &[StopRepeating, Start(Timer::I)]),
        (State::Completed, Input::TimerH) => (State::Terminated, &[InformTimeout]),
        (
            State::Completed,
            Input::TimerI
            | Input::TimerL
            | Input::UserFailure
            | Input::UserProvisional
            | Input::UserSuccess,
        ) => (State::Completed, &[]),

        (State::Confirmed, Input::TimerI) => (State::Terminated, &[]),
        (
            State::Confirmed,
            Input::Ack
            | Input::Invite
            | Input::TimerG
            | Input::TimerH
            | Input::TimerL
            | Input::TransportError
            | Input::UserFailure
            | Input::UserProvisional
            | Input::UserSuccess,
        ) => (State::Confirmed, &[]),

        // RFC 6026 §7.1: the INVITE is absorbed, the user repeats its 2xx by its own clock.
        (State::Accepted, Input::TimerL) => (State::Terminated, &[]),
        (
            State::Accepted,
            Input::Ack
            | Input::Invite
            | Input::TimerG
            | Input::TimerH
            | Input::TimerI
            | Input::TransportError
            | Input::UserFailure
            | Input::UserProvisional
            | Input::UserSuccess,
        ) => (State::Accepted, &[]),

        (
            State::Terminated,
            Input::Ack
            | Input::Invite
            | Input::TimerG
            | Input::TimerH
            | Input::TimerI
            | Input::TimerL
            | Input::TransportError
            | Input::UserFailure
            | Input::UserProvisional
            | Input::UserSuccess,
        ) => (State::Terminated, &[]),
    }
}
