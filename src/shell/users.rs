//! The file of a zone's users: `name:password` on each line, and comments behind `#` at its start.

use crate::config::User;
use anyhow::{Context, bail};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tracing::warn;

/// Larger files hold no users.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Reads the users. What is wrong with a line is told by its number alone: it may hold a password.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<User>> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("cannot open the users of {name}"))?;
    let about = file.metadata()?;
    if about.len() > FILE_BYTES_MAX {
        bail!("{name} is larger than 16 MiB, so it holds no users");
    }
    if about.permissions().mode() & 0o077 != 0 {
        warn!(file = %name, "others on this machine may read or write the passwords; chmod 600 it");
    }
    let mut users = Vec::new();
    for (line, number) in BufReader::new(file.take(FILE_BYTES_MAX)).lines().zip(1..) {
        let line = line.with_context(|| format!("cannot read {name}"))?;
        let text = line.trim_end();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match User::read(text) {
            Some(user) => users.push(user),
            None => bail!("{name}:{number}: a user is a name, a colon and a password"),
        }
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read_text(text: &str) -> anyhow::Result<Vec<User>> {
        let number = std::process::id();
        let path = std::env::temp_dir().join(format!("baton-users-{number}-{}", text.len()));
        File::create(&path)?.write_all(text.as_bytes())?;
        let users = read(&path);
        std::fs::remove_file(&path)?;
        users
    }

    #[test]
    fn users_comments_and_empty_lines() {
        let users = read_text("# rooms\nroom-1:a:b\n\nroom-2: c\r\n").unwrap();
        let shown: Vec<(&str, &str)> = users
            .iter()
            .map(|user| (user.name.as_str(), user.password.as_str()))
            .collect();
        assert_eq!(shown, [("room-1", "a:b"), ("room-2", " c")]);
    }

    #[test]
    fn a_wrong_line_is_told_without_its_text() {
        let error = read_text("room-1:a\nsecret\n").unwrap_err().to_string();
        assert!(error.ends_with(":2: a user is a name, a colon and a password"));
        assert!(!error.contains("secret"));
    }
}
