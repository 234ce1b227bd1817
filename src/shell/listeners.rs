//! Opening the sockets of a node, one a worker and listener, before any worker starts.
//!
//! The first socket of a listener is bound alone, so that an address in use is found out even when the other program
//! shares its port as we do; only then may the other workers' sockets join it.

use super::kernel::option;
use crate::config::{Listen, ListenTransport, TlsClientCertificate};
use anyhow::{Context, anyhow};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use tracing::warn;

/// Connections that the kernel completes before a worker accepts them.
const ACCEPT_QUEUE: i32 = 1024;

/// One worker's socket of one listener.
#[derive(Debug)]
pub(super) enum Bound {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// A listener with its address and a socket for every worker.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) transport: ListenTransport,
    /// What was bound: port 0 is resolved.
    pub(super) local: SocketAddr,
    /// `host:port` for Via and Contact.
    pub(super) advertised: String,
    pub(super) sockets: Vec<Bound>,
    /// What is asked of those who connect over TLS.
    pub(super) client_certificate: TlsClientCertificate,
}

/// Opens a listener for so many workers.
pub(super) fn open(
    listen: &Listen,
    workers: usize,
    receive_buffer_bytes: usize,
) -> anyhow::Result<Listener> {
    let first = bind(listen, listen.address, false).map_err(|error| explain(listen, &error))?;
    let local = local_address(&first).with_context(|| format!("cannot listen on {listen}"))?;
    let mut sockets = vec![first];
    if workers > 1 {
        // Linux lets a bound socket open its port to others that ask for the same.
        sockets
            .first()
            .map_or(Ok(()), |first| first.set_reuse_port(true))?;
        for _ in 1..workers {
            sockets.push(bind(listen, local, true).map_err(|error| explain(listen, &error))?);
        }
    }
    if listen.transport == ListenTransport::Udp {
        let granted = size_buffers(&sockets, receive_buffer_bytes)?;
        if granted < receive_buffer_bytes {
            warn!(
                listener = %listen, asked = receive_buffer_bytes, granted,
                "the kernel grants a smaller receive buffer than configured; raise net.core.rmem_max"
            );
        }
    }
    let sockets = sockets
        .into_iter()
        .map(|socket| Bound::from_socket(socket, listen.transport))
        .collect();
    Ok(Listener {
        transport: listen.transport,
        local,
        advertised: advertised(listen, local),
        sockets,
        client_certificate: listen.client_certificate,
    })
}

impl Bound {
    fn from_socket(socket: Socket, transport: ListenTransport) -> Self {
        match transport {
            ListenTransport::Tcp | ListenTransport::Tls => Self::Tcp(socket.into()),
            ListenTransport::Udp => Self::Udp(socket.into()),
        }
    }
}

fn bind(listen: &Listen, address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = match listen.transport {
        ListenTransport::Tcp | ListenTransport::Tls => {
            Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?
        }
        ListenTransport::Udp => Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?,
    };
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        // An IPv4 listener is one of its own: mapped addresses would be a second spelling of each source.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(shared)?;
    match listen.transport {
        ListenTransport::Tcp | ListenTransport::Tls => {
            // Connections of the last run that linger in TIME_WAIT do not keep the port; another listener does.
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(ACCEPT_QUEUE)?;
        }
        ListenTransport::Udp => {
            socket.bind(&address.into())?;
            option::count_drops(socket.as_fd())?;
        }
    }
    Ok(socket)
}

fn local_address(socket: &Socket) -> anyhow::Result<SocketAddr> {
    socket
        .local_addr()?
        .as_socket()
        .ok_or_else(|| anyhow!("the socket has no IP address"))
}

/// Sizes the buffers of UDP sockets and returns the smallest receive buffer that the kernel granted.
fn size_buffers(sockets: &[Socket], bytes: usize) -> io::Result<usize> {
    let mut smallest = usize::MAX;
    for socket in sockets {
        let socket = SockRef::from(socket);
        socket.set_send_buffer_size(bytes)?;
        // Without the capability the ordinary option takes what the system's maximum allows.
        if option::force_receive_buffer(socket.as_fd(), bytes).is_err() {
            socket.set_recv_buffer_size(bytes)?;
        }
        // socket(7): the kernel doubles the figure for its own bookkeeping and tells the doubled one.
        smallest = smallest.min(socket.recv_buffer_size()? / 2);
    }
    Ok(smallest)
}

