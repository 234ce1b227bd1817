//! What the witness remembers of one leg: requests both ways, what was answered, and the dialogs.

use super::timed::Timer;
use crate::place::Place;
use crate::seen::{Seen, TransactionId};
use signaling::sip::message::Method;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One leg of a call, seen from the node.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) agent: Place,
    pub(super) is_reliable: bool,
    pub(super) call_id: Vec<u8>,
    /// The transaction of its INVITE: in `came` on a caller leg, in `went` on a peer leg.
    pub(super) invite: TransactionId,
    pub(super) came: BTreeMap<TransactionId, Came>,
    pub(super) went: BTreeMap<TransactionId, Went>,
    /// By the other side's tag.
    pub(super) dialogs: BTreeMap<Vec<u8>, Dialog>,
    /// What was agreed on a session timer.
    pub(super) timer: Option<Timer>,
    /// Dialogs that a reliable provisional made (RFC 3262), by the other side's tag: the last number in CSeq.
    pub(super) early: BTreeMap<Vec<u8>, u32>,
    /// The reliable provisionals that came, and the statuses of those that were not.
    pub(super) rseqs: BTreeSet<(u16, u32)>,
    pub(super) plain: BTreeSet<u16>,
    /// The tags that the node calls itself.
    pub(super) own_tags: BTreeSet<Vec<u8>>,
    /// When another peer took its place, while nothing had come.
    pub(super) superseded_at: Option<Duration>,
    /// The call goes on, or went on, with another leg.
    pub(super) is_past: bool,
    /// All bodies that came.
    pub(super) bodies: BTreeSet<Vec<u8>>,
}

/// A request that came to the node.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) cseq: u32,
    pub(super) their_tag: Vec<u8>,
    pub(super) at: Duration,
    pub(super) copies: u32,
    pub(super) max_forwards: Option<u32>,
    pub(super) method: Method,
    pub(super) body: Vec<u8>,
    /// The request on the other leg that it was carried across by.
    pub(super) passed_as: Option<TransactionId>,
    pub(super) answer: Option<Answer>,
    /// Of an INVITE: the ACK of its refusal came.
    pub(super) is_acknowledged: bool,
    /// It is an UPDATE that only refreshes the session.
    pub(super) refreshes: bool,
}

/// A final answer that the node gave.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) bytes: Vec<u8>,
    pub(super) at: Duration,
    pub(super) copies: u32,
}

/// A request that the node sent.
#[derive(Debug)]
pub(super) struct Went {
    pub(super) cseq: u32,
    pub(super) at: Duration,
    pub(super) bytes: Vec<u8>,
    pub(super) copies: u32,
    /// The provisional statuses that came.
    pub(super) provisionals: BTreeSet<u16>,
    /// When the first provisional response came, or a later one that is no 100 (RFC 3261 §16.7 step 2).
    pub(super) provisional_at: Option<Duration>,
    /// When the last one came that is no 100.
    pub(super) rang_at: Option<Duration>,
    /// One came in time: who stops waiting has to cancel.
    pub(super) rings: bool,
    /// The finals that came while they were waited for: status and the other side's tag.
    pub(super) finals: Vec<(u16, Vec<u8>)>,
    /// When the first of them came.
    pub(super) final_at: Option<Duration>,
    /// When the first response of any kind came, waited for or not.
    pub(super) first_at: Option<Duration>,
    /// Of an INVITE: its refusal was acknowledged.
    pub(super) is_acknowledged: bool,
    /// When the node was told that it could not be sent.
    pub(super) failed_at: Option<Duration>,
    /// The request of the other leg that it carries across.
    pub(super) passes: Option<TransactionId>,
}

/// A dialog, from its 2xx on.
#[derive(Debug)]
pub(super) struct Dialog {
    pub(super) since: Duration,
    /// The 2xx came in time: it has to be acknowledged.
    pub(super) is_owed: bool,
    pub(super) cseq_out: u32,
    pub(super) ack_came: bool,
    pub(super) acks_went: u32,
    /// The first of them was the node's own: the caller's had not come.
    pub(super) is_acked_alone: bool,
    pub(super) bye_came: Option<TransactionId>,
    pub(super) bye_went: Option<TransactionId>,
}

impl Leg {
    pub(super) fn new(agent: Place, is_reliable: bool, invite: &Seen) -> Self {
        Self {
            agent,
            is_reliable,
            call_id: invite.call_id.clone(),
            invite: invite.transaction(),
            came: BTreeMap::new(),
            went: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            timer: None,
            early: BTreeMap::new(),
            rseqs: BTreeSet::new(),
            plain: BTreeSet::new(),
            own_tags: BTreeSet::new(),
            superseded_at: None,
            is_past: false,
            bodies: BTreeSet::new(),
        }
    }

    pub(super) fn invite_came(&self) -> Option<&Came> {
        self.came.get(&self.invite)
    }

