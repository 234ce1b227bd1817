//! Free ports for programs that must be told theirs.
//!
//! They are taken below the range from which the system gives ports to connections, so that no
//! connection of another test takes one between the moment when it was found free and the moment
//! when its program binds it; and no test of one process is given a port twice.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Linux gives out 32768 and above.
const FIRST: u16 = 10_000;
const LAST: u16 = 32_000;
/// Tests of one process need less; processes start at different places.
const STRIDE: u16 = 500;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// So many ports in a row that are free for UDP and TCP.
pub(crate) fn free(count: u16) -> u16 {
    let start = std::process::id() % u32::from((LAST - FIRST) / STRIDE);
    let start = FIRST + u16::try_from(start).expect("below u16::MAX") * STRIDE;
    loop {
        let offset = NEXT.fetch_add(count, Ordering::Relaxed);
        assert!(offset < LAST - FIRST, "no ports are free");
        let first = FIRST + (start - FIRST + offset) % (LAST - FIRST);
        if (first..first + count).all(is_free) {
            return first;
        }
    }
}

/// A port of 127.0.0.1 for UDP and TCP, already taken, so that nobody else can come in between.
pub(crate) fn held() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port for TCP");
        let address = tcp.local_addr().expect("its address");
        if let Ok(udp) = UdpSocket::bind(address) {
            return (udp, tcp);
        }
    }
}

/// Whether nobody has the port, by what the kernel says. It is not tried out with a socket: a child that another
/// thread forks in that moment would hold the port until it is the program that it is to be.
fn is_free(port: u16) -> bool {
    ["udp", "udp6", "tcp", "tcp6"].iter().all(|table| {
        // Without IPv6 two of the tables are not there.
        let table = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        let mut locals = table
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1));
        !locals.any(|local| local.ends_with(&format!(":{port:04X}")))
    })
}
