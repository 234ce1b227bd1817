//! The real program between sipp callers and sipp peers that play our own scenarios: every ending of
//! a call, crossing messages, refusals, offers early and late. Each is played over UDP and over TCP.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;

use interop::installed;
use interop::scenario::Scenario;
use interop::sipp::Over;
use interop::stage::Stage;
use std::net::UdpSocket;
use std::time::Duration;

/// Calls of each scenario over each transport.
const CALLS: u32 = 200;
/// Few enough for what the kernel holds for a socket of sipp's while that is busy.
const AT_ONCE: u32 = 50;

#[test]
fn a_call_is_hung_up_by_the_caller() {
    play(&Scenario::own("call"), &answer("10"));
}

#[test]
fn a_call_is_hung_up_by_the_peer() {
    play(&hung_up("0"), &hang_up());
}

#[test]
fn the_callers_bye_crosses_ours() {
    play(&Scenario::own("hung_up_crossing"), &hang_up());
}

#[test]
fn the_peers_bye_crosses_ours() {
    play(&Scenario::own("call"), &Scenario::own("hang_up_crossing"));
}

#[test]
fn a_call_is_cancelled_while_it_rings() {
    let until = "<recv response=\"100\" optional=\"true\"/>\n  <recv response=\"180\"/>";
    play(
        &Scenario::own("cancel").with("until", until),
        &Scenario::own("cancelled").with("delay", "0"),
    );
}

/// RFC 3261 section 9.1: the CANCEL to the peer waits for its 180.
#[test]
fn a_call_is_cancelled_before_it_rings() {
    let until = "<recv response=\"100\"/>";
    play(
        &Scenario::own("cancel").with("until", until),
        &Scenario::own("cancelled").with("delay", "1000"),
    );
}

#[test]
fn the_peers_200_crosses_our_cancel() {
    let until = "<recv response=\"100\" optional=\"true\"/>\n  <recv response=\"180\"/>";
    play(
        &Scenario::own("cancel").with("until", until),
        &Scenario::own("cancelled_while_answering"),
    );
}

#[test]
fn the_callers_cancel_crosses_our_200() {
    play(&Scenario::own("cancel_answered"), &answer("10"));
}

#[test]
fn cancel_and_200_race() {
    play(&Scenario::own("cancel_race"), &Scenario::own("answer_race"));
}

#[test]
fn an_early_dialog_is_ended_with_bye() {
    play(
        &Scenario::own("early_bye"),
        &Scenario::own("cancelled").with("delay", "0"),
    );
}

#[test]
fn refusals_pass_with_status_and_reason() {
    for (status, reason) in [
        ("404", "No Such Room"),
        ("486", "Busy Here"),
        ("603", "Decline"),
    ] {
        let words = format!("^SIP/2.0 {status} {reason}.*Reason: Q.850;cause=17");
        play(
            &Scenario::own("refused")
                .with("status", status)
                .with("words", &words),
            &Scenario::own("refuse")
                .with("status", status)
                .with("reason", reason),
        );
    }
}

/// Timer B, with a T1 that makes it 1.6 seconds.
#[test]
fn a_silent_peer_is_a_504() {
    if !installed(&["sipp"]) {
        return;
    }
    let stage = Stage::calm("silent").with_t1(Duration::from_millis(25));
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let node = stage.node(silent.local_addr().unwrap().port());
    let refused = Scenario::own("refused").with("status", "504");
    let refused = refused.with("words", "^SIP/2.0 504 .*no peer answered");
    let mut caller = stage
        .sipp(refused, Over::Udp, CALLS)
        .at_once(AT_ONCE)
        .call(node.udp);
    caller.succeeds();
    node.ends_with_nothing_left();
}

#[test]
fn a_delayed_offer_is_answered_in_the_ack() {
    play(
        &Scenario::own("delayed_offer_caller"),
        &Scenario::own("delayed_offer_peer"),
    );
}

/// The peers count as many calls as the callers meant.
#[test]
fn a_repeated_invite_is_one_call() {
    play(&Scenario::own("repeated_invite"), &answer("1000"));
}

#[test]
fn a_second_answer_of_another_fork_is_ended() {
    play(&hung_up("0"), &Scenario::own("fork_late"));
}

#[test]
fn of_two_answers_at_once_the_second_is_ended() {
    play(&hung_up("1000"), &Scenario::own("fork_early"));
}

/// More than a datagram carries, and not a byte of it changes.
#[test]
fn a_large_offer_passes_byte_for_byte() {
    if !installed(&["sipp"]) {
        return;
    }
    let stage = Stage::calm("large");
    let mut peer = stage
        .sipp(answer("10"), Over::Tcp, CALLS)
        .written_down()
        .answer();
    let node = stage.node(peer.port);
    let lines: Vec<String> = (0..500)
        .map(|line| format!("a=x-line:{line:04} {}", "\\t ~\"'=;".repeat(4)))
        .collect();
    let caller = Scenario::own("call_large").with("lines", &lines.join("\n"));
    let mut caller = stage
        .sipp(caller, Over::Tcp, CALLS)
        .written_down()
        .call(node.tcp);
    caller.succeeds();
    peer.succeeds();
    node.ends_with_nothing_left();
    let sent = offers(&caller.messages(), " sent ");
    let received = offers(&peer.messages(), " received ");
    assert_eq!(
        (sent.len(), received.len()),
        (CALLS as usize, CALLS as usize)
    );
    for (sent, received) in sent.iter().zip(&received) {
        assert!(sent.len() > 20_000, "{} octets", sent.len());
        assert_eq!(sent, received);
    }
}

/// The bodies of the INVITEs that went this way.
fn offers(messages: &[String], way: &str) -> Vec<String> {
    let invites = messages
        .iter()
        .filter(|message| message.contains(way) && message.contains("\n\nINVITE sip:"));
    let bodies = invites.map(|message| message.split_once("\r\n\r\n").unwrap().1);
    bodies.map(|body| body.trim_end().to_owned()).collect()
}

/// Answers after ringing for so many milliseconds.
fn answer(ringing: &str) -> Scenario {
    Scenario::own("answer").with("ringing", ringing)
}

/// Answers and hangs up.
fn hang_up() -> Scenario {
    Scenario::own("hang_up").with("held", "0")
}

/// Acknowledges after so many milliseconds and is hung up.
fn hung_up(late: &str) -> Scenario {
    Scenario::own("hung_up").with("late", late)
}

/// Plays it over each transport: all calls of both sides succeed, and the node has nothing left.
fn play(caller: &Scenario, peer: &Scenario) {
    if !installed(&["sipp"]) {
        return;
    }
    for over in [Over::Udp, Over::Tcp] {
        let stage = Stage::calm(&format!("{}-{}-{over:?}", caller.name(), peer.name()));
        let mut peer = stage.sipp(peer.clone(), over, CALLS).answer();
        let node = stage.node(peer.port);
        let caller = stage.sipp(caller.clone(), over, CALLS).at_once(AT_ONCE);
        caller.call(node.address(over)).succeeds();
        let counts = peer.succeeds();
        assert_eq!(counts.incoming, u64::from(CALLS));
        node.ends_with_nothing_left();
    }
}
