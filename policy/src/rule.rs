//! Rules of the operator for what a VCS asks (POLICY.md section 8.5): who may call what, who may
//! register, where a person is to be found, and what is decided before the dial plan sees a search.
//!
//! The first rule that fits decides. Patterns must match the whole text; letter case does not count.

use crate::cpl::{is_alias, is_reason};
use crate::request::{Kind, Method, Protocol, Request};
use balancer::{Applied, GaveUp, Pattern, PatternError};
use ipnet::IpNet;
use std::net::IpAddr;

/// A rule as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSettings {
    /// Its name in logs.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// Whether the caller must have proved who he is, or must not.
    pub authenticated: Option<bool>,
    /// A pattern for the caller's alias.
    pub source: Option<String>,
    /// A pattern for what was dialled, or is being registered.
    pub alias: Option<String>,
    /// A pattern for the zone of the VCS.
    pub zone: Option<String>,
    /// Where the caller must be; none: anywhere.
    pub addresses: Vec<IpNet>,
    /// What the caller must speak.
    pub protocol: Option<Protocol>,
    /// What the VCS must have been sent; none: anything.
    pub methods: Vec<Method>,
    /// What becomes of it.
    pub action: Action,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It may go on. A search ends with that too: the dial plan is not asked.
    Allow {
        /// How many seconds it may ring.
        timeout: Option<u32>,
    },
    /// It is refused.
    Reject {
        /// With this status.
        status: u16,
        /// And these words.
        reason: String,
    },
    /// From here on another alias is looked for: `\1` to `\9` stand for captures of the alias's
    /// pattern. Only for searches.
    Rewrite {
        /// The other alias.
        alias: String,
    },
    /// These are called instead, all at one time.
    Route {
        /// Whom.
        aliases: Vec<String>,
        /// How many seconds they may ring.
        timeout: Option<u32>,
        /// Whom to call when that fails.
        on_failure: Option<String>,
    },
}

impl Action {
    pub(crate) fn is_reject(&self) -> bool {
        match self {
            Self::Reject { .. } => true,
            Self::Allow { .. } | Self::Rewrite { .. } | Self::Route { .. } => false,
        }
    }
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// `alias` or `rewrite` cannot be used.
    #[error("{0}")]
    Alias(PatternError),
    /// A text can stand in no answer.
    #[error(
        "`{0}` is no alias: it is empty, too long, or has spaces, quotes or letters that are not ASCII"
    )]
    BadAlias(String),
    /// A reason is empty, too long or not printable.
    #[error("a reason has 1 to 64 printable ASCII characters")]
    BadReason,
    /// A refusal with another status than one of a refusal.
    #[error("a refusal has a status from 400 to 699")]
    BadStatus,
    /// More than eight, or none.
    #[error("a route leads to 1 to {ROUTES_MAX} aliases")]
    Routes,
    /// `source` cannot be used.
    #[error("{0}")]
    Source(PatternError),
    /// A VCS takes 1 s to a day.
    #[error("a timeout is 1 to 86,400 seconds")]
    Timeout,
    /// Only a search looks for an alias.
    #[error("only a rule for searches can rewrite the alias")]
    RewriteOfNoSearch,
    /// `zone` cannot be used.
    #[error("{0}")]
    Zone(PatternError),
}

/// Aliases that one answer calls: with the longest ones it is still short.
pub const ROUTES_MAX: usize = 8;

/// Addresses with the same first bits.
pub type Range = IpNet;

/// Reads `192.0.2.0/24` or one address.
#[must_use]
pub fn range(text: &str) -> Option<Range> {
    let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(one)
}

/// Whether a rule can be used, without a service.
///
/// # Errors
/// What is wrong with it.
pub fn check_rule(settings: &RuleSettings) -> Result<(), RuleError> {
    Rule::new(settings).map(|_| ())
}

/// A rule that can be asked.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) settings: RuleSettings,
    alias: Option<Pattern>,
    source: Option<Pattern>,
    zone: Option<Pattern>,
}

