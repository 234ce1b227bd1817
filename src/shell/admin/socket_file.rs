//! The local socket's file: made with its rights from the first moment, and taken away in the end.

use anyhow::{Context, bail};
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// The owner and the group: whoever may open the file may do everything.
const RIGHTS: u32 = 0o660;

/// The file, removed with this unless somebody else's stands in its place by then.
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

/// Makes the socket. One that a dead process left behind is replaced; one that somebody serves is not.
pub(super) fn bind(path: &Path) -> anyhow::Result<(UnixListener, SocketFile)> {
    if let Ok(found) = fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            bail!("there is something else of that name; move it away or choose another path");
        }
        if UnixStream::connect(path).is_ok() {
            bail!("another program answers there; stop it or choose another path");
        }
    } else if let Some(folder) = path.parent()
        && !folder.exists()
    {
        fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    // Made under another name and moved, so that nobody finds it before it has its rights.
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    remove_if_there(&new)?;
    let listener = UnixListener::bind(&new)?;
    fs::set_permissions(&new, Permissions::from_mode(RIGHTS))?;
    let inode = fs::symlink_metadata(&new)?.ino();
    fs::rename(&new, path)?;
    let path = path.to_owned();
    Ok((listener, SocketFile { path, inode }))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| found.ino() == self.inode) {
            // Nobody is left to hear that it failed.
            drop(fs::remove_file(&self.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("baton-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[tokio::test]
    async fn rights_are_narrow_and_the_end_is_clean() {
        let folder = folder("rights");
        let path = folder.join("inner").join("a.sock");
        let (_listener, file) = bind(&path).expect("free");
        let mode = fs::metadata(&path).expect("made").permissions().mode();
        assert_eq!(mode & 0o777, RIGHTS);
        drop(file);
        assert!(!path.exists());
        fs::remove_dir_all(folder).expect("removed");
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
        let folder = folder("stale");
        let path = folder.join("a.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("free"));
        let (_listener, file) = bind(&path).expect("nobody answers the old one");
        let error = bind(&path).err().expect("somebody answers");
        assert!(
            error.to_string().contains("another program answers"),
            "{error}"
        );
        drop(file);
        fs::write(&path, "text").expect("written");
        let error = bind(&path).err().expect("a file");
        assert!(error.to_string().contains("something else"), "{error}");
        fs::remove_dir_all(folder).expect("removed");
    }

    #[tokio::test]
    async fn what_somebody_else_made_is_left() {
        let folder = folder("other");
        let path = folder.join("a.sock");
        let (listener, file) = bind(&path).expect("free");
        drop(listener);
        let (_other, _other_file) = bind(&path).expect("nobody answers the old one");
        drop(file);
        assert!(path.exists());
        fs::remove_dir_all(folder).expect("removed");
    }
}
