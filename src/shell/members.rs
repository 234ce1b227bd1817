//! The other members of the cluster: a thread of its own hears and tells what each node uses
//! (`docs/wire/member-update.md`), and gives the sum of the others to the balancer.
//!
//! The socket is that of RAS. What comes in and is no update is dropped, until there is a gatekeeper.

use super::control::{Control, Phase};
use super::view::Figures;
use crate::config::{Config, Members};
use anyhow::{Context, ensure};
use arc_swap::ArcSwap;
use balancer::{Balancer, PeerId};
use cluster::{Cluster, Counters, Figure, Key, Load, MemberStatus, Output, Presence, Settings};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::{info, warn};

/// How often this node's figures are looked at: changes within this time travel together.
const TICK: Duration = Duration::from_millis(20);
/// The shortest wait for a datagram.
const WAIT_MIN: Duration = Duration::from_millis(1);
/// Datagrams that are heard before time and outputs are looked after again.
const BATCH: usize = 64;
/// Longer than any update, so that one that is too long is seen as such.
const DATAGRAM_MAX: usize = 2_048;

/// What is seen of the cluster from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) members: Vec<MemberStatus>,
    pub(super) counters: Counters,
    /// Datagrams on the port that are no updates.
    pub(super) others: u64,
}

/// The newest [`Seen`], for all who watch.
pub(super) type Watched = Arc<ArcSwap<Seen>>;

/// The members' thread before it runs.
pub(super) struct Door {
    socket: UdpSocket,
    cluster: Cluster,
    seen: Watched,
}

impl Door {
    /// Opens the socket; `None` where no `[cluster]` is configured.
    pub(super) fn open(config: &Config, seed: u64) -> anyhow::Result<Option<Self>> {
        let Some(members) = &config.cluster else {
            return Ok(None);
        };
        let settings = settings(config, members)?;
        let names = config.peers.iter().map(|peer| peer.name.as_str());
        Settings::check_names(names, Key::sessions)?;
        let cluster = Cluster::new(Instant::now(), settings, seed)?;
        let socket = UdpSocket::bind(members.listen)
            .with_context(|| format!("cannot listen on {} for [cluster]", members.listen))?;
        info!("hearing members on udp:{}", socket.local_addr()?);
        Ok(Some(Self {
            socket,
            cluster,
            seen: Watched::default(),
        }))
    }

    pub(super) fn watched(&self) -> Watched {
        Arc::clone(&self.seen)
    }

    /// The thread: until the node stops.
    pub(super) fn run(
        self,
        (balancer, control): (Arc<Balancer>, Arc<Control>),
        figures: Vec<Figures>,
    ) -> anyhow::Result<()> {
        let mut post = Post {
            socket: self.socket,
            cluster: self.cluster,
            seen: self.seen,
            balancer,
            control,
            figures,
            boards: None,
            peers: BTreeMap::new(),
            others: 0,
        };
        let mut next = Instant::now();
        while post.control.phase() != Phase::Stopping {
            let due = post.cluster.poll_timeout(Instant::now());
            post.hear(due.map_or(next, |due| due.min(next)))?;
            let now = Instant::now();
            if now >= next {
                next = now + TICK;
                post.tell(now);
                post.seen.store(Arc::new(Seen {
                    members: post.cluster.members(now).collect(),
                    counters: post.cluster.counters(),
                    others: post.others,
                }));
            }
            if post.cluster.poll_timeout(now).is_some_and(|due| due <= now) {
                post.cluster.handle_timeout(now);
            }
            post.act();
        }
        Ok(())
    }
}

/// The thread's own.
struct Post {
    socket: UdpSocket,
    cluster: Cluster,
    seen: Watched,
    balancer: Arc<Balancer>,
    control: Arc<Control>,
    figures: Vec<Figures>,
    /// The board whose peers `peers` are.
    boards: Option<u64>,
    peers: BTreeMap<Key, PeerId>,
    others: u64,
}

