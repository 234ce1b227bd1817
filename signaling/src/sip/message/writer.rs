//! Writing a message into a buffer that the caller owns.
//!
//! Nothing is allocated and nothing panics: what does not fit is remembered, and [`Writer::finish`]
//! says so once. The writer checks no grammar; the values it is given come from an indexed message
//! or from Baton itself.

use super::{Line, Message};

/// The buffer was too small for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message does not fit the buffer it is written to")]
pub struct Full;

/// A message being written.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    length: usize,
    is_full: bool,
}

impl<'a> Writer<'a> {
    /// Starts at the beginning of the buffer.
    #[must_use]
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self {
            buffer,
            length: 0,
            is_full: false,
        }
    }

    /// Writes `METHOD uri SIP/2.0`.
    pub fn request_line(&mut self, method: &[u8], uri: &[u8]) {
        self.put(method);
        self.put(b" ");
        self.put(uri);
        self.put(b" SIP/2.0\r\n");
    }

    /// Writes `SIP/2.0 status reason`.
    pub fn status_line(&mut self, status: u16, reason: &[u8]) {
        self.put(b"SIP/2.0 ");
        self.number(u32::from(status));
        self.put(b" ");
        self.put(reason);
        self.put(b"\r\n");
    }

    /// Writes the bytes as they are.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        match self.buffer.get_mut(self.length..end) {
            Some(place) if !self.is_full => {
                place.copy_from_slice(bytes);
                self.length = end;
            }
            _ => self.is_full = true,
        }
    }

    /// Writes the number in decimal.
    pub fn number(&mut self, number: u32) {
        let mut digits = [b'0'; 10];
        let mut rest = number;
        let mut count = 0_usize;
        for place in digits.iter_mut().rev() {
            *place = b'0' | u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            count = count.saturating_add(1);
            if rest == 0 {
                break;
            }
        }
        let start = digits.len().saturating_sub(count);
        self.put(digits.get(start..).unwrap_or_default());
    }

    /// Writes `Name: value`.
    #[inline]
    pub fn header(&mut self, name: &[u8], value: &[u8]) {
        self.put(name);
        self.put(b": ");
        self.put(value);
        self.put(b"\r\n");
    }

    /// Copies the header lines that are to be kept, byte for byte and in order; neighbours go in
    /// one copy.
    pub fn pass(&mut self, message: &Message<'_>, keep: impl Fn(&Line<'_>) -> bool) {
        let bytes = message.whole();
        let mut run = 0..0;
        for (span, line) in message.spans() {
            if !keep(&line) {
                continue;
            }
            if span.start != run.end {
                self.put(bytes.get(run.clone()).unwrap_or_default());
                run.start = span.start;
            }
            run.end = span.end;
        }
        self.put(bytes.get(run).unwrap_or_default());
    }

    /// Writes `Content-Length`, the empty line and the body: the end of the message.
    pub fn body(&mut self, body: &[u8]) {
        self.put(b"Content-Length: ");
        self.number(u32::try_from(body.len()).unwrap_or(u32::MAX));
        self.put(b"\r\n\r\n");
        self.put(body);
    }

    /// How many bytes are written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing is written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The length of the message, if all of it fitted.
    ///
    /// # Errors
    /// [`Full`] if anything did not fit; the buffer then holds a part that must not be sent.
    pub fn finish(self) -> Result<usize, Full> {
        if self.is_full {
            Err(Full)
        } else {
            Ok(self.length)
        }
    }
}
