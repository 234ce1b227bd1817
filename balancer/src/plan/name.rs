//! A conference's name on its way to the directory: built on the stack, in lower case.

/// The longest name; what would be longer names no conference.
pub(crate) const NAME_MAX: usize = 255;

/// A name of at most [`NAME_MAX`] bytes.
pub(crate) struct Name {
    bytes: [u8; NAME_MAX],
    len: u8,
}

impl Name {
    pub(crate) const fn empty() -> Self {
        Self {
            bytes: [0; NAME_MAX],
            len: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a text in lower case, so that letter case makes no second conference. `None`: it does
    /// not fit.
    pub(crate) fn push(&mut self, text: &str) -> Option<()> {
        if text.is_ascii() {
            let place = self.room(text.len())?;
            place.copy_from_slice(text.as_bytes());
            place.make_ascii_lowercase();
            return Some(());
        }
        for character in text.chars().flat_map(char::to_lowercase) {
            let place = self.room(character.len_utf8())?;
            character.encode_utf8(place);
        }
        Some(())
    }

    pub(crate) fn as_str(&self) -> &str {
        let written = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(written).unwrap_or_default()
    }

    /// The next so many bytes, which will be written.
    fn room(&mut self, bytes: usize) -> Option<&mut [u8]> {
        let start = usize::from(self.len);
        let end = start + bytes;
        let place = self.bytes.get_mut(start..end)?;
        self.len = u8::try_from(end).ok()?;
        Some(place)
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_bounded() {
        let mut name = Name::empty();
        name.push("Vertrieb.").expect("fits");
        name.push("\u{c4}RZTE\u{130}").expect("fits");
        assert_eq!(name.as_str(), "vertrieb.\u{e4}rztei\u{307}");
        assert_eq!(name.push(&"x".repeat(NAME_MAX)), None);
        let mut full = Name::empty();
        full.push(&"x".repeat(NAME_MAX)).expect("fits");
        assert_eq!(
            (full.push("x"), full.push("\u{e4}"), full.push("")),
            (None, None, Some(()))
        );
        assert_eq!(full.as_str().len(), NAME_MAX);
    }
}
