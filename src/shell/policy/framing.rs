//! Where a request of HTTP/1 begins and ends, looked at before hyper sees it (RFC 9112 §6, RELIABILITY.md
//! R17): what two readers could take for two different things is refused.
//!
//! hyper is lenient where RFC 9112 lets it be: a line may end without CR, a Content-Length beside a
//! Transfer-Encoding is passed over. A proxy before us may read the same octets otherwise, and then the rest of
//! one request is the beginning of another that nobody sent.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Octets of a head.
const HEAD_MAX: usize = 16 * 1024;
/// How long a head may take from its first octet on (RELIABILITY.md R12).
const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// Octets of the line before a chunk.
const CHUNK_LINE_MAX: usize = 64;
const READ_OCTETS: usize = 8 * 1024;
/// No request line: hyper answers 400 to it and closes.
const NO_REQUEST: &[u8] = b"\0\r\n\r\n";
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// What comes next on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Body(u64),
    ChunkData(u64),
    /// The line end after a chunk.
    ChunkEnd,
    ChunkLine,
    Head,
    /// The line end after the last chunk.
    LastEnd,
}

/// Two readers could understand it differently, or nobody can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// Follows the requests on one connection.
#[derive(Debug)]
struct Framing {
    expected: Expected,
    /// A head or a chunk's line that is not whole yet.
    pending: Vec<u8>,
    /// What hyper may see.
    released: Vec<u8>,
    /// Heads that were whole.
    heads: u64,
}

impl Framing {
    fn new() -> Self {
        Self {
            expected: Expected::Head,
            pending: Vec::new(),
            released: Vec::new(),
            heads: 0,
        }
    }

    /// Takes octets in, and releases those that are beyond doubt.
    fn feed(&mut self, mut octets: &[u8]) -> Result<(), Ambiguous> {
        while let Some(first) = octets.first() {
            octets = match self.expected {
                Expected::Body(left) => self.pass(octets, left, Expected::Body, Expected::Head),
                Expected::ChunkData(left) => {
                    self.pass(octets, left, Expected::ChunkData, Expected::ChunkEnd)
                }
                Expected::ChunkEnd | Expected::ChunkLine | Expected::Head | Expected::LastEnd => {
                    self.pending.push(*first);
                    if *first == b'\n' {
                        self.line_ended()?;
                    } else if self.pending.len() > self.pending_max() {
                        return Err(Ambiguous);
                    }
                    octets.get(1..).unwrap_or_default()
                }
            };
        }
        Ok(())
    }

    fn pending_max(&self) -> usize {
        match self.expected {
            Expected::ChunkEnd | Expected::LastEnd => 2,
            Expected::ChunkLine => CHUNK_LINE_MAX,
            Expected::Head => HEAD_MAX,
            Expected::Body(_) | Expected::ChunkData(_) => 0,
        }
    }

    /// Passes on what belongs to a body; what is left of the octets.
    fn pass<'o>(
        &mut self,
        octets: &'o [u8],
        left: u64,
        same: fn(u64) -> Expected,
        next: Expected,
    ) -> &'o [u8] {
        let many = usize::try_from(left).map_or(octets.len(), |left| left.min(octets.len()));
        let (body, rest) = octets.split_at_checked(many).unwrap_or((octets, &[]));
        self.released.extend_from_slice(body);
        let left = left - body.len() as u64;
        self.expected = if left == 0 { next } else { same(left) };
        rest
    }

    fn line_ended(&mut self) -> Result<(), Ambiguous> {
        // RFC 9112 §2.2: CR and LF, and no CR alone.
        if !self.pending.ends_with(b"\r\n") {
            return Err(Ambiguous);
        }
        self.expected = match self.expected {
            Expected::Head if self.pending == b"\r\n" => {
                // An empty line before a request is passed over (§2.2).
                self.pending.clear();
                return Ok(());
            }
            Expected::Head if !self.pending.ends_with(b"\r\n\r\n") => return Ok(()),
            Expected::Head => {
                self.heads += 1;
                after_head(&self.pending)?
            }
            Expected::ChunkLine => match chunk_size(&self.pending)? {
                0 => Expected::LastEnd,
                size => Expected::ChunkData(size),
            },
            Expected::ChunkEnd if self.pending == b"\r\n" => Expected::ChunkLine,
            // No trailer fields: nobody sends any, and they could be anything.
            Expected::LastEnd if self.pending == b"\r\n" => Expected::Head,
            Expected::Body(_) | Expected::ChunkData(_) | Expected::ChunkEnd | Expected::LastEnd => {
                return Err(Ambiguous);
            }
        };
        self.release();
        Ok(())
    }

    fn release(&mut self) {
        self.released.append(&mut self.pending);
    }
}

