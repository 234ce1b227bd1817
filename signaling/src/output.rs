//! What a core asks of its owner.

use crate::access::ZoneId;
use crate::hop::{Hop, Transport};
use crate::outbox::Span;
use crate::slots::Key;
use crate::statuses::Statuses;
use std::net::SocketAddr;
use std::time::Duration;

/// One effect. The owner takes them in order until there are none, before it waits again.
#[derive(Clone, Debug)]
pub enum Output {
    /// What came of an attempt.
    Attempted(Attempt, Outcome),
    /// Choose a peer for this attempt and say so with `handle_choice`; [`crate::Core::question`]
    /// tells what was dialled, and who was tried already.
    Choose(Attempt),
    /// Say with `handle_lookup` whether what was asked for is served; [`crate::Core::lookup`] tells
    /// what that is.
    Lookup(Key),
    /// What came of the probe of this peer.
    Probed(u32, Outcome),
    /// The call is over. Attempts of it that were given up may outlast it.
    Ended(Ending),
    /// Send these bytes.
    Send(Transmit),
}

/// A message to send; its bytes are in the outbox until the owner calls `sent`.
#[derive(Clone, Copy, Debug)]
pub struct Transmit {
    /// Where to.
    pub hop: Hop,
    /// Which bytes.
    pub span: Span,
    /// Who wants to know if it cannot be sent.
    pub ticket: Option<Ticket>,
    /// How long a connection for it may take to be made, where the owner has said that.
    pub connect_patience: Option<Duration>,
}

/// Why a message could not be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Something of ours ran short: descriptors, ports, places in a table. It says nothing of the other side.
    Local,
    /// Nobody is reached there, or the connection broke.
    #[default]
    Refused,
    /// There was no connection in time, or the other side reads nothing.
    Silent,
    /// TLS failed.
    Tls,
}

/// Names the client transaction that a message belongs to, for `handle_transport_error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub(crate) Key);

/// A call makes at most so many attempts, whatever its owner allows.
pub const ATTEMPTS_MAX: u8 = 8;

/// One attempt to bring a call to a peer. A call has several when peers fail; only the last one can
/// win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    /// The call.
    pub call: Key,
    /// Counts the attempts of the call, from 0.
    pub number: u8,
}

/// What came of an attempt. For each choice that the owner made there is exactly one
/// [`Outcome::Over`], and it is the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A 2xx won the call: the owner says with `handle_confirmation` whether the call stays there.
    Accepted,
    /// The peer refused; to a probe: it answered.
    Answered {
        /// With this status: 300 to 699, and 200 to 699 to a probe.
        status: u16,
        /// And said how long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// Nothing more comes of it: what was reserved for it goes back.
    Over,
    /// The peer said nothing for as long as the choice allowed. It may still answer.
    Silent,
    /// It could not be sent.
    Unreachable(Trouble),
}

impl Outcome {
    /// Whether the other side did not answer, and not for want of something of ours.
    #[must_use]
    pub fn is_loss(self) -> bool {
        match self {
            Self::Silent | Self::Unreachable(Trouble::Refused | Trouble::Silent | Trouble::Tls) => {
                true
            }
            Self::Accepted
            | Self::Answered { .. }
            | Self::Over
            | Self::Unreachable(Trouble::Local) => false,
        }
    }
}

/// What the owner needs to know to choose a peer.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The Request-URI as dialled.
    pub request_uri: &'a [u8],
    /// Where the call came from.
    pub source: Hop,
    /// The zone that this is in.
    pub zone: Option<ZoneId>,
    /// The body of the INVITE.
    pub body: &'a [u8],
    /// The peers of earlier attempts, as the choices named them.
    pub tried: &'a [u32],
    /// The last peer sent the call here: the choice may be the peer at this address, if the call may go
    /// there, and no other.
    pub redirect: Option<SocketAddr>,
    /// The last peer answered, and the owner said that the call belongs elsewhere. It may have been there before: the
    /// others of `tried` are not to be held against it.
    pub is_elsewhere: bool,
    /// The call is to take the place of another one, at the peer of that and at no other (RFC 3891).
    pub replaced: Option<Replaced>,
}