impl Rule {
    pub(crate) fn new(settings: &RuleSettings) -> Result<Self, RuleError> {
        check(settings)?;
        let pattern = |text: &Option<String>| text.as_deref().map(|text| Pattern::new(text, None));
        let alias = match &settings.action {
            Action::Rewrite { alias } => {
                let from = settings.alias.as_deref().unwrap_or(".*");
                Some(Pattern::new(from, Some(alias)))
            }
            Action::Allow { .. } | Action::Reject { .. } | Action::Route { .. } => {
                pattern(&settings.alias)
            }
        };
        Ok(Self {
            alias: alias.transpose().map_err(RuleError::Alias)?,
            source: pattern(&settings.source)
                .transpose()
                .map_err(RuleError::Source)?,
            zone: pattern(&settings.zone)
                .transpose()
                .map_err(RuleError::Zone)?,
            settings: settings.clone(),
        })
    }

    /// Whether it fits a request for this alias. What the cheapest look can tell comes first.
    ///
    /// # Errors
    /// A pattern gave up, and all else fits.
    pub(crate) fn fits(&self, request: &Request<'_>, alias: &str) -> Result<bool, GaveUp> {
        let settings = &self.settings;
        let may_fit = settings.kind == request.kind
            && settings
                .authenticated
                .is_none_or(|wanted| wanted == request.is_authenticated)
            && settings
                .protocol
                .is_none_or(|wanted| Some(wanted) == request.protocol)
            && (settings.methods.is_empty()
                || request
                    .method
                    .is_some_and(|method| settings.methods.contains(&method)))
            && (settings.addresses.is_empty()
                || request.address.is_some_and(|address| self.has(address)));
        if !may_fit {
            return Ok(false);
        }
        let mut fits = Ok(true);
        let patterns = [
            (&self.alias, alias),
            (&self.source, request.source()),
            (&self.zone, &*request.zone),
        ];
        for (pattern, text) in patterns {
            match pattern.as_ref().map(|pattern| pattern.is_match(text)) {
                Some(Ok(false)) => return Ok(false),
                Some(Err(gave_up)) => fits = Err(gave_up),
                Some(Ok(true)) | None => {}
            }
        }
        fits
    }

    fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let mut ranges = self.settings.addresses.iter();
        ranges.any(|range| range.contains(&address))
    }

    /// The alias that a rewriting rule makes of this one, if it is one.
    pub(crate) fn rewritten(&self, alias: &str) -> Option<String> {
        let mut made = String::new();
        let mut write = |part: &str| {
            made.push_str(part);
            Some(())
        };
        let applied = self.alias.as_ref()?.apply(alias, &mut write);
        (applied == Applied::Written && !made.is_empty()).then_some(made)
    }
}

/// What can be seen without a request.
fn check(settings: &RuleSettings) -> Result<(), RuleError> {
    let check_timeout = |timeout: Option<u32>| match timeout {
        None | Some(1..=86_400) => Ok(()),
        Some(_) => Err(RuleError::Timeout),
    };
    match &settings.action {
        Action::Allow { timeout } => check_timeout(*timeout),
        Action::Reject { status, .. } if !(400..700).contains(status) => Err(RuleError::BadStatus),
        Action::Reject { reason, .. } if !is_reason(reason) => Err(RuleError::BadReason),
        Action::Reject { .. } => Ok(()),
        Action::Rewrite { .. } if settings.kind != Kind::Search => {
            Err(RuleError::RewriteOfNoSearch)
        }
        Action::Rewrite { .. } => Ok(()),
        Action::Route { aliases, .. } if !(1..=ROUTES_MAX).contains(&aliases.len()) => {
            Err(RuleError::Routes)
        }
        Action::Route {
            aliases,
            timeout,
            on_failure,
        } => {
            let mut all = aliases.iter().chain(on_failure);
            if let Some(bad) = all.find(|alias| !is_alias(alias)) {
                return Err(RuleError::BadAlias(bad.clone()));
            }
            check_timeout(*timeout)
        }
    }
}

#[cfg(test)]
mod tests;
