//! The name servers of this host, from `/etc/resolv.conf`.

use hickory_resolver::system_conf::read_system_conf;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The port of name servers.
const PORT: u16 = 53;
const FILE: &str = "/etc/resolv.conf";

/// The file as it was read.
#[derive(Debug)]
pub(super) struct Seen {
    file: PathBuf,
    state: Option<State>,
}

/// Whoever writes the file anew changes one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    changed: SystemTime,
    inode: u64,
    octets: u64,
}

/// The servers in the order of the file, none if there is no file or no server in it; and what the
/// file was.
pub(super) fn servers() -> (Vec<SocketAddr>, Seen) {
    // Before the content: what changes in between is read again.
    let seen = Seen::of(Path::new(FILE));
    let Ok((config, _)) = read_system_conf() else {
        return (Vec::new(), seen);
    };
    let servers = config.name_servers().iter();
    let servers = servers.map(|server| SocketAddr::new(server.ip, PORT));
    (servers.collect(), seen)
}

impl Seen {
    fn of(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            state: State::of(file),
        }
    }

    /// Whether the file is another one by now.
    pub(super) fn is_outdated(&self) -> bool {
        State::of(&self.file) != self.state
    }
}

impl State {
    fn of(file: &Path) -> Option<Self> {
        let about = fs::metadata(file).ok()?;
        Some(Self {
            changed: about.modified().ok()?,
            inode: about.ino(),
            octets: about.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_anew_is_seen() {
        let folder = std::env::temp_dir().join(format!("baton-resolv-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("resolv.conf");
        let absent = Seen::of(&file);
        assert!(!absent.is_outdated());
        fs::write(&file, "nameserver 192.0.2.1\n").expect("written");
        assert!(absent.is_outdated(), "it came");
        let first = Seen::of(&file);
        assert!(!first.is_outdated());
        let fresh = folder.join("fresh");
        fs::write(&fresh, "nameserver 192.0.2.2\n").expect("written");
        fs::rename(&fresh, &file).expect("moved");
        assert!(first.is_outdated(), "another file of as many octets");
        fs::remove_dir_all(folder).expect("removed");
    }
}
