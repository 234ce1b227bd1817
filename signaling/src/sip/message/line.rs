//! Where lines end.
//!
//! Sixty-four bytes are looked at in one step, so that the header block is read at the speed of
//! the memory and not byte by byte. A CR or LF alone also ends a line here: whoever asks learns
//! that it was alone, and refuses the message (RFC 3261 §7: lines end in CRLF), but can still read
//! the fields that an answer is made of.

use wide::u8x16;

const BLOCK: usize = 64;

/// One line as it stands, folds not joined.
#[derive(Clone, Copy)]
pub(super) struct PhysicalLine {
    /// Where its CR or LF stands.
    pub(super) end: usize,
    /// Where the next line starts.
    pub(super) next: usize,
    /// Whether it ends in CR or LF alone.
    pub(super) is_bare: bool,
}

/// The line ends of some bytes, in order.
pub(super) struct LineEnds<'a> {
    bytes: &'a [u8],
    base: usize,
    mask: u64,
    /// The mask of the next block, made before it is needed: the processor works on it while the
    /// lines of this block are read.
    mask_ahead: u64,
}

impl<'a> LineEnds<'a> {
    /// Starts at `from`, the start of a line.
    #[inline]
    pub(super) fn new(bytes: &'a [u8], from: usize) -> Self {
        Self {
            bytes,
            base: from,
            mask: block_line_ends(bytes, from),
            mask_ahead: block_line_ends(bytes, from.saturating_add(BLOCK)),
        }
    }

    /// The end of the current line; `None` if it does not end within the bytes.
    #[inline]
    pub(super) fn next_line(&mut self) -> Option<PhysicalLine> {
        let end = self.pop()?;
        let next = end.saturating_add(1);
        if self.bytes.get(end) == Some(&b'\r') && self.bytes.get(next) == Some(&b'\n') {
            self.pop();
            return Some(PhysicalLine {
                end,
                next: next.saturating_add(1),
                is_bare: false,
            });
        }
        Some(PhysicalLine {
            end,
            next,
            is_bare: true,
        })
    }

    #[inline]
    fn pop(&mut self) -> Option<usize> {
        if self.mask == 0 {
            self.load_next()?;
        }
        let at = self.mask.trailing_zeros() as usize;
        self.mask &= self.mask.wrapping_sub(1);
        Some(self.base.saturating_add(at))
    }

    /// Goes on to the next block that has a line end.
    #[inline(never)]
    fn load_next(&mut self) -> Option<()> {
        while self.mask == 0 {
            self.base = self.base.saturating_add(BLOCK);
            if self.base >= self.bytes.len() {
                return None;
            }
            self.mask = self.mask_ahead;
            self.mask_ahead = block_line_ends(self.bytes, self.base.saturating_add(BLOCK));
        }
        Some(())
    }
}

/// The line ends of the block at this place, which the bytes may end before.
#[inline]
fn block_line_ends(bytes: &[u8], base: usize) -> u64 {
    match bytes.get(base..).and_then(|rest| rest.first_chunk()) {
        Some(block) => line_ends(block),
        None => last_line_ends(bytes.get(base..).unwrap_or_default()),
    }
}

/// The line ends of less than a block.
#[cold]
fn last_line_ends(rest: &[u8]) -> u64 {
    let mut block = [0; BLOCK];
    for (to, from) in block.iter_mut().zip(rest) {
        *to = *from;
    }
    line_ends(&block)
}

/// One bit for each CR and LF of the block, the first byte in the lowest bit.
#[inline]
fn line_ends(block: &[u8; BLOCK]) -> u64 {
    let (lanes, _) = block.as_chunks::<16>();
    let (cr, lf) = (u8x16::splat(b'\r'), u8x16::splat(b'\n'));
    lanes.iter().rev().fold(0, |mask, lane| {
        let lane = u8x16::from(*lane);
        let hits = lane.simd_eq(cr) | lane.simd_eq(lf);
        mask << 16 | u64::from(hits.to_bitmask())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_is_a_bit() {
        let mut block = [b'a'; BLOCK];
        let mut seed = 1_u32;
        for _ in 0..2_000 {
            for byte in &mut block {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = [b'\r', b'\n', b'a', 0, 0x8d, 0x8a, 0x0c, 0x0e][(seed >> 24) as usize % 8];
            }
            let slow = (0..BLOCK).fold(0, |mask, at| {
                mask | u64::from(matches!(block[at], b'\r' | b'\n')) << at
            });
            assert_eq!(line_ends(&block), slow);
        }
    }

    #[test]
    fn lines_end_where_they_end() {
        for padding in 0..200 {
            let text = format!("{}\r\nb\nc\rd\r\r\n\r\n\ne", "a".repeat(padding));
            let mut ends = LineEnds::new(text.as_bytes(), 0);
            let mut start = 0;
            let mut lines = Vec::new();
            while let Some(line) = ends.next_line() {
                lines.push((text.as_bytes()[start..line.end].to_vec(), line.is_bare));
                start = line.next;
            }
            let expected = [
                (&text.as_bytes()[..padding], false),
                (b"b", true),
                (b"c", true),
                (b"d", true),
                (b"", false),
                (b"", false),
                (b"", true),
            ];
            assert!(
                lines
                    .iter()
                    .map(|(text, bare)| (text.as_slice(), *bare))
                    .eq(expected)
            );
            assert_eq!(&text.as_bytes()[start..], b"e");
        }
    }
}
