//! One conference on one peer (docs/balancing.md): callers of a conference go where it is, and who was answered elsewhere
//! all the same is sent away.

use super::leg::{Dialog, Leg};
use super::{Call, Witness};
use crate::finding::Fault;
use crate::place::Place;
use std::collections::BTreeSet;
use std::time::Duration;

/// The node knows nothing of a call any more that has been silent for so long: 64*T1 twice, and some.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(70);

/// A call of a conference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) conference: u64,
    /// Whether the call may begin it.
    pub(super) may_begin: bool,
    /// When and where it was answered.
    pub(super) answered: Option<(Duration, Place)>,
    /// The conference may have been elsewhere by then: the node may hang up.
    pub(super) may_be_sent_away: bool,
    /// It was elsewhere for certain: the node has to hang up.
    is_sent_away: bool,
    /// The call went on from where it was answered to where its conference is.
    pub(super) has_followed: bool,
}

impl Seat {
    pub(super) fn new((conference, may_begin): (u64, bool)) -> Self {
        Self {
            conference,
            may_begin,
            answered: None,
            may_be_sent_away: false,
            is_sent_away: false,
            has_followed: false,
        }
    }

    /// The call was answered where its conference may not be, and goes on.
    pub(super) fn follows(&mut self) {
        *self = Self {
            has_followed: true,
            ..Self::new((self.conference, self.may_begin))
        };
    }
}

impl Witness {
    /// The other calls of a call's conference.
    fn company(&self, number: u64) -> impl Iterator<Item = &Call> {
        let conference = self.conference_of(number);
        let others = self.calls.iter().filter(move |(of, call)| {
            let of_other = call.seat.map(|seat| seat.conference);
            **of != number && conference.is_some() && of_other == conference
        });
        others.map(|(_, call)| call)
    }

    fn conference_of(&self, number: u64) -> Option<u64> {
        let call = self.calls.get(&number)?;
        call.seat.map(|seat| seat.conference)
    }

    /// The peers that the node may take for the place of this call's conference.
    pub(super) fn maybe_at(&self, now: Duration, number: u64) -> BTreeSet<Place> {
        let company = self.company(number);
        company.flat_map(|call| call.may_sit_at(now)).collect()
    }

    /// How many other calls the node may count as callers of this call's conference.
    pub(super) fn maybe_there(&self, now: Duration, number: u64) -> usize {
        let company = self.company(number);
        let there = company.filter(|call| call.may_sit_at(now).next().is_some());
        there.count()
    }

    /// Whether a caller of the conference was answered by this peer, and may be there still.
    pub(super) fn sits_at(&self, now: Duration, number: u64, peer: Place) -> bool {
        let answered = |leg: &Leg| leg.agent == peer && !leg.dialogs.is_empty();
        self.company(number).any(|call| {
            let mut legs = call.past.iter().chain(&call.peer);
            call.is_recent(now) && legs.any(answered)
        })
    }

    /// Whether this call's conference may be elsewhere than at the peer that answers it.
    pub(super) fn may_be_away(&self, now: Duration, number: u64, here: Place) -> bool {
        let mut company = self.company(number);
        company.any(|other| other.may_have_settled(now, here))
    }

    /// Whether nobody is in this call's conference, and the call may not begin it.
    pub(super) fn may_be_too_early(&self, number: u64) -> bool {
        let seat = self.calls.get(&number).and_then(|call| call.seat);
        let is_up = |call: &Call| call.up_at().is_some();
        seat.is_some_and(|seat| !seat.may_begin) && !self.company(number).any(is_up)
    }

    /// A call that is the first one of its conference there goes where the others go; whether there are others.
    pub(super) fn check_company(
        &self,
        now: Duration,
        number: u64,
        to: Place,
    ) -> Result<bool, String> {
        let maybe = self.maybe_at(now, number);
        let is_well = |peer: &Place| self.is_active(*peer);
        let is_together = maybe.len() == 1 && maybe.first().is_some_and(is_well);
        // Who sits at a peer that was lost since keeps nobody from beginning anew elsewhere.
        let sits =
            |call: &Call| call.up_at().is_some() && !self.has_lost(call) && !call.is_sent_away();
        let is_there = |call: &Call| sits(call) || self.is_begun_by(now, number, call);
        if is_together && !maybe.contains(&to) && self.company(number).any(is_there) {
            return Err(format!("its conference is at {maybe:?}"));
        }
        Ok(!maybe.is_empty())
    }

    /// Whether this call's conference is being set up by that one: it waits for its peer, and since it does no other peer
    /// was asked for the conference, which could have taken it over and lost it again.
    fn is_begun_by(&self, now: Duration, number: u64, by: &Call) -> bool {
        let patience = self.timers.t1 * 4;
        let Some((peer, since)) = by.asks(now, patience) else {
            return false;
        };
        let meanwhile = self.company(number).filter(|call| call.last_at >= since);
        let mut legs = meanwhile.flat_map(|call| call.past.iter().chain(&call.peer));
        legs.all(|leg| leg.agent == peer)
    }

