//! `[admin]`: where the node is watched and told what to do.

use super::section::Section;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The doors for operators and their programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// `listen`: where figures and health are read over HTTP; `None` for nowhere.
    pub listen: Option<Wanted<SocketAddr>>,
    /// `socket`: the local socket that commands come through; `None` for none.
    pub socket: Option<Wanted<PathBuf>>,
    /// `connections`: connections at one time, at each of the two.
    pub connections: usize,
}

/// A place, and how much it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted<T> {
    /// The place.
    pub place: T,
    /// Whether the file names it: a node that cannot have it does not start. One that is only the
    /// default is done without.
    pub is_written: bool,
}

pub(super) const KEYS: &[&str] = &["listen", "socket", "connections"];

/// Where commands look for a node when nobody says otherwise.
pub const SOCKET: &str = "/run/baton/baton.sock";
const LISTEN: &str = "127.0.0.1:9060";
/// `sun_path` has 108 octets, one of them for the end; the socket is made under a name that is
/// longer by this much.
const SOCKET_OCTETS_MAX: usize = 107 - 4;

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: LISTEN.parse().ok().map(Wanted::by_default),
            socket: Some(Wanted::by_default(PathBuf::from(SOCKET))),
            connections: 64,
        }
    }
}

impl<T> Wanted<T> {
    fn by_default(place: T) -> Self {
        Self {
            place,
            is_written: false,
        }
    }

    fn written(place: T) -> Self {
        Self {
            place,
            is_written: true,
        }
    }
}

impl Admin {
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Self {
        let default = Self::default();
        Self {
            listen: read_listen(section, default.listen),
            socket: read_socket(section, default.socket),
            connections: section.number("connections", 4..=1_024, default.connections),
        }
    }
}

fn read_listen(
    section: &mut Section<'_, '_, '_>,
    default: Option<Wanted<SocketAddr>>,
) -> Option<Wanted<SocketAddr>> {
    let Some(text) = section.text("listen", LISTEN) else {
        return default;
    };
    if text.value.is_empty() {
        return None;
    }
    let message = match text.value.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => return Some(Wanted::written(address)),
        Ok(address) => format!(
            "`listen` is {address}, which others reach, and nobody is asked who he is there; write \
             `listen = \"127.0.0.1:{}\"` and let a proxy with authentication stand before it",
            address.port()
        ),
        Err(_) => format!(
            "`listen` is {:?}; it takes a loopback address with a port, such as `listen = \
             \"{LISTEN}\"`, or `listen = \"\"` for none",
            text.value
        ),
    };
    section.findings().add(text.at, message);
    default
}

fn read_socket(
    section: &mut Section<'_, '_, '_>,
    default: Option<Wanted<PathBuf>>,
) -> Option<Wanted<PathBuf>> {
    let Some(text) = section.text("socket", SOCKET) else {
        return default;
    };
    if text.value.is_empty() {
        return None;
    }
    let path = PathBuf::from(text.value);
    if path.is_absolute() && text.value.len() <= SOCKET_OCTETS_MAX && !text.value.contains('\0') {
        return Some(Wanted::written(path));
    }
    let message = format!(
        "`socket` is {:?}; it takes an absolute path of at most {SOCKET_OCTETS_MAX} octets, such \
         as `socket = \"{SOCKET}\"`, or `socket = \"\"` for none",
        text.value
    );
    section.findings().add(text.at, message);
    default
}
