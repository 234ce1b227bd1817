//! What is answered to which request: paths and methods, and who may use them.

use super::answer::{Answer, Kind, Reader};
use super::door::Access;
use super::figures;
use super::health::Pulse;
use super::query::{Query, decoded};
use super::reloads::Reloads;
use crate::observe::exposition::Format;
use crate::observe::json::Json;
use crate::shell::policy::Override;
use crate::shell::view::{Unready, View};
use balancer::Operator;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::ACCEPT;
use hyper::{Method, Request, Response, StatusCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where commands are.
const API: &str = "/api/v1/";
/// How long one request may wait for an end: less than a connection may last.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// Who answers operators.
pub(in crate::shell) struct Desk {
    pub(super) view: View,
    pub(super) pulse: Pulse,
    pub(super) reloads: Reloads,
}

impl Desk {
    pub(in crate::shell) fn new(view: View, reloads: Reloads) -> Self {
        let pulse = Pulse::new(view.figures.len(), Instant::now());
        Self {
            view,
            pulse,
            reloads,
        }
    }

    /// The answer to a request. Its body, if it has one, is not read.
    pub(super) async fn answer(
        self: &Arc<Self>,
        access: Access,
        request: Request<Incoming>,
    ) -> Response<Full<Bytes>> {
        let accept = request.headers().get(ACCEPT);
        let accept = accept.and_then(|accept| accept.to_str().ok());
        let accept = accept.unwrap_or_default();
        let reader = Reader::of(accept);
        let (method, path) = (request.method(), request.uri().path());
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        let answer = match (path, path.strip_prefix(API), access) {
            ("/livez" | "/metrics" | "/readyz", ..) if !is_read => not_with(reader, "GET, HEAD"),
            ("/livez", ..) => self.livez(reader),
            ("/metrics", ..) => self.metrics(accept),
            ("/readyz", ..) => self.readyz(reader),
            (_, Some(_), Access::Read) => Answer::error(
                reader,
                Kind::Forbidden,
                "nobody is asked who he is here; commands come through the local socket",
            ),
            (_, Some(command), Access::Command(who)) => {
                let query = Query::parse(request.uri().query());
                self.command(reader, (method, command), &query, who).await
            }
            (_, None, _) => no_such_path(reader),
        };
        answer.into_response()
    }

    async fn command(
        self: &Arc<Self>,
        reader: Reader,
        (method, path): (&Method, &str),
        query: &Query,
        who: u32,
    ) -> Answer {
        let wait = Duration::from_secs(query.number("wait", 0).into()).min(WAIT_MAX);
        let parts: Vec<String> = path.split('/').map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (get, post) = (*method == Method::GET, *method == Method::POST);
        match parts.as_slice() {
            ["status"] if get => self.status(reader, query.one("format") == Some("nagios")),
            ["peers"] if get => self.peers(reader, None),
            ["peers", name] if get => self.peers(reader, Some(name)),
            ["members"] if get => self.members(reader),
            ["calls"] if get => self.calls(reader, query).await,
            ["calls", call_id] if *method == Method::DELETE => {
                self.hang_up(reader, call_id, who).await
            }
            ["calls", _] => not_with(reader, "DELETE"),
            ["explain"] if get => self.explain(reader, query),
            ["calls" | "explain" | "members" | "peers" | "status"] | ["peers", _] => {
                not_with(reader, "GET")
            }
            ["peers", name, "report"] if post => self.report(reader, name, query),
            ["peers", _, "report"] => not_with(reader, "POST"),
            ["peers", name, word] => match Operator::of_word(word) {
                None => no_such_path(reader),
                Some(_) if !post => not_with(reader, "POST"),
                Some(wanted) => {
                    let persist = query.one("persist") == Some("yes");
                    let wish = (*name, wanted);
                    self.operate(reader, wish, (wait, who), persist).await
                }
            },
            ["config", "reload"] if post => self.reload(reader, who).await,
            ["node", "maintenance"] if post => self.set_maintenance(reader, wait, who).await,
            ["node", "maintenance"] if *method == Method::DELETE => {
                self.end_maintenance(reader, who)
            }
            ["node", "shutdown"] if post => self.shut_down(reader, who),
            ["policy", "state", word] => match Override::of(word) {
                None => no_such_path(reader),
                Some(_) if !post => not_with(reader, "POST"),
                Some(said) => self.set_policy_state(reader, said, who),
            },
            ["config", "reload"] | ["node", "shutdown"] => not_with(reader, "POST"),
            ["node", "maintenance"] => not_with(reader, "DELETE, POST"),
            _ => no_such_path(reader),
        }
    }

    fn livez(&self, reader: Reader) -> Answer {
        let hanging = self.pulse.hanging(&self.view, Instant::now());
        let reasons = hanging
            .iter()
            .map(|worker| format!("worker_{worker}_hangs"));
        health(reader, "live", reasons.collect())
    }

    fn readyz(&self, reader: Reader) -> Answer {
        let reasons = self.view.unready();
        let reasons = reasons
            .into_iter()
            .map(|reason| Unready::as_str(reason).to_owned());
        health(reader, "ready", reasons.collect())
    }

    fn metrics(&self, accept: &str) -> Answer {
        let format = Format::wanted(accept);
        Answer {
            content_type: format.content_type(),
            ..Answer::text(StatusCode::OK, figures::page(self, format))
        }
    }
}

fn no_such_path(reader: Reader) -> Answer {
    let message = "nothing is here; there are /livez, /metrics and /readyz";
    Answer::error(reader, Kind::NoSuchPath, message)
}

fn not_with(reader: Reader, allow: &'static str) -> Answer {
    Answer {
        allow: Some(allow),
        ..Answer::error(reader, Kind::MethodNotAllowed, format!("use {allow}"))
    }
}

/// The word alone when there is no reason against it, else the reasons, one a line or as JSON.
fn health(reader: Reader, word: &'static str, reasons: Vec<String>) -> Answer {
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    match reader {
        Reader::Person if reasons.is_empty() => Answer::text(status, format!("{word}\n")),
        Reader::Person => Answer::text(status, reasons.join("\n") + "\n"),
        Reader::Program => {
            let is = reasons.is_empty().into();
            let reasons = reasons.into_iter().map(Json::Text).collect();
            let members = vec![(word, is), ("reasons", Json::List(reasons))];
            Answer::json(status, &Json::Object(members))
        }
    }
}
