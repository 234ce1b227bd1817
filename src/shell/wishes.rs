//! What operators want of peers beyond a restart (`--persist`): one line in a file for each peer, its
//! name and the word. The file is the node's own; the configuration is never written
//! (docs/decisions/0023).

use anyhow::{Context, bail};
use arc_swap::ArcSwap;
use balancer::Operator;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const HEAD: &str = "# What operators want of peers; written by `baton peer ... --persist`.\n";

/// What is kept, by peer.
type Kept = BTreeMap<String, Operator>;

/// What operators want to last. Written by the main thread alone.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    file: Option<PathBuf>,
    kept: ArcSwap<Kept>,
}

impl Wishes {
    /// Reads the file; one that is not there yet is empty.
    pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else {
            return Ok(Self::default());
        };
        let name = file.display();
        let text = match fs::read_to_string(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read.with_context(|| format!("cannot read {name} of [node] state_file"))?,
        };
        let mut kept = Kept::new();
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wish = line
                .split_once(' ')
                .and_then(|(peer, word)| Some((peer, Operator::of_word(word.trim())?)));
            let Some((peer, operator)) = wish else {
                bail!("{name}:{number}: a line is a peer and `drain`, `maint` or `ready`");
            };
            kept.insert(peer.to_owned(), operator);
        }
        Ok(Self {
            file: Some(file.to_owned()),
            kept: ArcSwap::from_pointee(kept),
        })
    }

    /// Has the peers begin as operators want them.
    pub(super) fn apply(&self, settings: &mut balancer::Settings) {
        let kept = self.kept.load();
        for peer in &mut settings.peers {
            if let Some(operator) = kept.get(&peer.name) {
                peer.operator = *operator;
            }
        }
    }

    /// Whether there is a file to keep wishes in.
    pub(super) fn can_keep(&self) -> bool {
        self.file.is_some()
    }

    /// Keeps a wish: what was in the file is replaced whole or not at all.
    pub(super) fn keep(&self, peer: &str, operator: Operator) -> anyhow::Result<()> {
        let Some(file) = &self.file else {
            bail!("there is no file to keep it in; name one: `[node] state_file`");
        };
        let mut kept = Kept::clone(&self.kept.load());
        kept.insert(peer.to_owned(), operator);
        let lines = kept
            .iter()
            .map(|(peer, operator)| format!("{peer} {}\n", operator.as_str()));
        let text: String = std::iter::once(HEAD.to_owned()).chain(lines).collect();
        write_whole(file, &text).with_context(|| format!("cannot write {}", file.display()))?;
        self.kept.store(Arc::new(kept));
        Ok(())
    }
}

fn write_whole(file: &Path, text: &str) -> std::io::Result<()> {
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let mut writing = File::create(&new)?;
    writing.write_all(text.as_bytes())?;
    writing.sync_all()?;
    fs::rename(&new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("baton-wishes-{name}-{}", std::process::id()))
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let file = file("kept");
        let wishes = Wishes::read(Some(&file)).unwrap();
        wishes.keep("bridge-1", Operator::Maint).unwrap();
        wishes.keep("set@a.example.com", Operator::Drain).unwrap();
        wishes.keep("bridge-1", Operator::Ready).unwrap();
        let again = Wishes::read(Some(&file)).unwrap();
        let kept = again.kept.load();
        let kept: Vec<_> = kept
            .iter()
            .map(|(peer, wish)| (peer.as_str(), *wish))
            .collect();
        let expected = [
            ("bridge-1", Operator::Ready),
            ("set@a.example.com", Operator::Drain),
        ];
        assert_eq!(kept, expected);
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn what_is_no_wish_is_told_with_its_line() {
        let file = file("wrong");
        fs::write(&file, "# comment\n\nbridge-1 off\n").unwrap();
        let error = Wishes::read(Some(&file)).unwrap_err().to_string();
        assert!(error.contains(":3: a line is a peer and"), "{error}");
        fs::remove_file(file).unwrap();
        assert!(Wishes::default().keep("bridge-1", Operator::Drain).is_err());
    }
}
