//! What it says of the other side that the kernel refused to connect or to send.

use signaling::Trouble;
use std::io::{Error, ErrorKind};

/// Shortages of ours, and datagrams that are too long, say nothing of it.
pub(super) fn of_error(error: &Error) -> Trouble {
    match error.raw_os_error() {
        Some(
            libc::EADDRINUSE
            | libc::EADDRNOTAVAIL
            | libc::EAGAIN
            | libc::EMFILE
            | libc::EMSGSIZE
            | libc::ENFILE
            | libc::ENOBUFS
            | libc::ENOMEM,
        ) => Trouble::Local,
        Some(libc::ETIMEDOUT) => Trouble::Silent,
        Some(_) => Trouble::Refused,
        None if error.kind() == ErrorKind::QuotaExceeded => Trouble::Local,
        None => Trouble::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_counts_against_nobody() {
        for (code, trouble) in [
            (libc::EMFILE, Trouble::Local),
            (libc::EADDRNOTAVAIL, Trouble::Local),
            (libc::ECONNREFUSED, Trouble::Refused),
            (libc::EHOSTUNREACH, Trouble::Refused),
            (libc::ETIMEDOUT, Trouble::Silent),
        ] {
            assert_eq!(of_error(&Error::from_raw_os_error(code)), trouble, "{code}");
        }
        let full = Error::from(ErrorKind::QuotaExceeded);
        assert_eq!(of_error(&full), Trouble::Local);
    }
}
