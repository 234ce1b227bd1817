//! Who is let in: what becomes of a request by where it comes from, before anything else is asked
//! of it (TRUNK.md section 5 rule 11, RELIABILITY.md sections 1 and 2).

use super::auth::Credence;
use super::message::{HeaderName, Message, Method};
use super::reject::{self, Cause};
use crate::access::rates::Act;
use crate::access::{Excess, Source, Strangers, ZoneId};
use crate::context::Context;
use crate::hop::Hop;
use std::sync::Arc;
use std::time::Instant;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is dealt with; this is the zone that it came from.
    Admit(Option<ZoneId>),
    /// It is counted, and nobody hears of it.
    Drop,
    /// It is refused, and nothing is kept.
    Refuse(Cause),
}

impl Context {
    /// Whether the source of a request outside a dialog may send it, now.
    pub(crate) fn admit(&mut self, now: Instant, source: &Hop, method: Method) -> Verdict {
        let access = &self.settings.access;
        let zone = match access.source(source) {
            Source::Anybody => None,
            Source::Zone(zone) => Some(zone),
            // A peer may ask whether we live, and is called otherwise.
            Source::Peer if method == Method::Options => None,
            Source::Stranger if access.strangers == Strangers::Allow => None,
            Source::Peer | Source::Stranger => return self.refuse_stranger(now, source),
        };
        let act = if method == Method::Invite {
            Act::Invite
        } else {
            Act::Request
        };
        let excess = access.rates.excess;
        if self.meter.take(&self.mint, now, source.remote.ip(), act) {
            return Verdict::Admit(zone);
        }
        self.counters.refused_rate.add_one();
        match excess {
            Excess::Drop => Verdict::Drop,
            Excess::Refuse => Verdict::Refuse(Cause::TooOften),
        }
    }

    /// Whether this source may be told that there is no such dialog. A stranger may ask only so
    /// often.
    pub(crate) fn may_hear(&mut self, now: Instant, source: &Hop) -> bool {
        match self.settings.access.source(source) {
            Source::Anybody | Source::Peer | Source::Zone(_) => true,
            Source::Stranger => self
                .meter
                .take(&self.mint, now, source.remote.ip(), Act::Refusal),
        }
    }

    /// 403, as long as it does not cost more than it is worth.
    fn refuse_stranger(&mut self, now: Instant, source: &Hop) -> Verdict {
        self.counters.refused_stranger.add_one();
        let is_silent = self.settings.access.strangers == Strangers::Drop;
        let address = source.remote.ip();
        if is_silent || !self.meter.take(&self.mint, now, address, Act::Refusal) {
            return Verdict::Drop;
        }
        Verdict::Refuse(Cause::Forbidden)
    }

    /// Whether the caller has proved who it is, where its zone asks for that; else it was challenged
    /// (RFC 3261 §22.2), or has guessed too often and hears nothing.
    pub(crate) fn is_authentic(
        &mut self,
        now: Instant,
        source: Hop,
        message: &Message<'_>,
        zone: Option<ZoneId>,
    ) -> bool {
        let settings = Arc::clone(&self.settings);
        let zone = zone.and_then(|zone| settings.access.zone(zone));
        let Some(realm) = zone.and_then(|zone| zone.realm.as_ref()) else {
            return true;
        };
        let address = source.remote.ip();
        // Who has guessed too often is not told of a right guess either.
        if message.header(HeaderName::Authorization).is_some()
            && !self.meter.has(&self.mint, now, address, Act::Guess)
        {
            self.counters.refused_credentials.add_one();
            return false;
        }
        let is_stale = match realm.judge(&mut self.nonces, now, message) {
            Credence::Good => return true,
            Credence::Stale => true,
            Credence::Absent => false,
            Credence::Wrong => {
                self.counters.refused_credentials.add_one();
                self.meter.take(&self.mint, now, address, Act::Guess);
                false
            }
        };
        self.counters.challenged.add_one();
        let nonce = self.nonces.make(now);
        reject::challenge(self, message, source, |writer, is_wordy| {
            realm.write_challenges(writer, &nonce, is_stale, !is_wordy);
        });
        false
    }
}
