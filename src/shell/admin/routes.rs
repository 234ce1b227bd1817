//! What is answered to which request.

use super::door::Access;
use super::figures;
use super::health::Pulse;
use crate::observe::exposition::Format;
use crate::shell::view::{Unready, View};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use std::time::Instant;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Who answers operators.
pub(super) struct Desk {
    pub(super) view: View,
    pub(super) pulse: Pulse,
}

/// An answer before it is HTTP.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    /// The methods of the path, where another one was used.
    pub(super) allow: Option<&'static str>,
}

impl Answer {
    pub(super) fn text(status: StatusCode, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: TEXT,
            body: body.into(),
            allow: None,
        }
    }

    fn json(status: StatusCode, body: String) -> Self {
        Self {
            content_type: JSON,
            ..Self::text(status, body)
        }
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

impl Desk {
    pub(super) fn new(view: View) -> Self {
        let pulse = Pulse::new(view.figures.len(), Instant::now());
        Self { view, pulse }
    }

    /// The answer to a request. Its body, if it has one, is not read.
    #[expect(clippy::unused_async, reason = "commands wait for workers")]
    pub(super) async fn answer(
        &self,
        _access: Access,
        request: Request<Incoming>,
    ) -> Response<Full<Bytes>> {
        let accept = request.headers().get(ACCEPT);
        let accept = accept
            .and_then(|accept| accept.to_str().ok())
            .unwrap_or_default();
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let answer = match request.uri().path() {
            "/livez" | "/metrics" | "/readyz" if !is_read => Answer {
                allow: Some("GET, HEAD"),
                ..Answer::text(StatusCode::METHOD_NOT_ALLOWED, "read it with GET\n")
            },
            "/livez" => self.livez(accept),
            "/metrics" => self.metrics(accept),
            "/readyz" => self.readyz(accept),
            _ => Answer::text(
                StatusCode::NOT_FOUND,
                "nothing is here; there are /livez, /metrics and /readyz\n",
            ),
        };
        answer.into_response()
    }

    fn livez(&self, accept: &str) -> Answer {
        let hanging = self.pulse.hanging(&self.view, Instant::now());
        let reasons = hanging
            .iter()
            .map(|worker| format!("worker_{worker}_hangs"));
        health(accept, "live", &reasons.collect::<Vec<_>>())
    }

    fn readyz(&self, accept: &str) -> Answer {
        let reasons = self.view.unready();
        let reasons: Vec<_> = reasons.into_iter().map(Unready::as_str).collect();
        health(accept, "ready", &reasons)
    }

    fn metrics(&self, accept: &str) -> Answer {
        let format = Format::wanted(accept);
        Answer {
            content_type: format.content_type(),
            ..Answer::text(StatusCode::OK, figures::page(&self.view, format))
        }
    }
}

/// The word alone when there is no reason against it, else the reasons, one a line or as JSON.
fn health<S: AsRef<str>>(accept: &str, word: &str, reasons: &[S]) -> Answer {
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let reasons: Vec<&str> = reasons.iter().map(AsRef::as_ref).collect();
    if accept.contains(JSON) {
        // The reasons are words of our own and need no escaping.
        let quoted: Vec<String> = reasons.iter().map(|r| format!("\"{r}\"")).collect();
        let is = reasons.is_empty();
        let list = quoted.join(",");
        return Answer::json(
            status,
            format!("{{\"{word}\":{is},\"reasons\":[{list}]}}\n"),
        );
    }
    let lines = if reasons.is_empty() {
        vec![word]
    } else {
        reasons
    };
    Answer::text(status, lines.join("\n") + "\n")
}
