//! What becomes of one call: the caller's plan, the peer's behaviour, and who dies when.

use super::{MS, pick};
use loadtest::agent::{Behaviour, Ending, Offer, Plan, Random, Verdict};
use std::time::Duration;

/// Statuses that peers refuse with. 480 is left to the node, so that it always means "full".
const REFUSALS: [u16; 10] = [302, 403, 404, 486, 486, 488, 500, 503, 600, 603];

/// Statuses that lead to the next peer.
const NEXT_ON: [u16; 8] = [408, 480, 486, 500, 502, 503, 504, 600];

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// When it is placed.
    pub at: Duration,
    /// Who places it.
    pub caller: usize,
    /// Its number, which no other call of this world has.
    pub number: u64,
    /// What the caller does.
    pub plan: Plan,
    /// What the peer does that is asked first, if that differs from what others do.
    pub first: Option<Behaviour>,
    /// What any other peer does.
    pub behaviour: Behaviour,
    /// Whether one of them dies.
    pub fate: Fate,
}

/// Who of a call dies: from then on nothing of this call reaches or leaves that party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The caller dies this long after its INVITE.
    CallerGoneAfter(Duration),
    /// The caller dies when a BYE is sent to it.
    CallerGoneAtBye,
    /// The caller dies when it is sent a final answer: its ACK never comes.
    CallerGoneAtFinal,
    /// Nobody dies.
    Lives,
    /// The peer dies this long after the call was placed.
    PeerGoneAfter(Duration),
    /// The peer dies when a BYE is sent to it.
    PeerGoneAtBye,
}

impl Script {
    /// Draws a call.
    pub(super) fn draw(random: &mut Random, at: Duration, caller: usize, number: u64) -> Self {
        let hold = match random.below(4) {
            0 => Duration::ZERO,
            1 => random.up_to(MS * 200),
            2 => random.up_to(MS * 5000),
            _ => random.up_to(MS * 70_000),
        };
        let (plan, behaviour, mut fate) = draw(random, Plan::plain(hold));
        if fate == Fate::Lives && random.permille(60) {
            fate = any_fate(random);
        }
        let offer = if random.permille(300) {
            Offer::Delayed
        } else {
            Offer::Early
        };
        // Who rings until timer C behind a silent peer outlasts the caller's patience.
        let may_go_on = random.permille(200) && behaviour.verdict != Verdict::RingOn;
        Self {
            at,
            caller,
            number,
            plan: plan.offer(offer),
            first: may_go_on.then(|| failing(random, behaviour)),
            behaviour: decorated(random, behaviour),
            fate,
        }
    }
}

fn draw(random: &mut Random, plain: Plan) -> (Plan, Behaviour, Fate) {
    let after = match random.below(3) {
        0 => Duration::ZERO,
        1 => random.up_to(MS * 300),
        _ => random.up_to(MS * 12_000),
    };
    let answer = Behaviour::answer(after);
    let either = (
        plain.ending(Ending::EitherHangsUp),
        answer.hanging_up(plain.hold),
    );
    let soon = random.up_to(MS * 3000);
    let cancel = |after| plain.ending(Ending::Cancel { after });
    let lives = |plan, behaviour| (plan, behaviour, Fate::Lives);
    match random.below(21) {
        0..=2 => lives(plain, answer),
        3 | 4 => lives(
            plain.ending(Ending::PeerHangsUp),
            answer.hanging_up(plain.hold),
        ),
        // Both at the same instant, or nearly so.
        5 => lives(either.0, either.1),
        // The peer says nothing for a while, so that the CANCEL has to wait at the node (RFC 3261 §9.1).
        6 => lives(cancel(Duration::ZERO), answer.without_provisional()),
        7 => lives(cancel(soon), Behaviour::ring_on()),
        8 => lives(plain.ending(Ending::CancelCrossing2xx), answer),
        // CANCEL and 2xx at nearly the same time, at the node.
        9 => lives(cancel(after + random.up_to(MS * 40)), answer),
        10 | 11 => {
            let refusal = Behaviour::refuse(pick(random, &REFUSALS));
            lives(plain, Behaviour { after, ..refusal })
        }
        12 => lives(plain, Behaviour::silence()),
        13 => lives(plain, Behaviour::ring_on()),
        14 => lives(plain, answer.without_provisional()),
        15 => lives(
            plain,
            Behaviour {
                verdict: Verdict::AnswerTwice,
                ..answer
            },
        ),
        16 => (plain, answer, Fate::CallerGoneAtFinal),
        17 => (plain, answer, Fate::PeerGoneAtBye),
        18 => (
            either.0,
            either.1,
            if random.permille(500) {
                Fate::CallerGoneAtBye
            } else {
                Fate::PeerGoneAtBye
            },
        ),
        // Whoever says nothing for so long is given up (RFC 3261 §17.1.1.2), and may answer after all.
        19 => lives(plain, late(random, answer)),
        _ => (
            either.0,
            either.1,
            if random.permille(500) {
                Fate::CallerGoneAfter(soon)
            } else {
                Fate::PeerGoneAfter(soon)
            },
        ),
    }
}

/// A peer that does not take the call: it is dead, too slow, full or broken.
fn failing(random: &mut Random, other: Behaviour) -> Behaviour {
    let answer = Behaviour {
        hang_up: other.hang_up,
        ..Behaviour::answer(random.up_to(MS * 300))
    };
    match random.below(4) {
        0 => Behaviour::silence(),
        // It wakes up when another one was asked, or nearly so.
        1 => {
            let wakes = MS * 1900 + random.up_to(MS * 4000);
            Behaviour {
                trying: false,
                ringing: random.permille(500).then_some(wakes),
                after: wakes + random.up_to(MS * 500),
                ..answer
            }
        }
        _ => Behaviour {
            after: random.up_to(MS * 500),
            ringing: None,
            ..Behaviour::refuse(pick(random, &NEXT_ON))
        },
    }
}

fn late(random: &mut Random, answer: Behaviour) -> Behaviour {
    let after = MS * 31_000 + random.up_to(MS * 20_000);
    let late = Behaviour {
        trying: false,
        ringing: random
            .permille(500)
            .then(|| MS * 31_000 + random.up_to(MS * 8000)),
        after,
        ..answer
    };
    match random.below(4) {
        0 => Behaviour {
            verdict: Verdict::Refuse(pick(random, &REFUSALS)),
            ..late
        },
        // Not before 64*T1: else timer C would outlast the caller.
        1 => Behaviour {
            verdict: Verdict::RingOn,
            ringing: Some(MS * 33_000 + random.up_to(MS * 8000)),
            ..late
        },
        _ => late,
    }
}

fn any_fate(random: &mut Random) -> Fate {
    let after = random.up_to(MS * 40_000);
    match random.below(5) {
        0 => Fate::CallerGoneAfter(after),
        1 => Fate::CallerGoneAtBye,
        2 => Fate::CallerGoneAtFinal,
        3 => Fate::PeerGoneAfter(after),
        _ => Fate::PeerGoneAtBye,
    }
}

/// Provisional responses of all sorts.
fn decorated(random: &mut Random, behaviour: Behaviour) -> Behaviour {
    // Calls without 100 stay as they are: when they ring is what they are about.
    if !behaviour.trying {
        return behaviour;
    }
    let ringing = match random.below(4) {
        0 => Some(Duration::ZERO),
        1 => None,
        _ => Some(random.up_to(behaviour.after)),
    };
    Behaviour {
        trying: ringing.is_none() || random.permille(700),
        ringing: behaviour.ringing.and(ringing),
        early_media: random.permille(300),
        ..behaviour
    }
}
