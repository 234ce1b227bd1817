//! From the configuration to what the cores and the sockets of a node are told.

use super::listeners::Listener;
use super::wishes::Wishes;
use super::{tcp, users};
use crate::config::{self, CallLines, Config, ListenTransport, Peer, PeerAt, PeerTransport};
use crate::node::Recording;
use anyhow::Context;
use balancer::{Balancer, PeerSettings, Target};
use signaling::access::{Access, FieldName, Prefix, Rate, Zone};
use signaling::overload::OverloadSettings;
use signaling::sip::auth::Realm;
use signaling::sip::auth::answer::Account;
use signaling::sip::message;
use signaling::{Settings, Timers, Transport};
use std::sync::Arc;
use std::time::Instant;

/// The name of a worker is a bit in one word.
const WORKERS_MAX: usize = 64;
/// One worker costs least for each call and carries several thousand calls a second; a second one
/// buys capacity at the price of hand-overs (docs/decisions/0003).
const WORKERS_AUTO: usize = 1;

/// How many workers share the node.
pub(super) fn workers(config: &Config) -> anyhow::Result<u8> {
    let workers = config.node.workers.unwrap_or(WORKERS_AUTO);
    Ok(u8::try_from(workers.clamp(1, WORKERS_MAX))?)
}

/// What every core is told; each worker changes its own number.
pub(super) fn settings(
    config: &Config,
    workers: u8,
    listeners: &[Listener],
) -> anyhow::Result<Settings> {
    let listeners = listeners.iter().map(|listener| signaling::Listener {
        transport: match listener.transport {
            ListenTransport::Tcp => Transport::Tcp,
            ListenTransport::Tls => Transport::Tls,
            ListenTransport::Udp => Transport::Udp,
        },
        local: listener.local,
        advertised: listener.advertised.clone(),
    });
    let blank = Settings {
        worker: 0,
        workers,
        secret: secret()?,
        timers: Timers::default(),
        calls_max: 0,
        transactions_max: 0,
        exchanges_max: 0,
        exchanges_per_call_max: 0,
        session: signaling::SessionTimes::default(),
        refer: signaling::ReferMode::default(),
        listeners: listeners.collect(),
        kept_octets_max: 0,
        access: Arc::default(),
        overload: OverloadSettings::default(),
    };
    reloaded(&blank, config)
}

/// What every core is told when the configuration changes: its place, the secret and the listeners stay.
pub(super) fn reloaded(running: &Settings, config: &Config) -> anyhow::Result<Settings> {
    let share = |limit: usize| limit.div_ceil(usize::from(running.workers));
    Ok(Settings {
        timers: Timers {
            t1: config.timers.t1,
            t2: config.timers.t2,
            t4: config.timers.t4,
            ring: config.timers.ring_seconds_max,
        },
        calls_max: share(config.limits.calls),
        transactions_max: share(config.limits.transactions),
        kept_octets_max: share(config.limits.kept_bytes),
        exchanges_max: share(config.limits.exchanges),
        exchanges_per_call_max: config.limits.exchanges_per_call,
        session: config.sip.session,
        refer: config.sip.refer,
        access: Arc::new(access(config)?.after(&running.access)),
        overload: overload(config, share),
        ..running.clone()
    })
}

/// Who may call.
fn access(config: &Config) -> anyhow::Result<Access> {
    let zones: anyhow::Result<Vec<Zone>> = config.zones.iter().map(zone).collect();
    // Where a name leads is not known yet and changes: each worker tells its core (`node`).
    let peers = config.peers.iter().filter_map(|peer| match &peer.at {
        PeerAt::Address { address, .. } => Some(Prefix::of(address.ip())),
        PeerAt::Name(_) | PeerAt::Set { .. } => None,
    });
    let mut access = Access::new(zones?, peers, config.sip.unknown_sources, config.rates);
    access.accounts = config.peers.iter().filter_map(account).collect();
    Ok(access)
}

/// Who we are to a peer, if it may ask.
fn account(peer: &Peer) -> Option<Account> {
    let account = peer.account.as_ref()?;
    let PeerAt::Address { transport, address } = &peer.at else {
        return None;
    };
    let transport = match transport {
        PeerTransport::Same => None,
        PeerTransport::Tcp => Some(Transport::Tcp),
        PeerTransport::Tls => Some(Transport::Tls),
        PeerTransport::Udp => Some(Transport::Udp),
    };
    let user = (account.user.as_str(), account.password.as_str());
    Some(Account::new(&account.realm, (*address, transport), user))
}

