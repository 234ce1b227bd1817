//! All streams of one worker, TCP and TLS over it: accepting, connecting, reading, and one gathered write a connection and
//! turn.
//!
//! A message goes to the connection that it names, else to one that already leads to its address, else over a new one.
//! A connection that the other side has closed loses nothing that it did not acknowledge: that is sent once more over a
//! new one. Whatever cannot be sent is told to the worker that sent it. A source has so many connections, whether it
//! made them or had us make them for its answers.

mod connection;
mod reading;
mod shared;
mod table;
#[cfg(test)]
mod tests;
mod unsent;

pub(super) use shared::Shared;
pub(super) use table::owner;

use super::counters::Counters;
use super::intake::{Failure, Intake, Sender};
use super::kernel::epoll::{Epoll, Ready};
use super::kernel::option;
use super::tls::{Session, Tls};
use super::trouble;
use crate::config::TlsClientCertificate;
use connection::{Ends, Purpose, Stage};
use shared::Source;
use signaling::Trouble;
use signaling::access::Access;
use signaling::hop::{Hop, ListenerId};
use signaling::sip::message::Limits as MessageLimits;
use signaling::slots::Key;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use table::Table;
use tracing::debug;

/// How long a connection may take to be made, where who wants it does not say.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);
/// How long octets may stay unacknowledged before a connection counts as broken.
const UNHEARD_MAX: Duration = Duration::from_secs(10);
/// How long a connection that we close may take to read our last answer, and one that the other side closed to
/// acknowledge it.
const LINGER: Duration = Duration::from_secs(1);
/// How long a connection whose other side has closed its end waits for the answers that it is owed: 64 times T1 of RFC
/// 3261. Later ones go over a new connection.
const ANSWERS_PATIENCE: Duration = Duration::from_secs(32);
/// How often all connections are looked at for being slow or idle.
const SWEEP: Duration = Duration::from_millis(500);
/// Connections accepted from one listener in one turn.
const ACCEPTS_MAX: usize = 64;
/// Octets read from one connection in one turn, so that none holds up the others.
const READ_MAX: usize = 64 * 1024;
/// Octets and messages of one turn, all connections together, so that streams do not hold up datagrams. What is left
/// comes first in the next turn.
const TURN_OCTETS_MAX: usize = 256 * 1024;
const TURN_MESSAGES_MAX: usize = 512;
/// What a step of a TLS handshake counts for in a turn, in octets: it may cost a millisecond.
const HANDSHAKE_COST: usize = 32 * 1024;

/// What bounds the connections of a worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections of the whole node.
    pub(super) connections: usize,
    /// Connections of one source, which it made or had us make.
    pub(super) connections_per_source: usize,
    /// How long nothing may go either way.
    pub(super) idle: Duration,
    /// How long nothing may go either way before a connection that we made is kept alive by a ping; zero for never.
    pub(super) ping: Duration,
    /// How long a message may take to arrive whole.
    pub(super) slow_sender: Duration,
    /// How long a TLS handshake may take.
    pub(super) handshake: Duration,
    pub(super) message: MessageLimits,
}

/// What all workers have in common.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) connections: Arc<Shared>,
    pub(super) tls: Arc<Tls>,
    /// Whose names mean something.
    pub(super) access: Arc<Access>,
}

/// A listener, as far as connections care.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    /// Connections are made from there.
    pub(super) address: IpAddr,
    /// What those must show who connect, if it speaks TLS.
    pub(super) tls: Option<TlsClientCertificate>,
}

pub(super) struct Tcp {
    table: Table,
    limits: Limits,
    epoll: Arc<Epoll>,
    counters: Arc<Counters>,
    /// Connections with something to write or to close at the end of the turn.
    listed: Vec<Key>,
    /// Connections to read from, the one that has waited longest first.
    unread: VecDeque<Key>,
    /// Connections that are not read because what they brought waits for another worker.
    stalled: Vec<Key>,
    tls: Arc<Tls>,
    access: Arc<Access>,
    /// By [`ListenerId`].
    locals: Vec<Local>,
    /// Connections being made, the one first whose time is over first.
    connecting: VecDeque<(Instant, Key)>,
    /// Connections in their handshake, the oldest first.
    securing: VecDeque<(Instant, Key)>,
    /// When all connections are looked at next.
    sweep_at: Option<Instant>,
    swept: Vec<Key>,
    /// Listeners that wait for descriptors to come back.
    paused: bool,
    /// What could not be sent this turn.
    failures: Vec<Failure>,
    /// What one read brings.
    buffer: Vec<u8>,
    /// What was sealed in it.
    plain: Vec<u8>,
}

