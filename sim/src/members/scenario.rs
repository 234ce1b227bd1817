//! What a seed means for a world of members: how many, on which network, and what befalls them.

use cluster::Silence;
use loadtest::agent::Random;
use std::time::Duration;

/// What one call takes of a resource.
pub const CALL_KBPS: u64 = 384;

/// A world of members.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where it comes from.
    pub seed: u64,
    /// Members.
    pub nodes: usize,
    /// Resources that they share, and calls that each has room for.
    pub resources: usize,
    /// Room of each.
    pub limit_kbps: u64,
    /// Datagrams lost, of a thousand.
    pub lost: u64,
    /// Datagrams that come twice, of a thousand.
    pub doubled: u64,
    /// The longest way of a datagram; each takes its own time, so that they overtake each other.
    pub delay_max: Duration,
    /// Mean time between two calls in the whole cluster.
    pub calls_every: Duration,
    /// How long calls are up, at most.
    pub hold_max: Duration,
    /// What becomes of the use of the silent.
    pub silence: Silence,
    /// What happens in each part of the world's time.
    pub phases: Vec<Phase>,
}

/// A time of calls, in which one thing happens; then a time of quiet, after which all know all.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// How long calls come.
    pub busy: Duration,
    /// When it happens.
    pub at: Duration,
    /// What.
    pub event: Event,
}

/// What befalls members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing.
    Nothing,
    /// One is gone for this long. Its calls stay up meanwhile; afterwards it has them again, or not.
    Death {
        /// Which.
        node: usize,
        /// How long.
        away: Duration,
        /// Whether it takes its calls up again.
        keeps_calls: bool,
    },
    /// Those below the number do not hear the others for this long.
    Cut {
        /// The first of the other side.
        below: usize,
        /// How long.
        time: Duration,
    },
    /// Datagrams that were heard before come again, and changed ones.
    Attack,
    /// All are given another configuration, one after another within this time.
    Push {
        /// How long the push takes.
        time: Duration,
    },
}

impl Scenario {
    /// The world of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x6d65_6d62_6572_7321);
        let mut pick = |choices: &[u64]| {
            let at = usize::try_from(random.below(choices.len() as u64)).unwrap_or(0);
            choices.get(at).copied().unwrap_or_default()
        };
        let nodes = pick(&[2, 2, 3, 3, 4, 6]);
        let resources = pick(&[1, 1, 1, 2, 10, 100, 1_000]);
        let lost = pick(&[0, 0, 0, 20, 100, 300, 500]);
        let doubled = pick(&[0, 0, 50, 300]);
        let delay_max = Duration::from_millis(pick(&[1, 5, 15, 40, 80]));
        let calls_every = Duration::from_millis(pick(&[5, 10, 20, 50, 200]));
        let room = pick(&[3, 10, 30, 200]);
        let hold_max = Duration::from_millis(pick(&[300, 2_000, 8_000]));
        let silent = Duration::from_secs(pick(&[4, 6, 20]));
        let silence = match pick(&[0, 0, 0, 1, 2]) {
            0 => Silence::Hold(silent),
            1 => Silence::Decay(silent),
            _ => Silence::Release,
        };
        let phases = (0..pick(&[1, 2, 3]))
            .map(|_| Phase {
                busy: Duration::from_millis(pick(&[500, 1_500, 4_000])),
                at: Duration::from_millis(pick(&[0, 100, 350])),
                event: event(&mut pick, nodes),
            })
            .collect();
        Self {
            seed,
            nodes: usize::try_from(nodes).unwrap_or(2),
            resources: usize::try_from(resources).unwrap_or(1),
            limit_kbps: room * CALL_KBPS,
            lost,
            doubled,
            delay_max,
            calls_every,
            hold_max,
            silence,
            phases,
        }
    }
}

fn event(pick: &mut impl FnMut(&[u64]) -> u64, nodes: u64) -> Event {
    let which: Vec<u64> = (0..nodes).collect();
    match pick(&[0, 1, 1, 2, 2, 3, 4]) {
        0 => Event::Nothing,
        1 => Event::Death {
            node: usize::try_from(pick(&which)).unwrap_or(0),
            away: Duration::from_millis(pick(&[200, 1_500, 3_500, 9_000])),
            keeps_calls: pick(&[0, 1]) == 1,
        },
        2 => Event::Cut {
            below: usize::try_from(1 + pick(&which) % (nodes - 1)).unwrap_or(1),
            time: Duration::from_millis(pick(&[200, 1_500, 3_500, 9_000])),
        },
        3 => Event::Attack,
        _ => Event::Push {
            time: Duration::from_millis(pick(&[0, 100, 1_000, 5_000])),
        },
    }
}
