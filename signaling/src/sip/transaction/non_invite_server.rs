//! The non-INVITE server transaction: RFC 3261 figure 8.
//!
//! Every pair of state and input stands in [`step`]. No 1xx is sent to a non-INVITE request on
//! principle (RFC 4320 §4.1), so Proceeding is entered only if a later user wants it.

use super::{Action, Timer};

/// The states of the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The final was sent; repeats of the request get it again.
    Completed,
    /// The user sent a provisional.
    Proceeding,
    /// Over.
    Terminated,
    /// The user has not decided.
    Trying,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The request once more.
    Request,
    /// No more repeats of the request can come.
    TimerJ,
    /// The message could not be sent.
    TransportError,
    /// The user sends 200 to 699.
    UserFinal,
    /// The user sends 1xx.
    UserProvisional,
}

/// The next state, and what to do on the way. The user's own message has been sent when its input
/// is given.
#[must_use]
pub fn step(state: State, input: Input) -> (State, &'static [Action]) {
    use Action::{InformTransportError, Repeat, Start};
    match (state, input) {
        (State::Trying, Input::UserProvisional) => (State::Proceeding, &[]),
        (State::Trying | State::Proceeding, Input::UserFinal) => {
            (State::Completed, &[Start(Timer::J)])
        }
        (State::Trying, Input::Request | Input::TimerJ) => (State::Trying, &[]),
        (State::Trying | State::Proceeding | State::Completed, Input::TransportError) => {
            (State::Terminated, &[InformTransportError])
        }

        (State::Proceeding, Input::Request) => (State::Proceeding, &[Repeat]),
        (State::Proceeding, Input::UserProvisional | Input::TimerJ) => (State::Proceeding, &[]),

        (State::Completed, Input::Request) => (State::Completed, &[Repeat]),
        (State::Completed, Input::TimerJ) => (State::Terminated, &[]),
        (State::Completed, Input::UserFinal | Input::UserProvisional) => (State::Completed, &[]),

        (
            State::Terminated,
            Input::Request
            | Input::TimerJ
            | Input::TransportError
            | Input::UserFinal
            | Input::UserProvisional,
        ) => (State::Terminated, &[]),
    }
}
