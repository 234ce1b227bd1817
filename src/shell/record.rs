//! One line in the log for each call that is over, where the operator wants them (`[log] calls`,
//! docs/decisions/0022).

use crate::node::CallRecord;
use crate::observe::log::CALLS;
use std::time::Instant;
use tracing::info;

/// Writes the line. Who called whom stands in it: that is what it is for.
pub(super) fn tell(record: &CallRecord) {
    let CallRecord { call, over, notes } = record;
    let (end, ended) = match call.end {
        Some((end, at)) => (end.to_string(), at),
        None => ("unknown".to_owned(), *over),
    };
    let tries: Vec<String> = notes
        .tries
        .iter()
        .map(|tried| format!("{}:{}", tried.peer, tried.outcome))
        .collect();
    info!(
        target: CALLS,
        from = call.from,
        to = call.to,
        alias = notes.alias,
        zone = notes.zone,
        conference = notes.conference.as_deref(),
        peer = notes.peer.as_deref(),
        tries = tries.join(","),
        end,
        setup_seconds = call.answered.map(|answered| seconds(call.begun, answered)),
        talk_seconds = call.answered.map(|answered| seconds(answered, ended)),
        seconds = seconds(call.begun, ended),
        call_id = call.call_id,
        peer_call_id = call.peer_call_id.as_deref(),
        explanation = notes.explanation.as_deref(),
        "a call is over"
    );
}

/// To the millisecond.
fn seconds(from: Instant, to: Instant) -> f64 {
    let seconds = to.saturating_duration_since(from).as_secs_f64();
    (seconds * 1_000.0).round() / 1_000.0
}