    /// Looks at the calls of which something came or went: where they were answered, and whether they may stay there.
    pub(super) fn check_meetings(&mut self, now: Duration) -> Result<(), Fault> {
        for number in std::mem::take(&mut self.met) {
            self.meet(now, number)?;
        }
        if self.meetings.is_none() {
            return Ok(());
        }
        let patience = self.timers.t1_64() + self.slack;
        for (number, call) in &self.calls {
            let Some(seat) = call.seat.filter(|seat| seat.is_sent_away) else {
                continue;
            };
            let since = seat.answered.map_or(now, |(at, _)| at);
            let is_told = self.is_punctual && now > since + patience;
            if is_told && call.up_at().is_some() {
                let what = "answered where its conference is not, and not sent away";
                return Err(Fault::of_call(*number, what));
            }
        }
        Ok(())
    }

    fn meet(&mut self, now: Duration, number: u64) -> Result<(), Fault> {
        let Some(call) = self.calls.get(&number) else {
            return Ok(());
        };
        let Some(mut seat) = call.seat else {
            return Ok(());
        };
        let leg = call.peer.as_ref();
        let Some((leg, dialog)) = leg.and_then(|leg| Some((leg, leg.winning_dialog()?))) else {
            return self.check_participants(number);
        };
        if seat.answered.is_none() {
            seat.answered = Some((dialog.since, leg.agent));
            let here = leg.agent;
            let elsewhere = |call: &Call| call.up_at().is_some_and(|peer| peer != here);
            // Where the peer was given up and answers all the same, those who are there keep company.
            let asked_at = leg.invite_went().map_or(now, |invite| invite.at);
            let failed = self.failed_last.get(&here);
            let is_given_up = failed.is_some_and(|failed| *failed >= asked_at);
            seat.is_sent_away = !is_given_up
                && self.company(number).any(|other| {
                    elsewhere(other) && !self.has_lost(other) && !other.is_sent_away()
                });
            seat.may_be_sent_away = self.may_be_away(now, number, here);
            if let Some(call) = self.calls.get_mut(&number) {
                call.seat = Some(seat);
            }
        }
        self.check_participants(number)
    }

    /// No more callers are up in one conference than may be.
    fn check_participants(&self, number: u64) -> Result<(), Fault> {
        let most = self.meetings.and_then(|meetings| meetings.participants_max);
        let Some(most) = most else { return Ok(()) };
        let Some(call) = self.calls.get(&number) else {
            return Ok(());
        };
        let Some(peer) = call.up_at() else {
            return Ok(());
        };
        let is_there = |call: &&Call| {
            call.up_at() == Some(peer) && !self.has_lost(call) && !call.is_sent_away()
        };
        let up = self.company(number).chain([call]).filter(is_there).count();
        if up > most as usize {
            let what = format!("{up} callers in a conference for {most}");
            return Err(Fault::of_call(number, what));
        }
        Ok(())
    }

    /// A call's peer was found Failed since it answered: the conference may begin anew elsewhere.
    fn has_lost(&self, call: &Call) -> bool {
        let answered = call.seat.and_then(|seat| seat.answered);
        answered.is_some_and(|(at, peer)| {
            let failed = self.failed_last.get(&peer);
            failed.is_some_and(|failed| *failed >= at)
        })
    }
}

impl Call {
    fn is_sent_away(&self) -> bool {
        self.seat.is_some_and(|seat| seat.is_sent_away)
    }

    /// Where the call is answered and not hung up.
    pub(super) fn up_at(&self) -> Option<Place> {
        let leg = self.peer.as_ref()?;
        self.is_up_at(leg.agent).then_some(leg.agent)
    }

    /// The peers at which the node may keep a seat for this call.
    fn may_sit_at(&self, now: Duration) -> impl Iterator<Item = Place> {
        let is_recent = self.is_recent(now);
        let legs = self.past.iter().chain(&self.peer);
        legs.filter(move |leg| is_recent && !leg.is_refused())
            .map(|leg| leg.agent)
    }

    /// Whether the node may know of the call still.
    fn is_recent(&self, now: Duration) -> bool {
        self.is_open() || self.up_at().is_some() || now < self.last_at + FORGOTTEN_AFTER
    }

    /// Whether it was answered by another peer than this one, as far as the node may know still.
    fn may_have_settled(&self, now: Duration, here: Place) -> bool {
        let is_recent = self.is_recent(now);
        let legs = self.past.iter().chain(&self.peer);
        let mut others = legs.filter(|leg| leg.agent != here);
        is_recent && others.any(|leg| !leg.dialogs.is_empty())
    }

    /// Which peer is being asked, and since when, if it has given no reason yet to ask another one.
    fn asks(&self, now: Duration, patience: Duration) -> Option<(Place, Duration)> {
        let leg = self.peer.as_ref().filter(|_| !self.is_cancelled)?;
        let invite = leg.invite_went()?;
        let is_lost = invite.failed_at.is_some() || invite.is_answered() || leg.has_cancel();
        let is_waited_for = invite.rings || now < invite.at + patience;
        let is_asked = self.is_open() && !is_lost && is_waited_for;
        is_asked.then_some((leg.agent, invite.at))
    }
}

impl Leg {
    /// The peer refused: nothing is held for it any more.
    fn is_refused(&self) -> bool {
        let is_answered = self.dialogs.values().any(Dialog::is_real);
        let refused = |status: u16| status >= 300;
        let first = self.invite_went().and_then(|invite| invite.finals.first());
        !is_answered && first.is_some_and(|(status, _)| refused(*status))
    }
}
