//! What only the client transaction of an INVITE has: forks and their ACKs (RFC 3261 §13.2.2.4),
//! its CANCEL (§9.1), and its time after the user has given up.

use super::hop_by_hop::{INVITE_CSEQ, write_cancel};
use super::{Clients, Clocks, Late, Machine, Matched, Purpose, STRAYS, Timer, arm, invite_client};
use crate::context::Context;
use crate::hop::Hop;
use crate::outbox::Span;
use crate::sip::message::{Message, Method};
use crate::sip::token::Kind;
use crate::slots::Key;
use std::time::Instant;

/// How often an INVITE is sent once more at most: challenged, for a longer session, challenged again.
const AGAIN_MAX: u32 = 3;

/// Which 2xx of an INVITE this is (§13.2.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TwoHundred {
    /// The one that wins.
    First,
    /// The winner's once more.
    Again,
    /// Another fork's.
    Stray(Late),
}

impl Clients {
    /// Tells the 2xx of forks apart, by a hash of their To tags. The first one wins.
    pub(crate) fn two_hundred(&mut self, key: Key, tag: u64) -> Option<TwoHundred> {
        let client = self.slots.get_mut(key)?;
        match client.winner {
            None => {
                client.winner = Some(tag);
                Some(TwoHundred::First)
            }
            Some(winner) if winner == tag => Some(TwoHundred::Again),
            Some(_) => {
                let with_bye = remember(&mut client.strays, tag);
                Some(TwoHundred::Stray(Late {
                    purpose: client.purpose,
                    hop: client.hop,
                    with_bye,
                    attempt: None,
                    cseq: client.cseq_early,
                }))
            }
        }
    }

    /// The call whose INVITE this is.
    pub(crate) fn call_of(&self, key: Key) -> Option<Key> {
        match self.slots.get(key)?.purpose {
            Purpose::Invite(attempt) => Some(attempt.call),
            Purpose::ByeToCaller(_)
            | Purpose::ByeToLate(_)
            | Purpose::ByeToPeer(_)
            | Purpose::Exchange(_)
            | Purpose::Forgotten
            | Purpose::Notice(..)
            | Purpose::Probe(_)
            | Purpose::Refresh(..)
            | Purpose::RefreshByInvite(..)
            | Purpose::Reinvite(_)
            | Purpose::Transfer(_)
            | Purpose::TransferOffer(_) => None,
        }
    }

    /// Where a request went.
    pub(crate) fn hop(&self, key: Key) -> Option<Hop> {
        Some(self.slots.get(key)?.hop)
    }

    /// A request with this number went to one of its early dialogs: whatever ends that is numbered behind it, also
    /// when the call is forgotten (§12.2.1.1).
    pub(crate) fn count_early(&mut self, key: Key, cseq: u32) {
        if let Some(client) = self.slots.get_mut(key) {
            client.cseq_early = client.cseq_early.max(cseq);
        }
    }

    /// Keeps the ACK of a 2xx and where it goes, to be sent again when the 2xx comes again
    /// (§13.2.2.4).
    pub(crate) fn keep_ack(&mut self, context: &mut Context, key: Key, ack: Span, hop: Hop) {
        let Some(client) = self.slots.get_mut(key) else {
            return;
        };
        let kept = context.pool.copy(context.outbox.bytes(ack));
        context
            .pool
            .put(std::mem::replace(&mut client.message, kept));
        client.ack_hop = Some(hop);
    }

    /// Sends the kept ACK of a 2xx again, if there is one yet.
    pub(crate) fn repeat_ack(&self, context: &mut Context, key: Key) {
        let Some(client) = self.slots.get(key) else {
            return;
        };
        if !client.message.is_empty() {
            context.counters.retransmissions_out.add_one();
            let hop = client.ack_hop.unwrap_or(client.hop);
            context.resend(hop, None, client.message.as_slice());
        }
    }

    /// Sends the CANCEL of an INVITE (§9.1): the same Request-URI, Via, From, To, Call-ID and CSeq
    /// number.
    pub(crate) fn cancel(&mut self, context: &mut Context, now: Instant, key: Key) {
        let Some(client) = self.slots.get_mut(key) else {
            return;
        };
        let invite = std::mem::take(&mut client.message);
        let hop = client.hop;
        let bytes = invite.as_slice();
        let cancel = self.send(
            context,
            now,
            (Purpose::Forgotten, hop),
            bytes.len() + 64,
            |writer, _| {
                write_cancel(writer, bytes);
            },
        );
        if let Some(client) = self.slots.get_mut(key) {
            client.message = invite;
            client.cancel = cancel;
        }
    }