/// The call that an INVITE with Replaces names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The attempt that its peer accepted.
    pub attempt: Attempt,
    /// How that peer was reached.
    pub hop: Hop,
}

impl Question<'_> {
    /// Whether sound is offered, and no picture. Not known where there is no offer (RFC 3264) yet: that is no.
    #[must_use]
    pub fn is_audio_only(&self) -> bool {
        offers_audio_only(self.body)
    }
}

fn offers_audio_only(body: &[u8]) -> bool {
    let mut lines = body.split(|byte| *byte == b'\n');
    let has_audio = lines.clone().any(|line| offers(line, b"m=audio "));
    has_audio && !lines.any(|line| offers(line, b"m=video "))
}

/// Whether a line of a session description offers a medium: port 0 refuses it (RFC 3264 §5.1).
fn offers(line: &[u8], medium: &[u8]) -> bool {
    let port = line.strip_prefix(medium).unwrap_or_default();
    let mut digits = port.iter().take_while(|byte| byte.is_ascii_digit());
    digits.any(|digit| *digit != b'0')
}

/// The owner's answer to [`Output::Choose`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<'u> {
    /// The owner's name for the peer, handed back in [`Question::tried`].
    pub peer: u32,
    /// What is called there, instead of what was dialled; a peer that sends the call on is obeyed first.
    pub request_uri: Option<&'u [u8]>,
    /// How to reach the peer.
    pub transport: Transport,
    /// Its address.
    pub remote: SocketAddr,
    /// How long a connection to it may take to be made.
    pub connect_patience: Duration,
    /// How long it may say nothing until the next peer is asked for.
    pub patience: Duration,
    /// How many attempts the call has in all; that of the first choice counts.
    pub attempts_max: u8,
    /// The refusals that lead to the next peer; all others are the caller's answer.
    pub next_on: Statuses,
    /// A 2xx is held until the owner has said that the call stays there. Without, the caller hears it at once, and is
    /// hung up if it does not.
    pub awaits_confirmation: bool,
}

/// A peer to see whether it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The owner's name for the peer, handed back in [`Output::Probed`].
    pub peer: u32,
    /// How to reach it.
    pub transport: Transport,
    /// Its address.
    pub remote: SocketAddr,
    /// How long a connection to it may take to be made.
    pub connect_patience: Duration,
    /// How long to wait for its answer.
    pub patience: Duration,
}

/// Why the owner chose nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing that we serve has this name.
    AliasUnknown,
    /// The caller may not call there.
    CallerNotAllowed,
    /// The conference has as many participants as it may.
    ConferenceFull,
    /// No new calls are taken.
    Draining,
    /// No peer has a session free, or none that was not tried.
    NoCapacity,
    /// All peers that could take the call are known to fail.
    NoPeerInService,
    /// The conference does not run, and the caller may not begin it.
    NotStarted,
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The call.
    pub call: Key,
    /// Whether the caller got a 2xx.
    pub answered: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_alone_is_told_from_all_else() {
        let cases: [(&str, bool); 8] = [
            ("", false),
            ("v=0\r\nm=audio 49170 RTP/AVP 0\r\n", true),
            ("v=0\nm=audio 49170 RTP/AVP 0\n", true),
            (
                "v=0\r\nm=audio 49170 RTP/AVP 0\r\nm=video 51372 RTP/AVP 31\r\n",
                false,
            ),
            (
                "v=0\r\nm=video 0 RTP/AVP 31\r\nm=audio 49170/2 RTP/AVP 0\r\n",
                true,
            ),
            ("v=0\r\nm=audio 0 RTP/AVP 0\r\n", false),
            ("v=0\r\nm=application 5070 UDP/BFCP *\r\n", false),
            (
                "--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nm=audio 9 RTP/AVP 0\r\n--x--\r\n",
                true,
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(offers_audio_only(body.as_bytes()), expected, "{body}");
        }
    }
}
