//! What the standard library does not offer of Linux: many datagrams a call, epoll, eventfd, two socket options.
//!
//! The only unsafe code of the project is in this folder. Each module turns a few system calls into a safe type and does
//! nothing else: no policy, no protocol, no logging.
#![expect(
    unsafe_code,
    reason = "system calls that neither std nor socket2 wraps"
)]

pub(super) mod batch;
pub(super) mod epoll;
pub(super) mod eventfd;
pub(super) mod option;

use std::io;

/// The count that a system call returned, or the error that it left behind.
fn check(result: libc::c_int) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
