//! The non-INVITE client transaction: RFC 3261 figure 6.
//!
//! Every pair of state and input stands in [`step`].

use super::{Action, Timer};

/// The states of the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A final came; repeats of it are absorbed.
    Completed,
    /// A provisional came.
    Proceeding,
    /// Over.
    Terminated,
    /// The request was sent and nothing came back.
    Trying,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// 200 to 699.
    Final,
    /// 1xx.
    Provisional,
    /// Repeat the request.
    TimerE,
    /// Nobody answered.
    TimerF,
    /// No more repeats of the final can come.
    TimerK,
    /// The message could not be sent.
    TransportError,
}

/// Entering Trying over datagrams: the request has just been sent.
pub const START: &[Action] = &[Action::Start(Timer::E), Action::Start(Timer::F)];
/// Entering Trying over a stream: timer E is not used.
pub const START_RELIABLE: &[Action] = &[Action::Start(Timer::F)];

/// The next state, and what to do on the way.
#[must_use]
pub fn step(state: State, input: Input) -> (State, &'static [Action]) {
    use Action::{
        InformTimeout, InformTransportError, Lengthen, LengthenToT2, Pass, Repeat, Start,
        StopRepeating,
    };
    match (state, input) {
        (State::Trying, Input::TimerE) => (State::Trying, &[Repeat, Lengthen(Timer::E)]),
        (State::Trying, Input::Provisional) => (State::Proceeding, &[Pass]),
        (State::Trying | State::Proceeding, Input::TimerF) => (State::Terminated, &[InformTimeout]),
        (State::Trying | State::Proceeding, Input::TransportError) => {
            (State::Terminated, &[InformTransportError])
        }
        (State::Trying | State::Proceeding, Input::Final) => {
            (State::Completed, &[StopRepeating, Pass, Start(Timer::K)])
        }
        (State::Trying, Input::TimerK) => (State::Trying, &[]),

        (State::Proceeding, Input::TimerE) => {
            (State::Proceeding, &[Repeat, LengthenToT2(Timer::E)])
        }
        (State::Proceeding, Input::Provisional) => (State::Proceeding, &[Pass]),
        (State::Proceeding, Input::TimerK) => (State::Proceeding, &[]),

        (State::Completed, Input::TimerK) => (State::Terminated, &[]),
        (
            State::Completed,
            Input::Final
            | Input::Provisional
            | Input::TimerE
            | Input::TimerF
            | Input::TransportError,
        ) => (State::Completed, &[]),

        (
            State::Terminated,
            Input::Final
            | Input::Provisional
            | Input::TimerE
            | Input::TimerF
            | Input::TimerK
            | Input::TransportError,
        ) => (State::Terminated, &[]),
    }
}
