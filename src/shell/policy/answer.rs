//! One request and its answer, in the order of POLICY.md section 2.1: path, method, credentials, length,
//! state, parameters, decision.

use super::Shared;
use super::figures::Refusal;
use super::guard::Credence;
use super::json;
use super::site::{Place, Site};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, EXPECT, HeaderValue, LOCATION,
    WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use policy::BadRequest;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tracing::debug;

pub(super) type Answer = Response<Full<Bytes>>;

/// Octets of a body.
const BODY_MAX: usize = 65_536;
/// How long a body may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(5);
/// What is still read of a body that is too large, so that its sender hears why it is refused.
const DISCARD_MAX: usize = 1024 * 1024;
const DISCARD_PATIENCE: Duration = Duration::from_secs(1);
/// Within this a request is decided, or another member is to be asked.
const DEADLINE: Duration = Duration::from_secs(2);
const JSON: &str = "application/json";
const XML: &str = "application/xml; charset=utf-8";
/// An answer as it mostly is.
const CPL_OCTETS: usize = 512;

/// Answers one request.
pub(super) async fn answer(shared: &Shared, from: IpAddr, request: Request<Incoming>) -> Answer {
    let site = shared.site();
    match answered(shared, &site, from, request).await {
        Ok(answer) => answer,
        Err(refused) => {
            let (refusal, answer) = *refused;
            shared.figures.refused(refusal);
            answer
        }
    }
}

/// 308: the same request, with its body, to the same path there.
pub(super) fn redirect(origin: &str, path: &str) -> Answer {
    let mut answer = text(StatusCode::PERMANENT_REDIRECT, "");
    match HeaderValue::from_str(&format!("{origin}{path}")) {
        Ok(place) => drop(answer.headers_mut().insert(LOCATION, place)),
        Err(_) => *answer.status_mut() = StatusCode::BAD_REQUEST,
    }
    answer
}

/// Boxed: a response is large, and mostly there is none of these.
type Refused = Box<(Refusal, Answer)>;

async fn answered(
    shared: &Shared,
    site: &Site,
    from: IpAddr,
    request: Request<Incoming>,
) -> Result<Answer, Refused> {
    let place = site.place(request.uri().path());
    let allowed = match place {
        Place::Decision | Place::DecisionInJson => "POST",
        Place::Nowhere => {
            let answer = text(StatusCode::NOT_FOUND, "nothing is here\n");
            return Err(Box::new((Refusal::NotFound, answer)));
        }
        Place::Status => "GET, HEAD",
    };
    let is_right = match *request.method() {
        Method::POST => place != Place::Status,
        Method::GET | Method::HEAD => place == Place::Status,
        _ => false,
    };
    if !is_right {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "");
        answer
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static(allowed));
        return Err(Box::new((Refusal::MethodNotAllowed, answer)));
    }
    let authorization = request.headers().get(AUTHORIZATION).cloned();
    let authorization = authorization.as_ref().map(HeaderValue::as_bytes);
    let begun = Instant::now();
    let judged = tokio::time::timeout(DEADLINE, site.guard.judge(from, authorization)).await;
    let left = DEADLINE.saturating_sub(begun.elapsed());
    let Ok(credence @ (Credence::Good | Credence::Wrong)) = judged else {
        return Err(unavailable("too busy to look at credentials"));
    };
    let is_waited_for = request.headers().contains_key(EXPECT);
    let body = request.into_body();
    let is_small = body
        .size_hint()
        .exact()
        .is_none_or(|octets| octets <= BODY_MAX as u64);
    if credence == Credence::Wrong {
        if is_small {
            // So that a client that is only challenged can go on with the same connection.
            drop(read(body).await);
        }
        debug!(%from, "wrong or no credentials for the policy service");
        return Err(Box::new((Refusal::Unauthorized, challenge())));
    }
    if place == Place::Status {
        return status(shared, site);
    }
    let body = match if is_small {
        read(body).await
    } else if is_waited_for {
        // It was not told to go on, so that nothing comes.
        Err(Refusal::TooLarge)
    } else {
        discard(body).await
    } {
        Ok(body) => body,
        Err(refusal) => return Err(Box::new((refusal, cut_off(refusal)))),
    };
    // How long the body took is its sender's affair.
    if tokio::time::timeout(left, shared.thaw()).await.is_err() {
        return Err(unavailable("not decided in time"));
    }
    decide(shared, place, &body)
}

