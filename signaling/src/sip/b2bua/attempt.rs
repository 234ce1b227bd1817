//! The attempts of one call (TRUNK.md section 4): how far they have come, which refusals lead to the
//! next peer, and which of several refusals the caller hears.

use super::headers::Passage;
use super::side::Side;
use super::{extensions, headers};
use crate::access::Zone;
use crate::hop::Transport;
use crate::output::{ATTEMPTS_MAX, Attempt, Choice};
use crate::sip::dialog::{Parts, contact_uri, target};
use crate::sip::message::{Message, Uri, Writer};
use crate::sip::transaction::client::hop_by_hop::INVITE_CSEQ;
use crate::slots::Key;
use crate::statuses::Statuses;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How far the attempts of a call have come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// The attempt that is on its way, or was last.
    pub(crate) number: u8,
    /// Attempts begun.
    pub(crate) begun: u8,
    /// How many there may be.
    pub(crate) most: u8,
    /// The owner's name for the peer.
    pub(crate) peer: u32,
    /// The owner was asked for a peer and has not answered.
    pub(crate) is_asked: bool,
    /// The owner has not been told that the attempt is over.
    pub(crate) is_open: bool,
    /// The owner was told that the peer is silent.
    pub(crate) is_silent: bool,
    /// A provisional with a To tag came: the peer works on the call, and it goes to no other.
    pub(crate) is_early: bool,
    /// The peer's challenge was answered.
    pub(crate) is_authenticated: bool,
    /// The least session interval that the peer asked for with 422, or 0.
    pub(crate) min_se: u32,
    /// How often the INVITE was sent once more, each time one number further.
    pub(crate) again: u8,
    /// The owner is asked, when the peer accepts, whether the call stays there.
    pub(crate) awaits_confirmation: bool,
    /// How long the first answer may take.
    pub(crate) patience: Duration,
    /// When the attempt began.
    pub(crate) since: Option<Instant>,
    /// Why the next attempt is wanted.
    pub(crate) why: Why,
}

/// Why a call goes on to another peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Why {
    /// The conference is at another peer.
    Elsewhere,
    /// Something of ours ran short.
    Local,
    /// The last one refused.
    Refused,
    /// It said nothing.
    #[default]
    Silent,
    /// It could not be reached.
    Unreachable,
}

impl Progress {
    /// The attempt that is on its way.
    pub(crate) fn current(&self, call: Key) -> Attempt {
        Attempt {
            call,
            number: self.number,
        }
    }

    /// The attempt that a choice is wanted for.
    pub(crate) fn next(&self, call: Key) -> Attempt {
        Attempt {
            call,
            number: self.begun,
        }
    }

    /// The CSeq number of the INVITE.
    pub(crate) fn invite_cseq(&self) -> u32 {
        INVITE_CSEQ + u32::from(self.again)
    }

    /// Whether another attempt may begin.
    pub(crate) fn has_more(&self) -> bool {
        self.begun < self.most
    }

    /// An attempt at this peer begins.
    pub(crate) fn begin(&mut self, now: Instant, choice: &Choice<'_>) {
        *self = Self {
            number: self.begun,
            begun: self.begun + 1,
            most: choice.attempts_max.min(ATTEMPTS_MAX),
            peer: choice.peer,
            is_open: true,
            awaits_confirmation: choice.awaits_confirmation,
            patience: choice.patience,
            since: Some(now),
            ..Self::default()
        };
    }
}

/// What a call knows until its caller has a final answer; the memory is used again.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// The refusals that lead to the next peer.
    pub(crate) next_on: Statuses,
    /// The peers of attempts that failed.
    pub(crate) tried: Vec<u32>,
    /// The best refusal so far.
    pub(crate) refusal: Option<Refused>,
    /// Where the last peer sent the call: an address, and the URI to ask for there.
    pub(crate) redirect: Option<(SocketAddr, Box<[u8]>)>,
    /// The URI of the attempt that is on its way, if that is not what was dialled; else empty.
    sent_to: Vec<u8>,
    /// The 2xx that waits for the owner's word.
    pub(crate) held: Vec<u8>,
    /// The last peer answered, and the call belongs to another one.
    pub(crate) is_elsewhere: bool,
}

impl Search {
    /// This peer failed; the last of them is the last one that did.
    pub(crate) fn has_tried(&mut self, peer: u32) {
        self.tried.retain(|other| *other != peer);
        self.tried.push(peer);
    }

    /// The last peer sent the call to another place (RFC 3261 §8.1.3.4). Only addresses are followed, since
    /// peers are known by theirs.
    pub(crate) fn follow(&mut self, message: &Message<'_>) -> bool {
        let place = contact_uri(message).and_then(|text| {
            let uri = Uri::parse(text).ok()?;
            let transport = target::transport_of(&uri).unwrap_or(Transport::Udp);
            let port = uri.port.unwrap_or_else(|| transport.default_port());
            Some((SocketAddr::new(uri.ip()?, port), text.into()))
        });
        self.redirect = place;
        self.redirect.is_some()
    }

