//! How often one source may begin something: a token bucket for each, in a table of fixed size.
//!
//! The table never grows and never allocates after it is made. A source without a place takes that
//! of the one that was quiet for longest among the few it may take; what is forgotten is a bucket
//! that had time to fill again, unless more sources are loud at once than the table holds.

use crate::sip::token::Mint;
use std::net::IpAddr;
use std::time::Instant;

/// What happens beyond the rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Excess {
    /// Dropped without an answer.
    Drop,
    /// 503 with a Retry-After, and nothing kept.
    #[default]
    Refuse,
}

/// So many a second, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// A second; 0 is no limit.
    pub per_second: u32,
    /// At once, after a pause.
    pub burst: u32,
}

/// The rates of a node, for each source and worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// New INVITEs.
    pub invites: Rate,
    /// Other requests outside a dialog.
    pub requests: Rate,
    /// Answers to strangers; beyond them they hear nothing.
    pub refusals: Rate,
    /// Wrong credentials; beyond them requests that need credentials are dropped.
    pub guesses: Rate,
    /// What happens to INVITEs and requests beyond their rate.
    pub excess: Excess,
    /// How many sources are remembered.
    pub sources_max: usize,
}

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self {
        per_second: 0,
        burst: 100,
    };
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            invites: Rate::UNLIMITED,
            requests: Rate::UNLIMITED,
            refusals: Rate {
                per_second: 50,
                burst: 100,
            },
            guesses: Rate {
                per_second: 5,
                burst: 50,
            },
            excess: Excess::Refuse,
            sources_max: 16_384,
        }
    }
}

/// What a source does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Credentials that were wrong.
    Guess,
    /// A new INVITE.
    Invite,
    /// It is refused as a stranger.
    Refusal,
    /// Another request outside a dialog.
    Request,
}

/// The tokens of one source.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket {
    /// Tokens in thousandths.
    milli: u32,
    /// When they were counted: milliseconds since some start, modulo 2^32.
    at: u32,
}

impl Bucket {
    /// As many tokens as it holds.
    pub(crate) fn full(rate: Rate, at: u32) -> Self {
        Self {
            milli: rate.burst.max(1).saturating_mul(1000),
            at,
        }
    }

    /// Takes one token; `false` when there is none.
    pub(crate) fn take(&mut self, rate: Rate, at: u32) -> bool {
        // A thousandth a millisecond for each one a second.
        let gained = u64::from(at.wrapping_sub(self.at)) * u64::from(rate.per_second);
        let full = Self::full(rate, at).milli;
        let milli = u64::from(self.milli).saturating_add(gained);
        self.milli = u32::try_from(milli).unwrap_or(full).min(full);
        self.at = at;
        match self.milli.checked_sub(1000) {
            Some(rest) => {
                self.milli = rest;
                true
            }
            None => false,
        }
    }
}

/// A source's place. One cache line holds the four that it may have.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Keyed hash of the source and what it does; 0 is nobody.
    key: u64,
    bucket: Bucket,
}

const WAYS: usize = 4;

#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Set([Place; WAYS]);

/// The buckets of one worker.
pub(crate) struct Meter {
    rates: Rates,
    sets: Vec<Set>,
    base: Instant,
}

impl Meter {
    /// Full buckets for everybody.
    pub(crate) fn new(rates: Rates, now: Instant) -> Self {
        let sets = rates.sources_max.div_ceil(WAYS).max(1).next_power_of_two();
        Self {
            rates,
            sets: vec![Set::default(); sets],
            base: now,
        }
    }

    /// Takes one token of this source; `false` when there is none.
    pub(crate) fn take(&mut self, mint: &Mint, now: Instant, source: IpAddr, act: Act) -> bool {
        self.bucket(mint, now, source, act)
            .is_none_or(|(bucket, rate, at)| bucket.take(rate, at))
    }

    /// Whether this source has a token left; takes none.
    pub(crate) fn has(&mut self, mint: &Mint, now: Instant, source: IpAddr, act: Act) -> bool {
        self.bucket(mint, now, source, act)
            .is_none_or(|(bucket, rate, at)| { *bucket }.take(rate, at))
    }

    /// The bucket of this source, its rate, and the time; `None` where there is no limit.
    fn bucket(
        &mut self,
        mint: &Mint,
        now: Instant,
        source: IpAddr,
        act: Act,
    ) -> Option<(&mut Bucket, Rate, u32)> {
        let rate = match act {
            Act::Guess => self.rates.guesses,
            Act::Invite => self.rates.invites,
            Act::Refusal => self.rates.refusals,
            Act::Request => self.rates.requests,
        };
        if rate.per_second == 0 {
            return None;
        }
        let key = mint.hash(&[&octets(source), &[act as u8]]).max(1);
        let elapsed = now.saturating_duration_since(self.base).as_millis();
        let at = u32::try_from(elapsed & u128::from(u32::MAX)).unwrap_or(0);
        let index = usize::try_from(key >> 32).unwrap_or(0) & (self.sets.len() - 1);
        let Set(ways) = self.sets.get_mut(index)?;
        let place = place(ways, key, at);
        if place.key != key {
            *place = Place {
                key,
                bucket: Bucket::full(rate, at),
            };
        }
        Some((&mut place.bucket, rate, at))
    }
}

