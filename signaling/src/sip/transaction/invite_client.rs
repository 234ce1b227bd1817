//! The INVITE client transaction: RFC 3261 figure 5 as amended by RFC 6026 figure 1 (state
//! Accepted).
//!
//! Every pair of state and input stands in [`step`]. Sending the INVITE and starting timers A and B
//! is [`START`].

use super::{Action, Timer};

/// The states of the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// RFC 6026: a 2xx came; more of them, from other branches too, are passed to the user.
    Accepted,
    /// The INVITE was sent and nothing came back.
    Calling,
    /// A non-2xx final came and was acknowledged.
    Completed,
    /// A provisional came.
    Proceeding,
    /// Over.
    Terminated,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// 300 to 699.
    Failure,
    /// 1xx.
    Provisional,
    /// 2xx.
    Success,
    /// Repeat the INVITE.
    TimerA,
    /// Nobody answered.
    TimerB,
    /// No more repeats of the final can come.
    TimerD,
    /// No more 2xx can come.
    TimerM,
    /// The message could not be sent.
    TransportError,
}

/// Entering Calling over datagrams: the request has just been sent.
pub const START: &[Action] = &[Action::Start(Timer::A), Action::Start(Timer::B)];
/// Entering Calling over a stream: timer A is not used.
pub const START_RELIABLE: &[Action] = &[Action::Start(Timer::B)];

/// The next state, and what to do on the way.
#[must_use]
pub fn step(state: State, input: Input) -> (State, &'static [Action]) {
    use Action::{
        Acknowledge, InformTimeout, InformTransportError, Lengthen, Pass, Repeat, Start,
        StopRepeating,
    };
    match (state, input) {
        (State::Calling, Input::TimerA) => (State::Calling, &[Repeat, Lengthen(Timer::A)]),
        (State::Calling, Input::TimerB) => (State::Terminated, &[InformTimeout]),
        (State::Calling, Input::TransportError) => (State::Terminated, &[InformTransportError]),
        (State::Calling, Input::Provisional) => (State::Proceeding, &[StopRepeating, Pass]),
        (State::Calling | State::Proceeding, Input::Success) => {
            (State::Accepted, &[StopRepeating, Start(Timer::M), Pass])
        }
        (State::Calling | State::Proceeding, Input::Failure) => (
            State::Completed,
            &[StopRepeating, Acknowledge, Start(Timer::D), Pass],
        ),
        (State::Calling, Input::TimerD | Input::TimerM) => (State::Calling, &[]),

        (State::Proceeding, Input::Provisional) => (State::Proceeding, &[Pass]),
        // Timer B only guards Calling (§17.1.1.2); how long a peer may ring is the user's timer C.
        (
            State::Proceeding,
            Input::TimerA | Input::TimerB | Input::TimerD | Input::TimerM | Input::TransportError,
        ) => (State::Proceeding, &[]),

        (State::Completed, Input::Failure) => (State::Completed, &[Acknowledge]),
        (State::Completed, Input::TimerD) => (State::Terminated, &[]),
        // RFC 3261 §17.1.1.2: a failing ACK is reported; nobody waits for this one any more.
        (State::Completed, Input::TransportError) => (State::Terminated, &[]),
        (
            State::Completed,
            Input::Provisional | Input::Success | Input::TimerA | Input::TimerB | Input::TimerM,
        ) => (State::Completed, &[]),

        // RFC 6026 §7.2: every 2xx goes to the user, who knows an old from a new one by its tag.
        (State::Accepted, Input::Success) => (State::Accepted, &[Pass]),
        (State::Accepted, Input::TimerM) => (State::Terminated, &[]),
        (
            State::Accepted,
            Input::Failure
            | Input::Provisional
            | Input::TimerA
            | Input::TimerB
            | Input::TimerD
            | Input::TransportError,
        ) => (State::Accepted, &[]),

        (
            State::Terminated,
            Input::Failure
            | Input::Provisional
            | Input::Success
            | Input::TimerA
            | Input::TimerB
            | Input::TimerD
            | Input::TimerM
            | Input::TransportError,
        ) => (State::Terminated, &[]),
    }
}
