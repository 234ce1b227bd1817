//! The keys of `[[peer]]` that say how much of the calls it gets.

use super::Placed;
use super::section::Section;
use super::suggest::nearest;
use balancer::{BridgeAlias, Operator, POOL_OF_ALL, PoolSettings};

/// How a peer takes part in the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancing {
    /// `pool`: the pool that it is in.
    pub pool: String,
    /// `new_limit`: up to how many sessions it takes calls that begin a conference; none: all.
    pub new_limit: Option<u32>,
    /// `existing_limit`: up to how many it takes calls into its conferences; none: all.
    pub existing_limit: Option<u32>,
    /// `weight`: its share where the strategy is `weighted`.
    pub weight: u32,
    /// `tags`: what it can do.
    pub tags: Vec<String>,
    /// `state`: what it starts in.
    pub operator: Operator,
    /// `alias`: what conferences are called there.
    pub alias: Option<BridgeAlias>,
}

const STATES: [(&str, Operator); 3] = [
    ("ready", Operator::Ready),
    ("drain", Operator::Drain),
    ("maint", Operator::Maint),
];

impl Default for Balancing {
    fn default() -> Self {
        Self {
            pool: POOL_OF_ALL.to_owned(),
            new_limit: None,
            existing_limit: None,
            weight: 1,
            tags: Vec::new(),
            operator: Operator::Ready,
            alias: None,
        }
    }
}

impl Balancing {
    /// Reads the keys of one peer; `pools` are those of the file.
    pub(super) fn read(
        section: &mut Section<'_, '_, '_>,
        pools: &[Option<Placed<PoolSettings>>],
        sessions_max: Option<u32>,
    ) -> Self {
        let default = Self::default();
        let pool = section.text("pool", POOL_OF_ALL);
        if let Some(pool) = &pool {
            check_known(
                section,
                pool,
                ("pool", POOL_OF_ALL),
                &Names::of_pools(pools),
            );
        }
        let owned = |text: Placed<&str>| text.value.to_owned();
        Self {
            pool: pool.map_or(default.pool, owned),
            new_limit: limit(section, "new_limit", sessions_max),
            existing_limit: limit(section, "existing_limit", sessions_max),
            weight: section.number("weight", 1..=1_000, default.weight),
            tags: section
                .texts("tags", "recording")
                .map_or(default.tags, |tags| tags.into_iter().map(owned).collect()),
            operator: section.choice("state", &STATES, default.operator),
            alias: bridge_alias(section),
        }
    }
}

fn bridge_alias(section: &mut Section<'_, '_, '_>) -> Option<BridgeAlias> {
    const EXAMPLE: &str = "6001{number}@bridges.example.com";
    let text = section.text("alias", EXAMPLE)?;
    match BridgeAlias::new(text.value) {
        Ok(alias) => Some(alias),
        Err(error) => {
            let message = format!(
                "`alias` is {:?}: {error}; write it like `alias = \"{EXAMPLE}\"`",
                text.value
            );
            section.findings().add(text.at, message);
            None
        }
    }
}

/// A limit within the hard one.
fn limit(
    section: &mut Section<'_, '_, '_>,
    key: &'static str,
    sessions_max: Option<u32>,
) -> Option<u32> {
    section.value(key)?;
    let limit = section.number(key, 0..=1_000_000_000, 0);
    if let Some(most) = sessions_max.filter(|most| limit > *most)
        && let Some(value) = section.value(key)
    {
        let message = format!(
            "`{key}` ({limit}) is more than `sessions_max` ({most}), which is never exceeded"
        );
        section.findings().add(value.span().start, message);
    }
    Some(limit)
}

/// The names of a list, and whether all of them could be read.
pub(super) struct Names<'a> {
    pub(super) names: Vec<&'a str>,
    pub(super) is_whole: bool,
}

impl<'a> Names<'a> {
    pub(super) fn of_pools(pools: &'a [Option<Placed<PoolSettings>>]) -> Self {
        Self {
            names: pools
                .iter()
                .flatten()
                .map(|pool| &*pool.value.name)
                .collect(),
            is_whole: pools.iter().all(Option::is_some),
        }
    }
}

/// Notes a name that nothing has; `always` is one that needs no table.
pub(super) fn check_known(
    section: &mut Section<'_, '_, '_>,
    text: &Placed<&str>,
    (table, always): (&str, &str),
    known: &Names<'_>,
) {
    if text.value == always || !known.is_whole || known.names.contains(&text.value) {
        return;
    }
    let message = match nearest(text.value, known.names.iter().copied()) {
        Some(near) => format!(
            "there is no {table} `{}`; did you mean `{near}`?",
            text.value
        ),
        None => format!(
            "there is no {table} `{0}`; add `[[{table}]]` with `name = \"{0}\"`",
            text.value
        ),
    };
    section.findings().add(text.at, message);
}