fn status(shared: &Shared, site: &Site) -> Result<Answer, Refused> {
    shared.figures.polled();
    let state = shared.state(site);
    if state.is_active() {
        Ok(text(StatusCode::OK, format!("{}\n", state.words())))
    } else {
        Err(unavailable(state.words()))
    }
}

fn decide(shared: &Shared, place: Place, body: &[u8]) -> Result<Answer, Refused> {
    let snapshot = shared.balancer.snapshot();
    let sites = shared.sites.load();
    let site = sites.of(snapshot.configuration());
    let state = shared.state(site);
    if !state.decides() {
        return Err(unavailable(state.words()));
    }
    let begun = Instant::now();
    let bad = |error: BadRequest| {
        let answer = text(StatusCode::BAD_REQUEST, format!("{error}\n"));
        Box::new((Refusal::BadRequest, answer))
    };
    let (request, explain) = if place == Place::DecisionInJson {
        policy::Request::read_json(body).map_err(bad)?
    } else {
        (site.service.read(body).map_err(bad)?, false)
    };
    let mut out = Vec::with_capacity(CPL_OCTETS);
    let (decided, kind) = if place == Place::DecisionInJson {
        let asked = (&site.service, begun, explain);
        (json::decide(asked, &snapshot, &request, &mut out), JSON)
    } else {
        let mut tell = |answer: &policy::Answer<'_>| policy::cpl::write(answer, &mut out);
        let decided = site
            .service
            .decide_on(begun, &snapshot, &request, &mut tell);
        (decided, XML)
    };
    let took = begun.elapsed();
    shared.figures.decided(decided.outcome, took);
    if decided.gave_up.is_some() {
        shared.figures.gave_up();
    }
    let record = &shared.record;
    record.write(&snapshot, &request, &decided, took);
    let mut answer = Response::new(Full::new(Bytes::from(out)));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// The whole body.
async fn read(mut body: Incoming) -> Result<Vec<u8>, Refusal> {
    let mut octets = Vec::new();
    let reading = async {
        while let Some(frame) = body.frame().await {
            // A body that is no body any more: its framing is broken.
            let frame = frame.map_err(|_| Refusal::BadRequest)?;
            if let Some(data) = frame.data_ref() {
                if octets.len() + data.len() > BODY_MAX {
                    return Err(Refusal::TooLarge);
                }
                octets.extend_from_slice(data);
            }
        }
        Ok(())
    };
    let outcome = tokio::time::timeout(BODY_PATIENCE, reading).await;
    match outcome {
        Ok(Ok(())) => Ok(octets),
        Ok(Err(Refusal::TooLarge)) => discard(body).await,
        Ok(Err(refusal)) => Err(refusal),
        Err(_) => Err(Refusal::TooSlow),
    }
}

/// Reads on for a while without keeping anything.
async fn discard(mut body: Incoming) -> Result<Vec<u8>, Refusal> {
    let mut octets = 0;
    let reading = async {
        while octets <= DISCARD_MAX {
            match body.frame().await {
                Some(Ok(frame)) => octets += frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) | None => break,
            }
        }
    };
    drop(tokio::time::timeout(DISCARD_PATIENCE, reading).await);
    Err(Refusal::TooLarge)
}

/// A body that is not what it should be ends its connection.
fn cut_off(refusal: Refusal) -> Answer {
    let (status, words) = match refusal {
        Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "at most 65,536 octets\n"),
        Refusal::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body came too slowly\n"),
        Refusal::BadRequest
        | Refusal::MethodNotAllowed
        | Refusal::NotFound
        | Refusal::Unauthorized
        | Refusal::Unavailable => (StatusCode::BAD_REQUEST, "the body cannot be read\n"),
    };
    let mut answer = text(status, words);
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn challenge() -> Answer {
    let mut answer = text(StatusCode::UNAUTHORIZED, "");
    let basic = HeaderValue::from_static("Basic realm=\"Baton policy\", charset=\"UTF-8\"");
    answer.headers_mut().insert(WWW_AUTHENTICATE, basic);
    answer
}

/// Another member is to be asked.
fn unavailable(why: &str) -> Refused {
    let answer = text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"));
    Box::new((Refusal::Unavailable, answer))
}

fn text(status: StatusCode, words: impl Into<Bytes>) -> Answer {
    let words = words.into();
    let is_empty = words.is_empty();
    let mut answer = Response::new(Full::new(words));
    *answer.status_mut() = status;
    if !is_empty {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        answer.headers_mut().insert(CONTENT_TYPE, plain);
    }
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
