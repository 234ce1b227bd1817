//! `baton peers`, `baton peer drain|maint|ready`, `baton explain`.

use super::answer::{Answer, Kind, Reader};
use super::query::Query;
use super::routes::Desk;
use crate::observe::json::Json;
use crate::observe::table::Table;
use balancer::{Explanation, Operator, PeerFigures, Request};
use hyper::StatusCode;
use signaling::{Hop, ListenerId, Transport};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tracing::info;

const COLUMNS: &[&str] = &[
    "name",
    "pool",
    "state",
    "operator",
    "used",
    "reserved",
    "limit",
    "elsewhere",
    "reported",
    "age_seconds",
    "source",
    "drift",
    "conferences",
    "chosen",
    "failovers",
];
/// How often a drain that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(50);

impl Desk {
    /// All peers, or the one of this name.
    pub(super) fn peers(&self, reader: Reader, name: Option<&str>) -> Answer {
        let figures = self.view.balancer.figures(Instant::now());
        let mut table = Table::new(COLUMNS);
        let wanted = |peer: &&PeerFigures| name.is_none_or(|name| peer.name == name);
        let mut found = false;
        for peer in figures.iter().filter(wanted) {
            found = true;
            table.row(row(peer));
        }
        match name {
            Some(name) if !found => no_such_peer(reader, name, &figures),
            Some(_) | None => Answer::of(
                reader,
                || table.text(),
                || Json::Object(vec![("peers", table.json())]),
            ),
        }
    }

    /// What the operator wants of a peer from now on. With a time to wait: until its last call has
    /// gone, else 202.
    pub(super) async fn operate(
        &self,
        reader: Reader,
        (name, operator): (&str, Operator),
        (wait, who): (Duration, u32),
        persist: bool,
    ) -> Answer {
        if persist && !self.view.wishes.can_keep() {
            let message = "there is no file to keep it in; name one: `[node] state_file`";
            return Answer::error(reader, Kind::Failed, message);
        }
        let now = Instant::now();
        let board = self.view.balancer.board();
        let Some(id) = board.peer_named(name).map(|peer| peer.id) else {
            return no_such_peer(reader, name, &self.view.balancer.figures(now));
        };
        let change = self.view.balancer.set_operator(now, id, operator);
        if let Some(change) = change {
            let (from, to) = (change.from.as_str(), change.to.as_str());
            info!(
                peer = name,
                from,
                to,
                operator = who,
                "the operator changes a peer"
            );
        }
        if persist && let Err(error) = self.view.wishes.keep(name, operator) {
            let message = format!("it holds until a restart and no longer: {error:#}");
            return Answer::error(reader, Kind::Failed, message);
        }
        let mut left = self.sessions_on(name);
        while operator != Operator::Ready && left > 0 && now.elapsed() < wait {
            tokio::time::sleep(LOOK).await;
            left = self.sessions_on(name);
        }
        let is_over = operator == Operator::Ready || wait.is_zero() || left == 0;
        let word = operator.as_str();
        let answer = Answer::of(
            reader,
            || format!("{name}: {word}, {left} sessions in use\n"),
            || {
                Json::Object(vec![
                    ("peer", Json::text(name)),
                    ("operator", Json::text(word)),
                    ("used", left.into()),
                ])
            },
        );
        Answer {
            status: if is_over {
                StatusCode::OK
            } else {
                StatusCode::ACCEPTED
            },
            ..answer
        }
    }

    fn sessions_on(&self, name: &str) -> u32 {
        let board = self.view.balancer.board();
        board.peer_named(name).map_or(0, balancer::Peer::in_use)
    }

