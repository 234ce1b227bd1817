//! The one map from cause to status: whose fault it was, whether the next peer may be tried, and
//! the stateless answer.

use super::b2bua::extensions::unsupported;
use super::b2bua::headers;
use super::message::{Fault, HeaderName, Message, Via, Writer};
use super::token::Kind;
use super::transaction::head::Head;
use super::transaction::key;
use crate::context::Context;
use crate::hop::{Hop, Transport};
use crate::output::Refusal;
use crate::overload::OverloadSettings;
use crate::slots::Key;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing that we serve has the name that was dialled.
    AliasUnknown,
    /// The leg has another request to answer first.
    Busy,
    /// A REFER that does not say whom to call.
    BadRefer,
    /// The call may go no way at all (RFC 5393).
    BreadthExceeded,
    /// CANCEL or an early BYE ended the INVITE.
    Cancelled,
    /// The conference has as many participants as it may.
    ConferenceFull,
    /// A REFER, where they are refused.
    Declined,
    /// This node begins no more calls.
    Draining,
    /// The source may not call.
    Forbidden,
    /// Both sides change the session at once.
    Glare,
    /// No peer has a session free.
    NoCapacity,
    /// An in-dialog request, or a CANCEL, for nothing that we know.
    NoDialog,
    /// No candidate answered.
    NoPeerAnswered,
    /// The conference does not run, and the caller may not begin it.
    NotStarted,
    /// No peer can be reached over a transport that we have.
    NoRoute,
    /// A request inside a dialog whose CSeq is not above the last one's.
    OutOfOrder,
    /// The peer said 503: it cannot, which does not mean that this node cannot.
    PeerUnavailable,
    /// The message is broken.
    Malformed(Fault),
    /// A method of RFC 3261's family that this server does not serve here.
    MethodNotAllowed,
    /// A method that nobody here has heard of.
    MethodUnknown,
    /// This worker's tables are full.
    Overloaded,
    /// The peer rang without a final answer until timer C.
    RangTooLong,
    /// The source begins more than it may.
    TooOften,
    /// Session-Expires is below what is accepted.
    SessionTooShort,
    /// The request came by two ways, or the call came back.
    LoopDetected,
    /// Max-Forwards is used up.
    TooManyHops,
    /// Require or Proxy-Require names what we do not support.
    UnsupportedExtension,
    /// The Request-URI is neither `sip:` nor `tel:`.
    UnsupportedScheme,
}

/// Whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller's.
    Caller,
    /// The peer's.
    Peer,
    /// Ours.
    Us,
}

impl Cause {
    /// Status and reason phrase (TRUNK.md section 12).
    #[must_use]
    pub fn status(self) -> (u16, &'static str) {
        match self {
            Self::Busy | Self::OutOfOrder => (500, "Server Internal Error"),
            Self::AliasUnknown => (404, "Not Found"),
            Self::BadRefer => (400, "Bad Request"),
            Self::BreadthExceeded => (440, "Max-Breadth Exceeded"),
            Self::Cancelled => (487, "Request Terminated"),
            Self::ConferenceFull => (486, "Busy Here"),
            Self::Draining | Self::Overloaded | Self::TooOften => (503, "Service Unavailable"),
            Self::Forbidden => (403, "Forbidden"),
            Self::Declined => (603, "Decline"),
            Self::Glare => (491, "Request Pending"),
            // Never 503 for "full": RFC 3263 §4.3 would send the caller to every sibling in turn.
            Self::NoCapacity | Self::NoRoute | Self::NotStarted | Self::PeerUnavailable => {
                (480, "Temporarily Unavailable")
            }
            Self::NoDialog => (481, "Call/Transaction Does Not Exist"),
            Self::NoPeerAnswered => (504, "Server Time-out"),
            Self::Malformed(fault) => of_fault(fault),
            Self::MethodNotAllowed => (405, "Method Not Allowed"),
            Self::MethodUnknown => (501, "Not Implemented"),
            Self::RangTooLong => (408, "Request Timeout"),
            Self::SessionTooShort => (422, "Session Interval Too Small"),
            Self::LoopDetected => (482, "Loop Detected"),
            Self::TooManyHops => (483, "Too Many Hops"),
            Self::UnsupportedExtension => (420, "Bad Extension"),
            Self::UnsupportedScheme => (416, "Unsupported URI Scheme"),
        }
    }

    /// Whose fault it was.
    #[must_use]
    pub fn blame(self) -> Blame {
        match self {
            Self::ConferenceFull
            | Self::Draining
            | Self::NoCapacity
            | Self::NoRoute
            | Self::NotStarted
            | Self::Overloaded => Blame::Us,
            Self::NoPeerAnswered | Self::PeerUnavailable | Self::RangTooLong => Blame::Peer,
            Self::AliasUnknown
            | Self::BadRefer
            | Self::BreadthExceeded
            | Self::Busy
            | Self::Cancelled
            | Self::Forbidden
            | Self::Glare
            | Self::NoDialog
            | Self::Malformed(_)
            | Self::MethodNotAllowed
            | Self::MethodUnknown
            | Self::OutOfOrder
            | Self::Declined
            | Self::LoopDetected
            | Self::SessionTooShort
            | Self::TooManyHops
            | Self::TooOften
            | Self::UnsupportedExtension
            | Self::UnsupportedScheme => Blame::Caller,
        }
    }

