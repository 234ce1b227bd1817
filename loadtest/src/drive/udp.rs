//! An agent's datagrams.

use crate::agent::{Agent, Packet};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::net::UdpSocket;

/// Datagrams taken in one turn, so that a flood cannot keep the clocks waiting.
const DATAGRAMS_MAX: usize = 512;
/// What the kernel is asked to hold while the agent is busy; it may hold less.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;

/// One UDP socket.
#[derive(Debug)]
pub(super) struct Udp {
    socket: UdpSocket,
    buffer: Vec<u8>,
}

pub(super) fn bind(local: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind(local)?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Udp {
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            buffer: vec![0; 65_535],
        })
    }

    pub(super) async fn turn(&mut self, agent: &mut impl Agent, until: Instant) -> io::Result<()> {
        tokio::select! {
            biased;
            readable = self.socket.readable() => readable?,
            () = tokio::time::sleep_until(until.into()) => {}
        }
        for _ in 0..DATAGRAMS_MAX {
            let (length, from) = match self.socket.try_recv_from(&mut self.buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error),
            };
            let bytes = self.buffer.get(..length).unwrap_or_default();
            agent.handle_message(Instant::now(), from, bytes);
            while let Some(packet) = agent.poll_output() {
                self.send(&packet).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn send(&self, packet: &Packet) -> io::Result<()> {
        let mut sent = self.socket.try_send_to(&packet.bytes, packet.to);
        if sent
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        {
            sent = self.socket.send_to(&packet.bytes, packet.to).await;
        }
        match sent {
            // Nobody listens there (yet): for a datagram that is a loss like any other.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            other => other.map(drop),
        }
    }
}