fn advertised(listen: &Listen, local: SocketAddr) -> String {
    match &listen.advertise {
        None => local.to_string(),
        Some(host) if has_port(host) => host.clone(),
        Some(host) => format!("{host}:{}", local.port()),
    }
}

/// Whether `host:port` was written; an IPv6 address stands in brackets.
fn has_port(advertise: &str) -> bool {
    advertise
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.ends_with(']'))
}

/// What happened, why, and what to do.
fn explain(listen: &Listen, error: &io::Error) -> anyhow::Error {
    let address = listen.address;
    let (ip, port) = (address.ip(), address.port());
    let advice = match error.raw_os_error() {
        Some(libc::EADDRINUSE) => {
            format!(
                "another program uses port {port}; stop it (`ss -lnp 'sport = :{port}'` names it) or choose another port"
            )
        }
        Some(libc::EADDRNOTAVAIL) => {
            format!("this machine has no address {ip}; `ip addr` lists those that it has")
        }
        Some(libc::EACCES) => {
            format!(
                "ports below 1024 take the capability CAP_NET_BIND_SERVICE; grant it or choose another port than {port}"
            )
        }
        _ => "check the address".to_owned(),
    };
    anyhow!("cannot listen on {listen}: {error}: {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(transport: ListenTransport, address: &str) -> Listen {
        Listen {
            transport,
            address: address.parse().unwrap(),
            advertise: None,
            client_certificate: TlsClientCertificate::None,
        }
    }

    #[test]
    fn every_worker_gets_a_socket_of_the_same_port() {
        for transport in [ListenTransport::Udp, ListenTransport::Tcp] {
            for address in ["127.0.0.1:0", "[::1]:0"] {
                let listener = open(&listen(transport, address), 3, 65_536).unwrap();
                assert_eq!(listener.sockets.len(), 3);
                assert_ne!(listener.local.port(), 0);
                assert_eq!(listener.advertised, listener.local.to_string());
                for socket in &listener.sockets {
                    let local = match socket {
                        Bound::Tcp(socket) => socket.local_addr(),
                        Bound::Udp(socket) => socket.local_addr(),
                    };
                    assert_eq!(local.unwrap(), listener.local);
                }
            }
        }
    }

    #[test]
    fn an_address_in_use_is_said_even_if_its_owner_shares_it() {
        for transport in [ListenTransport::Udp, ListenTransport::Tcp] {
            let owner = open(&listen(transport, "127.0.0.1:0"), 2, 65_536).unwrap();
            let error = open(&listen(transport, &owner.local.to_string()), 2, 65_536).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(&format!("cannot listen on {transport}:{}", owner.local)),
                "{text}"
            );
            assert!(text.contains("another program uses port"), "{text}");
        }
    }

    #[test]
    fn a_foreign_address_is_explained() {
        let error = open(&listen(ListenTransport::Udp, "192.0.2.1:0"), 1, 65_536).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("this machine has no address 192.0.2.1"),
            "{error}"
        );
    }

    #[test]
    fn what_is_advertised_has_a_port() {
        let local = "127.0.0.1:5062".parse().unwrap();
        for (written, advertised_as) in [
            ("192.0.2.1", "192.0.2.1:5062"),
            ("192.0.2.1:5060", "192.0.2.1:5060"),
            ("[2001:db8::1]", "[2001:db8::1]:5062"),
            ("[2001:db8::1]:5061", "[2001:db8::1]:5061"),
            ("sip.example.com", "sip.example.com:5062"),
        ] {
            let listen = Listen {
                advertise: Some(written.to_owned()),
                ..listen(ListenTransport::Udp, "0.0.0.0:5062")
            };
            assert_eq!(advertised(&listen, local), advertised_as);
        }
    }
}