    /// The URI that an attempt goes to, if that is not what was dialled: where a peer sent it, else what
    /// the owner chose.
    pub(crate) fn next_uri<'a>(&'a self, chosen: Option<&'a [u8]>) -> Option<&'a [u8]> {
        let redirect = self.redirect.as_ref().map(|(_, uri)| &**uri);
        redirect.or(chosen)
    }

    /// That of the attempt that is on its way.
    pub(crate) fn uri(&self) -> Option<&[u8]> {
        (!self.sent_to.is_empty()).then_some(&*self.sent_to)
    }

    /// An attempt begins. If it goes where a peer sent it, that was no refusal.
    pub(crate) fn begins(&mut self, choice: &Choice<'_>) {
        self.is_elsewhere = false;
        self.sent_to.clear();
        if let Some((_, uri)) = self.redirect.take() {
            self.sent_to.extend_from_slice(&uri);
            self.refusal = self.refusal.take().filter(|kept| kept.status >= 400);
        } else if let Some(uri) = choice.request_uri {
            self.sent_to.extend_from_slice(uri);
        }
    }

    /// Keeps a refusal if none that was kept is as good, as the caller's zone may hear it.
    pub(crate) fn keep(&mut self, message: &Message<'_>, zone: Option<&Zone>) {
        let rank = rank(message.status());
        if self.refusal.as_ref().is_none_or(|kept| rank < kept.rank()) {
            self.refusal = Some(Refused::of(message, zone));
        }
    }
}

/// Searches that are used again.
#[derive(Debug, Default)]
pub(crate) struct Searches {
    #[expect(
        clippy::vec_box,
        reason = "calls hold them boxed, so that a call stays small"
    )]
    idle: Vec<Box<Search>>,
    /// For the next 2xx that is held: there are few at a time.
    buffer: Vec<u8>,
}

/// At most so many are kept idle.
const IDLE_MAX: usize = 1024;

impl Searches {
    pub(crate) fn take(&mut self) -> Box<Search> {
        self.idle.pop().unwrap_or_default()
    }

    /// An empty buffer for a 2xx.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// What was in it is done with.
    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() > self.buffer.capacity() {
            buffer.clear();
            self.buffer = buffer;
        }
    }

    pub(crate) fn put(&mut self, mut search: Box<Search>) {
        search.tried.clear();
        search.refusal = None;
        search.redirect = None;
        search.sent_to.clear();
        search.held = Vec::new();
        search.is_elsewhere = false;
        if self.idle.len() < IDLE_MAX {
            self.idle.push(search);
        }
    }
}

/// Allow and Supported, longer than they can be.
const ADDED_MAX: usize = 1024;

/// A peer's refusal, kept until it is known whether another peer does better.
#[derive(Debug)]
pub(crate) struct Refused {
    status: u16,
    /// Reason phrase, header lines as the caller gets them, body.
    text: Parts<3>,
}

impl Refused {
    fn of(message: &Message<'_>, zone: Option<&Zone>) -> Self {
        let status = message.status();
        let passage = Passage::of(message, zone, Side::Caller);
        let mut space = vec![0; message.bytes().len() + ADDED_MAX];
        let mut writer = Writer::new(&mut space);
        // §21.4.6: a 405 must say what is allowed, and the peer's Allow is not what we carry.
        if status == 405 {
            headers::write_allow(&mut writer, message, zone);
        }
        extensions::write(&mut writer, message);
        writer.pass(message, |line| passage.lets(line));
        let length = writer.finish().unwrap_or(0);
        let lines = space.get(..length).unwrap_or(&[]);
        Self {
            status,
            text: Parts::new([message.reason(), lines, message.body()]),
        }
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn reason(&self) -> &[u8] {
        self.text.part(0)
    }

    /// Header lines with their CRLF.
    pub(crate) fn lines(&self) -> &[u8] {
        self.text.part(1)
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.text.part(2)
    }

    /// Octets of all.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    fn rank(&self) -> u16 {
        rank(self.status)
    }
}

/// The order in which a refusal is preferred to others, the best first: RFC 3261 §16.7 step 6.
///
/// A 6xx before all; else the lowest class; in class 4 those that tell the caller how to ask again. A
/// 503 comes last: it says the least about the call, and is not passed on as it is. Of two equals
/// the first one stays.
fn rank(status: u16) -> u16 {
    match status {
        600.. => 0,
        ..400 => 1,
        401 | 407 | 415 | 420 | 484 => 2,
        400..500 => 3,
        503 => 5,
        500..600 => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_refusal_is_chosen_as_the_rfc_says() {
        // Each of them is better than all behind it.
        let order = [600, 302, 484, 486, 500, 503];
        for (better, worse) in order.iter().zip(&order[1..]) {
            assert!(rank(*better) < rank(*worse), "{better} before {worse}");
        }
        assert_eq!(rank(480), rank(486));
        assert_eq!(rank(502), rank(504));
    }
}
