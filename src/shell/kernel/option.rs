//! Options of sockets and of the process that neither std nor socket2 knows.

use super::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Has each datagram tell how many the kernel dropped at this socket, once there are any (`SO_RXQ_OVFL`).
pub(crate) fn count_drops(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)
}

/// Has each datagram tell when the kernel got it, or not (`SO_TIMESTAMPNS`).
pub(crate) fn stamp(socket: BorrowedFd<'_>, is_on: bool) -> io::Result<()> {
    set(
        socket,
        libc::SOL_SOCKET,
        libc::SO_TIMESTAMPNS,
        libc::c_int::from(is_on),
    )
}

/// Sets the receive buffer beyond the system's maximum, which takes the capability `CAP_NET_ADMIN` (`SO_RCVBUFFORCE`).
pub(crate) fn force_receive_buffer(socket: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    set(
        socket,
        libc::SOL_SOCKET,
        libc::SO_RCVBUFFORCE,
        libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX),
    )
}

/// Lets a bind to port 0 choose an address only; the port is chosen when the other end is known, so that ports do not run
/// out (`IP_BIND_ADDRESS_NO_PORT`, for both families).
pub(crate) fn bind_address_without_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

fn set(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or(0);
    // SAFETY: the value lives for the length of the call and has the length that we say.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            length,
        )
    };
    check(result).map(drop)
}

/// Octets written to a stream that the other side has not acknowledged (`SIOCOUTQ`), also after it was reset.
pub(crate) fn unacknowledged(stream: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: TIOCOUTQ, which is SIOCOUTQ, writes one int, and the pointer is to one.
    check(unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Lets the process open as many descriptors as it is allowed to: the usual soft limit is 1024.
pub(crate) fn raise_open_files() -> io::Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the call writes one rlimit, and the pointer is to one.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the call reads one rlimit, and the pointer is to one.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }).map(drop)
}