impl Post {
    /// Waits for something to hear until then, and hears what has come by now.
    fn hear(&mut self, until: Instant) -> anyhow::Result<()> {
        let wait = until.saturating_duration_since(Instant::now());
        // No time at all would be for ever.
        self.socket.set_read_timeout(Some(wait.max(WAIT_MIN)))?;
        let mut datagram = [0; DATAGRAM_MAX];
        for heard in 0..BATCH {
            if heard == 1 {
                self.socket.set_nonblocking(true)?;
            }
            match self.socket.recv_from(&mut datagram) {
                Ok((length, from)) => {
                    let datagram = datagram.get(..length).unwrap_or_default();
                    if cluster::is_update(datagram) {
                        let now = Instant::now();
                        self.cluster.handle_datagram(now, plain(from), datagram);
                    } else {
                        self.others += 1;
                    }
                }
                Err(error) if is_quiet(error.kind()) => break,
                // What a member that is not there has told us by ICMP.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error).context("cannot hear members any more"),
            }
        }
        self.socket.set_nonblocking(false)?;
        Ok(())
    }

    /// Tells what this node uses now.
    fn tell(&mut self, now: Instant) {
        let boards = self.balancer.boards();
        if self.boards != Some(boards) {
            self.boards = Some(boards);
            self.learn_peers();
        }
        let mut used = Vec::with_capacity(self.peers.len());
        self.balancer.sessions_taken(|_, name, taken| {
            used.push(Figure {
                key: Key::sessions(name),
                used: taken.into(),
            });
        });
        let phase = self.control.phase();
        let live: u64 = self
            .figures
            .iter()
            .map(|figures| figures.shell.calls.value())
            .sum();
        let load = Load {
            maintenance: phase == Phase::Maintenance,
            draining: phase > Phase::Maintenance,
            full: false,
            calls_max: 0,
            calls: u32::try_from(live).unwrap_or(u32::MAX),
        };
        self.cluster.handle_figures(now, load, &used);
    }

    /// The peers of a new board, with what others use of them.
    fn learn_peers(&mut self) {
        self.peers.clear();
        let peers = &mut self.peers;
        self.balancer.sessions_taken(|id, name, _| {
            peers.insert(Key::sessions(name), id);
        });
        let known: Vec<Figure> = self.cluster.elsewhere().collect();
        for figure in known {
            self.use_elsewhere(figure.key, figure.used);
        }
    }

    fn use_elsewhere(&self, key: Key, used: u64) {
        if let Some(peer) = self.peers.get(&key) {
            let used = u32::try_from(used).unwrap_or(u32::MAX);
            self.balancer.set_elsewhere(*peer, used);
        }
    }

    /// Does what the cluster wants done.
    fn act(&mut self) {
        while let Some(output) = self.cluster.poll_output() {
            match output {
                Output::Datagram { to, octets } => {
                    // One that cannot leave is one that is lost: it is told again.
                    let _sent = self.socket.send_to(&octets, to);
                }
                Output::Elsewhere { key, used } => self.use_elsewhere(key, used),
                Output::Presence {
                    member,
                    before,
                    now,
                } => match now {
                    Presence::Fresh => info!(%member, before = before.as_str(), "member is there"),
                    Presence::Suspect => warn!(
                        %member,
                        "member is silent; what it uses goes on counting"
                    ),
                    Presence::Expired => warn!(%member, "what a silent member uses counts no more"),
                    Presence::Unknown => {}
                },
                Output::Conflict { member, differs } => {
                    if differs {
                        warn!(
                            %member,
                            "Cluster replication error: this peer's configuration conflicts with \
                             the primary's configuration, manual synchronization of configuration \
                             is required"
                        );
                    } else {
                        info!(%member, "member's configuration agrees again");
                    }
                }
            }
        }
    }
}

/// Whether nothing has come, or a signal has.
fn is_quiet(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// An IPv4 address as such, though the socket is one of IPv6.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// What the cluster is to know of the configuration.
fn settings(config: &Config, members: &Members) -> anyhow::Result<Settings> {
    let file = &members.key_file;
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read [cluster] key_file {}", file.display()))?;
    let key = text.lines().next().unwrap_or_default().trim();
    ensure!(
        !key.is_empty(),
        "the first line of [cluster] key_file {} is empty",
        file.display()
    );
    let started = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let epoch = u64::try_from(started.as_micros()).unwrap_or(1);
    // Members run the same version, and so write the same words.
    let written = format!("{:?}", config.bandwidth);
    let digest = Sha256::digest(written.as_bytes());
    let configuration = digest.first_chunk().copied().map_or(0, u64::from_be_bytes);
    let key = key.as_bytes().to_vec();
    Ok(members.settings(&config.node.name, epoch, key, configuration))
}