    /// What the answer to a CANCEL belongs to: its branch is the INVITE's.
    pub(super) fn cancel_of(&self, invite: Key) -> Option<Key> {
        self.slots.get(invite)?.cancel
    }

    /// Keeps an INVITE for 64*T1 whose user has given up: a peer that answers after all is told to
    /// stop.
    pub(crate) fn abandon(&mut self, context: &mut Context, now: Instant, key: Key) {
        let Some(client) = self.slots.get_mut(key) else {
            return;
        };
        let life = now + context.settings.timers.t1_64();
        client.machine = Machine::Abandoned;
        client.clocks = Clocks {
            life: Some((Timer::M, life)),
            ..Clocks::default()
        };
        arm(client, key, context);
    }

    /// Nobody waits any more for the 2xx that won, which has its ACK and BYE: its repeats get ACKs of their own.
    pub(crate) fn disown(&mut self, context: &mut Context, now: Instant, key: Key) {
        if let Some(client) = self.slots.get_mut(key)
            && let Some(winner) = client.winner
        {
            remember(&mut client.strays, winner);
        }
        self.abandon(context, now, key);
    }

    /// Abandons the INVITE of an attempt that another one takes the place of. Its owner hears when it
    /// is over. False: it is over already.
    pub(crate) fn give_up(&mut self, context: &mut Context, now: Instant, key: Key) -> bool {
        self.abandon(context, now, key);
        let client = self.slots.get_mut(key);
        client.map(|client| client.owes_end = true).is_some()
    }

    /// An answer to an INVITE that was given up: the peer is told to stop (TRUNK.md section 4).
    pub(super) fn too_late(
        &mut self,
        context: &mut Context,
        now: Instant,
        key: Key,
        message: &Message<'_>,
    ) -> Matched {
        let Some(client) = self.slots.get_mut(key) else {
            return Matched::Absorbed;
        };
        match message.status() {
            _ if message.cseq_method() != Method::Invite => {}
            // §9.1: nothing is cancelled that was answered; the provisional was overtaken by a 2xx.
            ..200 if client.cancel.is_none() && client.strays == [0; STRAYS] => {
                self.cancel(context, now, key);
                // The CANCEL's answer is found by the INVITE's branch, so the INVITE lives as long.
                self.abandon(context, now, key);
            }
            ..200 => {}
            200..300 => {
                let tag = context.mint.hash(&[message.to_tag().unwrap_or(&[])]);
                let with_bye = remember(&mut client.strays, tag);
                if with_bye {
                    context.counters.answers_too_late.add_one();
                }
                return Matched::Late(Late {
                    purpose: client.purpose,
                    hop: client.hop,
                    with_bye,
                    attempt: client.take_attempt(),
                    cseq: client.cseq_early,
                });
            }
            300.. => {
                client.end_attempt(context);
                client.machine = Machine::Invite(invite_client::State::Proceeding);
                let failure = invite_client::Input::Failure;
                let told = self.step_invite(context, now, key, failure, Some(message));
                debug_assert!(
                    told.is_some(),
                    "a failure is told; here nobody is left to hear it"
                );
            }
        }
        Matched::Absorbed
    }
}

/// Whether a response repeats what its INVITE said (§8.1.3.2): a dialog is made from it.
pub(super) fn is_answer_to(context: &Context, purpose: Purpose, message: &Message<'_>) -> bool {
    let Purpose::Invite(attempt) = purpose else {
        return true;
    };
    let tag = context.attempt_token(Kind::PeerLeg, attempt);
    // The higher numbers are those of INVITEs that were sent once more, with credentials or for a
    // longer session; the branch says which of them.
    (INVITE_CSEQ..=INVITE_CSEQ + AGAIN_MAX).contains(&message.cseq())
        && message.call_id() == context.attempt_token(Kind::CallId, attempt)
        && message
            .from_tag()
            .is_some_and(|from| from.eq_ignore_ascii_case(&tag))
}

/// Remembers a tag; false if it is remembered already.
fn remember(tags: &mut [u64; STRAYS], tag: u64) -> bool {
    let is_new = !tags.contains(&tag);
    if is_new {
        tags.rotate_right(1);
        tags[0] = tag;
    }
    is_new
}
