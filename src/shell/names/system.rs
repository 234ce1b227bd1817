//! The name servers of this host, from `/etc/resolv.conf`.

use hickory_resolver::system_conf::read_system_conf;
use std::net::SocketAddr;

/// The port of name servers.
const PORT: u16 = 53;

/// The servers in the order of the file; none if there is no file or no server in it.
pub(super) fn servers() -> Vec<SocketAddr> {
    let Ok((config, _)) = read_system_conf() else {
        return Vec::new();
    };
    let servers = config.name_servers().iter();
    servers
        .map(|server| SocketAddr::new(server.ip, PORT))
        .collect()
}
