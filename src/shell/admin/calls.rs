//! `baton calls`: every worker is asked for a page of its calls at a time, so that none stops for long.

use super::answer::{Answer, Kind, Reader};
use super::query::Query;
use super::reloads::hand_over;
use super::routes::Desk;
use crate::node::CallOnPeer;
use crate::observe::json::Json;
use crate::observe::table::Table;
use crate::shell::errand::{CallsPage, Errand};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const COLUMNS: &[&str] = &[
    "state",
    "age_seconds",
    "from",
    "to",
    "peer",
    "conference",
    "call_id",
    "peer_call_id",
];
/// Calls that are told when nobody says how many.
const CALLS: u32 = 1_000;
const CALLS_MAX: u32 = 1_000_000;
/// Slots of one page: some tens of microseconds of a worker's time.
const SLOTS: u32 = 128;
/// How long a worker may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which calls are wanted.
struct Wanted<'a> {
    state: Option<&'a str>,
    peer: Option<&'a str>,
    conference: Option<&'a str>,
    /// A part of From, To or one of the Call-IDs.
    party: Option<&'a str>,
    limit: usize,
}

impl Desk {
    /// The calls that live, those of the first worker first.
    pub(super) async fn calls(&self, reader: Reader, query: &Query) -> Answer {
        let limit = query.number("limit", CALLS).min(CALLS_MAX);
        let wanted = Wanted {
            state: query.one("state"),
            peer: query.one("peer"),
            conference: query.one("conference"),
            party: query.one("party"),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        };
        let (found, is_cut) = match self.collect(&wanted).await {
            Ok(found) => found,
            Err(message) => return Answer::error(reader, Kind::Failed, message),
        };
        let now = Instant::now();
        let mut table = Table::new(COLUMNS);
        for call in found {
            table.row(row(call, now));
        }
        Answer::of(
            reader,
            || {
                let more = if is_cut {
                    format!("more than {limit}; narrow it down or take `--limit`\n")
                } else {
                    String::new()
                };
                table.text() + &more
            },
            || Json::Object(vec![("calls", table.json()), ("is_cut", is_cut.into())]),
        )
    }

    /// The calls, and whether there are more.
    async fn collect(&self, wanted: &Wanted<'_>) -> Result<(Vec<CallOnPeer>, bool), String> {
        let (send, mut pages) = mpsc::channel(1);
        let mut found = Vec::new();
        for worker in 0..self.reloads.settings().workers {
            let mut next = Some(0);
            while let Some(slot) = next {
                let answer = send.clone();
                let errand = Errand::Calls {
                    slot,
                    slots_max: SLOTS,
                    answer,
                };
                hand_over(&self.view, worker, errand).await?;
                let page = tokio::time::timeout(PATIENCE, pages.recv()).await;
                let Ok(Some(CallsPage { calls, more_from })) = page else {
                    return Err(format!(
                        "worker {worker} does not answer; see `baton status`"
                    ));
                };
                found.extend(calls.into_iter().filter(|call| wanted.fits(call)));
                if found.len() > wanted.limit {
                    found.truncate(wanted.limit);
                    return Ok((found, true));
                }
                next = more_from;
            }
        }
        Ok((found, false))
    }
}

impl Wanted<'_> {
    fn fits(&self, on: &CallOnPeer) -> bool {
        let call = &on.call;
        let texts = [&call.from, &call.to, &call.call_id];
        let mut texts = texts.into_iter().chain(&call.peer_call_id);
        self.state.is_none_or(|state| state == call.state.as_str())
            && self
                .peer
                .is_none_or(|peer| on.peer.as_deref() == Some(peer))
            && self
                .conference
                .is_none_or(|conference| on.conference.as_deref() == Some(conference))
            && self
                .party
                .is_none_or(|party| texts.any(|text| text.contains(party)))
    }
}

fn row(on: CallOnPeer, now: Instant) -> Vec<Json> {
    let CallOnPeer {
        call,
        peer,
        conference,
    } = on;
    let age = now.saturating_duration_since(call.begun);
    vec![
        Json::text(call.state.as_str()),
        Json::Number((age.as_secs_f64() * 10.0).round() / 10.0),
        Json::Text(call.from),
        Json::Text(call.to),
        peer.map_or(Json::Null, Json::Text),
        conference.map_or(Json::Null, |name| Json::text(&*name)),
        Json::Text(call.call_id),
        call.peer_call_id.map_or(Json::Null, Json::Text),
    ]
}
