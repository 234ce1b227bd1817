//! Names of peers: looked up by the procedure of RFC 3263 (`signaling::sip::locate`), on the runtime
//! of the main thread and never in a worker.
//!
//! The node starts without waiting for an answer: a peer is chosen from the moment when its name was
//! looked up. Calls that run are not touched by what a name leads to later.

mod figures;
mod keeper;
mod set;
mod system;
mod wire;

use super::tls::Tls;
use super::wishes::Wishes;
use crate::config::{Config, Dns};
use balancer::Balancer;
use figures::Figures;
use keeper::Keeper;
use signaling::sip::locate::{
    Answers, Destination, Families, Location, Moment, Prefer, Progress, Question, Rules, Service,
    Spoken, Target, locate,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use wire::Wire;

pub(super) use figures::Figures as Counted;

/// The names of a node while they are looked after; they are forgotten when this goes.
pub(super) struct Names {
    figures: Arc<Figures>,
    task: JoinHandle<()>,
    orders: mpsc::Sender<Order>,
}

/// Who is told where names lead, and what operators want of peers that come.
pub(super) type Told = (Arc<Balancer>, Arc<Tls>, Arc<Wishes>);

/// Another configuration, and who wants to know whether it was taken over.
type Order = (Config, oneshot::Sender<Result<(), String>>);

impl Names {
    /// Looks after the names of all peers, within the runtime that this is called in.
    pub(super) fn watch(config: &Config, told: Told, seed: u64) -> Self {
        let figures = Arc::new(Figures::new());
        let keeper = Keeper::new(config.clone(), told, (seed, Arc::clone(&figures)));
        // One reload at a time.
        let (orders, wanted) = mpsc::channel(1);
        let task = tokio::spawn(keeper.keep(wanted));
        Self {
            figures,
            task,
            orders,
        }
    }

    /// What is counted, for who outlives this.
    pub(super) fn counted(&self) -> Arc<Counted> {
        Arc::clone(&self.figures)
    }

    /// What is counted.
    pub(super) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Takes another configuration's peers over, those that are found by name as far as they are
    /// known: the balancer's board, all or nothing.
    ///
    /// # Errors
    /// Why not; nothing has changed then.
    pub(super) async fn reload(&self, config: Config) -> Result<(), String> {
        let (answer, taken) = oneshot::channel();
        let ended = "nobody looks after names any more; restart the node";
        let order = self.orders.send((config, answer)).await;
        order.map_err(|_| ended.to_owned())?;
        taken.await.unwrap_or_else(|_| Err(ended.to_owned()))
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Targets as the balancer is told them, in their order.
fn targets(found: &[Target]) -> Vec<balancer::Target> {
    let target = |target: &Target| balancer::Target {
        transport: match target.service {
            Service::SipsD2t => balancer::Transport::Tls,
            Service::SipD2t => balancer::Transport::Tcp,
            Service::SipD2u => balancer::Transport::Udp,
        },
        remote: target.address,
    };
    found.iter().map(target).collect()
}

/// What locating goes by under this configuration: what its listeners speak, and its static map.
#[must_use]
pub fn rules(config: &Config, seed: u64) -> Rules {
    let mut spoken = Spoken::default();
    for listen in &config.sip.listen {
        let families = match listen.transport.service() {
            Service::SipsD2t => &mut spoken.sips_d2t,
            Service::SipD2t => &mut spoken.sip_d2t,
            Service::SipD2u => &mut spoken.sip_d2u,
        };
        families.v4 |= listen.address.is_ipv4();
        families.v6 |= listen.address.is_ipv6();
    }
    Rules {
        spoken,
        prefer: config.dns.prefer,
        hosts: config.dns.hosts.clone(),
        seed,
        ..Rules::default()
    }
}

/// The rules of a node that speaks everything, for questions that no configuration is given with.
#[must_use]
pub fn rules_of_all() -> Rules {
    let both = Families { v4: true, v6: true };
    Rules {
        spoken: Spoken {
            sips_d2t: both,
            sip_d2t: both,
            sip_d2u: both,
        },
        prefer: Prefer::default(),
        ..Rules::default()
    }
}

/// What one look at the name service gave.
#[derive(Debug)]
pub struct Lookup {
    /// Whom was asked.
    pub servers: Vec<SocketAddr>,
    /// Where each destination is, in the order of the question.
    pub locations: Vec<Location>,
    /// When that was so: what [`Location::expires`] counts from.
    pub at: Instant,
}

/// Looks destinations up once, and waits for it.
///
/// # Errors
/// There is no runtime to be had; a name service that fails is no error but a location's content.
pub fn look_up(destinations: &[Destination], rules: &Rules, dns: &Dns) -> anyhow::Result<Lookup> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(look_all_up(destinations, rules, dns)))
}

async fn look_all_up(destinations: &[Destination], rules: &Rules, dns: &Dns) -> Lookup {
    let wire = Wire::new(dns);
    let since = Instant::now();
    let moment = Moment { at: since, since };
    let mut answers = Answers::new(dns.times, rules.limits, rules.seed);
    let mut locations = Vec::new();
    for destination in destinations {
        let location = loop {
            match locate(destination, rules, &answers, moment) {
                Progress::Located(location) => break location,
                Progress::Ask(questions) => {
                    ask_all(&wire, questions, &mut answers).await;
                }
            }
        };
        locations.push(location);
    }
    Lookup {
        servers: wire.servers().to_vec(),
        locations,
        at: Instant::now(),
    }
}

/// One question after the other: this is for people, who would rather not flood their server.
async fn ask_all(wire: &Wire, questions: Vec<Question>, answers: &mut Answers) {
    for question in questions {
        let answer = wire.ask(&question).await;
        answers.handle_answer(Instant::now(), question, answer);
    }
}
