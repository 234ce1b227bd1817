//! Where messages are written that are about to be sent: one arena a worker, emptied when the shell
//! has sent the batch.

use crate::sip::message::{Full, Writer};

/// Bytes in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    length: u32,
}

impl Span {
    /// How many bytes.
    #[must_use]
    pub fn len(self) -> usize {
        self.length as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.length == 0
    }
}

/// The first size of the arena; it grows only when one batch needs more.
const FIRST: usize = 256 * 1024;

pub(crate) struct Outbox {
    arena: Vec<u8>,
    used: usize,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            arena: vec![0; FIRST],
            used: 0,
        }
    }

    /// Writes one message of at most `room` bytes.
    pub(crate) fn write(
        &mut self,
        room: usize,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Span, Full> {
        if self.arena.len() < self.used + room {
            let size = (self.used + room).next_power_of_two();
            self.arena.resize(size, 0);
        }
        let rest = self
            .arena
            .get_mut(self.used..self.used + room)
            .unwrap_or(&mut []);
        let mut writer = Writer::new(rest);
        write(&mut writer);
        let length = writer.finish()?;
        // A batch beyond 4 GiB would be a fault of the shell, which must empty the outbox.
        let start = u32::try_from(self.used).map_err(|_| Full)?;
        let span = Span {
            start,
            length: u32::try_from(length).map_err(|_| Full)?,
        };
        self.used += length;
        Ok(span)
    }

    /// Copies a message that was kept.
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Result<Span, Full> {
        self.write(bytes.len(), |writer| writer.put(bytes))
    }

    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.arena.get(start..start + span.len()).unwrap_or(&[])
    }

    /// Everything written has been sent: start again at the front.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }
}