/// The place of this key: its own, or that of the one that was quiet for longest.
fn place(ways: &mut [Place; WAYS], key: u64, at: u32) -> &mut Place {
    let own = ways.iter().position(|place| place.key == key);
    let position = own.unwrap_or_else(|| {
        let quiet = |place: &Place| match place.key {
            0 => u32::MAX,
            _ => at.wrapping_sub(place.bucket.at),
        };
        (0..WAYS)
            .max_by_key(|way| ways.get(*way).map_or(0, quiet))
            .unwrap_or(0)
    });
    ways.get_mut(position).expect("one of the ways")
}

/// What names a source: an IPv4 address, or the 64 bits of an IPv6 network that one subscriber has.
fn octets(source: IpAddr) -> [u8; 8] {
    match source.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [0, 0, 0, 0, a, b, c, d]
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h, ..] = address.octets();
            [a, b, c, d, e, f, g, h]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Stage {
        meter: Meter,
        mint: Mint,
        now: Instant,
    }

    impl Stage {
        fn new(per_second: u32, burst: u32, sources_max: usize) -> Self {
            #[expect(clippy::disallowed_methods, reason = "an instant to start from")]
            let now = Instant::now();
            let rates = Rates {
                invites: Rate { per_second, burst },
                sources_max,
                ..Rates::default()
            };
            Self {
                meter: Meter::new(rates, now),
                mint: Mint::new([1, 2]),
                now,
            }
        }

        fn taken(&mut self, source: &str, tries: usize) -> usize {
            let source = source.parse().unwrap();
            (0..tries)
                .filter(|_| self.meter.take(&self.mint, self.now, source, Act::Invite))
                .count()
        }

        fn wait(&mut self, millis: u64) {
            self.now += Duration::from_millis(millis);
        }
    }

    #[test]
    fn a_burst_at_once_and_then_the_rate() {
        let mut stage = Stage::new(10, 5, 64);
        assert_eq!(stage.taken("192.0.2.1", 20), 5);
        stage.wait(1000);
        assert_eq!(stage.taken("192.0.2.1", 20), 5, "no more than the burst");
        stage.wait(250);
        assert_eq!(stage.taken("192.0.2.1", 20), 2, "half a token is kept");
        stage.wait(50);
        assert_eq!(stage.taken("192.0.2.1", 20), 1);
    }

    #[test]
    fn sources_do_not_share_and_one_network_of_ipv6_is_one_source() {
        let mut stage = Stage::new(1, 3, 64);
        assert_eq!(stage.taken("192.0.2.1", 9), 3);
        assert_eq!(stage.taken("192.0.2.2", 9), 3);
        assert_eq!(stage.taken("::ffff:192.0.2.2", 9), 0);
        assert_eq!(stage.taken("2001:db8:0:1::1", 9), 3);
        assert_eq!(stage.taken("2001:db8:0:1:ffff::2", 9), 0);
        assert_eq!(stage.taken("2001:db8:0:2::1", 9), 3);
    }

    #[test]
    fn acts_have_buckets_of_their_own() {
        let mut stage = Stage::new(1, 1, 64);
        assert_eq!(stage.taken("192.0.2.1", 2), 1);
        let source = "192.0.2.1".parse().unwrap();
        let mut take = |act| stage.meter.take(&stage.mint, stage.now, source, act);
        assert!(take(Act::Request), "requests have no limit here");
        assert!(take(Act::Refusal));
    }

    #[test]
    fn a_rate_of_zero_is_none() {
        let mut stage = Stage::new(0, 0, 64);
        assert_eq!(stage.taken("192.0.2.1", 1000), 1000);
    }

    #[test]
    fn many_sources_stay_in_the_room_there_is() {
        let mut stage = Stage::new(1, 1, 64);
        let places = stage.meter.sets.len();
        for number in 0..10_000_u32 {
            let source = IpAddr::V4(number.into());
            stage
                .meter
                .take(&stage.mint, stage.now, source, Act::Invite);
        }
        assert_eq!(stage.meter.sets.len(), places);
    }

    #[test]
    fn the_quietest_is_forgotten_first() {
        let mut stage = Stage::new(1, 2, 4);
        assert_eq!(stage.meter.sets.len(), 1);
        assert_eq!(stage.taken("192.0.2.1", 9), 2);
        stage.wait(1);
        for source in ["192.0.2.2", "192.0.2.3", "192.0.2.4"] {
            stage.taken(source, 1);
        }
        stage.wait(1);
        assert_eq!(stage.taken("192.0.2.1", 1), 0, "still known");
        stage.wait(1);
        stage.taken("192.0.2.5", 1);
        assert_eq!(stage.taken("192.0.2.1", 1), 0, "another one went");
    }
}
