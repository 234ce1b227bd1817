//! The doors for operators: figures and health over HTTP on a loopback address, commands over a
//! local socket. Both live on the runtime of the main thread and never in a worker.
//!
//! Whoever reaches the address may read figures and health, and nothing else: nobody is asked who he
//! is there. Who may open the socket's file may do everything.

mod answer;
mod calls;
mod door;
mod figures;
mod health;
mod maintenance;
mod members;
mod peer_figures;
mod peers;
mod process;
mod query;
mod reloads;
mod reported;
mod routes;
mod socket_file;
mod status;
mod traffic;
mod watch;

use crate::config::Admin;
use anyhow::Context;
use door::Door;
use health::Pulse;
pub(super) use peers::explained;
pub(super) use process::this_thread;
pub(super) use reloads::Reloads;
pub use reloads::Source;
pub(super) use routes::Desk;
use socket_file::SocketFile;
use std::fmt::Display;
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tracing::{info, warn};

/// The doors, open but not served yet: what cannot be had is known before the node starts.
pub(super) struct Doors {
    connections: usize,
    listener: Option<TcpListener>,
    socket: Option<(UnixListener, SocketFile)>,
}

/// The doors while they are served; they close when this goes.
pub(super) struct Served {
    _tasks: JoinSet<()>,
    _file: Option<SocketFile>,
}

impl Doors {
    /// Opens them, within the runtime that will serve them.
    pub(super) fn open(admin: &Admin) -> anyhow::Result<Self> {
        let listener = match &admin.listen {
            None => None,
            Some(wanted) => {
                let bound = std::net::TcpListener::bind(wanted.place).and_then(|listener| {
                    listener.set_nonblocking(true)?;
                    TcpListener::from_std(listener)
                });
                let bound = bound.with_context(|| {
                    format!("cannot listen on {} for [admin] listen", wanted.place)
                });
                unless_written(bound, wanted.is_written)?
            }
        };
        if let Some(address) = listener.as_ref().and_then(|l| l.local_addr().ok()) {
            info!("figures and health on http://{address}");
        }
        let socket = match &admin.socket {
            None => None,
            Some(wanted) => {
                let bound = socket_file::bind(&wanted.place).with_context(|| {
                    let path = wanted.place.display();
                    format!("cannot make {path} for [admin] socket")
                });
                unless_written(bound, wanted.is_written)?
            }
        };
        Ok(Self {
            connections: admin.connections,
            listener,
            socket,
        })
    }

    /// Serves them from now on.
    pub(super) fn serve(self, desk: &Arc<Desk>) -> Served {
        let mut tasks = JoinSet::new();
        tasks.spawn(Pulse::keep(Arc::clone(desk)));
        if let Some(listener) = self.listener {
            let door = Door::new(Arc::clone(desk), self.connections);
            tasks.spawn(door.serve_tcp(listener));
        }
        let mut file = None;
        if let Some((listener, socket)) = self.socket {
            let door = Door::new(Arc::clone(desk), self.connections);
            tasks.spawn(door.serve_local(listener));
            file = Some(socket);
        }
        Served {
            _tasks: tasks,
            _file: file,
        }
    }
}

/// What the file does not name is done without when it cannot be had.
fn unless_written<T, E: Display>(bound: Result<T, E>, is_written: bool) -> Result<Option<T>, E> {
    match bound {
        Ok(bound) => Ok(Some(bound)),
        Err(error) if is_written => Err(error),
        Err(error) => {
            warn!("{error:#}; the node runs without it");
            Ok(None)
        }
    }
}
