//! Who the members are and how long silence counts.

use crate::figure::{Key, hashed};
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;

/// Members of a cluster beside this node; the old systems had five.
const MEMBERS_MAX: usize = 63;
/// Octets of a shared key, at least: what a MAC of 128 bits is worth.
const KEY_MIN: usize = 16;

/// All that a [`Cluster`](crate::Cluster) is told at its construction and at a reload.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who this node is.
    pub identity: Identity,
    /// All other members.
    pub members: Vec<MemberSettings>,
    /// The key that all members share.
    pub key: Vec<u8>,
    /// A hash of what must be the same everywhere: subzones, links, pipes.
    pub configuration: u64,
    /// What becomes of the use that a silent member told.
    pub silence: Silence,
}

/// A node among members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster's name.
    pub cluster: String,
    /// The node's name.
    pub name: String,
    /// A number that is higher after each start of the node, such as the time. One that is not is
    /// mended with the first word of a member that knows better.
    pub epoch: u64,
}

/// Another member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSettings {
    /// Its name, which it gives itself in its own configuration.
    pub name: String,
    /// Where it hears updates and tells them from.
    pub address: SocketAddr,
}

/// What becomes of the use that a member told when it falls silent. Its calls are probably still up:
/// their media do not pass through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It counts for this long, then no more.
    Hold(Duration),
    /// It counts less and less, and nothing after this time.
    Decay(Duration),
    /// It counts no more as soon as the member is missed.
    Release,
}

/// Why settings cannot be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    /// A key that can be guessed.
    #[error("the key has fewer than {KEY_MIN} octets")]
    Key,
    /// A table that is too long.
    #[error("more than {MEMBERS_MAX} members")]
    Members,
    /// A member has this node's name or that of another.
    #[error("two members are called \"{0}\"")]
    Name(String),
    /// Two members at one address.
    #[error("two members are at {0}")]
    Address(SocketAddr),
    /// Two names with the same number.
    #[error("the names \"{0}\" and \"{1}\" have the same number on the wire: rename one")]
    Number(String, String),
}

impl Settings {
    /// Whether they can be.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.key.len() < KEY_MIN {
            return Err(SettingsError::Key);
        }
        if self.members.len() > MEMBERS_MAX {
            return Err(SettingsError::Members);
        }
        let mut before = vec![self.identity.name.as_str()];
        for (at, member) in self.members.iter().enumerate() {
            if before.contains(&member.name.as_str()) {
                return Err(SettingsError::Name(member.name.clone()));
            }
            before.push(&member.name);
            let others = self.members.iter().take(at);
            if others
                .map(|other| other.address)
                .any(|address| address == member.address)
            {
                return Err(SettingsError::Address(member.address));
            }
        }
        Ok(())
    }

    /// Whether all names of peers (or of resources) have numbers of their own.
    ///
    /// # Errors
    /// The first two that have not.
    pub fn check_names<'a>(
        names: impl Iterator<Item = &'a str>,
        key: impl Fn(&str) -> Key,
    ) -> Result<(), SettingsError> {
        let mut numbered: Vec<(u32, &str)> = names.map(|name| (key(name).id, name)).collect();
        numbered.sort_unstable();
        numbered.dedup();
        for pair in numbered.windows(2) {
            if let [(one, first), (other, second)] = pair
                && one == other
            {
                return Err(SettingsError::Number((*first).into(), (*second).into()));
            }
        }
        Ok(())
    }
}

impl Identity {
    /// The cluster's number on the wire.
    pub(crate) fn cluster_id(&self) -> u64 {
        u64::from_be_bytes(hashed(&self.cluster))
    }
}

impl MemberSettings {
    /// The number of a member's name on the wire.
    pub(crate) fn id_of(name: &str) -> u64 {
        u64::from_be_bytes(hashed(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let member = |name: &str, port| MemberSettings {
            name: name.into(),
            address: SocketAddr::from(([127, 0, 0, 1], port)),
        };
        Settings {
            identity: Identity {
                cluster: "lab".into(),
                name: "a".into(),
                epoch: 1,
            },
            members: vec![member("b", 1), member("c", 2)],
            key: vec![7; 16],
            configuration: 0,
            silence: Silence::Hold(Duration::from_secs(1800)),
        }
    }

    #[test]
    fn says_what_cannot_be() {
        assert_eq!(settings().check(), Ok(()));
        let mut short = settings();
        short.key.pop();
        assert_eq!(short.check(), Err(SettingsError::Key));
        let mut own = settings();
        own.members[1].name = "a".into();
        assert_eq!(own.check(), Err(SettingsError::Name("a".into())));
        let mut twice = settings();
        twice.members[1].name = "b".into();
        assert_eq!(twice.check(), Err(SettingsError::Name("b".into())));
        let mut place = settings();
        place.members[1].address = place.members[0].address;
        assert!(matches!(place.check(), Err(SettingsError::Address(_))));
        let mut many = settings();
        many.members = vec![many.members[0].clone(); MEMBERS_MAX + 1];
        assert_eq!(many.check(), Err(SettingsError::Members));
    }

    #[test]
    fn names_with_the_same_number_are_found() {
        let apart = ["one", "two", "one"];
        assert_eq!(
            Settings::check_names(apart.into_iter(), Key::sessions),
            Ok(()),
            "the same name twice is one name"
        );
        let same = |_: &str| Key::sessions("x");
        assert!(matches!(
            Settings::check_names(apart.into_iter(), same),
            Err(SettingsError::Number(_, _))
        ));
    }
}