impl Tcp {
    pub(super) fn new(
        worker: u8,
        locals: Vec<Local>,
        common: Common,
        limits: Limits,
        epoll: Arc<Epoll>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            table: Table::new(worker, common.connections, limits.connections),
            limits,
            epoll,
            counters,
            listed: Vec::new(),
            unread: VecDeque::new(),
            stalled: Vec::new(),
            tls: common.tls,
            access: common.access,
            locals,
            connecting: VecDeque::new(),
            securing: VecDeque::new(),
            sweep_at: None,
            swept: Vec::new(),
            paused: false,
            failures: Vec::new(),
            buffer: vec![0; READ_MAX],
            plain: Vec::new(),
        }
    }

    /// Other limits from now on; how many connections there may be stays.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Other names, and other places of peers, from now on; who is connected keeps the name that it had.
    pub(super) fn set_access(&mut self, access: &Arc<Access>) {
        if !Arc::ptr_eq(&self.access, access) {
            self.access = Arc::clone(access);
        }
    }

    /// Takes the connections that wait at a listener. `false` when the process has no descriptors left: the listener is
    /// not to be asked again before [`Tcp::may_accept_again`].
    pub(super) fn accept(
        &mut self,
        now: Instant,
        socket: &TcpListener,
        listener: ListenerId,
    ) -> bool {
        for _ in 0..ACCEPTS_MAX {
            match socket.accept() {
                Ok((stream, remote)) => {
                    let ends = Ends {
                        listener,
                        remote,
                        purpose: Purpose::Accepted,
                    };
                    if self
                        .make_room(now, &ends)
                        .and_then(|()| self.admit(now, stream, ends).ok())
                        .is_none()
                    {
                        self.counters.connections_refused.add(1);
                    }
                }
                Err(error) => match error.raw_os_error() {
                    // EPERM: a firewall's rule. EINVAL: the listener cannot accept. Neither passes by asking again at
                    // once.
                    Some(
                        libc::EINVAL
                        | libc::EMFILE
                        | libc::ENFILE
                        | libc::ENOBUFS
                        | libc::ENOMEM
                        | libc::EPERM,
                    ) => {
                        self.counters.accepts_paused.add(1);
                        self.paused = true;
                        self.sweep_at.get_or_insert(now + SWEEP);
                        return false;
                    }
                    _ if error.kind() == ErrorKind::WouldBlock => return true,
                    // accept(2): errors of the one connection that was waiting; the next one may be well.
                    _ => {}
                },
            }
        }
        true
    }

    /// Whether paused listeners are to be asked again; says so once.
    pub(super) fn may_accept_again(&mut self, now: Instant) -> bool {
        self.paused && self.sweep_at.is_none_or(|at| now >= at) && std::mem::take(&mut self.paused)
    }

    /// Takes note of a connection that is ready: it is read with [`Tcp::read_queued`] and written with [`Tcp::flush`].
    pub(super) fn ready(&mut self, now: Instant, ready: Ready) {
        let Some(key) = table::key_of(ready.token) else {
            return;
        };
        // What was closed earlier in this turn is not there any more.
        let Some(connection) = self.table.get_mut(key) else {
            return;
        };
        match connection.stage {
            Stage::Connecting => match connection.connected() {
                Ok(()) if ready.writable => self.opened(now, key),
                Ok(()) => {}
                Err(error) => self.fail(key, trouble::of_error(&error)),
            },
            Stage::Securing | Stage::Open | Stage::Ended { .. } | Stage::Lingering { .. } => {
                let reads = ready.readable && !connection.stalled;
                if reads && !std::mem::replace(&mut connection.queued, true) {
                    self.unread.push_back(key);
                }
                if ready.writable {
                    self.list(key);
                }
            }
        }
    }

    /// Reads from connections that are ready, as much as one turn may.
    pub(super) fn read_queued(&mut self, now: Instant, intake: &mut Intake) {
        if !intake.is_stalled() {
            self.go_on();
        }
        let messages_max = intake.messages() + TURN_MESSAGES_MAX;
        let mut octets = 0;
        while octets < TURN_OCTETS_MAX
            && intake.messages() < messages_max
            && !intake.is_full()
            && let Some(key) = self.unread.pop_front()
        {
            octets += self.read(now, intake, key);
        }
    }

    /// Nothing waits for another worker any more: all connections are read again.
    fn go_on(&mut self) {
        for key in self.stalled.drain(..) {
            if let Some(connection) = self.table.get_mut(key)
                && std::mem::take(&mut connection.stalled)
                && !std::mem::replace(&mut connection.queued, true)
            {
                self.unread.push_back(key);
            }
        }
    }

    /// Whether connections are to be read that the last turn had no time for.
    pub(super) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Takes a message to send; it is written at the end of the turn.
    pub(super) fn send(&mut self, now: Instant, hop: Hop, sender: Option<Sender>, bytes: &[u8]) {
        self.send_again(now, hop, sender, bytes, false);
    }

    fn send_again(
        &mut self,
        now: Instant,
        hop: Hop,
        sender: Option<Sender>,
        bytes: &[u8],
        again: bool,
    ) {
        let is_request = sender.is_some();
        let named = hop.connection.and_then(|id| self.table.key(id));
        let takes = |key: &Key| {
            self.table
                .get(*key)
                .is_some_and(|connection| connection.takes(is_request))
        };
        let known = named
            .filter(takes)
            .or_else(|| self.table.to(hop.listener, hop.remote).filter(takes));
        let purpose = if is_request {
            Purpose::Requests
        } else {
            Purpose::Answers
        };
        let ends = Ends {
            listener: hop.listener,
            remote: hop.remote,
            purpose,
        };
        let patience = sender.and_then(|sender| sender.connect_patience);
        let patience = patience.unwrap_or(CONNECT_PATIENCE);
        let key = match known.map_or_else(|| self.connect(now, ends, patience), Ok) {
            Ok(key) => key,
            Err(trouble) => {
                self.counters.connections_failed.add(1);
                let failed = sender.map(|sender| sender.fails(trouble));
                return self.failures.extend(failed);
            }
        };
        let Some(connection) = self.table.get_mut(key) else {
            return;
        };
        if connection.push(now, bytes, hop.remote, sender, again) {
            self.list(key);
        } else {
            self.counters.connections_congested.add(1);
            let failed = sender.map(|sender| sender.fails(Trouble::Silent));
            self.failures.extend(failed);
            self.fail(key, Trouble::Silent);
        }
    }

    /// Writes what the turn has to send. What could not be sent is added to `failures`.
    pub(super) fn flush(&mut self, now: Instant, failures: &mut Vec<Failure>) {
        // A lost connection may list another, fresh one; that one is not lost before it is made.
        let mut position = 0;
        while let Some(key) = self.listed.get(position).copied() {
            position += 1;
            self.write(now, key);
        }
        self.listed.clear();
        failures.append(&mut self.failures);
    }

    /// When [`Tcp::handle_timeout`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let connecting = self.connecting.front().map(|(deadline, _)| *deadline);
        let securing = self.securing.front().map(|(deadline, _)| *deadline);
        [connecting, securing, self.sweep_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Gives up on what took too long.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, key)) = self
            .connecting
            .pop_front_if(|(deadline, _)| *deadline <= now)
        {
            if self.is_at(key, Stage::Connecting) {
                self.fail(key, Trouble::Silent);
            }
        }
        while let Some((_, key)) = self.securing.pop_front_if(|(deadline, _)| *deadline <= now) {
            if self.is_at(key, Stage::Securing) {
                self.counters.tls_too_slow.add(1);
                self.fail(key, Trouble::Tls);
            }
        }
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep(now);
            self.sweep_at = (self.table.len() > 0).then_some(now + SWEEP);
        }
        self.counters.connections.set(self.table.len() as u64);
    }

    fn is_at(&self, key: Key, stage: Stage) -> bool {
        let connection = self.table.get(key);
        connection.is_some_and(|connection| connection.stage == stage)
    }

    /// Whether nothing waits to be written.
    pub(super) fn is_flushed(&self) -> bool {
        self.table.keys().all(|key| {
            self.table
                .get(key)
                .is_none_or(|connection| !connection.has_unsent())
        })
    }

    /// Room for one more connection, if need be by closing one that has not earned its place.
    fn make_room(&mut self, now: Instant, ends: &Ends) -> Option<()> {
        if let Some(source) = ends.counted_against()
            && self.table.of(source) >= self.limits.connections_per_source
        {
            self.reclaim(now, Some(source))?;
        }
        // Requests to callers are ends of calls: they wait for room as their answers do.
        let is_for_peer =
            ends.purpose == Purpose::Requests && self.access.has_peer_at(ends.remote.ip());
        if !self.table.has_room(is_for_peer) {
            self.reclaim(now, None)?;
        }
        Some(())
    }

    fn reclaim(&mut self, now: Instant, source: Option<Source>) -> Option<()> {
        let key = self.table.least_earned(now, source)?;
        self.counters.connections_reclaimed.add(1);
        self.fail(key, Trouble::Local);
        Some(())
    }

    fn admit(&mut self, now: Instant, stream: TcpStream, ends: Ends) -> Result<Key, Trouble> {
        let session = self.session(&ends).map_err(|error| {
            debug!(%error, remote = %ends.remote, "no TLS");
            Trouble::Tls
        })?;
        let admitted = self.take(now, (stream, session), ends);
        admitted.map_err(|error| trouble::of_error(&error))
    }

    fn take(
        &mut self,
        now: Instant,
        (stream, session): (TcpStream, Option<Session>),
        ends: Ends,
    ) -> io::Result<Key> {
        if ends.purpose == Purpose::Accepted {
            stream.set_nonblocking(true)?;
            self.counters.connections_accepted.add(1);
        }
        // Each turn writes once: there is nothing to wait for.
        stream.set_nodelay(true)?;
        // A peer that vanished without a word must not swallow calls until the kernel gives up, after a
        // quarter of an hour.
        SockRef::from(&stream).set_tcp_user_timeout(Some(UNHEARD_MAX))?;
        let full = || io::Error::from(ErrorKind::QuotaExceeded);
        let key = self
            .table
            .insert((stream, session), ends, self.limits.message, now)
            .ok_or_else(full)?;
        let connection = self.table.get(key).ok_or_else(full)?;
        let watched = self.epoll.add(
            connection.descriptor(),
            table::token(key),
            connection.interest,
        );
        if let Err(error) = watched {
            self.table.remove(key);
            return Err(error);
        }
        if connection.stage == Stage::Securing {
            self.securing.push_back((now + self.limits.handshake, key));
        }
        self.sweep_at.get_or_insert(now + SWEEP);
        self.counters.connections.set(self.table.len() as u64);
        Ok(key)
    }

    /// Our side of the TLS of a connection, if its listener speaks it.
    fn session(&self, ends: &Ends) -> anyhow::Result<Option<Session>> {
        let local = self.locals.get(usize::from(ends.listener.0));
        let Some(policy) = local.and_then(|local| local.tls) else {
            return Ok(None);
        };
        match ends.purpose {
            Purpose::Accepted => self.tls.accept(policy).map(Some),
            Purpose::Answers | Purpose::Requests => self.tls.connect(ends.remote).map(Some),
        }
    }

    /// Begins a connection from the listener's address.
    fn connect(&mut self, now: Instant, ends: Ends, patience: Duration) -> Result<Key, Trouble> {
        if self.make_room(now, &ends).is_none() {
            self.counters.connections_refused.add(1);
            return Err(Trouble::Local);
        }
        let local = self.locals.get(usize::from(ends.listener.0));
        let local = local.ok_or(Trouble::Local)?.address;
        let stream = begin_connecting(local, ends.remote);
        let stream = stream.map_err(|error| trouble::of_error(&error))?;
        let key = self.admit(now, stream, ends)?;
        let deadline = now + patience;
        let behind = |(other, _): &(Instant, Key)| *other <= deadline;
        let place = self.connecting.partition_point(behind);
        self.connecting.insert(place, (deadline, key));
        Ok(key)
    }

    fn opened(&mut self, now: Instant, key: Key) {
        self.counters.connections_made.add(1);
        if let Some(connection) = self.table.get_mut(key)
            && connection.opened() == Stage::Securing
        {
            self.securing.push_back((now + self.limits.handshake, key));
        }
        self.list(key);
    }

    /// Puts a connection on the list of those to write to.
    fn list(&mut self, key: Key) {
        if let Some(connection) = self.table.get_mut(key)
            && !std::mem::replace(&mut connection.listed, true)
        {
            self.listed.push(key);
        }
    }
}

/// Asks for a connection without waiting for it.
fn begin_connecting(source: IpAddr, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(
        Domain::for_address(remote),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    if !source.is_unspecified() {
        // The other side knows us by the address that it is told in Via and Contact.
        option::bind_address_without_port(socket.as_fd())?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&remote.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        Ok(()) | Err(_) => Ok(socket.into()),
    }
}
