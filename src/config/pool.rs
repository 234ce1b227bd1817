//! `[[pool]]`: peers of one kind, and how one of them is chosen.

use super::Placed;
use super::mistake::Findings;
use super::section::{Root, Section};
use balancer::{Failover, PoolSettings, Statuses, Strategy};

pub(super) const KEYS: &[&str] = &[
    "name",
    "strategy",
    "audio_sessions",
    "video_sessions",
    "connect_timeout_ms",
    "first_response_timeout_ms",
    "tries_max",
    "next_on",
];

const STRATEGIES: [(&str, Strategy); 5] = [
    ("most-available", Strategy::MostAvailable),
    ("least-busy", Strategy::LeastBusy),
    ("weighted", Strategy::Weighted),
    ("round-robin", Strategy::RoundRobin),
    ("dma", Strategy::Dma),
];

/// The pools in the order of the file; `None` for each without a name, which is noted.
pub(super) fn read(
    root: &Root<'_>,
    findings: &mut Findings<'_>,
) -> Vec<Option<Placed<PoolSettings>>> {
    root.entries(("pool", "a pool", "pools"), KEYS, findings, read_entry)
}

fn read_entry(section: &mut Section<'_, '_, '_>) -> Option<Placed<PoolSettings>> {
    let name = section.text_required("name", "bridges");
    let name = name.filter(|name| section.name("name", name));
    let default = Failover::default();
    let failover = Failover {
        connect_timeout: section.milliseconds(
            "connect_timeout_ms",
            10..=60_000,
            default.connect_timeout,
        ),
        first_response_timeout: section.milliseconds(
            "first_response_timeout_ms",
            10..=60_000,
            default.first_response_timeout,
        ),
        // A tag of ours is checked against the number of each attempt (decision 7): no call has more.
        tries_max: section.number("tries_max", 1..=8, default.tries_max),
        next_on: section
            .numbers("next_on", 300..=699, 503)
            .map_or(default.next_on, |codes| Statuses::of(&codes)),
    };
    let strategy = section.choice("strategy", &STRATEGIES, Strategy::default());
    let audio_sessions = section.number("audio_sessions", 1..=1_000, 1);
    let video_sessions = section.number("video_sessions", 1..=1_000, 1);
    let name = name?;
    Some(Placed {
        at: name.at,
        value: PoolSettings {
            name: name.value.to_owned(),
            strategy,
            audio_sessions,
            video_sessions,
            failover,
        },
    })
}
