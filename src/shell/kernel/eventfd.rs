//! A descriptor that one thread makes readable to wake another from its epoll.

use super::check;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// Readable from [`EventFd::signal`] to [`EventFd::clear`], however often it was signalled.
pub(crate) struct EventFd(File);

impl EventFd {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        check(descriptor)?;
        // SAFETY: the call succeeded, so the descriptor is open, and nobody else has it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Self(File::from(descriptor)))
    }

    /// Makes it readable. The only possible failure is that it has been for 2^64 signals.
    pub(crate) fn signal(&self) {
        let result = (&self.0).write(&1u64.to_ne_bytes());
        debug_assert!(result.is_ok(), "an eventfd takes a 1: {result:?}");
    }

    /// Makes it unreadable. It was already if this would block.
    pub(crate) fn clear(&self) {
        let mut count = [0; 8];
        let result = (&self.0).read(&mut count);
        debug_assert!(
            result.is_ok_and(|length| length == 8) || count == [0; 8],
            "it is read whole or not at all"
        );
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