/// What follows a whole head.
fn after_head(head: &[u8]) -> Result<Expected, Ambiguous> {
    let lines = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    let mut lines = lines
        .split(|octet| *octet == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let is_old = lines
        .next()
        .is_none_or(|first| !first.ends_with(b"HTTP/1.1"));
    let mut length = None;
    let mut is_chunked = false;
    let mut hosts = 0;
    for line in lines {
        let colon = line.iter().position(|octet| *octet == b':');
        let (name, value) = colon
            .and_then(|at| line.split_at_checked(at))
            .ok_or(Ambiguous)?;
        // §5.1 and §5.2: no space before the colon, no folded line, no CR within one.
        if name.is_empty() || !name.iter().all(is_token) || line.contains(&b'\r') {
            return Err(Ambiguous);
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            // §6.3: two lengths, even the same, are not ours to choose from.
            let number = decimal(value).ok_or(Ambiguous)?;
            if length.replace(number).is_some() {
                return Err(Ambiguous);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if is_chunked || is_old || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Ambiguous);
            }
            is_chunked = true;
        }
    }
    // §3.2: HTTP/1.1 names its host, once.
    if hosts > 1 || hosts == 0 && !is_old {
        return Err(Ambiguous);
    }
    match (is_chunked, length) {
        (true, Some(_)) => Err(Ambiguous),
        (true, None) => Ok(Expected::ChunkLine),
        (false, None | Some(0)) => Ok(Expected::Head),
        (false, Some(length)) => Ok(Expected::Body(length)),
    }
}

/// RFC 9110 §5.6.2.
fn is_token(octet: &u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(octet)
}

fn decimal(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| is_number)?;
    text.parse().ok()
}

/// The size before a chunk; what an extension says is not our concern.
fn chunk_size(line: &[u8]) -> Result<u64, Ambiguous> {
    let line = line.strip_suffix(b"\r\n").ok_or(Ambiguous)?;
    let mut parts = line.split(|octet| *octet == b';');
    let digits = parts.next().unwrap_or_default();
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_number);
    let size = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    size.ok_or(Ambiguous)
}

/// A stream on which only requests that are beyond doubt are read, each within its time.
pub(super) struct Framed<S, R> {
    inner: S,
    framing: Framing,
    /// Until when the head that has begun must be whole.
    deadline: Pin<Box<Sleep>>,
    is_timed: bool,
    is_over: bool,
    refused: R,
}

/// Why a stream was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Ambiguous,
    TooSlow,
}

impl<S, R: FnMut(Cut)> Framed<S, R> {
    /// `refused` is told when a stream is cut off.
    pub(super) fn new(inner: S, refused: R) -> Self {
        Self {
            inner,
            framing: Framing::new(),
            deadline: Box::pin(sleep_until(Instant::now())),
            is_timed: false,
            is_over: false,
            refused,
        }
    }

    /// Gives out what was released, as far as there is room.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let many = self.framing.released.len().min(buffer.remaining());
        buffer.put_slice(self.framing.released.get(..many).unwrap_or_default());
        self.framing.released.drain(..many);
        many > 0
    }

    /// Watches the time from the first octet of a head on.
    fn watch(&mut self) {
        let has_begun = self.framing.expected == Expected::Head && !self.framing.pending.is_empty();
        if has_begun && !self.is_timed {
            let deadline = Instant::now() + HEAD_PATIENCE;
            self.deadline.as_mut().reset(deadline);
        }
        self.is_timed = has_begun;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: FnMut(Cut) + Unpin> AsyncRead for Framed<S, R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.give(buffer) || this.is_over {
                return Poll::Ready(Ok(()));
            }
            let mut octets = [0; READ_OCTETS];
            let mut fresh = ReadBuf::new(&mut octets);
            match Pin::new(&mut this.inner).poll_read(context, &mut fresh) {
                Poll::Pending => {
                    if !this.is_timed {
                        return Poll::Pending;
                    }
                    ready!(this.deadline.as_mut().poll(context));
                    this.is_over = true;
                    (this.refused)(Cut::TooSlow);
                    if this.framing.heads == 0 {
                        // Nobody else writes yet. What does not fit into an empty socket is lost.
                        let inner = Pin::new(&mut this.inner);
                        drop(inner.poll_write(context, TOO_SLOW));
                    }
                }
                Poll::Ready(read) => {
                    read?;
                    let fresh = fresh.filled();
                    this.is_over = fresh.is_empty();
                    if this.framing.feed(fresh).is_err() {
                        this.is_over = true;
                        (this.refused)(Cut::Ambiguous);
                        this.framing.released.extend_from_slice(NO_REQUEST);
                    }
                    this.watch();
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin, R: Unpin> AsyncWrite for Framed<S, R> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
