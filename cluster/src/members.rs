//! Who the other members are, and whether each is there.
//!
//! A member is there as long as it tells. One that falls silent is missed after three seconds, and
//! what it told goes on counting for a while (`Silence`): its calls are probably still up.

use crate::delivery::{Delivery, Pace};
use crate::figure::Load;
use crate::hearing::Hearing;
use crate::ledger::WHOLE;
use crate::settings::{MemberSettings, Silence};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a member's figures are fresh.
const FRESH: Duration = Duration::from_secs(3);
/// A member that is there is told soon what it may have missed, and hears so often from us that it
/// does not miss us where half of all datagrams are lost (15 in 3 s) ...
const PACE_PRESENT: Pace = Pace {
    heartbeat: Duration::from_millis(200),
    repeat_max: Duration::from_millis(80),
};
/// ... and one that is not hears often that this node is, and seldom what it uses.
const PACE_ABSENT: Pace = Pace {
    heartbeat: Duration::from_millis(100),
    repeat_max: Duration::from_secs(1),
};
/// Between two looks at a use that decays.
const DECAY_STEP: Duration = Duration::from_secs(1);
/// Updates of one member in a second. It tells 32 in each of 50 ticks at most.
const UPDATES_MAX: u32 = 2_000;

/// What is known of a member's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It has told nothing yet.
    Unknown,
    /// It tells.
    Fresh,
    /// It is missed; what it told counts, and nothing is sent its way.
    Suspect,
    /// It is missed for so long that what it told counts no more.
    Expired,
}

impl Presence {
    /// As a metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Fresh => "fresh",
            Self::Suspect => "suspect",
            Self::Expired => "expired",
        }
    }

    /// What follows.
    fn after(self, event: Event) -> Self {
        match (self, event) {
            (Self::Unknown | Self::Fresh | Self::Suspect | Self::Expired, Event::Told) => {
                Self::Fresh
            }
            (Self::Fresh, Event::Missed) => Self::Suspect,
            (Self::Fresh | Self::Suspect, Event::GivenUp) => Self::Expired,
            (Self::Unknown, Event::Missed | Event::GivenUp) => Self::Unknown,
            (Self::Suspect, Event::Missed) => Self::Suspect,
            (Self::Expired, Event::Missed | Event::GivenUp) => Self::Expired,
        }
    }
}

/// What happens to a presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A good update has come.
    Told,
    /// None has come for as long as figures are fresh.
    Missed,
    /// None has come for as long as they count, or the operator says that it is gone.
    GivenUp,
}

/// Another member, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
    /// Whether it is there.
    pub presence: Presence,
    /// How long ago it told something.
    pub age: Option<Duration>,
    /// Its configuration differs from ours.
    pub differs: bool,
    /// It has told all that it used when this node began to hear it.
    pub is_known: bool,
    /// What it last told of itself.
    pub load: Load,
}

/// Another member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) id: u64,
    pub(crate) address: SocketAddr,
    pub(crate) presence: Presence,
    pub(crate) differs: bool,
    pub(crate) is_known: bool,
    pub(crate) load: Load,
    /// The update that `load` is from.
    pub(crate) load_sequence: u64,
    pub(crate) hearing: Hearing,
    pub(crate) delivery: Delivery,
    /// The last good update.
    heard_at: Option<Instant>,
    /// The second that is being counted, and updates in it.
    second: Option<Instant>,
    updates: u32,
}

impl Member {
    pub(crate) fn new(settings: &MemberSettings) -> Self {
        Self {
            name: settings.name.clone(),
            id: MemberSettings::id_of(&settings.name),
            address: settings.address,
            presence: Presence::Unknown,
            differs: false,
            is_known: false,
            load: Load::default(),
            load_sequence: 0,
            hearing: Hearing::default(),
            delivery: Delivery::default(),
            heard_at: None,
            second: None,
            updates: 0,
        }
    }

    pub(crate) fn status(&self, now: Instant) -> MemberStatus {
        MemberStatus {
            name: self.name.clone(),
            address: self.address,
            presence: self.presence,
            age: self.heard_at.map(|at| now.saturating_duration_since(at)),
            differs: self.differs,
            is_known: self.is_known,
            load: self.load,
        }
    }

    /// Whether it tells more than any member does.
    pub(crate) fn floods(&mut self, now: Instant) -> bool {
        let second = Duration::from_secs(1);
        match self.second {
            Some(begun) if now.saturating_duration_since(begun) < second => self.updates += 1,
            Some(_) | None => {
                self.second = Some(now);
                self.updates = 1;
            }
        }
        self.updates > UPDATES_MAX
    }

    /// A good update has come. What the presence was.
    pub(crate) fn heard(&mut self, now: Instant) -> Presence {
        self.heard_at = Some(now);
        self.change(Event::Told)
    }

    /// The operator says that it is gone. What the presence was.
    pub(crate) fn forget(&mut self) -> Presence {
        self.change(Event::GivenUp)
    }

