//! The peer leg: we are the user agent client (RFC 3261 §13.2, §9.1, §15).
//!
//! Every pair of state and input stands in [`step`]. Only the 2xx that won comes here; 2xx of other
//! forks are answered with ACK and BYE beside the call (§13.2.2.4).

/// Where the peer leg stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A 2xx came; its ACK waits for the caller's.
    Answered,
    /// The INVITE was sent and nothing came back.
    Calling,
    /// The caller is gone, but a CANCEL must wait for a provisional (§9.1).
    CancelPending,
    /// The CANCEL was sent, the INVITE's final is awaited.
    Cancelling,
    /// Nothing more to do for this leg.
    Ended,
    /// Our BYE was sent and not yet answered.
    Ending,
    /// The ACK was sent.
    Established,
    /// A 2xx came, and the owner is asked whether the call stays there: the caller has not heard it.
    Held,
    /// No peer is chosen: not yet, or the last one failed and the next is asked for.
    Idle,
    /// A provisional came.
    Proceeding,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// BYE from the peer, in the dialog of its 2xx.
    Bye,
    /// Our BYE was answered, or nobody answers it.
    ByeDone,
    /// The ACK of the caller.
    CallerAck,
    /// The caller leg is over.
    CallerHangup,
    /// It asked who we are, or for a longer session, and the INVITE was sent once more with that.
    Challenged,
    /// It is known to be dead, and nothing binds the call to it.
    Dead,
    /// It is known to be dead, and the caller has heard it ring.
    DeadWhileRinging,
    /// 300 to 699, and the next peer may be tried.
    Declined,
    /// The 2xx that is held: the call belongs elsewhere.
    Elsewhere,
    /// 300 to 699 that is the caller's answer.
    Failure,
    /// The first 2xx, where the owner is to be asked.
    HeldSuccess,
    /// The INVITE was sent.
    Invited,
    /// Timer B, or the transport failed; with no peer chosen: there is none left.
    NoAnswer,
    /// 101 to 199.
    Provisional,
    /// The 2xx that is held: the call stays.
    Stays,
    /// The first 2xx.
    Success,
    /// The 2xx once more.
    SuccessAgain,
    /// Another peer takes the place of the silent one.
    Superseded,
    /// The first answer is overdue; timer C while ringing; while cancelling, 64*T1 without a final.
    TooLong,
    /// 100: for this hop alone, and no reason to wait longer (§16.7 steps 2 and 5).
    Trying,
}

