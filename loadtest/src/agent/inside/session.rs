//! The session timer of a dialog (RFC 4028): kept on the terms of a 2xx, refreshed by UPDATE, missed when nobody does.

use super::{Clock, Inside, Names};
use crate::agent::act::ActKind;
use crate::agent::context::Context;
use crate::agent::received::Received;
use crate::agent::timed::{Terms, Timed};
use std::time::{Duration, Instant};

/// How long a refresh waits for something else to be over.
const LATER: Duration = Duration::from_secs(2);

impl Inside {
    /// The session begins, or begins anew, on these terms; `is_uac` says whether this end asked for them.
    pub(in crate::agent) fn keep<C: Copy + Ord + From<Clock>>(
        &mut self,
        desk: &mut Context<C>,
        now: Instant,
        id: u64,
        (timed, terms, is_uac): (Timed, Terms, bool),
    ) {
        let is_ours = terms.by_uac == is_uac;
        self.timed = Some(timed);
        self.session = Some((terms.seconds, is_ours));
        desk.alarms.clear(id, Clock::Expired.into());
        if !is_ours {
            desk.alarms
                .set(id, Clock::Expired.into(), now + terms.interval());
        } else if !timed.forgets {
            desk.alarms
                .set(id, Clock::Refresh.into(), now + terms.interval() / 2);
        }
    }

    /// A refresh of ours has its answer.
    pub(super) fn refreshed<C: Copy + Ord + From<Clock>>(
        &mut self,
        desk: &mut Context<C>,
        now: Instant,
        names: &Names,
        response: &Received<'_>,
    ) {
        match (response.status(), Terms::of(response), self.timed) {
            (200, Some(terms), Some(timed)) => {
                self.keep(desk, now, names.id, (timed, terms, true));
            }
            (200, ..) => desk.complain(Some(names.number), "a refresh that agrees on nothing"),
            (481 | 487, ..) => {}
            _ if self.is_over => {}
            _ => desk
                .alarms
                .set(names.id, Clock::Refresh.into(), now + LATER),
        }
    }

    /// Refreshes the session, or waits until nothing is in the way.
    pub(super) fn refresh<C: Copy + Ord + From<Clock>>(
        &mut self,
        desk: &mut Context<C>,
        now: Instant,
        names: &Names,
    ) {
        let asked = self.asked.len();
        self.act(desk, now, names, ActKind::Refresh);
        if self.asked.len() == asked && !self.is_over {
            desk.alarms
                .set(names.id, Clock::Refresh.into(), now + LATER);
        }
    }
}
