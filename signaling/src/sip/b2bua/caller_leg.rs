//! The caller leg: we are the user agent server (RFC 3261 §13.3, §14, §15).
//!
//! Every pair of state and input stands in [`step`]. The INVITE's server transaction repeats
//! non-2xx finals; this leg repeats the 2xx until its ACK comes (§13.3.1.4).

/// Where the caller leg stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A 2xx was sent and not yet acknowledged.
    Answered,
    /// Our BYE was sent and not yet answered.
    Ending,
    /// Nothing more to do for this leg.
    Ended,
    /// The ACK came.
    Established,
    /// The peer hung up before the ACK came: BYE must wait for it (§15).
    Hung,
    /// The INVITE came and has no final answer.
    Inviting,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// ACK of the 2xx.
    Ack,
    /// No ACK within 64*T1.
    AckTimeout,
    /// BYE from the caller.
    Bye,
    /// Our BYE was answered, or nobody answers it.
    ByeDone,
    /// CANCEL from the caller.
    Cancel,
    /// There is no answer to be had: no peer, or none that speaks.
    NoAnswer,
    /// The peer refused.
    PeerFailure,
    /// The peer leg is over.
    PeerHangup,
    /// The peer sent 101 to 199.
    PeerProvisional,
    /// The peer accepted.
    PeerSuccess,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// 200 to the BYE.
    AcceptBye,
    /// Tell the peer leg that the caller is gone.
    HangUpPeer,
    /// Pass the ACK to the peer leg.
    PassAck,
    /// 481 to the BYE.
    RefuseBye,
    /// Final of our own to the INVITE: the cause comes with the input.
    RefuseInvite,
    /// 487 to the INVITE.
    RefuseCancelled,
    /// The peer's non-2xx final, passed on.
    RelayFailure,
    /// The peer's 1xx, passed on.
    RelayProvisional,
    /// The peer's 2xx, passed on; it is repeated from now on.
    RelaySuccess,
    /// BYE to the caller.
    SendBye,
    /// Stop repeating the 2xx.
    StopRepeating,
}

/// The next state, and what to do on the way.
#[must_use]
#[expect(clippy::too_many_lines, reason = "a table with every pair written")]
pub fn step(state: State, input: Input) -> (State, &'static [Action]) {
    use Action::{
        AcceptBye, HangUpPeer, PassAck, RefuseBye, RefuseCancelled, RefuseInvite, RelayFailure,
        RelayProvisional, RelaySuccess, SendBye, StopRepeating,
    };
    match (state, input) {
        (State::Inviting, Input::PeerProvisional) => (State::Inviting, &[RelayProvisional]),
        (State::Inviting, Input::PeerSuccess) => (State::Answered, &[RelaySuccess]),
        (State::Inviting, Input::PeerFailure) => (State::Ended, &[RelayFailure]),
        (State::Inviting, Input::NoAnswer | Input::PeerHangup) => (State::Ended, &[RefuseInvite]),
        (State::Inviting, Input::Cancel) => (State::Ended, &[RefuseCancelled, HangUpPeer]),
        // §15.1.2: a caller may end an early dialog with BYE; the INVITE gets 487.
        (State::Inviting, Input::Bye) => (State::Ended, &[AcceptBye, RefuseCancelled, HangUpPeer]),
        (State::Inviting, Input::Ack | Input::AckTimeout | Input::ByeDone) => {
            (State::Inviting, &[])
        }

        (State::Answered, Input::Ack) => (State::Established, &[StopRepeating, PassAck]),
        (State::Answered, Input::Bye) => (State::Ended, &[StopRepeating, AcceptBye, HangUpPeer]),
        (State::Answered, Input::PeerHangup) => (State::Hung, &[]),
        // §13.3.1.4: without an ACK the dialog is confirmed all the same, and is ended with BYE.
        (State::Answered, Input::AckTimeout) => {
            (State::Ending, &[StopRepeating, SendBye, HangUpPeer])
        }
        // §9.2: a CANCEL after the final answer has no effect.
        (
            State::Answered,
            Input::ByeDone
            | Input::Cancel
            | Input::NoAnswer
            | Input::PeerFailure
            | Input::PeerProvisional
            | Input::PeerSuccess,
        ) => (State::Answered, &[]),

        (State::Hung, Input::Ack | Input::AckTimeout) => (State::Ending, &[StopRepeating, SendBye]),
        (State::Hung, Input::Bye) => (State::Ended, &[StopRepeating, AcceptBye]),
        (
            State::Hung,
            Input::ByeDone
            | Input::Cancel
            | Input::NoAnswer
            | Input::PeerFailure
            | Input::PeerHangup
            | Input::PeerProvisional
            | Input::PeerSuccess,
        ) => (State::Hung, &[]),

        (State::Established, Input::Bye) => (State::Ended, &[AcceptBye, HangUpPeer]),
        (State::Established, Input::PeerHangup) => (State::Ending, &[SendBye]),
        (
            State::Established,
            Input::Ack
            | Input::AckTimeout
            | Input::ByeDone
            | Input::Cancel
            | Input::NoAnswer
            | Input::PeerFailure
            | Input::PeerProvisional
            | Input::PeerSuccess,
        ) => (State::Established, &[]),

        // Both sides hang up at once: each BYE gets its 200.
        (State::Ending, Input::Bye) => (State::Ending, &[AcceptBye]),
        (State::Ending, Input::ByeDone) => (State::Ended, &[]),
        (
            State::Ending,
            Input::Ack
            | Input::AckTimeout
            | Input::Cancel
            | Input::NoAnswer
            | Input::PeerFailure
            | Input::PeerHangup
            | Input::PeerProvisional
            | Input::PeerSuccess,
        ) => (State::Ending, &[]),

        (State::Ended, Input::Bye) => (State::Ended, &[RefuseBye]),
        (
            State::Ended,
            Input::Ack
            | Input::AckTimeout
            | Input::ByeDone
            | Input::Cancel
            | Input::NoAnswer
            | Input::PeerFailure
            | Input::PeerHangup
            | Input::PeerProvisional
            | Input::PeerSuccess,
        ) => (State::Ended, &[]),
    }
}