fn zone(zone: &config::Zone) -> anyhow::Result<Zone> {
    let from_file = match &zone.users_file {
        Some(file) => users::read(file)?,
        None => Vec::new(),
    };
    let users = zone.users.iter().chain(&from_file);
    let users = users.map(|user| (user.name.as_str(), user.password.as_str()));
    Ok(Zone {
        name: zone.name.clone(),
        from: zone.from.clone(),
        tls_names: zone.tls_names.clone(),
        hops_max: zone.hops_max,
        realm: zone.realm.as_deref().map(|realm| Realm::new(realm, users)),
        trusts_identity: zone.trusts_identity,
        strip_headers: zone
            .strip_headers
            .iter()
            .map(|name| FieldName::new(name))
            .collect(),
        strip_proxy_require: zone.strip_proxy_require.clone(),
        strips_update: zone.strips_update,
        refer: zone.refer,
    })
}

/// When a worker has too much to do.
fn overload(config: &Config, share: impl Fn(usize) -> usize) -> OverloadSettings {
    let overload = &config.overload;
    let share = |number: u32| u32::try_from(share(number as usize)).unwrap_or(number);
    OverloadSettings {
        wait_target: overload.wait_target,
        wait_interval: overload.wait_interval,
        invites: Rate {
            per_second: share(overload.invites_per_second),
            burst: share(overload.invites_burst),
        },
        refusals: Rate {
            per_second: share(overload.refusals_per_second),
            burst: share(overload.refusals_burst),
        },
        retry_after_min: overload.retry_after_seconds_min,
        retry_after_max: overload.retry_after_seconds_max,
    }
}

/// What the TCP of each worker is told.
pub(super) fn tcp_limits(config: &Config) -> tcp::Limits {
    tcp::Limits {
        connections: config.limits.connections,
        connections_per_source: config.limits.connections_per_source,
        idle: config.limits.idle_connection_seconds,
        ping: config.timers.ping_seconds,
        slow_sender: config.limits.slow_sender_seconds,
        handshake: config.tls.handshake_seconds,
        message: message_limits(config),
    }
}

/// What is noted of calls.
pub(super) fn recording(config: &Config) -> Recording {
    match config.log.calls {
        CallLines::Off => Recording::Off,
        CallLines::Short => Recording::Short,
        CallLines::Explained => Recording::Explained,
    }
}

/// What a message may have.
pub(super) fn message_limits(config: &Config) -> message::Limits {
    message::Limits {
        message_bytes: config.limits.message_bytes,
        headers: config.limits.headers,
        ..message::Limits::default()
    }
}

/// Who decides where a call goes.
pub(super) fn balancer(
    config: &Config,
    wishes: &Wishes,
    now: Instant,
) -> anyhow::Result<Arc<Balancer>> {
    let mut settings = balancer_settings(config);
    wishes.apply(&mut settings);
    let balancer = Balancer::new(&settings, seed()?, now)?;
    Ok(Arc::new(balancer))
}

/// What the balancer is told; a reload hands it over anew.
pub(super) fn balancer_settings(config: &Config) -> balancer::Settings {
    let peers = config.peers.iter().filter_map(|entry| {
        let targets = match &entry.at {
            PeerAt::Address { transport, address } => {
                let transport = match transport {
                    PeerTransport::Same => balancer::Transport::Same,
                    PeerTransport::Tcp => balancer::Transport::Tcp,
                    PeerTransport::Tls => balancer::Transport::Tls,
                    PeerTransport::Udp => balancer::Transport::Udp,
                };
                let remote = *address;
                vec![Target { transport, remote }]
            }
            // It is chosen when its name was looked up (`names`).
            PeerAt::Name(_) => Vec::new(),
            // Its hosts are peers when they are known (`names`).
            PeerAt::Set { .. } => return None,
        };
        Some(peer(entry, entry.name.clone(), targets))
    });
    balancer::Settings {
        configuration: config.number,
        peers: peers.collect(),
        pools: config.pools.clone(),
        aliases: config.aliases.clone(),
        health: config.health,
    }
}

/// A peer of the balancer by what an entry of the configuration says, under this name and at these
/// addresses.
pub(super) fn peer(entry: &Peer, name: String, targets: Vec<Target>) -> PeerSettings {
    let balancing = &entry.balancing;
    PeerSettings {
        pool: balancing.pool.clone(),
        new_limit: balancing.new_limit.unwrap_or(entry.sessions_max),
        existing_limit: balancing.existing_limit.unwrap_or(entry.sessions_max),
        weight: balancing.weight,
        tags: balancing.tags.clone(),
        operator: balancing.operator,
        alias: balancing.alias.clone(),
        ..PeerSettings::at(name, targets, entry.sessions_max)
    }
}

/// From which what must differ from node to node follows.
pub(super) fn seed() -> anyhow::Result<u64> {
    let [seed, _] = secret()?;
    Ok(seed)
}

/// 128 random bits: tokens of another run or node are not ours, and nobody guesses them. They come from the
/// system call and not from a file: a client that holds all descriptors must not end a start that is under way.
fn secret() -> anyhow::Result<[u64; 2]> {
    let word = || getrandom::u64().context("the system gives no random numbers");
    Ok([word()?, word()?])
}
