//! The bridges that take calls, each on a thread of its own, and a note of which call arrived where.

use crate::agent::{Behaviour, PeerSettings};
use crate::drive::{Fate, Gauge, PeerReport, PeerThread, Socket, new_run};
use anyhow::Context;
use signaling::Transport;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One bridge, before it is started.
#[derive(Clone, Debug)]
pub struct Bridge {
    /// Where; port 0 lets the system choose.
    pub at: SocketAddr,
    /// What its aliases begin with, where calls are promised to it.
    pub prefix: Option<String>,
    /// What it does with calls.
    pub does: Does,
    /// How long it rings before that.
    pub answer: Duration,
    /// What befalls it.
    pub fate: Fate,
}

/// What a bridge does with every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It answers.
    Answer,
    /// It refuses with this status.
    Refuse(u16),
    /// It rings until it is cancelled.
    Ring,
    /// It answers OPTIONS, and nothing else.
    Silence,
}

impl Bridge {
    /// One that answers at once and lives long.
    #[must_use]
    pub fn new(at: SocketAddr, prefix: Option<String>) -> Self {
        Self {
            at,
            prefix,
            does: Does::Answer,
            answer: Duration::ZERO,
            fate: Fate::default(),
        }
    }

    fn behaviour(&self) -> Behaviour {
        match self.does {
            Does::Answer => Behaviour::answer(self.answer),
            Does::Refuse(status) => Behaviour {
                after: self.answer,
                ..Behaviour::refuse(status)
            },
            Does::Ring => Behaviour::ring_on(),
            Does::Silence => Behaviour::silence(),
        }
    }
}

/// Where calls arrived: the number of a call, the bridge, and the URI that was called there.
#[derive(Clone, Debug, Default)]
struct Landings(Arc<Mutex<HashMap<u64, (usize, String)>>>);

/// Bridges at work.
#[derive(Debug, Default)]
pub struct Bridges {
    bridges: Vec<Running>,
    landings: Landings,
}

#[derive(Debug)]
struct Running {
    at: SocketAddr,
    prefix: Option<String>,
    thread: PeerThread,
}

/// What one bridge leaves behind.
#[derive(Debug)]
pub struct BridgeReport {
    /// Where it was.
    pub at: SocketAddr,
    /// What its aliases begin with.
    pub prefix: Option<String>,
    /// What it counted.
    pub report: PeerReport,
}

impl BridgeReport {
    /// What it is called in reports.
    #[must_use]
    pub fn name(&self) -> String {
        name(self.prefix.as_deref(), self.at)
    }
}

fn name(prefix: Option<&str>, at: SocketAddr) -> String {
    prefix.map_or_else(|| at.to_string(), str::to_owned)
}

impl Bridges {
    /// Starts one more; gives its address.
    pub fn start(&mut self, transport: Transport, bridge: &Bridge) -> anyhow::Result<SocketAddr> {
        let socket = Socket::listen(transport, bridge.at);
        let socket = socket.with_context(|| format!("cannot take calls on {}", bridge.at))?;
        let at = socket.local_addr()?;
        let behaviour = bridge.behaviour();
        let place = self.bridges.len();
        // Without a prefix nothing is promised, and a long run would only fill the memory.
        let landings = bridge.prefix.is_some().then(|| self.landings.clone());
        let settings = PeerSettings {
            transport,
            run: new_run(),
            chooser: Box::new(move |asked| {
                if let Some(landings) = &landings {
                    landings.note(asked.number, place, asked.uri);
                }
                behaviour
            }),
            ..PeerSettings::answering(at, u64::try_from(place)?, bridge.answer)
        };
        let name = format!("bridge {}", name(bridge.prefix.as_deref(), at));
        let thread = PeerThread::start_fated(&name, socket, settings, None, bridge.fate.clone())?;
        self.bridges.push(Running {
            at,
            prefix: bridge.prefix.clone(),
            thread,
        });
        Ok(at)
    }

    /// Which bridge an alias was promised to.
    #[must_use]
    pub fn promised(&self, alias: &str) -> Option<usize> {
        let begins = |prefix: &String| alias.starts_with(prefix.as_str());
        self.bridges
            .iter()
            .position(|bridge| bridge.prefix.as_ref().is_some_and(begins))
    }

    /// The bridge and the URI that this call arrived at last.
    #[must_use]
    pub fn landed(&self, number: u64) -> Option<(usize, String)> {
        let landings = self.landings.0.lock();
        let landings = landings.unwrap_or_else(PoisonError::into_inner);
        landings.get(&number).cloned()
    }

    /// What they show while they run.
    pub fn gauges(&self) -> impl Iterator<Item = (String, &Gauge)> {
        self.bridges.iter().map(|bridge| {
            let name = name(bridge.prefix.as_deref(), bridge.at);
            (name, bridge.thread.gauge())
        })
    }

    /// Stops them all and gives what they leave behind.
    pub fn stop(self) -> io::Result<Vec<BridgeReport>> {
        let reports = self.bridges.into_iter().map(|bridge| {
            Ok(BridgeReport {
                at: bridge.at,
                prefix: bridge.prefix,
                report: bridge.thread.stop()?,
            })
        });
        reports.collect()
    }
}

impl Landings {
    fn note(&self, number: u64, bridge: usize, uri: &[u8]) {
        let uri = String::from_utf8_lossy(uri).into_owned();
        let mut landings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        landings.insert(number, (bridge, uri));
    }
}
