//! Which call does what: both ends read the same script by the number of the call.

use loadtest::agent::{Behaviour, Ending, Offer, Plan, Random};
use std::time::Duration;

/// What is told of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// Both ends hang up at about the same time, and the BYEs may cross.
    BothHangUp,
    /// The caller gives up while the bridge rings.
    Cancelled,
    /// The caller gives up just as the bridge answers.
    CancelTooLate,
    /// The bridge describes the media first (an INVITE without SDP).
    DelayedOffer,
    /// The bridge ends the call.
    PeerHangsUp,
    /// The caller ends the call.
    Plain,
}

/// What the reader is told about the mixture.
pub(super) const IN_WORDS: &str = "\
Of 20 calls, 15 are plain: ringing at once, answered after 20 to 80 ms, ended by the caller
within 1.2 s. One is cancelled while it rings, one just as it is answered; one has its SDP in
the 200 and the ACK, one is ended by the bridge, one by both at once.";

fn story(number: u64) -> Story {
    match number % 20 {
        3 => Story::Cancelled,
        7 => Story::PeerHangsUp,
        11 => Story::CancelTooLate,
        13 => Story::DelayedOffer,
        17 => Story::BothHangUp,
        _ => Story::Plain,
    }
}

/// How long until the answer, and from it to the end.
fn times(number: u64) -> (Duration, Duration) {
    let mut random = Random::new(number);
    let answer = Duration::from_millis(20) + random.up_to(Duration::from_millis(60));
    let hold = Duration::from_millis(400) + random.up_to(Duration::from_millis(800));
    (answer, hold)
}

/// The caller's part.
pub(super) fn plan(number: u64) -> Plan {
    let (answer, hold) = times(number);
    let plan = Plan::plain(hold);
    match story(number) {
        Story::BothHangUp => plan.ending(Ending::EitherHangsUp),
        Story::Cancelled => plan.ending(Ending::Cancel { after: answer }),
        Story::CancelTooLate => plan.ending(Ending::CancelCrossing2xx),
        Story::DelayedOffer => plan.offer(Offer::Delayed),
        Story::PeerHangsUp => plan.ending(Ending::PeerHangsUp),
        Story::Plain => plan,
    }
}

/// The bridge's part.
pub(super) fn behaviour(number: u64) -> Behaviour {
    let (answer, hold) = times(number);
    let behaviour = Behaviour::answer(answer);
    match story(number) {
        Story::BothHangUp | Story::PeerHangsUp => behaviour.hanging_up(hold),
        Story::Cancelled => Behaviour::ring_on(),
        Story::CancelTooLate | Story::DelayedOffer | Story::Plain => behaviour,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifteen_of_twenty_calls_are_plain() {
        let plain = (0..20)
            .filter(|number| story(*number) == Story::Plain)
            .count();
        assert_eq!(plain, 15);
        assert_eq!(story(0), Story::Plain, "the call that is shown");
    }
}
