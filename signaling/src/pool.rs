//! Buffers that are used again: what a transaction keeps of a message costs no allocation on the
//! steady path.

/// Two sizes cover what is kept: heads of responses and small messages, and whole INVITEs with
/// their SDP.
const SMALL: usize = 512;
const MEDIUM: usize = 2048;
/// At most so many idle buffers of a size are kept; the rest goes back to the allocator.
const IDLE_MAX: usize = 4096;

/// Bytes kept for later, of the length that was written.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
}

impl Buffer {
    /// What was written.
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All the room there is, to write into; follow it with [`Buffer::set_length`].
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Says how much of the room was written.
    pub(crate) fn set_length(&mut self, length: usize) {
        debug_assert!(
            length <= self.bytes.len(),
            "a buffer is not longer than its room"
        );
        self.length = length;
    }
}

/// Idle buffers of one worker.
#[derive(Default)]
pub(crate) struct Pool {
    small: Vec<Vec<u8>>,
    medium: Vec<Vec<u8>>,
    /// Octets of the buffers that are out.
    held: usize,
}

impl Pool {
    /// A buffer with room for at least `room` bytes.
    pub(crate) fn take(&mut self, room: usize) -> Buffer {
        let bytes = if room <= SMALL {
            self.small.pop().unwrap_or_else(|| vec![0; SMALL])
        } else if room <= MEDIUM {
            self.medium.pop().unwrap_or_else(|| vec![0; MEDIUM])
        } else {
            vec![0; room]
        };
        self.held += bytes.len();
        Buffer { bytes, length: 0 }
    }

    /// A buffer that holds a copy of `bytes`.
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Buffer {
        let mut buffer = self.take(bytes.len());
        if let Some(room) = buffer.bytes.get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        buffer.length = bytes.len();
        buffer
    }

    /// Octets that are kept for transactions and calls: what the buffers take, whatever is in them.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Gives a buffer back. An empty one (`Buffer::default()`) is welcome too.
    pub(crate) fn put(&mut self, buffer: Buffer) {
        debug_assert!(
            buffer.bytes.len() <= self.held,
            "what comes back was given out"
        );
        self.held = self.held.saturating_sub(buffer.bytes.len());
        let idle = match buffer.bytes.len() {
            SMALL => &mut self.small,
            MEDIUM => &mut self.medium,
            _ => return,
        };
        if idle.len() < IDLE_MAX {
            idle.push(buffer.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_back_is_taken_again() {
        let mut pool = Pool::default();
        let first = pool.copy(b"hello");
        assert_eq!(first.as_slice(), b"hello");
        let place = first.bytes.as_ptr();
        assert_eq!(pool.held(), SMALL);
        pool.put(first);
        assert_eq!(pool.held(), 0);
        pool.put(Buffer::default());
        let second = pool.take(100);
        assert_eq!(second.bytes.as_ptr(), place);
        assert!(second.is_empty(), "nothing of the last tenant shows");
        assert_eq!(pool.copy(&[7; 5000]).as_slice(), &[7; 5000]);
    }
}
