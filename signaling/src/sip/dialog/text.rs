//! Several texts in one allocation.

/// `N` texts, one after another.
#[derive(Debug)]
pub(crate) struct Parts<const N: usize> {
    bytes: Box<[u8]>,
    ends: [u32; N],
}

impl<const N: usize> Parts<N> {
    /// Copies the texts.
    pub(crate) fn new(texts: [&[u8]; N]) -> Self {
        let mut bytes = Vec::with_capacity(texts.iter().map(|text| text.len()).sum());
        let ends = texts.map(|text| {
            bytes.extend_from_slice(text);
            u32::try_from(bytes.len()).expect("a message is below 64 KiB")
        });
        Self {
            bytes: bytes.into_boxed_slice(),
            ends,
        }
    }

    /// One of them.
    pub(crate) fn part(&self, index: usize) -> &[u8] {
        let end = self.ends.get(index).copied().unwrap_or(0);
        let start = index
            .checked_sub(1)
            .and_then(|before| self.ends.get(before).copied())
            .unwrap_or(0);
        self.bytes.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// Octets of all.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_as_they_went_in() {
        let parts = Parts::new([b"one".as_slice(), b"", b"three"]);
        assert_eq!(
            (parts.part(0), parts.part(1), parts.part(2)),
            (&b"one"[..], &b""[..], &b"three"[..])
        );
        assert_eq!(parts.part(3), b"");
        assert_eq!(parts.len(), 8);
    }
}