    pub(super) fn invite_went(&self) -> Option<&Went> {
        self.went.get(&self.invite)
    }

    /// Since when nobody waits for a response to the INVITE, if so: 64*T1 after the INVITE, if nothing came (RFC 3261 §17.1.1.2
    /// timer B), after the CANCEL (§9.1), or after the first final (RFC 6026 §7.2 timer M); or since it could not be sent.
    pub(super) fn given_up_at(&self, patience: Duration) -> Option<Duration> {
        let invite = self.invite_went()?;
        let cancel = self.went.get(&(self.invite.0.clone(), "CANCEL".to_owned()));
        let is_unanswered = invite.final_at.is_none();
        let waits = [
            (!invite.rings && is_unanswered).then_some(invite.at),
            cancel.map(|cancel| cancel.at).filter(|_| is_unanswered),
            invite.final_at,
        ];
        let until = waits.into_iter().flatten().map(|since| since + patience);
        let until = until.chain(invite.failed_at);
        until.chain(self.superseded_at).min()
    }

    /// A provisional answer to the INVITE came.
    pub(super) fn provisional_came(&mut self, cseq: u32, response: &Seen) {
        match response.rseq {
            Some(rseq) => {
                self.rseqs.insert((response.status, rseq));
                self.early.entry(response.to_tag.clone()).or_insert(cseq);
            }
            None => drop(self.plain.insert(response.status)),
        }
    }

    /// The last number in CSeq that went to whoever has this tag.
    pub(super) fn last_cseq(&self, tag: &[u8], invite: u32) -> u32 {
        let early = self.early.get(tag).copied();
        invite.max(early.unwrap_or(0))
    }

    /// Whether this PRACK acknowledges a provisional that came, by the numbers of this leg (RFC 3262 §7.2).
    pub(super) fn fits_rack(&self, prack: &Seen) -> bool {
        let cseq = self.invite_went().map(|invite| invite.cseq);
        let racks = self.rseqs.iter().zip(std::iter::repeat(cseq));
        let mut racks = racks.filter_map(|((_, rseq), cseq)| Some((rseq, cseq?)));
        racks.any(|(rseq, cseq)| prack.mentions(&format!("\r\nRAck: {rseq} {cseq} INVITE\r\n")))
    }

    pub(super) fn has_cancel(&self) -> bool {
        self.went
            .contains_key(&(self.invite.0.clone(), "CANCEL".to_owned()))
    }

    /// The dialog that the call goes on with.
    pub(super) fn winning_dialog(&self) -> Option<&Dialog> {
        self.dialogs
            .get(self.winner()?)
            .filter(|dialog| dialog.is_real())
    }

    /// The tag of the 2xx that came first: of the fork that the call goes on with.
    pub(super) fn winner(&self) -> Option<&[u8]> {
        let finals = &self.invite_went()?.finals;
        finals
            .iter()
            .find(|(status, _)| (200..300).contains(status))
            .map(|(_, tag)| tag.as_slice())
    }
}

impl Came {
    pub(super) fn new(now: Duration, request: &Seen) -> Self {
        Self {
            cseq: request.cseq,
            their_tag: request.from_tag.clone(),
            at: now,
            copies: 1,
            max_forwards: request.max_forwards,
            method: request.method,
            body: request.body.clone(),
            passed_as: None,
            answer: None,
            is_acknowledged: false,
            refreshes: request.method == Method::Update
                && request.body.is_empty()
                && request.mentions("\r\nSession-Expires: "),
        }
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }
}

impl Went {
    pub(super) fn new(now: Duration, request: &Seen, bytes: &[u8]) -> Self {
        Self {
            cseq: request.cseq,
            at: now,
            bytes: bytes.to_vec(),
            copies: 1,
            provisionals: BTreeSet::new(),
            provisional_at: None,
            rang_at: None,
            rings: false,
            finals: Vec::new(),
            final_at: None,
            first_at: None,
            is_acknowledged: false,
            failed_at: None,
            passes: None,
        }
    }

    pub(super) fn is_answered(&self) -> bool {
        !self.finals.is_empty()
    }
}

impl Dialog {
    pub(super) fn new(now: Duration, cseq_out: u32, is_owed: bool) -> Self {
        Self {
            since: now,
            is_owed,
            cseq_out,
            ack_came: false,
            acks_went: 0,
            is_acked_alone: false,
            bye_came: None,
            bye_went: None,
        }
    }

    /// Whether the ACK came, or a BYE, which says the same.
    pub(super) fn is_confirmed(&self) -> bool {
        self.ack_came || self.bye_came.is_some()
    }

    /// Whether the node has to do with it: where the 2xx came just when nobody waited any more, that is the node's choice.
    pub(super) fn is_real(&self) -> bool {
        self.is_owed || self.acks_went > 0 || self.bye_went.is_some()
    }

    pub(super) fn is_over(&self) -> bool {
        self.bye_came.is_some() || self.bye_went.is_some()
    }
}
