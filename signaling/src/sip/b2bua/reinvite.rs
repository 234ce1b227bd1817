//! An INVITE inside the dialog (RFC 3261 §14), from one leg to the other: server on the leg that
//! asks, client on the leg that is asked.
//!
//! Every pair of state and input stands in [`step`]. A refusal leaves the session as it was. A
//! CANCEL goes to the leg that is asked, and its final decides: a 2xx that crosses the CANCEL is a
//! changed session, and the one who asked must know (§9.1).

/// Where a re-INVITE stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The 2xx was passed on and is repeated; its ACK is awaited.
    Accepted,
    /// It was sent and nothing came back.
    Calling,
    /// It was cancelled, but the CANCEL must wait for a provisional (§9.1).
    CancelPending,
    /// The CANCEL was sent, the final is awaited.
    Cancelling,
    /// Nothing more to do.
    Over,
    /// A provisional came.
    Proceeding,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The ACK of the 2xx.
    Ack,
    /// CANCEL from the one who asked.
    Cancel,
    /// 300 to 699.
    Failure,
    /// A leg of the call is over.
    HangUp,
    /// Timer B.
    NoAnswer,
    /// 101 to 199.
    Provisional,
    /// The 2xx.
    Success,
    /// Timer C while it rings; 64*T1 without a final after the CANCEL, without an ACK after the
    /// 2xx.
    TooLong,
    /// 100.
    Trying,
    /// The transport failed.
    Unsent,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop waiting for the final; who answers after all is told to stop.
    Abandon,
    /// BYE on both legs: the dialog is not what it was (§12.2.1.2, §14.2).
    HangUp,
    /// The ACK goes to the leg that accepted, with its body.
    PassAck,
    /// 487 to the one who asked.
    RefuseCancelled,
    /// 504 to the one who asked.
    RefuseNoAnswer,
    /// The refusal, passed on.
    RelayFailure,
    /// The 1xx, passed on.
    RelayProvisional,
    /// The 2xx, passed on; it is repeated from now on.
    RelaySuccess,
    /// CANCEL to the leg that is asked; wait 64*T1 for the final.
    SendCancel,
    /// An ACK of our own, without a body.
    SendOwnAck,
    /// (Re)start timer C.
    StartRinging,
}

/// The next state, and what to do on the way.
#[must_use]
pub fn step(state: State, input: Input) -> (State, &'static [Action]) {
    use Action::{
        Abandon, HangUp, PassAck, RefuseCancelled, RefuseNoAnswer, RelayFailure, RelayProvisional,
        RelaySuccess, SendCancel, SendOwnAck, StartRinging,
    };
    use State::{Accepted, Calling, CancelPending, Cancelling, Over, Proceeding};
    match (state, input) {
        (Calling | Proceeding, Input::Provisional) => {
            (Proceeding, &[RelayProvisional, StartRinging])
        }
        (Calling, Input::Trying) => (Proceeding, &[StartRinging]),
        (Calling | Proceeding | CancelPending | Cancelling, Input::Success) => {
            (Accepted, &[RelaySuccess])
        }
        (Calling | Proceeding | CancelPending | Cancelling, Input::Failure) => {
            (Over, &[RelayFailure])
        }
        (Calling | Proceeding, Input::NoAnswer) => (Over, &[RefuseNoAnswer, HangUp]),
        (CancelPending | Cancelling, Input::NoAnswer) => (Over, &[RefuseCancelled, HangUp]),
        // To the user that is a 503 (§8.1.3.1), which leaves the session as it is (§14.1).
        (Calling | Proceeding, Input::Unsent) => (Over, &[RefuseNoAnswer]),
        (CancelPending | Cancelling, Input::Unsent) => (Over, &[RefuseCancelled]),
        (Calling, Input::Cancel) => (CancelPending, &[]),
        (Proceeding, Input::Cancel) => (Cancelling, &[SendCancel]),
        (CancelPending, Input::Provisional | Input::Trying) => (Cancelling, &[SendCancel]),
        // §16.8, for a user agent client: the session stays as it is.
        (Proceeding, Input::TooLong) => (Over, &[SendCancel, Abandon, RefuseNoAnswer]),
        // §9.1: no final within 64*T1 of the CANCEL: the INVITE is over.
        (Cancelling, Input::TooLong) => (Over, &[Abandon, RefuseCancelled]),
        // §15.1.2: who waits for an answer hears that there is none.
        (Calling | Proceeding | CancelPending | Cancelling, Input::HangUp) => {
            (Over, &[Abandon, RefuseCancelled])
        }

        (Accepted, Input::Ack) => (Over, &[PassAck]),
        // §13.2.2.4: the 2xx wants its ACK even when the session ends.
        (Accepted, Input::HangUp) => (Over, &[SendOwnAck]),
        // §14.2 with §13.3.1.4: without the ACK the dialog is ended.
        (Accepted, Input::TooLong) => (Over, &[SendOwnAck, HangUp]),

        (Calling, Input::Ack | Input::TooLong)
        | (Proceeding, Input::Ack | Input::Trying)
        | (CancelPending, Input::Ack | Input::Cancel | Input::TooLong)
        | (Cancelling, Input::Ack | Input::Cancel | Input::Provisional | Input::Trying)
        | (
            Accepted,
            Input::Cancel
            | Input::Failure
            | Input::NoAnswer
            | Input::Provisional
            | Input::Success
            | Input::Trying
            | Input::Unsent,
        )
        | (
            Over,
            Input::Ack
            | Input::Cancel
            | Input::Failure
            | Input::HangUp
            | Input::NoAnswer
            | Input::Provisional
            | Input::Success
            | Input::TooLong
            | Input::Trying
            | Input::Unsent,
        ) => (state, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 6] = [
        State::Accepted,
        State::Calling,
        State::CancelPending,
        State::Cancelling,
        State::Over,
        State::Proceeding,
    ];
    const INPUTS: [Input; 10] = [
        Input::Ack,
        Input::Cancel,
        Input::Failure,
        Input::HangUp,
        Input::NoAnswer,
        Input::Provisional,
        Input::Success,
        Input::TooLong,
        Input::Trying,
        Input::Unsent,
    ];

    /// Who asked is answered finally exactly once, whatever happens in whatever order.
    #[test]
    fn there_is_one_final_answer() {
        let is_final = |action: &Action| {
            matches!(
                action,
                Action::RefuseCancelled
                    | Action::RefuseNoAnswer
                    | Action::RelayFailure
                    | Action::RelaySuccess
            )
        };
        for state in STATES {
            let is_answered = matches!(state, State::Accepted | State::Over);
            for input in INPUTS {
                let (next, actions) = step(state, input);
                let finals = actions.iter().filter(|action| is_final(action)).count();
                let becomes_answered = matches!(next, State::Accepted | State::Over);
                let due = usize::from(!is_answered && becomes_answered);
                assert_eq!(finals, due, "{state:?} {input:?}");
                assert!(!is_answered || becomes_answered, "{state:?} {input:?}");
            }
        }
    }

    #[test]
    fn a_call_that_ends_leaves_nothing() {
        for state in STATES {
            assert_eq!(step(state, Input::HangUp).0, State::Over, "{state:?}");
        }
    }
}
