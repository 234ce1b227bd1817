//! The bridges that calls are promised to: they take them, and note which came.

use crate::agent::{Behaviour, PeerSettings};
use crate::drive::{PeerReport, PeerThread, Socket};
use signaling::Transport;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where calls arrived: the number of a call, the bridge, and the URI that was called there.
#[derive(Clone, Debug, Default)]
pub(super) struct Landings(Arc<Mutex<HashMap<u64, (usize, String)>>>);

impl Landings {
    /// A call has arrived at this bridge; where it came last counts.
    fn note(&self, number: u64, bridge: usize, uri: &[u8]) {
        let uri = String::from_utf8_lossy(uri).into_owned();
        let mut landings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        landings.insert(number, (bridge, uri));
    }

    /// Where this call arrived.
    pub(super) fn of(&self, number: u64) -> Option<(usize, String)> {
        let landings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        landings.get(&number).cloned()
    }
}

/// Bridges on threads of their own. Calls to aliases that begin with a bridge's prefix are to arrive there.
#[derive(Debug, Default)]
pub struct Bridges {
    bridges: Vec<Bridge>,
    pub(super) landings: Landings,
}

#[derive(Debug)]
struct Bridge {
    prefix: String,
    thread: PeerThread,
}

impl Bridges {
    /// Starts one more, which answers after `answer`; gives its address.
    pub fn start(
        &mut self,
        prefix: &str,
        (transport, local): (Transport, SocketAddr),
        answer: Duration,
        run: u64,
    ) -> io::Result<SocketAddr> {
        let socket = Socket::listen(transport, local)?;
        let at = socket.local_addr()?;
        let landings = self.landings.clone();
        let place = self.bridges.len();
        let seed = u64::try_from(place).unwrap_or(0);
        let settings = PeerSettings {
            transport,
            run,
            chooser: Box::new(move |asked| {
                landings.note(asked.number, place, asked.uri);
                Behaviour::answer(answer)
            }),
            ..PeerSettings::answering(at, seed, answer)
        };
        self.bridges.push(Bridge {
            prefix: prefix.to_owned(),
            thread: PeerThread::start(&format!("bridge {prefix}"), socket, settings, None)?,
        });
        Ok(at)
    }

    /// Which bridge an alias was promised to.
    pub(super) fn promised(&self, alias: &str) -> Option<usize> {
        self.bridges
            .iter()
            .position(|bridge| alias.starts_with(&bridge.prefix))
    }

    pub(super) fn threads(&self) -> impl Iterator<Item = &PeerThread> {
        self.bridges.iter().map(|bridge| &bridge.thread)
    }

    /// Stops them all and gives what they leave behind, by prefix.
    pub(super) fn stop(self) -> io::Result<Vec<(String, PeerReport)>> {
        let reports = self.bridges.into_iter().map(|bridge| {
            let report = bridge.thread.stop()?;
            Ok((bridge.prefix, report))
        });
        reports.collect()
    }
}
