//! `[cluster]`: the other members, and how they tell each other what they use.

use super::bandwidth::entries;
use super::mistake::Findings;
use super::section::{Root, Section};
use cluster::{Identity, MemberSettings, Settings, Silence};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The other members, and how this node hears them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    /// `name`: the cluster's, the same at all members.
    pub name: String,
    /// `listen`: where this node hears the others, and tells them from.
    pub listen: SocketAddr,
    /// `key_file`: its first line is the key that all members share.
    pub key_file: PathBuf,
    /// `silence` and `hold_seconds`: what becomes of the use that a silent member told.
    pub silence: Silence,
    /// `[[cluster.member]]`: the others.
    pub members: Vec<MemberSettings>,
}

pub(super) const KEYS: &[&str] = &[
    "name",
    "listen",
    "key_file",
    "silence",
    "hold_seconds",
    "member",
];
pub(super) const MEMBER_KEYS: &[&str] = &["name", "address"];

/// The port that the guides of the old systems give to updates between members: that of RAS.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 1719);
const ADDRESS_EXAMPLE: &str = "192.0.2.2:1719";
const KEY_EXAMPLE: &str = "/etc/baton/cluster.key";
/// As long as a session refresh: a call whose node is dead does not outlive it.
const HOLD: Duration = Duration::from_secs(1_800);

/// How a silent member is treated.
#[derive(Clone, Copy)]
enum Treatment {
    Decay,
    Hold,
    Release,
}

/// The members; none where there is no table.
pub(super) fn read(root: &Root<'_>, node: &str, findings: &mut Findings<'_>) -> Option<Members> {
    root.value("cluster")?;
    let mut section = root.table("cluster", KEYS, findings);
    let name = section
        .text_required("name", "lab")
        .map(|text| text.value.to_owned());
    let listen = match section.text("listen", "0.0.0.0:1719") {
        None => LISTEN,
        Some(text) => address(&mut section, "listen", text.at, text.value)?,
    };
    let key_file = section.text_required("key_file", KEY_EXAMPLE);
    let key_file = key_file.map(|text| PathBuf::from(text.value));
    let treatments = [
        ("decay", Treatment::Decay),
        ("hold", Treatment::Hold),
        ("release", Treatment::Release),
    ];
    let treatment = section.choice("silence", &treatments, Treatment::Hold);
    let hold = section.seconds("hold_seconds", 3..=86_400, HOLD);
    let silence = match treatment {
        Treatment::Decay => Silence::Decay(hold),
        Treatment::Hold => Silence::Hold(hold),
        Treatment::Release => Silence::Release,
    };
    let members = entries(
        &mut section,
        "member",
        ("cluster.member", MEMBER_KEYS),
        member,
    );
    let members = Members {
        name: name?,
        listen,
        key_file: key_file?,
        silence,
        members,
    };
    check(&members, node, &mut section);
    Some(members)
}

fn member(section: &mut Section<'_, '_, '_>) -> Option<MemberSettings> {
    let name = section
        .text_required("name", "baton-2")
        .map(|text| text.value.to_owned());
    let text = section.text_required("address", ADDRESS_EXAMPLE)?;
    let address = address(section, "address", text.at, text.value)?;
    if address.ip().is_unspecified() {
        let message =
            format!("a member is at an address, such as `address = \"{ADDRESS_EXAMPLE}\"`");
        section.findings().add(text.at, message);
        return None;
    }
    Some(MemberSettings {
        name: name?,
        address,
    })
}

fn address(
    section: &mut Section<'_, '_, '_>,
    key: &str,
    at: usize,
    text: &str,
) -> Option<SocketAddr> {
    let address = text.parse::<SocketAddr>().ok();
    if address.is_none() {
        let message = format!(
            "`{key}` is {text:?}; it takes an address and a port, such as `{key} = \"{ADDRESS_EXAMPLE}\"`"
        );
        section.findings().add(at, message);
    }
    address
}

/// What concerns more than one member, as the cluster itself will see it.
fn check(members: &Members, node: &str, section: &mut Section<'_, '_, '_>) {
    // The key is read when the node starts; here it is one that can be.
    let settings = members.settings(node, 1, vec![0; 32], 0);
    if let Err(mistake) = settings.check() {
        let at = section.at();
        section
            .findings()
            .add(at, format!("`[cluster]`: {mistake}"));
    }
}

impl Members {
    /// As the cluster takes them.
    #[must_use]
    pub fn settings(&self, node: &str, epoch: u64, key: Vec<u8>, configuration: u64) -> Settings {
        Settings {
            identity: Identity {
                cluster: self.name.clone(),
                name: node.to_owned(),
                epoch,
            },
            members: self.members.clone(),
            key,
            configuration,
            silence: self.silence,
        }
    }
}