    /// The text of a Warning, where the status alone says too little.
    #[must_use]
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::ConferenceFull => Some("conference full"),
            Self::NoCapacity => Some("no peer has a session free"),
            Self::NoPeerAnswered => Some("no peer answered"),
            Self::PeerUnavailable => Some("the peer is unavailable"),
            Self::NoRoute => Some("no transport to any peer"),
            Self::NotStarted => Some("the conference has not started"),
            Self::AliasUnknown
            | Self::BadRefer
            | Self::BreadthExceeded
            | Self::Busy
            | Self::Cancelled
            | Self::Draining
            | Self::Forbidden
            | Self::Glare
            | Self::NoDialog
            | Self::Malformed(_)
            | Self::MethodNotAllowed
            | Self::MethodUnknown
            | Self::OutOfOrder
            | Self::Overloaded
            | Self::RangTooLong
            | Self::Declined
            | Self::LoopDetected
            | Self::SessionTooShort
            | Self::TooManyHops
            | Self::TooOften
            | Self::UnsupportedExtension
            | Self::UnsupportedScheme => None,
        }
    }

    /// When the sender may come back, in seconds; `spread` is any number, the same for each repeat
    /// of a request.
    pub(crate) fn retry_after(self, overload: &OverloadSettings, spread: u64) -> Option<u32> {
        let below = |limit: u64| u32::try_from(spread % limit).unwrap_or(0);
        match self {
            Self::Draining | Self::Overloaded | Self::TooOften => {
                Some(overload.retry_after(spread))
            }
            // RFC 3261 §14.2, RFC 3311 §5.2: between 0 and 10 seconds.
            Self::Busy => Some(below(11)),
            Self::AliasUnknown
            | Self::BadRefer
            | Self::BreadthExceeded
            | Self::Cancelled
            | Self::ConferenceFull
            | Self::Forbidden
            | Self::Glare
            | Self::Malformed(_)
            | Self::MethodNotAllowed
            | Self::MethodUnknown
            | Self::NoCapacity
            | Self::NoDialog
            | Self::NoPeerAnswered
            | Self::NoRoute
            | Self::NotStarted
            | Self::OutOfOrder
            | Self::PeerUnavailable
            | Self::RangTooLong
            | Self::Declined
            | Self::LoopDetected
            | Self::SessionTooShort
            | Self::TooManyHops
            | Self::UnsupportedExtension
            | Self::UnsupportedScheme => None,
        }
    }
}

impl From<Refusal> for Cause {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AliasUnknown => Self::AliasUnknown,
            Refusal::CallerNotAllowed => Self::Forbidden,
            Refusal::ConferenceFull => Self::ConferenceFull,
            Refusal::Draining => Self::Draining,
            Refusal::NoCapacity => Self::NoCapacity,
            Refusal::NoPeerInService => Self::NoPeerAnswered,
            Refusal::NotStarted => Self::NotStarted,
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else is wrong with a message is 400"
)]
fn of_fault(fault: Fault) -> (u16, &'static str) {
    match fault {
        Fault::BadVersion => (505, "Version Not Supported"),
        Fault::TooLarge => (513, "Message Too Large"),
        _ => (400, "Bad Request"),
    }
}

/// An answer over UDP is at most this much larger than its request, in tenths (RELIABILITY.md R18).
const AMPLIFICATION_TENTHS_MAX: usize = 12;
/// Room for what is added to the request's own head.
const ADDED_MAX: usize = 768;

