//! `baton calls`, `baton call hangup`: every worker is asked for a page of its calls at a time, so that none stops for long.

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
use tracing::info;

const COLUMNS: &[&str] = &[
    "state",
    "age_seconds",
    "from",
    "to",
    "peer",
    "conference",
    "call_id",
    "peer_call_id",
    "why",
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
    /// One of the Call-IDs, whole.
    call_id: Option<&'a str>,
    limit: usize,
}

/// A call, and the worker that has it.
type Found = (u8, CallOnPeer);

impl Desk {
    /// The calls that live, those of the first worker first.
    pub(super) async fn calls(&self, reader: Reader, query: &Query) -> Answer {
        let limit = query.number("limit", CALLS).min(CALLS_MAX);
        let wanted = Wanted {
            state: query.one("state"),
            peer: query.one("peer"),
            conference: query.one("conference"),
            party: query.one("party"),
            call_id: None,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        };
        let (found, is_cut) = match self.collect(&wanted).await {
            Ok(found) => found,
            Err(message) => return Answer::error(reader, Kind::Failed, message),
        };
        let now = Instant::now();
        let mut table = Table::new(COLUMNS);
        for (_, call) in found {
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

    /// Ends the call with this Call-ID, of whichever of its legs.
    pub(super) async fn hang_up(&self, reader: Reader, call_id: &str, who: u32) -> Answer {
        let wanted = Wanted {
            state: None,
            peer: None,
            conference: None,
            party: None,
            call_id: Some(call_id),
            limit: usize::MAX,
        };
        let found = match self.collect(&wanted).await {
            Ok((found, _)) => found,
            Err(message) => return Answer::error(reader, Kind::Failed, message),
        };
        if found.is_empty() {
            let message = format!("no call has the Call-ID `{call_id}`; `baton calls` lists them");
            return Answer::error(reader, Kind::NoSuchCall, message);
        }
        for (worker, on) in &found {
            let errand = Errand::HangUp(on.call.key);
            if let Err(message) = hand_over(&self.view, *worker, errand).await {
                return Answer::error(reader, Kind::Failed, message);
            }
        }
        // Who it was is for those who look closely.
        info!(
            operator = who,
            calls = found.len(),
            "the operator ends a call"
        );
        let ended = found.len();
        Answer::of(
            reader,
            || "the call is ended\n".to_owned(),
            || Json::Object(vec![("ended", ended.into())]),
        )
    }

    /// The calls, and whether there are more.
    async fn collect(&self, wanted: &Wanted<'_>) -> Result<(Vec<Found>, bool), String> {
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
                let calls = calls.into_iter().filter(|call| wanted.fits(call));
                found.extend(calls.map(|call| (worker, call)));
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
        let is_leg = |id: &str| call.call_id == id || call.peer_call_id.as_deref() == Some(id);
        self.call_id.is_none_or(is_leg)
            && self.state.is_none_or(|state| state == call.state.as_str())
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
        why,
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
        why.map_or(Json::Null, Json::Text),
    ]
}
