//! That the witness would notice: each bug of the node, made on purpose, is found within a few seeds, and called by its name.

use sim::sabotage::Sabotage;
use sim::scenario::Scenario;
use sim::world::{Watch, World};

/// Seeds among which every sabotage is to be noticed.
const SEEDS: u64 = 96;
/// Seeds in nearly all of which a plain one is.
const PLAIN: u64 = 24;

/// What is found with this bug, seed by seed.
fn findings(sabotage: Sabotage, seeds: u64) -> impl Iterator<Item = String> {
    let watch = Watch {
        sabotage: Some(sabotage),
        ..Watch::default()
    };
    let found =
        (0..seeds).filter_map(move |seed| World::new(Scenario::of(seed), watch).run().err());
    found.map(|finding| finding.to_string())
}

fn expected(sabotage: Sabotage) -> &'static str {
    match sabotage {
        Sabotage::AckTooEarly => "no such final answer came",
        Sabotage::CancelTooEarly => "no provisional response came yet",
        Sabotage::ChangedFinal => "a second final answer",
        Sabotage::CseqStandsStill => "CSeq does not go up",
        Sabotage::FailedChosen => "the peer is Failed",
        Sabotage::FinalsSwallowed => "was not passed on to the caller",
        Sabotage::InsideChanged => "the other end answered 603",
        Sabotage::InsideSwallowed => "no final response to",
        Sabotage::InsideTwice => "CSeq does not go up",
        Sabotage::LeakedCallId => "a name of the other leg",
        Sabotage::LeakedPeer => "an address of the other leg",
        Sabotage::LostPermit => "sessions are in use",
        Sabotage::LoadHidden => "though messages wait too long",
        Sabotage::MaxForwardsKept => "was not lowered",
        Sabotage::OrderLost => "the operator works on",
        Sabotage::ReloadLost => "a new call where",
        Sabotage::PrackSwallowed => "no final response to PRACK",
        Sabotage::RackChanged => "its RAck is that of no provisional",
        Sabotage::RefreshSwallowed => "was not refreshed",
        Sabotage::Repeating => "are the most",
        Sabotage::RetryAfterLost => "with Retry-After None",
        Sabotage::RseqLost => "it is not as reliable",
        Sabotage::Scattered => "its conference is at",
        Sabotage::SdpTidied => "its body is not one that came",
        Sabotage::SessionChanged => "the terms of the session are",
        Sabotage::SessionForgotten => "calls are up at peer",
        Sabotage::StuckToOnePeer => "has more sessions available",
        Sabotage::SwallowedAck => "was not acknowledged",
        Sabotage::SwallowedBye => "nobody hung up with",
        Sabotage::SwallowedCancel => "cancel",
        Sabotage::SwallowedRinging => "180 was not passed on",
        Sabotage::TimersStopped => "was sent only",
        Sabotage::Truncated => "cannot be read",
        Sabotage::TwoByes => "a second BYE",
        Sabotage::TwoPeers => "a second peer leg",
        Sabotage::WrongAddress => "belongs to no call there",
    }
}

#[test]
fn every_sabotage_is_noticed() {
    for sabotage in Sabotage::ALL {
        let mut others = Vec::new();
        let is_it = |finding: &String| finding.contains(expected(sabotage));
        let found = findings(sabotage, SEEDS)
            .inspect(|finding| others.push(finding.clone()))
            .find(is_it);
        let found = found.unwrap_or_else(|| {
            panic!(
                "{sabotage:?} was not noticed as {:?}: {others:#?}",
                expected(sabotage)
            )
        });
        assert!(found.contains("--seed "), "it says how to see it again");
    }
}

/// What can be noticed at once is noticed in nearly every world: the sabotages are not found by luck.
#[test]
fn plain_sabotage_is_noticed_nearly_everywhere() {
    for sabotage in [
        Sabotage::AckTooEarly,
        Sabotage::FinalsSwallowed,
        Sabotage::MaxForwardsKept,
        Sabotage::WrongAddress,
    ] {
        let found = findings(sabotage, PLAIN).count();
        assert!(
            found as u64 >= PLAIN - 4,
            "{sabotage:?}: {found} of {PLAIN}"
        );
    }
}
