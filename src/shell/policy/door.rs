//! One listener: takes connections in, speaks TLS where it is to be spoken, and HTTP/1 or HTTP/2.

use super::Shared;
use super::answer;
use super::figures::Refusal;
use super::framing::{Cut, Framed};
use super::patient::Patient;
use super::work::Work;
use crate::config::PolicyScheme;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::ready;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

/// How long a handshake may take (RELIABILITY.md R13), of TLS and then of HTTP/2.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(5);
/// What a client of HTTP/2 says first (RFC 9113 §3.4): the preface and the head of a SETTINGS frame.
const PREFACE_OCTETS: usize = 24 + 9;
/// How long accepting rests after it failed, as when the process has no descriptors left.
const REST: Duration = Duration::from_millis(200);
/// Requests of one HTTP/2 connection at one time.
const STREAMS_MAX: u32 = 64;
const HEAD_OCTETS_MAX: u32 = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// Octets of a request's head.
const HEAD_MAX: usize = 16 * 1024;

/// A listener.
pub(super) struct Door {
    shared: Arc<Shared>,
    scheme: PolicyScheme,
}

impl Door {
    pub(super) fn new(shared: Arc<Shared>, scheme: PolicyScheme) -> Self {
        Self { shared, scheme }
    }

    pub(super) async fn serve(self, listener: TcpListener) {
        let door = Arc::new(self);
        let mut visits = JoinSet::new();
        loop {
            while visits.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, from)) => {
                    let site = door.shared.site();
                    let ticket = door.shared.crowd.enter(
                        from.ip(),
                        site.connections,
                        site.connections_per_source,
                    );
                    let Some(ticket) = ticket else {
                        door.shared.figures.refused_connection();
                        continue;
                    };
                    let idle = site.idle;
                    door.shared.figures.accepted();
                    let door = Arc::clone(&door);
                    visits.spawn(async move {
                        door.visit(stream, from.ip(), idle).await;
                        drop(ticket);
                    });
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection for the policy service");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    async fn visit(&self, stream: TcpStream, from: IpAddr, idle: Duration) {
        // Answers are small and wanted at once.
        drop(stream.set_nodelay(true));
        match &self.scheme {
            PolicyScheme::Http => self.speak_http1(Patient::new(stream), from, idle).await,
            PolicyScheme::Redirect(origin) => {
                self.redirect(Patient::new(stream), origin, idle).await;
            }
            PolicyScheme::Https => {
                let Some(stream) = self.shake_hands(stream).await else {
                    self.shared.figures.failed_handshake();
                    return;
                };
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    let stream = Patient::owing(stream, PREFACE_OCTETS, HANDSHAKE_PATIENCE);
                    self.speak_http2(stream, from, idle).await;
                } else {
                    self.speak_http1(Patient::new(stream), from, idle).await;
                }
            }
        }
    }

    async fn shake_hands(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let Some(config) = self.shared.tls.http() else {
            debug!("no certificate for the policy service");
            return None;
        };
        let (under_way, is_full) = self.shared.handshakes.begin();
        if is_full {
            self.shared.figures.gave_way();
        }
        let handshake = TlsAcceptor::from(config).accept(stream);
        tokio::select! {
            shaken = tokio::time::timeout(HANDSHAKE_PATIENCE, handshake) => shaken.ok()?.ok(),
            () = under_way.gives_way() => None,
        }
    }

    async fn speak_http1<S>(&self, stream: S, from: IpAddr, idle: Duration)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let shared = Arc::clone(&self.shared);
        let service = service_fn(move |request: Request<Incoming>| {
            let shared = Arc::clone(&shared);
            async move {
                let answer = answer::answer(&shared, from, request).await;
                Ok::<Response<_>, Infallible>(answer)
            }
        });
        let io = TokioIo::new(self.framed(stream));
        if let Err(error) = http1(idle).serve_connection(io, service).await {
            debug!(%error, %from, "a connection of the policy service failed");
        }
    }

    async fn speak_http2<S>(&self, stream: S, from: IpAddr, idle: Duration)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let shared = Arc::clone(&self.shared);
        let work = Arc::new(Work::new());
        let under_way = Arc::clone(&work);
        let service = service_fn(move |request: Request<Incoming>| {
            let shared = Arc::clone(&shared);
            let begun = Work::begin(&under_way);
            async move {
                let answer = answer::answer(&shared, from, request).await;
                drop(begun);
                Ok::<Response<_>, Infallible>(answer)
            }
        });
        let served = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEAD_OCTETS_MAX)
            .keep_alive_interval(Some(idle))
            .serve_connection(TokioIo::new(stream), service);
        let mut served = pin!(served);
        let outcome = tokio::select! {
            outcome = &mut served => outcome,
            () = work.rests(idle) => {
                // Pings are answered by many who want nothing: they are told that it is over, and
                // it is.
                served.as_mut().graceful_shutdown();
                match tokio::time::timeout(HANDSHAKE_PATIENCE, served).await {
                    Ok(outcome) => outcome,
                    Err(_) => return,
                }
            }
        };
        if let Err(error) = outcome {
            debug!(%error, %from, "a connection of the policy service failed");
        }
    }

    fn framed<S>(&self, stream: S) -> Framed<S, impl FnMut(Cut)> {
        let shared = Arc::clone(&self.shared);
        Framed::new(stream, move |cut| {
            shared.figures.refused(match cut {
                Cut::Ambiguous => Refusal::BadRequest,
                Cut::TooSlow => Refusal::TooSlow,
            });
        })
    }

    /// Sends everybody to the other listener, path and body and all (RFC 9110 §15.4.9).
    async fn redirect(&self, stream: Patient<TcpStream>, origin: &str, idle: Duration) {
        let service = service_fn(|request: Request<Incoming>| {
            let answer = answer::redirect(origin, request.uri().path());
            ready(Ok::<Response<_>, Infallible>(answer))
        });
        let served = http1(idle).serve_connection(TokioIo::new(self.framed(stream)), service);
        if let Err(error) = served.await {
            debug!(%error, "a connection that was to be redirected failed");
        }
    }
}

fn http1(idle: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_MAX);
    builder
}
