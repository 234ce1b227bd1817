//! `baton peer report`: what a program that asks a bridge's management interface was told there.

use super::answer::{Answer, Kind, Reader};
use super::peers::no_such_peer;
use super::query::Query;
use super::routes::Desk;
use crate::observe::json::Json;
use balancer::{Reported, Source};
use hyper::StatusCode;
use std::time::Instant;
use tracing::debug;

impl Desk {
    /// Takes a peer's own figures: sessions in use, room, or both.
    pub(super) fn report(&self, reader: Reader, name: &str, query: &Query) -> Answer {
        let figure = |key: &str| query.one(key).map(str::parse::<u32>).transpose();
        let (Ok(in_use), Ok(sessions_max)) = (figure("in_use"), figure("sessions_max")) else {
            return Answer::error(reader, Kind::BadRequest, "a figure is no number");
        };
        if in_use.is_none() && sessions_max.is_none() {
            let message = "say what it reports: `--in-use N`, `--sessions-max N`";
            return Answer::error(reader, Kind::BadRequest, message);
        }
        let now = Instant::now();
        let balancer = &self.view.balancer;
        let Some(id) = balancer.board().peer_named(name).map(|peer| peer.id) else {
            return no_such_peer(reader, name, &balancer.figures(now));
        };
        let reported = Reported {
            source: Source::Api,
            in_use,
            sessions_max,
        };
        balancer.report_use(now, id, reported);
        debug!(peer = name, ?reported, "a peer's own figures");
        let figures = balancer.figures(now);
        let drift = figures.iter().find(|peer| peer.name == name);
        let drift = drift.map_or(0, |peer| peer.drift);
        let text = || format!("{name}: drift {drift}\n");
        let json = || Json::Object(vec![("peer", Json::text(name)), ("drift", drift.into())]);
        Answer {
            status: StatusCode::OK,
            ..Answer::of(reader, text, json)
        }
    }
}
