//! A decision in JSON, for systems that are no VCS (docs/openapi.json).

use crate::observe::json::Json;
use crate::shell::admin::explained;
use balancer::Snapshot;
use policy::{Answer, Decided, Request, Service};
use std::time::Instant;

/// Decides, and writes the answer.
pub(super) fn decide<'s>(
    (service, now, explain): (&'s Service, Instant, bool),
    snapshot: &Snapshot<'_>,
    request: &Request<'_>,
    out: &mut Vec<u8>,
) -> Decided<'s> {
    // Before it takes anything, which would be among the grounds.
    let why = explain.then(|| explained(&service.explain(now, snapshot, request)));
    let mut members = Vec::new();
    let decided = service.decide_on(now, snapshot, request, &mut |answer| {
        members = told(answer);
    });
    let optional = |text: Option<&str>| text.map_or(Json::Null, Json::text);
    let mut all = vec![("outcome", Json::text(decided.outcome.as_str()))];
    all.append(&mut members);
    all.push(("rule", optional(decided.rule)));
    let peer = decided.peer.and_then(|peer| snapshot.peer_name(peer));
    all.push(("peer", optional(peer)));
    if decided.peer.is_some() {
        all.push(("held_seconds", service.lease().as_secs().into()));
    }
    if let Some(why) = why {
        all.push(("explain", why));
    }
    out.extend_from_slice(Json::Object(all).to_string().as_bytes());
    out.push(b'\n');
    decided
}

/// What a VCS would read as CPL.
fn told(answer: &Answer<'_>) -> Vec<(&'static str, Json)> {
    match answer {
        Answer::Proxy { timeout } => vec![
            ("answer", Json::text("allow")),
            ("timeout_seconds", (*timeout).into()),
        ],
        Answer::Reject { status, reason } => vec![
            ("answer", Json::text("reject")),
            ("status", u32::from(*status).into()),
            ("reason", Json::text(*reason)),
        ],
        Answer::Route {
            aliases,
            timeout,
            on_failure,
        } => vec![
            ("answer", Json::text("route")),
            (
                "aliases",
                Json::List(aliases.iter().map(|alias| Json::text(*alias)).collect()),
            ),
            ("timeout_seconds", (*timeout).into()),
            ("on_failure", on_failure.map_or(Json::Null, Json::text)),
        ],
    }
}
