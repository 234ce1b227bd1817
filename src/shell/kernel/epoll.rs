//! Readiness of many descriptors, level-triggered: who is not served in one turn is reported again in the next.

use super::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Most descriptors reported at once; the others are reported the next time.
const EVENTS: usize = 256;

/// What a descriptor is watched for besides errors, which are always reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Nothing,
    Read,
    ReadWrite,
    Write,
}

impl Interest {
    fn bits(self) -> u32 {
        let bits = match self {
            Self::Nothing => 0,
            Self::Read => libc::EPOLLIN,
            Self::ReadWrite => libc::EPOLLIN | libc::EPOLLOUT,
            Self::Write => libc::EPOLLOUT,
        };
        bits.cast_unsigned()
    }
}

/// One descriptor that is ready. An error or a hang-up counts as both: reading or writing tells which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) token: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// A set of watched descriptors. One leaves the set when it is closed.
pub(crate) struct Epoll(OwnedFd);

/// What one wait found.
pub(crate) struct Events {
    events: Vec<libc::epoll_event>,
    count: usize,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed.
        let descriptor = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        check(descriptor)?;
        // SAFETY: the call succeeded, so the descriptor is open, and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Watches a descriptor under a token.
    pub(crate) fn add(
        &self,
        descriptor: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, descriptor, token, interest)
    }

    /// Watches it for something else.
    pub(crate) fn change(
        &self,
        descriptor: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, descriptor, token, interest)
    }

    /// Waits until something is ready or the time is over, which is rounded up to milliseconds.
    pub(crate) fn wait(&self, found: &mut Events, patience: Option<Duration>) -> io::Result<()> {
        let milliseconds = patience.map_or(-1, |patience| {
            i32::try_from(patience.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
        });
        let room = i32::try_from(found.events.len()).unwrap_or(i32::MAX);
        let events = found.events.as_mut_ptr();
        found.count = 0;
        // SAFETY: `events` has room for as many events as we say.
        match check(unsafe { libc::epoll_wait(self.0.as_raw_fd(), events, room, milliseconds) }) {
            Ok(count) => found.count = count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn control(
        &self,
        action: libc::c_int,
        descriptor: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: interest.bits(),
            u64: token,
        };
        // SAFETY: both descriptors are open for the length of the call, and so is the event.
        let result = unsafe {
            libc::epoll_ctl(
                self.0.as_raw_fd(),
                action,
                descriptor.as_raw_fd(),
                &raw mut event,
            )
        };
        check(result).map(drop)
    }
}

impl Events {
    pub(crate) fn new() -> Self {
        Self {
            events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS],
            count: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The descriptor at a position, if so many are ready.
    pub(crate) fn ready(&self, position: usize) -> Option<Ready> {
        let event = self.events.get(..self.count)?.get(position)?;
        let (events, token) = (event.events, event.u64);
        let has = |flags: libc::c_int| events & flags.cast_unsigned() != 0;
        let broken = has(libc::EPOLLERR | libc::EPOLLHUP);
        Some(Ready {
            token,
            readable: broken || has(libc::EPOLLIN),
            writable: broken || has(libc::EPOLLOUT),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    fn wait(epoll: &Epoll) -> Vec<Ready> {
        let mut found = Events::new();
        epoll.wait(&mut found, Some(Duration::ZERO)).unwrap();
        (0..).map_while(|position| found.ready(position)).collect()
    }

    #[test]
    fn reports_what_it_watches() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let epoll = Epoll::new().unwrap();
        epoll.add(far.as_fd(), 7, Interest::Read).unwrap();
        assert_eq!(wait(&epoll), []);
        near.write_all(b"x").unwrap();
        for _ in 0..2 {
            let still = [Ready {
                token: 7,
                readable: true,
                writable: false,
            }];
            assert_eq!(wait(&epoll), still, "it is reported until it is read");
        }
        epoll.change(far.as_fd(), 8, Interest::Write).unwrap();
        assert_eq!(
            wait(&epoll),
            [Ready {
                token: 8,
                readable: false,
                writable: true
            }]
        );
        epoll.change(far.as_fd(), 8, Interest::Nothing).unwrap();
        assert_eq!(wait(&epoll), []);
        drop(near);
        assert_eq!(wait(&epoll).len(), 1, "a hang-up is always reported");
        drop(far);
        assert_eq!(wait(&epoll), [], "what is closed is forgotten");
    }
}