impl Input {
    /// Whether more is to come of the attempt that the leg goes on from: its end is told elsewhere.
    pub(crate) const fn leaves_attempt_open(self) -> bool {
        matches!(self, Self::Dead | Self::Elsewhere | Self::Superseded)
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// 200 to the BYE.
    AcceptBye,
    /// Stop waiting for the INVITE's final.
    AbandonInvite,
    /// Ask the owner for the next peer.
    AskNext,
    /// ACK and BYE to the peer, whose attempt is over once that is answered.
    EndHeld,
    /// Leave the silent INVITE to itself: whatever is answered after all is cancelled or ended.
    GiveUpInvite,
    /// Tell the caller leg that the peer is gone.
    HangUpCaller,
    /// 481 to the BYE.
    RefuseBye,
    /// Relay the non-2xx final.
    RelayFailure,
    /// Relay the 1xx.
    RelayProvisional,
    /// Relay the 2xx.
    RelaySuccess,
    /// Send the ACK once more.
    RepeatAck,
    /// Send the ACK with what the caller's has.
    SendAck,
    /// Send BYE.
    SendBye,
    /// Send CANCEL, and wait 64*T1 for the final.
    SendCancel,
    /// Send an ACK of our own, without a body.
    SendOwnAck,
    /// (Re)start timer C.
    StartRinging,
    /// Stop timer C or the wait for the final.
    StopWaiting,
    /// Tell the caller leg that there is no answer.
    TellNoAnswer,
}

/// The next state, and what to do on the way.
#[must_use]
#[expect(clippy::too_many_lines, reason = "a table with every pair written")]
pub fn step(state: State, input: Input) -> (State, &'static [Action]) {
    use Action::{
        AbandonInvite, AcceptBye, AskNext, EndHeld, GiveUpInvite, HangUpCaller, RefuseBye,
        RelayFailure, RelayProvisional, RelaySuccess, RepeatAck, SendAck, SendBye, SendCancel,
        SendOwnAck, StartRinging, StopWaiting, TellNoAnswer,
    };
    match (state, input) {
        (State::Idle, Input::Invited) => (State::Calling, &[]),
        (State::Idle, Input::CallerHangup | Input::NoAnswer) => (State::Ended, &[]),

        (State::Calling | State::Proceeding, Input::Provisional) => {
            (State::Proceeding, &[RelayProvisional, StartRinging])
        }
        (State::Calling | State::Proceeding, Input::Success) => {
            (State::Answered, &[StopWaiting, RelaySuccess])
        }
        (State::Calling | State::Proceeding, Input::HeldSuccess) => (State::Held, &[StopWaiting]),
        (State::Held, Input::Stays) => (State::Answered, &[RelaySuccess]),
        // The caller's conference is at another peer, where it meets the others.
        (State::Held, Input::Elsewhere) => (State::Idle, &[EndHeld, AskNext]),
        (State::Held, Input::CallerHangup) => (State::Ending, &[SendOwnAck, SendBye]),
        (State::Held, Input::Bye) => (State::Ended, &[SendOwnAck, AcceptBye, HangUpCaller]),
        (State::Calling | State::Proceeding, Input::Failure) => {
            (State::Ended, &[StopWaiting, RelayFailure])
        }
        (State::Calling | State::Proceeding, Input::Declined | Input::NoAnswer) => {
            (State::Idle, &[StopWaiting, AskNext])
        }
        // The peer is cancelled by the book all the same: it may live, and only not be heard.
        (State::Proceeding, Input::Dead) => (
            State::Idle,
            &[SendCancel, StopWaiting, GiveUpInvite, AskNext],
        ),
        (State::Proceeding, Input::DeadWhileRinging) => {
            (State::Cancelling, &[SendCancel, TellNoAnswer])
        }
        // What was said before the challenge was not said to the INVITE that counts now.
        (State::Calling | State::Proceeding, Input::Challenged) => (State::Calling, &[]),
        // Until there is another peer, this one may still answer (TRUNK.md section 4).
        (State::Calling, Input::TooLong) => (State::Calling, &[AskNext]),
        (State::Calling, Input::Superseded) => (State::Idle, &[StopWaiting, GiveUpInvite]),
        (State::Calling, Input::Trying) => (State::Proceeding, &[StartRinging]),
        (State::Proceeding, Input::Trying) => (State::Proceeding, &[]),
        (State::Calling, Input::CallerHangup) => (State::CancelPending, &[]),
        (State::Proceeding, Input::CallerHangup) => (State::Cancelling, &[SendCancel]),
        // §16.8: after timer C a CANCEL goes out, and the caller is not kept waiting for what comes
        // of it.
        (State::Proceeding, Input::TooLong) => (State::Cancelling, &[SendCancel, TellNoAnswer]),

        (State::CancelPending, Input::Provisional | Input::Trying) => {
            (State::Cancelling, &[SendCancel])
        }
        (State::CancelPending | State::Cancelling, Input::HeldSuccess | Input::Success) => {
            (State::Ending, &[StopWaiting, SendOwnAck, SendBye])
        }
        (State::CancelPending | State::Cancelling, Input::Failure | Input::NoAnswer) => {
            (State::Ended, &[StopWaiting])
        }
        // §9.1: no final within 64*T1 of the CANCEL: the INVITE is over.
        (State::Cancelling, Input::TooLong) => (State::Ended, &[AbandonInvite]),

        (State::Answered, Input::CallerAck) => (State::Established, &[SendAck]),
        (State::Answered, Input::CallerHangup) => (State::Ending, &[SendOwnAck, SendBye]),
        // §13.2.2.4: the 2xx wants its ACK even from a call that is over.
        (State::Answered, Input::Bye) => (State::Ended, &[SendOwnAck, AcceptBye, HangUpCaller]),

        (State::Established, Input::SuccessAgain) => (State::Established, &[RepeatAck]),
        (State::Established, Input::CallerHangup) => (State::Ending, &[SendBye]),
        (State::Established, Input::Bye) => (State::Ended, &[AcceptBye, HangUpCaller]),

        // Both sides hang up at once: each BYE gets its 200.
        (State::Ending, Input::Bye) => (State::Ending, &[AcceptBye]),
        (State::Ending, Input::ByeDone) => (State::Ended, &[]),
        (State::Ending | State::Ended, Input::SuccessAgain) => (state, &[RepeatAck]),

        // A BYE needs the dialog that a 2xx makes; ours is not made, or already gone.
        (
            State::Idle
            | State::Calling
            | State::Proceeding
            | State::CancelPending
            | State::Cancelling
            | State::Ended,
            Input::Bye,
        ) => (state, &[RefuseBye]),

        (
            State::Idle,
            Input::ByeDone
            | Input::CallerAck
            | Input::Challenged
            | Input::Dead
            | Input::DeadWhileRinging
            | Input::Declined
            | Input::Elsewhere
            | Input::Failure
            | Input::HeldSuccess
            | Input::Provisional
            | Input::Stays
            | Input::Success
            | Input::SuccessAgain
            | Input::Superseded
            | Input::TooLong
            | Input::Trying,
        )
        | (State::Proceeding, Input::Superseded)
        | (State::Calling, Input::Dead | Input::DeadWhileRinging)
        | (
            State::Calling | State::Proceeding,
            Input::ByeDone
            | Input::CallerAck
            | Input::Elsewhere
            | Input::Invited
            | Input::Stays
            | Input::SuccessAgain,
        )
        | (State::CancelPending, Input::TooLong)
        | (State::Cancelling, Input::Provisional | Input::Trying)
        | (
            State::CancelPending | State::Cancelling,
            Input::ByeDone
            | Input::CallerAck
            | Input::CallerHangup
            | Input::Challenged
            | Input::Dead
            | Input::DeadWhileRinging
            | Input::Declined
            | Input::Elsewhere
            | Input::Invited
            | Input::Stays
            | Input::SuccessAgain
            | Input::Superseded,
        )
        // What repeats the 2xx gets its ACK once it is known whether there is a BYE behind it.
        | (
            State::Held,
            Input::ByeDone
            | Input::CallerAck
            | Input::Challenged
            | Input::Dead
            | Input::DeadWhileRinging
            | Input::Declined
            | Input::Failure
            | Input::HeldSuccess
            | Input::Invited
            | Input::NoAnswer
            | Input::Provisional
            | Input::Success
            | Input::SuccessAgain
            | Input::Superseded
            | Input::TooLong
            | Input::Trying,
        )
        | (
            State::Answered,
            Input::ByeDone
            | Input::Challenged
            | Input::Dead
            | Input::DeadWhileRinging
            | Input::Declined
            | Input::Elsewhere
            | Input::Failure
            | Input::HeldSuccess
            | Input::Invited
            | Input::NoAnswer
            | Input::Provisional
            | Input::Stays
            | Input::Success
            | Input::SuccessAgain
            | Input::Superseded
            | Input::TooLong
            | Input::Trying,
        )
        | (
            State::Established,
            Input::ByeDone
            | Input::CallerAck
            | Input::Challenged
            | Input::Dead
            | Input::DeadWhileRinging
            | Input::Declined
            | Input::Elsewhere
            | Input::Failure
            | Input::HeldSuccess
            | Input::Invited
            | Input::NoAnswer
            | Input::Provisional
            | Input::Stays
            | Input::Success
            | Input::Superseded
            | Input::TooLong
            | Input::Trying,
        )
        | (
            State::Ending | State::Ended,
            Input::CallerAck
            | Input::CallerHangup
            | Input::Challenged
            | Input::Dead
            | Input::DeadWhileRinging
            | Input::Declined
            | Input::Elsewhere
            | Input::Failure
            | Input::HeldSuccess
            | Input::Invited
            | Input::NoAnswer
            | Input::Provisional
            | Input::Stays
            | Input::Success
            | Input::Superseded
            | Input::TooLong
            | Input::Trying,
        )
        | (State::Ended, Input::ByeDone) => (state, &[]),
    }
}