    /// Lets time pass. What the presence was.
    pub(crate) fn pass(&mut self, now: Instant, silence: Silence) -> Presence {
        let before = self.presence;
        let Some(age) = self.age(now) else {
            return before;
        };
        if age >= FRESH {
            self.change(Event::Missed);
        }
        if age >= silence.until_given_up() {
            self.change(Event::GivenUp);
        }
        before
    }

    /// When time changes something.
    pub(crate) fn due(&self, now: Instant, silence: Silence) -> Option<Instant> {
        let heard_at = self.heard_at?;
        match self.presence {
            Presence::Unknown | Presence::Expired => None,
            Presence::Fresh => Some(heard_at + FRESH),
            Presence::Suspect => {
                let end = heard_at + silence.until_given_up();
                Some(match silence {
                    Silence::Hold(_) | Silence::Release => end,
                    Silence::Decay(_) => end.min(now + DECAY_STEP),
                })
            }
        }
    }

    /// How often it is told what it may know already.
    pub(crate) fn pace(&self) -> Pace {
        match self.presence {
            Presence::Fresh => PACE_PRESENT,
            Presence::Unknown | Presence::Suspect | Presence::Expired => PACE_ABSENT,
        }
    }

    /// How much of its use counts, in parts of [`WHOLE`].
    pub(crate) fn weight(&self, now: Instant, silence: Silence) -> u64 {
        match self.presence {
            Presence::Unknown | Presence::Expired => 0,
            Presence::Fresh => WHOLE,
            Presence::Suspect => silence.weight(self.age(now).unwrap_or_default()),
        }
    }

    fn change(&mut self, event: Event) -> Presence {
        let before = self.presence;
        self.presence = before.after(event);
        before
    }

    fn age(&self, now: Instant) -> Option<Duration> {
        self.heard_at.map(|at| now.saturating_duration_since(at))
    }
}

impl Silence {
    /// After which silence a member's use counts no more.
    fn until_given_up(self) -> Duration {
        match self {
            Self::Hold(time) | Self::Decay(time) => time.max(FRESH),
            Self::Release => FRESH,
        }
    }

    /// How much of the use of a member that is missed counts after this silence.
    fn weight(self, age: Duration) -> u64 {
        match self {
            Self::Hold(_) => WHOLE,
            Self::Release => 0,
            Self::Decay(_) => {
                let until = self.until_given_up();
                let left = until.saturating_sub(age).as_millis();
                let whole = until.saturating_sub(FRESH).as_millis().max(1);
                let parts = left * u128::from(WHOLE) / whole;
                u64::try_from(parts).unwrap_or(WHOLE).min(WHOLE)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test tells the time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn member() -> Member {
        Member::new(&MemberSettings {
            name: "b".into(),
            address: SocketAddr::from(([127, 0, 0, 1], 1719)),
        })
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn silence_is_missed_then_given_up() {
        let start = start();
        let hold = Silence::Hold(seconds(1_800));
        let mut member = member();
        assert_eq!(member.due(start, hold), None);
        member.pass(start + seconds(10_000), hold);
        assert_eq!(
            member.presence,
            Presence::Unknown,
            "who never spoke is not missed"
        );
        member.heard(start);
        assert_eq!(member.due(start, hold), Some(start + seconds(3)));
        for (after, presence, weight) in [
            (2, Presence::Fresh, WHOLE),
            (3, Presence::Suspect, WHOLE),
            (1_799, Presence::Suspect, WHOLE),
            (1_800, Presence::Expired, 0),
            (9_000, Presence::Expired, 0),
        ] {
            let now = start + seconds(after);
            member.pass(now, hold);
            assert_eq!(member.presence, presence, "after {after} s");
            assert_eq!(member.weight(now, hold), weight, "after {after} s");
        }
        assert_eq!(member.heard(start + seconds(9_001)), Presence::Expired);
        assert_eq!(
            member.weight(start + seconds(9_001), hold),
            WHOLE,
            "what it told is known still"
        );
        member.forget();
        assert_eq!(member.presence, Presence::Expired);
    }

    #[test]
    fn use_decays_or_goes_at_once() {
        let start = start();
        let mut decaying = member();
        let decay = Silence::Decay(seconds(103));
        decaying.heard(start);
        let mut weights = Vec::new();
        for after in [3, 28, 53, 78, 102, 103] {
            let now = start + seconds(after);
            decaying.pass(now, decay);
            weights.push(decaying.weight(now, decay));
        }
        assert_eq!(weights, [WHOLE, 768, 512, 256, 10, 0]);
        let mut released = member();
        released.heard(start);
        released.pass(start + seconds(3), Silence::Release);
        assert_eq!(released.presence, Presence::Expired);
    }

    #[test]
    fn a_flood_ends_with_its_second() {
        let start = start();
        let mut member = member();
        let floods = (0..UPDATES_MAX + 5)
            .filter(|_| member.floods(start))
            .count();
        assert_eq!(floods, 5);
        assert!(!member.floods(start + seconds(1)));
    }
}
