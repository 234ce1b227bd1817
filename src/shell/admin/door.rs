//! One door: accepts connections, serves HTTP/1.1 on each, and lets nobody stay for ever.

use super::routes::Desk;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{debug, warn};

/// How long a request may take to arrive, and a connection may be idle between two.
const REQUEST_PATIENCE: Duration = Duration::from_secs(20);
/// How long a connection may last, whatever it does.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(300);
/// How long accepting rests after it failed, as when the process has no descriptors left.
const REST: Duration = Duration::from_millis(200);
const HEADERS_MAX: usize = 64;
const REQUEST_OCTETS_MAX: usize = 16 * 1024;

/// What whoever comes through a door may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Read figures and health.
    Read,
    /// Everything; which user of this machine it is.
    Command(u32),
}

/// One door.
pub(super) struct Door {
    desk: Arc<Desk>,
    room: Arc<Semaphore>,
}

impl Door {
    pub(super) fn new(desk: Arc<Desk>, connections: usize) -> Self {
        Self {
            desk,
            room: Arc::new(Semaphore::new(connections)),
        }
    }

    pub(super) async fn serve_tcp(self, listener: TcpListener) {
        let mut visits = JoinSet::new();
        loop {
            let accepted = listener.accept().await;
            let accepted = accepted.map(|(stream, _)| (stream, Access::Read));
            self.receive(&mut visits, accepted).await;
        }
    }

    pub(super) async fn serve_local(self, listener: UnixListener) {
        let mut visits = JoinSet::new();
        loop {
            let accepted = listener.accept().await.and_then(|(stream, _)| {
                let user = stream.peer_cred()?.uid();
                Ok((stream, Access::Command(user)))
            });
            self.receive(&mut visits, accepted).await;
        }
    }

    /// Takes a connection in, if there is room; the tasks end with the door.
    async fn receive<S>(&self, visits: &mut JoinSet<()>, accepted: io::Result<(S, Access)>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        while visits.try_join_next().is_some() {}
        let (stream, access) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept a connection of an operator");
                tokio::time::sleep(REST).await;
                return;
            }
        };
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            debug!("a connection of an operator is closed: there are too many");
            return;
        };
        let visit = visit(stream, Arc::clone(&self.desk), access);
        visits.spawn(async move {
            // Whoever is still here then has to come again.
            drop(tokio::time::timeout(CONNECTION_PATIENCE, visit).await);
            drop(place);
        });
    }
}

/// Serves one connection to its end.
async fn visit<S>(stream: S, desk: Arc<Desk>, access: Access)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let desk = Arc::clone(&desk);
        async move { Ok::<Response<_>, Infallible>(desk.answer(access, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_PATIENCE)
        .max_headers(HEADERS_MAX)
        .max_buf_size(REQUEST_OCTETS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        debug!(%error, "a connection of an operator failed");
    }
}
