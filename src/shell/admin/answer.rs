//! An answer before it is HTTP: to people as text, to programs as JSON, and errors that say what to
//! do next.

use crate::observe::json::Json;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

/// How well the node is, for a caller that reads no bodies: `good`, `degraded` or `critical`.
const CONDITION: HeaderName = HeaderName::from_static("baton-condition");

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    /// The methods of the path, where another one was used.
    pub(super) allow: Option<&'static str>,
    /// How well the node is, where that was asked.
    pub(super) condition: Option<&'static str>,
}

/// Who asks: a person or a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    Person,
    Program,
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    BadRequest,
    Conflict,
    Failed,
    Forbidden,
    MethodNotAllowed,
    NoSuchCall,
    NoSuchPath,
    NoSuchPeer,
}

impl Reader {
    /// Of whoever sends this `Accept`.
    pub(super) fn of(accept: &str) -> Self {
        if accept.contains("application/json") {
            Self::Program
        } else {
            Self::Person
        }
    }
}

impl Kind {
    fn status_and_word(self) -> (StatusCode, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict"),
            Self::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::NoSuchCall => (StatusCode::NOT_FOUND, "no_such_call"),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "no_such_path"),
            Self::NoSuchPeer => (StatusCode::NOT_FOUND, "no_such_peer"),
        }
    }
}

impl Answer {
    pub(super) fn text(status: StatusCode, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: body.into(),
            allow: None,
            condition: None,
        }
    }

    pub(super) fn json(status: StatusCode, value: &Json) -> Self {
        Self {
            content_type: "application/json",
            ..Self::text(status, format!("{value}\n"))
        }
    }

    /// The same thing said to a person or to a program.
    pub(super) fn of(
        reader: Reader,
        text: impl FnOnce() -> String,
        json: impl FnOnce() -> Json,
    ) -> Self {
        match reader {
            Reader::Person => Self::text(StatusCode::OK, text()),
            Reader::Program => Self::json(StatusCode::OK, &json()),
        }
    }

    /// An error: a whole sentence with the next step.
    pub(super) fn error(reader: Reader, kind: Kind, message: impl Into<String>) -> Self {
        let (status, word) = kind.status_and_word();
        let message = message.into();
        match reader {
            Reader::Person => Self::text(status, message + "\n"),
            Reader::Program => {
                let members = vec![
                    ("error", Json::text(word)),
                    ("message", Json::Text(message)),
                    ("field", Json::Null),
                ];
                Self::json(status, &Json::Object(members))
            }
        }
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(condition) = self.condition {
            headers.insert(CONDITION, HeaderValue::from_static(condition));
        }
        response
    }
}