    /// The zone that is named, or the one of an address that a call would come from.
    fn zone_of(&self, query: &Query) -> Result<String, String> {
        if let Some(zone) = query.one("zone") {
            return Ok(zone.to_owned());
        }
        let Some(from) = query.one("from") else {
            return Ok(String::new());
        };
        let address = from.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 5060));
        let Ok(remote) = address.or_else(|_| from.parse()) else {
            return Err(format!(
                "`{from}` is no IP address; write it like `--from 192.0.2.7`"
            ));
        };
        let settings = self.reloads.settings();
        let source = settings.access.source(&Hop {
            transport: Transport::Udp,
            listener: ListenerId(0),
            remote,
            connection: None,
            identity: None,
        });
        let zone = source.zone().and_then(|zone| settings.access.zone(zone));
        Ok(zone.map_or_else(String::new, |zone| zone.name.clone()))
    }

    /// Where a call would go now, and why.
    pub(super) fn explain(&self, reader: Reader, query: &Query) -> Answer {
        let Some(alias) = query.one("alias") else {
            return Answer::error(
                reader,
                Kind::BadRequest,
                "say which alias: `--alias meet@example.com`",
            );
        };
        let zone = match self.zone_of(query) {
            Ok(zone) => zone,
            Err(message) => return Answer::error(reader, Kind::BadRequest, message),
        };
        let explanation = self.view.balancer.explain(&Request {
            alias: alias.as_bytes(),
            zone: &zone,
            tried: &[],
            is_audio_only: false,
            now: Instant::now(),
        });
        Answer::of(
            reader,
            || explanation.to_string(),
            || explained(&explanation),
        )
    }
}

pub(super) fn no_such_peer(reader: Reader, name: &str, figures: &[PeerFigures]) -> Answer {
    let names: Vec<&str> = figures.iter().map(|peer| peer.name.as_str()).collect();
    let near = names
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), *known))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    let hint = match near {
        Some((_, near)) => format!("did you mean `{near}`?"),
        None => "`baton peers` lists them".to_owned(),
    };
    Answer::error(
        reader,
        Kind::NoSuchPeer,
        format!("there is no peer `{name}`; {hint}"),
    )
}

fn row(peer: &PeerFigures) -> Vec<Json> {
    let reported = peer.reported;
    let in_use = reported.and_then(|(reported, _)| reported.in_use);
    let age = reported.map(|(_, age)| Json::Number(age.as_secs_f64()));
    let source = reported.map(|(reported, _)| Json::text(reported.source.as_str()));
    let counts = |counts: Vec<(&'static str, u64)>| {
        let told = counts.into_iter().filter(|(_, count)| *count > 0);
        Json::Object(told.map(|(name, count)| (name, count.into())).collect())
    };
    let chosen = peer
        .chosen
        .iter()
        .map(|(why, count)| (why.as_str(), *count));
    let failovers = peer
        .failovers
        .iter()
        .map(|(why, count)| (why.as_str(), *count));
    vec![
        Json::text(&peer.name),
        Json::text(&peer.pool),
        Json::text(peer.state.as_str()),
        Json::text(peer.operator.as_str()),
        peer.in_use.into(),
        peer.reserved.into(),
        peer.limit.into(),
        peer.elsewhere.into(),
        in_use.into(),
        age.unwrap_or(Json::Null),
        source.unwrap_or(Json::Null),
        peer.drift.into(),
        peer.conferences.into(),
        counts(chosen.collect()),
        counts(failovers.collect()),
    ]
}

pub(in crate::shell) fn explained(explanation: &Explanation) -> Json {
    let optional = |text: Option<&String>| text.map_or(Json::Null, Json::text);
    let pools = explanation.pools.iter().map(|pool| {
        let peers = pool.peers.iter().map(|peer| {
            Json::Object(vec![
                ("name", Json::text(&peer.name)),
                ("state", Json::text(peer.state.as_str())),
                ("used", peer.in_use.into()),
                ("reserved", peer.reserved.into()),
                ("limit", peer.limit.into()),
                ("new_limit", peer.new_limit.into()),
                ("verdict", Json::text(peer.verdict.as_str())),
            ])
        });
        Json::Object(vec![
            ("name", Json::text(&*pool.name)),
            ("strategy", Json::text(pool.strategy.as_str())),
            ("peers", Json::List(peers.collect())),
        ])
    });
    let (peer, refusal) = match &explanation.decision {
        Ok(peer) => (Json::text(peer), Json::Null),
        Err(why) => (Json::Null, Json::text(why.to_string())),
    };
    Json::Object(vec![
        ("alias", Json::text(&explanation.alias)),
        ("zone", Json::text(&explanation.zone)),
        ("rule", optional(explanation.rule.as_ref())),
        ("conference", optional(explanation.conference.as_ref())),
        ("pools", Json::List(pools.collect())),
        ("peer", peer),
        ("refusal", refusal),
    ])
}