/// Answers a request without keeping anything (RFC 3261 §8.2.7): a repeat of the request gets the
/// same answer again.
///
/// The To tag is a hash of the request, so that it is the same each time.
pub(crate) fn answer_stateless(
    context: &mut Context,
    message: &Message<'_>,
    source: Hop,
    cause: Cause,
) {
    if message.header(HeaderName::Via).is_none() {
        context.counters.dropped_malformed.add_one();
        return;
    }
    context.counters.rejected.add_one();
    let answer = Stateless::of(context, message, source);
    let retry_after = cause.retry_after(&context.settings.overload, answer.hash);
    let min_se = context.settings.session.min_se;
    let details = if let Cause::Malformed(fault) = cause {
        fault.to_string()
    } else {
        String::new()
    };
    answer.send(context, cause.status(), |writer, is_wordy| {
        if let Some(seconds) = retry_after {
            writer.put(b"Retry-After: ");
            writer.number(seconds);
            writer.put(b"\r\n");
        }
        if cause == Cause::SessionTooShort {
            writer.put(b"Min-SE: ");
            writer.number(min_se);
            writer.put(b"\r\n");
        }
        if cause == Cause::UnsupportedExtension {
            writer.put(b"Unsupported: ");
            for (position, tag) in unsupported(message).enumerate() {
                writer.put(if position == 0 { b"" } else { b"," });
                writer.put(tag);
            }
            writer.put(b"\r\n");
        }
        // §21.4.6: a 405 must say what is allowed.
        if matches!(cause, Cause::MethodNotAllowed | Cause::MethodUnknown) {
            let is_inside = message.to_tag().is_some();
            writer.put(if is_inside {
                headers::ALLOW
            } else {
                headers::ALLOW_OUTSIDE
            });
        }
        if is_wordy && !details.is_empty() {
            writer.put(b"Warning: 399 baton \"");
            writer.put(details.as_bytes());
            writer.put(b"\"\r\n");
        }
    });
}

/// 401 (RFC 3261 §22.2); the challenges are the caller's of this to write, few or all.
pub(crate) fn challenge(
    context: &mut Context,
    message: &Message<'_>,
    source: Hop,
    challenges: impl Fn(&mut Writer<'_>, bool),
) {
    context.counters.rejected.add_one();
    Stateless::of(context, message, source).send(context, (401, "Unauthorized"), challenges);
}

/// 200 to a BYE or CANCEL for which no transaction is to be had.
pub(crate) fn accept_stateless(context: &mut Context, message: &Message<'_>, source: Hop) {
    Stateless::of(context, message, source).send(context, (200, "OK"), |_, _| {});
}

/// 200 to an OPTIONS inside a dialog (§11.2), with all words: whoever knows its tags and comes from its
/// side is where it says.
pub(crate) fn answer_options(context: &mut Context, message: &Message<'_>, source: Hop) {
    let mut answer = Stateless::of(context, message, source);
    answer.length_max = usize::MAX;
    answer.accept_options(context);
}

/// An answer that leaves nothing behind.
pub(crate) struct Stateless {
    head: Head,
    hop: Hop,
    /// Of what makes the request itself: the same for each repeat of it.
    hash: u64,
    room: usize,
    /// Octets that may be sent, where the sender's address may be a lie.
    length_max: usize,
}

impl Stateless {
    /// 200 with what we can do.
    pub(crate) fn accept_options(self, context: &mut Context) {
        self.send(context, (200, "OK"), |writer, is_wordy| {
            if is_wordy {
                writer.put(headers::ALLOW);
                writer.put(b"Accept: application/sdp\r\n");
            }
        });
    }

    /// A refusal without more words.
    pub(crate) fn refuse(self, context: &mut Context, cause: Cause) {
        context.counters.rejected.add_one();
        self.send(context, cause.status(), |_, _| {});
    }

    pub(crate) fn of(context: &mut Context, message: &Message<'_>, source: Hop) -> Self {
        let hash = context.mint.hash(&[
            message.call_id(),
            message.from(),
            &message.cseq().to_be_bytes(),
        ]);
        // A Via that cannot be read names no port: then the source is the best guess.
        let hop = Via::parse(message.top_via()).map_or(source, |via| key::reply_hop(&via, source));
        let length = message.bytes().len();
        Self {
            head: Head::of(message, &source, &mut context.pool),
            hop,
            hash,
            room: 2 * length + ADDED_MAX,
            length_max: match source.transport {
                Transport::Udp => length * AMPLIFICATION_TENTHS_MAX / 10,
                Transport::Tcp | Transport::Tls => usize::MAX,
            },
        }
    }

    /// Sends it with all words if that is not too long, else with the fewest, else not at all.
    fn send(
        mut self,
        context: &mut Context,
        (status, reason): (u16, &str),
        more: impl Fn(&mut Writer<'_>, bool),
    ) {
        let generation = u32::try_from(self.hash >> 32).expect("32 bits");
        let slot = u32::try_from(self.hash & 0xff_ffff).expect("24 bits");
        let tag = context.token(Kind::Stateless, Key { slot, generation });
        let room = self.room.min(self.length_max);
        let is_sent = [true, false].into_iter().any(|is_wordy| {
            context.send_if_fits(self.hop, room, |writer| {
                self.write(writer, (status, reason), &tag, |writer| {
                    more(writer, is_wordy);
                });
            })
        });
        if !is_sent {
            context.counters.dropped_amplification.add_one();
        }
        self.head.release(&mut context.pool);
    }

    fn write(
        &self,
        writer: &mut Writer<'_>,
        (status, reason): (u16, &str),
        tag: &[u8],
        more: impl Fn(&mut Writer<'_>),
    ) {
        writer.status_line(status, reason.as_bytes());
        self.head.write(writer, Some(tag));
        more(writer);
        writer.body(b"");
    }
}
