//! sipp on both sides of the real program, in a network of their own that loses one datagram in
//! twenty, each way: no call fails.
//!
//! The scenarios are ours and right under loss; sipp's own are not (the ACK that comes after the BYE
//! because the first one was lost fails the call of `uas`). With `BATON_LONG=1` the times are those
//! of RFC 3261 and the calls are 10,000; else times are two fifths of them and the calls fewer.
#![cfg(target_os = "linux")]

mod interop;

use interop::namespace::Namespace;
use interop::scenario::Scenario;
use interop::sipp::Over;
use interop::stage::Stage;
use interop::{installed, is_long};
use std::time::Duration;

const LOST_PERCENT: u32 = 5;

#[test]
fn no_call_fails_when_one_datagram_in_twenty_is_lost() {
    let calls = if is_long() { 10_000 } else { 1_000 };
    let answer = Scenario::own("answer").with("ringing", "100");
    play(Scenario::own("call"), answer, calls);
}

#[test]
fn no_cancel_fails_when_one_datagram_in_twenty_is_lost() {
    let calls = if is_long() { 10_000 } else { 500 };
    let cancelled = Scenario::own("cancelled_lossy");
    play(Scenario::own("cancel_lossy"), cancelled, calls);
}

#[expect(
    clippy::print_stdout,
    reason = "counts are for the reader of the test's output"
)]
fn play(caller: Scenario, peer: Scenario, calls: u32) {
    let t1 = Duration::from_millis(if is_long() { 500 } else { 200 });
    let patience = t1 * 64 * 3 + Duration::from_secs(60);
    if !installed(&["sipp"]) {
        return;
    }
    let Some(stage) = Stage::lossy(caller.name(), LOST_PERCENT, t1) else {
        return;
    };
    // RFC 3261 17.1.2.2 and 17.1.1.2: seven INVITEs, and what is repeated up to T2, eleven times.
    let repeats = ["-max_invite_retrans", "6", "-max_non_invite_retrans", "10"];
    let t2 = (t1 * 8).as_millis().to_string();
    let sipp = |scenario| {
        let sipp = stage.sipp(scenario, Over::Udp, calls);
        sipp.with(&repeats).with(&["-T2", &t2]).patience(patience)
    };
    let mut peer = sipp(peer).answer();
    let node = stage.node(peer.port);
    let mut caller = sipp(caller)
        .at_once(calls)
        .rate(200)
        .with(&["-d", "300"])
        .call(node.udp);
    let called = caller.succeeds();
    let answered = peer.succeeds();
    let lost = stage.namespace().map_or(0, Namespace::lost);
    println!("lost {lost} datagrams; caller {called:?}; peer {answered:?}");
    assert_eq!(answered.incoming, u64::from(calls));
    // A call takes 13 datagrams if none is lost.
    let expected = u64::from(calls) * 13 * u64::from(LOST_PERCENT) / 100;
    assert!(lost > expected / 2, "{lost} lost, not about {expected}");
    assert!(
        called.repeated > 0 && answered.repeated > 0,
        "nothing was repeated"
    );
    node.ends_with_nothing_left();
}
