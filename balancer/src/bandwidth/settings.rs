//! What bandwidth control is told: subzones, zones, pipes and links, as configured.

use crate::plan::PatternError;
use std::net::IpAddr;

/// How much a call, or all calls together, may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Nothing at all.
    NoBandwidth,
    /// So many kbit/s.
    Limited(u32),
    /// As much as is asked for.
    #[default]
    Unlimited,
}

/// Everything that is configured; a reload hands over a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BandwidthSettings {
    /// What a call uses that does not say.
    pub default_call_kbps: u32,
    /// Whether a call that asks for more than one call may use gets that much instead of nothing.
    pub downspeed_per_call: bool,
    /// Whether a call that asks for more than is left gets what is left instead of nothing.
    pub downspeed_total: bool,
    /// The least that is worth a call when what is left is given.
    pub downspeed_floor_kbps: u32,
    /// Where endpoints are. At most [`SUBZONES_MAX`].
    pub subzones: Vec<SubzoneSettings>,
    /// Neighbours and trunks, by name: where calls come from and go to beyond the subzones.
    pub zones: Vec<String>,
    /// What links run through. At most [`PIPES_MAX`].
    pub pipes: Vec<PipeSettings>,
    /// What connects nodes; of two equally short paths the one with the first link is taken. At most
    /// [`LINKS_MAX`].
    pub links: Vec<LinkSettings>,
    /// Who is in which subzone. At most [`RULES_MAX`].
    pub rules: Vec<RuleSettings>,
}

/// Subzones that can be configured.
pub const SUBZONES_MAX: usize = 1_000;
/// Zones that can take part.
pub const ZONES_MAX: usize = 1_000;
/// Pipes that can be configured.
pub const PIPES_MAX: usize = 1_000;
/// Links that can be configured.
pub const LINKS_MAX: usize = 3_000;
/// Rules that can be configured.
pub const RULES_MAX: usize = 3_000;

impl Default for BandwidthSettings {
    fn default() -> Self {
        Self {
            default_call_kbps: 384,
            downspeed_per_call: true,
            downspeed_total: true,
            downspeed_floor_kbps: 64,
            subzones: Vec::new(),
            zones: Vec::new(),
            pipes: Vec::new(),
            links: Vec::new(),
            rules: Vec::new(),
        }
    }
}

/// What kind of subzone it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SubzoneKind {
    /// Between the members of a cluster: it has no limits.
    Cluster,
    /// Where endpoints are that no rule puts elsewhere.
    Default,
    /// As configured.
    #[default]
    Manual,
    /// Where calls pass that need their media relayed.
    Traversal,
}

/// A subzone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubzoneSettings {
    /// Its name; no other node has it.
    pub name: String,
    /// Its kind.
    pub kind: SubzoneKind,
    /// All calls that touch it, together (Default, Traversal, Manual).
    pub total: Limit,
    /// One call with both ends in it (Default, Manual).
    pub intra: Limit,
    /// One call with one end in it (Default, Manual).
    pub inter: Limit,
    /// One call that passes it for its media (Traversal).
    pub handled: Limit,
}

/// A pipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipeSettings {
    /// Its name; no other pipe has it.
    pub name: String,
    /// All calls through it, together.
    pub total: Limit,
    /// One call.
    pub per_call: Limit,
}

/// A link: it has no direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// Its name; no other link has it.
    pub name: String,
    /// The subzones or zones at its ends.
    pub nodes: [String; 2],
    /// The pipes that it runs through, two at most.
    pub pipes: Vec<String>,
}

/// Puts endpoints into a subzone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSettings {
    /// The least is asked first.
    pub priority: u16,
    /// Whom it is about.
    pub matches: RuleMatch,
    /// The name of the subzone.
    pub subzone: String,
    /// Whether it counts at all.
    pub is_enabled: bool,
}

/// Whom a rule is about. Letter case does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleMatch {
    /// Who has this alias.
    Exact(String),
    /// Who has an alias that begins so.
    Prefix(String),
    /// Who has an alias that this expression matches as a whole.
    Regex(String),
    /// Whose address shares its first bits with this one.
    Subnet(IpAddr, u8),
    /// Who has an alias that ends so.
    Suffix(String),
}

/// What is wrong with settings that were handed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BandwidthMistake {
    /// Two of a kind have one name.
    #[error("there are two called `{0}`")]
    Duplicate(String),
    /// A link names a node that is not there.
    #[error("link `{link}` names the node `{node}`, which is not there")]
    LinkNode {
        /// The link.
        link: String,
        /// What it names.
        node: String,
    },
    /// A link names a pipe that is not there.
    #[error("link `{link}` names the pipe `{pipe}`, which is not there")]
    LinkPipe {
        /// The link.
        link: String,
        /// What it names.
        pipe: String,
    },
    /// A link from a node to itself.
    #[error("link `{0}` has the same node at both ends")]
    Loop(String),
    /// A rule's expression cannot be used.
    #[error("a rule for the subzone `{subzone}`: {error}")]
    RulePattern {
        /// Where it would put endpoints.
        subzone: String,
        /// What is wrong.
        error: PatternError,
    },
    /// A rule names a subzone that is not there.
    #[error("a rule names the subzone `{0}`, which is not there")]
    RuleSubzone(String),
    /// A second subzone of a kind of which there is one.
    #[error("`{0}` is a second subzone of its kind")]
    SecondOfKind(String),
    /// More of a kind than there can be.
    #[error("there are more than {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there can be.
        most: usize,
    },
}
