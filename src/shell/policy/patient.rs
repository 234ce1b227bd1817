//! A stream with two patiences that hyper does not have: for who says nothing at all, and for who never
//! reads what is answered.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long the other side may take no octet of what is to be sent.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// The stream.
pub(super) struct Patient<S> {
    inner: S,
    /// Octets that must come at first, within a time.
    owed: Option<(usize, Pin<Box<Sleep>>)>,
    write_patience: Duration,
    /// Since the other side stopped reading.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// Waits for who speaks first as long as its protocol allows.
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            owed: None,
            write_patience: WRITE_PATIENCE,
            stuck: None,
        }
    }

    /// The other side has to say so many octets within this time.
    pub(super) fn owing(inner: S, octets: usize, within: Duration) -> Self {
        let until = Instant::now() + within;
        Self {
            owed: Some((octets, Box::pin(sleep_until(until)))),
            ..Self::new(inner)
        }
    }

    /// What came of a write, or that it has taken too long.
    fn written<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let until = || Box::pin(sleep_until(Instant::now() + self.write_patience));
        let stuck = self.stuck.get_or_insert_with(until);
        stuck
            .as_mut()
            .poll(context)
            .map(|()| Err(io::Error::from(io::ErrorKind::TimedOut)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        let came = buffer.filled().len() - before;
        let Some((owed, until)) = &mut self.owed else {
            return read;
        };
        *owed = owed.saturating_sub(came);
        if *owed == 0 {
            self.owed = None;
            return read;
        }
        if read.is_pending() && until.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, octets);
        self.written(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.written(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(context);
        self.written(context, shut)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    fn run<F: Future>(future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(future)
    }

    #[test]
    fn who_says_nothing_is_given_up_and_who_speaks_is_not() {
        run(async {
            let short = Duration::from_millis(20);
            let (mut other, ours) = duplex(64);
            let mut ours = Patient::owing(ours, 4, short);
            other.write_all(b"PRI").await.unwrap();
            let mut octets = [0; 8];
            assert_eq!(ours.read(&mut octets).await.unwrap(), 3);
            let error = ours.read(&mut octets).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);

            let (mut other, ours) = duplex(64);
            let mut ours = Patient::owing(ours, 4, short);
            other.write_all(b"PRI ").await.unwrap();
            assert_eq!(ours.read(&mut octets).await.unwrap(), 4);
            tokio::time::sleep(2 * short).await;
            other.write_all(b"*").await.unwrap();
            assert_eq!(ours.read(&mut octets).await.unwrap(), 1);
        });
    }

    #[test]
    fn who_never_reads_is_given_up_after_a_while() {
        run(async {
            let (other, ours) = duplex(8);
            let mut ours = Patient::new(ours);
            ours.write_patience = Duration::from_millis(20);
            let error = ours.write_all(b"more than fits").await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            drop(other);
        });
    }
}
